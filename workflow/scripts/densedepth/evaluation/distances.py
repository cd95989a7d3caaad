"""Error by distance: how far predictions are off, and to which side, in ranges of the ground truth. NumPy only."""

from typing import Any, Dict

import numpy as np

from . import blocks

# Ranges of equal width from the camera to the farthest depth that counts; what lies beyond is in the last.
RANGES = 20

# What an image adds up to in each range: pixels; the error, prediction minus truth; its square; its share of the truth.
_PARTS = 4

# Neighbouring pixels are mostly in one range, and one sum waits for the one before: each of so many pixels has its own.
_LANES = 8


class Sums(blocks.Sums):
    """The sums of one image, `total`: float64 (4, RANGES), as `figures` takes them.

    `farthest` is the end of the last range, in metres.
    """

    def __init__(self, farthest: float) -> None:
        self.total = empty()
        self._by_metre = RANGES / farthest
        self._places = self._lanes = np.zeros(0, np.intp)

    def add(self, block: blocks.Block) -> None:
        """Add the pixels of a block."""
        count = len(block.truth)
        if len(self._places) < count:
            self._places, self._lanes = np.empty(count, np.intp), np.arange(count) % _LANES * RANGES
        places = self._places[:count]
        # A truth beyond all numbers of ranges is in the last one, too.
        np.minimum(np.multiply(block.truth, self._by_metre, out=block.spare), RANGES - 1, out=block.spare)
        np.copyto(places, block.spare, casting="unsafe")
        places += self._lanes[:count]
        self._add(0, places, None)
        self._add(1, places, np.subtract(block.prediction, block.truth, out=block.spare))
        self._add(2, places, np.multiply(block.off, block.off, out=block.spare))
        self._add(3, places, block.share)

    def _add(self, part, places, weights):
        self.total[part] += np.bincount(places, weights, _LANES * RANGES).reshape(_LANES, RANGES).sum(axis=0)


def bias(sums: np.ndarray) -> float:
    """The mean of prediction minus truth over all pixels, in metres: below zero, predictions are too near."""
    return float(sums[1].sum() / sums[0].sum())


def empty() -> np.ndarray:
    """Sums of no image."""
    return np.zeros((_PARTS, RANGES))


def figures(sums: np.ndarray, farthest: float) -> Dict[str, Any]:
    """What an evaluation file says of summed images: ends of the ranges, and figures, None in a range without pixels.

    edges_m: RANGES + 1 depths in metres. pixels; bias_m: mean of prediction minus truth; rms: in metres; rel_truth: by
    the truth.
    """
    pixels = sums[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = sums[1:] / pixels
        means[1] = np.sqrt(means[1])
    known = [[float(value) if count else None for value, count in zip(row, pixels)] for row in means]
    edges = [float(edge) for edge in np.linspace(0, farthest, RANGES + 1)]
    return dict(zip(("bias_m", "rms", "rel_truth"), known), edges_m=edges, pixels=[int(count) for count in pixels])
