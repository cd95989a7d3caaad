"""Snapshots that an interrupted training segment resumes from, in a folder that no workflow rule declares.

    <checkpoints>/state/lock                       held by the process that trains this run
    <checkpoints>/state/<fingerprint>/step<n>/     a checkpoint with the position and the history so far

The fingerprint is a digest of everything that decides the result, so a snapshot of other settings or data is never
resumed.
"""

import hashlib
import json
import os
import re
import shutil
from typing import Any, Callable, Dict, Optional

from .. import files
from ..errors import PipelineError
from ..network import checkpoints
from ..tf import tf

_KEPT = 2
# Seconds for a training that a killed Snakemake has left behind to end: at most a step and a save.
_PATIENCE = 10


def fingerprint(facts: Any) -> str:
    """A short hexadecimal name for the JSON-like value `facts`."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class State:
    """The snapshots of one segment below `folder`; used inside `with`, which holds the run's lock."""

    def __init__(self, folder: str, name: str) -> None:
        self._root = folder
        self._folder = os.path.join(folder, name)
        self._lock = files.lock(os.path.join(folder, "lock"), "training here", _PATIENCE)

    def __enter__(self) -> "State":
        self._lock.__enter__()
        return self

    def __exit__(self, *error: Any) -> Any:
        return self._lock.__exit__(*error)

    def save(self, session: tf.Session, side: Dict[str, Any], with_saver: tf.train.Saver) -> None:
        """Write a snapshot; `side` must have `position`, the steps done since the beginning. Older ones but one go."""
        with files.atomic_folder(os.path.join(self._folder, "step{:09d}".format(side["position"]))) as folder:
            checkpoints.save(folder, session, side, with_saver)
        for _, path in self._snapshots()[:-_KEPT]:
            shutil.rmtree(path)

    def restore(
        self, session: tf.Session, with_saver: tf.train.Saver, report: Callable[[str], None]
    ) -> Optional[Dict[str, Any]]:
        """Load the newest whole snapshot and return its metadata file, or None when there is none.

        A damaged snapshot is skipped, and `report` is called with a line that says so.
        """
        for _, path in reversed(self._snapshots()):
            try:
                checkpoint = checkpoints.find(path)
                checkpoints.verify(checkpoint)
                checkpoints.restore(session, checkpoint, with_saver)
                return checkpoint.side
            except PipelineError as error:
                report("skipping a snapshot: {}".format(error))
        return None

    def clear(self) -> None:
        """Delete all snapshots of the run, this segment's and those of settings used before; the lock stays."""
        for name in os.listdir(self._root):
            if name != "lock":
                shutil.rmtree(os.path.join(self._root, name), ignore_errors=True)

    def _snapshots(self):
        """[(position, path)] in rising order; half-written ones have another name and are not seen."""
        if not os.path.isdir(self._folder):
            return []
        matches = [re.match(r"step(\d+)$", name) for name in os.listdir(self._folder)]
        return sorted((int(m.group(1)), os.path.join(self._folder, m.group(0))) for m in matches if m)
