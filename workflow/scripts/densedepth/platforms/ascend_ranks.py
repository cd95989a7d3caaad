"""Which rank a process of an Ascend job is: by a rank table and RANK_*, or by CM_*, never by both.

With CM_CHIEF_IP, CM_CHIEF_PORT, CM_CHIEF_DEVICE, CM_WORKER_SIZE and CM_WORKER_IP the engine needs no rank table and
refuses RANK_TABLE_FILE, RANK_ID and RANK_SIZE (the vendor's environment variables for TensorFlow, 910 and A2). It
numbers the ranks itself, so the number that the host goes by here decides only which samples a rank sees, and who
writes.
"""

import ipaddress
import re
from typing import Any, Callable, Dict, Mapping, MutableMapping, Optional, Tuple

from .. import progress
from ..errors import PipelineError
from . import ascend_rank_table

_CHIEF = ("CM_CHIEF_IP", "CM_CHIEF_PORT", "CM_CHIEF_DEVICE", "CM_WORKER_SIZE", "CM_WORKER_IP")
_LIMITS = {"CM_CHIEF_PORT": 65520, "CM_CHIEF_DEVICE": 15, "CM_WORKER_SIZE": 32768}
_TABLE = ("RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE")


def chief(environ: Mapping[str, str]) -> Optional[int]:
    """The number of ranks by CM_WORKER_SIZE; None where no CM_* is set.

    Raises PipelineError where one of the five is missing or cannot be used, and where a rank table is given, too.
    """
    given = [name for name in _CHIEF if environ.get(name)]
    if not given:
        return None
    for name in _CHIEF:
        if name not in given:
            raise PipelineError("{} is set but not {}; the five CM_* go together".format(given[0], name))
        value = environ[name]
        if name.endswith("_IP"):
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise PipelineError("{} = {!r}: must be an IP address".format(name, value)) from None
        elif not re.match(r"\d+$", value) or int(value) > _LIMITS[name]:
            raise PipelineError("{} = {!r}: must be 0 to {}".format(name, value, _LIMITS[name]))
    if environ.get("RANK_TABLE_FILE"):
        raise PipelineError(
            "CM_CHIEF_IP and RANK_TABLE_FILE are both set: the engine takes one or the other; unset one"
        )
    if environ["CM_WORKER_SIZE"] == "0":
        raise PipelineError("CM_WORKER_SIZE = 0: must be at least 1")
    return int(environ["CM_WORKER_SIZE"])


def local(rank: int, size: int, environ: Mapping[str, str]) -> Dict[str, str]:
    """What the environment of rank `rank` of `size` on this machine needs more, where CM_* are set."""
    if chief(environ) != size:
        raise PipelineError(
            "CM_WORKER_SIZE = {} for {} devices: for several machines, start a process for each device with "
            "--is_distributed true".format(environ["CM_WORKER_SIZE"], size)
        )
    return {"ASCEND_DEVICE_ID": str(rank), "DEVICE_ID": str(rank)}


def place(environ: MutableMapping[str, str], ranks: Any, slurm: Callable[..., Dict[str, str]]) -> Tuple[int, int]:
    """(rank, size) of this process; leaves in `environ` what the engine is to read, and no more.

    ranks: the `ranks.Ranks` of a launcher, or None for one that trains alone. slurm: the variables for (rank, size,
    path of the table), where only Slurm's own name the rank. Raises PipelineError for what the engine would trip on.
    """
    together = chief(environ)
    if ranks is None:
        # With either the engine would turn HCCL on.
        for name in ("RANK_TABLE_FILE", *(_CHIEF if together else ())):
            if environ.pop(name, ""):
                progress.line("{} is ignored: one device trains alone".format(name))
    elif together:
        if together != ranks.size:
            raise PipelineError("CM_WORKER_SIZE = {}, the launcher says {} ranks".format(together, ranks.size))
        for name in _TABLE:
            environ.pop(name, None)
        return ranks.rank, ranks.size
    elif "RANK_SIZE" not in environ:
        # Slurm has told the rank; the engine wants it under its own names.
        environ.update(slurm(ranks.rank, ranks.size, environ.get("RANK_TABLE_FILE")))
    rank, size = ascend_rank_table.placement(environ)
    if ranks is not None and (ranks.rank, ranks.size) != (rank, size):
        raise PipelineError(
            "RANK_ID and RANK_SIZE say rank {} of {}, the launcher says {} of {}".format(
                rank, size, ranks.rank, ranks.size
            )
        )
    return rank, size
