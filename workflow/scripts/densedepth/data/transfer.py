"""One source of a file: brought to a partial file beside it, by attempts that continue each other."""

import contextlib
import errno
import http.client
import os
import re
import shutil
import socket
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Callable

from .. import files, metadata, progress
from ..errors import PipelineError
from . import checksums

# So many further attempts in a row may bring nothing new.
RETRIES = 4
TIMEOUT_SECONDS = 60
_LONGEST_PAUSE = 60
# Of a read that breaks all bytes are lost, so it is a small one.
_CHUNK = 1 << 16
# Statuses that may pass: timeout, too many requests, trouble within or behind the server.
_PASSING = (408, 429, 500, 502, 503, 504)
# Errors of a disk that takes no more: of all, of this user, of a file of this size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


# What is noted of a partial file: where it is from, and what tells the source's file from another.
NOTE = {
    "url": metadata.Text(),
    "etag?": metadata.Text(),
    "modified?": metadata.Text(),
    "total?": metadata.COUNT,
}


class Failure(Exception):
    """Why one source was given up."""


class _Broken(Exception):
    """A transfer that another attempt may finish, at the earliest after `wait` seconds."""

    def __init__(self, problem, wait=0):
        super().__init__(problem)
        self.wait = wait


class _Stale(_Broken):
    """The partial file is not of what the source has now: it must go, and another attempt begins again at once."""


def bring(url: str, part: str, pause: Callable[[float], Any]) -> None:
    """Bring `part` to the whole content of `url`."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise Failure("not an address ({})".format(error)) from None
    if parts.scheme == "":
        return _copy(os.path.expanduser(url), part)
    if parts.scheme == "file":
        return _copy(urllib.request.url2pathname(parts.path), part)
    if parts.scheme not in ("http", "https"):
        raise Failure("{} addresses are not supported; use http, https, file or a path".format(parts.scheme))
    _check_address(url, parts)
    _persist(url, part, pause)


def _check_address(url, parts):
    wrong = re.search("[^!-~]", url)
    if wrong:
        coded = urllib.parse.quote(wrong.group(), errors="surrogateescape")
        raise Failure("{!r} cannot stand in an address; write {} for it".format(wrong.group(), coded))
    if not parts.hostname:
        raise Failure("the address names no host")


def _copy(path, part):
    """Copy a local file. Half a copy does not stay, since none is ever continued."""
    if not os.path.isfile(path):
        raise Failure("no such file")
    forget(part)
    with _room(part, os.path.getsize(path)):
        try:
            shutil.copyfile(path, part)
        except OSError as error:
            forget(part)
            if error.errno in _FULL:
                raise
            raise Failure(error.strerror or str(error)) from None


@contextlib.contextmanager
def _room(part, total):
    """Refuse what the disk has no room for, before the block brings it; tell in one line of a disk that fills up.

    total: bytes of the whole file, None where they are not known.
    """
    folder, usage = os.path.dirname(part), shutil.disk_usage(os.path.dirname(part))
    missing = (total or 0) - _size(part)
    # Some network file systems tell no sizes at all.
    if missing > usage.free and usage.total:
        words = "{}: needs {} MB, {} MB are free in {}; free space and start again"
        raise PipelineError(words.format(whole(part), _megabytes(missing), usage.free >> 20, folder))
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        needs = "{} more MB are".format(_megabytes(total - _size(part))) if total else "an unknown number of MB is"
        words = "{}: {}; {} needed in {}; free space and start again"
        raise PipelineError(words.format(whole(part), error.strerror, needs, folder)) from None


def _megabytes(size):
    """Bytes as MB, rounded up."""
    return -(-size >> 20)


def _persist(url, part, pause):
    """Attempt after attempt; given up after some in a row that got no further than those before."""
    furthest, idle = _known(part, url)[1], 0
    while True:
        try:
            return _transfer(url, part)
        except _Broken as problem:
            size = _size(part)
            idle = 0 if size > furthest else idle + 1
            furthest = max(size, furthest)
            if idle > RETRIES:
                raise Failure("{}, after {} attempts that brought nothing".format(problem, idle)) from None
            wait = 0 if isinstance(problem, _Stale) else min(max(2 ** max(idle - 1, 0), problem.wait), _LONGEST_PAUSE)
            progress.line("{}: {}; {} bytes so far, again in {} s".format(url, problem, size, wait))
            pause(wait)


def _transfer(url, part):
    """One attempt: continue `part`, or begin it."""
    note, have = _known(part, url)
    try:
        response = _ask(url, note, have)
        if response is None:
            return
        with response:
            have, total = _begin(response, note, have)
            if not have:
                # The old bytes go before the new note comes: a note must never speak of other bytes.
                open(part, "wb").close()
                note = {}
            with _room(part, total):
                marks = {name: mark for name, mark in _marks(response.headers, total).items() if mark is not None}
                files.write_json(part + ".json", dict(note, url=url, **marks))
                _receive(response, part, have, total)
    except _Stale:
        forget(part)
        raise


def _ask(url, note, have):
    """The server's answer to a request for all that is missing; None when nothing is."""
    headers = {"User-Agent": "densedepth-pipeline", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = "bytes={}-".format(have)
        if _validator(note):
            # The server sends the whole file when it has changed since.
            headers["If-Range"] = _validator(note)
    try:
        return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            return _past_the_end(error, note, have)
        # Of a redirection to itself urllib tells in several lines.
        problem = "HTTP status {} ({})".format(error.code, " ".join(str(error.reason).split()))
        if error.code not in _PASSING:
            raise Failure(problem) from None
        asked = error.headers.get("Retry-After", "")
        raise _Broken(problem, int(asked) if asked.isdecimal() else 0) from None
    except urllib.error.URLError as error:
        problem = "{}{}".format(error.reason, _by_proxy(url))
        raise (Failure if _unknown_host(error.reason) and not have else _Broken)(problem) from None
    except (ValueError, http.client.InvalidURL) as error:
        # Also from the address that the server sends us on to.
        raise Failure("not an address ({})".format(shown(str(error)))) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_words(error)) from None


