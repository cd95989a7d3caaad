"""Files from the network: several sources tried in turn, broken transfers resumed, checksums before the final name.

Proxies are those of the environment (http_proxy, https_proxy, no_proxy), as urllib takes them.
"""

import hashlib
import os
import re
import time
from typing import Any, Callable, Iterable, Optional

from .. import files, progress
from ..errors import PipelineError
from . import checksums, transfer

# Seconds for the process of a killed Snakemake to end, which still has the lock.
_PATIENCE = 10


def fetch(
    urls: Iterable[str],
    out: str,
    sums: Optional[checksums.Sums] = None,
    pause: Callable[[float], Any] = time.sleep,
    cache: Optional[str] = None,
) -> str:
    """Get the file `out` from the first of `urls` that has it; returns how: "there", or the source used.

    `urls`: http(s) or file addresses, or local paths. `cache`: a folder that may hold the file under its name; it is
    looked into first and never written to. `~` stands for the home folder in both. A file that is already at `out`
    stays, without asking any source, when it fits `sums`. Without a known checksum the file must be what its suffix
    says, the first checksum seen is noted in `checksums.SEEN` beside `out`, and a file that differs is refused from
    then on. Bytes so far are kept beside `out`, those of each source in a file of their own, and taken up again, also
    by a later call. `pause(seconds)` waits between attempts. Raises PipelineError, naming what was wrong with each
    source, when none works, for a file at `out` that does not fit or is a link to nothing, and for a full disk.
    """
    sums = sums or checksums.Sums()
    problem = _dangling(out)
    if problem:
        raise PipelineError(problem)
    if os.path.exists(out):
        return _keep(out, sums)
    folder, name = os.path.split(os.path.abspath(out))
    os.makedirs(folder, exist_ok=True)
    sources = _cached(cache, name) + list(urls)
    with files.lock(os.path.join(folder, ".{}.part.lock".format(name)), "downloading this file", _PATIENCE):
        # Whoever had the lock before may have brought it.
        return _keep(out, sums) if os.path.exists(out) else _fetch_any(sources, out, sums, pause)


def _dangling(path):
    """What is wrong when the path or its folder is a symbolic link to nothing, or None."""
    for place in (os.path.dirname(path), path):
        if os.path.lexists(place) and not os.path.exists(place):
            return "{}: is a link to {}, which is not there; is the disk mounted?".format(place, os.readlink(place))
    return None


def _cached(folder, name):
    """The file of this name in the cache, as a list of one or none."""
    if not folder:
        return []
    folder = os.path.expanduser(folder)
    if not os.path.isdir(folder):
        print(
            "{}: the folder of earlier downloads is missing; continuing without it".format(transfer.shown(folder)),
            flush=True,
        )
    path = os.path.join(folder, name)
    return [path] if os.path.isfile(path) else []


def _fetch_any(sources, out, sums, pause):
    """Bring `out` from the first source that works; returns which."""
    problems = []
    for url in sources:
        part = _part(out, url)
        try:
            transfer.bring(url, part, pause)
            _verify(part, sums, out)
        except transfer.Failure as failure:
            problems.append("{}: {}".format(transfer.shown(url), failure))
            progress.line(problems[-1])
            continue
        if not sums.known:
            checksums.note_seen(part, out)
        files.replace(part, out)
        _forget_parts(out)
        progress.line("{}: {} bytes from {}".format(out, os.path.getsize(out), transfer.shown(url)))
        return url
    raise PipelineError(
        "{}: no source worked ({}); put the file there by hand, or give another address".format(
            out, "; ".join(problems) or "none given"
        )
    )


def _part(out, url):
    """Where the bytes of this source are kept; what is known of them is in a note, `.json` after the same name."""
    folder, name = os.path.split(os.path.abspath(out))
    source = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return os.path.join(folder, ".{}.{}.part".format(name, source))


def _forget_parts(out):
    """Remove what has come from any source, with notes and lock; also from the time when all shared `.NAME.part`."""
    folder, name = os.path.split(os.path.abspath(out))
    ours = re.compile(r"\.\.?{}(\.[0-9a-f]{{8}})?\.part(\..+)?".format(re.escape(name)))
    for other in os.listdir(folder):
        if ours.fullmatch(other):
            transfer.forget(os.path.join(folder, other))


def _keep(out, sums):
    problem = checksums.problem(out, sums, out)
    if problem:
        raise PipelineError(
            "{}: already there, but {}; remove it to download it again, or correct the sum".format(out, problem)
        )
    checked = "checksum matches" if sums.known else "no published checksum"
    print(
        "{}: already there ({} bytes, {}); nothing to download".format(out, os.path.getsize(out), checked), flush=True
    )
    return "there"


def _verify(part, sums, out):
    """Refuse what does not fit; a wrong file is removed, since no resumption can mend it."""
    problem = checksums.problem(part, sums, out)
    if problem:
        transfer.forget(part)
        raise transfer.Failure(problem)
