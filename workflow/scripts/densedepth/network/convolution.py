"""Convolutions for training on processors (`Platform.lean`), with faster gradients where TensorFlow has no oneDNN.

Large 3x3 ones are made with half of the multiplications, see `winograd`. TensorFlow's own gradients without oneDNN
(1.15, or with oneDNN off) copy patches of whole images, which no cache holds, and take twice the time of the
convolution itself. Here the gradient by the input is a convolution, too, and that by the filter a product of the input
with patches of the output's gradient, made in parts that a cache holds, or a convolution over the images.
"""

from typing import Iterator, List, Tuple

from .. import processors
from ..tf import Tensor, kernels, tf
from . import winograd

_ONE = [1, 1, 1, 1]
_GRADIENT = "OfFastOperations"
# Bytes of patches that are made at once, and below which TensorFlow's own gradient is as fast.
_PATCHES, _SMALL = 16 << 20, 1 << 20
# Filters up to which patches are faster than the convolution over the images.
_FEW = 64


def conv2d(x: Tensor, kernel: Tensor, name: str = "Conv2D") -> Tensor:
    """`tf.nn.conv2d` of stride 1 and padding SAME, up to rounding. kernel: (k, k, C, F), k odd.

    x: (N, h, w, C), of known shape where there are to be gradients.
    """
    if winograd.applies(x, kernel.shape.as_list()):
        with tf.name_scope(name):
            return winograd.conv2d(x, kernel, convolve)
    return convolve(x, kernel, name)


def convolve(x: Tensor, kernel: Tensor, name: str = "Conv2D") -> Tensor:
    """As `conv2d`, with all multiplications; kernel: (k, l, C, F), k and l odd."""
    if has_onednn():
        return tf.nn.conv2d(x, kernel, _ONE, "SAME", name=name)
    with tf.get_default_graph().gradient_override_map({"Conv2D": _GRADIENT}):
        return tf.nn.conv2d(x, kernel, _ONE, "SAME", name=name)


def has_onednn() -> bool:
    """Whether this TensorFlow computes convolutions by oneDNN."""
    return processors.onednn_asked() and bool(kernels.get_registered_kernels_for_op("_MklNativeConv2D").kernel)


@tf.RegisterGradient(_GRADIENT)
def _gradients(op, dy):
    x, kernel = op.inputs
    return _by_input(kernel, dy), _by_filter(x, kernel.shape.as_list(), dy)


def _by_input(kernel, dy):
    turned = kernel if kernel.shape.as_list()[:2] == [1, 1] else tf.reverse(kernel, [0, 1])
    return tf.nn.conv2d(dy, tf.transpose(turned, [0, 1, 3, 2]), _ONE, "SAME")


def _by_filter(x, shape, dy):
    if shape[:2] == [1, 1]:
        return tf.reshape(tf.matmul(_pixels(x), _pixels(dy), transpose_a=True), shape)
    if 4 * shape[0] * shape[1] * dy.shape.num_elements() < _SMALL:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x, filter_sizes=shape, out_backprop=dy, strides=_ONE, padding="SAME"
        )
    if shape[3] <= _FEW:
        return _by_patches(x, shape, dy)
    # A convolution, too: over the images instead of the channels, by filters of the size of the map.
    turned = _with_border(tf.transpose(x, [3, 1, 2, 0]), slice(0, x.shape.as_list()[1]), shape[:2])
    return tf.transpose(tf.nn.conv2d(turned, tf.transpose(dy, [1, 2, 0, 3]), _ONE, "VALID"), [1, 2, 0, 3])


def _by_patches(x, shape, dy):
    height, width, channels, filters = shape
    total = tf.zeros((channels, height * width * filters))
    for images, rows in _parts(dy.shape.as_list(), height * width):
        # One after another: all at once would take their memory at once, too.
        with tf.control_dependencies([total]):
            part, strip = x[images, rows], _with_border(dy[images], rows, (height, width))
        total += tf.matmul(_pixels(part), _pixels(_moved(strip, (height, width))), transpose_a=True)
    # What is moved by -1 belongs to the weight at +1.
    return tf.reverse(tf.transpose(tf.reshape(total, [channels, height, width, filters]), [1, 2, 0, 3]), [0, 1])


def _parts(shape: List[int], factor: int) -> Iterator[Tuple[slice, slice]]:
    """(images, rows) of parts of a map (N, h, w, F), some images or some rows of one.

    Each is of at most `_PATCHES` bytes when each byte of the map makes `factor`, or of one row.
    """
    count, height, width, filters = shape
    most = max(1, _PATCHES // (4 * factor * width * filters))
    images = max(1, most // height)
    rows = -(-height // -(-height // most))
    for image in range(0, count, images):
        for first in range(0, height, rows):
            yield slice(image, min(image + images, count)), slice(first, min(first + rows, height))


def _moved(strip, size):
    """(N, h, w, k * l * F): the map (N, h + k - 1, w + l - 1, F), moved to all places of a filter (k, l), joined."""
    height, width = (side - reach + 1 for side, reach in zip(strip.shape.as_list()[1:3], size))
    places = [(i, j) for i in range(size[0]) for j in range(size[1])]
    return tf.concat([strip[:, i : i + height, j : j + width] for i, j in places], 3)


def _with_border(x, rows, size):
    """The rows of the maps (N, h, w, F) with what a filter of this size reaches beside them, zeros outside the map."""
    height = x.shape.as_list()[1]
    above, beside = (reach // 2 for reach in size)
    first, last = rows.start - above, rows.stop + above
    outside = [max(0, -first), max(0, last - height)]
    return tf.pad(x[:, max(0, first) : last], [[0, 0], outside, [beside, beside], [0, 0]])


def _pixels(x):
    return tf.reshape(x, [-1, x.shape.as_list()[3]])
