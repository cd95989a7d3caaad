"""Virtual KITTI 2: JPEG and 16-bit PNG in centimetres, the sky 65535. There is no split: whole scenes are drawn."""

import re

from .base import TEST, TRAIN, Form, by_pattern

_PICTURES = re.compile(
    r"(?P<scene>(?:.*/)?Scene\d+)/(?P<variant>[^/]+)/frames/rgb/(?P<camera>Camera_\d)/rgb_(?P<n>\d+)\.jpg$"
)


def _find(tree, tolerance):
    found = by_pattern(tree, _PICTURES, "{scene}/{variant}/frames/depth/{camera}/depth_{n}.png", group="{scene}")
    return found and [pair._replace(bits=16) for pair in found]


FORM = Form(
    "vkitti2",
    "Virtual KITTI 2",
    "Scene*/<variant>/frames/{rgb,depth}/Camera_*/{rgb,depth}_NNNNN.{jpg,png}",
    _find,
    {TRAIN: 0.01, TEST: 0.01},
    "100 = 1 m",
    "65535 (sky)",
    "europe.naverlabs.com/proxy-virtual-worlds-vkitti-2",
    {"invalid": [0, 65535]},
)
