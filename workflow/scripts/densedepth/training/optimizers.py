"""The optimizer of the recipe: Adam, with a rate that falls by a constant factor each epoch."""

from typing import List, Tuple

from ..platforms.base import Platform
from ..tf import tf

# The reference port's epsilon; TensorFlow's own default is 1e-8.
EPSILON = 1e-7


def learning_rate(base: float, decay: float, epoch: int) -> float:
    """The rate of `epoch` (counted from 1): base * decay ** (epoch - 1)."""
    return base * decay ** (epoch - 1)


class Adam(tf.train.AdamOptimizer):
    """Adam whose variables can be made before it is wrapped.

    TensorFlow makes them where the gradients are applied. Loss scaling does that inside a tf.cond, and the names of the
    beta powers in the checkpoint would begin with `cond/`.
    """

    def create_variables(self, variables: List[tf.Variable]) -> None:
        """Make the moments and beta powers for `variables` here, outside any scope."""
        self._create_slots(variables)


def training_step(loss: tf.Tensor, rate: tf.Tensor, platform: Platform) -> Tuple[tf.Operation, tf.Tensor]:
    """(operation, gradient norm): one Adam step on `loss` with the rate tensor `rate`, and batch norm's averages.

    The operation also runs the UPDATE_OPS and adds 1 to the global step, unless loss scaling skips the step. The norm
    is a float32 scalar over all gradients, averaged over the ranks.
    """
    variables = tf.trainable_variables()
    adam = Adam(rate, epsilon=EPSILON)
    adam.create_variables(variables)
    optimizer = platform.wrap_optimizer(adam)
    gradients = optimizer.compute_gradients(loss, var_list=variables)
    step = tf.train.get_or_create_global_step()
    apply = optimizer.apply_gradients(gradients, global_step=step)
    with platform.loss_scope():
        norm = tf.global_norm([gradient for gradient, _ in gradients])
    return tf.group(apply, *tf.get_collection(tf.GraphKeys.UPDATE_OPS)), norm
