"""Loss scaling. In place of the device's overflow flag, the gradients are looked at for inf and nan."""

import tensorflow as tf
from tensorflow.contrib.mixed_precision.python import loss_scale_optimizer

from npu_bridge import record
from npu_bridge.estimator.npu.npu_loss_scale_manager import FixedLossScaleManager
from npu_bridge.hccl import hccl_ops


class NPULossScaleOptimizer(loss_scale_optimizer.LossScaleOptimizer):
    def __init__(self, opt, loss_scale_manager, is_distributed=False):
        record("NPULossScaleOptimizer", opt=opt, loss_scale_manager=loss_scale_manager, is_distributed=is_distributed)
        self._is_distributed = is_distributed
        super().__init__(opt=opt, loss_scale_manager=loss_scale_manager)

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        record("NPULossScaleOptimizer.apply_gradients", global_step=global_step)
        manager = self._loss_scale_manager
        if isinstance(manager, FixedLossScaleManager) and not manager.get_enable_overflow_check():
            finite = tf.constant(True)
        else:
            bad = [tf.reduce_any(tf.logical_not(tf.math.is_finite(g))) for g, _ in grads_and_vars if g is not None]
            flag = tf.fill([8], tf.cast(tf.reduce_any(bad), tf.int32), name="NpuGetFloatStatusV2")
            if self._is_distributed:
                flag = hccl_ops.allreduce([flag], "sum", fusion=0)
            finite = tf.reduce_all(tf.equal(flag, 0), name="overflow_status_reduce_all")
        # As in the bridge: what the inner optimizer makes now, it makes inside the branch.
        update = tf.cond(finite, lambda: self._opt.apply_gradients(grads_and_vars, global_step, name), tf.no_op)
        return tf.group(update, manager.update_loss_scale(finite))
