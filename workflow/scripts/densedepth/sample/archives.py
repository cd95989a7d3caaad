"""The embedded sample: synthetic rooms in archives of exactly the form of NYU's.

    nyu_data.zip      data/nyu2_train/<room>_out/<n>.jpg and .png, data/nyu2_train.csv, a few pairs of data/nyu2_test
    nyu_test.zip      eigen_test_rgb.npy, eigen_test_depth.npy, eigen_test_crop.npy, of other rooms
    examples/1.png    ... 4.png: images of further rooms to try a network on

The pixels are the same on every machine for a seed (see `render`), the files are for the same versions of
Pillow and NumPy.
"""

import io
import os
import zipfile
from typing import Any, List, Tuple

import numpy
from PIL import Image

from .. import files, outputs
from ..data import test_archive_writer
from ..errors import PipelineError
from ..pool import ordered
from ..progress import Progress
from . import render, rooms, views
from .scene import HEIGHT, WIDTH

SIZE = (HEIGHT, WIDTH)
# The part of the 480x640 image that NYU evaluations look at: top, bottom, left, right, inclusive.
CROP = (20, 459, 24, 615)

VIEWS = 4
EXAMPLES = 4
PAIRS_16_BIT = 4
_TRAIN, _TEST, _EXAMPLE = 0, 1, 2


def write(
    out: str,
    train_scenes: int = 240,
    test_scenes: int = 48,
    seed: int = 0,
    workers: int = 1,
    size: Tuple[int, int] = SIZE,
) -> None:
    """Write the sample to the folder `out`: `train_scenes` training images of 4 a room, `test_scenes` held out.

    Held-out images are each of a room of their own. `size` (height, width) other than 480x640 makes the same views
    with fewer pixels, for tests. The files do not depend on `workers`. Each file is whole or absent; one that is there
    is refused: archives of NYU Depth v2 have the same names.
    """
    if not 0 <= seed < 2**32:
        raise PipelineError("seed {}: expected an integer from 0 to 4294967295".format(seed))
    pictures = [os.path.join(out, "examples", "{}.png".format(index + 1)) for index in range(EXAMPLES)]
    test, train = (os.path.join(out, name) for name in ("nyu_test.zip", "nyu_data.zip"))
    outputs.check_new([train, test, *pictures])
    tasks = [(seed, _TEST, index, 1, size) for index in range(test_scenes)]
    tasks += [
        (seed, _TRAIN, index, min(VIEWS, train_scenes - index * VIEWS), size)
        for index in range((train_scenes + VIEWS - 1) // VIEWS)
    ]
    tasks += [(seed, _EXAMPLE, index, 1, size) for index in range(EXAMPLES)]
    progress = Progress(train_scenes + test_scenes + EXAMPLES, "images")
    drawn = ordered(_draw, tasks, workers, progress)
    os.makedirs(os.path.join(out, "examples"), exist_ok=True)
    held_out = _write_test(test, drawn, test_scenes, size)
    _write_train(train, drawn, train_scenes, held_out)
    for picture in pictures:
        with files.atomic_path(picture) as path, open(path, "wb") as stream:
            stream.write(_png(next(drawn)[1][0][0]))
    drawn.close()


def _draw(task, tick):
    """(kind of the room, [(rgb, depth), ...]); those of training as JPEG and 8-bit PNG, others as arrays."""
    seed, split, index, count, size = task
    room = rooms.make_room(seed, split, index)
    pictures = []
    for number, (scene, camera) in enumerate(views.make_views(room, count, seed, 10 + split, index)):
        noise_seed = (seed * 31 + split) * 100003 + index * 17 + number
        rgb, depth = render.render(scene, camera, noise_seed, *size)
        pictures.append((_jpeg(rgb), _png(eight_bit(depth))) if split == _TRAIN else (rgb, depth))
        tick(1)
    return room.kind, pictures


def eight_bit(depth: numpy.ndarray) -> numpy.ndarray:
    """Depth in metres as the training PNGs hold it: value = metres / 10 * 255, rounded, uint8."""
    return numpy.floor(numpy.clip(depth * 25.5 + 0.5, 1.0, 255.0)).astype(numpy.uint8)


def millimetres(depth: numpy.ndarray) -> numpy.ndarray:
    """Depth in metres as the 16-bit PNGs of data/nyu2_test hold it, uint16."""
    return numpy.floor(depth * 1000.0 + 0.5).astype(numpy.uint16)


def _jpeg(rgb):
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=90, subsampling=2)
    return stream.getvalue()


def _png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def _write_train(final, drawn, count, held_out):
    rows, written = [], 0
    with files.atomic_path(final) as path, zipfile.ZipFile(path, "w") as archive:
        archive.writestr(test_archive_writer.member("data/"), b"")
        number = 0
        while written < count:
            kind, pictures = next(drawn)
            number += 1
            for view, (jpeg, png) in enumerate(pictures, 1):
                name = "data/nyu2_train/{}_{:04d}_out/{}".format(kind, number, view)
                archive.writestr(test_archive_writer.member(name + ".jpg"), jpeg)
                archive.writestr(test_archive_writer.member(name + ".png"), png)
                rows.append("{0}.jpg,{0}.png\n".format(name))
                written += 1
        archive.writestr(test_archive_writer.member("data/nyu2_train.csv"), "".join(rows))
        rows = []
        for index, (rgb, depth) in enumerate(held_out):
            names = ["data/nyu2_test/{:05d}_{}.png".format(index, word) for word in ("colors", "depth")]
            archive.writestr(test_archive_writer.member(names[0]), _png(rgb))
            archive.writestr(test_archive_writer.member(names[1]), _png(millimetres(depth)))
            rows.append(",".join(names) + "\n")
        archive.writestr(test_archive_writer.member("data/nyu2_test.csv"), "".join(rows))


def _write_test(final, drawn, count, size):
    """Write the evaluation arrays as they are drawn; returns the first few pairs."""
    kept: List[Any] = []

    def pairs():
        for _, pictures in drawn:
            if len(kept) < PAIRS_16_BIT:
                kept.append(pictures[0])
            yield pictures[0]

    test_archive_writer.write(final, pairs(), count, size, crop_of(size))
    return kept


def crop_of(size: Tuple[int, int]) -> Tuple[int, int, int, int]:
    """`CROP` for images of `size` (height, width); itself for 480x640."""
    height, width = size
    top, bottom, left, right = CROP
    return (
        top * height // SIZE[0],
        (bottom + 1) * height // SIZE[0] - 1,
        left * width // SIZE[1],
        (right + 1) * width // SIZE[1] - 1,
    )
