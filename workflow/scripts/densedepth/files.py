"""Files that are either complete or absent: atomic writes, checksums, locks."""

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
import time
from typing import Any, Iterable, Iterator

from .errors import PipelineError

_CHUNK = 1 << 20


@contextlib.contextmanager
def atomic_path(final: str) -> Iterator[str]:
    """Yield a temporary path beside `final`; it takes that name when the block ends well and vanishes when it does not.

    The content is flushed to the disk before the rename, so a power cut leaves the old file or the new one, never a
    half. Missing parent folders are made. Raises PipelineError where they cannot be, and where `final` is a folder.
    """
    folder, name = os.path.split(os.path.abspath(final))
    _make_folder(folder)
    if os.path.isdir(final):
        raise PipelineError("{}: expected the name of a file, got a folder".format(final))
    path = temporary(os.path.join(folder, "." + name))
    try:
        yield path
        replace(path, final)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.remove(path)
        raise


@contextlib.contextmanager
def atomic_folder(final: str) -> Iterator[str]:
    """Like `atomic_path` for a folder: `final` must not exist yet, or be one that may be replaced whole."""
    final = os.path.abspath(final)
    _make_folder(os.path.dirname(final))
    path = temporary(final)
    os.makedirs(path)
    try:
        yield path
        for name in os.listdir(path):
            _flush(os.path.join(path, name))
        shutil.rmtree(final, ignore_errors=True)
        os.rename(path, final)
        _flush(os.path.dirname(final))
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _make_folder(path):
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise PipelineError("{}: the folder cannot be made ({})".format(path, error.strerror)) from None


def temporary(stem: str) -> str:
    """A name for this process to write under; what processes that were killed have left under theirs is removed."""
    folder, name = os.path.split(stem + ".tmp-")
    for other in os.listdir(folder):
        process = other[len(name) :]
        if other.startswith(name) and process.isdigit() and not _alive(int(process)):
            path = os.path.join(folder, other)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    return stem + ".tmp-{}".format(os.getpid())


def _alive(process):
    """Whether another process of this number is there."""
    return process != os.getpid() and os.path.exists("/proc/{}".format(process))


def replace(path: str, final: str) -> None:
    """Rename `path` to `final` after its bytes have reached the disk."""
    _flush(path)
    os.replace(path, final)
    _flush(os.path.dirname(os.path.abspath(final)))


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot flush a folder; the rename itself is still atomic there.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def write_text(path: str, text: str) -> None:
    """Write `text` (UTF-8) to `path` atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)


def write_json(path: str, value: Any) -> None:
    """Write `value` to `path` atomically as indented JSON with sorted keys; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str) -> Any:
    """The value in the JSON file `path`, of finite numbers. Raises PipelineError when it is missing or not JSON, and
    for nesting and numbers that no file of ours has, with their key."""
    try:
        with open(path, encoding="utf-8") as stream:
            return parse_json(stream.read(), path)
    except FileNotFoundError:
        raise PipelineError("{}: no such file".format(path)) from None
    except OSError as error:
        raise PipelineError("{}: cannot be read ({})".format(path, error.strerror)) from None
    except ValueError as error:
        raise PipelineError("{}: not a JSON file ({})".format(path, error)) from None


def parse_json(text: str, source: str) -> Any:
    """As `read_json` for text; `source` leads the errors. Raises ValueError when it is not JSON."""
    try:
        value = json.loads(text)
    except RecursionError:
        raise PipelineError("{}: nested too deeply for a file of this project".format(source)) from None
    fault = _fault(value)
    if fault:
        raise PipelineError("{}: {}".format(source, fault))
    return value


# Lists and objects in one another, and the size of whole numbers.
_DEEPEST = 30
_LARGEST = 1 << 63


def _fault(value):
    """What is wrong with a value of JSON, whatever file it is of; None when nothing is. Not recursive."""
    level = [("", value)]
    for _ in range(_DEEPEST):
        below = []
        for key, one in level:
            if isinstance(one, (dict, list)):
                form, children = (".{}", one.items()) if isinstance(one, dict) else ("[{}]", enumerate(one))
                below += [(key + form.format(ascii(k)[:60]), v) for k, v in children if not isinstance(v, str)]
            elif isinstance(one, float) and not math.isfinite(one):
                return "{} is {}; a number must be finite".format(_place(key), one)
            elif isinstance(one, int) and abs(one) >= _LARGEST:
                return "{} is a number beyond 64 bits".format(_place(key))
        if not below:
            return None
        level = below
    return "{} is nested more than {} deep".format(_place(level[0][0]), _DEEPEST)


def _place(key):
    return key.lstrip(".").replace("'", "")[:120] or "the value"


def state(paths: Iterable[str]) -> str:
    """Hexadecimal digest of size and time of the files, none of them read; one may be missing."""
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = os.stat(path)
            facts = "{} {}\n".format(status.st_size, status.st_mtime_ns)
        except OSError:
            facts = "none\n"
        digest.update(facts.encode("ascii"))
    return digest.hexdigest()


def printable(name: str) -> str:
    """The name of a file as text that any output takes: bytes that are not UTF-8 become such as `\\xff`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def sha256(path: str) -> str:
    """Hexadecimal SHA-256 of the file's bytes, read in pieces."""
    return _digest(path, hashlib.sha256())


def md5(path: str) -> str:
    """Hexadecimal MD5 of the file's bytes, for comparison with published sums."""
    return _digest(path, hashlib.md5())


def _digest(path, state):
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(_CHUNK), b""):
            state.update(piece)
    return state.hexdigest()


@contextlib.contextmanager
def lock(path: str, purpose: str, patience: float = 0) -> Iterator[None]:
    """Hold an exclusive lock on the file `path` during the block.

    The system releases it when the process ends, however it ends. Raises PipelineError, naming the holder's process,
    when another process holds it for `patience` seconds. On a file system without locks a line says so, and the block
    runs.
    """
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "a+") as stream:
        deadline = time.monotonic() + patience
        while not _locked(stream):
            if time.monotonic() >= deadline:
                stream.seek(0)
                holder = stream.read().strip() or "unknown"
                raise PipelineError(
                    "{}: process {} is already {}; wait for it or stop it".format(path, holder, purpose)
                )
            time.sleep(0.1)
        stream.seek(0)
        stream.truncate()
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def _locked(stream):
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        # Such as Lustre where it is mounted without flock.
        if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
            raise
        print("{}: no locks here; see that no other process writes the same".format(stream.name), flush=True)
    return True
