"""The DenseDepth network: DenseNet encoder and bilinear-upsampling decoder as pure functions of tensors.

Sources: DenseNet (Huang et al. 2017) in the layout of Keras' `applications.DenseNet*`, whose layer names the variables
carry, so that published weights fit by name; decoder of Alhashim and Wonka, arXiv 1812.11941.

Tensors are NHWC float32. All shapes are static where the input's are, and there is no Assert, string or float64 in the
graph: accelerators that compile whole graphs need that.
"""

import math
import zlib
from typing import Dict, Iterable, List, Optional, Tuple

import numpy as np

from ..errors import PipelineError
from ..tf import Tensor, tf
from . import recompute, upsample_conv
from .convolution import conv2d
from .model import BLOCKS, Model

INPUT = "input_1"
OUTPUT = "conv3/BiasAdd"

# The encoder halves the size five times.
STRIDE = 32

GROWTH = 32  # channels that each dense layer adds
EPSILON = 1.001e-5  # of batch normalisation, as in Keras' DenseNet
LEAK = 0.2  # slope of the decoder's leaky ReLU below zero
SKIPS = ("pool3_pool", "pool2_pool", "pool1", "conv1/relu")  # in the order in which the decoder takes them


def image_placeholder(size: Optional[Tuple[int, int]] = None, batch: Optional[int] = None) -> Tensor:
    """The network's input `input_1`: (batch, height, width, 3) float32, RGB in 0..1.

    `size` is (height, width), or None for any. Raises PipelineError unless both are multiples of 32.
    """
    height, width = size or (None, None)
    _check_size(height, width)
    return tf.placeholder(tf.float32, (batch, height, width, 3), name=INPUT)


def predict(
    images: Tensor,
    model: Model,
    training: bool = False,
    momentum: float = 0.99,
    folded: bool = False,
    lean: bool = False,
) -> Tensor:
    """The network's output for `images` (N, H, W, 3), RGB in 0..1: (N, H/2, W/2, 1), the inverse depth 1000 / cm.

    The last layer is linear: nothing keeps the output in the range 1..100 of the targets. With `training`, batch
    statistics normalise the features, and the updates of their moving averages (weight `momentum` for the old value,
    as in Keras) join `tf.GraphKeys.UPDATE_OPS`; without, the moving averages normalise. `folded` is the network for
    inference alone whose variables are those that `fold` makes. `lean` as in `encode` and `decode`.

    A second call in a graph shares the first one's variables. The output is named `conv3/BiasAdd` (in the first call).
    Raises PipelineError when the image size is known and not a multiple of 32.
    """
    return decode(encode(images, model.encoder, training, momentum, folded, lean), model, lean)


