"""One call of train.py on one rank: how many steps an epoch has, the training, and what follows each checkpoint."""

import contextlib
import dataclasses
import os
import tempfile
from typing import List, Optional, Union

from .. import progress
from ..data import order, records
from ..errors import PipelineError
from ..platforms.base import Platform
from . import evaluations, loop, performance
from .settings import Segment, Settings

# The steps of an epoch that sees each pair once.
AUTO = "auto"


@dataclasses.dataclass(frozen=True)
class Job:
    """What is asked for besides the settings of the training.

    name: of the run, for messages. records: files, patterns or names before sharding, see `records.expand`. steps: of
    an epoch on one device, or `AUTO`. steps_per_device: every device makes `steps`, so that an epoch sees more samples;
    otherwise the devices share them. must_have_gpu: refuse to train on anything else. performance: file for the speed
    of the steps; then nothing else is kept. single: that file of one device, to compare with. Both may be None.
    evaluations: of the kept checkpoints, or None.
    """

    name: str
    records: List[str]
    steps: Union[int, str]
    steps_per_device: bool
    must_have_gpu: bool
    performance: Optional[str]
    single: Optional[str]
    evaluations: Optional[evaluations.Evaluations]


def train(job: Job, settings: Settings, segment: Segment, platform: Platform) -> None:
    """Train `segment` by `settings` (see `settings`), whose `steps` are those that follow from the job.

    Raises PipelineError, and `loop.Interrupted` when a signal has asked for the end.
    """
    if job.must_have_gpu and not platform.gpu:
        raise PipelineError(
            "--gpus true (`gpus` in the config): TensorFlow finds no GPU here. Is its package one for GPUs "
            "(docs/operate.md)? Does CUDA_VISIBLE_DEVICES hide them?"
        )
    for note in platform.notes():
        progress.line(note)
    with contextlib.ExitStack() as stack:
        if job.performance:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            segment = dataclasses.replace(segment, folder=folder, events=os.path.join(folder, "tensorboard"))
        index = stack.enter_context(records.RecordIndex(records.expand(job.records)))
        steps = _steps(job, order.samples(len(index), index.sets), settings.batch_size, platform.size)
        settings = dataclasses.replace(settings, steps=steps)
        if job.performance:
            # The speed is that of most steps.
            recipe = dataclasses.replace(settings.recipe, warmup_steps=0, frozen_encoder_epochs=0)
            settings = dataclasses.replace(settings, recipe=recipe)
        loop.train(settings, segment, index, platform, _after_checkpoint(job, platform.size))
    if job.evaluations and platform.rank == 0:
        job.evaluations.make_missing()


def _steps(job, pairs, batch_size, size):
    """Steps in an epoch of each of `size` devices."""
    steps = job.steps
    if steps == AUTO:
        steps = -(-pairs // batch_size)
        progress.line("{} steps per epoch, for {} pairs in batches of {}".format(steps, pairs, batch_size))
    # Shared by many devices, the steps would be too few to time.
    if job.steps_per_device or job.performance:
        if size > 1:
            words = "steps_per_device: {} steps per epoch on each of {} devices, {} times the samples"
            progress.line(words.format(steps, size, size))
        return steps
    # Rounded up: an epoch sees all samples that it sees on one device.
    shared = -(-steps // size)
    if size > 1:
        words = "{} steps per epoch on one device are {} on {} devices: the same number of samples"
        progress.line(words.format(steps, shared, size))
    return shared


def _after_checkpoint(job, size):
    if job.performance:
        return lambda checkpoint: performance.write(job.performance, job.name, checkpoint, job.single)
    # Several ranks would wait for the evaluation in an exchange, and Ascend's have a time limit there.
    if job.evaluations and size == 1:
        return lambda checkpoint: job.evaluations.make_missing()
    return lambda checkpoint: None
