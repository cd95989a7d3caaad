"""What is known of a network in a file for another runtime: from the metadata file beside it, if it is of this file."""

import os
from typing import Any, Dict, Optional, Sequence

import numpy as np

from .. import files, metadata
from ..metadata import COUNT, DEPTH_RANGE, SHA256, Null
from ..network import model

# What the metadata files of exports of every kind say of the network that they are made of.
SOURCE = {
    "epoch": Null(COUNT),
    "global_step": Null(COUNT),
    "model": Null(model.SCHEMA),
    # Files of earlier versions do not tell it.
    "depth_range?": Null(DEPTH_RANGE),
    "calibration?": {},
}
# That of it which decides how the output is read; a frozen graph's metadata file has it beside its source.
_MEANING = ("model", "depth_range", "calibration")

# The metadata file, as far as the network is run by it.
SIDE = {"sha256": SHA256, "source": SOURCE}


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
    found: Dict[str, Any] = dict(dict.fromkeys(("epoch", "global_step", "model", "depth_range")), kind=kind, path=path)
    found["sha256"] = files.sha256(path)
    if os.path.exists(path + ".json"):
        side = metadata.read(path + ".json", SIDE)
        if side["sha256"] == found["sha256"]:
            told = ("epoch", "global_step", *_MEANING)
            found.update({key: side["source"][key] for key in told if key in side["source"]})
    return found


def meaning(known: Dict[str, Any]) -> Dict[str, Any]:
    """What decides how the output is read: that part of what is `known` of a network, here or in a metadata file."""
    return {key: known[key] for key in _MEANING if key in known}


def facts(described: Dict[str, Any], sha256: Optional[str] = None) -> Dict[str, Any]:
    """What the metadata file of an export says of the network that `described` tells of; `sha256` is the file's."""
    known: Dict[str, Any] = {"source": described, "sha256": sha256}
    return dict(known, **meaning(described))
