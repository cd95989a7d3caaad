"""A batch that is computed in parts, one run of the session each, for which there is memory where the batch has none.

The step is taken in the run of the last part. What the parts before leave lies in local variables: no checkpoint has
them, since none is written within a step.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..tf import tf

Pairs = List[Tuple[tf.Tensor, tf.Variable]]


class MeanGradients(tf.train.Optimizer):
    """`optimizer` with gradients that are means over the `parts` of a batch.

    What wraps it, be it an exchange between devices or a loss scale, thus sees gradients once a step. Where those of
    any part are not finite, neither is the mean.

    first, further: of the newest `compute_gradients`, the operations that keep the gradients of the first part, and
    that add those of another one that is not the last.
    """

    def __init__(self, optimizer: Any, parts: int, variables: Sequence[tf.Variable]) -> None:
        super().__init__(use_locking=False, name="MeanGradients")
        self._optimizer = optimizer
        self._parts = parts
        self._sums = {v.op.name: _local(v.op.name + "/gradients", v.shape, v.dtype.base_dtype) for v in variables}
        self.first = self.further = tf.no_op()

    def compute_gradients(self, loss: tf.Tensor, var_list: Sequence[tf.Variable]) -> Pairs:
        """[(gradient, variable)] of the last part's run."""
        pairs = super().compute_gradients(loss, var_list=var_list)
        sums = [self._sums[variable.op.name] for _, variable in pairs]
        self.first = tf.group(*(tf.assign(kept, gradient) for kept, (gradient, _) in zip(sums, pairs)))
        self.further = tf.group(*(tf.assign_add(kept, gradient) for kept, (gradient, _) in zip(sums, pairs)))
        return [((kept + gradient) / self._parts, variable) for kept, (gradient, variable) in zip(sums, pairs)]

    def apply_gradients(
        self, grads_and_vars: Pairs, global_step: Optional[tf.Variable] = None, name: Optional[str] = None
    ) -> tf.Operation:
        return self._optimizer.apply_gradients(grads_and_vars, global_step, name)


class Parts:
    """Tensors of one part, `values`, put together with those of the parts before.

    all: {name: tensor whose first axis are the parts}. keep: the operation that keeps the values of this part.
    """

    def __init__(self, values: Dict[str, tf.Tensor], parts: int) -> None:
        self.all: Dict[str, tf.Tensor] = {}
        kept = []
        for name, value in values.items():
            before = _local("before/" + name, [parts - 1] + value.shape.as_list(), value.dtype)
            self.all[name] = tf.concat([before, tf.expand_dims(value, 0)], 0)
            kept.append(tf.assign(before, self.all[name][1:]))
        self.keep = tf.group(*kept)


def _local(name, shape, dtype):
    where = [tf.GraphKeys.LOCAL_VARIABLES]
    return tf.get_variable(name, shape, dtype, tf.zeros_initializer(), trainable=False, collections=where)
