"""HDF5 files of unknown origin, which may refer to other files and claim more data than they hold."""

import contextlib

import h5py

from ..errors import PipelineError
from ..imaging.untrusted import LARGEST

# What h5py raises on damaged files, at their opening as at any look into them.
DAMAGE = (OSError, KeyError, RuntimeError, TypeError, ValueError)


def words(error):
    """An error of h5py in one line."""
    return str(error).strip("'\"").split("\n")[0]


@contextlib.contextmanager
def open_file(path):
    """The file `path` as an `h5py.File` for reading.

    Raises what is in `DAMAGE`, and PipelineError for a link to another file, values that lie in one, and a piece of
    values that would fill the memory when it is unpacked.
    """
    with h5py.File(path, "r") as root:
        _check(path, root)
        yield root


def _check(path, group):
    for name in group:
        if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
            raise PipelineError(
                "{}: {}/{} is a link to another file, which is not supported".format(path, group.name, name)
            )
        below = group.get(name)
        if isinstance(below, h5py.Group):
            _check(path, below)
        elif isinstance(below, h5py.Dataset):
            _check_dataset(path, below)


def _check_dataset(path, dataset):
    if dataset.external or dataset.is_virtual:
        raise PipelineError("{}: {} has its values in another file, which is not supported".format(path, dataset.name))
    _check_size(path, dataset, dataset.chunks or ())


def values(path, dataset):
    """All of `dataset` as an array. Raises PipelineError when it is larger than any array of a network."""
    _check_size(path, dataset, dataset.shape)
    return dataset[()]


def _check_size(path, dataset, shape):
    size = dataset.dtype.itemsize
    for length in shape:
        size *= int(length)
    if size > LARGEST:
        raise PipelineError("{}: {} has {} bytes in one piece, more than {}".format(path, dataset.name, size, LARGEST))
