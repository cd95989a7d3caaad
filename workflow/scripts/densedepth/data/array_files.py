"""Single-channel arrays in the kinds of files in which depth is kept, by the suffix of their names.

.npy .npz, .h5 .hdf5 .mat (`variable` names the array), .png .tif .tiff, .pgm (of 16 bits: read here, since Pillow
stretches values whose maximum is not 65535), .pfm (bottom row first; the sign of its scale is the byte order), .dpt
(Sintel), .exr (where the package OpenEXR is; `variable` names the channel), and raw little-endian float32 of a given
size.

What is wrong with a file is a ValueError in plain words, or what Pillow, NumPy and h5py raise (`READING`).
"""

import io
import os
import re
import struct
import sys
import tokenize
import zipfile
import zlib
from typing import Any, Dict, Optional, Sequence

import numpy as np
from PIL import Image

from ..errors import PipelineError
from ..imaging.untrusted import LARGEST, picture
from .trees import Tree

READING = (
    *(OSError, SyntaxError, ValueError, EOFError, OverflowError, KeyError, RuntimeError, TypeError, struct.error),
    *(zlib.error, zipfile.BadZipFile, tokenize.TokenError, Image.DecompressionBombError),
)
HDF5 = (".h5", ".hdf5", ".mat")


class Expected(ValueError):
    """What a file should have been, in words that need no others."""


def suffix(name: str) -> str:
    """The suffix of a file by its locator `name::variable::index`, in lower case."""
    return os.path.splitext(name.split("::")[0])[1].lower()


def load(tree: Tree, name: str, variable: str = "", raw: Optional[Sequence[int]] = None) -> np.ndarray:
    """The array in the file `name` of `tree`, as it is stored; (height, width) or with axes of length 1 taken off.

    name: may end in `::variable` or `::variable::index`. raw: (height, width) of raw float32 in a file of any suffix.
    """
    path, _, inner = name.partition("::")
    kind = suffix(name)
    if raw:
        return _raw(tree.read(path), raw)
    if kind in HDF5:
        return _named(tree, path, inner or variable)
    if kind == ".exr":
        return _exr(tree.read(path), inner or variable)
    if kind == ".npz":
        return _npz(tree.read(path), inner or variable)
    if kind in RAW:
        raise Expected("raw depth has no header: give its height and width with data.custom.raw_size")
    if kind not in _READERS:
        raise Expected("expected a file that ends in {}, got {}".format(" ".join(SUFFIXES), kind or "no suffix"))
    return _READERS[kind](tree.read(path))


def flat(values: np.ndarray) -> np.ndarray:
    """`values` as (height, width) of numbers: an axis of length 1 before or after is taken off."""
    shape = values.shape
    if values.ndim == 3 and shape[2] == 1:
        values = values[..., 0]
    elif values.ndim == 3 and shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or values.dtype.kind not in "uif" or not values.size:
        raise Expected("expected numbers (height, width), got {} {}".format(values.dtype, shape))
    return values


