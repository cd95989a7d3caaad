"""Checkpoints: a folder with a TensorFlow checkpoint and `model.json`, which says all that is needed to use it.

    epoch5/model.ckpt.index, model.ckpt.data-00000-of-00001, checkpoint   written by tf.train.Saver
    epoch5/model.json                                                    written last: its presence means complete

`model.json` holds at least `model` (the fields of `model.Model`), `size` ([height, width] of the network's input),
`epoch`, `global_step`, `runtime` and `files` (SHA-256 of each file).
"""

import dataclasses
import os
import re
import shutil
from typing import Any, Dict

from .. import files
from ..errors import PipelineError
from ..metadata import COUNT, DEPTH_RANGE, NAME, SHA256, SIZE, Map, Null, read
from ..tf import tf
from . import model

PREFIX = "model.ckpt"
SIDE_FILE = "model.json"
FORMAT = 1

SCHEMA = {
    "model": model.SCHEMA,
    "size": SIZE,
    "epoch": COUNT,
    "global_step": COUNT,
    "files": Map(SHA256, key=NAME),
    "training?": {"depth_range?": Null(DEPTH_RANGE)},
    # Of snapshots.
    "position?": COUNT,
    "history?": [{}],
}

# The state of dynamic loss scaling, which only some platforms have. A checkpoint without it starts with the initial
# scale; one with it is restored without it where there is no loss scaling.
LOSS_SCALE = ("loss_scale", "good_steps", "bad_steps")

# The moving average of a variable X is the variable X/average. It is stored as X, so that what reads the network takes
# the averages; X itself, from which training goes on, is stored as X/trained.
AVERAGE = "/average"
_TRAINED = "/trained"

_PART = re.compile(re.escape(PREFIX) + r"(\.index|\.data-\d+-of-\d+)?$")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on the disk."""

    folder: str
    # Of its files, as TensorFlow wants it.
    prefix: str
    # The content of `model.json`.
    side: Dict[str, Any]


def find(path: str) -> Checkpoint:
    """The `Checkpoint` that `path` names.

    `path` is a checkpoint folder, its file prefix (`.../model.ckpt`) or one of the files that begin so, or a folder of
    `epoch<N>` folders, of which the one of the highest epoch counts. Raises PipelineError when there is none.
    """
    folder = os.path.dirname(path) or "." if is_part(path) else path
    if not os.path.isdir(folder):
        raise PipelineError("{}: no such checkpoint folder".format(path))
    if not os.path.exists(os.path.join(folder, SIDE_FILE)):
        epochs = _epoch_folders(folder)
        if not epochs:
            raise PipelineError(
                "{}: neither a checkpoint (no {}) nor a folder of epoch<N> checkpoints".format(folder, SIDE_FILE)
            )
        folder = epochs[max(epochs)]
    side = read(os.path.join(folder, SIDE_FILE), SCHEMA, FORMAT)
    return Checkpoint(folder, os.path.join(folder, PREFIX), side)


def is_part(path: str) -> bool:
    """Whether `path` names the files of one checkpoint, or one of them, rather than a folder."""
    return _PART.match(os.path.basename(path)) is not None


def _epoch_folders(folder):
    found = {}
    for name in os.listdir(folder):
        match = re.match(r"epoch(\d+)$", name)
        if match and os.path.exists(os.path.join(folder, name, SIDE_FILE)):
            found[int(match.group(1))] = os.path.join(folder, name)
    return found


def saver() -> Any:
    """A tf.train.Saver of all global variables of the default graph; make it once, before the graph is finalized."""
    stored = _stored_variables()
    return tf.train.Saver(stored, save_relative_paths=True, max_to_keep=None)


def _stored_variables():
    """{name in a checkpoint: variable} of all global variables of the default graph."""
    variables = {v.op.name: v for v in tf.global_variables()}
    found = {name + _TRAINED if name + AVERAGE in variables else name: v for name, v in variables.items()}
    averages = [name for name in variables if name.endswith(AVERAGE)]
    found.update((name[: -len(AVERAGE)], found.pop(name)) for name in averages)
    return found


def write(folder: str, session: Any, side: Dict[str, Any], with_saver: Any = None) -> Checkpoint:
    """Save all global variables of `session` and `side` to `folder`: complete, or not there.

    The files are written elsewhere, flushed and renamed one by one, `model.json` last. A loop that saves often passes
    its own `saver()`, since each new one adds operations to the graph. Returns the `Checkpoint`.
    """
    folder = os.path.abspath(folder)
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    temporary = files.temporary(folder)
    os.makedirs(temporary)
    try:
        side = save(temporary, session, side, with_saver)
        os.makedirs(folder, exist_ok=True)
        final = os.path.join(folder, SIDE_FILE)
        if os.path.exists(final):
            os.remove(final)
        for name in sorted(side["files"]) + [SIDE_FILE]:
            files.replace(os.path.join(temporary, name), os.path.join(folder, name))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Checkpoint(folder, os.path.join(folder, PREFIX), side)


def save(folder: str, session: Any, side: Dict[str, Any], with_saver: Any = None) -> Dict[str, Any]:
    """Save into the existing `folder`, plainly; returns `side` completed with the format and the files' checksums.

    Raises PipelineError when TensorFlow cannot write, on a full disk for example.
    """
    try:
        (with_saver or saver()).save(session, os.path.join(folder, PREFIX), write_meta_graph=False)
    except tf.errors.OpError as error:
        lines = error.message.split("\n")
        reason = next((line for line in lines if folder in line), lines[0]).strip()
        raise PipelineError("{}: the checkpoint cannot be written ({})".format(folder, reason)) from None
    side = dict(side, format=FORMAT)
    side["files"] = {name: files.sha256(os.path.join(folder, name)) for name in sorted(os.listdir(folder))}
    files.write_json(os.path.join(folder, SIDE_FILE), side)
    return side


def verify(checkpoint: Checkpoint) -> None:
    """Compare the files of `checkpoint` with its metadata file's sums. Raises PipelineError naming the damaged one."""
    for name, expected in checkpoint.side["files"].items():
        path = os.path.join(checkpoint.folder, name)
        if not os.path.exists(path):
            raise PipelineError("{}: missing from the checkpoint".format(path))
        if files.sha256(path) != expected:
            raise PipelineError("{}: damaged, its SHA-256 is not the one in {}".format(path, SIDE_FILE))


