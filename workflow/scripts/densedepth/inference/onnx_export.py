"""A frozen graph as an ONNX file, compared with the graph it was made from.

Needs TensorFlow, tf2onnx and ONNX Runtime.
"""

import os
from typing import Any, Dict

import numpy as np

from .. import files, runtime
from ..errors import PipelineError
from ..imaging import depth
from ..tf import tf
from . import onnx_predictor, predictors

FORMAT = 1

# How far depth may be from the frozen graph's, in metres, anywhere.
TOLERANCE_M = 1e-3


def export(
    graph_path: str,
    path: str,
    opset: int,
    input_name: str = predictors.INPUT_TENSOR,
    output_name: str = predictors.OUTPUT_TENSOR,
) -> Dict[str, Any]:
    """Write the frozen graph as the ONNX file `path` and what is known of it to `path`.json; returns the metadata file.

    Input and output keep their names, layout (NHWC), shapes and meaning. Raises PipelineError, and writes nothing, when
    tf2onnx is missing or cannot convert the graph, or when ONNX Runtime's depth is further than `TOLERANCE_M` off.
    """
    ort = onnx_predictor.runtime_module()
    # As written: what is compared is the file.
    with predictors.load_frozen(graph_path, input_name, output_name, as_written=True) as predictor, files.atomic_path(
        path
    ) as temporary:
        source = predictor.describe()
        model = converted(graph_path, opset, input_name, output_name)
        with open(temporary, "wb") as stream:
            stream.write(model.SerializeToString(deterministic=True))
        with onnx_predictor.load(temporary) as other:
            parity = compare(predictor, other)
        if not parity["metres"] <= TOLERANCE_M:
            raise PipelineError(
                "{}: as ONNX its depth differs by up to {:.3g} m, more than {} m; try another --opset".format(
                    graph_path, parity["metres"], TOLERANCE_M
                )
            )
        side = {
            "format": FORMAT,
            "opset": opset,
            "input": {
                "name": input_name,
                "shape": _shape(model.graph.input[0]),
                "range": [0, 1],
                "layout": "NHWC, RGB",
            },
            "output": {
                "name": output_name,
                "shape": _shape(model.graph.output[0]),
                "unit": "1000 / depth in centimetres",
            },
            "parity": dict(parity, tolerance_metres=TOLERANCE_M, against="the frozen graph in TensorFlow"),
            "source": source,
            "sha256": files.sha256(temporary),
            "bytes": os.path.getsize(temporary),
            "runtime": dict(runtime.describe(), **_versions(ort)),
        }
    files.write_json(path + ".json", side)
    return side


def compare(first: Any, second: Any, images: int = 2) -> Dict[str, Any]:
    """Largest differences of two networks on fixed images: `output`, relative to its largest value, and `metres`."""
    batch = first.batch or images
    height, width = first.size or (96, 128)
    random = np.random.RandomState(0)
    coarse = random.uniform(0, 1, (batch, height // 32, width // 32, 3))
    pictures = coarse.repeat(32, axis=1).repeat(32, axis=2) * 0.8 + random.uniform(0, 0.2, (batch, height, width, 3))
    one, other = (network.run(pictures.astype(np.float32)) for network in (first, second))
    if one.shape != other.shape:
        raise PipelineError("the outputs have shapes {} and {}".format(one.shape, other.shape))
    return {
        "images": batch,
        "output": float(np.abs(one - other).max() / np.abs(one).max()),
        "metres": float(np.abs(depth.metres(one) - depth.metres(other)).max()),
    }


def _converter():
    try:
        import tf2onnx.convert
    except ImportError:
        raise PipelineError(
            "tf2onnx is not installed here; `make onnx` installs it, then use .venv/tf2/bin/python"
        ) from None
    import logging

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    return tf2onnx.convert.from_graph_def


def converted(
    graph_path: str,
    opset: int,
    input_name: str = predictors.INPUT_TENSOR,
    output_name: str = predictors.OUTPUT_TENSOR,
) -> Any:
    """The frozen graph as an ONNX model. Raises PipelineError when tf2onnx is missing or cannot convert it."""
    convert = _converter()
    try:
        model, _ = convert(_definition(graph_path), input_names=[input_name], output_names=[output_name], opset=opset)
    except (ValueError, NotImplementedError, RuntimeError) as error:
        raise PipelineError(
            "{}: tf2onnx cannot write it as opset {} ({})".format(graph_path, opset, str(error).split("\n")[0])
        ) from None
    for tensor in list(model.graph.input) + list(model.graph.output):
        if not tensor.type.tensor_type.shape.dim[0].dim_value:
            tensor.type.tensor_type.shape.dim[0].dim_param = "images"
    _drop_meaningless(model.graph)
    return model


def _drop_meaningless(graph):
    """Take out of each linear Resize what ONNX defines for other modes only: some readers refuse the combination."""
    for node in graph.node:
        if node.op_type != "Resize" or b"linear" not in [attribute.s for attribute in node.attribute]:
            continue
        for attribute in list(node.attribute):
            if attribute.name in ("nearest_mode", "cubic_coeff_a", "exclude_outside"):
                node.attribute.remove(attribute)


def _definition(path):
    definition = tf.GraphDef()
    with open(path, "rb") as stream:
        definition.ParseFromString(stream.read())
    return definition


def _shape(tensor):
    return [dim.dim_value or None for dim in tensor.type.tensor_type.shape.dim]


def _versions(ort):
    import onnx
    import tf2onnx

    return {"onnx": onnx.__version__, "tf2onnx": tf2onnx.__version__, "onnxruntime": ort.__version__}