def npy(data: bytes) -> np.ndarray:
    """The array in the bytes of a .npy file, whose header may claim no more than there is."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError("format {}.{}".format(*version))
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = header(stream)
    if dtype.hasobject:
        raise ValueError("an array of objects, which is never loaded")
    count = 1
    for length in shape:
        count *= int(length)
    left = len(data) - stream.tell()
    if count * dtype.itemsize > left:
        raise ValueError(
            "cut off: {} {} needs {} bytes, {} are there".format(dtype, shape, count * dtype.itemsize, left)
        )
    values = np.frombuffer(data, dtype, count, stream.tell())
    return values.reshape(shape, order="F" if fortran else "C").copy()


def _npz(data, variable):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [info.filename[: -len(".npy")] for info in archive.infolist() if info.filename.endswith(".npy")]
        chosen = _one_of(names, variable)
        if archive.getinfo(chosen + ".npy").file_size > LARGEST:
            raise ValueError("{} has more than {} bytes".format(chosen, LARGEST))
        return npy(archive.read(chosen + ".npy"))


def _one_of(names, variable):
    """`variable`, or the only one of `names` where none is given."""
    if variable in names or (not variable and len(names) == 1):
        return variable or names[0]
    if variable:
        raise Expected("has no array {}; it has {}".format(variable, ", ".join(sorted(names)[:8]) or "none"))
    words = "has {} arrays ({}); name one with data.custom.variable"
    raise Expected(words.format(len(names), ", ".join(sorted(names)[:8]) or "none"))


def _named(tree, path, inner):
    """An array of an HDF5 file, or of a .mat file of any version."""
    variable, _, index = inner.partition("::")
    local = tree.local(path)
    mat = path.lower().endswith(".mat")
    # The arrays of a file are asked for one by one.
    data = None if local or path in tree.kept else tree.read(path)
    if mat and path not in tree.kept and not _is_hdf5(local, data):
        from . import matfile

        return matfile.read_array(local or path, variable, data)
    root = _opened(tree, path, local, data)
    if not variable:
        found = [name for name in root if getattr(root[name], "ndim", 0) >= 2 and root[name].dtype.kind in "uif"]
        variable = _one_of(found, "")
    stored = root.get(variable)
    if not hasattr(stored, "dtype"):
        raise Expected("has no array {}; it has {}".format(variable, ", ".join(sorted(root)[:8]) or "none"))
    if index and not int(index) < stored.shape[0]:
        raise Expected("{} has {} entries, none with the number {}".format(variable, stored.shape[0], int(index) + 1))
    size = int(np.prod(stored.shape[1:] if index else stored.shape, dtype=np.float64)) * stored.dtype.itemsize
    if size > LARGEST:
        raise ValueError("{} has {} bytes, more than {}".format(variable, size, LARGEST))
    values = stored[int(index)] if index else stored[()]
    # MATLAB's first axis is the last one of HDF5.
    return values.transpose() if mat else values


def _is_hdf5(local, data):
    if data is None:
        with open(local, "rb") as stream:
            data = stream.read(1032)
    return data[:8] == b"\x89HDF\r\n\x1a\n" or data[512:520] == b"\x89HDF\r\n\x1a\n"


def _opened(tree, path, local, data):
    """The open HDF5 file; that on the disk is kept open, since each of its arrays is asked for by itself."""
    try:
        # Here, since Snakemake's own interpreter has no h5py.
        from . import hdf5
    except ImportError:
        raise PipelineError(
            "{}: reading HDF5 needs h5py, which {} lacks; set data.custom.variable, or use the interpreter of the "
            "runtime (.venv/tf2/bin/python)".format(path, sys.executable)
        ) from None

    if path not in tree.kept:
        tree.close_kept()
        tree.kept[path] = hdf5.opened(local or path, data)
    return tree.kept[path]


_PNG_MODES = ("L", "I", "I;16", "I;16B")


def _png(data):
    image = picture(data)
    if image.format != "PNG":
        lossy = "; its compression changes depth: store the original measurement" if image.format == "JPEG" else ""
        raise Expected("expected PNG, got {}{}".format(image.format, lossy))
    if image.mode in ("RGB", "RGBA"):
        return np.asarray(image)
    if image.mode not in _PNG_MODES:
        raise Expected("expected depth of one channel, 8 or 16 bit, got an image of mode {}".format(image.mode))
    return np.asarray(image)


def _tif(data):
    image = picture(data)
    if image.format != "TIFF" or image.mode not in _PNG_MODES + ("F",):
        raise Expected(
            "expected a TIFF of one channel of integers or float32, got {} of mode {}".format(image.format, image.mode)
        )
    return np.asarray(image)


_PGM = re.compile(rb"P5\s(?:\s*#[^\n]*\n)*\s*(\d+)\s(?:\s*#[^\n]*\n)*\s*(\d+)\s(?:\s*#[^\n]*\n)*\s*(\d+)\s")


def _pgm(data):
    head = _PGM.match(data[:4096])
    if not head:
        raise Expected("expected a binary PGM (P5), got a file that begins with {!r}".format(data[:2]))
    width, height, most = map(int, head.groups())
    if not 0 < most < 65536:
        raise Expected("its greatest value is {}, expected 1 to 65535".format(most))
    return _pixels(data, head.end(), (height, width), "u1" if most < 256 else ">u2")


_PFM = re.compile(rb"(P[fF])\s+(\d+)\s+(\d+)\s+(-?[0-9.eE+-]+)\s")


def _pfm(data):
    head = _PFM.match(data[:256])
    if not head or head.group(1) == b"PF":
        raise Expected("expected a PFM of one channel (Pf), got a file that begins with {!r}".format(data[:2]))
    width, height = int(head.group(2)), int(head.group(3))
    order = "<f4" if float(head.group(4)) < 0 else ">f4"
    return _pixels(data, head.end(), (height, width), order)[::-1]


def _dpt(data):
    tag, width, height = struct.unpack_from("<fii", data)
    if tag != np.float32(202021.25):
        raise Expected("expected a depth file of Sintel, whose first number is 202021.25, got {}".format(tag))
    return _pixels(data, 12, (height, width), "<f4")


def _raw(data, size):
    return _pixels(data, 0, size, "<f4")


def _pixels(data, start, size, dtype):
    """The array (height, width) that fills `data` from `start` to the end."""
    height, width = size
    expected = height * width * np.dtype(dtype).itemsize
    if len(data) - start != expected:
        words = "has {} bytes of values, where {}x{} need {}; the file is cut off, or of another size"
        raise Expected(words.format(len(data) - start, width, height, expected))
    return np.frombuffer(data, dtype, height * width, start).reshape(height, width)


def _exr(data, variable):
    try:
        import OpenEXR
    except ImportError:
        raise PipelineError(
            "reading .exr needs OpenEXR, which {} lacks: `make formats` installs it for the current TensorFlow; set "
            "`runtime: tf2`, and data.custom.variable to the channel of the depth, such as Z. Or convert the files to "
            ".npy or .tif".format(sys.executable)
        ) from None
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".exr") as stream:
        stream.write(data)
        stream.flush()
        with OpenEXR.File(stream.name, separate_channels=True) as file:
            channels: Dict[str, Any] = {name: np.array(one.pixels) for name, one in file.channels().items()}
    for name in (variable,) if variable else ("Z", "Y", "depth", "R", "V"):
        if name in channels:
            return channels[name]
    if len(channels) == 1 and not variable:
        values = next(iter(channels.values()))
        return values[..., 0] if values.ndim == 3 else values
    words = "has the channels {}, none of which is called {}"
    raise Expected(words.format(", ".join(sorted(channels)), variable or "Z, Y, depth or R"))


_READERS = {
    ".npy": npy,
    ".png": _png,
    **dict.fromkeys((".tif", ".tiff"), _tif),
    ".pgm": _pgm,
    ".pfm": _pfm,
    ".dpt": _dpt,
}
# Of raw float32, whose size a setting gives.
RAW = (".raw", ".bin", ".dat")
SUFFIXES = tuple(_READERS) + (".exr", ".npz") + HDF5 + RAW
