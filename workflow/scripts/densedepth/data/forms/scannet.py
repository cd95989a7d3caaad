"""ScanNet as its tools export it: `color/*.jpg` and `depth/*.png` (mm) in a folder a scene.

`scannetv2_{train,val}.txt` name the scenes of the split; without them scenes are drawn. `.sens` files are not read:
export them first.
"""

import posixpath
import re

from ...errors import PipelineError
from .. import pair_lists
from .base import SKIP, TEST, TRAIN, Form, by_pattern, ending

_PICTURES = re.compile(r"(?P<root>(?:.*/)?)(?P<scene>scene\d+_\d+)/color/(?P<stem>[^/]+)\.(?:jpg|png)$")


def _find(tree, tolerance):
    scenes = {}
    for split, word in ((TRAIN, "train"), (TEST, "val")):
        for name in ending(tree, r"scannetv\d_{}\.txt".format(word)):
            text = pair_lists.decoded(tree.read(name), "{}: {}".format(tree.path, name))
            scenes.update(dict.fromkeys(text.split(), split))
    found = by_pattern(
        tree,
        _PICTURES,
        "{root}{scene}/depth/{stem}.png",
        lambda match: scenes.get(match.group("scene"), SKIP) if scenes else None,
        group="{scene}",
    )
    if not found and any(posixpath.splitext(name)[1] == ".sens" for name in tree.names()):
        raise PipelineError(
            "{}: .sens files are not read; export colour and depth with SensReader of "
            "github.com/ScanNet/ScanNet".format(tree.path)
        )
    return found and [pair._replace(bits=16) for pair in found]


FORM = Form(
    "scannet",
    "ScanNet, exported",
    "scene*/color/*.jpg, scene*/depth/*.png, scannetv2_{train,val}.txt",
    _find,
    {TRAIN: 0.001, TEST: 0.001},
    "1000 = 1 m",
    "0",
    "github.com/ScanNet/ScanNet",
    {"invalid": [0]},
)
