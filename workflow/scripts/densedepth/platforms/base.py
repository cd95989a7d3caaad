"""The interface between training and the devices it runs on."""

import contextlib
import dataclasses
from typing import Any, ContextManager, Dict, List, Mapping, Optional, Sequence

from ..errors import PipelineError
from .ranks import Ranks


@dataclasses.dataclass(frozen=True)
class Options:
    """How a platform is to train. The first four are as in the reference port's command line."""

    precision_mode: str
    op_select_implmode: str
    is_loss_scale: bool
    hcom_parallel: bool
    # This process among those that train together; None for one that trains alone.
    ranks: Optional[Ranks] = None
    # More options of the platform, by their names.
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)


PRECISION_MODES = (
    "allow_mix_precision",
    "allow_fp32_to_fp16",
    "must_keep_origin_dtype",
    "force_fp32",
    # Known to newer versions of npu_bridge only.
    "cube_fp16in_fp32out",
    "allow_mix_precision_fp16",
)
IMPLEMENTATION_MODES = (
    "high_precision",
    "high_performance",
    # Known to newer versions of npu_bridge only.
    "high_precision_for_all",
    "high_performance_for_all",
)


def checked_modes(options: Options, more: Sequence[str] = ()) -> None:
    """Raises PipelineError where `precision_mode` or `op_select_implmode` of `options` is no word for training.

    more: words of `precision_mode` that this platform knows besides.
    """
    if options.precision_mode == "force_fp16":
        raise PipelineError("precision_mode = force_fp16: is for inference only; train with allow_mix_precision")
    for name, words in (("precision_mode", (*PRECISION_MODES, *more)), ("op_select_implmode", IMPLEMENTATION_MODES)):
        value = getattr(options, name)
        if value not in words:
            raise PipelineError("{} = {!r}: must be one of {}".format(name, value, ", ".join(words)))


class Platform:
    """One process among `size`, with the number `rank`; a platform of one process needs little more than this.

    All ranks build the same graph, call these methods in the same order and run the same steps.
    """

    rank = 0
    size = 1
    # Whether TensorFlow computes on a GPU.
    gpu = False
    # Training steps that one session.run does.
    steps_per_run = 1
    # Whether training takes the `lean` form of the network; see `architecture.predict`.
    lean = False
    # Whether an overflow gives the largest number instead of inf or nan.
    saturates = False
    # Whether all ranks must run the same graphs in the same order before the first step, too.
    same_calls = False
    # Whether the log has the reference port's lines on performance, too, so that logs compare.
    port_lines = False
    # What most of the network is computed in, for the tables.
    precision = "float32"

    def __init__(self, options: Options) -> None:
        self.options = options
        if options.ranks is not None:
            self.rank, self.size = options.ranks.rank, options.ranks.size

    @staticmethod
    def environments(size: int, folder: str, addresses: Sequence[str] = ()) -> List[Dict[str, str]]:
        """A list of {name: text}: what the environment of each of `size` ranks on this machine needs more.

        `folder` is where files may be put that it points to; `addresses` are those of the devices' own network ports.
        """
        return [{}] * size

    def numbers(self) -> Dict[str, str]:
        """{name: text} of those `options.extra` that change what is computed."""
        return {}

    def notes(self) -> List[str]:
        """Lines for the log: what the options mean here."""
        return []

    def start(self) -> None:
        """Called before the graph is built: check the options and join the other ranks."""

    def session_target(self) -> str:
        """The target of the tf.Session."""
        return ""

    def session_config(self) -> Any:
        """The tf.ConfigProto for the training session."""
        raise NotImplementedError

    def device(self, session: Any) -> str:
        """What `session` computes on, for the tables."""
        raise NotImplementedError

    def network_scope(self) -> ContextManager[Any]:
        """A context manager in which the network is built."""
        return contextlib.nullcontext()

    def loss_scope(self) -> ContextManager[Any]:
        """A context manager in which the loss, and what else must not lose precision, is built."""
        return contextlib.nullcontext()

    def wrap_optimizer(self, optimizer: Any) -> Any:
        """`optimizer`, or what stands for it: compute_gradients gives gradients averaged over all ranks."""
        return optimizer

    def prepare(self, session: Any, train_op: Any) -> Any:
        """Called before the graph is finalized; returns the operation that is run for a step."""
        return train_op

    def broadcast(self, variables: Sequence[Any]) -> Optional[Any]:
        """An operation that gives `variables` the values of rank 0 on every rank, or None where there is no other.

        Every rank runs it once, before the first step, when its variables are initialized.
        """
        return None

    def total(self, vector: Any) -> Any:
        """The float32 `vector` of a few elements, summed over all ranks; evaluated in every step."""
        return vector

    def figures(self) -> Dict[str, Any]:
        """{name: scalar tensor}: more figures of each step for the history.

        Where there is loss scaling they are `loss_scale` and `skipped`: 1.0 in a step that was not applied.
        """
        return {}

    def close(self) -> None:
        """Called after the last step, on every rank: wait until all have come to it. Not called after an error."""
