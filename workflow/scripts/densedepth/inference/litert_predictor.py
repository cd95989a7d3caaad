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


class LitertPredictor(exported.Predictor):
    """As `predictors.Predictor`, by LiteRT's interpreter."""

    def __init__(self, interpreter: Any, source: Dict[str, Any]) -> None:
        (self._input,), (self._output,) = interpreter.get_input_details(), interpreter.get_output_details()
        # What may vary is -1 there.
        batch, height, width = (int(side) if side > 0 else None for side in self._input["shape_signature"][:3])
        super().__init__(interpreter, source, batch, (height, width))
        self._shape: Tuple[int, ...] = ()

    def run(self, images: np.ndarray) -> np.ndarray:
        """As `exported.Predictor.run`."""
        images = np.ascontiguousarray(images, np.float32)
        if images.shape != self._shape:
            self._network.resize_tensor_input(self._input["index"], images.shape)
            self._network.allocate_tensors()
            self._shape = images.shape
        self._network.set_tensor(self._input["index"], images)
        self._network.invoke()
        return self._network.get_tensor(self._output["index"])
