"""Layers of the network in training whose gradients compute again what the plain ones keep, half of it at most.

The gradient of a convolution needs its input; after a normalisation that is a second copy of all features, and in a
dense block each layer has its own copy of the joined ones. Here gradients join and normalise the features again (Pleiss
et al. 2017, arXiv 1707.06990). For processors only (`Platform.lean`): what a GPU's kernel for the gradient takes as the
variance is an inverse deviation.
"""

from typing import Sequence, Tuple

from ..tf import Tensor, tf
from . import winograd
from .convolution import conv2d, convolve

# Channels of a dense layer's convolution, for which sums of rows pay, since a pass over the features is made anyway.
_FEW = 32


def norm_relu_conv(
    x: Tensor, gamma: Tensor, beta: Tensor, kernel: Tensor, epsilon: float
) -> Tuple[Tensor, Tensor, Tensor]:
    """(y, mean, variance): convolution (padding SAME) of relu(batch normalisation of x), and the batch statistics.

    x: (N, h, w, C) of known shape; gamma, beta: (C,); kernel: (k, k, C, F). Returns (N, h, w, F), (C,) and (C,), the
    variance with Bessel's correction as `tf.nn.fused_batch_norm` gives it. No gradient flows through the statistics.
    """

    @tf.custom_gradient
    def compute(x, gamma, beta, kernel):
        norm = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon, is_training=True
        )
        few = winograd.applies(x, kernel.shape.as_list(), _FEW)
        y = _relu_conv_by_sums(norm.y, kernel) if few else convolve(tf.nn.relu(norm.y), kernel)

        def gradient(dy, *_):
            # Delay the recomputation until the gradient is available.
            with tf.control_dependencies([dy]):
                again = tf.identity(x)
            variance = _biased(norm.batch_variance, x)
            if few:
                scale = gamma * tf.rsqrt(variance + epsilon)
                d_norm, d_kernel = _gradients_by_sums(dy, again, scale, beta - norm.batch_mean * scale, kernel)
            else:
                again = tf.nn.fused_batch_norm(
                    again, gamma, beta, norm.batch_mean, variance, epsilon=epsilon, is_training=False
                )[0]
                convolved = convolve(tf.nn.relu(again), kernel)
                d_norm, d_kernel = tf.gradients(convolved, [again, kernel], dy)
            found = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=d_norm,
                x=x,
                scale=gamma,
                reserve_space_1=norm.reserve_space_1,
                reserve_space_2=norm.reserve_space_2,
                reserve_space_3=norm.reserve_space_3,
                epsilon=epsilon,
                is_training=True,
            )
            return found.x_backprop, found.scale_backprop, found.offset_backprop, d_kernel

        return (y, norm.batch_mean, norm.batch_variance), gradient

    return compute(x, gamma, beta, kernel)


def _relu_conv_by_sums(x, kernel):
    return winograd.of_maps(winograd.shared(_relu_taken_apart, x), kernel, x.shape.as_list()[1], convolve)


def _gradients_by_sums(dy, x, scale, shift, kernel):
    """Those of the convolution of relu(x * scale + shift) by what the ReLU reads and by the kernel."""
    maps = winograd.shared(_scaled_taken_apart, x, scale, shift)
    d_maps, d_kernel = winograd.gradients(maps, kernel, dy, convolve)
    [d_norm] = winograd.shared(_scaled_gradient, x, scale, shift, *d_maps)
    return d_norm, d_kernel


def _relu_taken_apart(x):
    return winograd.taken_apart(tf.nn.relu(x))


def _scaled_taken_apart(x, scale, shift):
    return _relu_taken_apart(x * scale + shift)


def _scaled_gradient(x, scale, shift, *d_maps):
    [d_relu] = winograd.taken_apart_gradient(*d_maps, height=x.shape.as_list()[1])
    return [tf.where(x * scale + shift > 0, d_relu, tf.zeros_like(d_relu))]


def normalise(x: Tensor, epsilon: float) -> Tuple[Tensor, Tensor, Tensor]:
    """(x normalised by its batch statistics, mean, variance), without scale and offset; x itself is not kept.

    x: (N, h, w, C) of known shape. Returns (N, h, w, C), (C,) and (C,), the variance with Bessel's correction. No
    gradient flows through the statistics.
    """
    zeros, ones = tf.zeros((x.shape.as_list()[3],)), tf.ones((x.shape.as_list()[3],))

    @tf.custom_gradient
    def compute(x):
        norm = tf.raw_ops.FusedBatchNormV3(
            x=x, scale=ones, offset=zeros, mean=[], variance=[], epsilon=epsilon, is_training=True
        )

        def gradient(dy, *_):
            # As of what has mean 0 and deviation 1, divided by the deviation.
            found = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=dy,
                x=norm.y,
                scale=tf.rsqrt(_biased(norm.batch_variance, x) + epsilon),
                reserve_space_1=zeros,
                reserve_space_2=ones - epsilon,
                reserve_space_3=norm.reserve_space_3,
                epsilon=epsilon,
                is_training=True,
            )
            return found.x_backprop

        return (norm.y, norm.batch_mean, norm.batch_variance), gradient

    return compute(x)


