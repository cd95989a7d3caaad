"""Networks in ONNX files, run by ONNX Runtime. Needs the package onnxruntime, and no TensorFlow."""

import os
from typing import Any, Dict

import numpy as np

from ..errors import PipelineError
from . import exported


def runtime_module() -> Any:
    """The package onnxruntime. Raises PipelineError, saying how to get it, where it is not installed."""
    try:
        import onnxruntime
    except ImportError:
        raise PipelineError(
            "ONNX Runtime is not installed here; `make onnx` installs it, then use .venv/tf2/bin/python"
        ) from None
    return onnxruntime


def session(path: str, source: str = "") -> Any:
    """The ONNX file, loaded by ONNX Runtime. Raises PipelineError where one of both is missing, or the file is none.

    source: where such a file comes from, for the message that there is none.
    """
    onnxruntime = runtime_module()
    if not os.path.isfile(path):
        raise PipelineError("{}: no such file{}".format(path, source and "; " + source))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())
    except Exception as error:
        # The classes of the library's errors are private.
        raise PipelineError("{}: ONNX Runtime cannot load it ({})".format(path, str(error).split("\n")[0])) from None


def load(path: str) -> "OnnxPredictor":
    """The `OnnxPredictor` of the file. Raises PipelineError when it is none, or no network from image to depth."""
    loaded = session(path, "export_onnx.py makes one of a frozen graph")
    inputs, outputs = loaded.get_inputs(), loaded.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].shape[3] != 3:
        raise PipelineError(
            "{}: expected one input (images, height, width, 3) and one output, got inputs {}".format(
                path, [(one.name, one.shape) for one in inputs]
            )
        )
    return OnnxPredictor(loaded, exported.source("onnx", path))


class OnnxPredictor(exported.Predictor):
    """As `predictors.Predictor`, by ONNX Runtime."""

    def __init__(self, session: Any, source: Dict[str, Any]) -> None:
        self._input = session.get_inputs()[0]
        self._output = session.get_outputs()[0].name
        batch, height, width = (side if isinstance(side, int) else None for side in self._input.shape[:3])
        super().__init__(session, source, batch, (height, width))

    def run(self, images: np.ndarray) -> np.ndarray:
        """As `exported.Predictor.run`."""
        images = np.ascontiguousarray(images, np.float32)
        expected = (self.batch or len(images),) + tuple(self.size or images.shape[1:3]) + (3,)
        if images.shape != expected:
            raise PipelineError(
                "{}: images of shape {} for an input of shape {}".format(
                    self._source["path"], images.shape, tuple(self._input.shape)
                )
            )
        return self._network.run([self._output], {self._input.name: images})[0]
