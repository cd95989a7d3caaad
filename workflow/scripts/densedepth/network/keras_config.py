"""The layers in a Keras model's config, as plain data: one form for Keras 2.2, tf.keras and Keras 3.

Keras itself is not needed.
"""

import collections
from typing import Any, Dict, List, NamedTuple, Tuple

from .. import files
from ..errors import PipelineError


class Layer(NamedTuple):
    """One layer of a model.

    name: with `_` for the slashes of Keras 2.2; kind: the class; config: {setting: value}, see `setting`; inputs: the
    names of the layers that it reads, in order.
    """

    name: str
    kind: str
    config: Dict[str, Any]
    inputs: Tuple[str, ...]


# What a setting is where a config does not name it.
DEFAULTS: Dict[str, Dict[str, Any]] = {
    "Activation": {"activation": "linear"},
    "AveragePooling2D": {"pool_size": 2, "strides": None, "padding": "valid"},
    "BatchNormalization": {"axis": -1, "epsilon": 1e-3, "center": True, "scale": True, "training": False},
    "Concatenate": {"axis": -1},
    "Conv2D": {
        "filters": None,
        "kernel_size": None,
        "strides": 1,
        "padding": "valid",
        "dilation_rate": 1,
        "groups": 1,
        "activation": "linear",
        "use_bias": True,
    },
    "LeakyReLU": {"alpha": 0.3},
    "MaxPooling2D": {"pool_size": 2, "strides": None, "padding": "valid"},
    "ZeroPadding2D": {"padding": 1},
}
_PAIRS = ("pool_size", "strides", "kernel_size", "dilation_rate", "size")

# Classes that compute the same at inference.
_KINDS = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
_MODELS = ("Model", "Functional", "Sequential")

# What looking into a config that is built otherwise leads to.
_STRUCTURE = (ValueError, KeyError, TypeError, AttributeError, IndexError)


def parse(path: str, text: str) -> Tuple[List[Layer], str]:
    """(layers, output): the list of `Layer` and the name of the output's, of the `model_config` of the file `path`.

    Raises PipelineError when the text is no config of a model with one output, or wraps another model.
    """
    try:
        top = files.parse_json(text, "{}: model_config".format(path))["config"]
        layers = [_layer(entry) for entry in top["layers"]]
        outputs = _sources(top["output_layers"])
    except _STRUCTURE as error:
        raise unknown(path, error) from None
    names = collections.Counter(layer.name for layer in layers)
    twice = [name for name, count in names.items() if count > 1]
    missing = [name for layer in layers for name in layer.inputs if name not in names]
    if twice or missing:
        raise unknown(path, "the layer {} is there {}".format(*((twice + missing)[0], "twice" if twice else "nowhere")))
    for layer in layers:
        if layer.kind in _MODELS:
            raise PipelineError(
                "{0}: the network lies within the layer {1}, as multi_gpu_model and other wrappers put it; save that "
                "layer alone: model.get_layer({1!r}).save(...)".format(path, layer.name)
            )
    if len(outputs) != 1:
        raise PipelineError("{}: has {} outputs, expected one".format(path, len(outputs)))
    return layers, outputs[0]


def unknown(path: str, error: Any) -> PipelineError:
    """The PipelineError for a config in which `error` was met."""
    words = str(error) if not isinstance(error, Exception) else repr(error).split("\n")[0]
    return PipelineError("{}: model_config is not that of a Keras model ({})".format(path, words[:200]))


def _layer(entry):
    nodes = entry.get("inbound_nodes") or []
    config = dict(entry["config"])
    name = _canonical(config["name"])
    if len(nodes) > 1:
        raise ValueError("{} is used {} times".format(name, len(nodes)))
    # Keras 3 nests the registered name of a custom layer in front, as in `package>Name`.
    kind = entry["class_name"].rpartition(">")[2]
    kind = _KINDS.get(kind, kind)
    if _training(nodes):
        # Batch normalisation then takes the statistics of its input.
        config["training"] = True
    if kind == "LeakyReLU" and "alpha" not in config and "negative_slope" in config:
        config["alpha"] = config["negative_slope"]
    if kind == "ReLU" and not any(config.get(key) for key in ("max_value", "negative_slope", "threshold")):
        kind, config["activation"] = "Activation", "relu"
    return Layer(name, kind, config, tuple(_sources(nodes)))


def _canonical(name):
    return name.replace("/", "_")


def _sources(node):
    """Names of the layers whose outputs are named anywhere in `node`, in order.

    Keras 2 writes them as [name, node index, tensor index, ...], Keras 3 as `keras_history` of a `__keras_tensor__`.
    """
    if isinstance(node, dict):
        history = node.get("keras_history")
        return [_canonical(history[0])] if history else [name for value in node.values() for name in _sources(value)]
    if not isinstance(node, list):
        return []
    if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
        return [_canonical(node[0])]
    return [name for value in node for name in _sources(value)]


def _training(node):
    """Whether the call that `node` tells of has the argument `training=True`."""
    if isinstance(node, dict):
        return node.get("training") is True or any(map(_training, node.values()))
    return isinstance(node, list) and any(map(_training, node))


def setting(layer: Layer, key: str) -> Tuple[Any, bool]:
    """(value, named): the layer's setting in one form, Keras' default where its config does not name it."""
    value = layer.config.get(key)
    named = value is not None
    if not named:
        value = DEFAULTS.get(layer.kind, {}).get(key)
    if key == "strides" and value is None:
        # Of a pool.
        value, _ = setting(layer, "pool_size")
    if key in _PAIRS:
        value = _pair(value)
    elif key == "axis":
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        value = -1 if value == 3 else value
    elif key == "padding" and layer.kind == "ZeroPadding2D":
        value = [_pair(side) for side in _pair(value)]
    elif key == "padding" and layer.kind == "Conv2D" and setting(layer, "kernel_size")[0] == [1, 1]:
        # It makes no difference.
        value = "same"
    return value, named


def _pair(value):
    return list(value) if isinstance(value, (list, tuple)) else [value, value]