def _biased(variance, x):
    count = x.shape[:3].num_elements()
    return variance * ((count - 1.0) / count)


def scale_relu(x: Tensor, parts: Sequence[Tensor], gamma: Tensor, beta: Tensor) -> Tensor:
    """relu(x * gamma + beta), where x joins `parts`; its gradient joins them again instead of keeping x.

    x: (N, h, w, C); gamma, beta: (C,). Returns (N, h, w, C).
    """

    @tf.custom_gradient
    def compute(x, gamma, beta):
        def gradient(dy):
            again = _joined(parts, dy)
            return _scale_relu_gradient(dy, again, _scale_relu(again, gamma, beta), gamma)

        return _scale_relu(x, gamma, beta), gradient

    return compute(x, gamma, beta)


def scale_relu_conv(x: Tensor, parts: Sequence[Tensor], gamma: Tensor, beta: Tensor, kernel: Tensor) -> Tensor:
    """1x1 convolution of `scale_relu`; kernel: (1, 1, C, F). Returns (N, h, w, F)."""

    @tf.custom_gradient
    def compute(x, gamma, beta, kernel):
        def gradient(dy):
            again = _joined(parts, dy)
            activated = _scale_relu(again, gamma, beta)
            convolved = conv2d(activated, kernel)
            d_activated, d_kernel = tf.gradients(convolved, [activated, kernel], dy)
            return _scale_relu_gradient(d_activated, again, activated, gamma) + (d_kernel,)

        return conv2d(_scale_relu(x, gamma, beta), kernel), gradient

    return compute(x, gamma, beta, kernel)


def _joined(parts, dy):
    # Delay the recomputation until the gradient is available.
    with tf.control_dependencies([dy]):
        return tf.concat(parts, 3) if len(parts) > 1 else tf.identity(parts[0])


def _scale_relu(x, gamma, beta):
    # A normalisation by given statistics is a single pass, with the ReLU on current versions.
    scaled = tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=gamma,
        offset=beta,
        mean=tf.zeros(gamma.shape),
        variance=tf.ones(gamma.shape),
        epsilon=0.0,
        is_training=False,
    )
    return tf.nn.relu(scaled.y)


def _scale_relu_gradient(dy, x, activated, gamma):
    """The gradients by x, gamma and beta."""
    found = tf.raw_ops.FusedBatchNormGradV3(
        y_backprop=tf.raw_ops.ReluGrad(gradients=dy, features=activated),
        x=x,
        scale=gamma,
        reserve_space_1=tf.zeros(gamma.shape),
        reserve_space_2=tf.ones(gamma.shape),
        reserve_space_3=tf.ones(gamma.shape),
        epsilon=0.0,
        is_training=False,
    )
    return found.x_backprop, found.scale_backprop, found.offset_backprop


def padded_max_pool(x: Tensor, name: str) -> Tensor:
    """The largest of 3x3 pixels at every second one, zeros around x (N, h, w, C): (N, h / 2, w / 2, C) for even sizes.

    The gradient pads again instead of keeping the padded map.
    """
    border = [[0, 0], [1, 1], [1, 1], [0, 0]]
    window, strides = [1, 3, 3, 1], [1, 2, 2, 1]

    @tf.custom_gradient
    def compute(x):
        y = tf.nn.max_pool(tf.pad(x, border), window, strides, "VALID")

        def gradient(dy):
            with tf.control_dependencies([dy]):
                again = tf.pad(x, border)
            found = tf.raw_ops.MaxPoolGrad(
                orig_input=again, orig_output=y, grad=dy, ksize=window, strides=strides, padding="VALID"
            )
            return found[:, 1:-1, 1:-1]

        return y, gradient

    return tf.identity(compute(x), name=name)


@tf.RegisterGradient("LeakyReluByOutput")
def _leaky_relu_gradient(op, dy):
    return tf.raw_ops.LeakyReluGrad(gradients=dy, features=op.outputs[0], alpha=op.get_attr("alpha"))


def leaky_relu(x: Tensor, slope: float, name: str) -> Tensor:
    """`tf.nn.leaky_relu` for 0 < slope, whose gradient reads the sign of the output, so that x is not kept."""
    with tf.get_default_graph().gradient_override_map({"LeakyRelu": "LeakyReluByOutput"}):
        return tf.nn.leaky_relu(x, slope, name=name)
