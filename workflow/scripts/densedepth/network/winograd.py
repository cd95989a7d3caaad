"""3x3 convolutions with half of the multiplications, for training and inference on processors.

Four rows of the result need six rows of the map. Of these six, six sums are made, each is convolved with a sum of the
filter's rows, 1x3, and four sums of the results are the four rows: 6 * 3 multiplications where the convolution itself
has 4 * 9. (Winograd 1980, for neural networks Lavin and Gray 2015, arXiv 1509.09308, who do so in both directions; in
one, rounding grows little.) XLA compiles the sums to one pass over the map; as TensorFlow's operations they would cost
what the multiplications save.
"""

from typing import Callable, List, Sequence

import numpy as np

from ..tf import Tensor, kernels, tf

# Rows of the result that are computed together, and what of the map that takes.
_ROWS, _TAKEN = 4, 6
# What polynomials are evaluated at, and at infinity; of such points as float32 holds, those that round least.
_POINTS = (0, 5 / 8, -5 / 8, 3 / 2, -3 / 2)
# Multiplications of an image, in the convolution itself, from which on the sums cost less than they save, and the start
# of a program less than a few hundred steps.
_MANY = 10**8
# Channels and filters, below which the sums cost as much as the multiplications.
_CHANNELS = 48


def _matrices():
    """(of the map's rows (6, 6), of the filter's (6, 3), of the products (4, 6)), by Toom and Cook's polynomials."""
    size = len(_POINTS)
    others = [[q for q in _POINTS if q != p] for p in _POINTS]
    before, filters, after = np.zeros((_TAKEN, _TAKEN)), np.zeros((_TAKEN, 3)), np.zeros((_ROWS, _TAKEN))
    for number, point in enumerate(_POINTS):
        before[number, :size] = np.poly(others[number])[::-1]
        filters[number] = np.power(point, range(3)) / np.prod(np.subtract(point, others[number]))
        after[:, number] = np.power(point, range(_ROWS))
    before[-1] = np.poly(_POINTS)[::-1]
    filters[-1, -1] = after[-1, -1] = 1
    return before, filters, after


_BEFORE, FILTERS, _AFTER = _matrices()


def applies(x: Tensor, kernel: Sequence[int]) -> bool:
    """Whether the convolution of x (N, h, w, C) with a kernel of this shape (k, k, C, F) is faster here."""
    pixels = x.shape[1:3].num_elements()
    return (
        list(kernel[:2]) == [3, 3]
        and min(kernel[2:]) >= _CHANNELS
        and pixels is not None
        and 9 * pixels * kernel[2] * kernel[3] >= _MANY
        and has_xla()
    )


def has_xla() -> bool:
    """Whether this TensorFlow compiles operations for processors."""
    return any(kernel.device_type == "CPU" for kernel in kernels.get_registered_kernels_for_op("XlaLaunch").kernel)


def conv2d(x: Tensor, kernel: Tensor, convolve: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The 3x3 convolution "SAME" up to rounding, whose gradients are computed likewise.

    x: (N, h, w, C) of known shape; kernel: (3, 3, C, F); convolve: computes convolutions "SAME" of stride 1, of maps
    (N, h / 4, w, C) and kernels (1, 3, C, F). Returns (N, h, w, F). Nothing but x is kept for the gradients.
    """

    @tf.custom_gradient
    def compute(x, kernel):
        parts = _filters(kernel)
        products = [convolve(*pair) for pair in zip(taken_apart(x), parts)]

        def gradient(dy):
            height = x.shape.as_list()[1]
            # Delay the recomputation until the gradient is available.
            with tf.control_dependencies([dy]):
                again = tf.identity(x)
            maps = taken_apart(again)
            convolved = [convolve(*pair) for pair in zip(maps, parts)]
            found = tf.gradients(convolved, maps + parts, _compiled(_put_together_gradient, dy))
            [dx] = _compiled(lambda *maps: _taken_apart_gradient(maps, height), *found[:_TAKEN])
            return dx, tf.gradients(parts, kernel, found[_TAKEN:])[0]

        return put_together(products, x.shape.as_list()[1]), gradient

    return compute(x, kernel)


def taken_apart(x: Tensor) -> List[Tensor]:
    """The six sums of rows, (N, ceil(h / 4), w, C) each, of a map (N, h, w, C) of known h."""
    return _compiled(_taken_apart, x)


def put_together(
    products: Sequence[Tensor], height: int, others: Sequence[Tensor] = (), finish: Callable[..., Tensor] = tf.identity
) -> Tensor:
    """finish(y, *others) of the map y (N, height, w, F) from the six convolved maps (N, ceil(height / 4), w, F).

    Elementwise operations of `finish` are computed in the same pass over the map.
    """

    def compute(*tensors):
        return finish(_put_together(tensors[:_TAKEN], height), *tensors[_TAKEN:])

    [y] = _compiled(compute, *products, *others)
    return y


def filters(kernel: np.ndarray) -> List[np.ndarray]:
    """The six 1x3 kernels (1, 3, C, F) that a kernel (3, 3, C, F) makes, for one that does not change."""
    sums = np.tensordot(FILTERS, kernel.astype(np.float64), 1)
    return list(sums[:, np.newaxis].astype(np.float32))


def _compiled(function, *tensors):
    return list(tf.xla.experimental.compile(function, list(tensors)))


def _filters(kernel):
    """The six 1x3 kernels (1, 3, C, F) of a kernel (3, 3, C, F)."""
    shape = kernel.shape.as_list()
    sums = tf.matmul(tf.constant(FILTERS, tf.float32), tf.reshape(kernel, [3, -1]))
    return tf.unstack(tf.reshape(sums, [_TAKEN, 1] + shape[1:]))


def _sums(matrix, rows):
    """For each row of the matrix, the tensors times its numbers, added."""
    return [tf.add_n([row * np.float32(weight) for weight, row in zip(line, rows) if weight]) for line in matrix]


def _taken_apart(x):
    height = x.shape.as_list()[1]
    count = -(-height // _ROWS)
    padded = tf.pad(x, [[0, 0], [1, _ROWS * count + 1 - height], [0, 0], [0, 0]])
    return _sums(_BEFORE, [padded[:, row : row + _ROWS * count - 3 : _ROWS] for row in range(_TAKEN)])


def _taken_apart_gradient(maps, height):
    first, *own, last = _sums(_BEFORE.T, maps)
    # The first and last rows of six are the neighbours' last and first of four.
    own[0] += tf.pad(last, [[0, 0], [1, 0], [0, 0], [0, 0]])[:, :-1]
    own[-1] += tf.pad(first, [[0, 0], [0, 1], [0, 0], [0, 0]])[:, 1:]
    return _in_turn(own, height)


def _put_together(products, height):
    return _in_turn(_sums(_AFTER, products), height)


def _put_together_gradient(dy):
    height = dy.shape.as_list()[1]
    padded = tf.pad(dy, [[0, 0], [0, -height % _ROWS], [0, 0], [0, 0]])
    return _sums(_AFTER.T, [padded[:, row::_ROWS] for row in range(_ROWS)])


def _in_turn(maps, height):
    """(N, height, w, F): the four maps' rows in turn."""
    count, rows, width, filters = maps[0].shape.as_list()
    joined = tf.reshape(tf.stack(maps, 2), [-1 if count is None else count, _ROWS * rows, width, filters])
    return joined[:, :height]
