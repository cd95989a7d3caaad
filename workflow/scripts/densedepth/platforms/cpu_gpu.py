"""CPUs and GPUs with TensorFlow's own kernels, one process."""

from ..tf import tf
from .base import Platform


class CpuGpu(Platform):
    """Computes in float32; TensorFlow places operations on a GPU where it finds one."""

    def notes(self):
        lines = []
        if self.options.precision_mode == "allow_mix_precision":
            lines.append("precision_mode allow_mix_precision: this platform computes in float32, without loss scale")
        return lines

    def session_config(self):
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
        return config
