"""Networks in LiteRT's files (`.tflite`, once TensorFlow Lite), run by the interpreter of the current TensorFlow."""

import os
import warnings
from typing import Any, Dict, Tuple

import numpy as np

from ..errors import PipelineError
from ..tf import tf
from . import exported


def load(path: str) -> "LitertPredictor":
    """The `LitertPredictor` of the file. Raises PipelineError when it is none, and on TensorFlow 1.15."""
    if tf.__version__.startswith("1."):
        raise PipelineError("{}: TensorFlow 1.15 does not run it; use .venv/tf2/bin/python".format(path))
    if not os.path.isfile(path):
        raise PipelineError("{}: no such file; export_matrix.py makes one of a frozen graph".format(path))
    with warnings.catch_warnings():
        # It is to be found in a package of its own in future.
        warnings.simplefilter("ignore")
        try:
            interpreter = tf.lite.Interpreter(path, num_threads=os.cpu_count())
        except (ValueError, RuntimeError) as error:
            raise PipelineError(
                "{}: LiteRT cannot load it ({})".format(path, str(error).split("\n")[0][:300])
            ) from None
    return LitertPredictor(interpreter, exported.source("litert", path))


class LitertPredictor:
    """As `predictors.Predictor`: a context manager with `size`, `batch`, `run` and `describe`."""

    def __init__(self, interpreter: Any, source: Dict[str, Any]) -> None:
        self._interpreter = interpreter
        (self._input,), (self._output,) = interpreter.get_input_details(), interpreter.get_output_details()
        # What may vary is -1 there.
        shape = [int(side) for side in self._input["shape_signature"]]
        self.batch = shape[0] if shape[0] > 0 else None
        self.size = (shape[1], shape[2]) if min(shape[1:3]) > 0 else None
        self._shape: Tuple[int, ...] = ()
        self._source = dict(source, size=list(self.size) if self.size else None)

    def __enter__(self) -> "LitertPredictor":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._interpreter = None

    def run(self, images: np.ndarray) -> np.ndarray:
        """The output for float32 `images` (n, height, width, 3), RGB in 0..1: (n, height / 2, width / 2, 1)."""
        images = np.ascontiguousarray(images, np.float32)
        if images.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input["index"], images.shape)
            self._interpreter.allocate_tensors()
            self._shape = images.shape
        self._interpreter.set_tensor(self._input["index"], images)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output["index"])

    def describe(self) -> Dict[str, Any]:
        """As `predictors.Predictor.describe`, with the kind "litert"."""
        return dict(self._source)
