"""Terminate with the parent Snakemake, and wait for a predecessor that still writes: both write the same files."""

import fcntl
import os
import signal
import stat
import sys
import threading
import time
from typing import Optional

from .errors import PipelineError

_SECONDS = 0.5
# Seconds for a predecessor to end, which handles no signal while it loads TensorFlow.
_PATIENCE = 60
# Snakemake, the shell of the job, this process.
_GENERATIONS = 2


def end_with_snakemake() -> None:
    """Send this process SIGTERM soon after its parent Snakemake has ended; nothing where it has none.

    A training then saves its state; other programs leave no result under its name. First wait for a process that still
    writes the same log, which a killed Snakemake may have left behind. Raises PipelineError when it does not end.
    """
    snakemake = _snakemake()
    if snakemake:
        _wait_for_predecessor(sys.stdout.fileno())
        threading.Thread(target=_watch, args=(snakemake,), daemon=True).start()


def _wait_for_predecessor(log):
    """Lock the log of this job; the system unlocks it when the process and its helpers have ended."""
    if not stat.S_ISREG(os.fstat(log).st_mode):
        return
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise PipelineError("another process still writes this log; wait for it or stop it") from None
            time.sleep(0.1)
        except OSError:
            # Not every network file system has locks.
            return


def _snakemake():
    """The process of Snakemake that this one is a job of, or None."""
    process = os.getpid()
    for _ in range(_GENERATIONS):
        process = _parent(process)
        if process and _is_snakemake(process):
            return process
    return None


def _parent(process):
    return int(status(process, "PPid") or 0)


def status(process: int, field: str) -> Optional[str]:
    """The first word of `field` in what the system tells of the process; None when it has ended."""
    for line in _lines(process, "status"):
        if line.startswith(field + ":"):
            return line.split()[1]
    return None


def _is_snakemake(process):
    # `python snakemake ...` or `python -m snakemake ...`; a process that has ended has no words left.
    words = "".join(_lines(process, "cmdline")).split("\0")[:3]
    return any(os.path.basename(word) == "snakemake" for word in words)


def _lines(process, name):
    try:
        with open("/proc/{}/{}".format(process, name)) as stream:
            return stream.readlines()
    except OSError:
        return []


def _watch(snakemake):
    while _is_snakemake(snakemake):
        time.sleep(_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
