"""Networks in OM files on Ascend, run by CANN's `msame` or `ais_bench`. Needs no TensorFlow.

`ais_bench` keeps the model loaded. With `msame` each call of `run` starts the program, which loads it again: pass many
images at once, or use the workflow's rules `write_batches`, `run_om` and `score_om` for a whole test set.
"""

import os
from typing import Any, Dict, Optional, Sequence

import numpy as np

from .. import files, metadata
from ..errors import PipelineError
from . import ascend_om
from .ascend_session import Session

_SIDE = {"sha256": metadata.SHA256}


def load(path: str, tool: Optional[str] = None, device: int = 0) -> "OmPredictor":
    """The `OmPredictor` of the file, whose metadata file export_om.py writes beside it.

    `tool`: "msame" or "ais_bench"; by default the first that is installed. Raises PipelineError when the file, its
    metadata file or the tool is missing.
    """
    if not os.path.isfile(path):
        raise PipelineError("{}: no such file; export_om.py makes one of a frozen graph".format(path))
    side = metadata.read(path + ".json", dict(_SIDE, **ascend_om.TENSORS))
    if side["sha256"] != files.sha256(path):
        raise PipelineError("{}.json: belongs to another file; convert the graph again with export_om.py".format(path))
    source = dict(ascend_om.describe(path), size=list(ascend_om.input_size(path + ".json")))
    sizes = side.get("batches") or [side["input"]["shape"][0]]
    type_name = side["input"].get("type", "float32")
    return OmPredictor(path, sizes, type_name, source, tool or ascend_om.installed_tool(), device)


class OmPredictor:
    """As `predictors.Predictor`: a context manager with `size`, `batch`, `run` and `describe`.

    sizes: numbers of images that the file takes, of which the largest is `batch`. type_name: of its input.
    """

    def __init__(
        self, path: str, sizes: Sequence[int], type_name: str, source: Dict[str, Any], tool: str, device: int
    ) -> None:
        self._path = path
        self._type_name = type_name
        self._dynamic = len(sizes) > 1
        self._session = Session(path, device, self._dynamic) if tool == "ais_bench" else None
        self._source = source
        self._device = device
        self.batch = max(sizes)
        self.size = tuple(source["size"])

    def __enter__(self) -> "OmPredictor":
        return self

    def __exit__(self, *exception: Any) -> None:
        pass

    def run(self, images: np.ndarray) -> np.ndarray:
        """The output for float32 `images` (batch, height, width, 3), RGB in 0..1: (batch, height / 2, width / 2, 1)."""
        images = np.asarray(images, np.float32)
        expected = (self.batch, *self.size, 3)
        if images.shape != expected:
            raise PipelineError(
                "{}: images of shape {} for an input of shape {}".format(self._path, images.shape, expected)
            )
        if self._session:
            output = self._session.infer(ascend_om.encoded(images, self._type_name))
            return output.reshape(self.batch, self.size[0] // 2, self.size[1] // 2, 1)
        found = ascend_om.run_batch(self._path, images, self._device, self._type_name, self._dynamic)
        return found[..., np.newaxis]

    def describe(self) -> Dict[str, Any]:
        """As `predictors.Predictor.describe`, with the kind "om"."""
        return dict(self._source)
