"""CPUs and GPUs with TensorFlow's own kernels, in one process or in several."""

import os
from typing import Any, ContextManager, Dict, List, Optional, Sequence

from .. import memory, multiplications, processors
from ..errors import PipelineError
from ..tf import Tensor, tf
from .base import Options, Platform, checked_modes
from .collective import Group
from .loss_scale import DynamicLossScale

BFLOAT16 = "mixed_bfloat16"

# What the loss is made of. TensorFlow 2.x would else compute differences of depths and the windows of SSIM in 16 bits.
_KEPT = "Sub,DepthwiseConv2dNative,DepthwiseConv2dNativeBackpropInput,DepthwiseConv2dNativeBackpropFilter"
_LISTS = "TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_"

# Switches of TensorFlow's optimizer for its rewrites of a graph.
_FLOAT16_REWRITE, _BFLOAT16_REWRITE = "auto_mixed_precision", "auto_mixed_precision_onednn_bfloat16"


class CpuGpu(Platform):
    """TensorFlow places operations on a GPU where it finds one. There `allow_mix_precision` is TensorFlow's rewrite of
    the graph to float16, with a dynamic loss scale. Processors compute in float32; with `mixed_bfloat16` convolutions
    are in bfloat16, whose range is that of float32, so that they need no loss scale.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._group: Optional[Group] = None
        self._scaled: Optional[DynamicLossScale] = None
        self.gpu = bool(tf.config.experimental.list_physical_devices("GPU"))
        # Measured on processors only, where it takes 0.6 to 0.7 of the time.
        self.lean = not self.gpu
        checked_modes(options, (BFLOAT16,))
        self._asked = options.precision_mode.startswith("allow_mix_precision")
        self._mixed = self.gpu and self._asked
        self._bfloat16 = options.precision_mode == BFLOAT16
        if self._bfloat16:
            _check_bfloat16(self.gpu)
            self.precision = "mixed bfloat16"
        if self._mixed:
            self.precision = "mixed float16"

    def notes(self) -> List[str]:
        lines = ["training on {}".format("a GPU" if self.gpu else "the processor")]
        if self._mixed:
            lines.append("precision_mode allow_mix_precision: float16 by TensorFlow's graph rewrite")
        elif self._bfloat16:
            lines.append("precision_mode mixed_bfloat16: bfloat16 by TensorFlow's graph rewrite")
        elif self._asked:
            lines.append("precision_mode allow_mix_precision: no GPU here, computing in float32")
        if self._scales():
            lines.append("dynamic loss scale")
        return lines

    def _scales(self):
        return self._mixed or self.options.is_loss_scale

    def start(self) -> None:
        ranks = self.options.ranks
        if ranks is not None and ranks.size > 1:
            kind = "{} on a {}".format(self.precision, "GPU" if self.gpu else "processor")
            self._group = Group(ranks, self._plain_config(), kind)

    def session_target(self) -> str:
        return self._group.target if self._group else ""

    def session_config(self) -> Any:
        return self._group.config if self._group else self._plain_config()

    def _plain_config(self):
        config = tf.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True
        if self._mixed:
            rewrite_to_float16(config)
        if self._bfloat16:
            rewrite_to_bfloat16(config, self.size > 1)
        return config

    def device(self, session: Any) -> str:
        """`GPU`, or the kind of processor."""
        kinds = {device.device_type for device in session.list_devices()}
        return "GPU" if "GPU" in kinds else "{} CPU".format(os.uname().machine)

    def network_scope(self) -> ContextManager[Any]:
        """In bfloat16 every multiplication is made: sums and differences of the maps would have too few digits."""
        return multiplications.every() if self._bfloat16 else super().network_scope()

    def wrap_optimizer(self, optimizer: Any) -> Any:
        if self._group:
            optimizer = self._group.averaging(optimizer)
        if self._scales():
            self._scaled = DynamicLossScale(optimizer)
            return self._scaled
        return optimizer

    def prepare(self, session: Any, train_op: Tensor) -> Tensor:
        # Building the graph and filling the variables leaves much of it.
        memory.give_back()
        return train_op

    def broadcast(self, variables: Sequence[Tensor]) -> Optional[Tensor]:
        return self._group.broadcast(variables) if self._group else None

    def total(self, vector: Tensor) -> Tensor:
        return self._group.total(vector) if self._group else vector

    def figures(self) -> Dict[str, Tensor]:
        return {"loss_scale": self._scaled.scale, "skipped": self._scaled.skipped} if self._scaled else {}

    def close(self) -> None:
        if self._group:
            self._group.close()


def rewrite_to_float16(config: Any) -> None:
    """Let sessions with `config` compute convolutions on GPUs in float16 and the loss in float32."""
    _rewrite(config, _FLOAT16_REWRITE)


def rewrite_to_bfloat16(config: Any, shared: bool) -> None:
    """Let sessions with `config` compute convolutions on processors in bfloat16 and the loss in float32.

    shared: whether the session is one of a cluster. There TensorFlow 2.21 joins convolution and bias to an operation
    that does not take bfloat16, so that joining is off.
    """
    _rewrite(config, _BFLOAT16_REWRITE)
    if shared:
        # RewriterConfig.OFF.
        config.graph_options.rewrite_options.remapping = 2


def _rewrite(config, switch):
    # RewriterConfig.ON of tensorflow.core.protobuf.rewriter_config_pb2.
    setattr(config.graph_options.rewrite_options, switch, 1)
    # An operation may stand in one of TensorFlow's lists only.
    for change in ("ALLOWLIST_REMOVE", "INFERLIST_REMOVE", "DENYLIST_ADD"):
        os.environ[_LISTS + change] = _KEPT


def _check_bfloat16(gpu):
    """Raises PipelineError where there is no training in bfloat16."""
    reason = None
    if gpu:
        reason = "is for processors; a GPU has allow_mix_precision"
    elif not hasattr(tf.ConfigProto().graph_options.rewrite_options, _BFLOAT16_REWRITE):
        reason = "TensorFlow {} has no such rewrite; use the current one".format(tf.VERSION)
    elif not processors.onednn_asked():
        reason = "TF_ENABLE_ONEDNN_OPTS = {} turns off what computes it; unset it".format(
            os.environ["TF_ENABLE_ONEDNN_OPTS"]
        )
    elif not processors.has_bfloat16():
        reason = "this processor has no instructions for bfloat16 ({}); leave it out".format(
            " or ".join(sorted(processors.BFLOAT16))
        )
    if reason:
        raise PipelineError("precision_mode = {}: {}".format(BFLOAT16, reason))
