"""3x3 convolutions with half of the multiplications, for training and inference on processors.

Four rows of the result need six rows of the map. Of these six, six sums are made, each is convolved with a sum of the
filter's rows, 1x3, and four sums of the results are the four rows: 6 * 3 multiplications where the convolution itself
has 4 * 9. (Winograd 1980, for neural networks Lavin and Gray 2015, arXiv 1509.09308, who do so in both directions; in
one, rounding grows little.) XLA compiles the sums to one pass over the map; as TensorFlow's operations they would cost
what the multiplications save.
"""

import functools
from typing import Callable, List, Optional, Sequence, Tuple

import numpy as np

from .. import multiplications
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
# A collection of the graph, of one dict: the functions of `shared` as compiled.
_SHARED = "densedepth_compiled"


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


_BEFORE, _FILTERS, _AFTER = _matrices()


# Computes convolutions "SAME" of stride 1, of maps (N, h / 4, w, C) and kernels (1, 3, C, F).
Convolve = Callable[[Tensor, Tensor], Tensor]


def applies(x: Tensor, kernel: Sequence[int], channels: Optional[int] = None) -> bool:
    """Whether the convolution of x (N, h, w, C) with a kernel of this shape (k, k, C, F) is faster here.

    channels: and filters, below which the sums cost too much, if not as usual.
    """
    pixels = x.shape[1:3].num_elements()
    return (
        list(kernel[:2]) == [3, 3]
        and min(kernel[2:]) >= (channels or _CHANNELS)
        and pixels is not None
        and 9 * pixels * kernel[2] * kernel[3] >= _MANY
        and has_xla()
        and not multiplications.are_all_wanted()
    )


def has_xla() -> bool:
    """Whether this TensorFlow compiles operations for processors."""
    return any(kernel.device_type == "CPU" for kernel in kernels.get_registered_kernels_for_op("XlaLaunch").kernel)


def conv2d(x: Tensor, kernel: Tensor, convolve: Convolve) -> Tensor:
    """The 3x3 convolution "SAME" up to rounding, whose gradients are computed likewise.

    x: (N, h, w, C) of known shape; kernel: (3, 3, C, F). Returns (N, h, w, F). Nothing but x is kept for the gradients.
    """

    @tf.custom_gradient
    def compute(x, kernel):
        height = x.shape.as_list()[1]

        def gradient(dy):
            # Delay the recomputation until the gradient is available.
            with tf.control_dependencies([dy]):
                again = tf.identity(x)
            d_maps, d_kernel = gradients(shared(taken_apart, again), kernel, dy, convolve)
            [dx] = shared(taken_apart_gradient, *d_maps, height=height)
            return dx, d_kernel

        return of_maps(shared(taken_apart, x), kernel, height, convolve), gradient

    return compute(x, kernel)


def of_maps(maps: Sequence[Tensor], kernel: Tensor, height: int, convolve: Convolve) -> Tensor:
    """The convolution (N, height, w, F) from the six maps of `taken_apart`; kernel: (3, 3, C, F)."""
    products = [convolve(*pair) for pair in zip(maps, _filters(kernel))]
    [y] = shared(put_together, *products, height=height)
    return y


def gradients(maps: Sequence[Tensor], kernel: Tensor, dy: Tensor, convolve: Convolve) -> Tuple[List[Tensor], Tensor]:
    """The gradients of `of_maps` by the six maps and by the kernel, from that by its output, dy (N, h, w, F)."""
    filters = _filters(kernel)
    products = [convolve(*pair) for pair in zip(maps, filters)]
    found = tf.gradients(products, list(maps) + filters, shared(put_together_gradient, dy))
    return found[:_TAKEN], tf.gradients(filters, kernel, found[_TAKEN:])[0]


def fixed_filters(kernel: np.ndarray) -> List[np.ndarray]:
    """The six 1x3 kernels (1, 3, C, F) of a kernel (3, 3, C, F) that does not change."""
    sums = np.tensordot(_FILTERS, kernel.astype(np.float64), 1)
    return list(sums[:, np.newaxis].astype(np.float32))


def fixed_conv2d(
    x: Tensor,
    filters: Sequence[Tensor],
    convolve: Convolve,
    finish: Callable[..., Tensor] = tf.identity,
    others: Sequence[Tensor] = (),
) -> Tensor:
    """finish(y, *others) of the convolution y (N, h, w, F) of x (N, h, w, C) by six filters of `fixed_filters`.

    Elementwise operations of `finish` are computed in the pass that makes y.
    """
    products = [convolve(*pair) for pair in zip(compiled(taken_apart, x), filters)]

    def end(*tensors):
        [y] = put_together(*tensors[:_TAKEN], height=x.shape.as_list()[1])
        return [finish(y, *tensors[_TAKEN:])]

    [y] = compiled(end, *products, *others)
    return y