def restore(session: Any, checkpoint: Checkpoint, with_saver: Any = None) -> None:
    """Load all global variables of the session's graph from `checkpoint`; call it before the graph is finalized.

    Variables of `LOSS_SCALE` that the checkpoint lacks get their initial values, and what the graph lacks is left out.
    Raises PipelineError naming the variables that the checkpoint lacks or has in another shape, or the damaged file.
    """
    try:
        stored = tf.train.load_checkpoint(checkpoint.prefix).get_variable_to_shape_map()
        variables = _stored_variables()
        new = {name: v for name, v in variables.items() if name in LOSS_SCALE and name not in stored}
        wanted = {name: v for name, v in variables.items() if name not in new}
        wrong = [
            "{} {} (has {})".format(name, v.shape.as_list(), stored.get(name, "none"))
            for name, v in wanted.items()
            if stored.get(name) != v.shape.as_list()
        ]
        if wrong:
            raise PipelineError("{}: {} variables do not fit, first {}".format(checkpoint.folder, len(wrong), wrong[0]))
        if new:
            session.run([v.initializer for v in new.values()])
            with_saver = tf.train.Saver(wanted)
        (with_saver or saver()).restore(session, checkpoint.prefix)
    except (tf.errors.OpError, ValueError) as error:
        raise PipelineError("{}: damaged checkpoint ({})".format(checkpoint.folder, reason(error))) from None


def reason(error: Exception) -> str:
    """The line of TensorFlow's message that says what is wrong: the first, but version 2 first tells where."""
    lines = str(getattr(error, "message", error)).split("\n")
    places = [i for i, line in enumerate(lines[:-1]) if line.startswith("Node: ") or line.endswith("error(s) found.")]
    return lines[places[-1] + 1 if places else 0].strip()
