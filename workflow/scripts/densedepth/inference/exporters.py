"""A frozen graph in the forms of other runtimes, each converted by a function of its own; `export_matrix` proves them.

Needs the current TensorFlow: the converter of 1.15 loses the half-pixel centres of an upsampling. In all of them, input
and output stay float32; of ONNX's int8 the last convolution stays float, since a step of it at the far end is metres,
and with it the layers that a measurement chooses.
"""

import contextlib
import functools
import io
import os
import tempfile
import warnings
from collections import OrderedDict
from typing import Any, Callable, Dict, NamedTuple, Sequence

import numpy as np

from ..errors import PipelineError
from ..imaging import depth
from ..tf import tf
from . import (
    coreml_export,
    exported,
    freeze,
    networks,
    onnx_export,
    onnx_predictor,
    openvino_int8,
    openvino_predictor,
    predictors,
)

# Fewer images say nothing about the range of features.
FEWEST_IMAGES = 8


# Layers that int8 may leave in float: of these choices the one whose depth of the images for calibration is nearest to
# the float network's, and whose file is still so many times smaller. Measured on the sample's network, the layers
# of the largest maps, at both ends, lose most.
_KEPT_IN_FLOAT = (
    ("conv3/",),
    ("conv3/", "conv1/"),
    ("conv3/", "conv1/", "up4_"),
    ("conv3/", "conv1/", "up4_", "up3_"),
)
_SMALLER = 3.5
_TENSORS = (predictors.INPUT_TENSOR, predictors.OUTPUT_TENSOR)


class Source(NamedTuple):
    """What is converted: the frozen graph, the version of ONNX's operators, and images for calibration,
    float32 (n, height, width, 3), RGB in 0..1."""

    graph: str
    opset: int
    images: np.ndarray


class Kind(NamedTuple):
    """A form of export: the name of its file, how numbers are stored in it, and what writes it to a path.

    exact: its arithmetic is float32, so its depth is that of the frozen graph up to rounding.
    """

    file: str
    numbers: str
    exact: bool
    write: Callable[[Source, str], None]
    versions: Sequence[str]
    # Whether it can be run here, and so be compared.
    runs: bool = True


def check_images(images: Sequence[Any]) -> None:
    """Raise PipelineError for too few images to calibrate by."""
    if len(images) < FEWEST_IMAGES:
        raise PipelineError(
            "calibration: {} image(s), at least {} are needed; give more training images".format(
                len(images), FEWEST_IMAGES
            )
        )


@functools.lru_cache(maxsize=1)
def _converted(graph, opset, changed):
    """The graph as an ONNX file's bytes: most kinds begin with it. `changed` is the graph file's time."""
    return onnx_export.converted(graph, opset).SerializeToString(deterministic=True)


def _plain(source):
    """The ONNX file of `source` in float32, as bytes."""
    return _converted(source.graph, source.opset, os.stat(source.graph).st_mtime_ns)


def _onnx(source, path):
    with open(path, "wb") as stream:
        stream.write(_plain(source))


def _onnx_half(source, path):
    import onnx
    from onnxruntime.transformers import float16

    with warnings.catch_warnings():
        # Of weights that are too small for it, which become zero.
        warnings.simplefilter("ignore")
        model = onnx.load_model_from_string(_plain(source))
        # The runtime's own resize takes float32 alone on a processor.
        onnx.save(float16.convert_float_to_float16(model, keep_io_types=True, op_block_list=["Resize"]), path)


class _Images:
    """The images, one by one, as the calibration of ONNX Runtime asks for them."""

    def __init__(self, source):
        self._waiting = iter(source.images)

    def get_next(self):
        image = next(self._waiting, None)
        return None if image is None else {predictors.INPUT_TENSOR: image[np.newaxis]}


def _onnx_int8(source, path):
    from onnxruntime import quantization

    check_images(source.images)
    prepared = path + ".prepared.onnx"
    _onnx(source, path)
    quantization.quant_pre_process(path, prepared, skip_symbolic_shape=True)

    def quantized(plain, kept, trial):
        quantization.quantize_static(
            prepared,
            trial,
            _Images(source),
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            activation_type=quantization.QuantType.QUInt8,
            op_types_to_quantize=["Conv", "Concat", "MaxPool", "AveragePool", "Resize", "Relu", "LeakyRelu"],
            nodes_to_exclude=_nodes_of(prepared, kept),
        )

    _nearest(source, quantized, path)
    os.remove(prepared)


def _openvino_int8(source, path):
    check_images(source.images)
    _nearest(source, lambda plain, kept, trial: openvino_int8.write(plain, source.images, kept, trial), path)


def _nearest(source, quantized, path):
    """Write to `path`, with what lies beside it, what `quantized(ONNX file, kept in float, path)` writes by that choice
    of `_KEPT_IN_FLOAT` which is nearest to the float network, among those that are small enough."""
    folder, name = os.path.split(path)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        plain = os.path.join(work, "plain.onnx")
        _onnx(source, plain)
        expected = _depth(plain, source.images)
        best = None
        for number, kept in enumerate(_KEPT_IN_FLOAT):
            trial = os.path.join(work, str(number))
            os.makedirs(trial)
            quantized(plain, kept, os.path.join(trial, name))
            off = float(np.abs(_depth(os.path.join(trial, name), source.images) - expected).mean())
            if best is None or (off < best and size_of(trial) <= os.path.getsize(plain) / _SMALLER):
                best = off
                for file in os.listdir(trial):
                    os.replace(os.path.join(trial, file), os.path.join(folder, file))


def size_of(folder: str) -> int:
    """Bytes of all files in and below a folder."""
    return sum(os.path.getsize(os.path.join(place, name)) for place, _, names in os.walk(folder) for name in names)


