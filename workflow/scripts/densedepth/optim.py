"""The optimizer of the recipe: Adam, with a rate that falls by a constant factor each epoch."""

from .tf import tf

# The reference port's epsilon; TensorFlow's own default is 1e-8.
EPSILON = 1e-7


def learning_rate(base, decay, epoch):
    """The rate of `epoch` (counted from 1): base * decay ** (epoch - 1)."""
    return base * decay ** (epoch - 1)


def training_step(loss, rate, platform):
    """(operation, gradient norm): one Adam step on `loss` with the rate tensor `rate`, and batch norm's averages.

    The operation also runs the UPDATE_OPS and adds 1 to the global step. The norm is a float32 scalar over all
    gradients, averaged over the ranks.
    """
    optimizer = platform.wrap_optimizer(tf.train.AdamOptimizer(rate, epsilon=EPSILON))
    averaged = optimizer.compute_gradients(loss, tf.trainable_variables())
    apply = optimizer.apply_gradients(averaged, global_step=tf.train.get_or_create_global_step())
    norm = tf.global_norm([gradient for gradient, _ in averaged])
    return tf.group(apply, *tf.get_collection(tf.GraphKeys.UPDATE_OPS)), norm
