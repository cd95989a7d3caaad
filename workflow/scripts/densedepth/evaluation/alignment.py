"""What predictions of other programs mean, and how they are brought onto the ground truth before they are scored.

NumPy only. Many networks predict depth without a scale, or inverse depth without scale and shift. Their papers fit what
is unknown to the ground truth of each image, each in a way of its own, and a result with one such fit compares with no
result with another. So an alignment has a name, and the name is part of every result.

In the formulas g is the ground truth in metres, p the predicted depth, d the predicted inverse depth, over the pixels
of one image that the protocol counts.

none              p as it is
median            p * median(g) / median(p); Zhou et al. 2017 (SfMLearner) and the self-supervised networks since
scale             p * a, least squares in depth: a = sum(g p) / sum(p p)
affine            p * a + b, least squares in depth; Ke et al. 2024 (Marigold), affine-invariant depth
affine_disparity  1 / (d * a + b), least squares in 1/g; Ranftl et al. 2020 (MiDaS), affine-invariant inverse depth
scale_robust      p * a, a minimizes the sum of |a p - g| / g; Wang et al. 2025 (MoGe, arXiv 2410.19115)
affine_robust     p * a + b, a and b minimize the sum of |a p + b - g| / g; MoGe
affine_trimmed    p * a + b, least squares without the 5 % of pixels where |p - g| is largest; Piccinelli et al. 2024
                  (UniDepth, in its evaluation's code)

MoGe fits to 64 x 64 pixels of an image; here scale_robust takes all, affine_robust 16,384 evenly chosen ones.
"""

from typing import Tuple

import numpy as np

from ..errors import PipelineError
from .blocks import dot

_SCALES = ("median", "scale", "scale_robust")
_LINES = ("affine", "affine_robust", "affine_trimmed")
ALIGNMENTS = (
    "none",
    "median",
    "scale",
    "affine",
    "affine_disparity",
    "scale_robust",
    "affine_robust",
    "affine_trimmed",
)

# Of stored values: metres, millimetres, 1 / metres, and inverse depth of no unit.
UNITS = ("metres", "millimetres", "inverse", "disparity")
INVERSE = ("inverse", "disparity")

# What fits a shift takes values of any sign.
_SHIFTED = {"affine_disparity": INVERSE, **dict.fromkeys(_LINES, ("metres", "millimetres"))}

# Pixels of an image that `affine_robust` looks at, and the share that `affine_trimmed` does.
_MOST_PIXELS = 16384
_TRIMMED = 0.95

# Of stored values, and of the depth that a fit sees.
_LARGEST = float(np.finfo(np.float32).max)


def check(unit: str, alignment: str) -> None:
    """Raise PipelineError for an unknown name, and for values without a unit that nothing gives a scale."""
    if unit not in UNITS:
        raise PipelineError("unit {}: unknown, legal are {}".format(unit, ", ".join(UNITS)))
    if alignment not in ALIGNMENTS:
        raise PipelineError("alignment {}: unknown, legal are {}".format(alignment, ", ".join(ALIGNMENTS)))
    if unit == "disparity" and alignment == "none":
        words = "unit disparity: has no scale, so alignment none cannot be; choose {}, or unit inverse for 1 / metres"
        raise PipelineError(words.format(", ".join(ALIGNMENTS[1:])))


def problem(values: np.ndarray, unit: str, alignment: str) -> str:
    """What is wrong with the stored `values` of one image, in words; empty where they can be scored."""
    if not np.isfinite(values).all():
        return "{} values are not finite; every pixel must be predicted".format(int((~np.isfinite(values)).sum()))
    largest = float(np.abs(values).max()) if values.dtype.itemsize > 4 else 0.0
    if largest > _LARGEST:
        return "the largest value is {:.4g}, above what float32 holds".format(largest)
    if unit in _SHIFTED.get(alignment, ()):
        return ""
    lowest = float(values.min())
    # An inverse depth of 0 is infinitely far.
    if lowest < 0 or (lowest == 0 and unit not in INVERSE):
        words = "the lowest value is {:.4g}, {} must be above zero everywhere; a shift for any values is fitted by {}"
        shifting = [name for name, units in _SHIFTED.items() if unit in units]
        return words.format(lowest, unit, ", ".join(shifting))
    return "" if values.any() else "all values are zero"


