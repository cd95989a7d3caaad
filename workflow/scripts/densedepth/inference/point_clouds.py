"""Point clouds from depth maps, as PLY files. NumPy only."""

from typing import Iterable, List

import numpy as np

from .. import files
from ..imaging.camera import Intrinsics, seen, stride_for

_VERTEX = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])


def points(rgb: np.ndarray, metres: np.ndarray, intrinsics: Intrinsics, most: int) -> np.ndarray:
    """The pixels of an image (H, W) in space: x to the right, y down, z away from the camera, metres, and colours.

    Every pixel, or every n-th of every n-th row so that there are not more than `most`.
    """
    stride = stride_for(metres.shape, most)
    depth = metres[::stride, ::stride]
    cloud = np.empty(depth.shape, _VERTEX)
    cloud["x"], cloud["y"] = seen(metres, intrinsics, stride)
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
