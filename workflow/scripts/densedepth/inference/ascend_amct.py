"""A frozen graph as int8 by AMCT, the vendor's calibration: `amct_tensorflow calibration`, by its documentation.

It runs the float graph over raw batches, as `write_batches.py` makes them, and writes one .pb that computes on a CPU as
the int8 network would, and that atc converts. Nothing here has been run by the real program.
"""

import os
import shutil
import subprocess
import tempfile
from typing import Any, Dict, List

from .. import files, metadata
from ..errors import PipelineError
from . import ascend_om

MISSING = "amct_tensorflow is not on PATH: install the wheel amct_tensorflow of CANN's AMCT package for this Python"


def flags(graph: str, side: Dict[str, Any], shape: List[int], batches: str, count: int, prefix: str) -> List[str]:
    """The words after `amct_tensorflow`; `batches`: folder of .bin files, of which `count` are used."""
    return [
        "calibration",
        "--model={}".format(os.path.abspath(graph)),
        "--save_path={}".format(prefix),
        "--outputs={}".format(side["output"]["name"]),
        "--input_shape={}:{}".format(side["input"]["name"].split(":")[0], ",".join(map(str, shape))),
        "--data_dir={}".format(os.path.abspath(batches)),
        "--data_types=float32",
        "--batch_num={}".format(count),
    ]


def quantize(graph: str, batches: str, path: str, most: int) -> Dict[str, Any]:
    """Write `graph`, calibrated by up to `most` of the batches in `batches`, as `path` and `path`.json.

    Raises PipelineError when the program is missing, fails, or leaves no graph.
    """
    side = ascend_om.graph_side(graph)
    told = ascend_om.batches_side(batches)
    if told.get("type", "float32") != "float32":
        raise PipelineError("{}: AMCT calibrates by float32 batches, these are {}".format(batches, told["type"]))
    if side["input"]["shape"][1:3] != told["size"]:
        raise PipelineError(
            "{}: images of {}, the graph's are {}".format(batches, told["size"], side["input"]["shape"])
        )
    program = shutil.which("amct_tensorflow")
    if program is None:
        raise PipelineError(MISSING)
    count = min(most, told["batches"])
    shape = [told["batch_size"], *side["input"]["shape"][1:]]
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(path))) as place:
        words = flags(graph, side, shape, os.path.join(batches, "image"), count, os.path.join(place, "int8"))
        print("running amct_tensorflow {}".format(" ".join(words)), flush=True)
        done = subprocess.run([program, *words], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        told_by = done.stdout.decode("utf-8", "replace").strip().splitlines() or ["it printed nothing"]
        if done.returncode != 0:
            raise PipelineError("amct_tensorflow failed with status {}: {}".format(done.returncode, told_by[-1]))
        made = sorted(name for name in os.listdir(place) if name.startswith("int8") and name.endswith(".pb"))
        if len(made) != 1:
            raise PipelineError("amct_tensorflow succeeded but left {} .pb files".format(len(made)))
        content = dict(side, sha256=files.sha256(os.path.join(place, made[0])))
        content["quantized"] = {"batches": count, "batch_size": told["batch_size"], "float_sha256": side["sha256"]}
        files.replace(os.path.join(place, made[0]), path)
    files.write_json(path + ".json", content)
    metadata.read(path + ".json", ascend_om.GRAPH)
    return content
