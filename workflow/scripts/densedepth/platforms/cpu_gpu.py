"""CPUs and GPUs with TensorFlow's own kernels, in one process or in several."""

from ..tf import tf
from .base import Platform
from .collective import Group


class CpuGpu(Platform):
    """Computes in float32; TensorFlow places operations on a GPU where it finds one."""

    _group = None

    def notes(self):
        lines = []
        if self.options.precision_mode == "allow_mix_precision":
            lines.append("precision_mode allow_mix_precision: this platform computes in float32, without loss scale")
        return lines

    def start(self):
        if self.size > 1:
            self._group = Group(self.options.ranks, self._plain_config())

    def session_target(self):
        return self._group.target if self._group else ""

    def session_config(self):
        return self._group.config if self._group else self._plain_config()

    def _plain_config(self):
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
        return config

    def wrap_optimizer(self, optimizer):
        return self._group.averaging(optimizer) if self._group else optimizer

    def broadcast(self, variables):
        return self._group.broadcast(variables) if self._group else None

    def total(self, vector):
        return self._group.total(vector) if self._group else vector

    def close(self):
        if self._group:
            self._group.close()
