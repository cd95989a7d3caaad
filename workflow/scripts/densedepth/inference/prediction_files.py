"""The files of a prediction: their names, what they hold, whose and how large they are, how arrays are written."""

import collections
import contextlib
import errno
import io
import json
import os
import shutil
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from .. import files, metadata, runtime
from ..errors import PipelineError
from ..metadata import COUNT, Map, Null

FORMAT = 1
SIDE = {
    "source": {"path": str, "frame": Null(COUNT), "sha256": str},
    "network": {},
    "depth": {},
    "files": Map({"name": str}),
    # Results of other kinds that lay beside these when they were made.
    "earlier_files?": [str],
}
# As far as it tells that it is one.
SUMMARY: Dict[str, Any] = {"network": {}, "pictures": [{}], "failed": [{}]}

# What stands in the way of all images, not of one: no room, no permission.
ENDS_ALL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

# What can be written of an image, by the end of the file's name.
KINDS = collections.OrderedDict(
    [
        ("npy", "_depth.npy"),
        ("png", "_depth_mm.png"),
        ("panel", "_panel.png"),
        ("colour", "_colour.png"),
        ("ply", "_points.ply"),
        ("glb", "_mesh.glb"),
    ]
)
# And of a video.
VIDEO = "_depth.mp4"
_ENDS = (*KINDS.values(), VIDEO)
_FARTHEST_MM = 65535

HOLDS = {
    "npy": "float32 (height, width), metres",
    "png": "16-bit grey, millimetres; 65535: that or farther",
    "panel": "image and depth in colour, scale in metres",
    "colour": "depth in colour, a pixel for each of the image's",
    "ply": "points, metres: x right, y down, z away from the camera",
    "glb": "mesh with the image as texture, metres: x right, y up, z towards the camera",
}

# Bytes of a pixel: of 16-bit grey and of colours what their compression leaves of a usual image.
_BYTES = {"npy": 4.0, "png": 1.3, "colour": 0.6}
# A panel shows at most so many pixels of an image, and their colours.
_PANEL_PIXELS, _PANEL_BYTES = 640 * 480, 2.5
# A point, and a vertex with its two triangles; the texture comes to that.
_POINT_BYTES, _VERTEX_BYTES, _TEXTURE_BYTES = 15, 44, 0.3
# Images whose size is looked at for all of them.
_MOST = 20


def made_by(network: Dict[str, Any], options: Any, size: Sequence[int]) -> Dict[str, Any]:
    """What decides results beside the image, as a metadata file has it; `options` as of `predictions`."""
    asked = dict(vars(options), size=size)
    # A batch is only a matter of speed.
    del asked["batch_size"]
    found = {"format": FORMAT, "network": network, "asked": asked, "runtime": runtime.describe()}
    return json.loads(json.dumps(found))


def side_file(path: str) -> Any:
    """What the metadata file `path` says, None where there is none of this program."""
    try:
        return metadata.read(path, SIDE)
    except PipelineError:
        return None


def check_own(stem: str, ends: Sequence[str], path: str, sha256: Optional[str] = None) -> None:
    """Raise PipelineError where one of the results `stem` + `ends`, or the metadata file, is there and may not be
    replaced: predict.py has not made it, or has made it of a file other than `path`, whose SHA-256 may be given."""
    own = _own_names(stem)
    for end in (".json", *ends):
        if os.path.lexists(stem + end) and _name(stem + end) not in own:
            raise PipelineError("{}: is not of predict.py; rename it, or give another --out".format(stem + end))
    side: Any = side_file(stem + ".json")
    source: Any = side["source"] if side else None
    moved = source and os.path.abspath(source["path"]) != files.printable(os.path.abspath(path))
    if moved and source["sha256"] != (sha256 or files.sha256(path)):
        words = "{}.json: is of {}; remove the results of that, or give another --out"
        raise PipelineError(words.format(stem, source["path"]))


def is_result(path: str) -> bool:
    """Whether the file `path` is one that predict.py has made, as the metadata file beside it tells."""
    stems = [path[: -len(end)] for end in _ENDS if path.endswith(end)] + [os.path.splitext(path)[0]]
    return any(_name(path) in _own_names(stem) for stem in stems)


def check_summary(path: str) -> None:
    """Raise PipelineError where the file `path` is there and is no summary of predict.py."""
    try:
        if os.path.lexists(path):
            metadata.read(path, SUMMARY)
    except PipelineError:
        raise PipelineError("{}: is not of predict.py; rename it, or give another --out".format(path)) from None


