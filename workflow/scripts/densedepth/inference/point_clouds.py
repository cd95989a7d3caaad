"""Point clouds from depth maps, as PLY files. NumPy only."""

from typing import Iterable, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import files


class Intrinsics(NamedTuple):
    """Of a camera without distortion, in pixels of the upright picture; the centre of the first pixel is (0, 0)."""

    fx: float
    fy: float
    cx: float
    cy: float
    # Where the figures come from, in words.
    source: str


# The colour camera of NYU Depth v2 at 640x480, from camera_params.m of its toolbox, which counts pixels from 1.
_NYU = (518.85790117450188, 519.46961112127485, 325.58244941119034 - 1, 253.73616633400465 - 1)
_NYU_SIZE = (480, 640)

_VERTEX = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])


def nyu_intrinsics(size: Tuple[int, int]) -> Intrinsics:
    """The camera of NYU Depth v2 for a picture of another size: scaled to its longer side, the centre off as far."""
    scale = max(size) / max(_NYU_SIZE)
    fx, fy, cx, cy = _NYU
    off = cx - (_NYU_SIZE[1] - 1) / 2, cy - (_NYU_SIZE[0] - 1) / 2
    centre = (size[1] - 1) / 2 + off[0] * scale, (size[0] - 1) / 2 + off[1] * scale
    return Intrinsics(fx * scale, fy * scale, *centre, source="NYU Depth v2's colour camera, scaled: an assumption")


def doubt(intrinsics: Intrinsics, size: Tuple[int, int]) -> Optional[str]:
    """What is unlikely of a camera for a picture of `size` (height, width), in words; None when nothing is.

    The camera's figures then are those of another size or unit of pictures, and the cloud is skewed.
    """
    height, width = size
    if not (0 <= intrinsics.cx <= width - 1 and 0 <= intrinsics.cy <= height - 1):
        return "principal point ({:g}, {:g}) lies outside the image of {}x{} pixels (width x height)".format(
            intrinsics.cx, intrinsics.cy, width, height
        )
    return None


def points(rgb: np.ndarray, metres: np.ndarray, intrinsics: Intrinsics, most: int) -> np.ndarray:
    """The pixels of a picture (H, W) in space: x to the right, y down, z away from the camera, metres, and colours.

    Every pixel, or every n-th of every n-th row so that there are not more than `most`.
    """
    stride = 1
    while -(-metres.shape[0] // stride) * -(-metres.shape[1] // stride) > most:
        stride += 1
    rows, columns = np.arange(0, metres.shape[0], stride), np.arange(0, metres.shape[1], stride)
    depth = metres[::stride, ::stride]
    cloud = np.empty(depth.shape, _VERTEX)
    cloud["x"] = (columns - intrinsics.cx) / intrinsics.fx * depth
    cloud["y"] = (rows - intrinsics.cy)[:, np.newaxis] / intrinsics.fy * depth
    cloud["z"] = depth
    for channel, colour in enumerate(("red", "green", "blue")):
        cloud[colour] = rgb[::stride, ::stride, channel]
    return cloud.ravel()


def write_ply(path: str, cloud: np.ndarray, comments: Iterable[str]) -> None:
    """Write `points` as a binary PLY file with these comment lines."""
    names = {"<f4": "float", "|u1": "uchar"}
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += ["comment {}".format(comment) for comment in comments]
    lines += ["element vertex {}".format(len(cloud))]
    lines += ["property {} {}".format(names[_VERTEX[name].str], name) for name in cloud.dtype.names or ()]
    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(("\n".join(lines + ["end_header"]) + "\n").encode("ascii"))
        stream.write(cloud.tobytes())


def ply_comments(intrinsics: Intrinsics) -> List[str]:
    """What a point cloud says of itself: axes, unit and camera."""
    return [
        "metres; x to the right, y down, z away from the camera",
        "fx {:.3f} fy {:.3f} cx {:.3f} cy {:.3f} pixels".format(*intrinsics[:4]),
        "intrinsics: {}".format(intrinsics.source),
    ]
