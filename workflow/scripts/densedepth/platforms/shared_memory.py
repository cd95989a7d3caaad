"""Means over the ranks of one machine, through memory that they share.

An exchange over gRPC copies each byte about six times on each side, half of them in the system; here a rank writes its
tensors once, sums its share of all ranks', and reads the means once.
"""

import ctypes
import mmap
import os
from typing import List, Optional, Sequence

import numpy as np

from ..errors import PipelineError

# Bytes at whose multiples TensorFlow takes an array as it is, without a copy.
_ALIGNMENT = 64
_FLOATS = _ALIGNMENT // 4
_CLOSE_ON_EXEC = 1


def create() -> Optional[int]:
    """Descriptor of memory for `areas` that the ranks are to inherit; None where the system has none to share.

    It is gone when the last process with it has ended, however that ends.
    """
    # Python has it from 3.8 on, the C library from 2.27 on. Containers often have no more than 64 MB in /dev/shm.
    make = getattr(ctypes.CDLL(None), "memfd_create", None)
    descriptor = make(b"densedepth", _CLOSE_ON_EXEC) if make else -1
    return descriptor if descriptor >= 0 else None


class Area:
    """Room for the tensors of one piece: for those of each rank, and for the means.

    A step calls `put` on all ranks, then `average` on all, then `take` on all; the next step's `put` may come while
    another rank still takes.
    """

    def __init__(self, rows: np.ndarray, rank: int, shapes: Sequence[Sequence[int]]) -> None:
        self._own, self._rows, self._means = rows[rank], rows[:-1], rows[-1]
        self._share = slice(*(rows.shape[1] // len(self._rows) * end for end in (rank, rank + 1)))
        self._shapes = shapes
        self._firsts = _firsts(shapes)

    def put(self, *tensors: np.ndarray) -> np.ndarray:
        """Write this rank's float32 tensors; returns a zero, as `average` does."""
        for first, tensor in zip(self._firsts, tensors):
            self._own[first : first + tensor.size] = tensor.reshape(-1)
        return np.zeros(1, np.float32)

    def average(self, _: np.ndarray) -> np.ndarray:
        """Write this rank's share of the means, always summed from rank 0 on."""
        means = self._means[self._share]
        rows = [row[self._share] for row in self._rows]
        # What is not finite stops the training elsewhere.
        with np.errstate(all="ignore"):
            np.add(rows[0], rows[1], out=means)
            for row in rows[2:]:
                means += row
            means /= len(rows)
        return np.zeros(1, np.float32)

    def take(self, _: np.ndarray) -> List[np.ndarray]:
        """The means, in memory that nobody shares."""
        count = len(self._means)
        room = np.empty(count + _FLOATS, np.float32)
        first = -room.ctypes.data % _ALIGNMENT // 4
        room = room[first : first + count]
        room[:] = self._means
        return [room[first : first + _count(shape)].reshape(shape) for first, shape in zip(self._firsts, self._shapes)]


def areas(descriptor: int, rank: int, size: int, pieces: Sequence[Sequence[Sequence[int]]]) -> List[Area]:
    """An area for each of `pieces`, which are lists of shapes, for `rank` of `size`; alike on all ranks.

    A second call lays its areas over those of the first: no step may use both. Raises PipelineError without memory.
    """
    # Each rank averages an equal share, which begins where a cache line does.
    lengths = [_padded(_firsts(shapes)[-1], _FLOATS * size) for shapes in pieces]
    whole = 4 * (size + 1) * sum(lengths)
    try:
        # Unlike a longer file, memory that is taken now is there when it is written.
        os.posix_fallocate(descriptor, 0, whole)
        memory = np.frombuffer(mmap.mmap(descriptor, whole), np.float32)
    except OSError as error:
        words = (
            "{:.0f} MB that the {} ranks share for their gradients: {}; give them more memory (and files of any size: "
            "ulimit -f unlimited), or train on fewer devices (runs.<run>.devices)"
        )
        raise PipelineError(words.format(whole / 1e6, size, error.strerror)) from None
    found, first = [], 0
    for shapes, length in zip(pieces, lengths):
        last = first + (size + 1) * length
        found.append(Area(memory[first:last].reshape(size + 1, length), rank, shapes))
        first = last
    return found


def _firsts(shapes):
    """Where each tensor begins in a row, and where the row may end."""
    firsts = [0]
    for shape in shapes:
        firsts.append(firsts[-1] + _padded(_count(shape), _FLOATS))
    return firsts


def _padded(count, step):
    return -(-count // step) * step


def _count(shape):
    return int(np.prod(shape, dtype=np.int64))
