"""The metrics, each once: what scoring, the report and its curves, and the table of docs/metrics.md are made from.

In the formulas, g is the ground truth and p the predicted depth of a pixel in metres. No NumPy, no TensorFlow: the
report reads this table where neither is needed.
"""

import dataclasses

_EITHER, _POOLED, _PER_IMAGE = "either, the same", "pooled", "per image"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of a test set.

    key: its name in the `metrics` of an evaluation file, a fixed contract. title: its name for readers, with its
    convention. averaging: over the pixels of all images at once (pooled), or image by image; of figures without a root
    both are the same, where all images have equally many pixels. image_key: the figure of a single image that it is
    made of, as in `per_image`.
    """

    key: str
    title: str
    formula: str
    higher_is_better: bool
    averaging: str
    unit: str
    image_key: str

    @property
    def heading(self) -> str:
        """The title with an arrow to the better side, which is not left alone on a line, for a column of a table."""
        return self.title + "\N{NO-BREAK SPACE}" + ("↑" if self.higher_is_better else "↓")

    @property
    def plain_title(self) -> str:
        """The title for logs, in ASCII."""
        return self.title.replace("δ", "delta")


METRICS = (
    Metric("delta1", "δ1", "share of pixels with max(g/p, p/g) < 1.25", True, _EITHER, "", "delta1"),
    Metric("delta2", "δ2", "share of pixels with max(g/p, p/g) < 1.25²", True, _EITHER, "", "delta2"),
    Metric("delta3", "δ3", "share of pixels with max(g/p, p/g) < 1.25³", True, _EITHER, "", "delta3"),
    # The usual absolute relative error, and what the reference port prints as `rel`: its arguments are swapped.
    Metric("rel_truth", "AbsRel (by ground truth)", "mean of |g − p| / g", False, _EITHER, "", "rel_truth"),
    Metric("rel_prediction", "AbsRel (by prediction)", "mean of |g − p| / p", False, _EITHER, "", "rel_prediction"),
    # The reference port's `rms`, and the paper's.
    Metric(
        "rms_pooled",
        "RMSE (pooled)",
        "√( mean of (g − p)² over all pixels of all images )",
        False,
        _POOLED,
        "m",
        "rms",
    ),
    Metric(
        "rms_image",
        "RMSE (per image)",
        "mean over images of √( mean of (g − p)² over the image )",
        False,
        _PER_IMAGE,
        "m",
        "rms",
    ),
    Metric("log10", "log10", "mean of |log₁₀ g − log₁₀ p|", False, _EITHER, "", "log10"),
)

BY_KEY = {metric.key: metric for metric in METRICS}

# The metric by which a checkpoint is called the best.
DECIDING = BY_KEY["delta1"]
