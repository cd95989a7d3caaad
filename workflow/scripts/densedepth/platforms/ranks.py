"""Rank and number of processes of a distributed training, from the environment that a launcher sets."""

import dataclasses
import os
import re
from typing import List, Mapping, Optional, Tuple

from ..errors import PipelineError


@dataclasses.dataclass(frozen=True)
class Ranks:
    """This process among those that train together."""

    # From 0 to `size` - 1.
    rank: int
    size: int
    # Host and port where rank 0 listens; None for one process, and where the ranks meet through HCCL alone.
    master: Optional[Tuple[str, int]]
    # Descriptor of a socket that rank 0 has inherited, already listening there.
    listener: Optional[int]
    # Descriptor of memory that all ranks have inherited, see `shared_memory`; None where they are on several machines.
    memory: Optional[int]
    # TensorFlow's threads in this process.
    threads: int
    # Seconds without a heartbeat after which a rank counts as lost.
    timeout: float
    # Whether `launcher` watches the ranks.
    launched: bool


LAUNCHER = "DENSEDEPTH_LAUNCHER"
LISTENER = "DENSEDEPTH_LISTENER"
MASTER = "DENSEDEPTH_MASTER"
MEMORY = "DENSEDEPTH_MEMORY"
THREADS = "DENSEDEPTH_THREADS"

_SLURM_PORTS = (20000, 12000)


def find(environ: Mapping[str, str], timeout: float) -> Optional[Ranks]:
    """The `Ranks` that `environ` tells of, or None.

    Read are RANK_ID and RANK_SIZE, with DENSEDEPTH_MASTER as host:port of rank 0, or Slurm's variables of an srun step,
    where rank 0 is on the first node and the port follows from the job's number, or Ascend's CM_WORKER_SIZE. Raises
    PipelineError for values that cannot be used.
    """
    # The ranks of an Ascend job that its own launcher starts have no address, and watch each other through HCCL alone.
    by_table = False
    if "RANK_ID" in environ or "RANK_SIZE" in environ:
        rank, size = _number(environ, "RANK_ID"), _number(environ, "RANK_SIZE")
        by_table = "RANK_TABLE_FILE" in environ and MASTER not in environ
    elif "SLURM_PROCID" in environ and "SLURM_NTASKS" in environ:
        rank, size = _number(environ, "SLURM_PROCID"), _number(environ, "SLURM_NTASKS")
    elif "CM_WORKER_SIZE" in environ:
        # Those of an Ascend job without a rank table, who meet through HCCL alone, too.
        rank, size = _of_server(environ)
        by_table = MASTER not in environ
    else:
        return None
    if not 0 <= rank < size:
        raise PipelineError("rank {} of {}: ranks count from 0 to the number of ranks less 1".format(rank, size))
    listener = _number(environ, LISTENER) if LISTENER in environ and rank == 0 else None
    memory = _number(environ, MEMORY) if MEMORY in environ else None
    master = _master(environ) if size > 1 and not by_table else None
    return Ranks(rank, size, master, listener, memory, _threads(environ), timeout, LAUNCHER in environ)


def joined(environ: Mapping[str, str], is_distributed: bool, devices: int, timeout: float) -> Optional[Ranks]:
    """The `Ranks` of a process that is to train on `devices`; None for one that trains alone or starts the ranks.

    is_distributed: whether it was asked to be one of several ranks. Raises PipelineError where the environment says
    otherwise.
    """
    if not (is_distributed or LAUNCHER in environ):
        if environ.get("RANK_SIZE", "1") != "1":
            raise PipelineError(
                "RANK_SIZE = {RANK_SIZE} in the environment: give --is_distributed true to be one of these ranks, or "
                "unset it".format(**environ)
            )
        return None
    group = find(environ, timeout)
    if group is None and devices == 1:
        raise PipelineError(
            "--is_distributed true: neither RANK_ID and RANK_SIZE nor SLURM_PROCID and SLURM_NTASKS are set; give "
            "--devices N to start N processes on this machine"
        )
    if group is not None and devices not in (1, group.size):
        raise PipelineError("--devices {}: the environment sets up {} ranks".format(devices, group.size))
    return group


def _of_server(environ):
    """(rank, size) where CM_RANK numbers the servers, each of CM_LOCAL_WORKER devices, as Ascend's operator has it."""
    size = _number(environ, "CM_WORKER_SIZE")
    each = _number(environ, "CM_LOCAL_WORKER") if "CM_LOCAL_WORKER" in environ else size
    server = _number(environ, "CM_RANK") if "CM_RANK" in environ else 0
    device = _number(environ, "ASCEND_DEVICE_ID")
    if device >= each:
        raise PipelineError("ASCEND_DEVICE_ID = {}: the server has {} devices by CM_LOCAL_WORKER".format(device, each))
    return server * each + device, size


def _number(environ, name):
    word = environ.get(name, "")
    if not re.match(r"\d+$", word):
        raise PipelineError("{} = {!r} in the environment: must be a whole number".format(name, word))
    return int(word)


def _master(environ):
    if MASTER in environ:
        host, _, port = environ[MASTER].rpartition(":")
        if not host or not re.match(r"\d+$", port) or not 0 < int(port) < 65536:
            raise PipelineError("{} = {!r}: must be host:port of rank 0".format(MASTER, environ[MASTER]))
        return host, int(port)
    nodes = environ.get("SLURM_STEP_NODELIST") or environ.get("SLURM_JOB_NODELIST")
    if not nodes:
        raise PipelineError("several ranks, but no address: set {} to host:port of rank 0".format(MASTER))
    first, count = _SLURM_PORTS
    # The steps of a job may overlap, as may jobs on a shared node.
    step = environ.get("SLURM_STEP_ID", "0")
    offset = _number(environ, "SLURM_JOB_ID") * 8 + (int(step) if step.isdigit() else 0)
    return hosts(nodes)[0], first + offset % count


def _threads(environ):
    if THREADS in environ:
        return _number(environ, THREADS)
    usable = len(os.sched_getaffinity(0))
    if "SLURM_CPUS_PER_TASK" in environ:
        return max(1, min(usable, _number(environ, "SLURM_CPUS_PER_TASK")))
    return usable


def hosts(nodelist: str) -> List[str]:
    """The names in Slurm's short form, in order: `n[01-03,7],gpu5` is n01, n02, n03, n7, gpu5."""
    if not re.match(
        r"[^][,]*(\[[\d,-]+\][^][,]*)*(,[^][,]+(\[[\d,-]+\][^][,]*)*|,[^][,]*(\[[\d,-]+\][^][,]*)+)*$", nodelist
    ):
        raise PipelineError("node list {!r}: not in Slurm's form".format(nodelist))
    return [name for word in re.findall(r"(?:[^,[]|\[[^]]*\])+", nodelist) for name in _expanded(word)]


def _expanded(word):
    match = re.match(r"([^[]*)\[([^]]*)\](.*)$", word)
    if not match:
        return [word]
    names: List[str] = []
    for part in match.group(2).split(","):
        first, dash, last = part.partition("-")
        for number in range(int(first), int(last if dash else first) + 1):
            names.extend(match.group(1) + str(number).zfill(len(first)) + rest for rest in _expanded(match.group(3)))
    return names
