"""Published figures of DenseDepth on NYU Depth v2 that a run is compared with, and how near it has to come.

Figures are strings with the digits their sources print; each stands under the convention it was measured by. See
docs/metrics.md for the conventions.
"""

import dataclasses
from typing import Any, Mapping, Optional, Sequence, Tuple

from ..evaluation.metric_table import BY_KEY, METRICS


@dataclasses.dataclass(frozen=True)
class Row:
    """The published figures of one network."""

    name: str
    # In Markdown.
    source: str
    # As they are printed, by the keys of metrics.
    scores: Mapping[str, str]


_PORT = (
    "README of DENSEDEPTH_ID0806_for_TensorFlow in [Ascend/ModelZoo-TensorFlow]"
    "(https://github.com/Ascend/ModelZoo-TensorFlow)"
)

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
    _PORT + "; its code divides AbsRel by the prediction and pools RMSE",
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
    _PORT,
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


@dataclasses.dataclass(frozen=True)
class Group:
    """Results measured alike."""

    title: str
    # They were measured, in words.
    how: str
    # The columns, as our figures are called; what is not measured here has no `Metric` of ours.
    metrics: Sequence[Any]
    rows: Sequence[Row]
    # The name of ours that is the same on the filled truth of nyu_test.zip, None without one.
    protocol: Optional[str]


# The RMSE of works that are not measured alike: no figure of ours, and each says how it was taken.
PRINTED = dataclasses.replace(BY_KEY["rms_image"], key="rms_printed", title="RMSE (as printed)")
POOLED, PER_IMAGE, NOT_STATED = "pooled", "per image", "not stated"


def _row(name, source, *figures):
    keys = ("delta1", "delta2", "delta3", "rel_truth", "rms_image", "log10")
    return Row(name, source, {key: figure for key, figure in zip(keys, figures) if figure})


def _printed(name, source, kind, *figures):
    """As `_row`, with the rms as it was printed, of the kind that is said."""
    scores = _row(name, source, *figures).scores
    scores[PRINTED.key] = "{}, {}".format(scores.pop("rms_image"), kind)
    return Row(name, source, scores)


def _columns(*keys):
    return tuple(metric for metric in METRICS if metric.key in keys)


_PER_IMAGE = _columns("delta1", "delta2", "delta3", "rel_truth", "rms_image", "log10")
_AS_PRINTED = tuple(PRINTED if metric.key == "rms_image" else metric for metric in _PER_IMAGE)
_BTS = "[README of BTS](https://github.com/cleinc/bts)"
_ANYTHING = "[README of Depth Anything, metric depth](https://github.com/LiheYoung/Depth-Anything)"
_METRIC3D = "[README of Metric3D](https://github.com/YvanYin/Metric3D)"
_QUOTED = "[arXiv {0}](https://arxiv.org/abs/{0}), as later papers quote it"
_ANYTHING_2 = _QUOTED.format("2406.09414")
_VNL = _QUOTED.format("1907.12209")
_WAVELET = "[its README](https://github.com/nianticlabs/wavelet-monodepth/blob/main/NYUv2/README.md)"
_YOLO = "[pull request 25213 of ultralytics](https://github.com/ultralytics/ultralytics/pull/25213)"
_TABLE_1 = "Table 1 of [arXiv 1812.11941](https://arxiv.org/abs/1812.11941)"

