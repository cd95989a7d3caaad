"""Progress of long work: a bar on a terminal, plain lines in a log."""

import sys
import time
from typing import Optional

# Longest time between two lines of a log, where a tenth of the work takes longer.
_SILENT_SECONDS = 30
# Between two looks of a bar, which would cost more than the work itself otherwise.
_BAR_SECONDS = 0.1

_now = time.monotonic
_muted = False


def mute() -> None:
    """Print nothing from now on, as ranks do whose work another one reports."""
    global _muted
    _muted = True


def line(text: str) -> None:
    """Print `text` on a line of its own, over a bar that may stand there."""
    if _muted:
        return
    clear()
    # In one call: with `print`, those of other processes could come between the text and its end.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def clear() -> None:
    """Take away a bar that may stand there, before an error of the program follows."""
    if not _muted and sys.stdout.isatty():
        sys.stdout.write("\r\x1b[K")
        sys.stdout.flush()


def bar(done: float, total: float, text: str) -> None:
    """Renew the bar, filled by the share that is `done`; nothing at all where the output is not a terminal."""
    if _muted or not sys.stdout.isatty():
        return
    filled = int(24 * done / max(total, 1))
    sys.stdout.write("\r\x1b[K[{}{}] {}".format("#" * filled, "." * (24 - filled), text))
    sys.stdout.flush()


def duration(seconds: float) -> str:
    """Seconds as `42s`, `3m20s`, `2h05m`."""
    seconds = int(seconds)
    if seconds < 60:
        return "{}s".format(seconds)
    if seconds < 3600:
        return "{}m{:02d}s".format(seconds // 60, seconds % 60)
    return "{}h{:02d}m".format(seconds // 3600, seconds % 3600 // 60)


class Progress:
    """How much of a long work is done, how fast it is and, where its total is known, when it will be finished:

        4096/50688 pairs, 812 pairs/s, 57s left

    An object is called with the amount that is done, again and again. In a log this gives a line at each tenth of the
    total and after 30 s, on a terminal a bar.

    total: of the work, or None where it is not known. unit: what is counted. scale: of the calls' numbers in a unit,
    2 ** 20 for bytes in MB. subject: what is worked on, printed before. done: what was done before; given, the rate is
    that from now on, otherwise from the first call with more than 0, as processes take seconds to start.
    """

    def __init__(
        self, total: Optional[int], unit: str, subject: str = "", scale: int = 1, done: Optional[int] = None
    ) -> None:
        self._total = total
        self._unit = unit
        self._scale = scale
        self._subject = subject + ": " if subject else ""
        self._next_tenth = 1
        self._first = done or 0
        self._begin = self._said = None if done is None else _now()
        self._drawn = 0.0

    def __call__(self, done: int) -> None:
        now = _now()
        if self._begin is None or self._said is None:
            if not done:
                return
            self._first, self._begin, self._said = done, now, now
        tenth = 10 * done // max(self._total, 1) if self._total is not None else 0
        complete = done == self._total
        terminal = self._total is not None and sys.stdout.isatty()
        if terminal and not complete:
            if now - self._drawn >= _BAR_SECONDS:
                self._drawn = now
                bar(done, self._total or 0, self._text(done, now - self._begin))
        elif tenth >= self._next_tenth or now - self._said >= _SILENT_SECONDS:
            self._next_tenth, self._said = tenth + 1, now
            line(self._text(done, now - self._begin))

    def _text(self, done: int, seconds: float) -> str:
        whole = "" if self._total is None else "/{}".format(self._total // self._scale)
        text = "{}{}{} {}".format(self._subject, done // self._scale, whole, self._unit)
        if done <= self._first:
            return text
        rate = (done - self._first) / max(seconds, 1e-9)
        shown = rate / self._scale
        text += (", {:.0f} {}/s" if shown >= 10 else ", {:.2f} {}/s").format(shown, self._unit)
        if self._total is not None:
            text += ", {} left".format(duration((self._total - done) / rate))
        return text
