"""NYU Depth v2 as its authors publish the labelled images: `nyu_depth_v2_labeled.mat` and `splits.mat`.

See `nyu_labeled`; 795 images to train on, 654 to test, with filled depth in metres.
"""

import posixpath

from ...errors import PipelineError
from .. import matfile
from .base import TEST, TRAIN, Form, Pair, ending, numbered


def _find(tree, tolerance):
    found = ending(tree, r".*labeled.*\.mat")
    if not found:
        return None
    if len(found) > 1:
        raise PipelineError("{}: has two files, {} and {}; take one of them out".format(tree.path, *found[:2]))
    splits = [name for name in ending(tree, r"splits\.mat") if posixpath.dirname(name) == posixpath.dirname(found[0])]
    if not splits:
        raise PipelineError(
            "{}: has no splits.mat beside {}, which says what is for the test; get it from "
            "https://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/splits.mat".format(tree.path, found[0])
        )
    local = tree.local(splits[0])
    if not local:
        raise PipelineError("{}: {} is read from a folder only; unpack the archive".format(tree.path, found[0]))
    pairs = []
    for split, variable in ((TRAIN, "trainNdxs"), (TEST, "testNdxs")):
        numbers = matfile.read_numbers(local, variable)
        if min(numbers) < 1 or len(set(numbers)) < len(numbers):
            raise PipelineError("{}: {} holds a number below 1 or twice; download it again".format(local, variable))
        for number in numbers:
            place = "::{}::" + str(number - 1)
            pairs.append(Pair(0, found[0] + place.format("images"), found[0] + place.format("depths"), split))
    return numbered(pairs)


FORM = Form(
    "nyu",
    "the labelled data of NYU Depth v2 (.mat)",
    "nyu_depth_v2_labeled.mat, splits.mat",
    _find,
    {TRAIN: 1.0, TEST: 1.0},
    "metres",
    "none (filled)",
    "cs.nyu.edu/~fergus/datasets/nyu_depth_v2.html",
    {"farthest": True},
    {"size": [480, 640], "rows": [20, 459], "columns": [24, 615]},
)
