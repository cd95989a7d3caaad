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


class OpenvinoPredictor:
    """As `predictors.Predictor`: a context manager with `size`, `batch`, `run` and `describe`."""

    def __init__(self, compiled: Any, source: Dict[str, Any]) -> None:
        self._compiled = compiled
        shape = [dim.get_length() if dim.is_static else None for dim in compiled.inputs[0].partial_shape]
        self.batch = shape[0]
        self.size = tuple(shape[1:3]) if None not in shape[1:3] else None
        self._source = dict(source, size=list(self.size) if self.size else None)

    def __enter__(self) -> "OpenvinoPredictor":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._compiled = None

    def run(self, images: np.ndarray) -> np.ndarray:
        """The output for float32 `images` (n, height, width, 3), RGB in 0..1: (n, height / 2, width / 2, 1)."""
        return np.array(self._compiled(np.ascontiguousarray(images, np.float32))[0])

    def describe(self) -> Dict[str, Any]:
        """As `predictors.Predictor.describe`, with the kind "openvino"."""
        return dict(self._source)
