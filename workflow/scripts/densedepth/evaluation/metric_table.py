"""The metrics, each once: what scoring, the report and its curves, and the tables of docs/metrics.md are made from.

METRICS are always measured, MORE where they are asked for. In the formulas, g is the ground truth and p the predicted
depth of a pixel in metres. No NumPy, no TensorFlow: the report reads this table where neither is needed.
"""

import dataclasses

_EITHER, _POOLED, _PER_IMAGE = "either, the same", "pooled", "per image"


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of a test set.

    key: its name in the `metrics` of an evaluation file, a fixed contract. title: its name for readers, with its
    convention. averaging: over the pixels of all images at once (pooled), or image by image; of figures without a root
    both are the same, where all images have equally many pixels. image_key: the figure of a single image that it is
    made of, as in `per_image`. part: what it looks at.
    """

    key: str
    title: str
    formula: str
    higher_is_better: bool
    averaging: str
    unit: str
    image_key: str
    part: str = "Usual"

    @property
    def per_image(self) -> bool:
        """Whether the figure of a test set is the mean of its images', whatever the protocol says of the others."""
        return self.averaging == _PER_IMAGE

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

# What is measured where `evaluate.metrics` asks for it, see `more_metrics`: of each image alone. By what it looks at.
_MORE = {
    "Single pixels": (
        ("sq_rel", "SqRel", "mean of (g − p)² / g", False, _EITHER, "m"),
        ("mae", "MAE", "mean of |g − p|", False, _EITHER, "m"),
        ("rms_log", "RMSE log", "√( mean of (ln p − ln g)² over the image )", False, _PER_IMAGE, ""),
        ("silog", "SILog", "100 · standard deviation of ln p − ln g over the image", False, _PER_IMAGE, ""),
        ("delta_105", "δ(1.05)", "share of pixels with max(g/p, p/g) < 1.05", True, _EITHER, ""),
        ("delta_110", "δ(1.10)", "share of pixels with max(g/p, p/g) < 1.10", True, _EITHER, ""),
    ),
    "Near, middle and far": (
        ("rel_near", "AbsRel (near)", "AbsRel where g < far / 9", False, _PER_IMAGE, ""),
        ("rel_mid", "AbsRel (middle)", "AbsRel where far / 9 ≤ g < far · 4/9", False, _PER_IMAGE, ""),
        ("rel_far", "AbsRel (far)", "AbsRel where g ≥ far · 4/9", False, _PER_IMAGE, ""),
        ("rms_near", "RMSE (near)", "RMSE where g < far / 9", False, _PER_IMAGE, "m"),
        ("rms_mid", "RMSE (middle)", "RMSE where far / 9 ≤ g < far · 4/9", False, _PER_IMAGE, "m"),
        ("rms_far", "RMSE (far)", "RMSE where g ≥ far · 4/9", False, _PER_IMAGE, "m"),
    ),
    "Edges": (
        ("boundary_f1", "Boundary F1", "F1 of neighbours with a ratio above 1.05 to 1.25", True, _PER_IMAGE, ""),
        ("edge_accuracy", "Edge accuracy", "mean distance of predicted edges to true ones", False, _PER_IMAGE, "px"),
        ("edge_completeness", "Edge completeness", "mean distance of true edges to predicted", False, _PER_IMAGE, "px"),
    ),
    "Surfaces": (
        ("normal_mean", "Normals", "mean angle between surface normals", False, _PER_IMAGE, "°"),
        ("normal_11", "Normals < 11.25°", "share of normals off by less than 11.25°", True, _PER_IMAGE, ""),
        ("normal_22", "Normals < 22.5°", "share of normals off by less than 22.5°", True, _PER_IMAGE, ""),
        ("normal_30", "Normals < 30°", "share of normals off by less than 30°", True, _PER_IMAGE, ""),
        ("cloud_chamfer", "Chamfer", "mean distance of a point to the other cloud, both ways", False, _PER_IMAGE, "m"),
        ("cloud_f_5", "F-score (5 cm)", "F1 of points within 5 cm of the other cloud", True, _PER_IMAGE, ""),
        ("cloud_f_10", "F-score (10 cm)", "F1 of points within 10 cm of the other cloud", True, _PER_IMAGE, ""),
    ),
    "Planes": (
        ("plane_flatness", "Planes, flatness", "standard deviation from the fitted plane", False, _PER_IMAGE, "cm"),
        ("plane_orientation", "Planes, orientation", "angle between the fitted planes", False, _PER_IMAGE, "°"),
    ),
}
MORE = tuple(
    Metric(key, title, formula, higher, averaging, unit, key, part)
    for part, rows in _MORE.items()
    for key, title, formula, higher, averaging, unit in rows
)

BY_KEY = {metric.key: metric for metric in METRICS + MORE}

# The metric by which a checkpoint is called the best.
DECIDING = BY_KEY["delta1"]