def _by_proxy(url):
    """By which proxy of the environment the address is asked, in words that follow an error; without its password."""
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return ""
    return " (by the proxy {} of the environment)".format(shown(proxy.rpartition("@")[2]))


def _unknown_host(reason):
    """Whether name service has said that there is no such host, so that the user should hear at once."""
    return isinstance(reason, socket.gaierror) and reason.errno != socket.EAI_AGAIN


def _past_the_end(error, note, have):
    """The answer to a range that begins where the file ends: complete, or the part is not of this file."""
    whole = re.match(r"bytes \*/(\d+)$", error.headers.get("Content-Range", "").strip())
    if not whole or int(whole.group(1)) != have or _changed(note, error.headers, have):
        raise _Stale("the partial file does not fit the source")


def _begin(response, note, have):
    """(bytes of the part to keep, size of the whole or None) by the server's answer."""
    if response.headers.get_content_type() == "text/html":
        raise Failure("a web page instead of the file")
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise Failure("the server sends the file encoded ({}), though asked not to".format(coding))
    if response.status != 206:
        # The whole file, whether or not a part was asked for.
        return 0, response.length
    found = re.match(r"bytes (\d+)-\d+/(\d+)$", response.headers.get("Content-Range", "").strip())
    if not found or int(found.group(1)) != have:
        raise _Stale("the server sent another range than asked for")
    total = int(found.group(2))
    if _changed(note, response.headers, total):
        raise _Stale("the file has changed at the source")
    return have, total


def _marks(headers, total):
    """What tells one file of the source from another; None where the server does not say."""
    return {"etag": headers.get("ETag"), "modified": headers.get("Last-Modified"), "total": total}


def _changed(note, headers, total):
    """Whether the source has another file than that of the note; what only one of them tells does not count."""
    return any(
        None not in (mark, note.get(name, mark)) and mark != note.get(name, mark)
        for name, mark in _marks(headers, total).items()
    )


def _validator(note):
    """What If-Range takes: an ETag that stands for the very bytes, else the time."""
    tag = note.get("etag")
    return tag if tag and not tag.startswith("W/") else note.get("modified")


def _receive(response, part, have, total):
    size = have
    report = progress.Progress(total, "MB", os.path.basename(whole(part)), scale=1 << 20, done=have)
    with open(part, "r+b" if have else "wb") as stream:
        stream.seek(have)
        while True:
            try:
                piece = response.read(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                stream.write(getattr(error, "partial", b""))
                raise _Broken(_words(error)) from None
            if not piece:
                break
            stream.write(piece)
            size += len(piece)
            report(size)
    cut_off = checksums.cut_off(part) if total is None else None
    if cut_off:
        # Without a length, a connection that breaks looks like one that ends.
        raise _Broken(cut_off)
    if total is not None and size < total:
        raise _Broken("the connection ended after {} of {} bytes".format(size, total))
    if total is not None and size > total:
        forget(part)
        raise Failure("{} bytes, but {} were announced".format(size, total))


def _words(error):
    return str(error) or type(error).__name__


def _known(part, url):
    """(what is noted of the partial file, its bytes); nothing of one from another address, or with a damaged note."""
    try:
        note = metadata.read(part + ".json", NOTE)
    except PipelineError:
        note = {"url": None}
    have = _size(part) if note["url"] == url else 0
    # What is noted of no bytes says nothing.
    return (note, have) if have else ({}, 0)


def forget(path: str) -> None:
    """Remove a file that may be there."""
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def whole(part: str) -> str:
    """The path of the file that `part` is one of."""
    folder, name = os.path.split(part)
    return os.path.join(folder, name[1:].rsplit(".", 2)[0])


def shown(text: str) -> str:
    """The address or path on one line."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)
