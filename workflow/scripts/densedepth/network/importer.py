"""Whole pretrained networks as checkpoints of ours.

They are read from Keras' full-model files, files of PyTorch, object-based checkpoints of tf.keras and checkpoints of
ours. Neither Keras nor PyTorch is needed.
"""

import os
import re
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import files, metadata, runtime
from ..errors import PipelineError
from ..imaging import depth
from ..tf import tf
from . import architecture, checkpoints, keras_model, object_checkpoint, torch_files, torch_model, weights
from .model import Model, model_from_dict


class Foreign(NamedTuple):
    """What was read.

    kind: `keras_model`, `torch`, `object_checkpoint` or `checkpoint`, one of ours; model: the `Model`; values:
    {variable name: float32 array}, all of the network's; decided: {field of the model: in words, by what it was
    decided}, after `import_model` with one for depth_range; told: `size`, `depth_range` (centimetres) and `calibration`
    where a file of ours tells them.
    """

    kind: str
    model: Model
    values: Dict[str, np.ndarray]
    decided: Dict[str, str]
    told: Dict[str, Any]


KERAS_MODEL = "keras_model"
TORCH = "torch"
OBJECT_CHECKPOINT = "object_checkpoint"
OWN_CHECKPOINT = "checkpoint"

# (height, width) of the images that the published networks and the reference port's were trained with.
SIZE = (480, 640)

# Metres that a network may see at most, as in the settings.
_FARTHEST = 1000


def import_model(
    path: str,
    folder: str,
    size: Optional[Sequence[int]] = None,
    upsampling: Optional[str] = None,
    mid_activation: Optional[bool] = None,
    max_depth: Optional[float] = None,
    calibration: Optional[Dict[str, Any]] = None,
) -> Tuple[checkpoints.Checkpoint, Foreign]:
    """Write the network at `path` (see `read`) as the checkpoint `folder` of epoch 0, without optimizer state.

    `size` is the (height, width) of the images it is to be used with; None: those of a checkpoint of ours, else
    `SIZE`. The network's output is `max_depth` (metres) / depth, None: 10 / depth, which is 1000 / depth in
    centimetres; the checkpoint's always is the latter, its last convolution being multiplied by 10 / `max_depth`. The
    range of depth, `loop.depth_range` in the metadata file, ends at `max_depth`. `calibration`: its `scale` is what the
    depth is to be multiplied by, which the last convolution takes up; all of it is kept in the metadata file. Returns
    (checkpoint, foreign), with the values and decisions that were written. Raises PipelineError as `read` does, when
    `folder` holds anything but what was imported from the same `path`, and for a `max_depth` that makes no sense.
    """
    held = _held(folder, path)
    if held:
        raise PipelineError("{}: exists and {}; choose another folder".format(folder, held))
    foreign = read(path, upsampling, mid_activation)
    depth_range, reason = _depth_range(path, foreign, max_depth)
    if max_depth is not None:
        foreign = foreign._replace(values=_scaled(foreign.values, depth.LIMITS_M[1] / max_depth))
    if calibration is not None:
        foreign = foreign._replace(values=_scaled(foreign.values, 1 / calibration["scale"]))
    foreign = foreign._replace(decided=dict(foreign.decided, depth_range=reason))
    size = size or foreign.told.get("size", SIZE)
    side = {
        "epoch": 0,
        "global_step": 0,
        "model": foreign.model.as_dict(),
        "size": list(size),
        "training": {"depth_range": depth_range},
        "weights": dict(_source(path), kind=foreign.kind, decided=foreign.decided, max_depth=max_depth),
        "runtime": runtime.describe(),
    }
    known = calibration or foreign.told.get("calibration")
    if known:
        side["calibration"] = known
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder((size[0], size[1])), foreign.model)
        weights.check_current(path, foreign.values)
        with tf.Session() as session:
            weights.assign(session, foreign.values)
            return checkpoints.write(folder, session, side), foreign


def _held(folder, path):
    """Why something may be lost in `folder`; None: it is not there or empty, or was imported from the same `path`."""
    if not os.path.lexists(folder):
        return None
    names = set(os.listdir(folder)) if os.path.isdir(folder) else set()
    if not names:
        return None if os.path.isdir(folder) else "is no folder"
    if names - _FILES:
        return "holds {}, which no import writes".format(min(names - _FILES))
    other = "was not imported from {}".format(path)
    try:
        held = metadata.read(os.path.join(folder, checkpoints.SIDE_FILE), {"weights": {"path": str, "kind": str}})
    except PipelineError:
        return other
    return None if os.path.abspath(held["weights"]["path"]) == os.path.abspath(_source(path)["path"]) else other


