"""ETH3D, high resolution: JPEG, and raw float32 of the same name and size in metres. It is a test set alone."""

import re

from .base import TEST, TRAIN, Form, by_pattern

_PICTURES = re.compile(
    r"(?P<scene>(?:.*/)?[^/]+)/images/(?P<kind>dslr_images[^/]*)/(?P<stem>[^/]+)\.(?P<suffix>JPG|jpg)$"
)


def _find(tree, tolerance):
    return by_pattern(
        tree,
        _PICTURES,
        "{scene}/ground_truth_depth/{kind}/{stem}.{suffix}",
        lambda match: TEST,
        group="{scene}",
    )


FORM = Form(
    "eth3d",
    "ETH3D (high resolution)",
    "<scene>/images/dslr_images/*.JPG, <scene>/ground_truth_depth/dslr_images/*.JPG (raw float32)",
    _find,
    {TRAIN: 1.0, TEST: 1.0},
    "metres",
    "infinity",
    "eth3d.net/documentation",
    {"raw_size": "picture"},
)
