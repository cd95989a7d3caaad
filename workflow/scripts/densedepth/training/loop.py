"""Resumable training loop: from one checkpoint to the next, or through many of them.

Where a run is cut does not matter: the order of the samples, their augmentation and the learning rate are functions of
the seed and the epoch, and all other state is in the checkpoint.

Of several ranks, rank 0 alone writes. It alone reads the start, too, except where all ranks must make the same calls;
the others get the variables from it and take the same steps.
"""

import collections
import contextlib
import os
import resource
import signal
import statistics
import time
from typing import Any, Callable, Deque, List

from .. import files, progress, runtime
from ..data import augmentation, order, records, training_input
from ..errors import PipelineError
from ..imaging import resize
from ..network import architecture, checkpoints, convolution, model, recompute, upsample_conv, weights, winograd
from ..platforms import loss_scale
from ..platforms.base import Platform
from ..tf import tf
from . import accumulation, checks, history, loss, optimizers, resume, run_folder, schedules, start, step_graph
from .settings import PORT, Segment, Settings

# Steps after a start that are not timed: TensorFlow plans memory and threads in them.
_WARM_UP = 3

# The code that decides the numbers: a state that another version of it has made is not resumed.
_NUMBERS = (
    accumulation,
    augmentation,
    convolution,
    upsample_conv,
    training_input,
    loss,
    loss_scale,
    model,
    architecture,
    optimizers,
    order,
    recompute,
    resize,
    schedules,
    step_graph,
    winograd,
)


class Interrupted(Exception):
    """The process was asked to end by `signal_number`; the state has been saved."""

    def __init__(self, signal_number: int) -> None:
        super().__init__("interrupted by {}; the state is saved".format(signal.Signals(signal_number).name))
        self.signal_number = signal_number


def train(
    settings: Settings,
    segment: Segment,
    index: records.RecordIndex,
    platform: Platform,
    after_checkpoint: Callable[[checkpoints.Checkpoint], Any] = lambda checkpoint: None,
) -> None:
    """Train `segment` on the records of `index`; `after_checkpoint` is called with each new one.

    Continues from the newest snapshot of an interrupted call with the same settings, code, data and start, or from the
    newest checkpoint that such a call has kept. Raises PipelineError when the loss or a gradient is not finite (nothing
    is overwritten) and `Interrupted` after SIGTERM or SIGINT to any rank, at the same step on all.
    """
    _check(settings, segment, index, platform)
    with contextlib.ExitStack() as stack:
        fingerprint = _fingerprint(settings, segment, index, platform)
        saved = resume.State(os.path.join(segment.folder, "state"), fingerprint)
        if platform.rank == 0:
            stack.enter_context(saved)
        loop = _Loop(settings, segment, index, platform, saved, fingerprint, stack)
        try:
            loop.run(after_checkpoint)
        except Interrupted:
            platform.close()
            raise
        platform.close()
        if platform.rank == 0:
            saved.clear()


def _check(settings, segment, index, platform):
    if segment.first > 0 and segment.start is None:
        raise PipelineError("initial_epoch {} needs the checkpoint of that epoch".format(segment.first))
    if segment.start is not None and segment.weights is not None:
        raise PipelineError("weights {}: a start from a checkpoint brings its own weights".format(segment.weights))
    for name, steps in (("steps", settings.steps), ("log_every", segment.log_every)):
        if steps % platform.steps_per_run:
            raise PipelineError(
                "{} {}: must be a multiple of the {} steps in a run of the session".format(
                    name, steps, platform.steps_per_run
                )
            )
    recipe = settings.recipe
    for name in ("frozen_encoder_epochs", "ema_decay", "accumulate"):
        if getattr(recipe, name) != getattr(PORT, name) and platform.steps_per_run > 1:
            raise PipelineError("--{}: cannot be used with more than one step in a run of the session".format(name))
    if recipe.accumulate > 1 and platform.saturates and platform.options.is_loss_scale:
        words = (
            "--accumulate {}: cannot be used with --is_loss_scale here: an overflow in a part of a batch but the last "
        )
        raise PipelineError((words + "would not be noticed").format(recipe.accumulate))
    schedules.check(settings, segment.last)
    if len(index) < settings.batch_size:
        raise PipelineError(
            "{} records are fewer than a batch of {}; lower --bs (train.batch_size)".format(
                len(index), settings.batch_size
            )
        )


