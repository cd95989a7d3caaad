"""Optimizers that average gradients over the ranks; the size comes from the environment, as in the bridge."""

import os

import tensorflow as tf

from npu_bridge import record
from npu_bridge.hccl import hccl_ops


def _size():
    return hccl_ops.size()


class NPUDistributedOptimizer(tf.compat.v1.train.Optimizer):
    def __init__(self, optimizer, is_weight_update_sharding=False, name=None):
        record("NPUDistributedOptimizer", optimizer=optimizer, is_weight_update_sharding=is_weight_update_sharding)
        self._optimizer = optimizer
        super().__init__(name=name or "Distributed" + type(optimizer).__name__, use_locking=False)

    def compute_gradients(self, *args, **kwargs):
        record("NPUDistributedOptimizer.compute_gradients")
        gradients = self._optimizer.compute_gradients(*args, **kwargs)
        if _size() <= 1:
            return gradients
        os.environ["JOB_ID"]  # unset, the bridge's all-reduce fails with an AttributeError
        with tf.name_scope(self._name + "_Allreduce"):
            return [(hccl_ops.allreduce(g, "sum") / tf.cast(_size(), g.dtype), v) for g, v in gradients]

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        return self._optimizer.apply_gradients(grads_and_vars, global_step, name)

    def get_slot(self, *args, **kwargs):
        return self._optimizer.get_slot(*args, **kwargs)

    def variables(self, *args, **kwargs):
        return self._optimizer.variables(*args, **kwargs)
