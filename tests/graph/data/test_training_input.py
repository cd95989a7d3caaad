"""Batches are what the records hold, brought to size and augmented as the order says."""

import base64
import hashlib
import io

import numpy as np
import pytest
from densedepth.data import augmentation, training_input, unfiltered_png
from densedepth.data.augmentation import Augmentation
from densedepth.data.order import CHANNEL_ORDERS, Order
from densedepth.data.records import RecordIndex, framed
from densedepth.errors import PipelineError
from densedepth.tf import tf
from PIL import Image
from scenes import example, write_records

SIZE = (64, 96)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    path = tmp_path_factory.mktemp("records") / "x.tfrecords"
    write_records(path, 6, SIZE)
    with RecordIndex([str(path)]) as index:
        yield index


def read(index, order, steps, size=SIZE, halving="pick", first=0):
    with tf.Graph().as_default(), tf.Session() as session:
        batches = training_input.batches(index, order, first, first + steps, size, halving)
        element = tf.data.make_one_shot_iterator(batches).get_next()
        assert [t.shape.as_list() for t in element] == [
            [order.batch_size, size[0], size[1], 3],
            [order.batch_size, size[0] // 2, size[1] // 2, 1],
            [order.batch_size],
        ]
        return [session.run(element) for _ in range(steps)]


def plain(records=6, batch_size=2, mirror=0.0, swap=0.0):
    return Order(records, batch_size, 7, mirror, swap)


def decoded(index, record):
    """The record's image in 0..1 and its target at full resolution, by Pillow and NumPy."""
    features = tf.train.Example.FromString(index.read(record)).features.feature
    rgb = np.asarray(Image.open(io.BytesIO(features["data_x"].bytes_list.value[0])))
    depth = np.asarray(Image.open(io.BytesIO(features["data_y"].bytes_list.value[0])))
    return rgb / 255.0, 1000 / np.clip(depth / 255.0 * 1000, 10, 1000)


def halved(target, halving):
    if halving == "pick":
        return target[::2, ::2]
    return target.reshape(target.shape[0] // 2, 2, target.shape[1] // 2, 2).mean(axis=(1, 3))


@pytest.mark.parametrize("halving", training_input.HALVINGS)
def test_values_of_a_batch(index, halving):
    for images, targets, records in read(index, plain(), 3, halving=halving):
        for image, target, record in zip(images, targets, records):
            rgb, inverse = decoded(index, record)
            # JPEG decoders may differ by a grey level.
            np.testing.assert_allclose(image, rgb, atol=1.5 / 255)
            np.testing.assert_allclose(target[:, :, 0], halved(inverse, halving), rtol=1e-5)


def test_batches_keep_their_values_while_others_are_read(index):
    """The reader uses its memory again, but never that of a batch which somebody still holds."""
    held = read(index, plain(), 60)
    assert len({images.ctypes.data for images, _, _ in held}) == 60
    for images, targets, records in held:
        for image, target, record in zip(images, targets, records):
            rgb, inverse = decoded(index, record)
            np.testing.assert_allclose(image, rgb, atol=1e-6)
            np.testing.assert_allclose(target[:, :, 0], halved(inverse, "pick"), rtol=1e-6)


def test_a_record_is_read_once_for_a_sample(index, monkeypatch):
    """And the first once more, which says what the records are."""
    found, whole = [], RecordIndex.read
    monkeypatch.setattr(RecordIndex, "read", lambda self, record: found.append(record) or whole(self, record))
    order = plain()
    read(index, order, 3)
    assert sorted(found) == sorted([0] + [sample.record for step in range(3) for sample in order.batch(step)])


def test_every_sample_is_mirrored_and_its_channels_exchanged_as_ordered(index):
    order = plain(mirror=0.5, swap=1.0)
    seen = set()
    for step, (images, targets, records) in enumerate(read(index, order, 12)):
        for sample, image, target, record in zip(order.batch(step), images, targets, records):
            assert sample.record == record
            rgb, inverse = decoded(index, record)
            rgb, inverse = rgb[:, :, CHANNEL_ORDERS[sample.channels]], halved(inverse, "pick")
            if sample.mirror:
                rgb, inverse = rgb[:, ::-1], inverse[:, ::-1]
            np.testing.assert_allclose(image, rgb, atol=1.5 / 255)
            np.testing.assert_allclose(target[:, :, 0], inverse, rtol=1e-5)
            seen.add((sample.mirror, sample.channels))
    assert len(seen) > 8


@pytest.mark.parametrize("halving", training_input.HALVINGS)
def test_a_view_has_its_depth_and_no_more_where_the_image_ends(index, halving):
    order = Order(6, 2, 7, 0.5, 0.0, augmentation=Augmentation(max_zoom=2.0, max_rotation=20.0, brightness=0.3))
    outside = 0
    for step, (images, targets, records) in enumerate(read(index, order, 3, halving=halving)):
        for sample, image, target, record in zip(order.batch(step), images, targets, records):
            rgb, inverse = decoded(index, record)
            whole = Image.fromarray(np.round(255 * rgb).astype(np.uint8))
            seen, inverse, known = augmentation.seen(whole, inverse, sample.view)
            expected, share = halved(inverse * known, halving), halved(known.astype(float), halving)
            # Ten metres seen from twice as near are five: twice the inverse depth.
            expected = sample.view.zoom * expected / np.where(share > 0, share, 1)
            mirrored = slice(None, None, -1 if sample.mirror else 1)
            np.testing.assert_allclose(target[:, mirrored, 0], np.minimum(expected, 100), rtol=1e-4)
            shown = np.clip(sample.view.brightness * np.asarray(seen) / 255.0, 0, 1)
            np.testing.assert_allclose(image[:, mirrored], shown, atol=3 / 255)
            outside += np.sum(target == training_input.HOLE)
    assert outside > 0


@pytest.mark.parametrize("halving", training_input.HALVINGS)
def test_a_smaller_input_averages_images_and_keeps_the_rule_for_targets(index, halving):
    (images, targets, records), _ = read(index, plain(), 2, size=(32, 32), halving=halving)
    rgb, inverse = decoded(index, records[0])
    np.testing.assert_allclose(images[0], rgb.reshape(32, 2, 32, 3, 3).mean(axis=(1, 3)), atol=1.5 / 255)
    expected = inverse[::4, ::6] if halving == "pick" else inverse.reshape(16, 4, 16, 6).mean(axis=(1, 3))
    np.testing.assert_allclose(targets[0, :, :, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "halving, half_pixel_centers, size", [("pick", False, SIZE), ("pick", False, (32, 32)), ("mean", True, SIZE)]
)
def test_halving_is_what_tensorflow_makes_of_it(index, halving, half_pixel_centers, size):
    """`pick` is the bilinear resizing of TensorFlow 1.15, which the port calls; `mean` that of current versions."""
    ((_, targets, records),) = read(index, plain(), 1, size, halving)
    inverse = np.stack([decoded(index, record)[1] for record in records]).astype(np.float32)[..., np.newaxis]
    half = (size[0] // 2, size[1] // 2)
    with tf.Graph().as_default(), tf.Session() as session:
        resized = tf.image.resize_bilinear(inverse, half, align_corners=False, half_pixel_centers=half_pixel_centers)
        np.testing.assert_allclose(targets, session.run(resized), rtol=1e-6)


def test_a_later_start_sees_the_same_stream(index):
    order = plain(mirror=0.5, swap=0.5)
    for whole, later in zip(read(index, order, 9)[6:], read(index, order, 3, first=6)):
        for one, other in zip(whole, later):
            np.testing.assert_array_equal(one, other)


def test_depth_zero_does_not_become_infinite():
    table = training_input.target_table(10, 1000)
    assert table.dtype == np.float32
    assert table[0] == 100 and table[255] == 1 and table.min() == 1
    assert table[51] == np.float32(1000 / 200.0)


def test_unknown_halving_is_refused(index):
    with pytest.raises(PipelineError, match=r"halving = 'half'.*pick, mean"):
        training_input.batches(index, plain(), 0, 1, SIZE, "half")


def test_samples_are_named_as_in_the_archive(index):
    assert training_input.sample_name(index, 3) == "data/scene_3.jpg (x.tfrecords record 3)"


def test_records_of_the_port_without_names_are_named_by_place(tmp_path):
    path = str(tmp_path / "y.tfrecords")
    with tf.python_io.TFRecordWriter(path) as writer:
        writer.write(example({"data_x": b"", "data_y": b""}))
    with RecordIndex([path]) as index:
        assert training_input.sample_name(index, 0) == "y.tfrecords record 0"
        with pytest.raises(PipelineError, match=r"y.tfrecords record 0: no feature data_x with an image"):
            training_input.batches(index, plain(1, 1), 0, 1, SIZE, "pick")


# A JPEG of 64x32 with halved colours, as bytes: encoders differ between releases.
PHOTO = """
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAoHBwgHBgoICAgLCgoLDhgQDg0NDh0VFhEYIx8lJCIfIiEmKzcvJik0KSEiMEExNDk7Pj4+JS5ESU
M8SDc9Pjv/2wBDAQoLCw4NDhwQEBw7KCIoOzs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozs7Ozv/wAARCAAg
AEADASIAAhEBAxEB/8QAFwABAQEBAAAAAAAAAAAAAAAABQYEB//EACQQAAEEAgIBBAMAAAAAAAAAAAEAAgMEBRESIRMGIjEyIzNB/8QAFgEBAQ
EAAAAAAAAAAAAAAAAABQQC/8QAIhEAAQMEAgIDAAAAAAAAAAAAAgABBAMFERITIiEjBhQV/9oADAMBAAIRAxEAPwBht+In7Ba4bMTvgqOZVvA9
hy3VnWIiOewlK1mpM3Q8oaV8XaMO2ypbA8w9vawGjKHb4lacfdiGvKQlJclQbH9m7QdW26OqbfMqRR4xHKDMbo29hH2Z2tOiVsyGXq+4NeFJ37
xkkPApS0iwHgk20/j7kqKr+Yjj2lI8fK4bDUH6bstD2+UrodO5Q8Y5FqivVqeTU2BWUrsZt1HKxyQUOJ0GoPI14tHxgIlmSmcfsUjA8zN9x2tw
YdWIWxllSFTKW2rupnJ2Jq2+JIU5PmLr3Foe5V+ehbxPSl6tdj7WiP6k5PsHkWBqU4T8RDlYQ+/KdnlpaYXPZ+1WdbFQmry4D4UpnYxBKQzrtE
wDedWekPjCzLifZDZvC1VrTm68ZSEd+8PhztIbBHyyAO7VpHWhbGNt7Vsu5flFxk2UbSvw2n1OOV//2Q==
"""


@pytest.fixture(params=[8, 16])
def photo(request, tmp_path):
    """A record of `PHOTO`, with depth of 8 bits, or of 16 with holes."""
    values = np.arange(32 * 64).reshape(32, 64)
    depth = values.astype(np.uint8) if request.param == 8 else (31 * values * (values % 3 > 0)).astype(np.uint16)
    stream = io.BytesIO()
    Image.fromarray(depth).save(stream, "PNG")
    record = tf.train.Example.FromString(example({"data_x": base64.b64decode(PHOTO), "data_y": stream.getvalue()}))
    if request.param == 16:
        record.features.feature["depth_unit"].float_list.value.append(10 / 65535)
    with tf.python_io.TFRecordWriter(str(tmp_path / "x.tfrecords")) as writer:
        writer.write(record.SerializeToString())
    with RecordIndex([str(tmp_path / "x.tfrecords")]) as index:
        yield index, depth


# By the bits of the depth.
DIGESTS = {
    8: "c8b8bca5ecfecec00c4479258811a00c0da189577e2ec1763303488b38b48fba",
    16: "b1ea43ec0fca9b95e21de55f02c6f290066b61d1b1ef56fa535a66801b06472b",
}


def test_every_runtime_makes_the_same_numbers(photo):
    """The digests are the same for TensorFlow 1.15 with its NumPy and Pillow, and for the current ones.

    To the last bit: no sum here depends on its order, as it would for targets of "mean" that are resized.
    """
    index, depth = photo
    digest = hashlib.sha256()
    for size, halvings in (((32, 64), training_input.HALVINGS), ((16, 32), ["pick"])):
        for halving in halvings:
            for images, targets, _ in read(index, plain(1, 1, 0.5, 1.0), 8, size, halving):
                digest.update(images.astype("<f4").tobytes())
                digest.update(targets.astype("<f4").tobytes())
    assert digest.hexdigest() == DIGESTS[8 * depth.itemsize]


def area(length, new_length):
    """The matrix, in double precision, that averages an axis of `length` over the areas of `new_length` pixels."""
    edges = np.arange(new_length + 1)[:, np.newaxis] * length / new_length
    old = np.arange(length)
    covered = np.minimum(edges[1:], old + 1) - np.maximum(edges[:-1], old)
    return np.maximum(covered, 0) * new_length / length


@pytest.mark.parametrize("size", [(16, 32), (24, 40)])
def test_resized_numbers_are_those_of_double_precision(photo, size):
    """To 1e-6 of the largest value under every runtime, so to 2e-6 among them."""
    index, depth = photo
    ((images, targets, _),) = read(index, plain(1, 1), 1, size, "mean")
    rgb = np.asarray(Image.open(io.BytesIO(base64.b64decode(PHOTO))), float)
    expected = np.einsum("ih,jw,hwc->ijc", area(32, size[0]), area(64, size[1]), rgb) / 255
    np.testing.assert_allclose(images[0], expected, rtol=0, atol=1e-6)
    rows, columns = area(32, size[0] // 2), area(64, size[1] // 2)
    sixteen = depth.dtype == np.uint16
    unit = float(np.float32(10 / 65535)) if sixteen else 10 / 255
    known = np.where(depth > 0, 1.0, 0.0 if sixteen else 1.0)
    inverse = known * 1000 / np.clip(depth * unit * 100, 10, 1000)
    expected = (rows @ inverse @ columns.T) / (rows @ known @ columns.T)
    np.testing.assert_allclose(targets[0, :, :, 0], expected, rtol=0, atol=1e-6 * expected.max())


# Sixteen bits and holes


@pytest.fixture(scope="module")
def holed(tmp_path_factory):
    """Records as made of one's own pictures: 16-bit depth of 0.002 m a value, holes."""
    path = str(tmp_path_factory.mktemp("holed") / "x.tfrecords")
    generator = np.random.RandomState(3)
    with tf.python_io.TFRecordWriter(path) as writer:
        for _ in range(4):
            rgb = generator.randint(0, 256, SIZE + (3,)).astype(np.uint8)
            depth = generator.randint(1, 10000, SIZE).astype(np.uint16)
            depth[generator.uniform(size=SIZE) < 0.6] = 0
            record = tf.train.Example()
            for key, array in (("data_x", rgb), ("data_y", depth)):
                stream = io.BytesIO()
                Image.fromarray(array).save(stream, "PNG")
                record.features.feature[key].bytes_list.value.append(stream.getvalue())
            record.features.feature["depth_unit"].float_list.value.append(0.002)
            writer.write(record.SerializeToString())
    with RecordIndex([path]) as index:
        yield index


def sums_of_blocks(array):
    return array.reshape(SIZE[0] // 2, 2, SIZE[1] // 2, 2).sum(axis=(1, 3))


@pytest.mark.parametrize("halving", training_input.HALVINGS)
def test_holes_stay_holes(holed, index, halving):
    assert training_input.has_holes(holed) and not training_input.has_holes(index)
    with tf.Graph().as_default(), tf.Session() as session:
        batches = training_input.batches(holed, plain(4), 0, 2, SIZE, halving, (10, 8000))
        element = tf.data.make_one_shot_iterator(batches).get_next()
        found = [session.run(element) for _ in range(2)]
    for images, targets, records in found:
        for image, target, record in zip(images, targets, records):
            features = tf.train.Example.FromString(holed.read(record)).features.feature
            rgb = np.asarray(Image.open(io.BytesIO(features["data_x"].bytes_list.value[0])))
            depth = np.asarray(Image.open(io.BytesIO(features["data_y"].bytes_list.value[0]))).astype(float)
            np.testing.assert_array_equal(image, rgb * np.float32(1 / 255.0))
            known = depth > 0
            expected = np.where(known, 1000 / np.clip(depth * 0.2, 10, 8000), 0)
            if halving == "pick":
                expected = expected[::2, ::2]
            else:
                expected = sums_of_blocks(expected) / np.maximum(sums_of_blocks(known), 1)
            np.testing.assert_allclose(target[:, :, 0], expected, rtol=1e-5)


def test_a_record_of_another_size_is_named(tmp_path):
    for name, size in (("x", SIZE), ("y", (32, 32))):
        write_records(tmp_path / (name + ".tfrecords"), 1, size)
    paths = [str(tmp_path / "x.tfrecords"), str(tmp_path / "y.tfrecords")]
    with RecordIndex(paths) as mixed, tf.Graph().as_default(), tf.Session() as session:
        element = tf.data.make_one_shot_iterator(
            training_input.batches(mixed, plain(2, 2), 0, 1, SIZE, "pick")
        ).get_next()
        with pytest.raises(tf.errors.OpError, match=r"y.tfrecords record 0.*another size or kind"):
            session.run(element)


# Depth without row filters


def unfiltered(index, path):
    """The records of `index` with their depth as `unfiltered_png` stores it."""
    with open(str(path), "wb") as stream:
        for number in range(len(index)):
            record = tf.train.Example.FromString(index.read(number))
            stored = record.features.feature["data_y"].bytes_list.value
            stored[0] = unfiltered_png.recoded(stored[0])
            stream.write(framed(record.SerializeToString()))
    return str(path)


ALL = Augmentation(max_zoom=2.0, max_rotation=20.0, brightness=0.3, contrast=0.3, saturation=0.3, hue=0.1)


@pytest.mark.parametrize("views", [augmentation.NONE, ALL], ids=["whole", "views"])
@pytest.mark.parametrize("kind", ["index", "holed"])
def test_batches_of_unfiltered_depth_are_the_same_to_the_bit(request, tmp_path, kind, views):
    """In the same order, also from a later step on, at the size of the records and at others."""
    given = request.getfixturevalue(kind)
    with RecordIndex([unfiltered(given, tmp_path / "x.tfrecords")]) as index:
        order = Order(len(given), 2, 7, 0.5, 0.5, augmentation=views)
        for halving, size in (("pick", SIZE), ("mean", SIZE), ("pick", (32, 64)), ("mean", (32, 64))):
            expected = read(given, order, 6, size, halving)
            for found in (read(index, order, 6, size, halving), read(index, order, 2, size, halving, first=4)):
                for one, other in zip(found, expected[-len(found) :]):
                    assert [part.tobytes() for part in one] == [part.tobytes() for part in other]


def test_records_of_both_forms_are_read_together(index, tmp_path):
    paths = [*index.paths, unfiltered(index, tmp_path / "y.tfrecords")]
    order = Order(12, 12, 7, 0, 0)
    for one in (paths, paths[::-1]):
        with RecordIndex(one) as both:
            ((images, targets, records),) = read(both, order, 1)
        for first, second in zip(np.argsort(records)[:6], np.argsort(records)[6:]):
            assert images[first].tobytes() == images[second].tobytes()
            assert targets[first].tobytes() == targets[second].tobytes()


@pytest.mark.parametrize("bits", [8, 16])
def test_tensorflow_reads_unfiltered_depth(bits):
    """So does any program that reads the reference port's records."""
    values = np.random.RandomState(0).randint(0, 1 << bits, SIZE).astype("uint{}".format(bits))
    with tf.Graph().as_default(), tf.Session() as session:
        pixels = tf.image.decode_png(unfiltered_png.encoded(values), dtype=tf.as_dtype(values.dtype))
        np.testing.assert_array_equal(session.run(pixels)[:, :, 0], values)


def test_unfiltered_depth_of_another_kind_is_refused(index, tmp_path):
    """Sixteen bits without a unit, after a record of eight."""
    record = tf.train.Example.FromString(index.read(0))
    records = []
    for bits in (8, 16):
        png = unfiltered_png.encoded(np.zeros(SIZE, "uint{}".format(bits)))
        record.features.feature["data_y"].bytes_list.value[0] = png
        records.append(framed(record.SerializeToString()))
    (tmp_path / "x.tfrecords").write_bytes(b"".join(records))
    with RecordIndex([str(tmp_path / "x.tfrecords")]) as mixed:
        with pytest.raises(tf.errors.OpError, match=r"x.tfrecords record 1.*another size or kind"):
            read(mixed, plain(2), 1)
