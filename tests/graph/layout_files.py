"""Writers of the kinds of files that `layouts` consists of: pictures, arrays, archives and MATLAB files."""

import io
import os
import struct
import tarfile
import zipfile
import zlib

import numpy as np
from PIL import Image


def encoded(array, kind="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind, **options)
    return stream.getvalue()


def jpeg(rgb):
    return encoded(rgb, "JPEG", quality=95, subsampling=0)


def eight_bits(depth):
    return encoded(np.rint(depth * 25.5).astype(np.uint8))


def sixteen_bits(depth, per_metre=1000):
    return encoded(np.rint(depth * per_metre).astype(np.uint16))


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def h5(**arrays):
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return stream.getvalue()


def in_folder(folder, files):
    """Write {name: bytes} below the folder."""
    for name, data in files.items():
        path = os.path.join(str(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(data)
    return str(folder)


def in_zip(path, files):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with zipfile.ZipFile(str(path), "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def in_tar(path, files):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    with tarfile.open(str(path), "w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


# MATLAB 5 files


def mat_element(kind, data, padded=True):
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8 if padded else 0)


def mat_array(name, array, matlab_class=6):
    """An array of doubles (class 6), or of characters (class 4, a text)."""
    text = isinstance(array, str)
    values = np.array([ord(sign) for sign in array], "<u2") if text else np.asarray(array, "<f8")
    shape = (1, len(array)) if text else values.shape
    parts = mat_element(6, struct.pack("<II", 4 if text else matlab_class, 0))
    parts += mat_element(5, np.array(shape, "<i4").tobytes()) + mat_element(1, name.encode())
    parts += mat_element(4 if text else 9, values.tobytes(order="F") if text else values.tobytes("F"))
    return mat_element(14, parts)


def mat_cells(name, texts):
    parts = mat_element(6, struct.pack("<II", 1, 0)) + mat_element(5, struct.pack("<ii", 1, len(texts)))
    parts += mat_element(1, name.encode()) + b"".join(mat_array("", text) for text in texts)
    return mat_element(14, parts)


def mat_file(arrays):
    head = b"MATLAB 5.0 MAT-file, as of a test".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    return head + b"".join(mat_element(15, zlib.compress(array), padded=False) for array in arrays)