def compiled(function: Callable, *tensors: Tensor) -> List[Tensor]:
    """What the function makes of the tensors, a list, compiled by XLA to one operation."""
    return list(tf.xla.experimental.compile(function, list(tensors)))


def shared(function: Callable, *tensors: Tensor, **numbers: int) -> List[Tensor]:
    """As `compiled`; on current TensorFlow once for all calls in the graph with tensors of the same shapes.

    A network of many equal layers starts in half of the time.
    """
    if tf.VERSION.startswith("1."):
        return compiled(functools.partial(function, **numbers), *tensors)
    made = tf.get_collection_ref(_SHARED)
    if not made:
        made.append({})
    if function not in made[0]:
        made[0][function] = tf.function(function, autograph=False, jit_compile=True)
    return list(made[0][function](*tensors, **numbers))


def taken_apart(x: Tensor) -> List[Tensor]:
    """The six sums of rows, (N, ceil(h / 4), w, C) each, of a map (N, h, w, C) of known h; to be compiled."""
    height, width, channels = x.shape.as_list()[1:]
    # Where the height allows it, no border is laid around the map: the loops that XLA makes of these take 0.7 of the
    # time of such that look for a border at each row.
    whole = tf.pad(x, [[0, 0], [0, -height % _ROWS], [0, 0], [0, 0]]) if height % _ROWS else x
    # The number of images is left open, even where it is known: in sums of large maps of known shape, TensorFlow would
    # let the terms share a temporary variable, which XLA lacks.
    fours = tf.reshape(whole, [-1, -(-height // _ROWS), _ROWS, width, channels])
    own = [fours[:, :, row] for row in range(_ROWS)]
    before = tf.pad(own[-1][:, :-1], [[0, 0], [1, 0], [0, 0], [0, 0]])
    after = tf.pad(own[0][:, 1:], [[0, 0], [0, 1], [0, 0], [0, 0]])
    return _sums(_BEFORE, [before] + own + [after])


def taken_apart_gradient(*maps: Tensor, height: int) -> List[Tensor]:
    """The gradient by the map (N, height, w, C) from those by the six sums; to be compiled."""
    first, *own, last = _sums(_BEFORE.T, maps)
    # The first and last rows of six are the neighbours' last and first of four.
    own[0] += tf.pad(last, [[0, 0], [1, 0], [0, 0], [0, 0]])[:, :-1]
    own[-1] += tf.pad(first, [[0, 0], [0, 1], [0, 0], [0, 0]])[:, 1:]
    return [_in_turn(own, height)]


def put_together(*products: Tensor, height: int) -> List[Tensor]:
    """The result (N, height, w, F) from the six products (N, ceil(height / 4), w, F); to be compiled."""
    return [_in_turn(_sums(_AFTER, products), height)]


def put_together_gradient(dy: Tensor) -> List[Tensor]:
    """The gradients by the six products from that by the result (N, h, w, F); to be compiled."""
    height = dy.shape.as_list()[1]
    padded = tf.pad(dy, [[0, 0], [0, -height % _ROWS], [0, 0], [0, 0]])
    return _sums(_AFTER.T, [padded[:, row::_ROWS] for row in range(_ROWS)])


def _filters(kernel):
    """The six 1x3 kernels (1, 3, C, F) of a kernel (3, 3, C, F)."""
    shape = kernel.shape.as_list()
    sums = tf.matmul(tf.constant(_FILTERS, tf.float32), tf.reshape(kernel, [3, -1]))
    return tf.unstack(tf.reshape(sums, [_TAKEN, 1] + shape[1:]))


def _sums(matrix, rows):
    """For each row of the matrix, the tensors times its numbers, added."""
    return [tf.add_n([row * np.float32(weight) for weight, row in zip(line, rows) if weight]) for line in matrix]


def _in_turn(maps, height):
    """(N, height, w, F): the four maps' rows in turn."""
    count, rows, width, filters = maps[0].shape.as_list()
    joined = tf.reshape(tf.stack(maps, 2), [-1 if count is None else count, _ROWS * rows, width, filters])
    return joined[:, :height]