GROUPS = (
    Group(
        "Filled ground truth, crop 20:460 x 24:616, pooled over all pixels",
        "The protocol `port`: DenseDepth's code since August 2019, and the reference port.",
        _columns("delta1", "delta2", "delta3", "rel_prediction", "rms_pooled", "log10"),
        (
            REMEASURED,
            PORT_GPU,
            PORT_ASCEND,
        ),
        "port",
    ),
    Group(
        "Filled ground truth, crop 20:460 x 24:616, each figure averaged over images",
        "The protocol `paper`.",
        _PER_IMAGE,
        (PAPER,),
        "paper",
    ),
    Group(
        "Filled ground truth, crop 45:471 x 41:601, each figure averaged over images",
        "The protocol `bts` on `nyu_test.zip`: crop and averaging of the table below, another ground truth.",
        _PER_IMAGE,
        (
            _row(
                "AdaBins 2021, its predictions on this ground truth",
                "a user's measurement in [issue 4 of AdaBins](https://github.com/shariqfarooq123/AdaBins/issues/4)",
                *("0.887", "0.978", "0.995", "0.110", "0.41", "0.047"),
            ),
        ),
        "bts",
    ),
    Group(
        "Raw ground truth, crop 45:471 x 41:601, 0.001 m < ground truth < 10 m, averaged over images",
        "Common since BTS. Training data, resolution and flip averaging differ between these works. No place for a "
        "run: the ground truth of `nyu_test.zip` is the filled one. But for that, the table above is measured alike.",
        _PER_IMAGE,
        (
            _row("BTS 2019, DenseNet-121", _BTS, "0.871", "0.977", "0.993", "0.118", "0.410", "0.050"),
            _row("BTS 2019, DenseNet-161", _BTS, "0.885", "0.978", "0.994", "0.110", "0.392", "0.047"),
            _row(
                "AdaBins 2021",
                "[its README](https://github.com/shariqfarooq123/AdaBins)",
                *("0.903", "0.984", "0.997", "0.103", "0.364", "0.044"),
            ),
            _row(
                "DPT-Hybrid 2021",
                "[its README](https://github.com/isl-org/DPT)",
                *("0.904", "0.988", "0.998", "0.110", "0.357", "0.045"),
            ),
            _row("P3Depth 2022", _QUOTED.format("2204.02091"), "0.898", "0.981", "0.996", "0.104", "0.356", "0.043"),
            _row(
                "NeWCRFs 2022",
                "[its README](https://github.com/aliyun/NeWCRFs)",
                *("0.922", "0.992", "0.998", "0.095", "0.334", "0.041"),
            ),
            _row(
                "SwinV2-L (MIM) 2022",
                "[its README](https://github.com/SwinTransformer/MIM-Depth-Estimation); its `abs_rel` is another",
                *("0.949", "0.994", "0.999", "", "0.287"),
            ),
            _row(
                "IEBins 2023",
                "[its README](https://github.com/ShuweiShao/IEBins)",
                *("0.936", "0.992", "0.998", "0.087", "0.314"),
            ),
            _row(
                "VPD 2023",
                "[its README](https://github.com/wl-zhao/VPD)",
                *("0.964", "0.995", "0.999", "0.069", "0.254", "0.030"),
            ),
            _row("ZoeDepth 2023, as run again", _ANYTHING, "0.951", "0.994", "0.999", "0.077", "0.282", "0.033"),
            _row(
                "EVP 2023",
                "[its README](https://huggingface.co/spaces/MykolaL/evp)",
                *("0.976", "0.997", "0.999", "0.061", "0.224", "0.027"),
            ),
            _row(
                "Depth Anything V1 ViT-L, fine-tuned", _ANYTHING, "0.984", "0.998", "1.000", "0.056", "0.206", "0.024"
            ),
            _row(
                "Depth Anything V2 ViT-S, fine-tuned", _ANYTHING_2, "0.961", "0.996", "0.999", "0.073", "0.261", "0.032"
            ),
            _row(
                "Depth Anything V2 ViT-B, fine-tuned", _ANYTHING_2, "0.977", "0.997", "1.000", "0.063", "0.228", "0.027"
            ),
            _row(
                "Depth Anything V2 ViT-L, fine-tuned", _ANYTHING_2, "0.984", "0.998", "1.000", "0.056", "0.206", "0.024"
            ),
            _row(
                "UniDepth ViT-L 2024, zero-shot", "[its README](https://github.com/lpiccinelli-eth/UniDepth)", "0.984"
            ),
            _row("Metric3D v1, zero-shot", _METRIC3D, "0.944", "0.986", "0.995", "0.083", "0.310", "0.035"),
            _row("Metric3D v2 ViT-L", _METRIC3D, "0.989", "0.998", "", "0.047", "0.183", "0.020"),
            _row("Metric3D v2 ViT-g", _METRIC3D, "0.987", "0.997", "", "0.045", "0.187", "0.015"),
        ),
        None,
    ),
    Group(
        "Of different or unstated protocols",
        "Mostly as the paper's Table 1 prints them: of different crops and ways to average, not all of them stated. "
        "No place for a run, nor comparable among themselves. WaveletMonodepth's crop, ground truth and pooling are "
        "those of `port`; but its code divides AbsRel by the ground truth, averages no mirror image, predicts without "
        "a border of 16 pixels and repeats the nearest depths there, enlarges with aligned corners, and clips to "
        "0.4..10 m.",
        _AS_PRINTED,
        (
            _printed("Eigen and Fergus 2015", _TABLE_1, NOT_STATED, "0.769", "0.950", "0.988", "0.158", "0.641"),
            _printed(
                "FCRN (Laina et al.) 2016", _TABLE_1, POOLED, "0.811", "0.953", "0.988", "0.127", "0.573", "0.055"
            ),
            _printed("MS-CRF 2017", _TABLE_1, NOT_STATED, "0.811", "0.954", "0.987", "0.121", "0.586", "0.052"),
            _printed("Hao et al. 2018", _TABLE_1, NOT_STATED, "0.841", "0.966", "0.991", "0.127", "0.555", "0.053"),
            _printed("DORN 2018", _TABLE_1, NOT_STATED, "0.828", "0.965", "0.992", "0.115", "0.509", "0.051"),
            _printed("VNL 2019", _VNL, NOT_STATED, "0.875", "0.976", "0.994", "0.108", "0.416", "0.048"),
            _printed(
                "DenseNet-161 baseline of WaveletMonodepth 2021", _WAVELET, POOLED, "0.8430", "", "", "0.1277", "0.5479"
            ),
        ),
        None,
    ),
    Group(
        "Each prediction multiplied by median(ground truth) / median(prediction)",
        "No metric depth: the scale is taken from the ground truth. `external` measures predictions so, with the "
        "alignment `median`; a run is not measured so.",
        _PER_IMAGE,
        (_row("DenseDepth, paper", _TABLE_1, "0.895", "0.980", "0.996", "0.103", "0.390", "0.043"),),
        None,
    ),
    Group(
        "The same of whole images with a ground truth, averaged over images",
        "Ultralytics' validator: no crop, pixels with a ground truth, each image scaled by its median. What its page "
        "prints beside them, 0.882 to 0.933, is of several scales, mirrored images and a fit of the logarithm.",
        _columns("delta1"),
        tuple(
            _row("YOLO26{}-depth 2026".format(size), _YOLO, delta1)
            for size, delta1 in zip("nsmlx", ("0.785", "0.786", "0.827", "0.839", "0.843"))
        ),
        None,
    ),
)


