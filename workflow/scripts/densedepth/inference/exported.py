"""What is known of a network in a file for another runtime: from the metadata file beside it, if it is of this file."""

import os
from typing import Any, Dict, Optional, Sequence

import numpy as np

from .. import files, metadata
from ..metadata import COUNT, DEPTH_RANGE, SHA256, Null
from ..network import model

# The metadata file, as far as the network is run by it.
SIDE = {
    "sha256": SHA256,
    "source": {
        "epoch": Null(COUNT),
        "global_step": Null(COUNT),
        "model": Null(model.SCHEMA),
        "depth_range?": Null(DEPTH_RANGE),
        "calibration?": {},
    },
}


class Predictor:
    """As `predictors.Predictor`, of a file for another runtime: a context manager with `size`, `batch`, `run` and
    `describe`."""

    def __init__(
        self, network: Any, source: Dict[str, Any], batch: Optional[int], size: Sequence[Optional[int]]
    ) -> None:
        """network: what the runtime has loaded, freed at the end. batch, size: None for what may be any."""
        self._network = network
        self.batch = batch
        height, width = size
        self.size = (height, width) if height and width else None
        self._source = dict(source, size=list(self.size) if self.size else None)

    def __enter__(self) -> "Predictor":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._network = None

    def run(self, images: np.ndarray) -> np.ndarray:
        """The output for float32 `images` (n, height, width, 3), RGB in 0..1: (n, height / 2, width / 2, 1)."""
        raise NotImplementedError

    def describe(self) -> Dict[str, Any]:
        """As `predictors.Predictor.describe`, with a kind of its own."""
        return dict(self._source)


def source(kind: str, path: str) -> Dict[str, Any]:
    """As `predictors.Predictor.describe`, of the file at `path`; `size` is not known yet."""
    found: Dict[str, Any] = {"kind": kind, "path": path, "epoch": None, "global_step": None, "model": None}
    found["depth_range"] = None
    found["sha256"] = files.sha256(path)
    if os.path.exists(path + ".json"):
        side = metadata.read(path + ".json", SIDE)
        if side["sha256"] == found["sha256"]:
            found.update({key: side["source"][key] for key in ("epoch", "global_step", "model")})
            # Files of earlier versions do not tell it.
            found["depth_range"] = side["source"].get("depth_range")
            found.update({key: side["source"][key] for key in ("calibration",) if key in side["source"]})
    return found
