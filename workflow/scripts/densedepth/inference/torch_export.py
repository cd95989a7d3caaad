"""A checkpoint as a safetensors file for PyTorch, with the module that loads it. PyTorch is not needed."""

import json
import os
from typing import Any, Dict

from .. import files, runtime
from ..network import checkpoints, torch_files, torch_model, torch_names, weights

FORMAT = 1

# What loads the file in PyTorch; a copy is put beside it.
MODULE = "densedepth_torch.py"


def export(checkpoint_path: str, path: str) -> Dict[str, Any]:
    """Write the network of the checkpoint as the safetensors file `path`, `MODULE` beside it, and `path`.json.

    The tensors have the names and layouts of the original authors' PyTorch network (see `torch_names`), the metadata
    tells the network (`torch_model.TOLD`). Equal checkpoints give equal bytes. Returns the content of `path`.json.
    """
    checkpoint = checkpoints.find(checkpoint_path)
    side = checkpoint.side
    told = {
        "format": FORMAT,
        "model": side["model"],
        "size": list(side["size"]),
        "depth_range": side.get("training", {}).get("depth_range"),
        "epoch": side["epoch"],
        "global_step": side["global_step"],
        **{key: side[key] for key in ("calibration",) if key in side},
    }
    tensors = torch_names.to_torch(weights.trained(checkpoint))
    # `format` is what libraries ask for, to know whose tensors these are.
    metadata = {"format": "pt", torch_model.KEY: json.dumps(told, sort_keys=True)}
    torch_files.write_safetensors(path, tensors, metadata)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), MODULE), encoding="utf-8") as stream:
        files.write_text(os.path.join(os.path.dirname(path), MODULE), stream.read())
    written = {
        "format": FORMAT,
        "network": told,
        "source": {"path": checkpoint.folder, "sha256": side["files"]},
        "tensors": len(tensors),
        "module": MODULE,
        "sha256": files.sha256(path),
        "bytes": os.path.getsize(path),
        "runtime": runtime.describe(),
    }
    files.write_json(path + ".json", written)
    return written
