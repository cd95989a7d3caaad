"""The training loop: from one checkpoint to the next, or through many of them, with nothing lost on the way.

Where a run is cut does not matter: the order of the samples, their augmentation and the learning rate are functions of
the seed and the epoch, and all other state is in the checkpoint.

Of several ranks, rank 0 alone writes. It alone reads the start, too, except where all ranks must make the same calls;
the others get the variables from it and take the same steps.
"""

import collections
import contextlib
import dataclasses
import json
import os
import resource
import signal
import statistics
import time
from typing import Optional

import numpy as np

from .. import files, progress, runtime
from ..data import dataset, order
from ..errors import PipelineError
from ..imaging import resize
from ..network import architecture, checkpoints, model, recompute, upsample_conv, weights
from ..platforms import loss_scale
from ..tf import tf
from . import loss, optimizers, resume

# Steps after a start that are not timed: TensorFlow plans memory and threads in them.
_WARM_UP = 3

# Steps in a row that are not applied, after which no more are tried. From the greatest float32 down to 1 are 128.
_MOST_SKIPPED = 200

# Steps in a row of which no target is known, after which no more are tried; fewer where an epoch has fewer.
_MOST_WITHOUT_DEPTH = 20

# Seconds until a rank speaks for itself when the exchange with the others has failed.
_PATIENCE = 10

# What an exchange raises when another rank has ended; which one depends on what this rank was waiting for.
_EXCHANGE_ENDED = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)

HISTORY = "history.jsonl"

# The code that decides the numbers: a state that another version of it has made is not gone on with.
_NUMBERS = (upsample_conv, dataset, loss, loss_scale, model, architecture, optimizers, order, recompute, resize)

# Averaged over the ranks for the log; the gradients are averaged before their norm is taken.
_SHARED_PARTS = ("loss", "l1", "gradient", "ssim", "without_depth")
_LOSS_PARTS = ("loss", "l1", "gradient", "ssim", "gradient_norm")


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything that shapes the trained weights besides the data and the start.

    size: (height, width) of the network's input. batch_size: samples in a step of one rank. steps: steps in an epoch.
    learning_rate, lr_decay: rate of the first epoch and the factor for each later one. halving: see
    `dataset.batches`. depth_range: nearest and farthest depth of the targets in centimetres. mirror_probability,
    swap_probability: see `order.Order`.
    """

    model: model.Model
    size: tuple
    batch_size: int
    steps: int
    learning_rate: float
    lr_decay: float
    halving: str
    mirror_probability: float
    swap_probability: float
    batch_norm_momentum: float
    seed: int
    depth_range: tuple

    def as_dict(self):
        """The settings as JSON-like values, without the model and size, which a side file holds by themselves."""
        fields = dataclasses.asdict(self)
        del fields["model"], fields["size"]
        return dict(fields, depth_range=list(self.depth_range))


@dataclasses.dataclass(frozen=True)
class Segment:
    """What one call trains: epochs first + 1 to last, keeping checkpoints after those in `kept` (and the last).

    start: checkpoint folder (of epoch `first`) or None. weights: what to begin with, see `weights.load`, or None; only
    without a start. folder: where epoch<N> checkpoints and the resume state go. events: TensorBoard folder.
    run_epochs: epochs of the whole run, which progress is told of; None: `last`.
    """

    first: int
    last: int
    kept: tuple
    start: str
    weights: str
    folder: str
    events: str
    log_every: int
    state_seconds: float
    run_epochs: Optional[int] = None


class Interrupted(Exception):
    """The process was asked to end by `signal_number`; the state has been saved."""

    def __init__(self, signal_number):
        super().__init__("interrupted by {}; the state is saved".format(signal.Signals(signal_number).name))
        self.signal_number = signal_number


def train(settings, segment, index, platform, after_checkpoint=lambda checkpoint: None):
    """Train `segment` on the records of `index` (records.RecordIndex); `after_checkpoint` is called with each new one.

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
        loop = stack.enter_context(_Loop(settings, segment, index, platform, saved, fingerprint))
        try:
            loop.run(after_checkpoint)
        except Interrupted:
            platform.close()
            raise
        platform.close()
        if platform.rank == 0:
            saved.clear()


