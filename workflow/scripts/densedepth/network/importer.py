"""Whole pretrained networks: Keras' full-model files, object-based checkpoints of tf.keras, checkpoints of ours.

`nyu.h5` and `kitti.h5`, published with the paper, are full models of Keras 2.2 (HDF5): attribute `model_config` with
the layers and how they are connected, group `model_weights`. The reference port writes `tf.train.Checkpoint`, whose
keys number the layers in their order and which holds no config. Keras itself is not needed for either.
"""

import collections
import json
import os
import re

import numpy as np

from .. import files, runtime
from ..data import hdf5
from ..errors import PipelineError
from ..imaging import depth
from ..tf import tf
from . import architecture, checkpoints, weights
from .model import BLOCKS, UPSAMPLINGS, Model, model_from_dict

Foreign = collections.namedtuple("Foreign", "kind model values decided")
Foreign.__doc__ = """What was read.

kind: `keras_model`, `object_checkpoint` or `checkpoint`, one of ours; model: the `Model`; values: {variable name:
float32 array}, all of the network's; decided: {field of the model: in words, by what it was decided}, after
`import_model` with one for depth_range.
"""

KERAS_MODEL = "keras_model"
OBJECT_CHECKPOINT = "object_checkpoint"
OWN_CHECKPOINT = "checkpoint"

# (height, width) of the images that the published networks and the reference port's were trained with.
SIZE = (480, 640)

# The steepness below zero of the activations in the decoder, and the epsilon of DenseNet's batch normalisation; and
# what Keras takes where a config says nothing.
_LEAK = 0.2
_EPSILON = 1.001e-5
_KERAS_LEAK = 0.3
_KERAS_EPSILON = 1e-3

# Metres that a network may see at most, as in the settings.
_FARTHEST = 1000

# The decoder's convolutions beside the two of each up block: conv2 and conv3.
_DECODER_LAYERS = 10
# A key for a weight in a checkpoint: of tf.keras, which numbers the layers that have weights, or of Keras 3, which
# numbers all operations.
_ENTRY = re.compile(r"(?:(.+)/)?(?:layer_with_weights-|_operations/)(\d+)/_?([a-z]\w*)/\.ATTRIBUTES/VARIABLE_VALUE$")


def import_model(path, folder, size=None, upsampling=None, mid_activation=None, max_depth=None):
    """Write the network at `path` (see `read`) as the checkpoint `folder` of epoch 0, without optimizer state.

    `size` is the (height, width) of the images it is to be used with; None: those of a checkpoint of ours, else
    `SIZE`. The network's output is `max_depth` (metres) / depth, None: 10 / depth, which is 1000 / depth in
    centimetres; the checkpoint's always is the latter, its last convolution being multiplied by 10 / `max_depth`. The
    range of depth, `loop.depth_range` in the metadata file, ends at `max_depth`. Returns (checkpoint, foreign), with
    the values and decisions that were written. Raises PipelineError as `read` does, when `folder` holds anything but
    an imported network, and for a `max_depth` that makes no sense.
    """
    if os.path.exists(folder) and not (os.path.isdir(folder) and set(os.listdir(folder)) <= _FILES):
        raise PipelineError("{}: exists and is not an imported network; choose another folder".format(folder))
    own = _own(path)
    depth_range, reason = _depth_range(path, own, max_depth)
    foreign = read(path, upsampling, mid_activation)
    if max_depth is not None:
        foreign = foreign._replace(values=_scaled(foreign.values, depth.LIMITS_M[1] / max_depth))
    foreign = foreign._replace(decided=dict(foreign.decided, depth_range=reason))
    size = size or (own.side["size"] if own else SIZE)
    side = {
        "epoch": 0,
        "global_step": 0,
        "model": foreign.model.as_dict(),
        "size": list(size),
        "training": {"depth_range": depth_range},
        "weights": dict(_source(path), kind=foreign.kind, decided=foreign.decided, max_depth=max_depth),
        "runtime": runtime.describe(),
    }
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(size), foreign.model)
        _check_values(path, foreign.values)
        with tf.Session() as session:
            weights.assign(session, foreign.values)
            return checkpoints.write(folder, session, side), foreign


def _depth_range(path, own, max_depth):
    """([nearest, farthest] depth in centimetres, by what it was decided)."""
    nearest, farthest = depth.LIMITS_M
    if own and max_depth is not None:
        raise PipelineError(
            "{}: --max_depth {:g} contradicts a checkpoint of ours, whose output is 1000 / centimetres whatever its "
            "range; leave it out".format(path, max_depth)
        )
    trained = own and own.side.get("training", {}).get("depth_range")
    if trained:
        return trained, "its model.json"
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


