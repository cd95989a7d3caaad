"""Offline inference on Ascend: a network as an OM file, batches in, outputs back. No TensorFlow or Ascend code.

The conversion is CANN's `atc`, the runs are `msame`, a program, or `ais_bench`, a module. Batches are raw little-endian
files without a header: (n, height, width, 3) RGB, float32 in 0..1, or uint8 where the OM file divides by 255 itself;
outputs are float32 (n, height / 2, width / 2, 1). The file names are those of the reference port:
image/rgb_bs<n>_<i>.bin and image_flip/rgb_flip_bs<n>_<i>.bin, i from 0. Outputs are matched to inputs by the stem of
their name.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import files, metadata, outputs
from ..errors import PipelineError
from ..imaging import depth
from ..metadata import COUNT, SHA256, SIZE, Null, Number
from ..network.model import GRAPH_SCHEMA
from . import ascend_atc, exported
from .ascend_session import Session

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

FORMAT = 1
SIDE_FILE = "batches.json"
TOOLS = ("msame", "ais_bench")

# Folders below the inputs and below the outputs, and how the names of the batches in them begin.
_KINDS = (("image", "rgb_bs"), ("image_flip", "rgb_flip_bs"))
# What a folder of batches holds, and one of outputs, which `msame` may put into a folder named after the time.
_BATCH_FILES = r"batches\.json|image(_flip)?/rgb(_flip)?_bs\d+_\d+\.bin"
_OUTPUT_FILES = r"batches\.json|image(_flip)?/([\d_]+/)?rgb(_flip)?_bs\d+_\d+_\w+\.(bin|txt)"

_POSITIVE = Number(1, 65536, whole=True)
TENSORS = {
    "input": {"name": str, "shape": (Null(_POSITIVE), _POSITIVE, _POSITIVE, Number(3, 3, whole=True))},
    "output": {"name": str, "shape": [Null(_POSITIVE)]},
}
# The metadata files of a frozen graph, of an ONNX file, of an OM file, and of batches and outputs.
GRAPH = dict(GRAPH_SCHEMA, **TENSORS)
_ONNX = dict(TENSORS, sha256=SHA256, opset=COUNT, source=exported.SOURCE)
_OM = {"sha256": SHA256, "source": exported.SOURCE, "soc_version": str, "precision_mode": str, "batches?": [_POSITIVE]}
_BATCHES = {"batches": COUNT, "batch_size": _POSITIVE, "images": COUNT, "size": SIZE, "type?": str, "model?": {}}
_TYPES = {"float32": "<f4", "uint8": "u1"}

_TOOLKIT = "install CANN's toolkit (Ascend-cann-toolkit) and run `source <its folder>/set_env.sh` first"
_MISSING = {
    "atc": "atc is not on PATH: " + _TOOLKIT,
    "msame": "msame is not on PATH: build it from the folder msame of the repository Ascend/tools, with CANN installed",
    "ais_bench": "ais_bench is no module of {}: install the wheels aclruntime and ais_bench of Ascend/tools, "
    "with CANN installed".format(sys.executable),
}


def graph_side(path: str) -> Dict[str, Any]:
    """The metadata file of a frozen graph or ONNX file. Raises PipelineError where it is missing or of another file."""
    onnx = ascend_atc.is_onnx(path)
    side = metadata.read(path + ".json", _ONNX if onnx else GRAPH)
    if side["sha256"] != files.sha256(path):
        program = "export_onnx.py" if onnx else "ckpt2pb.py"
        raise PipelineError("{}.json: belongs to another file; write it again with {}".format(path, program))
    return side


def convert(
    graph_path: str,
    path: str,
    soc_version: str,
    precision_mode: str,
    batch_size: int,
    uint8: bool = False,
    batches: Sequence[int] = (),
) -> Dict[str, Any]:
    """Convert the frozen graph or ONNX file to the OM file `path` by `atc`, and write `path`.json; returns its content.

    The graph needs its metadata file. uint8: whether the OM file takes uint8 images. batches: numbers of images that it
    takes, instead of `batch_size` alone. Raises PipelineError when `atc` is not there or fails, with its last words.
    """
    side = graph_side(graph_path)
    batch = side["input"]["shape"][0]
    if batch not in (None, batch_size):
        raise PipelineError("{}: frozen for batches of {}, not {}".format(graph_path, batch, batch_size))
    ascend_atc.check(graph_path, side, soc_version, precision_mode, uint8, batches)
    program = _program("atc")
    shape = [None if batches else batch_size] + side["input"]["shape"][1:]
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    # The compiler leaves files of its own where it works.
    with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(path))) as place:
        config = os.path.join(place, "aipp.cfg") if uint8 else ""
        if uint8:
            files.write_text(config, ascend_atc.aipp(*shape[1:3]))
        flags = ascend_atc.flags(graph_path, side, shape, soc_version, precision_mode, config, batches)
        made = os.path.join(place, "model.om")
        _call(program + flags + ["--output={}".format(made[:-3])], place)
        if not os.path.isfile(made):
            raise PipelineError("atc succeeded but made no .om file; see its output")
        content = {
            "format": FORMAT,
            "soc_version": soc_version,
            "precision_mode": precision_mode,
            "command": ["atc"] + flags,
            "input": dict(side["input"], shape=shape, type="uint8" if uint8 else "float32"),
            "output": dict(side["output"], shape=[shape[0]] + side["output"]["shape"][1:]),
            "source": dict(side["source"], **exported.meaning(side), graph_sha256=side["sha256"]),
            "sha256": files.sha256(made),
            "bytes": os.path.getsize(made),
        }
        if batches:
            content["batches"] = sorted(batches)
        if uint8:
            content["aipp"] = ascend_atc.aipp(*shape[1:3])
        if side.get("quantized"):
            content["quantized"] = side["quantized"]
        files.replace(made, path)
    files.write_json(path + ".json", content)
    return content


def write_batches(
    test_set: "TestSet", folder: str, size: Tuple[int, int], batch_size: int, type_name: str = "float32"
) -> int:
    """Write all images of the test set, and their mirror images, as batches below `folder`; returns their number.

    type_name: `float32`, or `uint8` in 0..255, which rounds images that are not of `size`. A short last batch is filled
    up with copies of its last image. The folder is complete or not there; one of earlier batches is replaced, another
    refused.
    """
    outputs.check_folder(folder, _BATCH_FILES, SIDE_FILE)
    with files.atomic_folder(folder) as temporary:
        for kind, _ in _KINDS:
            os.makedirs(os.path.join(temporary, kind))
        count = 0
        for rgb, _, numbers in test_set.batches(batch_size, holes=True):
            images = depth.fit(rgb, size, test_set.framing)
            images = np.concatenate([images] + [images[-1:]] * (batch_size - len(numbers)))
            for (kind, start), view in zip(_KINDS, (images, images[:, :, ::-1])):
                name = "{}{}_{}.bin".format(start, batch_size, count)
                encoded(view, type_name).tofile(os.path.join(temporary, kind, name))
            count += 1
        side = {
            "format": FORMAT,
            "batches": count,
            "batch_size": batch_size,
            "images": test_set.count,
            "size": list(size),
            "type": type_name,
            "holds": "{}, NHWC, RGB".format("uint8 0..255" if type_name == "uint8" else "float32 little-endian 0..1"),
        }
        files.write_json(os.path.join(temporary, SIDE_FILE), side)
    return count


def encoded(images: np.ndarray, type_name: str) -> np.ndarray:
    """Float32 images in 0..1 as an OM file takes them whose input is `float32` or `uint8`."""
    if type_name == "uint8":
        images = np.rint(np.clip(images, 0, 1) * 255)
    return np.ascontiguousarray(images, _TYPES[type_name])


def run(model: str, batches: str, out: str, tool: str, device: int) -> None:
    """Run the OM file over the folder `batches` by `tool`; the outputs go below the folder `out`, which is replaced
    where it is one of earlier outputs."""
    outputs.check_folder(out, _OUTPUT_FILES, SIDE_FILE)
    _program(tool)
    if not os.path.isfile(model):
        raise PipelineError("{}: no such file".format(model))
    side = batches_side(batches)
    dynamic = _check_batches(model, batches, side)
    with files.atomic_folder(out) as temporary:
        places = [(os.path.join(batches, kind), os.path.join(temporary, kind)) for kind, _ in _KINDS]
        if tool == "ais_bench":
            speed = _run_session(model, places, side, device, dynamic)
        else:
            speed = None
            for source, target in places:
                _run_folder(model, source, target, side["batch_size"] if dynamic else None, device)
        files.write_json(os.path.join(temporary, SIDE_FILE), dict(side, model=describe(model), tool=tool, speed=speed))
    # The right number of outputs, of the right size, or it was no run.
    stored = Stored(out)
    for number in range(side["batches"]):
        stored.outputs(number)


def _check_batches(model, batches, side):
    """Whether the OM file takes several numbers of images. Raises PipelineError where it takes none such batches."""
    if not os.path.exists(model + ".json"):
        return False
    om = metadata.read(model + ".json", dict(_OM, **TENSORS), FORMAT)
    wanted, given = om["input"].get("type", "float32"), side.get("type", "float32")
    if wanted != given:
        raise PipelineError("{}: {} images, {} takes {}; write the batches again".format(batches, given, model, wanted))
    sizes = om.get("batches") or [om["input"]["shape"][0]]
    if side["batch_size"] not in sizes:
        raise PipelineError("{}: batches of {}, {} takes {}".format(batches, side["batch_size"], model, sizes))
    return "batches" in om


def _run_session(model, places, side, device, dynamic):
    """Run the batches by the Python interface of ais_bench; returns the speed."""
    session = Session(model, device, dynamic)
    shape = (side["batch_size"], *side["size"], 3)
    warmups = 0
    for source, target in places:
        os.makedirs(target)
        for name in sorted(os.listdir(source)):
            images = np.fromfile(os.path.join(source, name), _TYPES[side.get("type", "float32")]).reshape(shape)
            if not warmups:
                session.infer(images)
                warmups = 1
            session.infer(images).tofile(os.path.join(target, os.path.splitext(name)[0] + "_0.bin"))
    return session.speed(warmups)


def run_batch(
    model: str, images: np.ndarray, device: int, type_name: str = "float32", dynamic: bool = False
) -> np.ndarray:
    """The output (n, height / 2, width / 2) of `msame` for float32 `images` (n, height, width, 3), one batch."""
    count, height, width = images.shape[:3]
    stem = "{}{}_0".format(_KINDS[0][1], count)
    with tempfile.TemporaryDirectory() as place:
        batches, out = os.path.join(place, "in"), os.path.join(place, "out")
        os.mkdir(batches)
        encoded(images, type_name).tofile(os.path.join(batches, stem + ".bin"))
        _run_folder(model, batches, out, count if dynamic else None, device, quiet=True)
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


def _run_folder(model, batches, out, dynamic_batch, device, quiet=False):
    """Run the OM file over the .bin files in the folder `batches` by `msame`; the outputs go below the folder `out`."""
    os.makedirs(out)
    flags = ["--model", model, "--input", batches, "--output", out, "--outfmt", "BIN", "--device", str(device)]
    if dynamic_batch:
        flags += ["--dymBatch", str(dynamic_batch)]
    _call(_program("msame") + flags, quiet=quiet)


class Stored:
    """The outputs of a finished run, as `scoring.evaluate_stored` wants them."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._side = batches_side(folder)
        self.batch_size = self._side["batch_size"]
        # That of `ais_bench`; None by msame.
        self.speed: Optional[Dict[str, Any]] = self._side.get("speed")
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


def batches_side(folder: str) -> Dict[str, Any]:
    """The metadata file of a folder of batches or outputs. Raises PipelineError where it is not there."""
    path = os.path.join(folder, SIDE_FILE)
    if not os.path.exists(path):
        raise PipelineError("{}: no {}, the batches are incomplete; write them again".format(folder, SIDE_FILE))
    return metadata.read(path, _BATCHES, FORMAT)


def describe(path: str) -> Dict[str, Any]:
    """What is known of an OM file, from its metadata file if that is of this file."""
    known = exported.source("om", path)
    if os.path.exists(path + ".json"):
        side = metadata.read(path + ".json", _OM, FORMAT)
        if side["sha256"] == known["sha256"]:
            known.update({key: side[key] for key in ("soc_version", "precision_mode")})
    return known


def _program(name):
    """The words that start a tool. Raises PipelineError, saying what to install, where it is not there."""
    if name == "ais_bench":
        if importlib.util.find_spec(name) is not None:
            return []
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
