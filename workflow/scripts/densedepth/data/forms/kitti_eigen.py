"""KITTI with Eigen's split: raw images, projected laser depth, and the lists of BTS (`rgb depth focal`, `None`)."""

from typing import List, Tuple

from ...errors import PipelineError
from ..trees import Tree
from .base import TEST, TRAIN, Form, ending, of_lists


def _find(tree, tolerance):
    lists = named_lists(tree)
    return of_lists(tree, lists, bits=16) if lists else None


def named_lists(tree: Tree) -> List[Tuple[str, str]]:
    """[(name, split)] of both lists of Eigen's split; none where neither is there.

    Raises PipelineError, with the way out, where one of them is missing or there twice.
    """
    lists = []
    for split in (TRAIN, TEST):
        found = ending(tree, r"(kitti_)?eigen_{}_files_with_gt.*\.txt".format(split))
        if len(found) > 1:
            raise PipelineError("{}: has two lists, {} and {}; take one of them out".format(tree.path, *found[:2]))
        lists += [(name, split) for name in found]
    if len(lists) == 1:
        missing = TEST if lists[0][1] == TRAIN else TRAIN
        raise PipelineError(
            "{}: has {}, but no eigen_{}_files_with_gt.txt; get it from the folder train_test_inputs of "
            "github.com/cleinc/bts".format(tree.path, lists[0][0], missing)
        )
    return lists


FORM = Form(
    "kitti_eigen",
    "KITTI with the lists of Eigen's split",
    "<date>/<drive>/image_02/data/*.png, <drive>/proj_depth/groundtruth/image_02/*.png in any folders, "
    "eigen_{train,test}_files_with_gt.txt",
    _find,
    {TRAIN: 1 / 256, TEST: 1 / 256},
    "256 = 1 m",
    "0",
    "cvlibs.net/datasets/kitti/eval_depth.php; github.com/cleinc/bts",
    {"invalid": [0]},
    # The size of KITTI's own benchmark; it holds all of Garg's and of Eigen's crop.
    window=(352, 1216),
)