def read(path, upsampling=None, mid_activation=None):
    """The `Foreign` network at `path`: a Keras .h5 file, an object-based checkpoint, or a checkpoint of ours.

    A checkpoint is named by its prefix, its .index file or its folder, whose last checkpoint counts. `upsampling` and
    `mid_activation` (see `Model`) are for what the source does not tell; for a checkpoint, which gives nothing of
    them, the default is the reference port's network. Raises PipelineError when the source is damaged, is another
    network, contradicts an argument, or leaves something open that no argument decides.
    """
    if os.path.isfile(path) and not path.endswith(".index"):
        return _read_keras(path, upsampling, mid_activation)
    own = _own(path)
    if own:
        model = model_from_dict(own.side["model"])
        _refuse_contradictions(path, model.as_dict(), upsampling, mid_activation)
        return Foreign(OWN_CHECKPOINT, model, weights.trained(own), dict.fromkeys(model.as_dict(), "its model.json"))
    return _read_checkpoint(path, upsampling, mid_activation)


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
    prefix = _prefix(path)
    folder, stem = os.path.split(prefix)
    part = re.compile(re.escape(stem) + r"\.data-\d{5}-of-\d{5}$")
    names = sorted(name for name in os.listdir(folder or ".") if part.match(name))
    if not names:
        raise PipelineError("{}: has no file {}.data-...-of-... beside its index".format(prefix, stem))
    sums = {name: files.sha256(os.path.join(folder, name)) for name in names}
    return {"path": os.path.join(folder, names[0]), "sha256": sums[names[0]], "files": sums}


def _check_values(path, values):
    shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    weights.check(path, shapes, values, complete=True)


# Keras' full models


def _read_keras(path, upsampling, mid_activation):
    stored = weights.read_keras(path)
    layers = _Layers(path)
    names, depths = weights.encoders(stored)
    if not names:
        raise PipelineError(
            "{}: no known encoder (dense blocks of {} layers); known are {}".format(
                path, ", ".join(map(str, depths)), ", ".join(sorted(BLOCKS))
            )
        )
    try:
        found = layers.decoder()
        found["upsampling"], reason = layers.upsampling(found["upsampling"], upsampling)
    except _STRUCTURE as error:
        raise PipelineError("{}: model_config is not that of a Keras model ({!r})".format(path, error)) from None
    _refuse_contradictions(path, found, upsampling, mid_activation)
    model = model_from_dict(dict(found, encoder=names[0]))
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(), model)
        variables = {weights.key_of(*v.op.name.rsplit("/", 1)): v.op.name for v in tf.global_variables()}
        values = {variables.get(key, key): value for key, value in stored.items()}
        _check_values(path, values)
    decided = dict.fromkeys(model.as_dict(), "the layers of the file")
    return Foreign(KERAS_MODEL, model, values, dict(decided, upsampling=reason))


# What a model_config that is built otherwise leads to.
_STRUCTURE = (ValueError, KeyError, TypeError, AttributeError)

_Layer = collections.namedtuple("_Layer", "name kind config inputs")


