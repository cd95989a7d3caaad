"""iBims-1 (`ibims1_core_raw`): PNG images, 16-bit PNG depth of at most 50 m, and masks. It is a test set alone."""

import re

from .base import TEST, TRAIN, Form, by_pattern

_PICTURES = re.compile(r"(?P<root>(?:.*/)?)rgb/(?P<stem>[^/]+)\.png$")


def _find(tree, tolerance):
    found = by_pattern(
        tree, _PICTURES, "{root}depth/{stem}.png", lambda match: TEST, mask="{root}mask_invalid/{stem}.png"
    )
    return found and [pair._replace(bits=16) for pair in found]


FORM = Form(
    "ibims1",
    "iBims-1 (core, raw)",
    "rgb/*.png, depth/*.png, mask_invalid/*.png",
    _find,
    {TRAIN: 50 / 65535, TEST: 50 / 65535},
    "65535 = 50 m",
    "0, mask_invalid 0",
    "asg.ed.tum.de/lmf/ibims1",
    {"invalid": [0], "mask_minimum": 1},
)
