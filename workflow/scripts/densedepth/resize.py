"""Resizing of pictures and maps along each axis. NumPy only.

Pixel i of n lies at (i + 0.5) / n of the picture (half-pixel centres). Along each axis a reduction is the mean over the
area that a new pixel covers, an enlargement is bilinear. Sizes are (height, width).
"""

import numpy as np


def resized(values, size):
    """`values` (H, W, C) as float32 of `size`; of the same size they are only converted."""
    values = np.asarray(values, np.float32)
    rows = matrix(values.shape[0], size[0])
    columns = matrix(values.shape[1], size[1])
    if rows is not None:
        values = np.tensordot(rows, values, (1, 0))
    if columns is not None:
        values = np.moveaxis(np.tensordot(columns, values, (1, 1)), 0, 1)
    return values


def matrix(length, new_length):
    """The (new, old) float32 matrix that resizes one axis: area mean or bilinear. None when nothing changes."""
    if new_length == length:
        return None
    weights = np.zeros((new_length, length), np.float32)
    new = np.arange(new_length)
    if new_length > length:
        before, after, share = bilinear(length, new_length, 0, new_length - 1)
        weights[new, before] = 1 - share
        weights[new, after] += share
        return weights
    scale = length / new_length
    starts, ends = new[:, np.newaxis] * scale, (new[:, np.newaxis] + 1) * scale
    old = np.arange(length)
    covered = np.minimum(ends, old + 1) - np.maximum(starts, old)
    weights[:] = np.maximum(covered, 0) / scale
    return weights


def bilinear(length, new_length, first, last):
    """For the new pixels first..last: the two old pixels around each and the share of the second."""
    return neighbours((np.arange(first, last + 1) + 0.5) * (length / new_length) - 0.5, length)


def neighbours(centres, length):
    """For positions between 0 and length - 1: the two old pixels around each and the share of the second."""
    centres = np.clip(centres, 0, length - 1)
    before = np.floor(centres).astype(int)
    return before, np.minimum(before + 1, length - 1), centres - before
