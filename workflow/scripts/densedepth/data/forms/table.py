"""All forms that are recognised, by data set; the first that fits is taken."""

from typing import Dict, List

from . import bts_sync, fastdepth_h5, nyu_archive, nyu_labeled_mat, nyu_png
from .base import Form

FORMS: List[Form] = [
    nyu_archive.FORM,
    nyu_labeled_mat.FORM,
    bts_sync.FORM,
    nyu_png.FORM,
    fastdepth_h5.FORM,
]
DATASETS: Dict[str, List[Form]] = {}
for form in FORMS:
    DATASETS.setdefault(form.dataset, []).append(form)
