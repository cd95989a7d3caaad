"""The digests of the files that a program depends on, in one small file that stands for them as an input of a rule.

Snakemake looks at each input of each job, so fifty modules would take most of the time of a plan of many runs.
"""

import hashlib
import os
from typing import Dict, Iterable, List

from . import files
from .errors import PipelineError


def write(path: str, sources: Iterable[str], root: str) -> None:
    """List the SHA-256 of `sources`, named relative to `root`, in `path`, which is left alone where it says the same.

    A file that is not there yet gets the time of the newest source: results without Snakemake's record of them are
    newer or older than their code by that. Beside it, `earlier` keeps each content for `changed`.
    """
    sources = list(sources)
    text = "".join("{}  {}\n".format(files.sha256(source), os.path.relpath(source, root)) for source in sources)
    new = not os.path.exists(path)
    if not new and _text(path) == text:
        return
    files.write_text(path, text)
    if new:
        newest = max(os.stat(source).st_mtime_ns for source in sources)
        os.utime(path, ns=(newest, newest))
    files.write_text(_earlier(path, hashlib.sha256(text.encode("utf-8")).hexdigest()), text)


def changed(path: str, digest: str) -> List[str]:
    """The files that differ between `path` as it is and as it was when its own SHA-256 was `digest`, sorted.

    None where that content is not known, as after `earlier` was deleted.
    """
    kept = _earlier(path, digest)
    if not os.path.exists(kept):
        return []
    now, before = _table(path), _table(kept)
    return sorted(name for name in {*now, *before} if now.get(name) != before.get(name))


def _earlier(path: str, digest: str) -> str:
    return os.path.join(os.path.dirname(path), "earlier", digest)


def _table(path: str) -> Dict[str, str]:
    """{file: its digest} of a list."""
    pairs = (line.split("  ", 1) for line in _text(path).splitlines())
    return {name: digest for digest, name in pairs}


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except OSError as error:
        raise PipelineError("{}: cannot be read ({})".format(path, error.strerror)) from None
