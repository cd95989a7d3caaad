"""What stored values of depth mean: encodings, units, values and masks of invalid depth, distance along the ray.

A list of pairs says it under `depth`, whose keys are those of `SCHEMA`; a key that is missing is the default.

encoding      `plain`; `rotated`: 16 bits whose three lowest are the highest of the value (SUN RGB-D); `rgb24`: colours,
              red + 256 green + 65536 blue (CARLA)
variable      name of the array in .npz, .h5 and .mat
raw_size      (height, width) of raw float32 without a header; `picture`: as large as the image
invalid       stored values that mean no depth, beside those that are not finite or not above zero; `sky` is one of them
farthest      whether the greatest depth itself is a measurement, as 255 of the 8 bits of NYU is 10 m
distance      `axis`: depth along the optical axis; `ray`: distance from the camera's centre, with `intrinsics`
intrinsics    (fx, fy, cx, cy, width, height) in pixels, from the middle of the first pixel, for a map of that size
mask_minimum  the least value of a valid pixel in the mask of a pair (or its confidence)
"""

from typing import Any, Dict, Optional, Sequence

import numpy as np

from .. import metadata
from .array_files import Expected

ENCODINGS = ("plain", "rotated", "rgb24")
DISTANCES = ("axis", "ray")
_NUMBER = metadata.Number()
_LENGTH = metadata.Number(1, 32768, whole=True)
SCHEMA = metadata.Closed(
    {
        "encoding?": metadata.OneOf(*ENCODINGS),
        "variable?": metadata.Text(),
        "raw_size?": object,
        "invalid?": [_NUMBER],
        "farthest?": bool,
        "distance?": metadata.OneOf(*DISTANCES),
        "intrinsics?": metadata.Null((_NUMBER,) * 6),
        "mask_minimum?": _NUMBER,
    }
)
# What SUN RGB-D's toolbox rotates by.
_ROTATED_BITS = 3


def decoded(values: np.ndarray, encoding: str = "plain") -> np.ndarray:
    """The numbers (height, width) that `values` stand for. Raises Expected where they cannot be of this encoding."""
    colours = values.ndim == 3 and values.shape[2] in (3, 4) and values.dtype == np.uint8
    if encoding == "rgb24":
        if not colours:
            raise Expected("expected 8-bit colours (depth of 24 bits), got {} {}".format(values.dtype, values.shape))
        return (values[..., :3].astype(np.uint32) * np.array([1, 256, 65536], np.uint32)).sum(axis=-1, dtype=np.uint32)
    if colours:
        raise Expected(
            "expected depth of one channel, 8 or 16 bit, got an image of mode {}".format(
                "RGB" if values.shape[2] == 3 else "RGBA"
            )
        )
    if encoding == "rotated":
        # Pillow gives 16 bits as int32 or as uint16, by its version.
        if values.dtype.itemsize == 1 or values.dtype.kind not in "iu":
            raise Expected("expected 16 bits (rotated by three), got {}".format(values.dtype))
        whole = values.astype(np.uint32)
        return (whole >> _ROTATED_BITS | whole << (16 - _ROTATED_BITS)) & 0xFFFF
    return values


def in_metres(
    values: np.ndarray, metres_per_unit: float, settings: Dict[str, Any], mask: Optional[np.ndarray] = None
) -> np.ndarray:
    """Depth along the axis in metres, float64 (height, width), however great, 0 for what was not measured.

    values: numbers (height, width). settings: `SCHEMA`. mask: of the same shape, or None.
    """
    # Few arrays of the size of the map are made: filling fresh memory is what takes the time.
    with np.errstate(invalid="ignore", over="ignore"):
        metres = np.multiply(values, metres_per_unit, dtype=np.float64)
        unknown = ~((metres > 0) & (metres < np.inf))
        for value in settings.get("invalid", ()):
            # What is not above zero is unknown already.
            if value > 0:
                unknown |= values == value
    if mask is not None:
        if mask.shape != values.shape:
            raise Expected("is {1}x{0}, but its depth is {3}x{2}".format(*(mask.shape + values.shape)))
        unknown |= ~(mask >= settings.get("mask_minimum", 1))
    metres[unknown] = 0
    if settings.get("distance", "axis") == "ray":
        metres /= ray_lengths(values.shape, settings["intrinsics"])
    return metres


def ray_lengths(shape: Sequence[int], intrinsics: Sequence[float]) -> np.ndarray:
    """Distance from the camera's centre per depth along the axis, (height, width), at least 1.

    sqrt(1 + ((u - cx) / fx)^2 + ((v - cy) / fy)^2) for the pixel (u, v), where the map of size (width, height) that
    the intrinsics are for is brought to `shape` (height, width).
    """
    fx, fy, cx, cy, width, height = intrinsics
    u = ((np.arange(shape[1]) + 0.5) * width / shape[1] - 0.5 - cx) / fx
    v = ((np.arange(shape[0]) + 0.5) * height / shape[0] - 0.5 - cy) / fy
    return np.sqrt(1 + u[np.newaxis] ** 2 + v[:, np.newaxis] ** 2)
