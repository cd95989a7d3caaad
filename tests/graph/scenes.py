"""Small record files of smooth random scenes, for tests that train."""

import io

import numpy as np
from densedepth.tf import tf
from PIL import Image


def write_records(path, count, size=(64, 96), seed=0):
    """A TFRecord file of `count` pairs as the converter writes them; returns the arrays [(rgb, depth)]."""
    generator = np.random.RandomState(seed)
    pairs = []
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        for number in range(count):
            coarse = generator.randint(30, 226, (4, 6, 4)).astype(np.uint8)
            smooth = np.asarray(Image.fromarray(coarse, "RGBA").resize((size[1], size[0]), Image.BICUBIC))
            rgb, depth = smooth[:, :, :3], smooth[:, :, 3]
            features = {
                "data_x": _encoded(rgb, "JPEG"),
                "data_y": _encoded(depth, "PNG"),
                "name": "data/scene_{}.jpg".format(number).encode(),
            }
            writer.write(example(features))
            pairs.append((rgb, depth))
    return pairs


def write_holed_records(path, depths):
    """A TFRecord file of a record for each of `depths`, uint16 millimetres with 0 for holes."""
    with tf.python_io.TFRecordWriter(str(path)) as writer:
        for number, depth in enumerate(depths):
            rgb = np.random.RandomState(number).randint(0, 256, depth.shape + (3,)).astype(np.uint8)
            features = {"data_x": _encoded(rgb, "JPEG"), "data_y": _encoded(depth, "PNG")}
            record = tf.train.Example.FromString(example(features))
            record.features.feature["depth_unit"].float_list.value.append(0.001)
            writer.write(record.SerializeToString())


def example(features):
    result = tf.train.Example()
    for name, value in features.items():
        result.features.feature[name].bytes_list.value.append(value)
    return result.SerializeToString()


def _encoded(array, kind):
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(stream, kind, quality=95)
    return stream.getvalue()
