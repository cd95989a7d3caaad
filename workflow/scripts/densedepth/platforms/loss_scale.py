"""Dynamic loss scale, so that small gradients do not underflow in float16; steps that overflow are skipped."""

from typing import Any, List, Sequence, Tuple

from ..tf import Tensor, tf

# The loss is a mean over 240 x 320 pixels a sample, so its gradients start near 2**-18, below what float16 holds with
# full precision (2**-14). 2**16 brings them to the middle of its range. The reference port starts at 2**32, which
# overflows some 100 times before it has come down to where this begins.
INITIAL = 2.0**16
# Steps without overflow after which the scale doubles.
GROWTH_STEPS = 1000


class DynamicLossScale:
    """An optimizer around `optimizer`; its variables have the names that other platforms save them under.

    Gradients that `optimizer` averages over several ranks are looked at after the averaging, so that the overflow of
    one rank makes all skip the step. Attributes, scalar tensors of the step: `scale` (of its loss) and `skipped` (1.0
    where an overflow kept the step from being applied).
    """

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self._scale = _state("loss_scale", tf.float32, INITIAL)
        self._good = _state("good_steps", tf.int32, 0)
        self.scale = tf.identity(self._scale)
        self.skipped = None

    def compute_gradients(self, loss: Tensor, var_list: Sequence[Tensor]) -> List[Tuple[Tensor, Tensor]]:
        """[(gradient, variable)] as without a scale; not finite where the scaled ones overflowed."""
        pairs = self._optimizer.compute_gradients(loss * self.scale, var_list=var_list)
        return [(gradient / self.scale, variable) for gradient, variable in pairs]

    def apply_gradients(self, grads_and_vars: Sequence[Tuple[Tensor, Tensor]], global_step: Tensor) -> Tensor:
        """The operation of the step: applies the gradients if all are finite, and adapts the scale."""
        finite = tf.is_finite(tf.global_norm([gradient for gradient, _ in grads_and_vars]))
        self.skipped = 1.0 - tf.cast(finite, tf.float32)
        applied = tf.cond(
            finite, lambda: self._optimizer.apply_gradients(grads_and_vars, global_step=global_step), tf.no_op
        )
        return tf.group(applied, self._update(finite))

    def _update(self, finite):
        good = tf.where(finite, self._good + 1, 0)
        grows = good >= GROWTH_STEPS
        after_good = tf.where(grows, 2 * self.scale, self.scale)
        scale = tf.where(finite, after_good, tf.maximum(self.scale / 2, 1.0))
        with tf.control_dependencies([scale, good, grows]):
            return tf.group(tf.assign(self._scale, scale), tf.assign(self._good, tf.where(grows, 0, good)))


def _state(name, dtype, value):
    # A plain variable is read where it lies, after the assignment perhaps.
    return tf.get_variable(name, (), dtype, tf.constant_initializer(value), trainable=False, use_resource=True)
