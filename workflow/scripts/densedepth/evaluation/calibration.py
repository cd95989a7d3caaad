"""The one factor that a network's depth is off by at another camera or place, from a few measured depths. NumPy only.

A network of metric depth that has learned one camera is off by about one factor at another one. The factor is the
median over images of the median ratio of measured to predicted depth, so that neither many pixels of one image nor a
few wrong ones decide. Whether it helps is judged on images that it was not taken from.
"""

from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

from ..errors import PipelineError

# Images without which nothing can be judged.
FEWEST = 3

# Parts of the images that are left out in turn; each image alone where there are fewer.
_FOLDS = 10

# By how much the error must fall: standard errors of the mean over images, and at least so much.
_CLEARLY, LEAST = 2.0, 1e-3


class Measured(NamedTuple):
    """Measured and predicted depth of the same pixels of one image, in metres, both above zero; (n,)."""

    truth: np.ndarray
    prediction: np.ndarray


def factor(images: Sequence[Measured]) -> float:
    """By what predictions are to be multiplied."""
    ratios = [float(np.median(np.log(image.truth / image.prediction))) for image in images]
    return float(np.exp(np.median(ratios)))


def judged(images: Sequence[Measured], limits: Tuple[float, float]) -> Dict[str, Any]:
    """JSON-like: `scale` (see `factor`), and whether it `helps` on images that it was not taken from.

    limits: the range of the network's depth in metres, which scaled predictions are clipped to. rel_before, rel_after:
    AbsRel, the mean over images, without and with the factor of the other images; standard_error: of their difference.
    It helps where the error falls by more than two of these, and by more than 0.001. Raises PipelineError for too few
    images.
    """
    if len(images) < FEWEST:
        words = "{} images with measured depth are too few to calibrate with; {} are the least"
        raise PipelineError(words.format(len(images), FEWEST))
    folds = np.arange(len(images)) % min(_FOLDS, len(images))
    before, after = [], []
    for fold in range(int(folds.max()) + 1):
        others = factor([image for image, place in zip(images, folds) if place != fold])
        for image, place in zip(images, folds):
            if place == fold:
                before.append(_rel(image, 1.0, limits))
                after.append(_rel(image, others, limits))
    falls: List[float] = [one - other for one, other in zip(before, after)]
    error = float(np.std(falls, ddof=1) / np.sqrt(len(falls)))
    return {
        "scale": factor(images),
        "images": len(images),
        "pixels": int(sum(len(image.truth) for image in images)),
        "rel_before": float(np.mean(before)),
        "rel_after": float(np.mean(after)),
        "standard_error": error,
        "helps": bool(np.mean(falls) > max(LEAST, _CLEARLY * error)),
    }


def _rel(image, scale, limits):
    predicted = np.clip(image.prediction * scale, *limits)
    return float(np.mean(np.abs(image.truth - predicted) / image.truth))
