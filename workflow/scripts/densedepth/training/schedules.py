"""What a step of training depends on by its position alone: the learning rate, and whether the encoder is trained."""

import math

from ..errors import PipelineError
from .settings import Settings

KINDS = ("exponential", "cosine")


def learning_rate(settings: Settings, position: int) -> float:
    """The rate of the step after `position` steps since the first epoch.

    exponential: learning_rate * lr_decay ** (epoch - 1), constant within an epoch. cosine: half a cosine from
    learning_rate to 0 over all steps of the run that follow the warm-up (Loshchilov and Hutter, arXiv 1608.03983,
    without restarts). The warm-up multiplies either by 1 / n, 2 / n, ... 1 in its n steps (Goyal et al., arXiv
    1706.02677).
    """
    recipe = settings.recipe
    if recipe.schedule == "cosine":
        whole = settings.recipe.schedule_epochs * settings.steps - recipe.warmup_steps
        share = max(0, position - recipe.warmup_steps) / max(1, whole)
        rate = settings.learning_rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
    else:
        rate = settings.learning_rate * settings.lr_decay ** (position // settings.steps)
    return rate * min(1.0, (position + 1) / recipe.warmup_steps) if recipe.warmup_steps else rate


def encoder_frozen(settings: Settings, position: int) -> bool:
    """Whether the step after `position` steps since the first epoch leaves the encoder's weights as they are."""
    return position < settings.recipe.frozen_encoder_epochs * settings.steps


def average_share(settings: Settings, position: int) -> float:
    """What the moving averages keep of their old values after the step that follows `position` steps: less at first."""
    return min(settings.recipe.ema_decay, (2.0 + position) / (11.0 + position))


def check(settings: Settings, last: int) -> None:
    """Raises PipelineError for a schedule over fewer epochs than `last`, and a warm-up that leaves no step after it."""
    recipe = settings.recipe
    if recipe.schedule != "cosine":
        return
    if recipe.schedule_epochs < last:
        raise PipelineError(
            "--schedule_epochs {}: must be at least --epochs {}; a cosine schedule ends at 0".format(
                recipe.schedule_epochs, last
            )
        )
    whole = recipe.schedule_epochs * settings.steps
    if recipe.warmup_steps >= whole:
        raise PipelineError(
            "--warmup_steps {}: must be less than the {} steps of the run".format(recipe.warmup_steps, whole)
        )
