"""Ground truth and prediction of an image in blocks that stay in a processor's cache, for all that sums single pixels.

A pass over a whole image writes megabytes of memory that the system first has to clear, which takes longer than the
arithmetic. NumPy only, float64.
"""

import math
from typing import Iterator, NamedTuple, Optional

import numpy as np

# Of a block, about: a few arrays of it stay in a processor's own cache, and calls of NumPy cost little beside them.
PIXELS = 38400

# Above 10,000 numbers OpenBLAS shares a product of two vectors out among threads, which wait for one another.
_OF_ONE_THREAD = 8192


class Block(NamedTuple):
    """float64 (n,) of the pixels that count, overwritten by the next block: `truth` and `prediction` in metres, the
    distance `off` between both, the larger of both by the smaller (`ratio`), and `off` by `truth` (`share`). `spare` is
    there to be written to."""

    truth: np.ndarray
    prediction: np.ndarray
    off: np.ndarray
    ratio: np.ndarray
    share: np.ndarray
    spare: np.ndarray


class Sums:
    """What is summed over blocks."""

    def add(self, block: Block) -> None:
        """Add the pixels of a block."""
        raise NotImplementedError


def of_image(truth: np.ndarray, prediction: np.ndarray, mask: Optional[np.ndarray] = None) -> Iterator[Block]:
    """The blocks of one image: metres, of one shape, > 0 and finite where `mask` is true (default: everywhere).

    Raises ValueError on other shapes, on a depth that is not positive and finite, and when no pixel counts.
    """
    truth, prediction = np.asarray(truth), np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError("ground truth {} and prediction {} differ in shape".format(truth.shape, prediction.shape))
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != truth.shape or mask.dtype != bool:
            raise ValueError("the mask is no bool array of shape {}".format(truth.shape))
    counted = False
    # A block is of whole rows, since a crop is not contiguous.
    rows = max(1, PIXELS * len(truth) // max(1, truth.size)) if truth.ndim > 1 else PIXELS
    arrays = np.empty((len(Block._fields), truth[:rows].size))
    for first in range(0, len(truth), rows):
        part = slice(first, first + rows)
        pair = truth[part], prediction[part]
        if mask is not None and not mask[part].all():
            pair = pair[0][mask[part]], pair[1][mask[part]]
        if pair[0].size:
            counted = True
            yield _block(*pair, *arrays[:, : pair[0].size])
    if not counted:
        raise ValueError("no pixel to measure")


def dot(x: np.ndarray, y: np.ndarray) -> float:
    """The sum of the products of `x` and `y` (n,), by the calling thread alone."""
    parts = (slice(first, first + _OF_ONE_THREAD) for first in range(0, len(x), _OF_ONE_THREAD))
    return float(sum(np.dot(x[part], y[part]) for part in parts))


def _block(truth, prediction, g, p, off, ratio, share, spare):
    np.copyto(g.reshape(truth.shape), truth)
    np.copyto(p.reshape(prediction.shape), prediction)
    nearer, farther = np.minimum(g, p, out=spare), np.maximum(g, p, out=ratio)
    # Written so that NaN fails too.
    if not (nearer.min() > 0 and farther.max() < math.inf):
        wrong = "prediction" if g.min() > 0 and g.max() < math.inf else "truth"
        raise ValueError("{} has pixels that are not positive, finite depths; mask them".format(wrong))
    np.subtract(farther, nearer, out=off)
    np.divide(farther, nearer, out=ratio)
    np.divide(off, g, out=share)
    return Block(g, p, off, ratio, share, spare)
