"""How a network's figures fall when its images are made worse, and what its own disagreement says of its errors."""

from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence

import numpy as np

from .. import runtime
from ..errors import PipelineError
from ..imaging import depth
from ..inference import forward
from . import metrics, protocols
from .corruptions import CORRUPTIONS, SEVERITIES, apply

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

FORMAT = 1

# Parts of equally many pixels into which the curve of disagreement and error is cut.
PARTS = 10

# Pixels of an image that the curve is made of, evenly chosen.
_PIXELS = 4000


def measure(
    predictor: Any,
    test_set: "TestSet",
    images: int,
    names: Sequence[str] = tuple(CORRUPTIONS),
    progress: Optional[Callable[[int], Any]] = None,
) -> Dict[str, Any]:
    """JSON-like: `clean`, {corruption: its figures by severity}, and the curve of `disagreement`.

    images: at most so many, evenly chosen from `test_set`; progress(passes) is called after each image and corruption.
    Figures are those of `metrics`, pooled over the crop of the protocol `port`, of flip-averaged depth.
    """
    unknown = [name for name in names if name not in CORRUPTIONS]
    if unknown:
        raise PipelineError("corruption {}: unknown, legal are {}".format(unknown[0], ", ".join(CORRUPTIONS)))
    port = protocols.fitted(protocols.named(["port"])[0], test_set)
    chosen = set(np.linspace(0, test_set.count - 1, min(images, test_set.count)).astype(int).tolist())
    clean = metrics.Accumulator()
    found = {name: [metrics.Accumulator() for _ in range(SEVERITIES)] for name in names}
    pairs: List[np.ndarray] = []
    done = 0
    for rgb, truth, numbers in test_set.batches(1, holes=True):
        if numbers[0] not in chosen:
            continue
        pairs.append(_add(clean, predictor, rgb[0], truth[0], port, test_set))
        for name, figures in found.items():
            for severity, one in enumerate(figures, 1):
                _add(one, predictor, *apply(name, severity, rgb[0], truth[0], numbers[0]), port, test_set)
            done += 1
            if progress:
                progress(done)
    curve = np.concatenate(pairs, axis=1)
    return {
        "format": FORMAT,
        "source": predictor.describe(),
        "test_data": {"path": test_set.path, "images": len(chosen)},
        "clean": clean.result(),
        "corruptions": {name: _by_severity(name, figures) for name, figures in found.items()},
        "disagreement": calibration(curve[0], curve[1]),
        "runtime": runtime.describe(),
    }


def _by_severity(name, figures):
    corruption = CORRUPTIONS[name]
    return {
        "unit": corruption.unit,
        "severities": [
            dict(one.result(), severity=severity, amount=amount)
            for severity, (amount, one) in enumerate(zip(corruption.amounts, figures), 1)
            if one.images
        ],
    }


def _add(accumulator, predictor, rgb, truth, protocol, test_set) -> np.ndarray:
    """Add the figures of an image; returns (2, pixels): the disagreement and the relative error of some pixels."""
    crop = protocol.crop_in(truth.shape)
    images = depth.fit(rgb[np.newaxis], predictor.size, test_set.framing)
    batch = predictor.batch or 1
    output, mirrored = (forward.predict(predictor, one, batch) for one in (images, images[:, :, ::-1]))
    how = truth.shape, crop, test_set.limits, test_set.framing
    # Each of both alone, and their mean.
    one = forward.flip_averaged(output, output[:, :, ::-1], *how)[0]
    other = forward.flip_averaged(mirrored[:, :, ::-1], mirrored, *how)[0]
    predicted = (one + other) / 2
    inside = truth[crop[0] : crop[1] + 1, crop[2] : crop[3] + 1]
    mask = np.isfinite(inside) & (inside > 0)
    if protocol.masked:
        mask &= protocol.mask(inside)
    if not mask.any():
        return np.zeros((2, 0))
    accumulator.add(truth=inside, prediction=predicted, mask=mask)
    step = max(1, int(mask.sum()) // _PIXELS)
    g, p, apart = (values[mask][::step].astype(np.float64) for values in (inside, predicted, np.abs(one - other)))
    return np.stack([apart / p, np.abs(g - p) / g])


def calibration(disagreement: np.ndarray, error: np.ndarray) -> Dict[str, Any]:
    """What the disagreement of a prediction with that of the mirrored image says of the error of their mean.

    disagreement: |p - p'| / mean; error: |g - mean| / g, both of the same pixels. Returns `parts`, in each of which are
    equally many pixels, by rising disagreement: the means of both; and Spearman's `rank_correlation` over all of them,
    1 where a larger disagreement always means a larger error.
    """
    order = np.argsort(disagreement, kind="stable")
    parts = [
        {"disagreement": float(disagreement[part].mean()), "error": float(error[part].mean())}
        for part in np.array_split(order, min(PARTS, len(order)))
    ]
    return {"pixels": len(order), "parts": parts, "rank_correlation": _spearman(disagreement, error)}


def _spearman(x, y) -> Optional[float]:
    first, second = (_ranks(one) for one in (x, y))
    length = np.sqrt(np.dot(first, first) * np.dot(second, second))
    return float(np.dot(first, second) / length) if length else None


def _ranks(values):
    """Ranks without their mean; equal values share theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks = (ends - (count - 1) / 2)[place.ravel()]
    return ranks - ranks.mean()


def lines(document: Dict[str, Any]) -> List[str]:
    """A table: AbsRel and delta1 of the clean images, and of each corruption by severity."""
    found = ["{:<16} AbsRel {rel_truth:.3f}  delta1 {delta1:.3f}".format("clean", **document["clean"])]
    for name, corruption in document["corruptions"].items():
        for key, title in (("rel_truth", "AbsRel"), ("delta1", "delta1")):
            figures = "  ".join("{:.3f}".format(one[key]) for one in corruption["severities"])
            found.append("{:<16} {} {}".format(name, title, figures))
    curve = document["disagreement"]
    ends = [curve["parts"][place]["error"] for place in (0, -1)]
    words = "AbsRel of the tenth of the pixels where mirrored images agree most: {:.3f}, least: {:.3f}"
    return found + [words.format(*ends)]
