"""ARKitScenes: PNG and 16-bit PNG in millimetres; of the sensor's depth only pixels of confidence 2 (the highest)."""

import re

from .base import TEST, TRAIN, Form, by_pattern, split_of

_PICTURES = re.compile(
    r"(?P<root>(?:.*/)?)(?P<split>Training|Validation)/(?P<scene>.+)/(?P<kind>lowres_wide|wide)/(?P<stem>[^/]+)\.png$"
)


def _find(tree, tolerance):
    found = by_pattern(
        tree,
        _PICTURES,
        "{root}{split}/{scene}/lowres_depth/{stem}.png",
        lambda match: split_of(match.group("split")),
        group="{scene}",
        mask="{root}{split}/{scene}/confidence/{stem}.png",
    )
    return found and [pair._replace(bits=16) for pair in found]


FORM = Form(
    "arkitscenes",
    "ARKitScenes",
    "{Training,Validation}/<video>/{wide or lowres_wide,lowres_depth,confidence}/*.png",
    _find,
    {TRAIN: 0.001, TEST: 0.001},
    "1000 = 1 m",
    "0, confidence below 2",
    "github.com/apple/ARKitScenes",
    {"invalid": [0], "mask_minimum": 2},
)
