"""Published figures of DenseDepth on NYU Depth v2 that a run is compared with, and how near it has to come.

Figures are strings with the digits their sources print; each stands under the convention it was measured by. See
docs/metrics.md for the conventions.
"""

import collections

Metric = collections.namedtuple("Metric", "key title higher_is_better")

# The columns of the precision table; keys as in an evaluation's `metrics`.
METRICS = (
    Metric("delta1", "delta1", True),
    Metric("delta2", "delta2", True),
    Metric("delta3", "delta3", True),
    Metric("rel_truth", "rel (truth)", False),
    Metric("rel_prediction", "rel (prediction)", False),
    Metric("rms_pooled", "rms (pooled)", False),
    Metric("rms_image", "rms (per image)", False),
    Metric("log10", "log10", False),
)

# The metric by which a checkpoint is called the best.
DECIDING = "delta1"

Row = collections.namedtuple("Row", "name source scores")

PAPER = Row(
    "paper",
    "Table 1 of [arXiv 1812.11941](https://arxiv.org/abs/1812.11941)",
    {
        "delta1": "0.846",
        "delta2": "0.974",
        "delta3": "0.994",
        "rel_truth": "0.123",
        "rms_image": "0.465",
        "log10": "0.053",
    },
)
REMEASURED = Row(
    "nyu.h5 (the paper's weights), re-measured",
    "users' measurements in issues [75](https://github.com/ialhashim/DenseDepth/issues/75) and "
    "[98](https://github.com/ialhashim/DenseDepth/issues/98) of ialhashim/DenseDepth",
    {
        "delta1": "0.8471",
        "delta2": "0.9731",
        "delta3": "0.9937",
        "rel_truth": "0.1234",
        "rel_prediction": "0.1274",
        "rms_pooled": "0.5485",
        "log10": "0.0535",
    },
)
PORT_GPU = Row(
    "reference port, GPU",
    "README of DENSEDEPTH_ID0806_for_TensorFlow in [Ascend/ModelZoo-TensorFlow]"
    "(https://github.com/Ascend/ModelZoo-TensorFlow); its code divides rel by the prediction and pools rms",
    {
        "delta1": "0.8480",
        "delta2": "0.9721",
        "delta3": "0.9937",
        "rel_prediction": "0.1265",
        "rms_pooled": "0.5445",
        "log10": "0.0536",
    },
)
PORT_ASCEND = Row(
    "reference port, Ascend 910",
    "the same README",
    {
        "delta1": "0.8465",
        "delta2": "0.9699",
        "delta3": "0.9926",
        "rel_prediction": "0.1273",
        "rms_pooled": "0.5595",
        "log10": "0.0539",
    },
)
ROWS = (PAPER, REMEASURED, PORT_GPU, PORT_ASCEND)

# The protocol under which these figures are comparable: all images of the official test split, and their crop.
TEST_IMAGES = 654
CROP = (20, 459, 24, 615)

Reference = collections.namedtuple("Reference", "row tolerance")

# A run on NYU Depth v2 reproduces a figure when it is no further than the tolerance on the worse side of it. The
# tolerances are about the distance between the rows above, that is, between runs of one recipe on different machines.
REFERENCES = {
    "delta1": Reference(PORT_GPU, "0.005"),
    "delta2": Reference(PORT_GPU, "0.005"),
    "delta3": Reference(PORT_GPU, "0.005"),
    "rel_truth": Reference(PAPER, "0.003"),
    "rel_prediction": Reference(PORT_GPU, "0.003"),
    "rms_pooled": Reference(PORT_GPU, "0.02"),
    "rms_image": Reference(PAPER, "0.02"),
    "log10": Reference(PORT_GPU, "0.001"),
}

# By how much the delta1 of a network that has learned something exceeds that of the constant depth.
BASELINE_MARGIN = 0.15

# The largest difference of a metric between a checkpoint and the graph frozen from it.
FROZEN_TOLERANCE = 1e-6

Speed = collections.namedtuple("Speed", "name device network size batch devices precision step_ms images_per_second")

# Training speed of the reference port, from the README above; images/s = batch / step time.
SPEEDS = (
    Speed("reference port, GPU", "V100-SXM2", "densenet169, half", (480, 640), 4, 1, "not stated", 235.0, 17.0),
    Speed("reference port, Ascend 910", "Ascend 910", "densenet169, half", (480, 640), 4, 1, "mixed", 185.0, 21.6),
)
