"""Progress of a long loop: a bar that renews itself on a terminal, plain lines in a log."""

import sys

_muted = False


def mute():
    """Print nothing from now on, as ranks do whose work another one reports."""
    global _muted
    _muted = True


def line(text):
    """Print `text` on a line of its own, over a bar that may stand there."""
    if _muted:
        return
    if sys.stdout.isatty():
        sys.stdout.write("\r\x1b[K")
    print(text)
    sys.stdout.flush()


def bar(done, total, text):
    """Renew the bar; nothing at all where the output is not a terminal."""
    if _muted or not sys.stdout.isatty():
        return
    filled = 24 * done // max(total, 1)
    sys.stdout.write("\r\x1b[K[{}{}] {}/{} {}".format("#" * filled, "." * (24 - filled), done, total, text))
    sys.stdout.flush()


def duration(seconds):
    """Seconds as `42s`, `3m20s`, `2h05m`."""
    seconds = int(seconds)
    if seconds < 60:
        return "{}s".format(seconds)
    if seconds < 3600:
        return "{}m{:02d}s".format(seconds // 60, seconds % 60)
    return "{}h{:02d}m".format(seconds // 3600, seconds % 3600 // 60)
