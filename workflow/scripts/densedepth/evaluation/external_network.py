"""A depth network of another program in an ONNX file, with the preprocessing that it wants. Needs onnxruntime.

Such files do not say what their input means; the program that made them does: the size, whether pixels are 0..1 or
0..255, the mean and the deviation that they are normalized with, the order of axes and of colours; and what is put out.
"""

import dataclasses
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from .. import files
from ..errors import PipelineError
from ..imaging import depth
from ..inference import onnx_predictor
from . import alignment
from .predicted import Predicted
from .stored_arrays import flat

LAYOUTS = ("nchw", "nhwc")
COLOURS = ("rgb", "bgr")
HIGHEST = (1, 255)

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}


@dataclasses.dataclass(frozen=True)
class Preprocessing:
    """size: (height, width) that images are resized to, None for what the file says; highest: the value of white before
    (pixel - mean) / deviation, each of three numbers in the order of `colours`; layout: the order of axes."""

    size: Optional[Tuple[int, int]] = None
    mean: Sequence[float] = (0.0, 0.0, 0.0)
    deviation: Sequence[float] = (1.0, 1.0, 1.0)
    layout: str = "nchw"
    colours: str = "rgb"
    highest: int = 1

    def image(self, rgb: np.ndarray, size: Optional[Tuple[int, int]]) -> np.ndarray:
        """`rgb` (H, W, 3) in 0..255 as the network's input, float32 (1, 3, h, w) or (1, h, w, 3)."""
        pixels = depth.fit(rgb[np.newaxis], size) * np.float32(self.highest)
        pixels = pixels[..., ::-1] if self.colours == "bgr" else pixels
        mean, deviation = (np.asarray(one, np.float32) for one in (self.mean, self.deviation))
        pixels = (pixels - mean) / deviation
        return pixels.transpose(0, 3, 1, 2) if self.layout == "nchw" else pixels


class NetworkMaps(Predicted):
    """As `stored_maps.Maps`, of what a network puts out for the images of a test set."""

    matched_by = "image"

    def __init__(
        self, path: str, preprocessing: Preprocessing, unit: str, alignment_name: str, output: str = ""
    ) -> None:
        """Load the file. output: the name of the output, where it has several. Raises PipelineError for a file that
        does not take one image of that layout."""
        alignment.check(unit, alignment_name)
        self.path, self.unit, self.alignment = path, unit, alignment_name
        if not min(preprocessing.deviation) > 0:
            raise PipelineError("{}: the deviation of a colour must be above 0".format(path))
        self._preprocessing = preprocessing
        self._session = onnx_predictor.session(path)
        self._input, self._size = self._fitting_input()
        self._output = self._chosen_output(output)

    @property
    def size(self) -> Optional[Tuple[int, int]]:
        """(height, width) that images are resized to; None for their own."""
        return self._size

    def __enter__(self) -> "NetworkMaps":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._session = None

    def _fitting_input(self):
        """(name of the input, dtype), and the size (height, width) that images get."""
        inputs, layout = self._session.get_inputs(), self._preprocessing.layout
        shapes = "; ".join("{} {} {}".format(one.name, one.type, one.shape) for one in inputs)
        shape = inputs[0].shape if len(inputs) == 1 else []
        first, channels, stated = _parts(shape, layout) if len(shape) == 4 else (0, 0, (None, None))
        if first not in (None, 1) or channels not in (None, 3) or inputs[0].type not in _DTYPES:
            words = "{}: expected one input of one image, {}, of floating point; it has {}"
            raise PipelineError(words.format(self.path, layout, shapes))
        size = self._preprocessing.size
        if size and any(side not in (None, own) for side, own in zip(stated, size)):
            words = "{}: takes images of {}x{}, not of {}x{}"
            raise PipelineError(words.format(self.path, *(side or "any" for side in stated), *size))
        return (inputs[0].name, _DTYPES[inputs[0].type]), size or (None if None in stated else stated)

    def _chosen_output(self, output):
        names = [one.name for one in self._session.get_outputs()]
        if output in names or (not output and len(names) == 1):
            return output or names[0]
        words = "{}: has no output {}; it has {}" if output else "{}: name its output{}; it has {}"
        raise PipelineError(words.format(self.path, output, ", ".join(names)))

    def describe(self) -> Dict[str, Any]:
        """What was scored, as JSON: kind, path, unit, and how images were made its input."""
        facts = dataclasses.asdict(self._preprocessing)
        facts.update(size=list(self._size) if self._size else None, mean=list(facts["mean"]))
        facts["deviation"] = list(facts["deviation"])
        source = {"kind": "network", "path": self.path, "unit": self.unit, "sha256": files.sha256(self.path)}
        return dict(source, preprocessing=facts, output=self._output, matched_by=self.matched_by)

    def name(self, index: int) -> str:
        """What the map of image `index` is called in messages."""
        return "{}: image {}".format(self.path, index)

    def values(self, index: int, rgb: Optional[np.ndarray] = None) -> np.ndarray:
        """What the network puts out for `rgb` (H, W, 3) in 0..255: (h, w) in `unit`. Raises PipelineError as `Maps`."""
        assert rgb is not None
        name, dtype = self._input
        image = self._preprocessing.image(rgb, self._size)
        try:
            found = self._session.run([self._output], {name: np.ascontiguousarray(image, dtype)})[0]
        except Exception as error:
            # The classes of the library's errors are private.
            reason = str(error).split("\n")[0]
            raise PipelineError("{}: ONNX Runtime cannot run it ({})".format(self.name(index), reason)) from None
        return self._checked(flat(found), index)

    def _check_view(self, values, index, size):
        """Any shape shows the image as a whole."""


def _parts(shape, layout):
    """(images, channels, (height, width)) of an input's shape, None for what may be anything."""
    images, *rest = (side if isinstance(side, int) else None for side in shape)
    return (images, rest[0], tuple(rest[1:])) if layout == "nchw" else (images, rest[2], tuple(rest[:2]))
