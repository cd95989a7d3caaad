"""The decoder's convolution of an upsampled map, with a quarter of the multiplications.

Bilinear upsampling by 2 at half-pixel positions is zero stuffing followed by the filter [1, 3, 3, 1] / 4 in each
direction, and two convolutions may change places: instead of convolving the upsampled map, the small map is convolved
(transposed, stride 2) and the result filtered. The upsampled map and its gradient then never exist. Only along the
border do the two differ: there upsampling repeats the edge, while the convolution sees zeros.
"""

from typing import Any, List, Sequence, Tuple

import numpy as np

from ..tf import Tensor, tf
from .convolution import conv2d

# The filter in one direction. The first tap only makes the window odd, so that the transposed convolution's output
# need not be cropped.
_TAPS = np.array([0, 1, 3, 3, 1], np.float32) / 4

_ONE = [1, 1, 1, 1]


def of_upsampled(x: Tensor, skip: Tensor, kernel: Tensor, name: str) -> Tensor:
    """The 3x3 convolution "SAME" of concat(x upsampled, skip), up to rounding.

    x: (N, h, w, C); skip: (N, 2h, 2w, D); kernel: (3, 3, C + D, F); of known shape, N only where there are to be
    gradients. Returns (N, 2h, 2w, F).
    """
    above, below = tf.split(kernel, [x.shape.as_list()[3], skip.shape.as_list()[3]], axis=2)
    return tf.add(of_upsampled_alone(x, above), conv2d(skip, below), name=name)


def of_upsampled_alone(x: Tensor, kernel: Tensor) -> Tensor:
    """As `of_upsampled`, without a skip."""
    mirrored = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])
    first_row, _, last_row = tf.split(kernel, 3, axis=0)
    first_column, _, last_column = tf.split(kernel, 3, axis=1)
    return of_parts(x, mirrored, (first_row, last_row, first_column, last_column))


def parts(kernel: np.ndarray) -> Tuple[np.ndarray, List[np.ndarray]]:
    """What `of_parts` takes of the kernel (3, 3, C, F), for one that does not change."""
    return kernel[::-1, ::-1].transpose(0, 1, 3, 2), [kernel[:1], kernel[2:], kernel[:, :1], kernel[:, 2:]]


def of_parts(x: Tensor, mirrored: Tensor, edges: Sequence[Any]) -> Tensor:
    """As `of_upsampled_alone`, from parts of the kernel (3, 3, C, F).

    mirrored: the kernel turned by 180 degrees, (3, 3, F, C). edges: its first and last row, first and last column.
    """
    height, width = x.shape.as_list()[1:3]
    count = _count(x)
    filters = mirrored.shape.as_list()[2]
    shape = [count, 2 * height + 4, 2 * width + 4, filters]
    y = tf.nn.conv2d_transpose(_repeat_edge(x, 1, 1), mirrored, shape, [1, 2, 2, 1], "SAME")
    for window in ((5, 1, 1, 1), (1, 5, 1, 1)):
        taps = tf.constant(np.tile(_TAPS.reshape(window), (1, 1, filters, 1)))
        y = tf.nn.depthwise_conv2d(y, taps, _ONE, "VALID")
    places, excess = _border(x, edges, filters)
    y = tf.tensor_scatter_sub(tf.reshape(y, [-1, filters]), places, excess)
    return tf.reshape(y, [x.shape.as_list()[0] or -1, 2 * height, 2 * width, filters])


def _count(x):
    return x.shape.as_list()[0] or tf.shape(x)[0]


def _border(x, edges, filters):
    """(places, excess): what the repeated edge outside the map adds to the pixels along the border.

    places: (P, 1) int32 pixel numbers of the upsampled maps, the corners twice; excess: (P, F).
    """
    height, width = x.shape.as_list()[1:3]
    rows = tf.image.resize_bilinear(tf.concat([x[:, :1], x[:, -1:]], 0), [1, 2 * width], half_pixel_centers=True)
    columns = tf.image.resize_bilinear(
        tf.concat([x[:, :, :1], x[:, :, -1:]], 0), [2 * height, 1], half_pixel_centers=True
    )
    # The rows reach over the corners outside, the columns do not.
    top, bottom = tf.split(_repeat_edge(rows, 0, 1), 2)
    left, right = tf.split(tf.pad(columns, [[0, 0], [1, 1], [0, 0], [0, 0]]), 2)
    excess = [tf.nn.conv2d(strip, part, _ONE, "VALID") for strip, part in zip((top, bottom, left, right), edges)]
    numbers = np.arange(4 * height * width, dtype=np.int32).reshape(2 * height, 2 * width)
    first_pixels = tf.range(_count(x))[:, tf.newaxis] * numbers.size
    places = [first_pixels + strip for strip in (numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1])]
    places = tf.concat([tf.reshape(strip, [-1, 1]) for strip in places], 0)
    return places, tf.concat([tf.reshape(strip, [-1, filters]) for strip in excess], 0)


def _repeat_edge(x, rows, columns):
    return tf.pad(x, [[0, 0], [rows, rows], [columns, columns], [0, 0]], "SYMMETRIC")
