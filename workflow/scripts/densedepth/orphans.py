"""No program goes on when the Snakemake that started it is gone: its successor would write the same files."""

import os
import signal
import threading
import time

_SECONDS = 0.5
# Snakemake, the shell of the job, this process.
_GENERATIONS = 2


def end_with_snakemake():
    """Send this process SIGTERM soon after the Snakemake above it is gone; nothing where none is above it.

    A training saves its state then; other programs leave no result under its name.
    """
    snakemake = _snakemake()
    if snakemake:
        threading.Thread(target=_watch, args=(snakemake,), daemon=True).start()


def _snakemake():
    """The process of Snakemake that this one is a job of, or None."""
    process = os.getpid()
    for _ in range(_GENERATIONS):
        process = _parent(process)
        if process and _is_snakemake(process):
            return process
    return None


def _parent(process):
    for line in _lines(process, "status"):
        if line.startswith("PPid:"):
            return int(line.split()[1])
    return 0


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
