"""HDF5 files of unknown origin, which may refer to other files and claim more data than they hold."""

import collections
import contextlib
import functools
import io
import os
import resource
import subprocess
import sys
from typing import Dict, Iterator, Optional

import h5py
import numpy as np

from .. import file_kinds, files
from ..errors import PipelineError
from ..imaging.untrusted import LARGEST

# What h5py raises on damaged files, at their opening as at any look into them.
DAMAGE = (OSError, KeyError, RuntimeError, TypeError, ValueError)

# Names in a file: a network of 700 layers with its optimizer's state has some 10,000, NYU's labelled data fewer.
MOST_NAMES = 100000
# Bytes of all arrays that are read of one file: the largest network has 0.3 GB in float32.
LARGEST_SUM = 1 << 30

# Seconds of processor time for a look at all names and attributes of a file, which takes a few at most.
SECONDS = 60
_LOOK = "import sys; sys.path.insert(0, sys.argv[1]); from densedepth.data import hdf5; hdf5.look(*sys.argv[2:])"


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

    Raises what is in `DAMAGE`, and PipelineError for a file that is known to be something else, one that libhdf5 does
    not come to an end with, a link to another file, values that lie in one, a piece of values that would fill the
    memory when it is unpacked, and more names than any file of ours has.
    """
    _look_apart(path, files.state([path]), SECONDS)
    with opened(path) as root:
        yield root


def opened(path: str, data: Optional[bytes] = None) -> h5py.File:
    """As `open_file` without that process, for files by the thousand; to be closed by the caller.

    data: the bytes of the file, where `path` lies in an archive.
    """
    try:
        root = h5py.File(path if data is None else io.BytesIO(data), "r")
    except OSError:
        if data is None and not h5py.is_hdf5(path):
            file_kinds.refuse(path, "an HDF5 file")
        raise
    try:
        collections.deque(_checked(path, root), maxlen=0)
    except BaseException:
        root.close()
        raise
    return root


@functools.lru_cache(maxsize=None)
def _look_apart(path, state, seconds):
    """Let another process `look` first, since attributes are read; what is wrong but ends is found again here.

    state: that of the file, so that it is asked about once. Inside libhdf5 the reading of a damaged file may never
    end, or end the process, and no exception tells.
    """
    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [sys.executable, "-c", _LOOK, folder, os.path.abspath(path), str(seconds)]
    status = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    if status < 0:
        words = "{}: a damaged HDF5 file: reading its names ended by signal {} (after {} s of processor time at most); "
        raise PipelineError((words + "fetch it again").format(path, -status, seconds))


def look(path: str, seconds: str) -> None:
    """Read all names and attributes of the file; the system ends this process after so much processor time."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    with h5py.File(path, "r") as root:
        for found in _checked(path, root):
            for name in found.attrs:
                with contextlib.suppress(*DAMAGE):
                    found.attrs.get(name)


def _checked(path, root):
    """Every object of the file, once and checked; names may lead in circles."""
    seen, waiting, names = set(), [root], 0
    while waiting:
        group = waiting.pop()
        yield group
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
                yield below
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
