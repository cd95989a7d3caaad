"""Writer of archives in the form of `nyu_test.zip`, which `test_archive` describes and reads."""

import contextlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple

import numpy

from .. import files

RGB = "eigen_test_rgb.npy"
DEPTH = "eigen_test_depth.npy"
CROP = "eigen_test_crop.npy"
PICTURES = "pictures.json"

# Of all members, so that equal content makes equal archives.
_DATE = (1980, 1, 1, 0, 0, 0)


def write(
    final: str,
    pairs: Iterator[Tuple[numpy.ndarray, numpy.ndarray]],
    count: int,
    size: Tuple[int, int],
    crop: Sequence[int],
    pictures: Optional[Dict[str, Any]] = None,
) -> None:
    """Write the archive `final` of the `count` (rgb, depth in metres) of `pairs`, as they come; it is whole or absent.

    All have `size` (height, width), or, where `pictures` has their `sizes`, at most that and are filled up with 0 at
    the bottom and on the right. crop: (top, bottom, left, right), inclusive. pictures: content of `pictures.json`.
    """
    sizes = pictures.get("sizes") if pictures else None
    size = (size[0], size[1])
    with files.atomic_path(final) as path, zipfile.ZipFile(path, "w") as archive:
        # A zip takes one member at a time, so the depths wait in a file of their own.
        with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(final))) as depths:
            with _member_stream(archive, RGB, (count,) + size + (3,), "|u1") as stream:
                for number in range(count):
                    rgb, depth = next(pairs)
                    expected = tuple(sizes[number]) if sizes else size
                    if rgb.shape != expected + (3,) or depth.shape != expected:
                        words = "a pair of {} and {} in place of {}"
                        raise ValueError(words.format(rgb.shape, depth.shape, expected))
                    stream.write(_filled(rgb, size).tobytes())
                    depths.write(_filled(depth.astype("<f4"), size).tobytes())
            depths.seek(0)
            with _member_stream(archive, DEPTH, (count,) + size, "<f4") as stream:
                shutil.copyfileobj(depths, stream, 1 << 20)
        with _member_stream(archive, CROP, (4,), "<i8") as stream:
            stream.write(numpy.array(crop, "<i8").tobytes())
        if pictures is not None:
            archive.writestr(member(PICTURES), json.dumps(pictures, sort_keys=True))


def member(name: str) -> zipfile.ZipInfo:
    """A stored member with a fixed date; a folder when the name ends in a slash."""
    info = zipfile.ZipInfo(name, _DATE)
    info.external_attr = (0o40755 << 16 | 0x10) if name.endswith("/") else 0o100644 << 16
    return info


def _filled(array, size):
    """`array` in the upper left corner of one of `size`, the rest 0."""
    missing = [(0, new - old) for new, old in zip(size, array.shape)] + [(0, 0)] * (array.ndim - 2)
    return numpy.pad(array, missing, "constant") if any(map(any, missing)) else array


@contextlib.contextmanager
def _member_stream(archive, name, shape, descr):
    """A stream into the member `name`, behind the header of an array."""
    header = io.BytesIO()
    numpy.lib.format.write_array_header_1_0(header, {"descr": descr, "fortran_order": False, "shape": shape})
    info = member(name)
    # Known beforehand, so that the member gets the large form only where it must.
    info.file_size = len(header.getvalue()) + int(numpy.prod(shape, dtype=numpy.int64)) * numpy.dtype(descr).itemsize
    with archive.open(info, "w") as stream:
        stream.write(header.getvalue())
        yield stream
