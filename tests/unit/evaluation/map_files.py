"""Depth maps as other programs store them, of the images of a small test set."""

import io

import numpy as np
from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import scoring, stored_maps
from PIL import Image

SIZE, CROP = (48, 64), (4, 43, 3, 58)
COUNT = 11


def truth(index):
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    return (1 + index / 5 + rows / 40 + columns / 30).astype(np.float32)


def predicted(index):
    """In whole millimetres, near the truth, with an error of its own in each image."""
    return np.rint(1000 * truth(index) * (1 + 0.02 * index)).astype(np.uint16)


def write(path, names=None):
    pairs = ((np.zeros(SIZE + (3,), np.uint8), truth(index)) for index in range(COUNT))
    facts = {"format": 1, "holes": False, "max_depth_m": 10.0, "rgb": names} if names else None
    test_archive_writer.write(path, pairs, COUNT, SIZE, CROP, facts)
    return path


def encoded(array, kind):
    stream = io.BytesIO()
    if kind == "png":
        Image.fromarray(array).save(stream, "PNG")
    elif kind == "npy":
        np.save(stream, array)
    else:
        np.savez_compressed(stream, depth=array)
    return stream.getvalue()


def folder(place, kind, name="frame{}", maps=None):
    place.mkdir()
    for index, array in enumerate(maps if maps is not None else map(predicted, range(COUNT))):
        (place / "{}.{}".format(name.format(index), kind)).write_bytes(encoded(array, kind))
    return str(place)


def scored(path, archive, unit="millimetres", alignment="none", protocol=("port", "paper")):
    with open_test_set(archive) as test_set, stored_maps.Maps(path, test_set, unit, alignment) as maps:
        return scoring.evaluate_maps(maps, test_set, names=protocol)