def _fingerprint(settings, segment, index, platform):
    start = None
    if segment.start is not None:
        start = checkpoints.find(segment.start).side["files"]
    elif segment.weights is not None:
        start = weights.identity(segment.weights)
    code = [files.sha256(str(module.__file__)) for module in _NUMBERS]
    facts = [settings.model.as_dict(), list(settings.size), settings.as_dict(), segment.first, start, index.identity()]
    options = platform.options
    facts += [code, options.precision_mode, options.op_select_implmode, options.is_loss_scale]
    facts.append(platform.numbers())
    if platform.size > 1:
        facts.append(platform.size)
    return resume.fingerprint(facts)


class _Loop:
    """One call of `train`: graph and session, the position among the steps, and when to report, save and publish."""

    def __init__(self, settings, segment, index, platform, saved, fingerprint, stack):
        """Build the graph and fill its variables; what must be closed in any case joins the ExitStack `stack`."""
        self._settings = settings
        self._segment = segment
        self._index = index
        self._platform = platform
        self._saved = saved
        self._fingerprint = fingerprint
        self._writes = platform.rank == 0
        self._checks = checks.Checks(settings, index, platform)
        self._history = history.History(settings, segment, platform)
        self._signal = None
        self._input_errors: List[Exception] = []
        self._times: Deque[float] = collections.deque(maxlen=10000)
        platform.start()
        graph = tf.Graph()
        with graph.as_default():
            self._graph = step_graph.StepGraph(settings, index, platform)
            self._report_size()
            session = tf.Session(platform.session_target(), graph=graph, config=platform.session_config())
            # A device may hang on to a session that was never closed.
            self._session = stack.enter_context(contextlib.closing(session))
            self._position = self._started_from = self._graph.begin(self._session, self._start)
            last = segment.last * settings.steps
            self._session.run(self._graph.rewind(self._position, last, self._input_errors.append))
            self._graph.prepare(self._session)
            graph.finalize()
        if self._writes:
            if segment.first == 0:
                # Not before the start is loaded, and the events' file is still to be made.
                run_folder.claim(segment.folder, fingerprint, progress.line)
            self._history.open(self._position)
            stack.callback(self._history.close)
        # Until here there was nothing to save, and a signal ended the process at once.
        for number in (signal.SIGTERM, signal.SIGINT):
            stack.callback(signal.signal, number, signal.signal(number, self._on_signal))
        self._saved_at = time.monotonic()

    def _report_size(self):
        s, records = self._settings, len(self._index)
        whole = order.samples(records, self._index.sets)
        samples = s.steps * s.batch_size * self._platform.size
        progress.line(
            "{} records, batch {} on {} device(s), {} steps per epoch; {} {} with {:,} trainable parameters".format(
                records,
                s.batch_size,
                self._platform.size,
                s.steps,
                s.model.width,
                s.model.encoder,
                self._graph.parameters,
            )
        )
        progress.line("{} samples per epoch ({:.3g} passes over the data)".format(samples, samples / whole))

    def _start(self):
        """Fill the variables; returns the position to start at."""
        position, snapshot = start.fill(
            self._session, self._graph, self._settings, self._segment, self._saved, self._fingerprint
        )
        if snapshot is not None:
            self._history.entries = snapshot["history"]
            self._checks.steps_without_depth = snapshot.get("steps_without_depth", 0)
        return position

    def _on_signal(self, number, frame):
        self._signal = number

    def run(self, after_checkpoint):
        """Take all steps that are left; raises `Interrupted` after the step in which a signal came."""
        settings, segment = self._settings, self._segment
        kept = set(segment.kept) | {segment.last}
        last = segment.last * settings.steps
        while self._position < last:
            asked = self._step()
            if self._writes:
                epoch, step = divmod(self._position, settings.steps)
                if step == 0 or step % segment.log_every == 0:
                    self._history.end_interval(self._position)
                if step == 0 and epoch in kept:
                    after_checkpoint(self._publish(epoch))
                elif asked or time.monotonic() - self._saved_at >= segment.state_seconds:
                    self._save_state()
            if asked and self._position < last:
                raise Interrupted(asked)

    def _step(self):
        """Take one training step; returns the number of the signal that asks for the end after it, or None."""
        rate = schedules.learning_rate(self._settings, self._position)
        frozen = schedules.encoder_frozen(self._settings, self._position)
        # The first run of all is among them, however many steps it has: a device may compile in it for minutes.
        warm = self._position - self._started_from >= _WARM_UP
        begun = time.monotonic()
        try:
            values = self._graph.run(self._session, rate, frozen, self._signal is not None)
            self._graph.average(self._session, schedules.average_share(self._settings, self._position))
        except (tf.errors.OpError, PipelineError):
            # What the input raised itself, instead of what TensorFlow makes of it.
            if self._input_errors:
                raise self._input_errors[0] from None
            raise
        seconds = (time.monotonic() - begun) / self._platform.steps_per_run
        self._position += self._platform.steps_per_run
        if warm:
            self._times.append(seconds)
        figures = self._checks.examine(self._position, values)
        if self._writes:
            platform_figures = {name: float(value) for name, value in values["figures"].items()}
            self._history.add(self._position, figures, rate, seconds, platform_figures)
        if self._platform.size == 1:
            return self._signal
        return (self._signal or signal.SIGTERM) if values["asked_by_any"] else None

    def _save_state(self):
        # The interval is closed first, so that an interrupted run's history has its entries at other steps but counts
        # every step once.
        self._history.end_interval(self._position)
        side = dict(self._side(), position=self._position, history=self._history.entries)
        side["steps_without_depth"] = self._checks.steps_without_depth
        self._saved.save(self._session, side, self._graph.saver)
        self._saved_at = time.monotonic()

    def _publish(self, epoch):
        folder = os.path.join(self._segment.folder, "epoch{}".format(epoch))
        self._history.write(folder)
        checkpoint = checkpoints.write(folder, self._session, self._side(), self._graph.saver)
        progress.line("{}: checkpoint of epoch {}".format(folder, epoch))
        self._history.entries = []
        self._saved_at = time.monotonic()
        return checkpoint

    def _side(self):
        """The metadata of a checkpoint."""
        entries = self._history.entries
        return {
            "epoch": self._position // self._settings.steps,
            "global_step": self._position,
            "model": self._settings.model.as_dict(),
            "size": list(self._settings.size),
            "training": self._settings.as_dict(),
            "fingerprint": self._fingerprint,
            "weights": self._segment.weights,
            "start": self._segment.start,
            "data": self._index.identity(),
            "loss": entries[-1]["loss"] if entries else None,
            "performance": self._performance(),
            "runtime": runtime.describe(),
        }

    def _performance(self):
        samples = self._settings.batch_size * self._platform.size
        facts = {
            "device": self._platform.device(self._session),
            "precision": self._platform.precision,
            "batch_size": self._settings.batch_size,
            "world_size": self._platform.size,
            "warmup_steps": _WARM_UP,
            "timed_steps": len(self._times) * self._platform.steps_per_run,
            "skipped_steps": int(sum(entry.get("skipped", 0) for entry in self._history.entries)),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        if self._times:
            facts["step_ms"] = 1000 * statistics.median(self._times)
            facts["images_per_second"] = 1000 * samples / facts["step_ms"]
        return facts