def aligned(
    values: np.ndarray, truth: np.ndarray, unit: str, alignment: str, limits: Tuple[float, float]
) -> np.ndarray:
    """Depth in metres, float64 within `limits`, of stored `values` without `problem`.

    values: an array of any shape. truth: the ground truth in metres, an array of the same shape, 0 (or anything that
    is not a finite depth above zero) where it must not be looked at. A fit is made of the other pixels; fits in depth
    but the median leave out those predicted infinitely far, which would outweigh all others, and these stay farthest.
    """
    if alignment == "none":
        return np.clip(_depth(values, unit), *limits, dtype=np.float64)
    values = np.asarray(values, np.float64)
    known = np.isfinite(truth) & (truth > 0)
    if alignment == "affine_disparity":
        inverse = values if unit in INVERSE else 1 / _depth(values, unit)
        scale, shift = _line(inverse[known], 1 / np.asarray(truth[known], np.float64))
        return _inverted(inverse * scale + shift, limits)
    if alignment != "median" and unit in INVERSE and not values.all():
        near = values != 0
        depth = np.full(values.shape, limits[1], np.float64)
        if known[near].any():
            depth[near] = aligned(values[near], truth[near], unit, alignment, limits)
        return depth
    depth = np.minimum(_depth(values, unit), _LARGEST)
    found, wanted = depth[known], np.asarray(truth[known], np.float64)
    if alignment in _SCALES:
        scale, shift = _scale(found, wanted, alignment), 0.0
    else:
        scale, shift = _LINE[alignment](found, wanted)
    return np.clip(depth * scale + shift, *limits)


def _depth(values, unit):
    if unit in INVERSE:
        with np.errstate(divide="ignore"):
            return np.divide(1, values, dtype=np.float64)
    return np.divide(values, 1000, dtype=np.float64) if unit == "millimetres" else values


def _inverted(inverse, limits):
    """1 / `inverse` within `limits`; at or below zero it is infinitely far."""
    return 1 / np.clip(inverse, 1 / limits[1], 1 / limits[0])


def _line(x, y):
    """(a, b) of the least squares of a * x + b - y; a is 0 where all x are equal."""
    x_mean, y_mean = x.mean(), y.mean()
    deviation = x - x_mean
    spread = dot(deviation, deviation)
    scale = dot(deviation, y - y_mean) / spread if spread > 0 else 0.0
    return scale, y_mean - scale * x_mean


def _scale(x, y, alignment):
    """The factor of x."""
    if alignment == "median":
        return np.median(y) / np.median(x)
    if alignment == "scale":
        return dot(y, x) / dot(x, x)
    # |a x - y| / y is x / y times |a - y / x|.
    return _weighted_median(y / x, x / y)


def _weighted_median(values, weights):
    """The lowest of `values` below and at which lies half of the weight or more."""
    order = np.argsort(values)
    sums = np.cumsum(weights[order])
    return float(values[order[np.searchsorted(sums, sums[-1] / 2)]])


def _trimmed_line(x, y):
    """As `_line`, without the pixels whose error is largest before the fit."""
    error = np.abs(x - y)
    kept = error < np.quantile(error, _TRIMMED)
    return _line(x[kept], y[kept]) if kept.any() else _line(x, y)


def _robust_line(x, y):
    """(a, b) of the least sum of |a x + b - y| / y: for each a the best b is a weighted median, and the rest of the
    sum is convex in a, so that a golden section finds the least."""
    chosen = np.linspace(0, len(x) - 1, min(len(x), _MOST_PIXELS)).astype(np.int64)
    x, y = x[chosen], y[chosen]
    weights = 1 / y

    def shift(scale):
        return _weighted_median(y - scale * x, weights)

    def cost(scale):
        return dot(np.abs(scale * x + shift(scale) - y), weights)

    middle, spread = _line(x, y)[0], float(np.std(x))
    reach = float(np.std(y)) / spread if spread > 0 else 0.0
    low, high = middle - reach, middle + reach
    while reach and min(cost(low), cost(high)) < cost(middle):
        middle = low if cost(low) < cost(high) else high
        reach *= 2
        low, high = middle - reach, middle + reach
    scale = _least(cost, low, high)
    return scale, shift(scale)


def _least(cost, low, high):
    """Where the convex function `cost` is least between `low` and `high`."""
    golden = (5**0.5 - 1) / 2
    within = 1e-9 * (high - low)
    one, other = high - golden * (high - low), low + golden * (high - low)
    at_one, at_other = cost(one), cost(other)
    while high - low > within:
        if at_one <= at_other:
            high, other, at_other = other, one, at_one
            one = high - golden * (high - low)
            at_one = cost(one)
        else:
            low, one, at_one = one, other, at_other
            other = low + golden * (high - low)
            at_other = cost(other)
    return (low + high) / 2


_LINE = {"affine": _line, "affine_robust": _robust_line, "affine_trimmed": _trimmed_line}
