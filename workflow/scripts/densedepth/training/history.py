"""What a training reports of its steps: entries of history.jsonl, lines of the log, points for TensorBoard.

Nothing here changes a weight, so an edit of this module trains nothing again (`REPORTING` in programs.smk).
"""

import json
import os
import statistics
import time
from typing import Any, Dict, List

from .. import files, progress
from ..platforms.base import Platform
from ..tf import tf
from .settings import Segment, Settings
from .step_graph import LOSS_PARTS

FILE = "history.jsonl"

# As the reference port's train.py and its shell scripts print them; the first is of a device, as there.
_PORT_BEGIN = "Batch size: {} iters/epoch: {}"
_PORT_END = (
    "Performance {:10.3f} sec/iter {:10.3f} images/sec",
    "Final Performance images/sec : {:g}",
    "E2E Training Duration sec : {:.0f}",
)

_LINE = (
    "epoch {epoch}/{epochs} step {step}/{epoch_steps} loss {loss:.4f} (l1 {l1:.4f} gradient {gradient:.4f} ssim "
    "{ssim:.4f}) rate {learning_rate:.3g} {step_ms:.0f} ms/step {images_per_second:.2f} images/s{remarks}, {left} left "
    "to epoch {last}"
)


class History:
    """The entries since the last checkpoint, and the steps since the last entry.

    An entry has the means of `LOSS_PARTS` over `steps` steps, the median `step_ms`, the `learning_rate` of the last of
    them, which is `step` of `epoch` (both from 1) and `global_step` of the run, and where there are such the figures of
    the platform and `batches_without_depth`.

    entries: one dict each.
    """

    def __init__(self, settings: Settings, segment: Segment, platform: Platform) -> None:
        self._settings = settings
        self._segment = segment
        self._samples = settings.batch_size * platform.size
        self._steps_per_run = platform.steps_per_run
        self._interval: List[Dict[str, Any]] = []
        self._events: Any = None
        self._started_at, self._started_from = time.monotonic(), 0
        self._port_lines = platform.port_lines
        self._position = 0
        self._step_ms: List[float] = []
        self.entries: List[Dict[str, Any]] = []

    def open(self, position: int) -> None:
        """Begin at `position`, steps since the first epoch; `close` ends the file for TensorBoard."""
        self._started_at, self._started_from = time.monotonic(), position
        if self._port_lines:
            progress.line(_PORT_BEGIN.format(self._settings.batch_size, self._settings.steps))
        self._events = tf.summary.FileWriter(self._segment.events)
        self._events.add_session_log(tf.SessionLog(status=tf.SessionLog.START), global_step=position + 1)

    def close(self) -> None:
        self._events.close()
        if self._port_lines and self._step_ms:
            seconds = time.monotonic() - self._started_at
            each = seconds / (self._position - self._started_from)
            rate = 1000 * self._samples / statistics.median(self._step_ms)
            for line, values in zip(_PORT_END, ((each, self._settings.batch_size / each), (rate,), (seconds,))):
                progress.line(line.format(*values))

    def add(
        self, position: int, figures: Dict[str, float], rate: float, seconds: float, platform_figures: Dict[str, float]
    ) -> None:
        """Note a step that ended at `position`: the `figures` of `Checks.examine`, its learning rate, and its time."""
        self._interval.append(
            dict(figures, learning_rate=rate, step_ms=1000 * seconds, platform_figures=platform_figures)
        )
        last = self._segment.last * self._settings.steps
        words = "{}/{} steps, loss {loss:.4f} {step_ms:.0f} ms/step"
        progress.bar(position, last, words.format(position, last, **self._interval[-1]))

    def end_interval(self, position: int) -> None:
        """Make an entry of the steps up to `position`, if there are any: with a line and a point for TensorBoard."""
        if not self._interval:
            return
        entry = self._entry(position)
        self._interval = []
        self._position = position
        self._step_ms.append(entry["step_ms"])
        self.entries.append(entry)
        progress.line(self._line(entry))
        points = [tf.Summary.Value(tag="train/" + n, simple_value=entry[n]) for n in LOSS_PARTS + ("learning_rate",)]
        self._events.add_summary(tf.Summary(value=points), position)
        self._events.flush()

    def _entry(self, position):
        epoch, step = divmod(position - 1, self._settings.steps)
        steps, newest = self._interval, self._interval[-1]
        step_ms = statistics.median(one["step_ms"] for one in steps)
        entry = {name: sum(one[name] for one in steps) / len(steps) for name in LOSS_PARTS}
        entry.update(
            epoch=epoch + 1,
            step=step + 1,
            global_step=position,
            steps=len(steps) * self._steps_per_run,
            learning_rate=newest["learning_rate"],
            step_ms=step_ms,
            images_per_second=1000 * self._samples / step_ms,
            **newest["platform_figures"],
        )
        if "skipped" in entry:
            entry["skipped"] = sum(one["skipped"] for one in steps)
        if "batches_without_depth" in newest:
            entry["batches_without_depth"] = sum(one["batches_without_depth"] for one in steps)
        return entry

    def _line(self, entry):
        remarks = ""
        if "skipped" in entry:
            remarks = ", loss scale {loss_scale:g}, {skipped:g} steps skipped".format(**entry)
        if entry.get("batches_without_depth"):
            remarks += ", {batches_without_depth} batches without valid depth".format(**entry)
        done = entry["global_step"] - self._started_from
        missing = self._segment.last * self._settings.steps - entry["global_step"]
        return _LINE.format(
            epochs=self._segment.run_epochs or self._segment.last,
            epoch_steps=self._settings.steps,
            remarks=remarks,
            left=progress.duration((time.monotonic() - self._started_at) / done * missing),
            last=self._segment.last,
            **entry,
        )

    def write(self, folder: str) -> None:
        """Write the entries to `FILE` in `folder`, one JSON object a line."""
        lines = [json.dumps(entry, sort_keys=True) + "\n" for entry in self.entries]
        files.write_text(os.path.join(folder, FILE), "".join(lines))
