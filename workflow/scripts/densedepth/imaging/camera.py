"""Cameras without distortion: their intrinsics, NYU Depth v2's colour camera, and what is unlikely of one."""

from typing import NamedTuple, Optional, Tuple

import numpy as np


class Intrinsics(NamedTuple):
    """Of a camera without distortion, in pixels of the upright image; the centre of the first pixel is (0, 0)."""

    fx: float
    fy: float
    cx: float
    cy: float
    # Where the figures come from, in words.
    source: str


# The colour camera of NYU Depth v2 at 640x480, from camera_params.m of its toolbox, which counts pixels from 1.
_NYU = (518.85790117450188, 519.46961112127485, 325.58244941119034 - 1, 253.73616633400465 - 1)
_NYU_SIZE = (480, 640)


def nyu_intrinsics(size: Tuple[int, int]) -> Intrinsics:
    """The camera of NYU Depth v2 for an image of another size: scaled to its longer side, the centre off as far."""
    scale = max(size) / max(_NYU_SIZE)
    fx, fy, cx, cy = _NYU
    off = cx - (_NYU_SIZE[1] - 1) / 2, cy - (_NYU_SIZE[0] - 1) / 2
    centre = (size[1] - 1) / 2 + off[0] * scale, (size[0] - 1) / 2 + off[1] * scale
    return Intrinsics(fx * scale, fy * scale, *centre, source="NYU Depth v2's colour camera, scaled: an assumption")


def doubt(intrinsics: Intrinsics, size: Tuple[int, int]) -> Optional[str]:
    """What is unlikely of a camera for an image of `size` (height, width), in words; None when nothing is.

    The camera's figures then are those of another size or unit of images, and the cloud is skewed.
    """
    height, width = size
    if not (0 <= intrinsics.cx <= width - 1 and 0 <= intrinsics.cy <= height - 1):
        return "principal point ({:g}, {:g}) lies outside the image of {}x{} pixels (width x height)".format(
            intrinsics.cx, intrinsics.cy, width, height
        )
    return None


def seen(depth: np.ndarray, intrinsics: Intrinsics, stride: int = 1) -> Tuple[np.ndarray, np.ndarray]:
    """(x to the right, y down) in metres of every `stride`-th pixel of every `stride`-th row of depth (H, W)."""
    rows, columns = np.ogrid[: depth.shape[0] : stride, : depth.shape[1] : stride]
    taken = depth[::stride, ::stride]
    return (columns - intrinsics.cx) / intrinsics.fx * taken, (rows - intrinsics.cy) / intrinsics.fy * taken


def stride_for(size: Tuple[int, ...], most: int) -> int:
    """The least stride that leaves at most `most` pixels of an image of `size` (height, width)."""
    stride = 1
    while -(-size[0] // stride) * -(-size[1] // stride) > most:
        stride += 1
    return stride
