"""Depth maps as PNG without row filters, which decode in less time and which any reader of PNG takes.

A filter stores each byte of a row as the difference from its neighbours; taking that back goes from pixel to pixel and
is most of the time of decoding. Without filters one stream is left to inflate, which `decoded` does in one call.

File (PNG specification, third edition, 5 and 9): signature, IHDR, one IDAT, IEND. The stream in IDAT inflates to rows
of one byte 0 (no filter) and the pixels, of 16 bits the greater byte first.
"""

import io
import struct
import zlib
from typing import Optional, Tuple

import numpy as np
from PIL import Image

FORMS = GIVEN, UNFILTERED = ("given", "unfiltered")

# Signature; length, name and content of IHDR (width, height, bits, four kinds, all 0 here), its checksum; length and
# name of IDAT.
_HEAD = struct.Struct(">8sI4sIIBBBBB4xI4s")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KINDS = (0, 0, 0, 0)
# What follows the data of IDAT: its checksum, and IEND.
_TAIL = 16
# Around the deflated data within IDAT: the two bytes of zlib's head, and its Adler-32.
_ZLIB_HEAD, _ADLER = 2, 4

# Greater levels take 5 times as long for 4 to 13 % less.
_LEVEL = 6
# What deflating leaves of rows that are worth inflating; noise in the lower of 16 bits leaves more.
_WORTH = 0.7


def encoded(values: np.ndarray) -> bytes:
    """The file of `values` (height, width): uint8, or whole numbers of other types from 0 to 65535, as 16 bits."""
    stored = np.ascontiguousarray(values, np.uint8 if values.dtype == np.uint8 else ">u2")
    height, width = stored.shape
    rows = np.zeros((height, 1 + width * stored.itemsize), np.uint8)
    rows[:, 1:] = stored.view(np.uint8).reshape(height, -1)
    data = zlib.compress(rows.tobytes(), _LEVEL)
    if len(data) > _WORTH * rows.nbytes:
        data = zlib.compress(rows.tobytes(), 0)
    header = struct.pack(">IIBBBBB", width, height, 8 * stored.itemsize, *_KINDS)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name, content):
    length, checksum = (struct.pack(">I", number) for number in (len(content), zlib.crc32(name + content)))
    return length + name + content + checksum


def recoded(png: bytes) -> bytes:
    """The depth of a PNG that can be decoded, of one channel, in the form of `encoded`: the same pixels."""
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return encoded(np.asarray(picture))


def decoded(png: bytes, size: Tuple[int, int]) -> Optional[np.ndarray]:
    """The pixels (height, width) of a file of `encoded`, uint8 or big-endian uint16; None for any other file.

    size: (height, width) that it must have, so that neither header nor stream makes this ask for more memory.
    Checksums are not looked at: a record has its own.
    """
    if len(png) < _HEAD.size + _TAIL:
        return None
    signature, _, _, width, height, bits, *kinds, length, name = _HEAD.unpack_from(png)
    form = (signature, (height, width), tuple(kinds), name, length)
    if form != (_SIGNATURE, tuple(size), _KINDS, b"IDAT", len(png) - _HEAD.size - _TAIL) or bits not in (8, 16):
        return None
    stride = 1 + width * bits // 8
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        # With room for the end of the stream, and for no more of one that is longer.
        data = inflating.decompress(memoryview(png)[_HEAD.size + _ZLIB_HEAD : -_TAIL - _ADLER], height * stride + 1)
    except zlib.error:
        return None
    if not inflating.eof or len(data) != height * stride or np.frombuffer(data, np.uint8)[::stride].any():
        return None
    return np.ndarray((height, width), ">u2" if bits == 16 else np.uint8, data, 1, (stride, bits // 8))
