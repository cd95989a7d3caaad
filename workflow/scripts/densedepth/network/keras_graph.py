"""The DenseDepth network in the words of Keras: layers, settings and wiring, to compare those of a file with."""

import math
from typing import Dict, List, Optional, Sequence, Tuple

from . import architecture, keras_config
from .keras_config import Layer
from .model import BLOCKS, Model

INPUT = "input"
OUTPUT = "conv3"

# Between these the encoder computes, and the decoder takes the skip connections.
_SKIPS = [name.replace("/", "_") for name in architecture.SKIPS]


class _Chain:
    """Layers in the order in which they are added; each method returns the name of the last one that it adds."""

    def __init__(self):
        self.layers = []

    def add(self, kind, name, *inputs, **config):
        self.layers.append(Layer(name, kind, config, inputs))
        return name

    def pad(self, x, pixels):
        return self.add("ZeroPadding2D", x + "_padded", x, padding=[[pixels, pixels]] * 2)

    def conv(self, x, name, filters, size, stride=1, padding="same", bias=True):
        config = {"filters": filters, "kernel_size": [size, size], "strides": [stride, stride], "padding": padding}
        config.update(dilation_rate=[1, 1], groups=1, activation="linear", use_bias=bias)
        return self.add("Conv2D", name, x, **config)

    def norm_relu(self, x, norm, relu):
        config = {"axis": -1, "epsilon": architecture.EPSILON, "center": True, "scale": True, "training": False}
        return self.add("Activation", relu, self.add("BatchNormalization", norm, x, **config), activation="relu")

    def pool(self, kind, x, name, size):
        return self.add(kind, name, x, pool_size=[size, size], strides=[2, 2], padding="valid")

    def join(self, name, *inputs):
        return self.add("Concatenate", name, *inputs, axis=-1)


def expected(model: Model, enlarger: Layer) -> List[Layer]:
    """The layers of the network `model` (a `Model`), each after those that it reads.

    `enlarger` is the file's own upsampling `Layer`, whose meaning Keras' release decides: all of them are expected to
    be like it.
    """
    chain = _Chain()
    chain.add("InputLayer", INPUT)
    features, channels = _encoder(chain, BLOCKS[model.encoder])
    _decoder(chain, features, channels, model, enlarger)
    return chain.layers


def features(encoder: str) -> int:
    """Channels at the encoder's end."""
    return _encoder(_Chain(), BLOCKS[encoder])[1]


def _encoder(chain, blocks):
    """Add the encoder's layers; (features by name, channels at the end)."""
    x = chain.conv(chain.pad(INPUT, 3), "conv1_conv", 64, 7, stride=2, padding="valid", bias=False)
    x = chain.norm_relu(x, "conv1_bn", "conv1_relu")
    x = chain.pool("MaxPooling2D", chain.pad(x, 1), "pool1", 3)
    channels = 64
    for stage, layers in enumerate(blocks, start=2):
        for layer in range(1, layers + 1):
            block = "conv{}_block{}".format(stage, layer)
            y = chain.norm_relu(x, block + "_0_bn", block + "_0_relu")
            y = chain.conv(y, block + "_1_conv", 4 * architecture.GROWTH, 1, bias=False)
            y = chain.norm_relu(y, block + "_1_bn", block + "_1_relu")
            y = chain.conv(y, block + "_2_conv", architecture.GROWTH, 3, bias=False)
            x = chain.join(block + "_concat", x, y)
            channels += architecture.GROWTH
        if stage < 5:
            pool = "pool{}".format(stage)
            channels //= 2
            x = chain.norm_relu(x, pool + "_bn", pool + "_relu")
            x = chain.conv(x, pool + "_conv", channels, 1, bias=False)
            x = chain.pool("AveragePooling2D", x, pool + "_pool", 2)
    return chain.norm_relu(x, "bn", "relu"), channels


def _decoder(chain, x, channels, model, enlarger):
    def leaky(x):
        return chain.add("LeakyReLU", x + "_leaky", x, alpha=architecture.LEAK)

    filters = channels // (2 if model.width == "half" else 1)
    x = chain.conv(x, "conv2", filters, 1)
    for level, skip in enumerate(_SKIPS, start=1):
        up = "up{}".format(level)
        filters //= 2
        x = chain.add(enlarger.kind, up + "_upsampling2d", x, **_enlarging(enlarger))
        x = chain.conv(chain.join(up + "_concat", x, skip), up + "_convA", filters, 3)
        x = leaky(x) if model.mid_activation else x
        x = leaky(chain.conv(x, up + "_convB", filters, 3))
    chain.conv(x, OUTPUT, 1, 3)


def _enlarging(enlarger):
    keys = [key for key in ("interpolation", "align_corners") if key in enlarger.config]
    return dict({key: enlarger.config[key] for key in keys}, size=[2, 2])


def first_difference(layers: Sequence[Layer], output: str, wanted: Sequence[Layer]) -> Optional[str]:
    """In words, the first layer of `wanted` that the file's `layers` and `output` have otherwise, or None.

    Layers without weights may have any name: they are known by what they read.
    """
    readers: Dict[Tuple[str, ...], List[Layer]] = {}
    names = {layer.name: layer for layer in layers}
    for layer in layers:
        readers.setdefault(layer.inputs, []).append(layer)
    place: Dict[str, str] = {}
    for one in wanted:
        inputs = tuple(place[name] for name in one.inputs)
        found = _found(one, readers.get(inputs, ()))
        if found is None:
            return _missing(one, inputs, names.get(one.name), readers.get(inputs, ()))
        difference = _unlike(found, one)
        if difference:
            return difference
        place[one.name] = found.name
    if output != place[OUTPUT]:
        return "the output is {}, expected {}".format(output, OUTPUT)
    known = set(place.values())
    return next(("{} {} has no place".format(one.kind, one.name) for one in layers if one.name not in known), None)


def _found(wanted, candidates):
    """The one of `candidates`, which read the same, that may be the layer `wanted`."""
    alike = [layer for layer in candidates if layer.kind == wanted.kind]
    named = [layer for layer in alike if layer.name == wanted.name]
    if named or wanted.kind in ("Conv2D", "BatchNormalization"):
        # Their values are found by name.
        return named[0] if named else None
    return alike[0] if len(alike) == 1 else None


def _missing(wanted, inputs, namesake, others):
    """Why there is no layer `wanted`, which were to read `inputs`."""
    what = "{} {}".format(wanted.kind, wanted.name)
    if namesake and namesake.kind != wanted.kind:
        return "{} {}, expected {}".format(namesake.kind, namesake.name, wanted.kind)
    if namesake and namesake.inputs != inputs:
        return "{} reads {}, expected {}".format(what, _list(namesake.inputs), _list(inputs))
    found = _list("{} {}".format(layer.kind, layer.name) for layer in others)
    return "behind {} {}, expected {}".format(_list(inputs), found, what) if inputs else "no single {}".format(what)


def _list(names):
    return " and ".join(names) or "nothing"


def _unlike(found, wanted):
    """The first setting that differs, in words."""
    if keras_config.setting(found, "data_format")[0] not in (None, "channels_last"):
        return "{} has data_format {}".format(found.name, found.config["data_format"])
    for key, value in wanted.config.items():
        other, named = keras_config.setting(found, key)
        if not _equal(other, value):
            note = "" if named else " (Keras' default, as the file says none)"
            return "{} has {} {}{}, expected {}".format(found.name, key, _shown(other), note, value)
    return None


def _equal(one, other):
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-5)
    return type(one) is type(other) and one == other


def _shown(value):
    return str(value)[:60]
