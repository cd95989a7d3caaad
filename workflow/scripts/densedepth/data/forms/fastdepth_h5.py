"""NYU Depth v2 as FastDepth has it, which is `nyu_depth_v2` of TensorFlow Datasets and of the hub: a .h5 a pair.

Unpacked, `nyudepthv2/{train,val}/<scene>/NNNNN.h5`; or the tar files of the hub, whose names begin with the split.
"""

import re

from .base import TEST, TRAIN, Form, Pair, numbered, split_of

_NAME = re.compile(r"(?:.*/)?(?P<split>train|val)(?:-\d+[^/]*)?/(?P<rest>.*)\.h5$")


def _find(tree, tolerance):
    pairs = []
    for name in tree.names():
        match = _NAME.match(name)
        if match:
            scene = match.group("rest").rpartition("/")[0]
            pairs.append(Pair(0, name + "::rgb", name + "::depth", split_of(match.group("split")), scene))
    return numbered(pairs) or None


FORM = Form(
    "nyu",
    "the .h5 files of FastDepth",
    "{train,val}/<scene>/NNNNN.h5, or train-*.tar and val-*.tar with them",
    _find,
    {TRAIN: 1.0, TEST: 1.0},
    "metres",
    "0",
    "github.com/dwofk/fast-depth; huggingface.co/datasets/sayakpaul/nyu_depth_v2",
    {"invalid": [0], "farthest": True},
    {"size": [480, 640], "rows": [20, 459], "columns": [24, 615]},
)
