"""Resizing of images and maps along each axis. NumPy only.

Pixel i of n lies at (i + 0.5) / n of the image (half-pixel centres). Along each axis a reduction is the mean over the
area that a new pixel covers, an enlargement is bilinear. Sizes are (height, width).
"""

from typing import Any, Optional, Tuple

import numpy as np


def resized(values: Any, size: Tuple[int, int], box: Optional[Tuple[float, float, float, float]] = None) -> np.ndarray:
    """`values` (H, W, C) as float32 of `size`; of the same size they are only converted.

    box: (top, left, height, width) in pixels and fractions of them, within the picture: only this part is taken.
    """
    values = np.asarray(values)
    top, left, height, width = (0, 0) + values.shape[:2] if box is None else box
    for axis, start, length in ((0, top, height), (1, left, width)):
        if (start, length) != (0, size[axis]) or length != values.shape[axis]:
            values = _along(values, axis, _parts(values.shape[axis], start, length, size[axis]))
    return values.astype(np.float32, copy=False)


def _along(values, axis, parts):
    """The weighted sum of the old pixels of each new one along an axis, as float32."""
    total = None
    for pixels, weights in zip(*parts):
        weights = weights[:, np.newaxis, np.newaxis] if axis == 0 else weights[:, np.newaxis]
        part = np.multiply(np.take(values, pixels, axis), weights, dtype=np.float32)
        total = part if total is None else np.add(total, part, out=total)
    return total


def _parts(count, start, length, new_length):
    """Of which old pixels each new one is made: (indices, float32 weights), both (most for a pixel, new_length).

    The new pixels lie side by side from `start` over a `length` of `count` old ones.
    """
    scale = length / new_length
    if scale < 1:
        before, after, share = neighbours(start + (np.arange(new_length) + 0.5) * scale - 0.5, count)
        return np.stack([before, after]), np.stack([1 - share, share]).astype(np.float32)
    begin = start + np.arange(new_length) * scale
    end = begin + scale
    # What rounding makes a pixel touch of its neighbours is none of it.
    first = np.floor(begin + 1e-9).astype(int)
    most = int((np.ceil(end - 1e-9).astype(int) - first).max())
    old = first + np.arange(most)[:, np.newaxis]
    covered = np.minimum(end, old + 1) - np.maximum(begin, old)
    return np.minimum(old, count - 1), (np.maximum(covered, 0) / scale).astype(np.float32)


def bilinear(length: int, new_length: int, first: int, last: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the new pixels first..last: the two old pixels around each and the share of the second."""
    return neighbours((np.arange(first, last + 1) + 0.5) * (length / new_length) - 0.5, length)


def neighbours(centres: np.ndarray, length: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For positions between 0 and length - 1: the two old pixels around each and the share of the second."""
    centres = np.clip(centres, 0, length - 1)
    before = np.floor(centres).astype(int)
    return before, np.minimum(before + 1, length - 1), centres - before