def _depth_range(path, foreign, max_depth):
    """([nearest, farthest] depth in centimetres, by what it was decided)."""
    nearest, farthest = depth.LIMITS_M
    if foreign.told and max_depth is not None:
        raise PipelineError(
            "{}: --max_depth {:g} contradicts a {} of ours, whose output is 1000 / centimetres whatever its "
            "range; leave it out".format(path, max_depth, "checkpoint" if foreign.kind == OWN_CHECKPOINT else "file")
        )
    if foreign.told.get("depth_range"):
        return foreign.told["depth_range"], foreign.decided["encoder"]
    if max_depth is None:
        return [100 * nearest, 100 * farthest], "NYU Depth v2, as nothing else was said"
    # Written so that NaN fails too.
    if not nearest < max_depth <= _FARTHEST:
        raise PipelineError(
            "{}: --max_depth {:g}: must be metres, more than {:g} and at most {:g}".format(
                path, max_depth, nearest, _FARTHEST
            )
        )
    return [100 * nearest, 100 * max_depth], "--max_depth"


def _scaled(values, factor):
    """`values` of a network whose output is `factor` times the old one: the last layer is linear."""
    last = {name: value * np.float32(factor) for name, value in values.items() if name.startswith("conv3/")}
    return dict(values, **last)


_FILES = {checkpoints.SIDE_FILE, "checkpoint", checkpoints.PREFIX + ".index"}
_FILES |= {checkpoints.PREFIX + ".data-00000-of-00001"}


def read(path: str, upsampling: Optional[str] = None, mid_activation: Optional[bool] = None) -> Foreign:
    """The `Foreign` network at `path`: a Keras .h5 file, a file of PyTorch (`.pth` or `.safetensors`), an object-based
    checkpoint, or a checkpoint of ours.

    A checkpoint is named by its prefix, its .index file or its folder, whose last checkpoint counts. `upsampling` and
    `mid_activation` (see `Model`) are for what the source does not tell; for a checkpoint, which gives nothing of
    them, the default is the reference port's network. Raises PipelineError when the source is damaged, is another
    network, contradicts an argument, or leaves something open that no argument decides.
    """
    if torch_files.kind(path):
        found = torch_model.recognise(path, upsampling, mid_activation)
        _refuse_contradictions(path, found.model.as_dict(), upsampling, mid_activation)
        return Foreign(TORCH, found.model, found.values, found.decided, found.told)
    if os.path.isfile(path) and not path.endswith(".index"):
        model, decided = keras_model.recognise(path, upsampling)
        _refuse_contradictions(path, model.as_dict(), upsampling, mid_activation)
        return Foreign(KERAS_MODEL, model, keras_model.values(path, model), decided, {})
    own = _own(path)
    if own:
        model = model_from_dict(own.side["model"])
        _refuse_contradictions(path, model.as_dict(), upsampling, mid_activation)
        told = {"size": own.side["size"], "depth_range": own.side.get("training", {}).get("depth_range")}
        told["calibration"] = own.side.get("calibration")
        decided = dict.fromkeys(model.as_dict(), "its model.json")
        return Foreign(OWN_CHECKPOINT, model, weights.trained(own), decided, told)
    return Foreign(OBJECT_CHECKPOINT, *object_checkpoint.read(path, upsampling, mid_activation), told={})


def _own(path):
    """The checkpoint of ours that `path` names, or None where it is none."""
    prefix = path[: -len(".index")] if path.endswith(".index") else path
    if os.path.exists(prefix + ".index"):
        path = os.path.dirname(prefix) or "."
    if os.path.exists(os.path.join(path, checkpoints.SIDE_FILE)):
        return checkpoints.find(path)
    return None


def _refuse_contradictions(path, found, upsampling, mid_activation):
    for name, wanted in (("upsampling", upsampling), ("mid_activation", mid_activation)):
        if wanted not in (None, found[name]):
            raise PipelineError(
                "{}: --{} {} contradicts the file, which says {}".format(path, name, wanted, found[name])
            )


def _source(path):
    """Path and checksum of what was imported; a checkpoint is known by its files of values, of which `path` and
    `sha256` are the first and `files` has the sums of all."""
    own = _own(path)
    if own:
        path = own.prefix
    if os.path.isfile(path) and not path.endswith(".index"):
        return {"path": path, "sha256": files.sha256(path)}
    prefix = object_checkpoint.prefix_of(path)
    folder, stem = os.path.split(prefix)
    part = re.compile(re.escape(stem) + r"\.data-\d{5}-of-\d{5}$")
    names = sorted(name for name in os.listdir(folder or ".") if part.match(name))
    if not names:
        raise PipelineError("{}: has no file {}.data-...-of-... beside its index".format(prefix, stem))
    sums = {name: files.sha256(os.path.join(folder, name)) for name in names}
    return {"path": os.path.join(folder, names[0]), "sha256": sums[names[0]], "files": sums}
