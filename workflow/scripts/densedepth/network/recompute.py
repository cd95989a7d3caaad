"""Batch normalisation, ReLU and convolution of a dense layer in training, in half the memory.

The gradient of a convolution needs its input; after a normalisation that is a second copy of all features. Here the
gradient recomputes it from the features themselves, which the normalisation's own gradient needs anyway (Pleiss et al.
2017, arXiv 1707.06990).
"""

from typing import Tuple

from ..tf import Tensor, tf

_ONE = [1, 1, 1, 1]


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
        y = tf.nn.conv2d(tf.nn.relu(norm.y), kernel, _ONE, "SAME")

        def gradient(dy, *_):
            # Delay the recomputation until the gradient is available.
            with tf.control_dependencies([dy]):
                again = tf.identity(x)
            count = again.shape[:3].num_elements()
            variance = norm.batch_variance * ((count - 1.0) / count)
            again = tf.nn.fused_batch_norm(
                again, gamma, beta, norm.batch_mean, variance, epsilon=epsilon, is_training=False
            )[0]
            convolved = tf.nn.conv2d(tf.nn.relu(again), kernel, _ONE, "SAME")
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
