"""NYU Depth v2 as BTS, AdaBins and NeWCRFs have it: `sync` (24,231 pairs), and lists with focal lengths."""

from ...errors import PipelineError
from .base import TEST, TRAIN, Form, ending, of_lists


def _find(tree, tolerance):
    if not ending(tree, r"sync_depth_\d+\.png"):
        return None
    lists = []
    for split in (TRAIN, TEST):
        found = ending(tree, r"nyu.*{}.*\.txt".format(split))
        if len(found) != 1:
            raise PipelineError(
                "{}: expected one list nyudepthv2_{}_files_with_gt.txt, found {}; put it there from the folder "
                "train_test_inputs of github.com/cleinc/bts".format(tree.path, split, len(found) or "none")
            )
        lists.append((found[0], split))
    return of_lists(tree, lists, bits=16)


FORM = Form(
    "nyu",
    "the sync folder of BTS with its lists",
    "<scene>/rgb_NNNNN.jpg and sync_depth_NNNNN.png, nyudepthv2_{train,test}_files_with_gt.txt",
    _find,
    {TRAIN: 0.001, TEST: 0.001},
    "1000 = 1 m",
    "0",
    "github.com/cleinc/bts",
    {"invalid": [0], "farthest": True},
    {"size": [480, 640], "rows": [20, 459], "columns": [24, 615]},
)