def begin(stem: str, ends: Sequence[str]) -> List[str]:
    """Begin to make the results `stem` + `ends`, which `end` ends; returns the names of earlier ones that stay.

    No metadata file vouches for half of them, and where `end` is not reached, a hidden file tells a later run that they
    are of predict.py.
    """
    folder = os.path.dirname(stem) or "."
    new = [_name(stem + end) for end in (".json", *ends)]
    earlier = [name for name in sorted(_own_names(stem)) if os.path.lexists(os.path.join(folder, name))]
    earlier = [name for name in earlier if name not in new]
    os.makedirs(folder, exist_ok=True)
    with open(_mark(stem), "w", encoding="utf-8") as stream:
        json.dump(new + earlier, stream)
    remove_file(stem + ".json")
    return earlier


def end(stem: str, side: Dict[str, Any], earlier: Sequence[str]) -> None:
    """Write the metadata `side` of results that are there, whole, since `begin`, which has returned `earlier`."""
    files.write_json(stem + ".json", dict(side, earlier_files=earlier) if earlier else side)
    remove_file(_mark(stem))


def remove(stem: str) -> None:
    """Remove what predict.py has made of the results `stem`, the metadata file first: it vouches for the others."""
    own = _own_names(stem)
    for end in (".json", *_ENDS):
        if _name(stem + end) in own:
            remove_file(stem + end)
    remove_file(_mark(stem))


def remove_file(path: str) -> None:
    """Remove a file. Raises OSError only for what stands in the way of all (`ENDS_ALL`)."""
    try:
        os.remove(path)
    except OSError as error:
        # Else it is not there, or its name is too long to be.
        if error.errno in ENDS_ALL:
            raise


def _own_names(stem) -> Set[str]:
    """The names of the files at `stem` that predict.py has made, or was making when it was interrupted."""
    side = side_file(stem + ".json")
    found = {_name(stem + ".json"), *side.get("earlier_files", ())} if side else set()
    found |= {one["name"] for one in side["files"].values()} if side else set()
    with contextlib.suppress(PipelineError):
        found |= set(metadata.read(_mark(stem), [str]))
    return found


def _mark(stem):
    folder, name = os.path.split(stem)
    return os.path.join(folder, ".{}.unfinished".format(name))


def _name(path):
    return files.printable(os.path.basename(path))


def space(paths: Sequence[str], kinds: Sequence[str], points: int) -> Optional[int]:
    """About how many bytes the results of these image files take, by the size of some of them; None if none tells it.

    Files of several frames count once. `points`: the most in a point cloud.
    """
    sizes = [size for size in map(_size, paths[:: max(1, len(paths) // _MOST)]) if size]
    if not sizes:
        return None
    total = 0.0
    for width, height in sizes:
        pixels = width * height
        total += 1500 + sum(pixels * _BYTES[kind] for kind in kinds if kind in _BYTES)
        total += min(pixels, _PANEL_PIXELS) * _PANEL_BYTES if "panel" in kinds else 0
        total += min(pixels, points) * _POINT_BYTES if "ply" in kinds else 0
        total += min(pixels, points) * _VERTEX_BYTES + pixels * _TEXTURE_BYTES if "glb" in kinds else 0
    return int(total / len(sizes) * len(paths))


def space_lines(paths: Sequence[str], kinds: Sequence[str], points: int, out: str) -> List[str]:
    """What is said of `space` before anything is written to the folder `out`: a line, and a warning where the disk has
    less."""
    needed = space(paths, kinds, points)
    if needed is None:
        return []
    folder = os.path.abspath(out)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    lines = [
        "{} files: about {} on the disk ({}), {} free".format(len(paths), _said(needed), " ".join(kinds), _said(free))
    ]
    if needed > free:
        lines.append("warning: the disk will be full before the end; write fewer kinds of files, or elsewhere")
    return lines


def _size(path) -> Optional[Tuple[int, int]]:
    """(width, height) as the file's head says; None for what cannot be read, which is told when its turn comes."""
    from PIL import Image

    try:
        with Image.open(path) as picture:
            return picture.size
    except Exception:
        return None


def _said(count):
    return "{:.1f} GB".format(count / 1e9) if count >= 1e9 else "{:.0f} MB".format(max(1.0, count / 1e6))


def write_npy(path: str, metres: np.ndarray) -> None:
    """Write depth (H, W) as a .npy file."""
    # NumPy writes to a file past Python, and then does not tell that the disk is full.
    content = io.BytesIO()
    np.save(content, metres)
    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(content.getbuffer())


def write_millimetres(path: str, metres: np.ndarray) -> None:
    """Write depth (H, W) in metres as 16-bit grey, millimetres."""
    from PIL import Image

    millimetres = np.clip(np.rint(metres * np.float32(1000)), 0, _FARTHEST_MM).astype(np.uint16)
    with files.atomic_path(path) as temporary:
        Image.fromarray(millimetres).save(temporary, "PNG")
