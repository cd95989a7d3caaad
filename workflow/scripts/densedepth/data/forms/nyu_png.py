"""NYU Depth v2 as Ultralytics publishes it (`nyu-depth-png.zip`): the labelled images as JPEG and 16-bit PNG."""

import re

from .base import TEST, TRAIN, Form, by_pattern, split_of

_PICTURES = re.compile(r"(?P<root>(?:.*/)?)images/(?P<split>train|val|test)/(?P<stem>.+)\.(?:jpg|jpeg|png)$")


def _find(tree, tolerance):
    found = by_pattern(tree, _PICTURES, "{root}depth/{split}/{stem}.png", lambda match: split_of(match.group("split")))
    return found and [pair._replace(bits=16) for pair in found]


FORM = Form(
    "nyu",
    "nyu-depth-png.zip of Ultralytics",
    "images/{train,val}/*.jpg, depth/{train,val}/*.png",
    _find,
    {TRAIN: 0.001, TEST: 0.001},
    "1000 = 1 m",
    "0",
    "github.com/ultralytics/assets/releases",
    {"invalid": [0], "farthest": True},
    {"size": [480, 640], "rows": [20, 459], "columns": [24, 615]},
)
