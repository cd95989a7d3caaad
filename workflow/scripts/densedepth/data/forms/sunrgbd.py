"""SUN RGB-D: `image/*.jpg` and `depth_bfx/*.png` in a folder a scene, 16 bits rotated by three, in millimetres.

`SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat` names the folders of the split; without it scenes are drawn.
"""

import posixpath
import re

from .. import matfile
from .base import TEST, TRAIN, Form, by_pattern, ending, numbered

_PICTURES = re.compile(r"(?P<scene>.+)/image/(?P<stem>[^/]+)\.(?:jpg|png)$")


def _find(tree, tolerance):
    found = by_pattern(tree, _PICTURES, "{scene}/depth_bfx/{stem}.png", group="{scene}")
    if not found:
        return None
    found = [pair._replace(bits=16) for pair in found]
    splits = ending(tree, r"allsplit\.mat")
    if not splits:
        print("{}: no allsplit.mat, so scenes are drawn for the test".format(tree.path), flush=True)
        return found
    data = tree.read(splits[0])
    where = "{}: {}".format(tree.path, splits[0])
    named = {
        split: {_scene(text) for text in matfile.read_texts(where, variable, data)}
        for split, variable in ((TRAIN, "alltrain"), (TEST, "alltest"))
    }
    of_scene = {_scene(pair.group): pair for pair in found}
    return numbered(
        of_scene[scene]._replace(split=split)
        for split in (TRAIN, TEST)
        for scene in sorted(named[split] & set(of_scene))
    )


def _scene(path):
    """The folder of a scene below SUNRGBD: its last parts, from the name of the sensor on."""
    parts = posixpath.normpath(path).split("/")
    start = next((i for i, part in enumerate(parts) if part in ("kv1", "kv2", "realsense", "xtion")), 0)
    return "/".join(parts[start:])


FORM = Form(
    "sunrgbd",
    "SUN RGB-D",
    "SUNRGBD/{kv1,kv2,realsense,xtion}/.../{image/*.jpg,depth_bfx/*.png}, .../allsplit.mat",
    _find,
    {TRAIN: 0.001, TEST: 0.001},
    "1000 = 1 m after rotating 16 bits by three",
    "0",
    "rgbd.cs.princeton.edu",
    {"invalid": [0], "encoding": "rotated"},
)
