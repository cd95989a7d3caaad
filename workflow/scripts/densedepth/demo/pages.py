"""A folder with a page that runs a network in the browser: the network as ONNX, ONNX Runtime Web, and the page.

Nothing is loaded from elsewhere, and no image leaves the browser. The page places images, turns the output into metres
and writes point clouds as `imaging.depth`, `forward` and `point_clouds` do.
"""

import base64
import os
import re
import shutil
from typing import Any, Dict, Optional, Sequence

import jinja2

from .. import files, metadata, outputs
from ..errors import PipelineError
from ..imaging import camera, panels, visualize
from ..inference import exported, forward
from ..web import parts
from . import npm_package, serve

# MIT licence.
RUNTIME = npm_package.Package(
    "onnxruntime-web",
    "1.30.0",
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
)
# Of ONNX Runtime Web: what runs on the processor, and what runs on a GPU too, which is larger and slower on the former.
_RUNTIME_FILES = (
    "dist/ort.wasm.min.mjs",
    "dist/ort-wasm-simd-threaded.mjs",
    "dist/ort-wasm-simd-threaded.wasm",
    "dist/ort.webgpu.min.mjs",
    "dist/ort-wasm-simd-threaded.asyncify.mjs",
    "dist/ort-wasm-simd-threaded.asyncify.wasm",
)
_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "templates")
_OWN = ("demo.css", "demo.js", "worker.js", "depth.js", "saving.js")
_SOURCES = [os.path.join(_FOLDER, name) for name in _OWN]
_SOURCES += [os.path.join(parts.FOLDER, name) for name in ("base.css", "clouds.js")]
# Points of a cloud that is saved, as by predict.py.
_POINTS = 500000


def write(network: str, package: str, out: str, name: str, size: Optional[Sequence[int]] = None) -> Dict[str, Any]:
    """Write the demo of the ONNX file `network`, called `name`, as the folder `out`; returns what the page knows of it.

    package: the archive of `RUNTIME`, fetched by npm where it is not there. size: (height, width) of the input of a
    network that takes any. Raises PipelineError for a file that is not ONNX, a missing one, a network whose size is not
    known, and a folder `out` that holds something else.
    """
    if not network.endswith(".onnx"):
        raise PipelineError("{}: expected an .onnx file; export_onnx.py makes one of a frozen graph".format(network))
    if not os.path.isfile(network):
        raise PipelineError("{}: no such file; export_onnx.py makes one of a frozen graph".format(network))
    made = ["index.html", "serve.py", "model.onnx", *map(os.path.basename, [*_SOURCES, *_RUNTIME_FILES])]
    outputs.check_folder(out, "|".join(map(re.escape, made)), "demo.js")
    known = _known(network, name, size)
    npm_package.fetch(RUNTIME, package)
    with files.atomic_folder(out) as folder:
        npm_package.take_out(package, _RUNTIME_FILES, folder)
        shutil.copyfile(network, os.path.join(folder, known["file"]))
        shutil.copyfile(serve.__file__, os.path.join(folder, "serve.py"))
        for source in _SOURCES:
            shutil.copyfile(source, os.path.join(folder, os.path.basename(source)))
        files.write_text(os.path.join(folder, "index.html"), _page(known))
    return known


def _known(network, name, size):
    """What the page must know of the network."""
    source = exported.source("onnx", network)
    own = _own_size(network, source["sha256"]) or size
    if not own:
        raise PipelineError(
            "{}: no metadata file beside it tells the size of its input; give it by --size HEIGHT WIDTH".format(network)
        )
    if size and tuple(size) != tuple(own):
        raise PipelineError("{}: takes {}x{} only, not size {}x{}".format(network, *tuple(own) + tuple(size)))
    (nearest, farthest), _ = forward.limits(source)
    return {
        "name": name,
        "file": "model.onnx",
        "bytes": os.path.getsize(network),
        "sha256": source["sha256"],
        "epoch": source["epoch"],
        "size": list(own),
        "limits": [nearest, farthest],
        "camera": _nyu_camera(),
        "points": _POINTS,
        "colours": {
            colours: base64.b64encode(visualize.colour_table(visualize.map_named(colours)).tobytes()).decode("ascii")
            for colours in panels.COLOURS
        },
        "runtime": "ONNX Runtime Web {}".format(RUNTIME.version),
    }


def _own_size(network, sha256):
    """(height, width) of the input as the metadata file tells it, None where there is none of this file."""
    if not os.path.exists(network + ".json"):
        return None
    schema = {"sha256": metadata.SHA256, "source": {"size?": metadata.Null(metadata.SIZE)}}
    side = metadata.read(network + ".json", schema)
    return side["source"].get("size") if side["sha256"] == sha256 else None


def _nyu_camera():
    """Of an image whose longer side is 1: focal lengths, and how far its centre lies off the image's."""
    size = (3, 4)
    fx, fy, cx, cy, _ = camera.nyu_intrinsics(size)
    return [fx / 4, fy / 4, (cx - 1.5) / 4, (cy - 1) / 4]


def _page(known):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("demo.html").render(known=known)
