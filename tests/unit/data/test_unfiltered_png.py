"""Depth as PNG without row filters: any reader gets the pixels, and no other file is taken for one."""

import io
import tracemalloc
import zlib

import numpy as np
import pytest
from densedepth.data import unfiltered_png
from faulty_pngs import header, of_rows
from PIL import Image

SIZE = (20, 33)
SMOOTH = np.add.outer(np.arange(SIZE[0]), np.arange(SIZE[1]))
NOISE = np.random.RandomState(0).randint(0, 65536, SIZE)


def saved(values, **options):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG", **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "values",
    [
        *(SMOOTH.astype(np.uint8), (7 * SMOOTH).astype(np.uint16), NOISE.astype(np.uint8), NOISE.astype(np.uint16)),
        # What Pillow gives of 16 bits by its version, and parts of other arrays.
        *(NOISE.astype(np.int32), NOISE.astype(np.uint16)[:, ::-2], SMOOTH.astype(np.uint8)[1:, 1:]),
    ],
    ids=["smooth8", "smooth16", "noise8", "noise16", "int32", "mirrored", "part"],
)
def test_the_pixels_come_back_here_and_in_other_readers(values):
    png = unfiltered_png.encoded(values)
    found = unfiltered_png.decoded(png, values.shape)
    assert found.shape == values.shape and found.itemsize == min(values.itemsize, 2)
    np.testing.assert_array_equal(found, values)
    with Image.open(io.BytesIO(png)) as picture:
        picture.verify()
    with Image.open(io.BytesIO(png)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), values)
    assert unfiltered_png.recoded(png) == png


@pytest.mark.parametrize("values", [SMOOTH.astype(np.uint8), NOISE.astype(np.uint16)], ids=["8", "16"])
def test_the_pixels_of_another_png_are_kept(values):
    png = saved(values, compress_level=1)
    np.testing.assert_array_equal(unfiltered_png.decoded(unfiltered_png.recoded(png), SIZE), values)


def test_noise_is_stored_rather_than_deflated():
    """Inflating it would take the time that the missing filters spare."""
    assert len(unfiltered_png.encoded(SMOOTH.astype(np.uint8))) < SMOOTH.size / 2
    assert 0 <= len(unfiltered_png.encoded(NOISE.astype(np.uint16))) - 2 * NOISE.size < 120


def changed(png, place, *values):
    return png[:place] + bytes(values) + png[place + len(values) :]


def with_filter(png):
    """The file with a filter on its last row, as another program may write it."""
    data = bytearray(zlib.decompress(png[41:-16]))
    data[-1 - SIZE[1]] = 1
    data = zlib.compress(bytes(data))
    return png[:33] + len(data).to_bytes(4, "big") + b"IDAT" + data + png[-16:]


GOOD = unfiltered_png.encoded(SMOOTH.astype(np.uint8))
OTHERS = {
    "empty": b"",
    "no PNG": b"\xff\xd8" + bytes(400),
    "filtered": saved(SMOOTH.astype(np.uint8)),
    "colours": saved(np.zeros(SIZE + (3,), np.uint8)),
    "two levels": saved(SMOOTH % 2 > 0),
    "one row filtered": with_filter(GOOD),
    "another size": unfiltered_png.encoded(SMOOTH[1:].astype(np.uint8)),
    "a chunk before the pixels": GOOD[:33] + b"\0\0\0\0tEXt\0\0\0\0" + GOOD[33:],
    "cut off": GOOD[:-20],
    "longer": GOOD + b"\0",
    "interlaced": changed(GOOD, 28, 1),
    "16 bits of 8": changed(GOOD, 24, 16),
    "too few rows": changed(GOOD, 43, 3, 0),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_no_other_file_is_taken_for_one(kind):
    assert unfiltered_png.decoded(GOOD, SIZE) is not None
    assert unfiltered_png.decoded(OTHERS[kind], SIZE) is None


def test_no_more_is_inflated_than_the_rows_need():
    """A record of some kB may inflate to any size."""
    png = of_rows(10**5, bytes(SIZE[1]), header(*SIZE))
    assert len(png) < 10**4
    assert unfiltered_png.decoded(of_rows(SIZE[0], bytes(SIZE[1]), header(*SIZE)), SIZE) is not None
    tracemalloc.start()
    try:
        assert unfiltered_png.decoded(png, SIZE) is None
        assert tracemalloc.get_traced_memory()[1] < 10**5
    finally:
        tracemalloc.stop()
