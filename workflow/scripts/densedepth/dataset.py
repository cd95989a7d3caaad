"""The training input: records to batches of images and targets, as tf.data."""

import io

import numpy as np
from PIL import Image

from .errors import PipelineError
from .order import CHANNEL_ORDERS
from .tf import tf

HALVINGS = ("pick", "mean")

_PARALLEL_DECODES = 4


def target_table(min_depth, max_depth):
    """The training target for each value of an 8-bit depth image: float32 (256,), 1000 / depth in centimetres.

    A value v stands for v / 255 * 10 m, clipped to min_depth..max_depth centimetres before the inversion, so that a
    zero does not become infinite.
    """
    centimetres = np.arange(256, dtype=np.float64) / 255 * 1000
    return (1000 / np.clip(centimetres, min_depth, max_depth)).astype(np.float32)


def batches(index, order, first_step, last_step, size, halving, depth_range=(10, 1000)):
    """A tf.data.Dataset of (images, targets, records), one element a step from `first_step` up to `last_step`.

    index: records.RecordIndex. order: order.Order, whose batch size is used. size: (height, width) of the network's
    input. images: float32 (n, height, width, 3), RGB in 0..1. targets: float32 (n, height / 2, width / 2, 1),
    1000 / depth in centimetres. records: int64 (n,), for messages. All shapes are static.

    Images of another size are brought to `size` by averaging (area resize). `halving` says how the target, inverted at
    full resolution, comes to half of it: "pick" takes every second pixel (what the reference port does under
    TensorFlow 1.15), "mean" averages blocks of 2 x 2. Other reductions extend the same rule: the pixel at
    floor(i * scale), or the average over the area.
    """
    if halving not in HALVINGS:
        raise PipelineError("halving = {!r}: must be one of {}".format(halving, ", ".join(HALVINGS)))
    source_size = _image_size(index)

    def samples():
        for step in range(first_step, last_step):
            for sample in order.batch(step):
                yield index.read(sample.record), sample.mirror, sample.channels, sample.record

    def decode(example, mirror, channels, record):
        features = {"data_x": tf.FixedLenFeature([], tf.string), "data_y": tf.FixedLenFeature([], tf.string)}
        features = tf.parse_single_example(example, features)
        image = _image(features["data_x"], channels, source_size, size)
        target = _target(features["data_y"], source_size, size, halving, target_table(*depth_range))
        return _mirror(image, mirror), _mirror(target, mirror), record

    dataset = tf.data.Dataset.from_generator(
        samples, (tf.string, tf.bool, tf.int32, tf.int64), (tf.TensorShape([]),) * 4
    )
    dataset = dataset.map(decode, num_parallel_calls=_PARALLEL_DECODES)
    return dataset.batch(order.batch_size, drop_remainder=True).prefetch(2)


def sample_name(index, record):
    """What the user knows the record by: the image's name in the archive where it is stored, and the record's place."""
    stored = _feature(index, record, "name")
    place = index.name(record)
    return "{} ({})".format(stored[0].decode(), place) if stored else place


def _feature(index, record, name):
    return tf.train.Example.FromString(index.read(record)).features.feature[name].bytes_list.value


def _image_size(index):
    """(height, width) of the first record's image; the batches refuse records of another size."""
    try:
        jpeg = _feature(index, 0, "data_x")[0]
        width, height = Image.open(io.BytesIO(jpeg)).size
    except (IndexError, OSError):
        raise PipelineError("{}: no feature data_x with an image in it".format(index.name(0))) from None
    return height, width


def _image(jpeg, channels, source_size, size):
    # The accurate inverse transform is pinned: the default differs between TensorFlow versions.
    image = tf.image.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
    image.set_shape(source_size + (3,))
    image = tf.cond(
        tf.equal(channels, 0), lambda: image, lambda: tf.gather(image, tf.gather(CHANNEL_ORDERS, channels), axis=2)
    )
    if source_size == tuple(size):
        return tf.cast(image, tf.float32) * (1 / 255.0)
    return tf.image.resize_area(image[tf.newaxis], size)[0] * (1 / 255.0)


def _target(png, source_size, size, halving, table):
    depth = tf.image.decode_png(png, channels=1, dtype=tf.uint8)
    depth.set_shape(source_size + (1,))
    half = (size[0] // 2, size[1] // 2)
    if halving == "pick":
        # Nearest without half-pixel centres takes the pixel at floor(i * scale); on bytes, before the inversion, so
        # that nothing is computed for pixels that are not used.
        depth = tf.image.resize_nearest_neighbor(depth[tf.newaxis], half)[0]
        return tf.gather(table, tf.cast(depth, tf.int32))
    inverse = tf.gather(table, tf.cast(depth, tf.int32))
    return tf.image.resize_area(inverse[tf.newaxis], half)[0]


def _mirror(image, mirror):
    return tf.cond(mirror, lambda: tf.reverse(image, axis=[1]), lambda: image)
