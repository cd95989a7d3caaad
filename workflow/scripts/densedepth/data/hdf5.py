"""HDF5 files of unknown origin, which may refer to other files and claim more data than they hold."""

import contextlib
import io
import os
from typing import Dict, Iterator, Optional

import h5py
import numpy as np

from .. import file_kinds
from ..errors import PipelineError
from ..imaging.untrusted import LARGEST

# What h5py raises on damaged files, at their opening as at any look into them.
DAMAGE = (OSError, KeyError, RuntimeError, TypeError, ValueError)

# Names in a file: a network of 700 layers with its optimizer's state has some 10,000, NYU's labelled data fewer.
MOST_NAMES = 100000
# Bytes of all arrays that are read of one file: the largest network has 0.3 GB in float32.
LARGEST_SUM = 1 << 30


def words(error: Exception) -> str:
    """An error of h5py in one line."""
    return str(error).strip("'\"").split("\n")[0]


def unreadable(path: str, error: Exception) -> PipelineError:
    """What to raise for an error in `DAMAGE` that came with the file `path` of weights."""
    return PipelineError(
        "{}: not a readable HDF5 file, or a truncated one ({} bytes: {}); fetch it again".format(
            path, os.path.getsize(path), words(error)
        )
    )


@contextlib.contextmanager
def open_file(path: str) -> Iterator[h5py.File]:
    """The file `path` as an `h5py.File` for reading.

    Raises what is in `DAMAGE`, and PipelineError for a file that is known to be something else, a link to another
    file, values that lie in one, a piece of values that would fill the memory when it is unpacked, and more names than
    any file of ours has.
    """
    with opened(path) as root:
        yield root


def opened(path: str, data: Optional[bytes] = None) -> h5py.File:
    """As `open_file`, to be closed by the caller. data: the bytes of the file, where `path` lies in an archive."""
    if data is None and not h5py.is_hdf5(path):
        file_kinds.refuse(path, "an HDF5 file")
    root = h5py.File(path if data is None else io.BytesIO(data), "r")
    try:
        _check(path, root)
    except BaseException:
        root.close()
        raise
    return root


def _check(path, root):
    """Look at every object of the file once; names may lead in circles."""
    seen, waiting, names = set(), [root], 0
    while waiting:
        group = waiting.pop()
        names += len(group)
        if names > MOST_NAMES:
            raise PipelineError(
                "{}: holds more than {} names: this is no file of weights or data".format(path, MOST_NAMES)
            )
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise PipelineError(
                    "{}: {}/{} is a link to another file, which is not supported".format(path, group.name, name)
                )
            below = group.get(name)
            if isinstance(below, h5py.Dataset):
                _check_dataset(path, below)
            elif isinstance(below, h5py.Group):
                info = h5py.h5o.get_info(below.id)
                if (info.fileno, info.addr) not in seen:
                    seen.add((info.fileno, info.addr))
                    waiting.append(below)


def _check_dataset(path, dataset):
    if dataset.external or dataset.is_virtual:
        raise PipelineError("{}: {} has its values in another file, which is not supported".format(path, dataset.name))
    _check_size(path, dataset, dataset.chunks or ())


def arrays(path: str, objects: Dict[str, h5py.Dataset]) -> Dict[str, np.ndarray]:
    """The float32 arrays of the objects {key: dataset} of the open file, under the same keys.

    Raises PipelineError for what is no array of real numbers, one that is larger than any of a network, and where all
    together are larger than any network. That is found before anything is read.
    """
    total = 0
    for dataset in objects.values():
        if not isinstance(dataset, h5py.Dataset):
            raise PipelineError("{}: {} is a group, expected an array".format(path, dataset.name))
        if dataset.dtype.kind not in "fiu" or dataset.shape is None:
            raise PipelineError("{}: {} holds {}, expected real numbers".format(path, dataset.name, _content(dataset)))
        total += _check_size(path, dataset, dataset.shape)
    if total > LARGEST_SUM:
        raise PipelineError("{}: its arrays have {} bytes together, more than {}".format(path, total, LARGEST_SUM))
    return {key: np.asarray(dataset[()], np.float32) for key, dataset in objects.items()}


def _content(dataset):
    return "nothing" if dataset.shape is None else "values of type {}".format(str(dataset.dtype)[:60])


def _check_size(path, dataset, shape):
    """The bytes of values of this shape."""
    size = dataset.dtype.itemsize
    for length in shape:
        size *= int(length)
    if size > LARGEST:
        raise PipelineError("{}: {} has {} bytes in one piece, more than {}".format(path, dataset.name, size, LARGEST))
    return size
