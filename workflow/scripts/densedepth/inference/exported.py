"""What is known of a network in a file for another runtime: from the metadata file beside it, if it is of this file."""

import os
from typing import Any, Dict

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
