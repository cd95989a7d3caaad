"""Reading nyu_test.zip: streaming, the dtypes that occur, refusals by the array's name."""

import functools
import io
import zipfile

import numpy
import pytest
from densedepth.data.test_archive import open_test_set
from refusals import refusal_of_file

COUNT, HEIGHT, WIDTH = 5, 6, 8


def arrays(**changes):
    generator = numpy.random.RandomState(1)
    good = {
        "rgb": generator.randint(0, 256, (COUNT, HEIGHT, WIDTH, 3)).astype(numpy.uint8),
        "depth": generator.uniform(0.5, 10, (COUNT, HEIGHT, WIDTH)).astype(numpy.float32),
        "crop": numpy.array([1, 4, 2, 6]),
    }
    good.update(changes)
    return {name: array for name, array in good.items() if array is not None}


def write(path, contents, folder="", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(str(path), "w", method) as archive:
        for name, array in contents.items():
            stream = io.BytesIO()
            numpy.save(stream, array, allow_pickle=True)
            archive.writestr("{}eigen_test_{}.npy".format(folder, name), stream.getvalue())
    return str(path)


def read_all(path, batch_size=2):
    with open_test_set(path) as test_set:
        batches = list(test_set.batches(batch_size))
    return (
        numpy.concatenate([rgb for rgb, _, _ in batches]),
        numpy.concatenate([depth for _, depth, _ in batches]),
        [indices for _, _, indices in batches],
    )


refusal = functools.partial(refusal_of_file, read_all)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_batches_hold_every_image_in_order(tmp_path, method):
    contents = arrays()
    rgb, depth, indices = read_all(write(tmp_path / "a.zip", contents, method=method))
    numpy.testing.assert_array_equal(rgb, contents["rgb"])
    numpy.testing.assert_array_equal(depth, contents["depth"])
    assert (rgb.dtype, depth.dtype) == (numpy.uint8, numpy.float32)
    assert indices == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_image_by_its_number(tmp_path, method):
    contents = arrays()
    contents["depth"][3, 0, 0] = 0
    with open_test_set(write(tmp_path / "a.zip", contents, method=method)) as test_set:
        for index in (1, 4, 0):
            rgb, depth = test_set.image(index)
            numpy.testing.assert_array_equal(rgb, contents["rgb"][[index]])
            numpy.testing.assert_array_equal(depth, contents["depth"][[index]])
        assert test_set.image(3, holes=True)[1][0, 0, 0] == 0
        for index, words in ((3, "image 3: depths that are not finite and above zero"), (5, "has no image 5, only 5")):
            assert words in refusal_of_file(lambda path, index=index: test_set.image(index), test_set.path)


def test_of_what_is_stored_plainly_nothing_else_is_read(tmp_path):
    """An image is another one than the checksum was taken of."""
    rgb = numpy.random.RandomState(0).randint(0, 256, (COUNT, 60, 80, 3)).astype(numpy.uint8)
    contents = arrays(rgb=rgb, depth=numpy.ones(rgb.shape[:3]))
    path = tmp_path / "a.zip"
    write(path, contents)
    data = path.read_bytes()
    assert data.count(contents["rgb"][0].tobytes()) == 1
    path.write_bytes(data.replace(contents["rgb"][0].tobytes(), bytes(contents["rgb"][0].nbytes)))
    with open_test_set(str(path)) as test_set:
        numpy.testing.assert_array_equal(test_set.image(4)[0], contents["rgb"][[4]])
    assert "Bad CRC-32" in refusal(str(path))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_image_is_of_the_archive_that_was_opened(tmp_path, monkeypatch, method):
    """Whatever has its name now, or none."""
    contents = arrays()
    write(tmp_path / "a.zip", contents, method=method)
    monkeypatch.chdir(tmp_path)
    with open_test_set("a.zip") as test_set:
        write(tmp_path / "b.zip", arrays(rgb=255 - contents["rgb"]), method=method)
        (tmp_path / "b.zip").replace(tmp_path / "a.zip")
        numpy.testing.assert_array_equal(test_set.image(3)[0], contents["rgb"][[3]])
        monkeypatch.chdir("/")
        # What reads on in one place does not move another.
        passing = test_set.batches(1)
        for index in (0, 1):
            numpy.testing.assert_array_equal(next(passing)[0], contents["rgb"][[index]])
            numpy.testing.assert_array_equal(test_set.image(4)[0], contents["rgb"][[4]])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", ["rgb", "depth", None])
def test_the_checksums_of_what_is_read_image_by_image(tmp_path, name, method):
    random, size = numpy.random.RandomState(0), (COUNT, 60, 80)
    rgb = random.randint(0, 256, size + (3,)).astype(numpy.uint8)
    path = tmp_path / "a.zip"
    write(path, arrays(rgb=rgb, depth=random.uniform(1, 2, size)), method=method)
    if name:
        with zipfile.ZipFile(str(path)) as archive:
            info = archive.getinfo("eigen_test_{}.npy".format(name))
        data = bytearray(path.read_bytes())
        # In the last image, behind what opening reads.
        data[info.header_offset + 30 + len(info.filename) + info.compress_size - 40] ^= 1
        path.write_bytes(bytes(data))
    with open_test_set(str(path)) as test_set:
        if name:
            words = "eigen_test_{}.npy: damaged ".format(name)
            assert words in refusal_of_file(lambda path: test_set.check_sums(), test_set.path)
        else:
            test_set.check_sums()
        # Where what is read is shown alone, nothing else is.
        assert (test_set.image(0)[0] == rgb[0]).all()


def test_facts_and_a_second_pass(tmp_path):
    with open_test_set(write(tmp_path / "a.zip", arrays())) as test_set:
        assert test_set.count == COUNT
        assert test_set.image_size == (HEIGHT, WIDTH)
        assert test_set.crop == (1, 4, 2, 6)
        first, second = (numpy.concatenate([batch[0] for batch in test_set.batches(3)]) for _ in range(2))
        numpy.testing.assert_array_equal(first, second)
        next(test_set.batches(1))
        assert sum(len(indices) for _, _, indices in test_set.batches(4)) == COUNT


def test_in_a_folder_of_the_zip(tmp_path):
    assert len(read_all(write(tmp_path / "a.zip", arrays(), folder="nyu_test/"))[0]) == COUNT


def test_floats_and_other_integers(tmp_path):
    rgb = numpy.zeros((COUNT, HEIGHT, WIDTH, 3), ">f8") + 99.6
    depth = numpy.full((COUNT, HEIGHT, WIDTH), 2.5, numpy.float64)
    crop = numpy.array([0, HEIGHT - 1, 0, WIDTH - 1], numpy.uint8)
    path = write(tmp_path / "a.zip", arrays(rgb=rgb, depth=depth, crop=crop))
    rgb, depth, _ = read_all(path)
    assert (rgb.dtype, rgb.min(), rgb.max()) == (numpy.uint8, 100, 100)
    assert (depth.dtype, depth.min(), depth.max()) == (numpy.float32, 2.5, 2.5)


@pytest.mark.parametrize("name", ["rgb", "depth", "crop"])
def test_missing_array(tmp_path, name):
    message = refusal(write(tmp_path / "a.zip", arrays(**{name: None})))
    assert "eigen_test_{}.npy: is not in the archive".format(name) in message


def test_array_there_twice(tmp_path):
    path = write(tmp_path / "a.zip", arrays(), folder="one/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("two/eigen_test_rgb.npy", b"")
    assert "eigen_test_rgb.npy: is there 2 times" in refusal(path)


@pytest.mark.parametrize(
    "changes, words",
    [
        (
            {"rgb": numpy.zeros((5, 6, 8), numpy.uint8)},
            "rgb.npy: expected shape (images, height, width, 3), got (5, 6, 8)",
        ),
        ({"rgb": numpy.zeros((5, 6, 8, 4), numpy.uint8)}, "3), got (5, 6, 8, 4)"),
        ({"rgb": numpy.zeros((0, 6, 8, 3), numpy.uint8)}, "3), got (0, 6, 8, 3)"),
        ({"rgb": numpy.zeros((5, 6, 8, 3), numpy.int32)}, "rgb.npy: expected dtype uint8 or floating point, got int32"),
        ({"rgb": numpy.empty((5, 6, 8, 3), object)}, "rgb.npy: has dtype object"),
        ({"rgb": numpy.asfortranarray(arrays()["rgb"])}, "rgb.npy: expected C order, got Fortran order"),
        ({"rgb": numpy.full((5, 6, 8, 3), 300.0)}, "rgb.npy: image 0: values beyond"),
        ({"rgb": numpy.full((5, 6, 8, 3), numpy.nan)}, "rgb.npy: image 0: values beyond"),
        ({"rgb": numpy.full((5, 6, 8, 3), 0.5)}, "expected values in 0..255, got 0..1"),
        (
            {"depth": numpy.ones((5, 6, 8, 1), numpy.float32)},
            "depth.npy: expected shape (images, height, width), got (5, 6, 8, 1)",
        ),
        ({"depth": numpy.ones((4, 6, 8), numpy.float32)}, "depth.npy: has shape (4, 6, 8), which does not fit"),
        ({"depth": numpy.ones((5, 8, 6), numpy.float32)}, "depth.npy: has shape (5, 8, 6), which does not fit"),
        (
            {"depth": numpy.ones((5, 6, 8), numpy.uint16)},
            "depth.npy: expected floating point (metres), got dtype uint16",
        ),
        (
            {"crop": numpy.array([1, 2, 3])},
            "crop.npy: expected four integers (top, bottom, left, right), got shape (3,)",
        ),
        ({"crop": numpy.array([0.0, 1, 2, 3])}, "got shape (4,) and dtype float64"),
        ({"crop": numpy.array([0, HEIGHT, 0, 1])}, "crop.npy: rows 0..6, columns 0..1 do not lie within"),
        ({"crop": numpy.array([0, 1, 0, WIDTH])}, "crop.npy: rows 0..1, columns 0..8 do not lie within"),
        ({"crop": numpy.array([-1, 1, 0, 1])}, "crop.npy: rows -1..1"),
        ({"crop": numpy.array([3, 2, 0, 1])}, "crop.npy: rows 3..2"),
        ({"crop": numpy.array([0, 1, 5, 4])}, "crop.npy: rows 0..1, columns 5..4"),
    ],
)
def test_wrong_array(tmp_path, changes, words):
    assert words in refusal(write(tmp_path / "a.zip", arrays(**changes)))


@pytest.mark.parametrize("value", [0.0, -1.0, numpy.nan, numpy.inf])
def test_depths_that_are_none(tmp_path, value):
    depth = arrays()["depth"]
    depth[3, 2, 2] = value
    assert "depth.npy: image 3: depths that are not" in refusal(write(tmp_path / "a.zip", arrays(depth=depth)))


def test_truncated_zip(tmp_path):
    path = write(tmp_path / "a.zip", arrays())
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data[: len(data) // 2])
    assert "truncated" in refusal(path)


def test_array_cut_off(tmp_path):
    path = write(tmp_path / "a.zip", arrays(rgb=None))
    stream = io.BytesIO()
    numpy.save(stream, arrays()["rgb"])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("eigen_test_rgb.npy", stream.getvalue()[:-7])
    assert "eigen_test_rgb.npy: has" in refusal(path)


def test_member_that_is_no_array(tmp_path):
    path = write(tmp_path / "a.zip", arrays(rgb=None))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("eigen_test_rgb.npy", b"hello")
    assert "eigen_test_rgb.npy: not a NumPy array" in refusal(path)


def test_damaged_values(tmp_path):
    path = write(tmp_path / "a.zip", arrays())
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[600] ^= 1
    (tmp_path / "a.zip").write_bytes(bytes(data))
    assert "eigen_test_rgb.npy" in refusal(path)


def test_missing_archive(tmp_path):
    assert "no such file" in refusal(str(tmp_path / "none.zip"))


@pytest.mark.parametrize("place, number, words", [("method", 9, "compressed by Deflate64"), ("flag", 1, "encrypted")])
def test_what_is_not_supported_is_not_called_damaged(tmp_path, place, number, words):
    path = write(tmp_path / "a.zip", arrays())
    with open(path, "rb") as stream:
        data = bytearray(stream.read())
    with zipfile.ZipFile(path) as archive:
        local, central = archive.getinfo("eigen_test_rgb.npy").header_offset, archive.start_dir
    steps = {"method": (8, 10), "flag": (6, 8)}[place]
    data[local + steps[0]] = data[central + steps[1]] = number
    with open(path, "wb") as stream:
        stream.write(data)
    message = refusal(path)
    assert "eigen_test_rgb.npy is " + words in message and "7z x " in message and "again.zip" in message
    assert "damaged" not in message
