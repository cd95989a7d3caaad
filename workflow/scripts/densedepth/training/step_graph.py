"""The graph of a training step: input, network, loss and optimizer, and the values that a run of it fetches."""

import time
from typing import Any, Callable, Dict, List

import numpy as np

from ..data import order, records, training_input
from ..errors import PipelineError
from ..network import architecture, checkpoints
from ..platforms.base import Platform
from ..tf import tf
from . import accumulation, loss, optimizers
from .settings import Settings

# The losses of a step, as they are fetched and recorded.
LOSS_PARTS = ("loss", "l1", "gradient", "ssim", "gradient_norm")

# Averaged over the ranks for the log; the gradients are averaged before their norm is taken.
_SHARED_PARTS = ("loss", "l1", "gradient", "ssim", "without_depth")

# Seconds that whoever watches the ranks has to name the cause when an exchange has failed; then this rank reports it.
_PATIENCE = 10

# What an exchange raises when another rank has ended; which one depends on what this rank was waiting for.
_EXCHANGE_ENDED = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.InternalError,
)


class StepGraph:
    """The training step of one rank, built in the default graph.

    platform: one that was started. A batch in parts (`Recipe.accumulate`) takes as many runs of the session for a step.
    saver: the tf.train.Saver of all variables. initialize: the operation that initializes them. parameters: how many
    numbers are trained. A step that leaves the encoder as it is has an operation of its own, on the same forward pass.
    """

    def __init__(self, settings: Settings, index: records.RecordIndex, platform: Platform) -> None:
        self._settings = settings
        self._index = index
        self._platform = platform
        self._iterator = _iterator(settings.batch_size // settings.recipe.accumulate, settings.size)
        images, targets, numbers = self._iterator.get_next()
        losses = self._losses(images, targets)
        values, keep = self._of_all_parts(dict(losses, records=numbers))
        self._rate = tf.placeholder(tf.float32, (), name="learning_rate")
        steps = optimizers.Steps(self._rate, platform, settings.recipe)
        self._kinds: Dict[bool, Dict[str, Any]] = {}
        # The operations for the first part of a batch and for others before the last.
        self._before: Dict[bool, List[tf.Operation]] = {}
        for frozen in (True, False) if settings.recipe.frozen_encoder_epochs else (False,):
            train, norm = steps.of(losses["loss"], frozen)
            figures = platform.figures()
            self._kinds[frozen] = dict(values, train=train, gradient_norm=norm, figures=figures)
            self._before[frozen] = [tf.group(part, *keep) for part in steps.before]
        self._exchange: Any = None
        if platform.size > 1:
            # In the scope of the loss: float16 does not hold the numbers of records.
            with platform.loss_scope():
                self._exchange = _Exchange(self._kinds[False], platform)
            for fetches in self._kinds.values():
                fetches["shared"] = self._exchange.shared
        self._averages = optimizers.Averages() if settings.recipe.ema_decay else None
        self.saver = checkpoints.saver()
        self.initialize = tf.global_variables_initializer()
        self._initialize_parts = tf.local_variables_initializer()
        self.parameters = sum(int(np.prod(v.shape.as_list())) for v in tf.trainable_variables())

    def _losses(self, images, targets):
        """{name: float32 scalar}: the loss and its terms; `without_depth`: 1 where no target of the batch is valid."""
        s, platform = self._settings, self._platform
        with platform.network_scope():
            output = architecture.predict(
                images, s.model, training=True, momentum=s.batch_norm_momentum, lean=platform.lean
            )
        # Corners that a rotation leaves have no depth.
        holes = training_input.has_holes(self._index) or s.augmentation.max_rotation > 0
        with platform.loss_scope():
            terms = loss.named(s.recipe.loss, output, targets, holes, farthest=s.depth_range[1])
            losses = {"loss": terms["total"]}
            losses.update((name, terms[name]) for name in ("l1", "gradient", "ssim"))
            if holes:
                losses["without_depth"] = tf.cast(tf.reduce_max(targets) <= training_input.HOLE, tf.float32)
        return losses

    def _of_all_parts(self, values):
        """({name: value of the whole batch}, operations that keep those of a part before the last)."""
        if self._settings.recipe.accumulate == 1:
            return values, []
        with self._platform.loss_scope():
            parts = accumulation.Parts(values, self._settings.recipe.accumulate)
            whole = {name: tf.reduce_mean(value) for name, value in parts.all.items()}
            whole["records"] = tf.reshape(parts.all["records"], [-1])
            if "without_depth" in whole:
                whole["without_depth"] = tf.reduce_min(parts.all["without_depth"])
        return whole, [parts.keep]

    def average(self, session: tf.Session, share: float) -> None:
        """Let the averages, if there are any, keep `share` of their old values and take the rest of the weights."""
        if self._averages:
            session.run(self._averages.step, {self._averages.share: share})

    def begin(self, session: tf.Session, start: Callable[[], int]) -> int:
        """Fill the variables by `start()`, which returns the position to begin at; returns that position.

        Of several ranks, rank 0 calls it (all ranks where they must make the same calls), and the others get its
        variables and its position.
        """
        if self._settings.recipe.accumulate > 1:
            session.run(self._initialize_parts)
        if self._exchange is None:
            return start()
        return self._exchange.begin(session, start, self.initialize)

    def rewind(self, position: int, last: int, on_error: Callable[[Exception], None]) -> tf.Operation:
        """The operation that sets the input to `position`, steps since the first epoch; it ends at `last`.

        on_error: called with an exception of the input before TensorFlow turns it into one of its own.
        """
        s = self._settings
        samples = order.Order(
            len(self._index),
            s.batch_size,
            s.seed,
            s.mirror_probability,
            s.swap_probability,
            self._platform.rank,
            self._platform.size,
            s.augmentation,
            self._index.sets,
            s.recipe.accumulate,
        )
        first, end = position * s.recipe.accumulate, last * s.recipe.accumulate
        batches = training_input.batches(self._index, samples, first, end, s.size, s.halving, s.depth_range, on_error)
        return self._iterator.make_initializer(batches)

    def prepare(self, session: tf.Session) -> None:
        """Let the platform adapt the graph, the last change before it is finalized."""
        for fetches in self._kinds.values():
            fetches["train"] = self._platform.prepare(session, fetches["train"])

    def run(self, session: tf.Session, rate: float, frozen: bool, asked: bool) -> Dict[str, Any]:
        """The values of one step of learning rate `rate`: those of `LOSS_PARTS`, `records`, `figures`, ...

        frozen: whether the encoder's weights stay as they are, as the recipe has it for first epochs. Of several ranks,
        losses are averages over all, `records` (int64 record numbers) are those of all, and `asked_by_any` says whether
        any rank was called with `asked`. Raises PipelineError when their exchange fails.
        """
        fetches = self._kinds[frozen]
        for part in range(self._settings.recipe.accumulate - 1):
            session.run(self._before[frozen][min(part, 1)])
        if self._exchange is None:
            return session.run(fetches, {self._rate: rate})
        feeds = self._exchange.feeds(asked)
        feeds[self._rate] = rate
        try:
            values = session.run(fetches, feeds)
        except _EXCHANGE_ENDED as error:
            # Whoever watches the ranks names the one that is the cause, and ends this process meanwhile.
            time.sleep(_PATIENCE)
            raise PipelineError(
                "rank {}: the exchange with the other ranks failed: {}".format(
                    self._platform.rank, " ".join(error.message.split())[:300]
                )
            ) from None
        return dict(values, **self._exchange.unpack(values["shared"]))


def _iterator(batch_size, size):
    """The tf.data iterator of (images, targets, record numbers)."""
    height, width = size
    shapes = (
        tf.TensorShape((batch_size, height, width, 3)),
        tf.TensorShape((batch_size, height // 2, width // 2, 1)),
        tf.TensorShape((batch_size,)),
    )
    return tf.data.Iterator.from_structure((tf.float32, tf.float32, tf.int64), shapes)


class _Exchange:
    """What all ranks must know of a step to do the same after it, and the start that rank 0 gives the others.

    shared: one float32 vector summed over the ranks: the averaged losses, how many were asked to end, and the record
    numbers of all ranks. Float32 holds record numbers exactly up to 2 ** 24; they only serve messages.
    """

    def __init__(self, fetches, platform):
        self._platform = platform
        self._asked = tf.placeholder(tf.float32, (), name="asked_to_end")
        # Fed, so that the graph is the same on all ranks.
        self._place = tf.placeholder(tf.float32, (platform.size, 1), name="place_among_ranks")
        self._own_place = np.zeros((platform.size, 1), np.float32)
        self._own_place[platform.rank] = 1.0
        self._names = [name for name in _SHARED_PARTS if name in fetches]
        places = tf.reshape(self._place * tf.cast(fetches["records"], tf.float32), [-1])
        parts = [fetches[name] / platform.size for name in self._names] + [self._asked]
        self.shared = platform.total(tf.concat([tf.stack(parts), places], 0))
        self._first = tf.get_variable(
            "position", (), tf.int64, trainable=False, collections=[tf.GraphKeys.LOCAL_VARIABLES]
        )
        self._set_first = tf.placeholder(tf.int64, ())
        self._assign_first = tf.assign(self._first, self._set_first)
        self._broadcast = platform.broadcast(tf.global_variables() + [self._first])

    def begin(self, session, start, initialize):
        """See `StepGraph.begin`."""
        if self._platform.rank == 0 or self._platform.same_calls:
            session.run(self._assign_first, {self._set_first: start()})
        else:
            # A broadcast may read the variables that it fills.
            session.run([initialize, self._first.initializer])
        session.run(self._broadcast)
        return int(session.run(self._first))

    def feeds(self, asked):
        return {self._asked: float(asked), self._place: self._own_place}

    def unpack(self, shared):
        """The fetched `shared` as {name: value}."""
        parts = len(self._names)
        values = dict(zip(self._names, shared[:parts]))
        values["asked_by_any"] = shared[parts] > 0
        values["records"] = shared[parts + 1 :].astype(np.int64)
        return values
