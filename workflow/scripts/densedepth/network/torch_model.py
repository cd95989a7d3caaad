"""Whole networks in files of PyTorch: which one it is, and its values."""

from typing import Any, Dict, NamedTuple, Optional

import numpy as np

from .. import files, metadata
from ..errors import PipelineError
from . import torch_names, weights
from .model import SCHEMA, Model, model_from_dict

# What a safetensors file of ours tells of itself, as JSON text under this key of its metadata.
KEY = "densedepth"
TOLD = {
    "format": metadata.OneOf(1),
    "model": SCHEMA,
    "size": metadata.SIZE,
    "depth_range": metadata.Null(metadata.DEPTH_RANGE),
    "epoch": metadata.COUNT,
    "global_step": metadata.COUNT,
    "calibration?": {},
}


class Found(NamedTuple):
    """A network in a file of PyTorch: the `Model`, {variable name: float32 array}, {field: by what it was decided} and
    what a file of ours tells besides (see `TOLD`), nothing for others."""

    model: Model
    values: Dict[str, np.ndarray]
    decided: Dict[str, str]
    told: Dict[str, Any]


def recognise(path: str, upsampling: Optional[str] = None, mid_activation: Optional[bool] = None) -> Found:
    """The whole network in the PyTorch or safetensors file at `path`.

    A file written here tells its network. Of another one the tensors tell encoder and width; upsampling and
    mid_activation are those of the original authors' PyTorch network, align_corners and none, where the arguments say
    nothing. Raises PipelineError for a file that is damaged, tells something else, or has no decoder.
    """
    found, told = torch_names.values(path)
    if KEY in told:
        side = _told(path, told[KEY])
        model = model_from_dict(side["model"])
        return Found(model, found, dict.fromkeys(model.as_dict(), "its metadata"), side)
    names, depths = weights.encoders(found)
    kernel = found.get("conv2/kernel")
    features, filters = kernel.shape[2:] if kernel is not None and kernel.ndim == 4 else (0, 0)
    if not names or not filters or filters not in (features, features // 2):
        raise PipelineError(
            "{}: dense blocks of {} layers, {}; expected a DenseDepth network with tensors such as {}".format(
                path,
                ", ".join(map(str, depths)),
                "no decoder.conv2 (the weights of an encoder alone are for import_weights.py and train.weights)"
                if kernel is None
                else "decoder.conv2.weight of shape {}".format(list(kernel.shape[::-1])),
                torch_names.name_of("conv2_block1_1_conv/kernel"),
            )
        )
    model = Model(
        encoder=names[0],
        width="full" if filters == features else "half",
        upsampling=upsampling or "align_corners",
        mid_activation=bool(mid_activation),
    )
    decided = {"encoder": "names of the tensors", "width": "filters of conv2"}
    for field, wanted in (("upsampling", upsampling), ("mid_activation", mid_activation)):
        theirs = "the original authors' PyTorch network's, as nothing else was said"
        decided[field] = theirs if wanted is None else "--" + field
    return Found(model, found, decided, {})


def _told(path, text):
    try:
        side = files.parse_json(text, path)
    except ValueError as error:
        raise PipelineError("{}: {} of its metadata is not JSON ({})".format(path, KEY, error)) from None
    metadata.check("{}: {} of its metadata".format(path, KEY), side, TOLD)
    return side