def _depth(path, images):
    """Depth of the images, by a network in a file."""
    with networks.load(path) as network:
        return np.concatenate([depth.metres(network.run(image[np.newaxis])) for image in images])


def _nodes_of(path, layers):
    """The names of the nodes of these layers, and of what gives the output."""
    import onnx

    nodes = onnx.load(path).graph.node
    convolutions = [node.name for node in nodes if node.op_type == "Conv"]
    kept = openvino_int8.of_layers(convolutions, layers)
    return [nodes[-1].name, *kept, *(node.name for node in nodes if node.name.startswith(layers))]


def _openvino(compress):
    def write(source, path):
        openvino = openvino_predictor.runtime_module()
        plain = path + ".onnx"
        _onnx(source, plain)
        openvino.save_model(openvino.convert_model(plain), path, compress_to_fp16=compress)
        os.remove(plain)

    return write


def _definition(source):
    definition = tf.GraphDef()
    with open(source.graph, "rb") as stream:
        definition.ParseFromString(stream.read())
    return definition


def _saved_model(source, path):
    with networks.load(source.graph) as network:
        known = exported.facts(network.describe())
    freeze.write_saved_model(_definition(source), *_TENSORS, os.path.dirname(path), known)


def _coreml(source, path):
    with networks.load(source.graph) as network:
        size = network.size
    if not size:
        raise PipelineError("Core ML: the network takes images of any size; freeze it for one")
    coreml_export.write(_definition(source), size, _TENSORS, path)


def _litert(numbers):
    def write(source, path):
        if tf.__version__.startswith("1."):
            raise PipelineError("LiteRT: the converter of TensorFlow 1.15 moves pixels; use .venv/tf2/bin/python")
        definition = _definition(source)
        with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
            tf.import_graph_def(definition, name="")
            ends = [graph.get_tensor_by_name(name) for name in _TENSORS]
            converter = tf.lite.TFLiteConverter.from_session(session, ends[:1], ends[1:])
            if numbers != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if numbers == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if numbers == "int8":
                check_images(source.images)
                converter.representative_dataset = lambda: ([image[np.newaxis]] for image in source.images)
            content = converter.convert()
        with open(path, "wb") as stream:
            stream.write(content)

    return write


KINDS: "OrderedDict[str, Kind]" = OrderedDict(
    [
        ("onnx", Kind("model.onnx", "float32", True, _onnx, ("tf2onnx", "onnxruntime"))),
        ("onnx_fp16", Kind("model.onnx", "float16", False, _onnx_half, ("tf2onnx", "onnxruntime"))),
        ("onnx_int8", Kind("model.onnx", "int8", False, _onnx_int8, ("tf2onnx", "onnxruntime"))),
        ("openvino", Kind("model.xml", "float32", True, _openvino(False), ("tf2onnx", "openvino"))),
        ("openvino_fp16", Kind("model.xml", "float16 weights", False, _openvino(True), ("tf2onnx", "openvino"))),
        ("openvino_int8", Kind("model.xml", "int8", False, _openvino_int8, ("tf2onnx", "openvino", "nncf"))),
        ("litert", Kind("model.tflite", "float32", True, _litert("float32"), ("tensorflow",))),
        ("litert_fp16", Kind("model.tflite", "float16 weights", False, _litert("float16"), ("tensorflow",))),
        ("litert_int8_weights", Kind("model.tflite", "int8 weights", False, _litert("weights"), ("tensorflow",))),
        ("litert_int8", Kind("model.tflite", "int8", False, _litert("int8"), ("tensorflow",))),
        ("saved_model", Kind("model/saved_model.pb", "float32", True, _saved_model, ("tensorflow",))),
        ("coreml", Kind("model.mlpackage", "float32", True, _coreml, ("coremltools",), False)),
    ]
)


def tensorrt_command(file: str, size: Sequence[int], most: int = 8) -> str:
    """A script that makes a TensorRT engine of an ONNX file beside it, for batches of up to `most` images.

    TensorRT's own `trtexec` makes it, for the GPU that it runs on; nothing here has been run on one.
    """
    shapes = (
        "--{}=\\'{}\\':{}x{}x{}x3".format(flag, predictors.INPUT_TENSOR, count, *size)
        for flag, count in (("minShapes", 1), ("optShapes", 1), ("maxShapes", most))
    )
    words = ["trtexec --onnx={} --saveEngine=model.plan --fp16".format(file), *shapes]
    return '#!/bin/sh\n# Not run here: compare its depth with that of model.onnx.\ncd "$(dirname "$0")" && ' + (
        " \\\n    ".join(words) + "\n"
    )


def versions(names: Sequence[str]) -> Dict[str, str]:
    """{package: its version} of those that are installed."""
    import importlib

    found = {}
    for name in names:
        try:
            # OpenVINO's goes on with the build.
            found[name] = str(importlib.import_module(name).__version__).split("-")[0]
        except ImportError:
            continue
    return found


def write(kind: str, source: Source, path: str) -> None:
    """Write the export `kind` of `source` to `path`. Raises PipelineError, in one line, for whatever stops it."""
    if kind.startswith(("onnx", "openvino")):
        onnx_predictor.runtime_module()
    try:
        # Converters tell of their steps and of what they were not tried with; the verdict tells what became of it.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            KINDS[kind].write(source, path)
    except PipelineError:
        raise
    except ImportError as error:
        raise PipelineError("{}: {} is not installed; `make exports` installs it".format(kind, error.name)) from None
    except Exception as error:
        # Converters raise whatever they stumble over.
        line = (str(error).strip() or type(error).__name__).split("\n")[0][:300]
        raise PipelineError("{}: cannot be converted ({})".format(kind, line)) from None
