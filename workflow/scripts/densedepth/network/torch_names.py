"""Names and layouts of the network's tensors in files of PyTorch.

The original authors' PyTorch network wraps torchvision's DenseNet, so that its tensors, torchvision's and those of the
files written here have the same names: `encoder.original_model.features....` and `decoder....` .
"""

import re
from typing import Dict, Tuple

import numpy as np

from ..errors import PipelineError
from . import torch_files
from .architecture import EPSILON

_ENCODER, _DECODER = "encoder.original_model.", "decoder."
# Of nn.BatchNorm2d.
_TORCH_EPSILON = 1e-5
_KINDS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_DENSE = {"0_bn": "norm1", "1_conv": "conv1", "1_bn": "norm2", "2_conv": "conv2"}
_SINGLE = {
    "conv1/conv": "features.conv0",
    "conv1/bn": "features.norm0",
    "bn": "features.norm5",
    "conv2": "conv2",
    "conv3": "conv3",
}
# The names of torchvision's own files, which were published before a dot became part of a module's name.
_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
# What inference needs nothing of: the classifier, and the count of batches beside a moving average.
_UNUSED = re.compile(r"(?:.*\.)?classifier\.(?:weight|bias)$|.*\.num_batches_tracked$")


def name_of(variable: str) -> str:
    """The name in PyTorch's files of a variable of the network, as `conv2_block1_0_bn/gamma`."""
    layer, _, kind = variable.rpartition("/")
    return "{}.{}".format(_module_of(layer), _KINDS[kind])


def _module_of(layer):
    block = re.match(r"conv(\d)_block(\d+)_(.+)$", layer)
    if block:
        stage, number, part = block.groups()
        return "{}features.denseblock{}.denselayer{}.{}".format(_ENCODER, int(stage) - 1, number, _DENSE[part])
    transition = re.match(r"pool(\d)_(bn|conv)$", layer)
    if transition:
        stage, part = transition.groups()
        part = "norm" if part == "bn" else "conv"
        return "{}features.transition{}.{}".format(_ENCODER, int(stage) - 1, part)
    if layer.startswith("up"):
        return _DECODER + layer.replace("_", ".")
    return (_DECODER if layer in ("conv2", "conv3") else _ENCODER) + _SINGLE[layer]


def _variable_of(name):
    """The variable whose tensor has this name, in any of its forms; the name itself for one of no variable."""
    plain = _OLD_NAME.sub(r"\1\2", re.sub(r"^module\.", "", name))
    if plain.startswith("features."):
        plain = _ENCODER + plain
    module, _, kind = plain.rpartition(".")
    block = re.match(re.escape(_ENCODER) + r"features\.denseblock([1-4])\.denselayer(\d+)\.(\w+)$", module)
    transition = re.match(re.escape(_ENCODER) + r"features\.transition([1-3])\.(norm|conv)$", module)
    if block:
        parts = {theirs: ours for ours, theirs in _DENSE.items()}
        layer = "conv{}_block{}_{}".format(int(block.group(1)) + 1, block.group(2), parts.get(block.group(3), ""))
    elif transition:
        layer = "pool{}_{}".format(int(transition.group(1)) + 1, transition.group(2).replace("norm", "bn"))
    elif re.match(re.escape(_DECODER) + r"up[1-4]\.conv[AB]$", module):
        layer = module[len(_DECODER) :].replace(".", "_")
    else:
        singles = {_module_of(layer): layer for layer in _SINGLE}
        layer = singles.get(module, "")
    norm = layer.endswith("bn")
    kinds = {theirs: ours for ours, theirs in _KINDS.items() if (ours in ("kernel", "bias")) != norm}
    return "{}/{}".format(layer, kinds[kind]) if layer and kind in kinds else name


def to_torch(values: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """{name in PyTorch: array in its layout} of the network's values, {variable name: float32 array}.

    PyTorch adds 1e-5 to a variance, Keras' DenseNet, as this project, 1.001e-5: the variances take the difference.
    """
    converted = {}
    for name, value in values.items():
        if name.endswith("/kernel"):
            value = value.transpose(3, 2, 0, 1)
        elif name.endswith("/moving_variance"):
            value = (value.astype(np.float64) + (EPSILON - _TORCH_EPSILON)).astype(np.float32)
        converted[name_of(name)] = np.ascontiguousarray(value)
    return converted


def values(path: str) -> Tuple[Dict[str, np.ndarray], Dict[str, str]]:
    """({variable name: float32 array}, metadata) of the file at `path`; tensors of no variable keep their names.

    Left out are the classifier and the counts of batches. Raises PipelineError as `torch_files.read`, and where two
    tensors are for the same variable.
    """
    tensors, told = torch_files.read(path)
    found: Dict[str, np.ndarray] = {}
    for name, value in tensors.items():
        if _UNUSED.match(name):
            continue
        variable = _variable_of(name)
        if variable in found:
            raise PipelineError("{}: two tensors are {}, the second {}".format(path, variable, name))
        if variable.endswith("/kernel") and value.ndim == 4:
            value = value.transpose(2, 3, 1, 0)
        elif variable.endswith("/moving_variance"):
            value = np.maximum(value.astype(np.float64) - (EPSILON - _TORCH_EPSILON), 0)
        found[variable] = np.ascontiguousarray(value, np.float32)
    return found, told
