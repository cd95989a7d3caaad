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
    y, *strips = unfiltered(x, _repeat_edge(x, 1, 1), mirrored, edges)
    filters = mirrored.shape.as_list()[2]
    for window in ((5, 1, 1, 1), (1, 5, 1, 1)):
        taps = tf.constant(np.tile(_TAPS.reshape(window), (1, 1, filters, 1)))
        y = tf.nn.depthwise_conv2d(y, taps, _ONE, "VALID")
    places, excess = _border(x, strips)
    y = tf.tensor_scatter_sub(tf.reshape(y, [-1, filters]), places, excess)
    return tf.reshape(y, [x.shape.as_list()[0] or -1, 2 * height, 2 * width, filters])


def with_edge(x: Tensor) -> Tensor:
    """x (N, h, w, C) with its edge repeated, (N, h + 2, w + 2, C); for inference, faster than padding."""
    x = tf.concat([x[:, :, :1], x, x[:, :, -1:]], 2)
    return tf.concat([x[:, :1], x, x[:, -1:]], 1)


def unfiltered(x: Tensor, padded: Tensor, mirrored: Tensor, edges: Sequence[Any]) -> List[Tensor]:
    """What `filtered` makes the result of `of_parts` from. padded: x with its edge repeated.

    The transposed convolution (N, 2h + 4, 2w + 4, F), and what the repeated edge outside the map adds to the first and
    last row (N, 1, 2w, F), the first and last column (N, 2h, 1, F).
    """
    height, width = x.shape.as_list()[1:3]
    shape = [_count(x), 2 * height + 4, 2 * width + 4, mirrored.shape.as_list()[2]]
    y = tf.nn.conv2d_transpose(padded, mirrored, shape, [1, 2, 2, 1], "SAME")
    return [y] + [tf.nn.conv2d(strip, part, _ONE, "VALID") for strip, part in zip(_outside(x), edges)]


def filtered(y: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The result of `of_parts`, by elementwise operations that XLA makes one pass over the map of."""
    height, width = (side - 4 for side in y.shape.as_list()[1:3])
    y = tf.add_n([y[:, tap : tap + height] * _TAPS[tap] for tap in range(1, 5)])
    y = tf.add_n([y[:, :, tap : tap + width] * _TAPS[tap] for tap in range(1, 5)])
    rows, columns = (np.arange(side)[:, np.newaxis] for side in (height, width))
    for strip, place in ((top, rows[:, np.newaxis] == 0), (bottom, rows[:, np.newaxis] == height - 1)):
        y -= strip * place.astype(np.float32)
    for strip, place in ((left, columns == 0), (right, columns == width - 1)):
        y -= strip * place.astype(np.float32)
    return y


def _count(x):
    return x.shape.as_list()[0] or tf.shape(x)[0]


def _outside(x):
    """The upsampled map's repeated edge outside of it: rows (N, 1, 2w + 2, C), columns (N, 2h + 2, 1, C)."""
    height, width = x.shape.as_list()[1:3]
    rows = tf.image.resize_bilinear(tf.concat([x[:, :1], x[:, -1:]], 0), [1, 2 * width], half_pixel_centers=True)
    columns = tf.image.resize_bilinear(
        tf.concat([x[:, :, :1], x[:, :, -1:]], 0), [2 * height, 1], half_pixel_centers=True
    )
    # The rows reach over the corners outside, the columns do not.
    top, bottom = tf.split(_repeat_edge(rows, 0, 1), 2)
    left, right = tf.split(tf.pad(columns, [[0, 0], [1, 1], [0, 0], [0, 0]]), 2)
    return top, bottom, left, right


def _border(x, strips):
    """(places, values): the strips' pixels, (P, F), and where they are.

    places: (P, 1) int32 pixel numbers of the upsampled maps, the corners twice.
    """
    height, width = x.shape.as_list()[1:3]
    numbers = np.arange(4 * height * width, dtype=np.int32).reshape(2 * height, 2 * width)
    first_pixels = tf.range(_count(x))[:, tf.newaxis] * numbers.size
    places = [first_pixels + strip for strip in (numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1])]
    places = tf.concat([tf.reshape(strip, [-1, 1]) for strip in places], 0)
    return places, tf.concat([tf.reshape(strip, [-1, strip.shape.as_list()[3]]) for strip in strips], 0)


def _repeat_edge(x, rows, columns):
    return tf.pad(x, [[0, 0], [rows, rows], [columns, columns], [0, 0]], "SYMMETRIC")