def _check(settings, segment, index, platform):
    if not 0 <= segment.first < segment.last:
        raise PipelineError(
            "initial_epoch {} and epochs {}: nothing to train between them".format(segment.first, segment.last)
        )
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
    code = [files.sha256(module.__file__) for module in _NUMBERS]
    facts = [settings.model.as_dict(), list(settings.size), settings.as_dict(), segment.first, start, index.identity()]
    options = platform.options
    facts += [code, options.precision_mode, options.op_select_implmode, options.is_loss_scale]
    facts.append(platform.numbers())
    if platform.size > 1:
        facts.append(platform.size)
    return resume.fingerprint(facts)


class _Loop:
    """The graph, the session and the position of one call of `train`."""

    def __init__(self, settings, segment, index, platform, saved, fingerprint):
        self._settings = settings
        self._segment = segment
        self._index = index
        self._platform = platform
        self._saved = saved
        self._writes = platform.rank == 0
        self._fingerprint = fingerprint
        self._signal = None
        self._history = []
        self._pending = []
        self._input_errors = []
        self._skipped_in_a_row = 0
        self._steps_without_depth = 0
        self._times = collections.deque(maxlen=10000)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self._open(stack)
            # Until here there was nothing to save, and a signal ended the process at once.
            for number in (signal.SIGTERM, signal.SIGINT):
                stack.callback(signal.signal, number, signal.signal(number, self._on_signal))
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *error):
        self._closing.close()

    def _open(self, stack):
        """Graph, session and start; what must be closed, whatever happens, joins `stack`."""
        self._platform.start()
        self._graph = tf.Graph()
        with self._graph.as_default():
            self._build()
            self._session = tf.Session(
                self._platform.session_target(), graph=self._graph, config=self._platform.session_config()
            )
            # A device may hang on to a session that was never closed.
            stack.callback(self._session.close)
            self._position = self._start_together()
            self._session.run(self._rewind(self._position))
            self._fetches["train"] = self._platform.prepare(self._session, self._fetches["train"])
            self._graph.finalize()
        self._events = None
        if self._writes:
            self._events = tf.summary.FileWriter(self._segment.events)
            stack.callback(self._events.close)
            start = tf.SessionLog(status=tf.SessionLog.START)
            self._events.add_session_log(start, global_step=self._position + 1)

    def _on_signal(self, number, frame):
        self._signal = number

    def _build(self):
        s = self._settings
        batch = s.batch_size * self._platform.size
        image_shape = (s.batch_size,) + tuple(s.size) + (3,)
        target_shape = (s.batch_size, s.size[0] // 2, s.size[1] // 2, 1)
        self._iterator = tf.data.Iterator.from_structure(
            (tf.float32, tf.float32, tf.int64),
            (tf.TensorShape(image_shape), tf.TensorShape(target_shape), tf.TensorShape((s.batch_size,))),
        )
        images, targets, records = self._iterator.get_next()
        output = architecture.predict(
            images, s.model, training=True, momentum=s.batch_norm_momentum, lean=self._platform.lean
        )
        with self._platform.loss_scope():
            losses = loss.depth_loss(output, targets, dataset.has_holes(self._index))
            # 1.0 where no target of the batch is known.
            blind = tf.cast(tf.reduce_max(targets) <= dataset.HOLE, tf.float32)
        self._rate = tf.placeholder(tf.float32, (), name="learning_rate")
        train, norm = optimizers.training_step(losses["total"], self._rate, self._platform)
        self._fetches = {
            "train": train,
            "records": records,
            "loss": losses["total"],
            "l1": losses["l1"],
            "gradient": losses["gradient"],
            "ssim": losses["ssim"],
            "gradient_norm": norm,
            "figures": self._platform.figures(),
        }
        if dataset.has_holes(self._index):
            self._fetches["without_depth"] = blind
        if self._platform.size > 1:
            # In the scope of the loss: float16 does not hold the numbers of records.
            with self._platform.loss_scope():
                self._share()
        self._saver = checkpoints.saver()
        self._initialize = tf.global_variables_initializer()
        trainable = sum(int(np.prod(v.shape.as_list())) for v in tf.trainable_variables())
        progress.line(
            "{} records, batch {} on {} device(s), {} steps an epoch; {} {} with {:,} trainable parameters".format(
                len(self._index),
                s.batch_size,
                self._platform.size,
                s.steps,
                s.model.width,
                s.model.encoder,
                trainable,
            )
        )
        passes = s.steps * batch / len(self._index)
        progress.line("an epoch sees {} samples, {:.3g} times the records".format(s.steps * batch, passes))

    def _share(self):
        """More to fetch: what all ranks must know of a step to do the same after it."""
        ranks = self._platform.size
        self._asked = tf.placeholder(tf.float32, (), name="asked_to_end")
        # Fed, so that the graph is the same on all ranks.
        self._place = tf.placeholder(tf.float32, (ranks, 1), name="place_among_ranks")
        self._shared_parts = [name for name in _SHARED_PARTS if name in self._fetches]
        # Float32 holds record numbers exactly up to 2 ** 24; they only serve messages.
        places = tf.reshape(self._place * tf.cast(self._fetches["records"], tf.float32), [-1])
        parts = [self._fetches[name] / ranks for name in self._shared_parts] + [self._asked]
        self._fetches["shared"] = self._platform.total(tf.concat([tf.stack(parts), places], 0))
        self._first = tf.get_variable(
            "position", (), tf.int64, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES]
        )
        self._set_first = tf.placeholder(tf.int64, ())
        self._assign_first = tf.assign(self._first, self._set_first)
        self._broadcast = self._platform.broadcast(tf.global_variables() + [self._first])
        self._own_place = np.zeros((ranks, 1), np.float32)
        self._own_place[self._platform.rank] = 1.0

    def _rewind(self, position):
        """The operation that sets the input to `position`, the number of steps since the first epoch."""
        s = self._settings
        samples = order.Order(
            len(self._index),
            s.batch_size,
            s.seed,
            s.mirror_probability,
            s.swap_probability,
            self._platform.rank,
            self._platform.size,
        )
        last = self._segment.last * s.steps
        batches = dataset.batches(
            self._index, samples, position, last, s.size, s.halving, s.depth_range, self._input_errors.append
        )
        return self._iterator.make_initializer(batches)

    def _start_together(self):
        """`_start` by rank 0, and its variables and position on all ranks."""
        if self._platform.size == 1:
            return self._start()
        if self._writes or self._platform.same_calls:
            self._session.run(self._assign_first, {self._set_first: self._start()})
        else:
            # A broadcast may read the variables that it fills.
            self._session.run([self._initialize, self._first.initializer])
        self._session.run(self._broadcast)
        return int(self._session.run(self._first))

    def _start(self):
        """Fill the variables; returns the position to go on from."""
        segment = self._segment
        side = self._saved.restore(self._session, self._saver, progress.line)
        if side is not None:
            self._history = side["history"]
            self._steps_without_depth = side.get("steps_without_depth", 0)
            progress.line("going on from the saved state after step {}".format(side["position"]))
            return side["position"]
        kept = self._newest_kept()
        if kept is not None:
            checkpoints.restore(self._session, kept, self._saver)
            progress.line("going on from {}, kept by an earlier call".format(kept.folder))
            return kept.side["epoch"] * self._settings.steps
        if segment.start is not None:
            checkpoint = checkpoints.find(segment.start)
            if checkpoint.side["epoch"] != segment.first:
                raise PipelineError(
                    "{}: is of epoch {}, not {}".format(checkpoint.folder, checkpoint.side["epoch"], segment.first)
                )
            checkpoints.restore(self._session, checkpoint, self._saver)
            progress.line("starting from {}".format(checkpoint.folder))
        else:
            self._initial_values()
        return segment.first * self._settings.steps

    def _newest_kept(self):
        """The newest checkpoint that an earlier call of the same segment has left in the folder, or None."""
        for epoch in range(self._segment.last, self._segment.first, -1):
            folder = os.path.join(self._segment.folder, "epoch{}".format(epoch))
            if os.path.exists(os.path.join(folder, checkpoints.SIDE_FILE)):
                try:
                    checkpoint = checkpoints.find(folder)
                    if checkpoint.side.get("fingerprint") == self._fingerprint:
                        checkpoints.verify(checkpoint)
                        return checkpoint
                except PipelineError as error:
                    progress.line("skipping a checkpoint: {}".format(error))
        return None

    def _initial_values(self):
        s = self._settings
        self._session.run(self._initialize)
        moving = [v for v in tf.global_variables() if "/moving_" in v.op.name]
        values = architecture.initial_values(tf.trainable_variables() + moving, s.seed)
        if self._segment.weights is None:
            progress.line("starting from random weights, seed {}".format(s.seed))
        else:
            loaded = weights.load(self._segment.weights, s.model)
            progress.line("{}: {} of {} variables loaded".format(self._segment.weights, len(loaded), len(values)))
            values.update(loaded)
        weights.assign(self._session, values)

    def run(self, after_checkpoint):
        settings, segment = self._settings, self._segment
        kept = set(segment.kept) | {segment.last}
        last = segment.last * settings.steps
        self._saved_at = self._started_at = time.monotonic()
        self._started_from = self._position
        while self._position < last:
            self._step()
            asked = self._asked_by_any if self._platform.size > 1 else self._signal
            if self._writes:
                epoch, step = divmod(self._position, settings.steps)
                if step == 0 or step % segment.log_every == 0:
                    self._log()
                if step == 0 and epoch in kept:
                    after_checkpoint(self._publish(epoch))
                elif asked or time.monotonic() - self._saved_at >= segment.state_seconds:
                    self._save_state()
            else:
                self._pending = []
            if asked and self._position < last:
                raise Interrupted(asked)

    def _step(self):
        """One training step; its figures join `_pending`."""
        epoch = self._position // self._settings.steps + 1
        rate = optimizers.learning_rate(self._settings.learning_rate, self._settings.lr_decay, epoch)
        # The first run of all is among them, however many steps it has: a device may compile in it for minutes.
        warm = self._position - self._started_from >= _WARM_UP
        begun = time.monotonic()
        try:
            values = self._run(rate)
        except (tf.errors.OpError, PipelineError):
            # What the input raised itself, in place of what TensorFlow makes of it.
            if self._input_errors:
                raise self._input_errors[0] from None
            raise
        seconds = (time.monotonic() - begun) / self._platform.steps_per_run
        self._position += self._platform.steps_per_run
        if warm:
            self._times.append(seconds)
        self._refuse_non_finite(values)
        figures = {name: float(values[name]) for name in _LOSS_PARTS}
        self._figures = {name: float(value) for name, value in values["figures"].items()}
        skipped = self._figures.get("skipped", 0)
        self._pending.append(dict(figures, learning_rate=rate, step_ms=1000 * seconds, skipped=skipped))
        if "without_depth" in values:
            self._pending[-1]["batches_without_depth"] = self._without_depth(values)
        progress.bar(
            self._position,
            self._segment.last * self._settings.steps,
            "loss {loss:.4f} {step_ms:.0f} ms/step".format(**self._pending[-1]),
        )

    def _run(self, rate):
        """The fetched values of one step; with several ranks, losses averaged over them and the records of all."""
        if self._platform.size == 1:
            return self._session.run(self._fetches, {self._rate: rate})
        try:
            feeds = {self._rate: rate, self._asked: 0.0 if self._signal is None else 1.0, self._place: self._own_place}
            values = self._session.run(self._fetches, feeds)
        except _EXCHANGE_ENDED as error:
            # Whoever watches the ranks names the one that is the cause, and ends this process meanwhile.
            time.sleep(_PATIENCE)
            raise PipelineError(
                "rank {}: the exchange with the other ranks failed: {}".format(
                    self._platform.rank, " ".join(error.message.split())[:300]
                )
            ) from None
        shared = values["shared"]
        parts = len(self._shared_parts)
        values.update(zip(self._shared_parts, shared[:parts]))
        values["records"] = shared[parts + 1 :].astype(np.int64)
        self._asked_by_any = (self._signal or signal.SIGTERM) if shared[parts] > 0 else None
        return values

    def _refuse_non_finite(self, values):
        figures = values["figures"]
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if figures.get("skipped") else 0
        if self._skipped_in_a_row > _MOST_SKIPPED:
            raise PipelineError(
                "{} steps in a row overflowed at a loss scale of {:g} and were not applied; lower the loss scale, or "
                "look for the operation that overflows (docs/ascend.md)".format(_MOST_SKIPPED, figures["loss_scale"])
            )
        if figures.get("skipped"):
            # The overflow of a step that was not applied. At a scale of 1 it is no matter of scaling, whatever the
            # norm says: devices that compute in saturation know neither inf nor nan.
            values["gradient_norm"] = 0.0 if figures["loss_scale"] > 1 else np.inf
        for name in _LOSS_PARTS:
            if not np.isfinite(values[name]):
                epoch, step = divmod(self._position - 1, self._settings.steps)
                names = ", ".join(dataset.sample_name(self._index, record) for record in values["records"])
                raise PipelineError(
                    "epoch {} step {}: {} is {}; samples {}. Nothing was overwritten; look at these samples, or lower "
                    "the learning rate".format(epoch + 1, step + 1, name, values[name], names)
                )

    def _without_depth(self, values):
        """The number of batches in this step, one of each rank, of which no target is known; many such steps stop."""
        batches = round(float(values["without_depth"]) * self._platform.size)
        if batches < self._platform.size:
            self._steps_without_depth = 0
            return batches
        self._steps_without_depth += self._platform.steps_per_run
        if self._steps_without_depth >= min(_MOST_WITHOUT_DEPTH, self._settings.steps):
            epoch, step = divmod(self._position - 1, self._settings.steps)
            raise PipelineError(
                "epoch {} step {}: no target was known in {} steps in a row; {}".format(
                    epoch + 1, step + 1, self._steps_without_depth, self._about_unknown(values["records"])
                )
            )
        return batches

    def _about_unknown(self, records):
        if self._settings.halving == "pick":
            return "`pick` takes every second pixel, and the known ones lie between: use data.halving: mean (--halving)"
        return "look at the depth of {}".format(", ".join(dataset.sample_name(self._index, n) for n in records))

    def _log(self):
        """Close the interval: one history entry, one line, one TensorBoard point."""
        steps = self._settings.steps
        epoch, step = (self._position - 1) // steps + 1, (self._position - 1) % steps + 1
        entry = {name: sum(p[name] for p in self._pending) / len(self._pending) for name in _LOSS_PARTS}
        step_ms = statistics.median(p["step_ms"] for p in self._pending)
        samples = self._settings.batch_size * self._platform.size
        entry.update(
            epoch=epoch,
            step=step,
            global_step=self._position,
            steps=len(self._pending) * self._platform.steps_per_run,
            learning_rate=self._pending[-1]["learning_rate"],
            step_ms=step_ms,
            images_per_second=1000 * samples / step_ms,
            **self._figures,
        )
        remarks = ""
        if "skipped" in entry:
            entry["skipped"] = sum(p["skipped"] for p in self._pending)
            remarks = ", loss scale {loss_scale:g}, {skipped:g} steps skipped".format(**entry)
        if "batches_without_depth" in self._pending[-1]:
            entry["batches_without_depth"] = sum(p["batches_without_depth"] for p in self._pending)
        if entry.get("batches_without_depth"):
            remarks += ", {batches_without_depth} batches without known depth".format(**entry)
        self._pending = []
        self._history.append(entry)
        elapsed = time.monotonic() - self._started_at
        left = elapsed / (self._position - self._started_from) * (self._segment.last * steps - self._position)
        progress.line(
            "epoch {epoch}/{} step {step}/{} loss {loss:.4f} (l1 {l1:.4f} gradient {gradient:.4f} ssim {ssim:.4f}) "
            "rate {learning_rate:.3g} {step_ms:.0f} ms/step {images_per_second:.2f} images/s{}, {} left to epoch "
            "{}".format(
                self._segment.run_epochs or self._segment.last,
                steps,
                remarks,
                progress.duration(left),
                self._segment.last,
                **entry,
            )
        )
        points = [tf.Summary.Value(tag="train/" + n, simple_value=entry[n]) for n in _LOSS_PARTS + ("learning_rate",)]
        self._events.add_summary(tf.Summary(value=points), self._position)
        self._events.flush()

    def _save_state(self):
        # The interval is closed first, so that an interrupted run's history has its entries at other steps but counts
        # every step once.
        if self._pending:
            self._log()
        side = dict(self._side(), position=self._position, history=self._history)
        side["steps_without_depth"] = self._steps_without_depth
        self._saved.save(self._session, side, self._saver)
        self._saved_at = time.monotonic()

    def _publish(self, epoch):
        folder = os.path.join(self._segment.folder, "epoch{}".format(epoch))
        files.write_text(
            os.path.join(folder, HISTORY), "".join(json.dumps(e, sort_keys=True) + "\n" for e in self._history)
        )
        checkpoint = checkpoints.write(folder, self._session, self._side(), self._saver)
        progress.line("{}: checkpoint of epoch {}".format(folder, epoch))
        self._history = []
        self._saved_at = time.monotonic()
        return checkpoint

    def _side(self):
        last = self._history[-1] if self._history else None
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
            "loss": last and last["loss"],
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
            "skipped_steps": int(sum(entry.get("skipped", 0) for entry in self._history)),
            "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        if self._times:
            facts["step_ms"] = 1000 * statistics.median(self._times)
            facts["images_per_second"] = 1000 * samples / facts["step_ms"]
        return facts
