"""Error by distance: how far predictions are off, and to which side, in ranges of the true depth. NumPy only."""

from typing import Any, Dict, Optional

import numpy as np

# Ranges of equal width from the camera to the farthest depth that counts; what lies beyond is in the last.
RANGES = 20

# What an image adds up to in each range: pixels; the error, prediction minus truth; its square; its share of the truth.
_PARTS = 4


def measure(
    *, truth: np.ndarray, prediction: np.ndarray, farthest: float, mask: Optional[np.ndarray] = None
) -> np.ndarray:
    """The sums of one image: float64 (4, RANGES), as `figures` takes them; arguments as for `metrics.measure`.

    `farthest` is the end of the last range, in metres.
    """
    if mask is not None:
        truth, prediction = truth[mask], prediction[mask]
    truth, prediction = (np.asarray(one, np.float64).ravel() for one in (truth, prediction))
    places = np.minimum((truth * (RANGES / farthest)).astype(int), RANGES - 1)
    error = prediction - truth
    weights = (None, error, error * error, np.abs(error) / truth)
    return np.stack([np.bincount(places, weight, RANGES) for weight in weights])


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