class _Layers:
    """The layers of a full model as its `model_config` tells them."""

    def __init__(self, path):
        self._path = path
        try:
            with hdf5.open_file(path) as root:
                text, version = root.attrs.get("model_config"), root.attrs.get("keras_version", "")
        except hdf5.DAMAGE as error:
            raise self._error("its attributes cannot be read ({}); fetch it again", hdf5.words(error)) from None
        if text is None:
            raise self._error(
                "holds weights without model_config, so the decoder's activation and upsampling are unknown; "
                "save the whole model (the weights of an encoder alone are for import_weights.py)"
            )
        self._version = _text(version)
        try:
            top = json.loads(_text(text))["config"]
            self._layers = {layer.name: layer for layer in map(_layer, top["layers"])}
            self._output = _sources(top["output_layers"])
        except _STRUCTURE as error:
            raise self._error("model_config is not that of a Keras model ({!r})", error) from None
        for layer in self._layers.values():
            if layer.kind in ("Model", "Functional", "Sequential"):
                raise self._error(
                    "the network lies within the layer {0}, as multi_gpu_model and other wrappers put it; save that "
                    "layer alone: model.get_layer({0!r}).save(...)",
                    layer.name,
                )
            if layer.kind.startswith("BatchNormalization"):
                self._check_number(layer, ("epsilon",), _KERAS_EPSILON, _EPSILON, 1e-9)
            if layer.config.get("data_format", "channels_last") != "channels_last":
                raise self._error("{} has data_format {}", layer.name, layer.config["data_format"])

    def _error(self, text, *values):
        return PipelineError("{}: {}".format(self._path, text.format(*values)))

    def decoder(self):
        """Width, upsampling (the layer, not yet its meaning) and mid_activation, on a walk from the output back."""
        if len(self._output) != 1:
            raise self._error("has {} outputs, expected one", len(self._output))
        x = self._convolution(self._layers[self._output[0]], "conv3")
        middle, enlargers = set(), []
        for level, skip in ((4, "conv1_relu"), (3, "pool1"), (2, "pool2_pool"), (1, "pool3_pool")):
            up = "up{}".format(level)
            if not self._is_leaky(x):
                raise self._error("expected the activation of {}, got {}", up + "_convB", x.name)
            x = self._convolution(self._before(x), up + "_convB")
            middle.add(self._is_leaky(x))
            x = self._convolution(self._before(x) if self._is_leaky(x) else x, up + "_convA")
            if x.kind != "Concatenate" or len(x.inputs) != 2 or x.inputs[1].replace("/", "_") != skip:
                raise self._error("{} {} does not concatenate {} with the upsampled features", x.kind, x.name, skip)
            enlargers.append(self._layers[x.inputs[0]])
            x = self._before(enlargers[-1])
        filters = x.config.get("filters")
        x = self._convolution(x, "conv2")
        if x.name != "relu" or self._before(x).name != "bn":
            note = "; networks of Keras-Applications before 1.0.6 lack it and differ" if x.name == "bn" else ""
            raise self._error("conv2 reads {}, expected the activation `relu` after `bn`{}", x.name, note)
        if len(middle) != 1 or len({(layer.kind, str(_settings(layer))) for layer in enlargers}) != 1:
            raise self._error("the decoder's blocks differ from one another")
        features = self._features()
        widths = {features: "full", features // 2: "half"}
        if filters not in widths:
            raise self._error("conv2 has {} filters, expected {} or {}", filters, features // 2, features)
        return {"width": widths[filters], "upsampling": enlargers[0], "mid_activation": middle.pop()}

    def _features(self):
        """Channels at the encoder's end: half the transition's, and what the last block's layers add."""
        grown = [layer for layer in self._layers.values() if re.match(r"conv5_block\d+_2_conv$", layer.name)]
        return self._layers["pool4_conv"].config["filters"] + sum(layer.config["filters"] for layer in grown)

    def _before(self, layer):
        if len(layer.inputs) != 1:
            raise self._error("{} has {} inputs, expected one", layer.name, len(layer.inputs))
        return self._layers[layer.inputs[0]]

    def _convolution(self, layer, name):
        """Check that `layer` is the linear convolution `name` of stride 1; the layer before it."""
        if layer.kind != "Conv2D" or layer.name != name:
            raise self._error("expected the convolution {}, got {} {}", name, layer.kind, layer.name)
        expected = {"activation": "linear", "padding": "same", "use_bias": True, "strides": [1, 1]}
        expected["dilation_rate"] = [1, 1]
        for key, value in expected.items():
            if layer.config.get(key, value) != value:
                raise self._error("{} has {} {}, expected {}", name, key, layer.config[key], value)
        return self._before(layer)

    def _is_leaky(self, layer):
        if layer.kind != "LeakyReLU":
            return False
        self._check_number(layer, ("alpha", "negative_slope"), _KERAS_LEAK, _LEAK, 1e-6)
        return True

    def _check_number(self, layer, keys, default, expected, tolerance):
        """Check the first of `keys` in the layer's config; where none is there, Keras takes `default`."""
        key = next((key for key in keys if layer.config.get(key) is not None), None)
        value = layer.config[key] if key else default
        if not isinstance(value, (int, float)) or not abs(value - expected) <= tolerance:
            note = "" if key else " (Keras' default, as the file says none)"
            raise self._error("{} has {} {}{}, expected {}", layer.name, key or keys[0], value, note, expected)

    def upsampling(self, layer, wanted):
        """(value for `Model`, by what it was decided) for the enlarging layer; `wanted` decides what is open."""
        if list(layer.config.get("size", [])) != [2, 2]:
            raise self._error("{} enlarges by {}, expected [2, 2]", layer.name, layer.config.get("size"))
        possible, taken_for = self._upsamplings(layer)
        what = "{} of Keras {}".format(layer.kind, self._version or "unknown")
        if len(possible) == 1:
            return possible[0], what
        if wanted in possible:
            return wanted, "--upsampling; {} leaves it open".format(what)
        if taken_for:
            others = " or ".join(possible[1:])
            return possible[0], "{}, taken for {} (else say --upsampling {})".format(what, taken_for, others)
        raise self._error("{} does not say how pixels are aligned; give --upsampling {}", what, " or ".join(possible))

    def _upsamplings(self, layer):
        """(what the enlarging layer may mean, the likeliest first; for what the file is then taken, or None to ask).

        What a layer of these names does depends on the release that ran it; the file names that of Keras. Read in the
        packages: Keras' own UpSampling2D is asymmetric from 2.2.3, its first, to 2.3.1, its last; that of TensorFlow is
        asymmetric in 1.13 and 1.14, which call themselves 2.2.4-tf as 1.15 and 2.0 may, and half_pixel from 1.15 on.
        BilinearUpSampling2D, the published models' own, aligned corners until September 2020; from then on it was
        asymmetric under TensorFlow 1, all that Keras 2.2 runs on, and half_pixel under 2.
        """
        if layer.kind == "BilinearUpSampling2D":
            aligned = layer.config.get("align_corners")
            if isinstance(aligned, bool):
                return (("align_corners",) if aligned else ("half_pixel", "asymmetric")), None
            if re.match(r"2\.[0-2]\.\d+$", self._version):
                return ("align_corners", "asymmetric"), "the authors' code before September 2020"
            return UPSAMPLINGS, None
        if layer.kind == "UpSampling2D" and layer.config.get("interpolation") == "bilinear":
            if self._version == "2.2.4-tf":
                return ("half_pixel", "asymmetric"), "that of TensorFlow 1.15 or later"
            if re.match(r"2\.3\.\d+-tf$|2\.([4-9]|\d\d)\.\d+(-tf)?$|[3-9]\.", self._version):
                return ("half_pixel",), None
            if re.match(r"2\.[23]\.\d+$", self._version):
                return ("asymmetric",), None
            return ("half_pixel", "asymmetric"), None
        raise self._error(
            "{} {} does not upsample bilinearly in a known way (interpolation {})",
            *(layer.kind, layer.name, layer.config.get("interpolation")),
        )


def _layer(entry):
    nodes = entry.get("inbound_nodes") or []
    if len(nodes) > 1:
        raise ValueError("{} is used {} times".format(entry["config"]["name"], len(nodes)))
    # Keras 3 nests the registered name of a custom layer in front, as in `package>Name`.
    kind = entry["class_name"].rpartition(">")[2]
    return _Layer(entry["config"]["name"], kind, entry["config"], _sources(nodes))


def _settings(layer):
    return sorted((key, str(value)) for key, value in layer.config.items() if key not in ("name", "dtype"))


def _sources(node):
    """Names of the layers whose outputs are named anywhere in `node`, in order.

    Keras 2 writes them as [name, node index, tensor index, ...], Keras 3 as `keras_history` of a `__keras_tensor__`.
    """
    if isinstance(node, dict):
        history = node.get("keras_history")
        return [history[0]] if history else [name for value in node.values() for name in _sources(value)]
    if not isinstance(node, list):
        return []
    if len(node) >= 3 and isinstance(node[0], str) and isinstance(node[1], int):
        return [node[0]]
    return [name for value in node for name in _sources(value)]


def _text(value):
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


# Object-based checkpoints


def _read_checkpoint(path, upsampling, mid_activation):
    prefix = _prefix(path)
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
        order = {}
        for variable in tf.global_variables():
            order.setdefault(variable.op.name.rpartition("/")[0], len(order))
        named = {number: layer for layer, number in order.items()}
        values = {"{}/{}".format(named[layer], kind): value for (layer, kind), value in values.items()}
        _check_values(prefix, values)
    return Foreign(OBJECT_CHECKPOINT, model, values, decided)


def _prefix(path):
    """The prefix of the checkpoint that `path` names: a prefix, an .index file, or a folder with `checkpoint`."""
    if path.endswith(".index"):
        return path[: -len(".index")]
    if os.path.exists(path + ".index"):
        return path
    if not os.path.isdir(path):
        raise PipelineError("{}: neither a Keras .h5 file nor a checkpoint (no {}.index)".format(path, path))
    state = tf.train.get_checkpoint_state(path)
    if state is None:
        raise PipelineError("{}: a folder without the file `checkpoint`; name the prefix of the files".format(path))
    # The path in it may be that of another machine.
    prefix = os.path.join(path, os.path.basename(state.model_checkpoint_path))
    if not os.path.exists(prefix + ".index"):
        raise PipelineError("{}: the file `checkpoint` names {}, which is not there".format(path, prefix))
    return prefix


def _entries(prefix, reader):
    """{(number among the layers with weights, kind of weight): key} of the network in an object-based checkpoint."""
    found = {}
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
