"""What a training begins with: a snapshot, a checkpoint of an earlier call, a given checkpoint, or first weights."""

import os
from typing import Any, Dict, Optional, Tuple

from .. import progress
from ..errors import PipelineError
from ..network import architecture, checkpoints, weights
from ..tf import tf
from .resume import State
from .settings import Segment, Settings
from .step_graph import StepGraph


def fill(
    session: tf.Session, graph: StepGraph, settings: Settings, segment: Segment, saved: State, fingerprint: str
) -> Tuple[int, Optional[Dict[str, Any]]]:
    """Give the variables of `graph` their values; returns (position, metadata of the snapshot or None).

    The newest of these is taken: a snapshot of `saved`, a checkpoint in the segment's folder that was
    made under the same `fingerprint`, the segment's start. The position is the number of steps since the first epoch.
    """
    snapshot = saved.restore(session, graph.saver, progress.line)
    if snapshot is not None:
        progress.line("resuming from step {}".format(snapshot["position"]))
        return snapshot["position"], snapshot
    checkpoint = _newest_kept(segment, fingerprint)
    if checkpoint is not None:
        progress.line("resuming from {}, kept by an earlier call".format(checkpoint.folder))
    elif segment.start is not None:
        checkpoint = checkpoints.find(segment.start)
        if checkpoint.side["epoch"] != segment.first:
            raise PipelineError(
                "{}: is of epoch {}, not {}".format(checkpoint.folder, checkpoint.side["epoch"], segment.first)
            )
        progress.line("starting from {}".format(checkpoint.folder))
    if checkpoint is None:
        _initialize(session, graph, settings, segment)
        return segment.first * settings.steps, None
    checkpoints.restore(session, checkpoint, graph.saver)
    return checkpoint.side["epoch"] * settings.steps, None


def _newest_kept(segment, fingerprint):
    """The newest checkpoint that an earlier call of the same segment has left in its folder, or None."""
    for epoch in range(segment.last, segment.first, -1):
        folder = os.path.join(segment.folder, "epoch{}".format(epoch))
        if not os.path.exists(os.path.join(folder, checkpoints.SIDE_FILE)):
            continue
        try:
            checkpoint = checkpoints.find(folder)
            if checkpoint.side.get("fingerprint") == fingerprint:
                checkpoints.verify(checkpoint)
                return checkpoint
        except PipelineError as error:
            progress.line("skipping a checkpoint: {}".format(error))
    return None


def _initialize(session, graph, settings, segment):
    """Random weights of the seed, with those of `segment.weights` over them."""
    session.run(graph.initialize)
    averages = [v.op.name for v in tf.global_variables() if v.op.name.endswith(checkpoints.AVERAGE)]
    moving = [v for v in tf.global_variables() if "/moving_" in v.op.name and v.op.name not in averages]
    values = architecture.initial_values(tf.trainable_variables() + moving, settings.seed)
    if segment.weights is None:
        progress.line("starting from random weights, seed {}".format(settings.seed))
    else:
        loaded = weights.load(segment.weights, settings.model)
        progress.line("{}: {} of {} variables loaded".format(segment.weights, len(loaded), len(values)))
        values.update(loaded)
    values.update((name, values[name[: -len(checkpoints.AVERAGE)]]) for name in averages)
    weights.assign(session, values)
