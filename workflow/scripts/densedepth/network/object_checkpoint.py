"""Object-based checkpoints of tf.keras, which the reference port writes: `tf.train.Checkpoint` of a network.

Its keys number the layers in their order; it holds no config.
"""

import os
import re
from typing import Dict, Optional, Tuple

import numpy as np

from .. import metadata
from ..errors import PipelineError
from ..tf import tf
from . import architecture, weights
from .model import BLOCKS, Model

# The decoder's convolutions beside the two of each up block: conv2 and conv3.
_DECODER_LAYERS = 10
# A key for a weight in a checkpoint: of tf.keras, which numbers the layers that have weights, or of Keras 3, which
# numbers all operations.
_ENTRY = re.compile(r"(?:(.+)/)?(?:layer_with_weights-|_operations/)(\d+)/_?([a-z]\w*)/\.ATTRIBUTES/VARIABLE_VALUE$")


def read(
    path: str, upsampling: Optional[str] = None, mid_activation: Optional[bool] = None
) -> Tuple[Model, Dict[str, np.ndarray], Dict[str, str]]:
    """(model, values, decided) of the checkpoint that `path` names: the `Model`, {variable name: float32 array} and
    {field of the model: by what it was decided}.

    `upsampling` and `mid_activation`, of which the checkpoint tells nothing, are the reference port's where they are
    None. Raises PipelineError when the checkpoint is damaged or of another network.
    """
    prefix = prefix_of(path)
    try:
        reader = tf.train.load_checkpoint(prefix)
        stored = _entries(prefix, reader)
        values = {key: np.asarray(reader.get_tensor(name), np.float32) for key, name in stored.items()}
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        message = str(getattr(error, "message", error)).split("\n")[0]
        raise PipelineError("{}: damaged checkpoint ({})".format(prefix, message)) from None
    count = len({layer for layer, _ in stored})
    # Each dense layer has two convolutions and two normalisations; a convolution and a normalisation at the
    # beginning, two of them in each transition, one normalisation at the end.
    encoders = {4 * sum(blocks) + 9: name for name, blocks in BLOCKS.items()}
    if count - _DECODER_LAYERS not in encoders:
        raise PipelineError(
            "{}: {} layers with weights; expected {}".format(
                prefix,
                count,
                ", ".join("{} ({})".format(n + _DECODER_LAYERS, name) for n, name in sorted(encoders.items())),
            )
        )
    kernel = values.get((count - _DECODER_LAYERS, "kernel"))
    if kernel is None or kernel.ndim != 4 or kernel.shape[3] not in (kernel.shape[2], kernel.shape[2] // 2):
        raise PipelineError(
            "{}: layer {}, expected the decoder's first convolution, has a kernel of shape {}".format(
                prefix, count - _DECODER_LAYERS, None if kernel is None else list(kernel.shape)
            )
        )
    model = Model(
        encoder=encoders[count - _DECODER_LAYERS],
        width="full" if kernel.shape[3] == kernel.shape[2] else "half",
        upsampling=upsampling or "half_pixel",
        mid_activation=True if mid_activation is None else mid_activation,
    )
    decided = {"encoder": "number of layers", "width": "filters of conv2"}
    for field, wanted in (("upsampling", upsampling), ("mid_activation", mid_activation)):
        decided[field] = "the reference port's, as nothing else was said" if wanted is None else "--" + field
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(), model)
        # Keras numbers layers with weights by depth in the network, which is one chain: the order in which ours makes
        # its variables.
        order: Dict[str, int] = {}
        for variable in tf.global_variables():
            order.setdefault(variable.op.name.rpartition("/")[0], len(order))
        named = {number: layer for layer, number in order.items()}
        values = {"{}/{}".format(named[layer], kind): value for (layer, kind), value in values.items()}
        weights.check_current(prefix, values)
    return model, values, decided


def prefix_of(path: str) -> str:
    """The prefix of the checkpoint that `path` names: a prefix, an .index file, or a folder with `checkpoint`."""
    if path.endswith(".index"):
        return path[: -len(".index")]
    if os.path.exists(path + ".index"):
        return path
    if not os.path.isdir(path):
        raise PipelineError("{}: neither a Keras .h5 file nor a checkpoint (no {}.index)".format(path, path))
    listing = os.path.join(path, "checkpoint")
    if not os.path.isfile(listing):
        raise PipelineError("{}: a folder without the file `checkpoint`; name the prefix of the files".format(path))
    try:
        state = tf.train.get_checkpoint_state(path)
    except (tf.errors.OpError, ValueError):
        state = None
    if state is None:
        raise PipelineError("{}: damaged; name the prefix of the checkpoint's files instead".format(listing))
    # The path in it may be that of another machine.
    name = os.path.basename(state.model_checkpoint_path)
    metadata.check(listing, {"model_checkpoint_path": name}, {"model_checkpoint_path": metadata.NAME})
    prefix = os.path.join(path, name)
    if not os.path.exists(prefix + ".index"):
        raise PipelineError("{}: the file `checkpoint` names {}, which is not there".format(path, prefix))
    return prefix


def _entries(prefix, reader):
    """{(number among the layers with weights, kind of weight): key} of the network in an object-based checkpoint."""
    found: Dict[str, Dict[Tuple[int, str], str]] = {}
    for key in reader.get_variable_to_shape_map():
        match = _ENTRY.match(key)
        if match and "/.OPTIMIZER_SLOT/" not in key:
            found.setdefault(match.group(1) or "", {})[int(match.group(2)), match.group(3)] = key
    if not found:
        raise PipelineError(
            "{}: no keys as model/layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE; "
            "expected tf.train.Checkpoint of a tf.keras model".format(prefix)
        )
    if len(found) > 1 and "model" not in found:
        raise PipelineError("{}: holds several networks: {}".format(prefix, ", ".join(sorted(found))))
    entries = found["model"] if "model" in found else found.popitem()[1]
    ranks = {number: rank for rank, number in enumerate(sorted({number for number, _ in entries}))}
    return {(ranks[number], kind): key for (number, kind), key in entries.items()}
