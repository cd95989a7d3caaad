"""Reader of MATLAB 5 files: arrays of numbers, and of texts (`splits.mat`, `allsplit.mat`), without SciPy.

The file is a 128-byte header and elements: a tag (type, number of bytes; both in 8 bytes, or in 4 with up to 4 bytes
of data beside them), the data, padding to 8 bytes. An element of type 14 is an array: flags with its class, dimensions,
name, values; one of type 15 is another element, deflated. From the MAT-File Format document of MathWorks.
"""

import struct
import zlib
from typing import List, Optional

import numpy as np

from .. import file_kinds
from ..errors import PipelineError
from ..imaging.untrusted import LARGEST

_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_HEADER_BYTES = 128
# Classes of arrays: cells, and numbers from double to uint64. Types of characters.
_CELLS, _NUMERIC = 1, range(6, 16)
_CHARACTERS = {1: "ascii", 2: "latin-1", 4: "utf-16-be", 16: "utf-8", 17: "utf-16"}


def read_numbers(path: str, name: str) -> List[int]:
    """The values of the numeric array `name`, in MATLAB's order, as a list of whole numbers.

    Raises PipelineError for a file that is no MATLAB 5 file, without that array, or with values that are not whole.
    """
    return _read(path, name, _whole_numbers)


def read_array(path: str, name: str, data: Optional[bytes] = None) -> np.ndarray:
    """The numeric array `name`, or the only one where `name` is empty, with MATLAB's axes: (rows, columns, ...).

    data: the bytes of the file, where `path` lies in an archive. Raises PipelineError as `read_numbers`.
    """
    return _read(path, name, _array, data)


def read_texts(path: str, name: str, data: Optional[bytes] = None) -> List[str]:
    """The texts of the cell array `name`, in MATLAB's order. Raises PipelineError as `read_numbers`."""
    return _read(path, name, _texts, data)


def _read(path, name, convert, data=None):
    """What `convert` makes of the array `name`: a function of byte order and the array's elements after its name."""
    try:
        if data is None:
            with open(path, "rb") as stream:
                data = stream.read()
    except OSError as error:
        raise PipelineError("{}: {}".format(path, error.strerror)) from None
    if data[:19] == b"MATLAB 7.3 MAT-file":
        raise PipelineError("{}: expected a MATLAB 5 file, got MATLAB 7.3".format(path))
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        kind = file_kinds.of(data[:1024])
        what = "is {}, not a MATLAB 5 file".format(kind) if kind else "not a MATLAB 5 file"
        raise PipelineError("{}: {} ({} bytes); get it again".format(path, what, len(data)))
    names = []
    try:
        for kind, content in _elements(data[_HEADER_BYTES:], order):
            if kind == _COMPRESSED:
                kind, content = next(_elements(_inflated(content), order))
            if kind != _MATRIX:
                continue
            parts = list(_elements(content, order))
            names.append(parts[2][1].decode("ascii"))
            if names[-1] == name or not name:
                return convert(order, parts)
    except _Unfit as error:
        raise PipelineError("{}: {} {}".format(path, names[-1], error)) from None
    except (struct.error, zlib.error, IndexError, KeyError, StopIteration, ValueError) as error:
        raise PipelineError(
            "{}: damaged, or of another kind ({}); get it again".format(path, str(error) or "cut off")
        ) from None
    raise PipelineError("{}: has no variable {}; it has {}".format(path, name, ", ".join(names) or "none"))


class _Unfit(Exception):
    """An array that is there, and is not what is asked for."""


def _values(order, part):
    kind, values = part
    return np.frombuffer(values, order + _TYPES[kind])


def _whole_numbers(order, parts):
    numbers = _values(order, parts[3]).astype(np.float64)
    if not np.array_equal(numbers, np.round(numbers)) or not len(numbers):
        raise _Unfit("does not hold whole numbers")
    return [int(number) for number in numbers]


def _array(order, parts):
    if struct.unpack_from(order + "I", parts[0][1])[0] & 0xFF not in _NUMERIC:
        raise _Unfit("does not hold an array of numbers")
    return _values(order, parts[3]).reshape(_values(order, parts[1]).tolist(), order="F")


def _texts(order, parts):
    if struct.unpack_from(order + "I", parts[0][1])[0] & 0xFF != _CELLS:
        raise _Unfit("is not a cell array of texts")
    found = []
    for _, cell in parts[3:]:
        inner = list(_elements(cell, order))
        kind, values = inner[3]
        found.append(values.decode("utf-16-le" if kind == 4 and order == "<" else _CHARACTERS[kind]))
    return found


def _inflated(content):
    data = zlib.decompressobj().decompress(content, LARGEST)
    if len(data) == LARGEST:
        raise ValueError("an array of {} bytes or more".format(LARGEST))
    return data


def _elements(data, order):
    """(type, content) of the elements in `data`, one after the other."""
    place = 0
    while place < len(data):
        kind, size = struct.unpack_from(order + "II", data, place)
        if kind >> 16:
            yield kind & 0xFFFF, data[place + 4 : place + 4 + (kind >> 16)]
            place += 8
            continue
        if place + 8 + size > len(data):
            raise ValueError("cut off at byte {}".format(place))
        yield kind, data[place + 8 : place + 8 + size]
        place += 8 + size
        # Compressed elements are not padded.
        if kind != _COMPRESSED:
            place += -size % 8
