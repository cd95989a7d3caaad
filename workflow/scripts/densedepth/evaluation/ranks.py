"""Spearman's rank correlation. NumPy only."""

from typing import Optional

import numpy as np


def correlation(x: np.ndarray, y: np.ndarray, most: Optional[int] = None) -> Optional[float]:
    """How far the order of `x` is that of `y`, both (n,): 1 for the same order, -1 for the opposite one, 0 for none.

    most: about so many values are looked at, evenly chosen; default: all. Equal values share their rank. None where
    all values of either are equal, or there is none.
    """
    if not len(x):
        return None
    step = max(1, len(x) // most) if most else 1
    first, second = (_ranks(one[::step]) for one in (x, y))
    length = np.sqrt(np.dot(first, first) * np.dot(second, second))
    return float(np.dot(first, second) / length) if length else None


def _ranks(values):
    """Ranks without their mean."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks = (ends - (count - 1) / 2)[place.ravel()]
    return ranks - ranks.mean()
