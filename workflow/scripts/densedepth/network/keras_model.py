"""Whole networks in Keras' full-model files (HDF5): attribute `model_config` with the layers, group `model_weights`.

`nyu.h5` and `kitti.h5`, published with the paper, are such files of Keras 2.2. Every layer of the file, its settings
and what it reads are compared with the network's.
"""

import os
import re
from typing import Dict, List, Optional, Tuple

import numpy as np

from ..data import hdf5
from ..errors import PipelineError
from ..tf import tf
from . import architecture, keras_config, keras_graph, weights
from .model import BLOCKS, UPSAMPLINGS, Model, model_from_dict


def recognise(path: str, upsampling: Optional[str] = None) -> Tuple[Model, Dict[str, str]]:
    """(model, decided): the `Model` of the file's layers and {field of it: by what}; its values are not read.

    `upsampling` decides where the file leaves it open. Raises PipelineError when the file is damaged or another
    network, naming the first layer that differs, or leaves open what no argument decides.
    """
    text, version = _attributes(path)
    layers, output = keras_config.parse(path, text)
    try:
        model, reason = _model(path, layers, output, version, upsampling)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise keras_config.unknown(path, error) from None
    return model, dict(dict.fromkeys(model.as_dict(), "the layers of the file"), upsampling=reason)


def values(path: str, model: Model) -> Dict[str, np.ndarray]:
    """{variable name: float32 array} of the file, whose network is `model`.

    Raises PipelineError where they are damaged, incomplete or not finite.
    """
    stored = weights.read_keras(path)
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(), model)
        variables = {weights.key_of(*v.op.name.rsplit("/", 1)): v.op.name for v in tf.global_variables()}
        found = {variables.get(key, key): value for key, value in stored.items()}
        weights.check_current(path, found)
    return found


def _attributes(path):
    """Texts: (model_config, the release of Keras)."""
    if not os.path.isfile(path):
        raise PipelineError("{}: no such file".format(path))
    try:
        with hdf5.open_file(path) as root:
            text, version = root.attrs.get("model_config"), root.attrs.get("keras_version", "")
    except hdf5.DAMAGE as error:
        raise hdf5.unreadable(path, error) from None
    if text is None:
        raise PipelineError(
            "{}: holds weights without model_config, so the decoder's activation and upsampling are unknown; "
            "save the whole model (the weights of an encoder alone are for import_weights.py)".format(path)
        )
    return _text(text), _text(version)


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _model(path, layers, output, version, upsampling):
    """(model, by what its upsampling was decided) of the file's layers, which are those of the network."""
    names, depths = weights.encoders([layer.name for layer in layers])
    if not names:
        raise PipelineError(
            "{}: no known encoder (dense blocks of {} layers); known are {}".format(
                path, ", ".join(map(str, depths)), ", ".join(sorted(BLOCKS))
            )
        )
    readers: Dict[Tuple[str, ...], List[keras_config.Layer]] = {}
    for layer in layers:
        readers.setdefault(layer.inputs, []).append(layer)
    convolution = next((layer for layer in layers if layer.name == "conv2"), None)
    behind = readers.get(("conv2",), ())
    if convolution is None or len(behind) != 1:
        raise PipelineError("{}: has no layer conv2 with one layer behind it, where the decoder begins".format(path))
    found = {
        "encoder": names[0],
        "mid_activation": "LeakyReLU" in [one.kind for one in readers.get(("up1_convA",), ())],
    }
    # A number of filters that is neither is found by the comparison.
    features = keras_graph.features(names[0])
    found["width"] = "full" if keras_config.setting(convolution, "filters")[0] == features else "half"
    wanted = keras_graph.expected(model_from_dict(found), behind[0])
    difference = keras_graph.first_difference(layers, output, wanted)
    if difference:
        note = ""
        if convolution.inputs == ("bn",):
            note = "; networks of Keras-Applications before 1.0.6 lack this activation and differ"
        raise PipelineError(
            "{}: is not the network of DenseDepth; first difference: {}{}".format(path, difference, note)
        )
    found["upsampling"], reason = _upsampling(path, behind[0], version, upsampling)
    return model_from_dict(found), reason


def _upsampling(path, layer, version, wanted):
    """(value for `Model`, by what it was decided) for the enlarging layer; `wanted` decides what is open."""
    possible, taken_for = _upsamplings(path, layer, version)
    what = "{} of Keras {}".format(layer.kind, version or "unknown")
    if len(possible) == 1:
        return possible[0], what
    if wanted in possible:
        return wanted, "--upsampling; {} leaves it open".format(what)
    if taken_for:
        others = " or ".join(possible[1:])
        return possible[0], "{}, taken for {} (else say --upsampling {})".format(what, taken_for, others)
    raise PipelineError(
        "{}: {} does not say how pixels are aligned; give --upsampling {}".format(path, what, " or ".join(possible))
    )


def _upsamplings(path, layer, version):
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
        if re.match(r"2\.[0-2]\.\d+$", version):
            return ("align_corners", "asymmetric"), "the authors' code before September 2020"
        return UPSAMPLINGS, None
    if layer.kind == "UpSampling2D" and layer.config.get("interpolation") == "bilinear":
        if version == "2.2.4-tf":
            return ("half_pixel", "asymmetric"), "that of TensorFlow 1.15 or later"
        if re.match(r"2\.3\.\d+-tf$|2\.([4-9]|\d\d)\.\d+(-tf)?$|[3-9]\.", version):
            return ("half_pixel",), None
        if re.match(r"2\.[23]\.\d+$", version):
            return ("asymmetric",), None
        return ("half_pixel", "asymmetric"), None
    raise PipelineError(
        "{}: {} {} does not upsample bilinearly in a known way (interpolation {})".format(
            path, layer.kind, layer.name, str(layer.config.get("interpolation"))[:60]
        )
    )
