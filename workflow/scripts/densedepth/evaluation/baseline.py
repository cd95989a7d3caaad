"""The constant depth: what a network must beat that learned something about the images. NumPy only."""

from typing import TYPE_CHECKING, Any, Callable, Dict, Optional

import numpy as np

from .. import files
from . import protocols, scoring

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

# Bins of the histogram in which the median is looked for: 0.1 mm up to 100 m.
_BINS_PER_METRE = 10000
_FARTHEST_BIN = 100 * _BINS_PER_METRE


def evaluate(test_set: "TestSet", progress: Optional[Callable[[int], Any]] = None) -> Dict[str, Any]:
    """Evaluate one constant depth: the median of all ground-truth depths inside the crop of this very test set.

    It is an oracle among constants: no training set was asked, so a network that learned nothing about the images can
    at best come near it. Two passes over the archive; the median is exact to 0.1 mm. The result has the keys of
    `evaluate`; `source` has `kind` "constant" and `depth_m`, `speed` is None, and `test_data` also has the archive's
    `sha256`, which is read once for all evaluations of a workflow.
    """
    port = protocols.fitted(protocols.named(["port"])[0], test_set)
    constant = _median(test_set, port)

    def depth_in(crop, limits, size, truth):
        return np.full(truth.shape, constant)

    batches = ((depth_in, truth, numbers) for _, truth, numbers in test_set.batches(1))
    found = scoring.scored(batches, [port], test_set.limits, progress)
    source = {
        "kind": "constant",
        "depth_m": constant,
        "chosen_by": "median of the true depths of the test set itself, inside the crop (an oracle among constants)",
    }
    document = scoring.document_of(source, test_set, found, None)
    document["test_data"]["sha256"] = files.sha256(test_set.path)
    return document


def _median(test_set, protocol):
    histogram = np.zeros(_FARTHEST_BIN + 1, np.int64)
    for _, truth, _ in test_set.batches(1):
        truth = scoring.cropped(truth, protocol.crop)
        mask = protocol.mask(truth)
        values = (truth if mask is None else truth[mask]).astype(np.float64) * _BINS_PER_METRE
        bins = np.minimum(values, _FARTHEST_BIN).astype(np.int64)
        histogram += np.bincount(bins.ravel(), minlength=len(histogram))
    middle = np.searchsorted(np.cumsum(histogram), (histogram.sum() + 1) // 2)
    return (int(middle) + 0.5) / _BINS_PER_METRE
