"""Between what the network reads and writes and pictures with depth in metres. NumPy only.

The network reads RGB in 0..1 at its own size and writes 1000 / depth in centimetres at half that size. Sizes are
(height, width). All resizing places pixel i of n at (i + 0.5) / n of the picture (half-pixel centres).
"""

import numpy as np

from . import resize

# The nearest and farthest depth a prediction may take, in metres (10 and 1000 cm in the reference port).
LIMITS_M = (0.1, 10.0)


def metres(output, limits=LIMITS_M):
    """Depth in metres from the network's output of any shape: clip(10 / output, *limits), float64.

    The output layer is linear and may go below zero: such values mean the nearest depth, as in the reference port;
    exactly zero means the farthest. NaN stays NaN.
    """
    # Adding zero turns -0.0 into 0.0, which must not count as negative.
    output = np.asarray(output, np.float64) + 0.0
    with np.errstate(divide="ignore", over="ignore"):
        return np.clip(10.0 / output, *limits)


def fit(images, size):
    """Pictures at the network's size: (n, H, W, 3) uint8 0..255 to (n, height, width, 3) float32 0..1.

    Along each axis a reduction is the mean over the area that a new pixel covers, an enlargement is bilinear; a
    picture that has the size already is only scaled to 0..1. `size` None keeps the pictures' size.
    """
    images = np.asarray(images)
    height, width = images.shape[1:3] if size is None else size
    fitted = np.empty((len(images), height, width, images.shape[3]), np.float32)
    for image, out in zip(images, fitted):
        np.divide(resize.resized(image, (height, width)), np.float32(255), out=out)
    return fitted


def enlarge(maps, size, box=None):
    """Bilinear resizing of `maps` (..., h, w) to `size`, of which only the part in `box` is computed.

    `box` is (top, bottom, left, right), inclusive as the crop of the test archive. Sample positions beyond the centres
    of the outermost pixels take these pixels' values (as TensorFlow does; scikit-image's `resize` of order 1 reflects
    there: a difference within half a source pixel of the border, which the crop of the NYU protocol leaves out).
    """
    top, bottom, left, right = (0, size[0] - 1, 0, size[1] - 1) if box is None else box
    maps = np.asarray(maps)
    # Columns first: they are the scattered reads, and there are fewer of them before the rows are enlarged.
    before, after, share = resize.bilinear(maps.shape[-1], size[1], left, right)
    maps = maps[..., before] * (1 - share) + maps[..., after] * share
    before, after, share = resize.bilinear(maps.shape[-2], size[0], top, bottom)
    share = share[:, np.newaxis]
    return maps[..., before, :] * (1 - share) + maps[..., after, :] * share
