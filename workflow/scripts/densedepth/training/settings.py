"""What a training is asked for: the settings that shape its weights, and the segment of epochs that a call trains."""

import dataclasses
from typing import Any, Dict, Optional, Tuple

from ..data.augmentation import NONE, Augmentation
from ..errors import PipelineError
from ..network import model


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a step is taken, where it is not as in the reference port; the defaults are the port's.

    loss: a name in `loss.LOSSES`. schedule, schedule_epochs, warmup_steps: see `schedules.learning_rate`;
    schedule_epochs are those of the whole run. weight_decay: see `optimizers.Adam`. clip_norm: largest norm of all
    gradients together; 0 for any. encoder_rate_factor: on the learning rate of the encoder. frozen_encoder_epochs:
    first epochs in which the encoder's weights stay as they are. ema_decay: of the exponential moving average of the
    weights, which the checkpoints have in their place; 0 for none. accumulate: parts in which a batch is computed, one
    after another, before its step is taken.
    """

    loss: str = "densedepth"
    schedule: str = "exponential"
    schedule_epochs: int = 0
    warmup_steps: int = 0
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    encoder_rate_factor: float = 1.0
    frozen_encoder_epochs: int = 0
    ema_decay: float = 0.0
    accumulate: int = 1


# That of the reference port.
PORT = Recipe()


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that shapes the trained weights besides the data and the start.

    size: (height, width) of the network's input. batch_size: samples in a step of one rank. steps: steps in an epoch.
    learning_rate, lr_decay: rate of the first epoch and the factor for each later one. halving: see
    `dataset.batches`. depth_range: nearest and farthest depth of the targets in centimetres. mirror_probability,
    swap_probability: see `order.Order`. recipe: see `Recipe`. augmentation: how far
    the views of the samples go.
    """

    model: model.Model
    size: Tuple[int, int]
    batch_size: int
    steps: int
    learning_rate: float
    lr_decay: float
    halving: str
    mirror_probability: float
    swap_probability: float
    batch_norm_momentum: float
    seed: int
    depth_range: Tuple[float, float]
    recipe: Recipe = PORT
    augmentation: Augmentation = NONE

    def __post_init__(self) -> None:
        """Raises PipelineError unless the nearest depth is below the farthest, and a batch falls into equal parts."""
        if not self.depth_range[0] < self.depth_range[1]:
            raise PipelineError(
                "--mindepth {:g} --maxdepth {:g}: centimetres, the nearest must be below the farthest".format(
                    *self.depth_range
                )
            )
        if self.batch_size % self.recipe.accumulate:
            words = "--accumulate {}: must divide --bs {} (train.batch_size), the samples of a step"
            raise PipelineError(words.format(self.recipe.accumulate, self.batch_size))

    def as_dict(self) -> Dict[str, Any]:
        """The settings as JSON-like values, without the model and size, which a metadata file holds by themselves."""
        fields = dataclasses.asdict(self)
        del fields["model"], fields["size"]
        return dict(fields, depth_range=list(self.depth_range))


@dataclasses.dataclass(frozen=True)
class Segment:
    """What one call trains: epochs first + 1 to last, keeping checkpoints after those in `kept` (and the last).

    start: checkpoint folder (of epoch `first`) or None. weights: what to begin with, see `weights.load`, or None; only
    without a start. folder: where epoch<N> checkpoints and the resume state go. events: TensorBoard folder.
    run_epochs: epochs of the whole run, for the log; None: `last`.
    """

    first: int
    last: int
    kept: Tuple[int, ...]
    start: Optional[str]
    weights: Optional[str]
    folder: str
    events: str
    log_every: int
    state_seconds: float
    run_epochs: Optional[int] = None

    def __post_init__(self) -> None:
        """Raises PipelineError for epochs between which there is nothing to train, or to keep."""
        if not 0 <= self.first < self.last:
            raise PipelineError(
                "--initial_epoch {} --epochs {}: nothing to train between them".format(self.first, self.last)
            )
        if self.kept and max(self.kept) > self.last:
            raise PipelineError("--keep_epochs {}: must be at most --epochs {}".format(max(self.kept), self.last))