def encode(
    images: Tensor,
    encoder: str,
    training: bool = False,
    momentum: float = 0.99,
    folded: bool = False,
    lean: bool = False,
) -> Dict[str, Tensor]:
    """The encoder's features for `images` (N, H, W, 3), RGB in 0..1, without ImageNet mean or deviation.

    `lean` trains the same in less memory, up to rounding: gradients join and normalise the features of dense layers
    again instead of keeping them (see `recompute`); all shapes must be known then.
    Returns a dict by Keras layer name: `conv1/relu` (N, H/2, W/2, 64), `pool1` (H/4, 64), `pool2_pool` (H/8, 128),
    `pool3_pool` (H/16, 256), `pool4_pool` (H/32) and `relu` (H/32, 1024, 1664 or 1920 for DenseNet-121, 169, 201).
    """
    _check_size(*images.shape.as_list()[1:3])

    def norm_relu(x, norm, relu):
        if not folded:
            x = _batch_norm(x, norm, training, momentum)
        elif not _convolution_before(norm):
            x = _scale_shift(x, norm)
        return tf.nn.relu(x, name=relu)

    features = {}
    with _shared_variables():
        # Padding "SAME" of a strided window is not symmetric, that of Keras' DenseNet is.
        x = _conv(_zero_pad(images, 3), "conv1/conv", 64, size=7, stride=2, padding="VALID", bias=folded)
        x = features["conv1/relu"] = norm_relu(x, "conv1/bn", "conv1/relu")
        if lean and training:
            x = recompute.padded_max_pool(x, "pool1")
        else:
            x = tf.nn.max_pool(_zero_pad(x, 1), [1, 3, 3, 1], [1, 2, 2, 1], "VALID", name="pool1")
        features["pool1"] = x
        for stage, layers in enumerate(BLOCKS[encoder], start=2):
            blocks = ["conv{}_block{}".format(stage, layer) for layer in range(1, layers + 1)]
            last = "pool{}_".format(stage) if stage < 5 else ""
            if lean and training:
                x = _joined_layers(x, blocks, last + "bn", momentum)
            else:
                for block in blocks:
                    y = norm_relu(x, block + "_0_bn", block + "_0_relu")
                    y = _conv(y, block + "_1_conv", 4 * GROWTH, size=1, bias=folded)
                    y = norm_relu(y, block + "_1_bn", block + "_1_relu")
                    y = _conv(y, block + "_2_conv", GROWTH, size=3, bias=False)
                    x = tf.concat([x, y], axis=3, name=block + "_concat")
                x = norm_relu(x, last + "bn", last + "relu")
            if stage < 5:
                # Keras convolves, then averages. Averaging first gives the same for a 1x1 convolution without bias
                # and leaves a quarter of its work.
                x = tf.nn.avg_pool(x, [1, 2, 2, 1], [1, 2, 2, 1], "VALID", name=last + "pool")
                x = _conv(x, last + "conv", _channels(x) // 2, size=1, bias=False, lean=lean and training)
                features[last + "pool"] = x
        features["relu"] = x
    return features


def decode(features: Dict[str, Tensor], model: Model, lean: bool = False) -> Tensor:
    """The network's output, as `predict`, from the features that `encode` gives.

    `lean` computes the same, up to rounding, without the upsampled maps (see `upsample_conv`), where the upsampling is
    half_pixel, and its gradients keep less and are faster (see `convolution`); all shapes must be known then.
    """
    leaky_relu = recompute.leaky_relu if lean else tf.nn.leaky_relu
    x = features["relu"]
    filters = _channels(x) // (2 if model.width == "half" else 1)
    with _shared_variables():
        x = _conv(x, "conv2", filters, size=1, lean=lean)
        for level, skip in enumerate(SKIPS, start=1):
            up = "up{}".format(level)
            filters //= 2
            if lean and model.upsampling == "half_pixel":
                x = _conv_of_upsampled(x, features[skip], up + "_convA", filters)
            else:
                x = _upsample(x, model.upsampling, up + "_upsampling2d")
                x = tf.concat([x, features[skip]], axis=3, name=up + "_concat")
                x = _conv(x, up + "_convA", filters, size=3)
            if model.mid_activation:
                x = leaky_relu(x, LEAK, name=up + "_convA/LeakyRelu")
            x = _conv(x, up + "_convB", filters, size=3, lean=lean)
            x = leaky_relu(x, LEAK, name=up + "_convB/LeakyRelu")
        return _conv(x, "conv3", 1, size=3, lean=lean)


def in_encoder(name: str) -> bool:
    """Whether the variable `name` is the encoder's, not the decoder's."""
    return not name.startswith(("conv2/", "up", "conv3/"))


def fold(values: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """The values of the `folded` network's variables from those of the network's, {name: float32 array} both.

    With its moving averages a normalisation is x * scale + shift. Where it follows a convolution, that is the same
    convolution with other weights and a bias. The others read features that further layers read as they are, and have
    an activation behind them: they remain, as `scale` and `shift`. Computed in float64.
    """
    folded = {name: value for name, value in values.items() if name.rpartition("/")[2] in ("kernel", "bias")}
    for norm in [name.rpartition("/")[0] for name in values if name.endswith("/gamma")]:
        gamma, beta, mean, variance = (
            np.asarray(values["{}/{}".format(norm, kind)], np.float64)
            for kind in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        scale = gamma / np.sqrt(variance + EPSILON)
        shift = beta - mean * scale
        convolution = _convolution_before(norm)
        if convolution:
            kernel = convolution + "/kernel"
            folded[kernel] = (values[kernel] * scale).astype(np.float32)
            folded[convolution + "/bias"] = shift.astype(np.float32)
        else:
            folded[norm + "/scale"] = scale.astype(np.float32)
            folded[norm + "/shift"] = shift.astype(np.float32)
    return folded


def _convolution_before(norm):
    """The convolution whose output the normalisation reads; None where it reads joined or pooled features."""
    if norm == "conv1/bn" or norm.endswith("_1_bn"):
        return norm[: -len("bn")] + "conv"
    return None


def initial_values(variables: Iterable[Tensor], seed: int) -> Dict[str, np.ndarray]:
    """Random initial values for variables of this network, as {name: float32 array}.

    Kernels are Glorot-uniform as Keras' default, gamma and moving variance one, the rest zero. Each array depends on
    `seed` (0..2^32-1) and the variable's own name only: not on the other variables, the machine or the versions of
    TensorFlow and NumPy (RandomState's streams are frozen). The graph's own initialisers are zeros and ones, since 86
    MB of constants do not belong in a graph.
    """
    return {v.op.name: _initial_value(v.op.name, v.shape.as_list(), seed) for v in variables}


def _initial_value(name, shape, seed):
    kind = name.rpartition("/")[2]
    if kind != "kernel":
        return np.full(shape, 1.0 if kind in ("gamma", "moving_variance") else 0.0, np.float32)
    height, width, inputs, outputs = shape
    limit = math.sqrt(6.0 / (height * width * (inputs + outputs)))
    stream = np.random.RandomState([seed, zlib.crc32(name.encode())])
    return stream.uniform(-limit, limit, shape).astype(np.float32)


def _check_size(height, width):
    for name, pixels in (("height", height), ("width", width)):
        if pixels is not None and (pixels < STRIDE or pixels % STRIDE):
            raise PipelineError(
                "network input: {} {} is not a multiple of {}; nearest are {} and {}".format(
                    name, pixels, STRIDE, *_neighbours(pixels)
                )
            )


def _neighbours(pixels):
    below = max(pixels // STRIDE, 1) * STRIDE
    return below, below + STRIDE


def _shared_variables():
    # Without the auxiliary name scope, operations get exactly the names given to them.
    return tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE, auxiliary_name_scope=False)


def _channels(x):
    return x.shape.as_list()[3]


def _conv(x, name, filters, size, stride=1, padding="SAME", bias=True, lean=False):
    kernel = _kernel(name, size, _channels(x), filters)
    if lean:
        x = conv2d(x, kernel, name + "/Conv2D")
    else:
        x = tf.nn.conv2d(x, kernel, [1, stride, stride, 1], padding, name=name + "/Conv2D")
    return _bias(x, name) if bias else x


def _kernel(name, size, inputs, filters):
    return tf.get_variable(name + "/kernel", (size, size, inputs, filters), initializer=tf.zeros_initializer())


def _conv_of_upsampled(x, skip, name, filters):
    kernel = _kernel(name, 3, _channels(x) + _channels(skip), filters)
    return _bias(upsample_conv.of_upsampled(x, skip, kernel, name + "/Conv2D"), name)


def _bias(x, name):
    offset = tf.get_variable(name + "/bias", (_channels(x),), initializer=tf.zeros_initializer())
    return tf.nn.bias_add(x, offset, name=name + "/BiasAdd")


def _scale_shift(x, name):
    scale = tf.get_variable(name + "/scale", (_channels(x),), initializer=tf.ones_initializer())
    shift = tf.get_variable(name + "/shift", (_channels(x),), initializer=tf.zeros_initializer())
    return tf.nn.bias_add(tf.multiply(x, scale, name=name + "/Mul"), shift, name=name + "/BiasAdd")


def _batch_norm(x, name, training, momentum):
    gamma, beta, moving_mean, moving_variance = _norm_variables(x, name)
    op = name + "/FusedBatchNorm"
    if not training:
        return tf.nn.fused_batch_norm(
            x, gamma, beta, moving_mean, moving_variance, epsilon=EPSILON, is_training=False, name=op
        )[0]
    x, mean, variance = tf.nn.fused_batch_norm(x, gamma, beta, epsilon=EPSILON, is_training=True, name=op)
    _follow(moving_mean, mean, momentum)
    _follow(moving_variance, variance, momentum)
    return x


def _norm_relu_conv(x, norm, convolution, filters, size, momentum):
    """The convolution of normalised features in training; only the features as they come are kept for the gradient."""
    gamma, beta, moving_mean, moving_variance = _norm_variables(x, norm)
    kernel = _kernel(convolution, size, _channels(x), filters)
    y, mean, variance = recompute.norm_relu_conv(x, gamma, beta, kernel, EPSILON)
    _follow(moving_mean, mean, momentum)
    _follow(moving_variance, variance, momentum)
    return y


def _joined_layers(x, blocks, last, momentum):
    """The dense layers named `blocks`, and ReLU of the normalisation `last` after them, in training.

    A channel's batch statistics are the same for each layer that reads it. So they are taken once, the joined features
    are normalised ones, and the normalisations differ in scale and offset alone.
    """
    parts: List[Tensor] = []
    means: List[Tensor] = []
    variances: List[Tensor] = []

    def join(x, joined=None):
        part, mean, variance = recompute.normalise(x, EPSILON)
        for found, one in ((parts, part), (means, mean), (variances, variance)):
            found.append(one)
        return part if joined is None else tf.concat([joined, part], 3)

    def scale_and_offset(x, norm):
        gamma, beta, moving_mean, moving_variance = _norm_variables(x, norm)
        _follow(moving_mean, tf.concat(means, 0), momentum)
        _follow(moving_variance, tf.concat(variances, 0), momentum)
        return gamma, beta

    x = join(x)
    for block in blocks:
        gamma, beta = scale_and_offset(x, block + "_0_bn")
        kernel = _kernel(block + "_1_conv", 1, _channels(x), 4 * GROWTH)
        y = recompute.scale_relu_conv(x, list(parts), gamma, beta, kernel)
        x = join(_norm_relu_conv(y, block + "_1_bn", block + "_2_conv", GROWTH, 3, momentum), x)
    return recompute.scale_relu(x, parts, *scale_and_offset(x, last))


def _norm_variables(x, name):
    def variable(kind, initializer, trainable):
        return tf.get_variable("/".join((name, kind)), (_channels(x),), tf.float32, initializer, trainable=trainable)

    return (
        variable("gamma", tf.ones_initializer(), True),
        variable("beta", tf.zeros_initializer(), True),
        variable("moving_mean", tf.zeros_initializer(), False),
        variable("moving_variance", tf.ones_initializer(), False),
    )


def _follow(moving, batch, momentum):
    update = tf.assign_sub(moving, (moving - batch) * (1.0 - momentum), name=moving.op.name + "/update")
    tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)


def _zero_pad(x, pixels):
    return tf.pad(x, [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]])


def _upsample(x, upsampling, name):
    height, width = x.shape.as_list()[1:3]
    size = [2 * height, 2 * width] if height and width else 2 * tf.shape(x)[1:3]
    positions = {"align_corners": upsampling == "align_corners", "half_pixel_centers": upsampling == "half_pixel"}
    return tf.image.resize_bilinear(x, size, name=name, **positions)
