"""Networks in OpenVINO's intermediate representation, run by OpenVINO on the processor. Needs no TensorFlow."""

import os
from typing import Any, Dict

import numpy as np

from ..errors import PipelineError
from . import exported


def runtime_module() -> Any:
    """The package openvino. Raises PipelineError, saying how to get it, where it is not installed."""
    try:
        import openvino
    except ImportError:
        raise PipelineError(
            "OpenVINO is not installed here; `make exports` installs it, then use .venv/tf2/bin/python"
        ) from None
    return openvino


def load(path: str) -> "OpenvinoPredictor":
    """The `OpenvinoPredictor` of the .xml file, beside which its .bin lies. Raises PipelineError when it is none."""
    openvino = runtime_module()
    for part in (path, os.path.splitext(path)[0] + ".bin"):
        if not os.path.isfile(part):
            raise PipelineError("{}: no such file; export_matrix.py makes one of a frozen graph".format(part))
    try:
        # Processors that can would compute in bfloat16, which is another network.
        hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        compiled = openvino.Core().compile_model(path, "CPU", hints)
    except RuntimeError as error:
        raise PipelineError("{}: OpenVINO cannot load it ({})".format(path, str(error).split("\n")[0][:300])) from None
    if len(compiled.inputs) != 1 or len(compiled.outputs) != 1:
        raise PipelineError("{}: expected one input and one output".format(path))
    return OpenvinoPredictor(compiled, exported.source("openvino", path))


class OpenvinoPredictor(exported.Predictor):
    """As `predictors.Predictor`, by OpenVINO."""

    def __init__(self, compiled: Any, source: Dict[str, Any]) -> None:
        shape = [dim.get_length() if dim.is_static else None for dim in compiled.inputs[0].partial_shape]
        super().__init__(compiled, source, shape[0], shape[1:3])

    def run(self, images: np.ndarray) -> np.ndarray:
        """As `exported.Predictor.run`."""
        return np.array(self._network(np.ascontiguousarray(images, np.float32))[0])
