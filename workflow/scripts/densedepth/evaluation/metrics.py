"""Depth metrics, NumPy only, streamed image by image.

Names, formulas and conventions are in `metric_table`. All but `rms_image` are pooled: sums over the pixels of all
images, divided by their number. Where every image has the same number of pixels that equals the mean of the per-image
values, except for rms: rms_pooled >= rms_image always.

Nothing is cropped, clipped or resized here: hand in exactly the pixels that count, or a mask. Sums are float64.
Truth and prediction are keyword-only arguments, because swapping them changes `rel` alone and goes unnoticed.
"""

import math
from typing import Dict, List, NamedTuple, Optional

import numpy as np

from .metric_table import METRICS

NAMES = tuple(metric.key for metric in METRICS)
# Of a single image; both figures of a test set that have a root are made of its `rms`.
IMAGE_NAMES = tuple(dict.fromkeys(metric.image_key for metric in METRICS))


class Sums(NamedTuple):
    """What one image adds up to: its number of pixels, those within each threshold, and the sums of errors."""

    pixels: int
    delta1: int
    delta2: int
    delta3: int
    rel_truth: float
    rel_prediction: float
    squares: float
    log10: float


def measure(*, truth: np.ndarray, prediction: np.ndarray, mask: Optional[np.ndarray] = None) -> Sums:
    """The `Sums` of one image.

    `truth` and `prediction` are arrays of one shape, metres, both > 0 and finite wherever they count; `mask` is a bool
    array of that shape, true where a pixel counts (default: everywhere). Raises ValueError on other shapes, on a depth
    that is not positive and finite, and when no pixel counts.
    """
    truth = np.asarray(truth)
    prediction = np.asarray(prediction)
    if truth.shape != prediction.shape:
        raise ValueError("ground truth {} and prediction {} differ in shape".format(truth.shape, prediction.shape))
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != truth.shape or mask.dtype != bool:
            raise ValueError("the mask is no bool array of shape {}".format(truth.shape))
        truth, prediction = truth[mask], prediction[mask]
    if not truth.size:
        raise ValueError("no pixel to measure")
    truth = np.asarray(truth, np.float64)
    prediction = np.asarray(prediction, np.float64)
    for name, values in (("truth", truth), ("prediction", prediction)):
        # Written so that NaN fails too.
        if not (values.min() > 0 and values.max() < math.inf):
            raise ValueError("{} has pixels that are not positive, finite depths; mask them".format(name))

    ratio = np.maximum(truth / prediction, prediction / truth)
    error = np.abs(truth - prediction)
    return Sums(
        pixels=truth.size,
        delta1=int(np.count_nonzero(ratio < 1.25)),
        delta2=int(np.count_nonzero(ratio < 1.25**2)),
        delta3=int(np.count_nonzero(ratio < 1.25**3)),
        rel_truth=float(np.sum(error / truth)),
        rel_prediction=float(np.sum(error / prediction)),
        squares=float(np.sum(error * error)),
        # |log10 g - log10 p| is the logarithm of the larger of the two ratios.
        log10=float(np.sum(np.log10(ratio))),
    )


def image_scores(sums: Sums) -> Dict[str, float]:
    """The scores of one image by `IMAGE_NAMES`; its `rms` has one meaning only."""
    scores = {name: getattr(sums, name) / sums.pixels for name in IMAGE_NAMES if name != "rms"}
    scores["rms"] = math.sqrt(sums.squares / sums.pixels)
    return scores


class Accumulator:
    """Scores of a test set, image by image, in memory that does not grow with the pixels.

    `images` lists the scores of each image (see `image_scores`) in the order of adding.
    """

    def __init__(self) -> None:
        self.images: List[Dict[str, float]] = []
        self._totals = Sums._make([0] * len(Sums._fields))

    def add(self, *, truth: np.ndarray, prediction: np.ndarray, mask: Optional[np.ndarray] = None) -> Dict[str, float]:
        """Add one image; arguments and errors as in `measure`. Returns its scores."""
        return self.add_sums(measure(truth=truth, prediction=prediction, mask=mask))

    def add_sums(self, sums: Sums) -> Dict[str, float]:
        """Add one image by what `measure` made of it. Returns its scores."""
        self._totals = Sums._make(total + value for total, value in zip(self._totals, sums))
        self.images.append(image_scores(sums))
        return self.images[-1]

    def result(self) -> Dict[str, float]:
        """The scores of all images added so far, by `NAMES`. Raises ValueError when there is none."""
        if not self.images:
            raise ValueError("no image was measured")
        scores = image_scores(self._totals)
        scores["rms_pooled"] = scores.pop("rms")
        scores["rms_image"] = math.fsum(image["rms"] for image in self.images) / len(self.images)
        return scores


def line(figures: Dict[str, float]) -> str:
    """The three main figures in one line; AbsRel divides by the ground truth, RMSE is pooled over all pixels."""
    return "delta1 {delta1:.3f}, AbsRel {rel_truth:.3f}, RMSE {rms_pooled:.2f} m".format(**figures)
