"""NYU Depth v2 in parquet files of the hub: a column of images and one of depth, in metres or in millimetres."""

import re

from .base import TEST, TRAIN, Form, by_pattern, split_of

_IMAGES = re.compile(
    r"(?P<root>(?:.*/)?(?:[^/]*-)?(?P<split>train|validation|val|test)(?:[-_][^/]*)?/(?:[^/]+/)?)"
    r"(?:image|rgb|color)s?/(?P<row>\d+)\.(?:jpg|png)$"
)
_COLUMNS = ("depth_map", "depth", "depths")


def _find(suffixes, bits):
    def find(tree, tolerance):
        for column in _COLUMNS:
            for suffix in suffixes:
                name = "{root}" + column + "/{row}" + suffix
                found = by_pattern(tree, _IMAGES, name, lambda match: split_of(match.group("split")))
                if found:
                    return [pair._replace(bits=bits) for pair in found]
        return None

    return find


def _form(words, suffixes, bits, metres_per_unit, unit):
    return Form(
        "nyu",
        "parquet files of the hub, " + words,
        "{train,val,validation}*.parquet with a column image or rgb and a column depth_map or depth",
        _find(suffixes, bits),
        {TRAIN: metres_per_unit, TEST: metres_per_unit},
        unit,
        "0",
        "huggingface.co/datasets/sayakpaul/nyu_depth_v2, tanganke/nyuv2; their columns could not be looked at",
        {"invalid": [0], "farthest": True},
        {"size": [480, 640], "rows": [20, 459], "columns": [24, 615]},
    )


FORM = _form("depth as fractions", (".tif", ".npy"), None, 1, "metres")
MILLIMETRES = _form("depth as 16-bit PNG", (".png",), 16, 0.001, "1000 = 1 m")
