"""Ranks on this machine: started, watched and ended together."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Dict, Sequence

from .. import orphans
from ..errors import PipelineError
from . import heartbeat, ranks, shared_memory

# Seconds that the other ranks have for their own messages when one has failed.
_GRACE = 2.0
# Seconds between two looks at the ranks.
_LOOK = 0.05
# Statuses of ranks that end together: done, or asked to end.
_ORDERLY = (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
_PR_SET_PDEATHSIG = 1


class _Rank(subprocess.Popen):
    """The process of a rank; all but rank 0 have a thread that copies their standard error."""

    copier: threading.Thread


def run(command: Sequence[str], environments: Sequence[Dict[str, str]], timeout: float, folder: str) -> int:
    """Run `command` in a process for each of `environments`, ranks from 0; returns when all have ended.

    Each rank's environment has its {name: text}, its rank, and the address of rank 0.

    Standard output is rank 0's, that of the others is added to `rank_folder(folder, rank)`/log; what they write to
    standard error gets `[rank]` in front. SIGTERM and SIGINT are handed on to all ranks; whichever gets a signal, all
    end after the same step. Returns 0, or 128 plus the signal's number after such an end.
    Raises PipelineError naming the rank and the cause when one fails; by then none is left. `timeout`: see
    `ranks.Ranks`; a rank that is stopped for so long after another has ended has failed.
    """
    count = len(environments)
    if count > 128 - heartbeat.LOST:
        raise PipelineError("{} devices: at most {} on one machine".format(count, 128 - heartbeat.LOST))
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(count)
    memory = shared_memory.create()
    received = []
    handlers = {s: signal.signal(s, lambda number, _: received.append(number)) for s in (signal.SIGTERM, signal.SIGINT)}
    processes = []
    try:
        with listener, contextlib.ExitStack() as stack:
            if memory is not None:
                stack.callback(os.close, memory)
            for rank in range(count):
                processes.append(_start(command, rank, environments, listener, memory, folder))
        return _watch(processes, received, timeout)
    finally:
        for process in processes:
            _kill(process)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def rank_folder(folder: str, rank: int) -> str:
    """The folder below `folder` for what process `rank` leaves besides results."""
    return os.path.join(os.path.abspath(folder), "rank{}".format(rank))


def enter_folder(folder: str, rank: int) -> None:
    """Work in `rank_folder` from now on, as a rank must whose compiler writes files of fixed names where it works."""
    if os.environ.get("RANK_TABLE_FILE"):
        os.environ["RANK_TABLE_FILE"] = os.path.abspath(os.environ["RANK_TABLE_FILE"])
    folder = rank_folder(folder, rank)
    os.makedirs(folder, exist_ok=True)
    os.chdir(folder)


def _start(command, rank, environments, listener, memory, folder):
    count = len(environments)
    environ = dict(os.environ, RANK_ID=str(rank), RANK_SIZE=str(count))
    environ.update(environments[rank])
    environ[ranks.MASTER] = "127.0.0.1:{}".format(listener.getsockname()[1])
    environ[ranks.LAUNCHER] = str(os.getpid())
    environ[ranks.LISTENER] = str(listener.fileno())
    environ[ranks.THREADS] = str(max(1, len(os.sched_getaffinity(0)) // count))
    environ["CUDA_VISIBLE_DEVICES"] = _device(rank)
    passed = [listener.fileno()] if rank == 0 else []
    if memory is not None:
        environ[ranks.MEMORY] = str(memory)
        passed.append(memory)
    with contextlib.ExitStack() as stack:
        streams: Dict[str, Any] = {}
        if rank > 0:
            log = os.path.join(rank_folder(folder, rank), "log")
            os.makedirs(os.path.dirname(log), exist_ok=True)
            streams = {"stdout": stack.enter_context(open(log, "ab")), "stderr": subprocess.PIPE}
        process = _Rank(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            pass_fds=passed,
            # A group of its own: what a rank starts ends with it.
            start_new_session=True,
            **streams,
        )
    if rank > 0:
        process.copier = threading.Thread(target=_copy, args=(process.stderr, rank), daemon=True)
        process.copier.start()
    return process


def _device(rank):
    """The GPU of a rank: one of those that this process may use."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return str(rank)
    # An empty list means none, for a rank as for this process.
    names = [name for name in visible.split(",") if name]
    return names[rank % len(names)] if names else ""


def _copy(stream, rank):
    for line in stream:
        sys.stderr.write("[{}] {}".format(rank, line.decode("utf-8", "replace")))
        sys.stderr.flush()


def _watch(processes, received, timeout):
    handed_on = 0
    stopped = [0] * len(processes)
    while True:
        for _ in received[handed_on:]:
            handed_on += 1
            for process in processes:
                # Ranks end in order on SIGTERM alone.
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
        ends = [process.poll() for process in processes]
        if any(end is not None and end not in _ORDERLY for end in ends):
            return _fail(processes, ends, received, timeout)
        if None not in ends:
            _drain(processes)
            return 128 + received[0] if received and any(ends) else max(ends)
        # While all train they watch each other; of one that is stopped after another has ended, only this notices.
        for rank, process in enumerate(processes if any(end is not None for end in ends) else ()):
            stopped[rank] = stopped[rank] + 1 if orphans.status(process.pid, "State") == "T" else 0
            if stopped[rank] * _LOOK > timeout:
                raise _failure(rank, heartbeat.LOST + rank, timeout, len(processes))
        time.sleep(_LOOK)


def _fail(processes, ends, received, timeout):
    """End what is left; the error that names the rank that failed first."""
    deadline = time.monotonic() + _GRACE
    while time.monotonic() < deadline and any(process.poll() is None for process in processes):
        time.sleep(0.05)
    for process in processes:
        _kill(process)
    _drain(processes)
    if received and all(end in (None, -signal.SIGTERM) + _ORDERLY for end in ends):
        # Asked to end before it had begun to train.
        return 128 + received[0]
    failed = [(end > 0, rank, end) for rank, end in enumerate(ends) if end not in (None,) + _ORDERLY]
    # Others may fail in the wake of a killed one.
    _, rank, end = min(failed)
    raise _failure(rank, end, timeout, len(processes))


def _failure(rank, end, timeout, count):
    cause = _cause(rank, end, timeout, count)
    return PipelineError("{}; all ranks have ended. Repeat the command to resume".format(cause))


def _cause(rank, end, timeout, count):
    if end < 0:
        return "rank {} was ended by {}".format(rank, signal.Signals(-end).name)
    if heartbeat.LOST <= end < heartbeat.LOST + count:
        return "rank {} sent no heartbeat for {:g} s".format(end - heartbeat.LOST, timeout)
    return "rank {} ended with status {}, see its message above".format(rank, end)


def _kill(process):
    """End a rank and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _drain(processes):
    for process in processes[1:]:
        process.copier.join(timeout=5)


def end_with_launcher() -> None:
    """In a rank: terminate with the launcher, however that ends; nothing without a launcher."""
    launcher = os.environ.get(ranks.LAUNCHER)
    if launcher is None:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(launcher):
        os._exit(1)
