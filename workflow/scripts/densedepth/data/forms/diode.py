"""DIODE: `x.png`, `x_depth.npy` in metres and `x_depth_mask.npy`; `val` is the test."""

import re

from .base import TEST, TRAIN, Form, by_pattern, split_of

_PICTURES = re.compile(r"(?P<root>(?:.*/)?)(?P<split>train|val|test)/(?P<stem>.+)\.png$")


def _find(tree, tolerance):
    return by_pattern(
        tree,
        _PICTURES,
        "{root}{split}/{stem}_depth.npy",
        lambda match: split_of(match.group("split")),
        mask="{root}{split}/{stem}_depth_mask.npy",
    )


FORM = Form(
    "diode",
    "DIODE",
    "{train,val}/{indoors,outdoor}/scene_*/scan_*/*.png, *_depth.npy, *_depth_mask.npy",
    _find,
    {TRAIN: 1.0, TEST: 1.0},
    "metres",
    "mask 0",
    "diode-dataset.org",
    {"mask_minimum": 1},
)