@dataclasses.dataclass(frozen=True)
class Reference:
    """Which published figure is to be reached, and how far from it counts as reached."""

    row: Row
    # As it is printed.
    tolerance: str


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

# The same for a pretrained network and has the form of nyu.h5. Nothing is trained in between, so that
# only the arithmetic may differ; but the paper's RMSE is of an older code and, its author says, of another training.
PAPER_REFERENCES = {
    "delta1": Reference(REMEASURED, "0.002"),
    "delta2": Reference(REMEASURED, "0.002"),
    "delta3": Reference(REMEASURED, "0.002"),
    "rel_truth": Reference(REMEASURED, "0.001"),
    "rel_prediction": Reference(REMEASURED, "0.001"),
    "rms_pooled": Reference(REMEASURED, "0.005"),
    "rms_image": Reference(PAPER, "0.02"),
    "log10": Reference(REMEASURED, "0.0005"),
}

# The forms of networks with published figures, and the size of their input.
PAPER_NETWORK = {"encoder": "densenet169", "width": "full", "upsampling": "align_corners", "mid_activation": False}
PORT_NETWORK = {"encoder": "densenet169", "width": "half", "upsampling": "half_pixel", "mid_activation": True}
NETWORK_SIZE = (480, 640)


def references_of(model: Mapping[str, Any], size: Sequence[int]) -> Optional[Mapping[str, Reference]]:
    """The references for a pretrained network, by its form; None for one that has no published figures."""
    # But for its size, kitti.h5 is of the form of nyu.h5.
    if tuple(size) != NETWORK_SIZE:
        return None
    known = ((PAPER_NETWORK, PAPER_REFERENCES), (PORT_NETWORK, REFERENCES))
    return next((references for form, references in known if form == model), None)


# By how much the `DECIDING` metric of a network that has learned something exceeds that of the constant depth.
BASELINE_MARGIN = 0.15

# The largest difference of a metric between a checkpoint and the graph frozen from it: of one that is meant to be equal
# bit for bit, and of one whose folding rounds differently, which may carry some pixels over a threshold.
FROZEN_TOLERANCE = 1e-6
FOLDED_TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Speed:
    """A published speed of training."""

    name: str
    device: str
    network: str
    # Height and width.
    size: Tuple[int, int]
    batch: int
    devices: int
    precision: str
    step_ms: float
    images_per_second: float


# Training speed of the reference port, from the README above; images/s = batch / step time.
SPEEDS = (
    Speed("reference port, GPU", "V100-SXM2", "densenet169, half", (480, 640), 4, 1, "not stated", 235.0, 17.0),
    Speed("reference port, Ascend 910", "Ascend 910", "densenet169, half", (480, 640), 4, 1, "mixed", 185.0, 21.6),
)
