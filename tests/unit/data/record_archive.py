"""A small archive in the form of NYU Depth v2's, and what is read of the records made of it."""

import io
import zipfile

import numpy
from densedepth.data import records
from PIL import Image

PAIRS = 11


def encoded(array, kind):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind)
    return stream.getvalue()


def make_archive(path, pairs=PAIRS, changed=()):
    """A zip whose pair i has images of value 10 i; `changed`: members to write otherwise."""
    changed = dict(changed)
    with zipfile.ZipFile(str(path), "w") as archive:
        names = ["data/t/{}".format(i) for i in range(pairs)]
        archive.writestr("data/nyu2_train.csv", "".join("{0}.jpg,{0}.png\r\n".format(name) for name in names))
        for i, name in enumerate(names):
            jpg = encoded(numpy.full((12, 16, 3), 10 * i, numpy.uint8), "JPEG")
            png = encoded(numpy.full((12, 16), 10 * i, numpy.uint8), "PNG")
            archive.writestr(name + ".jpg", changed.get(name + ".jpg", jpg))
            archive.writestr(name + ".png", changed.get(name + ".png", png))
    return str(path)


def parsed(serialized):
    """{name: bytes} of a record, without its numbers."""
    from densedepth.tf import tf

    features = tf.train.Example.FromString(serialized).features.feature
    return {name: features[name].bytes_list.value[0] for name in features if features[name].bytes_list.value}


def read_all(paths):
    with records.RecordIndex(paths) as index:
        return [parsed(index.read(i)) for i in range(len(index))]
