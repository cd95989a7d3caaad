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
"""

from typing import Tuple

import numpy as np

from ..errors import PipelineError

ALIGNMENTS = ("none", "median", "scale", "affine", "affine_disparity")

# Of stored values: metres, millimetres, 1 / metres, and inverse depth of no unit.
UNITS = ("metres", "millimetres", "inverse", "disparity")
_INVERSE = ("inverse", "disparity")

# What fits a shift takes values of any sign.
_SHIFTED = {"affine": ("metres", "millimetres"), "affine_disparity": _INVERSE}


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
        return "{} values are not finite".format(int((~np.isfinite(values)).sum()))
    if unit in _SHIFTED.get(alignment, ()):
        return ""
    lowest = float(values.min())
    # An inverse depth of 0 is infinitely far.
    if lowest < 0 or (lowest == 0 and unit not in _INVERSE):
        return "the lowest value is {:.4g}, {} must be above zero".format(lowest, unit)
    return "" if values.any() else "all values are zero"


def aligned(
    values: np.ndarray, truth: np.ndarray, unit: str, alignment: str, limits: Tuple[float, float]
) -> np.ndarray:
    """Depth in metres, float64 within `limits`, of stored `values` without `problem`.

    values: an array of any shape. truth: the ground truth in metres, an array of the same shape, 0 (or anything that
    is not a finite depth above zero) where it must not be looked at. A fit is made of the other pixels.
    """
    values = np.asarray(values, np.float64)
    known = np.isfinite(truth) & (truth > 0)
    if alignment == "affine_disparity":
        inverse = values if unit in _INVERSE else 1 / _depth(values, unit)
        scale, shift = _line(inverse[known], 1 / np.asarray(truth[known], np.float64))
        return _inverted(inverse * scale + shift, limits)
    if alignment == "none":
        return np.clip(_depth(values, unit), *limits)
    depth = np.minimum(_depth(values, unit), np.finfo(np.float32).max)
    found, wanted = depth[known], np.asarray(truth[known], np.float64)
    if alignment == "median":
        depth *= np.median(wanted) / np.median(found)
    elif alignment == "scale":
        depth *= np.dot(wanted, found) / np.dot(found, found)
    else:
        scale, shift = _line(found, wanted)
        depth = depth * scale + shift
    return np.clip(depth, *limits)


def _depth(values, unit):
    if unit in _INVERSE:
        with np.errstate(divide="ignore"):
            return 1 / values
    return values / 1000 if unit == "millimetres" else values


def _inverted(inverse, limits):
    """1 / `inverse` within `limits`; at or below zero it is infinitely far."""
    return 1 / np.clip(inverse, 1 / limits[1], 1 / limits[0])


def _line(x, y):
    """(a, b) of the least squares of a * x + b - y; a is 0 where all x are equal."""
    x_mean, y_mean = x.mean(), y.mean()
    deviation = x - x_mean
    spread = np.dot(deviation, deviation)
    scale = np.dot(deviation, y - y_mean) / spread if spread > 0 else 0.0
    return scale, y_mean - scale * x_mean
