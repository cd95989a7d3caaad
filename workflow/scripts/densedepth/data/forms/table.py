"""All forms that are recognised, by data set; the first that fits is taken."""

from typing import Dict, List

from . import (
    arkitscenes,
    bts_sync,
    diode,
    eth3d,
    fastdepth_h5,
    hypersim,
    ibims1,
    kitti_eigen,
    kitti_eigen_scans,
    nyu_archive,
    nyu_labeled_mat,
    nyu_parquet,
    nyu_png,
    scannet,
    sunrgbd,
    tum,
    vkitti2,
)
from .base import Form

_MODULES = (
    *(nyu_archive, nyu_labeled_mat, bts_sync, nyu_png, fastdepth_h5, nyu_parquet, kitti_eigen, kitti_eigen_scans),
    *(sunrgbd, tum, diode, vkitti2, hypersim, arkitscenes, scannet, eth3d, ibims1),
)
FORMS: List[Form] = [module.FORM for module in _MODULES] + [nyu_parquet.MILLIMETRES]
DATASETS: Dict[str, List[Form]] = {}
for form in FORMS:
    DATASETS.setdefault(form.dataset, []).append(form)
