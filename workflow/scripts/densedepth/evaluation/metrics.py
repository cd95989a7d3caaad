"""Depth metrics, NumPy only, streamed image by image.

Names, formulas and conventions are in `metric_table`. All but `rms_image` are pooled: sums over the pixels of all
images, divided by their number. Where every image has the same number of pixels that equals the mean of the per-image
values, except for rms: rms_pooled >= rms_image always.

Nothing is cropped, clipped or resized here: hand in exactly the pixels that count, or a mask. Sums are float64.
Truth and prediction are keyword-only arguments, because swapping them changes `rel` alone and goes unnoticed.
"""

import math
from typing import Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from . import blocks
from .metric_table import METRICS

NAMES = tuple(metric.key for metric in METRICS)
# Of a single image; both figures of a test set that have a root are made of its `rms`.
IMAGE_NAMES = tuple(dict.fromkeys(metric.image_key for metric in METRICS))

# Ratios that are multiplied before their logarithm is taken: even of 1e18 each, the product is a float64.
_FACTORS = 16
# Below it a float64 loses digits.
_TINY = float(np.finfo(np.float64).tiny)


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


def measure(
    *,
    truth: np.ndarray,
    prediction: np.ndarray,
    mask: Optional[np.ndarray] = None,
    also: Sequence[blocks.Sums] = (),
) -> Sums:
    """The `Sums` of one image; arguments and errors as of `blocks.of_image`. `also` is given the same blocks."""
    totals = Sums._make([0] * len(Sums._fields))
    for block in blocks.of_image(truth, prediction, mask):
        totals = _added(totals, _of_block(block))
        for one in also:
            one.add(block)
    return totals


def _added(one, other):
    return Sums._make(total + value for total, value in zip(one, other))


def _of_block(block):
    ratio = block.ratio
    return Sums(
        pixels=len(ratio),
        delta1=int(np.count_nonzero(ratio < 1.25)),
        delta2=int(np.count_nonzero(ratio < 1.25**2)),
        delta3=int(np.count_nonzero(ratio < 1.25**3)),
        rel_truth=float(block.share.sum()),
        rel_prediction=float(np.divide(block.off, block.prediction, out=block.spare).sum()),
        squares=blocks.dot(block.off, block.off),
        # |log10 g - log10 p| is the logarithm of the larger of the two ratios.
        log10=sum_of_logarithms(ratio) / math.log(10),
    )


def sum_of_logarithms(values: np.ndarray) -> float:
    """The sum of the natural logarithms of `values` (n,), above zero: those of products of some, which are fewer."""
    whole = len(values) - len(values) % _FACTORS
    with np.errstate(over="ignore", under="ignore"):
        products = np.multiply.reduce(values[:whole].reshape(_FACTORS, -1), axis=0)
    # So far apart depths are only where something is wrong.
    within = np.all((products > _TINY) & (products < math.inf))
    parts = (products, values[whole:]) if within else (values,)
    return float(sum(np.log(part).sum() for part in parts))


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
        self._totals = _added(self._totals, sums)
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
