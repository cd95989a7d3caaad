"""Conversion between images and depth in metres and the network's input and output. NumPy only.

The network reads RGB in 0..1 at its own size and writes 1000 / depth in centimetres at half that size. Sizes are
(height, width). All resizing places pixel i of n at (i + 0.5) / n of the image (half-pixel centres).
"""

from typing import Any, NamedTuple, Optional, Tuple

import numpy as np

from . import resize


class Place(NamedTuple):
    """Where an image lies in the network's input: `height` x `width` pixels from row `top` and column `left`."""

    height: int
    width: int
    top: int
    left: int


class Framing(NamedTuple):
    """How whole images get into a network's input: stretched to all of it, or `placed` as predictions do it.

    window: the input size (height, width) for which an image that is larger is cut, at the bottom in the middle.
    """

    placed: bool = False
    window: Optional[Tuple[int, int]] = None


STRETCHED = Framing()

# The nearest and farthest depth a prediction may take, in metres (10 and 1000 cm in the reference port).
LIMITS_M = (0.1, 10.0)


def metres(output: Any, limits: Tuple[float, float] = LIMITS_M) -> np.ndarray:
    """Depth in metres from the network's output of any shape: clip(10 / output, *limits), float64.

    The output layer is linear and may go below zero: such values mean the nearest depth, as in the reference port;
    exactly zero means the farthest. NaN stays NaN.
    """
    # Adding zero turns -0.0 into 0.0, which must not count as negative.
    output = np.asarray(output, np.float64) + 0.0
    with np.errstate(divide="ignore", over="ignore"):
        return np.clip(10.0 / output, *limits)


def fit(images: Any, size: Optional[Tuple[int, int]], framing: Framing = STRETCHED) -> np.ndarray:
    """Images at the network's size: (n, H, W, 3) uint8 0..255 to (n, height, width, 3) float32 0..1.

    Along each axis a reduction is the mean over the area that a new pixel covers, an enlargement is bilinear; a
    image that has the size already is only scaled to 0..1. `size` None keeps the images' size.
    """
    images = np.asarray(images)
    if framing.placed and size is not None:
        where = place(images.shape[1:3], size, framing.window)
        return np.stack([put(image, where, size) for image in images])
    height, width = images.shape[1:3] if size is None else size
    fitted = np.empty((len(images), height, width, images.shape[3]), np.float32)
    for image, out in zip(images, fitted):
        np.divide(resize.resized(image, (height, width)), np.float32(255), out=out)
        # Shares that add up to a little more than 1 make white whiter.
        np.minimum(out, 1, out=out)
    return fitted


def place(picture_size: Tuple[int, int], size: Tuple[int, int], window: Optional[Tuple[int, int]] = None) -> Place:
    """The `Place` of an image in a network input of `size`: as large as its aspect ratio allows, in the middle.

    Where `size` is the `window` (see `Framing`) and the image no smaller, it is not resized and what lies beyond is
    cut: row and column of the place are 0 or negative.
    """
    if window and tuple(size) == tuple(window) and all(old >= new for old, new in zip(picture_size, size)):
        return Place(*picture_size, size[0] - picture_size[0], -((picture_size[1] - size[1]) // 2))
    scale = min(size[0] / picture_size[0], size[1] / picture_size[1])
    height, width = (min(max(1, round(scale * old)), new) for old, new in zip(picture_size, size))
    return Place(height, width, (size[0] - height) // 2, (size[1] - width) // 2)


def put(rgb: np.ndarray, where: Place, size: Tuple[int, int]) -> np.ndarray:
    """The network's input, float32 (height, width, 3) 0..1, with uint8 `rgb` (H, W, 3) at the `Place` `where`.

    The rest repeats the image's border pixels.
    """
    if where.top < 0 or where.left < 0:
        rgb = rgb[-where.top : size[0] - where.top, -where.left : size[1] - where.left]
        where = Place(*size, 0, 0)
    small = fit(rgb[np.newaxis], (where.height, where.width))[0]
    rows = (where.top, size[0] - where.height - where.top)
    columns = (where.left, size[1] - where.width - where.left)
    return np.pad(small, (rows, columns, (0, 0)), "edge")


def taken_out(metres: np.ndarray, where: Place, size: Tuple[int, int], picture_size: Tuple[int, int]) -> np.ndarray:
    """The part of the depth map `metres` (h, w) of a network input of `size` that `where` names, bilinear, at the
    image's size: float32 (H, W). What the network did not see of the image continues the border."""
    result = metres
    for axis, start, length in ((1, where.left, where.width), (0, where.top, where.height)):
        count, cells = picture_size[axis], metres.shape[axis]
        centres = (start + (np.arange(count) + 0.5) * (length / count)) * (cells / size[axis]) - 0.5
        before, after, share = resize.neighbours(centres, cells)
        share = share.reshape((-1, 1) if axis == 0 else -1).astype(np.float32)
        # Rows are contiguous, columns are not: the columns of few rows are read first.
        first, second = np.take(result, before, axis), np.take(result, after, axis)
        result = (first * (1 - share) + second * share).astype(np.float32)
    return result


def inside(crop: Tuple[int, int, int, int]) -> Tuple[slice, slice]:
    """(rows, columns) of `crop` (top, bottom, left, right), inclusive as that of the test archive."""
    top, bottom, left, right = crop
    return slice(top, bottom + 1), slice(left, right + 1)


def enlarge(maps: Any, size: Tuple[int, int], box: Optional[Tuple[int, int, int, int]] = None) -> np.ndarray:
    """Bilinear resizing of `maps` (..., h, w) to `size`, of which only the part in `box` is computed.

    `box` is (top, bottom, left, right), inclusive as the crop of the test archive, and ends with the map. Sample
    positions beyond the centres of the outermost pixels take these pixels' values (as TensorFlow does; scikit-image's
    `resize` of order 1 reflects there: a difference within half a source pixel of the border, which the crop of the NYU
    protocol leaves out).
    """
    top, bottom, left, right = (0, size[0] - 1, 0, size[1] - 1) if box is None else box
    bottom, right = min(bottom, size[0] - 1), min(right, size[1] - 1)
    maps = np.asarray(maps)
    # Columns first: they are the scattered reads, and there are fewer of them before the rows are enlarged.
    before, after, share = resize.bilinear(maps.shape[-1], size[1], left, right)
    maps = maps[..., before] * (1 - share) + maps[..., after] * share
    before, after, share = resize.bilinear(maps.shape[-2], size[0], top, bottom)
    share = share[:, np.newaxis]
    return maps[..., before, :] * (1 - share) + maps[..., after, :] * share
