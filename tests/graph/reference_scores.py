"""The metrics by their formulas alone, for comparison with those of the package."""

import math

import numpy as np


def scores(truth, prediction, rms="rms_pooled"):
    """{metric: value} over all pixels of two arrays of metres; `rms` names what the root mean square is."""
    worst = np.maximum(truth / prediction, prediction / truth)
    return {
        "delta1": np.mean(worst < 1.25),
        "delta2": np.mean(worst < 1.25**2),
        "delta3": np.mean(worst < 1.25**3),
        "rel_truth": np.mean(abs(truth - prediction) / truth),
        "rel_prediction": np.mean(abs(truth - prediction) / prediction),
        rms: math.sqrt(np.mean((truth - prediction) ** 2)),
        "log10": np.mean(abs(np.log10(truth) - np.log10(prediction))),
    }
