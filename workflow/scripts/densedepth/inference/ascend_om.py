"""Offline inference on Ascend: a frozen graph as an OM file, batches in, outputs back. No TensorFlow or Ascend code.

The conversion is CANN's `atc`, the runs are `msame` or `ais_bench`, all of them programs of their own. They exchange
raw little-endian float32 files without a header: batches (n, height, width, 3) RGB 0..1 and outputs
(n, height / 2, width / 2, 1). The file names are those of the reference port: image/rgb_bs<n>_<i>.bin and
image_flip/rgb_flip_bs<n>_<i>.bin, i from 0. Outputs are matched to inputs by the stem of their name.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Dict, List, Tuple

import numpy as np

from .. import files, metadata
from ..errors import PipelineError
from ..imaging import depth
from ..metadata import COUNT, SHA256, SIZE, Null, Number
from ..network.model import GRAPH_SCHEMA, SCHEMA

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

FORMAT = 1
SIDE_FILE = "batches.json"
TOOLS = ("msame", "ais_bench")

# Folders below the inputs and below the outputs, and how the names of the batches in them begin.
_KINDS = (("image", "rgb_bs"), ("image_flip", "rgb_flip_bs"))

_POSITIVE = Number(1, 65536, whole=True)
TENSORS = {
    "input": {"name": str, "shape": (Null(_POSITIVE), _POSITIVE, _POSITIVE, Number(3, 3, whole=True))},
    "output": {"name": str, "shape": [Null(_POSITIVE)]},
}
# The metadata files of a frozen graph, of an OM file, and of batches and outputs.
_GRAPH = dict(GRAPH_SCHEMA, **TENSORS)
_OM = {
    "sha256": SHA256,
    "source": {"epoch": Null(COUNT), "global_step": Null(COUNT), "model": Null(SCHEMA)},
    "soc_version": str,
    "precision_mode": str,
}
_BATCHES = {"batches": COUNT, "batch_size": _POSITIVE, "images": COUNT, "size": SIZE, "model?": {}}

_TOOLKIT = "install CANN's toolkit (Ascend-cann-toolkit) and run `source <its folder>/set_env.sh` first"
_MISSING = {
    "atc": "atc is not on PATH: " + _TOOLKIT,
    "msame": "msame is not on PATH: build it from the folder msame of the repository Ascend/tools, with CANN installed",
    "ais_bench": "ais_bench is no module of {}: install the wheels aclruntime and ais_bench of Ascend/tools, "
    "with CANN installed".format(sys.executable),
}


def convert(graph_path: str, path: str, soc_version: str, precision_mode: str, batch_size: int) -> Dict[str, Any]:
    """Convert the frozen graph to the OM file `path` by `atc`, and write `path`.json; returns its content.

    The graph needs its metadata file. Raises PipelineError when `atc` is not there or fails, with its last words.
    """
    side = metadata.read(graph_path + ".json", _GRAPH)
    if side["sha256"] != files.sha256(graph_path):
        raise PipelineError(
            "{}.json: belongs to another file; freeze the graph again with ckpt2pb.py".format(graph_path)
        )
    batch = side["input"]["shape"][0]
    if batch not in (None, batch_size):
        raise PipelineError("{}: frozen for batches of {}, not {}".format(graph_path, batch, batch_size))
    program = _program("atc")
    shape = [batch_size] + side["input"]["shape"][1:]
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    # The compiler leaves files of its own where it works.
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(path))) as place:
        flags = [
            "--model={}".format(os.path.abspath(graph_path)),
            "--framework=3",
            "--input_shape={}:{}".format(side["input"]["name"].split(":")[0], ",".join(map(str, shape))),
            "--input_format=NHWC",
            "--out_nodes={}".format(side["output"]["name"]),
            "--output_type=FP32",
            "--precision_mode={}".format(precision_mode),
            "--soc_version={}".format(soc_version),
            "--log=error",
        ]
        made = os.path.join(place, "model.om")
        _call(program + flags + ["--output={}".format(made[:-3])], place)
        if not os.path.isfile(made):
            raise PipelineError("atc succeeded but made no .om file; see its output")
        content = {
            "format": FORMAT,
            "soc_version": soc_version,
            "precision_mode": precision_mode,
            "command": ["atc"] + flags,
            "input": dict(side["input"], shape=shape),
            "output": dict(side["output"], shape=[batch_size] + side["output"]["shape"][1:]),
            "source": dict(side["source"], model=side["model"], graph_sha256=side["sha256"]),
            "sha256": files.sha256(made),
            "bytes": os.path.getsize(made),
        }
        files.replace(made, path)
    files.write_json(path + ".json", content)
    return content


def write_batches(test_set: "TestSet", folder: str, size: Tuple[int, int], batch_size: int) -> int:
    """Write all images of the test set, and their mirror images, as batches below `folder`; returns their number.

    A short last batch is filled up with copies of its last image. The folder, complete or not there, is replaced.
    """
    with files.atomic_folder(folder) as temporary:
        for kind, _ in _KINDS:
            os.makedirs(os.path.join(temporary, kind))
        count = 0
        for rgb, _, numbers in test_set.batches(batch_size, holes=True):
            images = depth.fit(rgb, size, test_set.framing)
            images = np.concatenate([images] + [images[-1:]] * (batch_size - len(numbers)))
            for (kind, start), view in zip(_KINDS, (images, images[:, :, ::-1])):
                name = "{}{}_{}.bin".format(start, batch_size, count)
                np.ascontiguousarray(view, "<f4").tofile(os.path.join(temporary, kind, name))
            count += 1
        side = {
            "format": FORMAT,
            "batches": count,
            "batch_size": batch_size,
            "images": test_set.count,
            "size": list(size),
            "holds": "float32 little-endian, NHWC, RGB 0..1",
        }
        files.write_json(os.path.join(temporary, SIDE_FILE), side)
    return count


def run(model: str, batches: str, out: str, tool: str, device: int) -> None:
    """Run the OM file over the folder `batches` by `tool`; the outputs go below the folder `out`, which is replaced."""
    _program(tool)
    if not os.path.isfile(model):
        raise PipelineError("{}: no such file".format(model))
    side = _batches_side(batches)
    with files.atomic_folder(out) as temporary:
        for kind, _ in _KINDS:
            _run_folder(
                model, os.path.join(batches, kind), os.path.join(temporary, kind), side["batch_size"], tool, device
            )
        files.write_json(os.path.join(temporary, SIDE_FILE), dict(side, model=describe(model), tool=tool))
    # The right number of outputs, of the right size, or it was no run.
    stored = Stored(out)
    for number in range(side["batches"]):
        stored.outputs(number)


def run_batch(model: str, images: np.ndarray, tool: str, device: int) -> np.ndarray:
    """The output (n, height / 2, width / 2) for float32 `images` (n, height, width, 3), one batch."""
    count, height, width = images.shape[:3]
    stem = "{}{}_0".format(_KINDS[0][1], count)
    with tempfile.TemporaryDirectory() as place:
        batches, out = os.path.join(place, "in"), os.path.join(place, "out")
        os.mkdir(batches)
        np.ascontiguousarray(images, "<f4").tofile(os.path.join(batches, stem + ".bin"))
        _run_folder(model, batches, out, count, tool, device, quiet=True)
        return _read_output(out, _by_stem(out), stem, (count, height // 2, width // 2))


def installed_tool() -> str:
    """The first of `TOOLS` that is installed. Raises PipelineError, saying what to install, where none is."""
    reasons = []
    for tool in TOOLS:
        try:
            _program(tool)
            return tool
        except PipelineError as error:
            reasons.append(str(error))
    raise PipelineError("no tool to run an OM file: {}".format("; or ".join(reasons)))


def _run_folder(model, batches, out, batch_size, tool, device, quiet=False):
    """Run the OM file over the .bin files in the folder `batches` by `tool`; the outputs go below the folder `out`."""
    flags = ["--model", model, "--input", batches, "--outfmt", "BIN", "--device", str(device)]
    if tool == "ais_bench":
        place, name = os.path.split(out)
        os.makedirs(place, exist_ok=True)
        flags += ["--output", place, "--output_dirname", name, "--batchsize", str(batch_size)]
    else:
        os.makedirs(out)
        flags += ["--output", out]
    _call(_program(tool) + flags, quiet=quiet)


class Stored:
    """The outputs of a finished run, as `scoring.evaluate_stored` wants them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._side = _batches_side(folder)
        self.batch_size = self._side["batch_size"]
        self._found = {kind: _by_stem(os.path.join(folder, kind)) for kind, _ in _KINDS}

    def outputs(self, number: int) -> Tuple[np.ndarray, np.ndarray]:
        """Outputs (n, h, w) of batch `number` and of its mirrored images. Raises PipelineError naming the batch."""
        output, mirrored = (
            self._read(kind, "{}{}_{}".format(start, self.batch_size, number)) for kind, start in _KINDS
        )
        return output, mirrored

    def describe(self) -> Dict[str, Any]:
        """As `predictors.Predictor.describe`, with the kind "om"."""
        return dict(self._side["model"], kind="om", size=self._side["size"])

    def _read(self, kind, stem):
        shape = (self.batch_size, *(side // 2 for side in self._side["size"]))
        return _read_output(os.path.join(self._folder, kind), self._found[kind], stem, shape)


def _read_output(folder, found, stem, shape):
    """The output of the batch `stem`, float32 of `shape`; `found`: see `_by_stem`."""
    paths = found.get(stem, [])
    if len(paths) != 1:
        raise PipelineError(
            "{}: expected 1 output of {}.bin, got {}; run the model again".format(folder, stem, len(paths))
        )
    values = np.fromfile(paths[0], "<f4")
    if values.size != np.prod(shape):
        raise PipelineError(
            "{}: expected {} bytes (float32, {}x{}x{}x1), got {}; convert with --output_type=FP32".format(
                paths[0], 4 * np.prod(shape), *shape, values.nbytes
            )
        )
    return values.reshape(shape)


def _by_stem(folder):
    """{stem of the input: paths}: msame writes <time>/<stem>_output_0.bin, ais_bench <stem>_0.bin or <stem>.bin."""
    found: Dict[str, List[str]] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            match = re.match(r"(rgb_(?:flip_)?bs\d+_\d+)(?:_output_0|_0)?\.bin$", name)
            if match:
                found.setdefault(match.group(1), []).append(os.path.join(place, name))
    return found


def input_size(path: str) -> Tuple[int, int]:
    """(height, width) of the network's input by the metadata file `path` of a frozen graph or an OM file."""
    size = metadata.read(path, TENSORS)["input"]["shape"][1:3]
    metadata.check(path, {"input": {"size": size}}, {"input": {"size": SIZE}})
    return tuple(size)


def _batches_side(folder):
    path = os.path.join(folder, SIDE_FILE)
    if not os.path.exists(path):
        raise PipelineError("{}: no {}, the batches are incomplete; write them again".format(folder, SIDE_FILE))
    return metadata.read(path, _BATCHES, FORMAT)


def describe(path: str) -> Dict[str, Any]:
    """What is known of an OM file, from its metadata file if that is of this file."""
    known = {"path": path, "sha256": files.sha256(path), "epoch": None, "global_step": None, "model": None}
    if os.path.exists(path + ".json"):
        side = metadata.read(path + ".json", _OM, FORMAT)
        if side["sha256"] == known["sha256"]:
            known.update({key: side["source"][key] for key in ("epoch", "global_step", "model")})
            known.update({key: side[key] for key in ("soc_version", "precision_mode")})
    return known


def _program(name):
    """The words that start a tool. Raises PipelineError, saying what to install, where it is not there."""
    if name == "ais_bench":
        command = [sys.executable, "-m", "ais_bench"]
        probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ais_bench') is None)"
        if subprocess.call([sys.executable, "-c", probe]) == 0:
            return command
    elif shutil.which(name):
        return [shutil.which(name)]
    raise PipelineError(_MISSING[name])


def _call(command, place=None, quiet=False):
    if not quiet:
        print("running {}".format(" ".join(command)), flush=True)
    done = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    words = done.stdout.decode("utf-8", "replace")
    if not quiet:
        print(words, end="", flush=True)
    if done.returncode != 0:
        lines = [line for line in words.splitlines() if line.strip()] or ["it printed nothing"]
        # A line with a code says more than the one that only says that it failed.
        telling = [line for line in lines if re.search(r"E\d{5}|\berror\b", line, re.IGNORECASE)] or lines[-1:]
        raise PipelineError(
            "{} failed with status {}: {}".format(os.path.basename(command[0]), done.returncode, telling[0].strip())
        )
