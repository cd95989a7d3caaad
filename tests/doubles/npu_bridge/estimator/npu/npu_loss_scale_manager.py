"""Loss scales. The bridge's own classes also derive from TensorFlow's; what is overridden there is arithmetic only."""

from tensorflow.contrib.mixed_precision.python import loss_scale_manager as base

from npu_bridge import record


class FixedLossScaleManager(base.FixedLossScaleManager):
    def __init__(self, loss_scale, enable_overflow_check=True):
        record("FixedLossScaleManager", loss_scale=loss_scale, enable_overflow_check=enable_overflow_check)
        self._enable_overflow_check = enable_overflow_check
        super().__init__(loss_scale=loss_scale)

    def get_enable_overflow_check(self):
        return self._enable_overflow_check


class ExponentialUpdateLossScaleManager(base.ExponentialUpdateLossScaleManager):
    def __init__(self, init_loss_scale, incr_every_n_steps, decr_every_n_nan_or_inf=2, incr_ratio=2, decr_ratio=0.8):
        arguments = dict(
            init_loss_scale=init_loss_scale,
            incr_every_n_steps=incr_every_n_steps,
            decr_every_n_nan_or_inf=decr_every_n_nan_or_inf,
            incr_ratio=incr_ratio,
            decr_ratio=decr_ratio,
        )
        record("ExponentialUpdateLossScaleManager", **arguments)
        super().__init__(**arguments)
