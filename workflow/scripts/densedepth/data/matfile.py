"""Reader of numbers in MATLAB 5 files: the part of the format that `splits.mat` needs, without SciPy.

The file is a 128-byte header and elements: a tag (type, number of bytes; both in 8 bytes, or in 4 with up to 4 bytes
of data beside them), the data, padding to 8 bytes. An element of type 14 is an array: flags with its class, dimensions,
name, values; one of type 15 is another element, deflated. From the MAT-File Format document of MathWorks.
"""

import struct
import zlib
from typing import List

import numpy as np

from ..errors import PipelineError
from ..imaging.untrusted import LARGEST

_MATRIX, _COMPRESSED = 14, 15
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_HEADER_BYTES = 128


def read_numbers(path: str, name: str) -> List[int]:
    """The values of the numeric array `name`, in MATLAB's order, as a list of whole numbers.

    Raises PipelineError for a file that is no MATLAB 5 file, without that array, or with values that are not whole.
    """
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError as error:
        raise PipelineError("{}: {}".format(path, error.strerror)) from None
    if data[:19] == b"MATLAB 7.3 MAT-file":
        raise PipelineError("{}: expected a MATLAB 5 file, got MATLAB 7.3".format(path))
    order = {b"IM": "<", b"MI": ">"}.get(data[126:128])
    if order is None:
        raise PipelineError("{}: not a MATLAB 5 file ({} bytes)".format(path, len(data)))
    names = []
    try:
        for kind, content in _elements(data[_HEADER_BYTES:], order):
            if kind == _COMPRESSED:
                kind, content = next(_elements(_inflated(content), order))
            if kind != _MATRIX:
                continue
            parts = [part for _, part in zip(range(4), _elements(content, order))]
            names.append(parts[2][1].decode("ascii"))
            if names[-1] == name:
                kind, values = parts[3]
                numbers = np.frombuffer(values, order + _TYPES[kind]).astype(np.float64)
                if not np.array_equal(numbers, np.round(numbers)) or not len(numbers):
                    raise PipelineError("{}: {} does not hold whole numbers".format(path, name))
                return [int(number) for number in numbers]
    except (struct.error, zlib.error, IndexError, KeyError, StopIteration, ValueError) as error:
        raise PipelineError("{}: damaged, or of another kind ({!r}); get it again".format(path, error)) from None
    raise PipelineError("{}: has no variable {}; it has {}".format(path, name, ", ".join(names) or "none"))


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
