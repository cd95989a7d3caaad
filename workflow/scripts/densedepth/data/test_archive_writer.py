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

    All have `size` (height, width). crop: (top, bottom, left, right), inclusive. pictures: content of `pictures.json`.
    """
    size = (size[0], size[1])
    with files.atomic_path(final) as path, zipfile.ZipFile(path, "w") as archive:
        # A zip takes one member at a time, so the depths wait in a file of their own.
        with tempfile.TemporaryFile(dir=os.path.dirname(os.path.abspath(final))) as depths:
            with _member_stream(archive, RGB, (count,) + size + (3,), "|u1") as stream:
                for _ in range(count):
                    rgb, depth = next(pairs)
                    if rgb.shape != size + (3,) or depth.shape != size:
                        raise ValueError("a pair of {} and {} in an archive of {}".format(rgb.shape, depth.shape, size))
                    stream.write(rgb.tobytes())
                    depths.write(depth.astype("<f4").tobytes())
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
