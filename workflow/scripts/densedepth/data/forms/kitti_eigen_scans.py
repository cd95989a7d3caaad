"""KITTI with Eigen's split, tested on all 697 images, whose ground truth is made of the raw laser scans.

Trained on is what `kitti_eigen` is: improved depth of the same lists.
"""

import re

from ...errors import PipelineError
from . import kitti_eigen
from .base import TEST, TRAIN, of_lists

_PICTURE = re.compile(r"(?P<drive>.*)/(?P<camera>image_0[0-3])/data/(?P<stem>[^/]+)\.\w+$")


def _find(tree, tolerance):
    lists = kitti_eigen.named_lists(tree)
    if not lists:
        return None
    train = of_lists(tree, [one for one in lists if one[1] == TRAIN], bits=16)
    test = of_lists(tree, [one for one in lists if one[1] == TEST], edited=_with_scans)
    return train + [pair._replace(depth="{}::{}".format(pair.depth, _camera(tree, pair))) for pair in test]


def _camera(tree, pair):
    match = _PICTURE.match(pair.rgb)
    if not match:
        words = "{}: row {} names {}, which is no <drive>/image_02/data/N.png: no scan is known for it"
        raise PipelineError(words.format(tree.path, pair.number, pair.rgb))
    return match.group("camera")


def _with_scans(text):
    """The list with the scan of each image as its depth, also where it names none."""
    lines = []
    for line in text.splitlines():
        fields = line.split()
        match = _PICTURE.match(fields[0]) if len(fields) > 1 else None
        if match:
            fields[1] = "{drive}/velodyne_points/data/{stem}.bin".format(**match.groupdict())
        lines.append(" ".join(fields))
    return "\n".join(lines)


FORM = kitti_eigen.FORM._replace(
    dataset="kitti_eigen_scans",
    words="KITTI with the lists of Eigen's split, tested on raw laser scans",
    layout="as `kitti_eigen`, <date>/<drive>/velodyne_points/data/*.bin, <date>/calib_{cam_to_cam,velo_to_cam}.txt",
    find=_find,
    units={TRAIN: 1 / 256, TEST: 1},
    unit="256 = 1 m to train, metres to test",
    source="cvlibs.net/datasets/kitti/raw_data.php; github.com/cleinc/bts",
)
