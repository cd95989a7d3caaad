"""Files from the network: several sources tried in turn, broken transfers resumed, checksums before the final name."""

import contextlib
import http.client
import os
import re
import shutil
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from . import files
from .errors import PipelineError

RETRIES = 4
TIMEOUT_SECONDS = 60
_CHUNK = 1 << 20
_PROGRESS_SECONDS = 5
# Statuses that may pass: timeout, too many requests, trouble within or behind the server.
_PASSING = (408, 429, 500, 502, 503, 504)


class _Failure(Exception):
    """Why one source was given up."""


class _Broken(Exception):
    """A transfer that another attempt may finish."""


def fetch(urls, out, sha256=None, md5=None, pause=time.sleep):
    """Get the file `out` from the first of `urls` that has it; returns how: "there", or the source used.

    `urls`: http(s) or file addresses, or local paths. A file that is already at `out` stays, without asking any
    source, when its checksum fits or none is given. Bytes so far are kept in `.NAME.part` beside `out` and taken up
    again, also by a later call. `pause(seconds)` waits between attempts. Raises PipelineError, naming what was wrong
    with each source, when none works, and for a file at `out` that has another checksum.
    """
    if os.path.exists(out):
        return _keep(out, sha256, md5)
    folder, name = os.path.split(os.path.abspath(out))
    os.makedirs(folder, exist_ok=True)
    part = os.path.join(folder, ".{}.part".format(name))
    with files.lock(part + ".lock", "downloading this file"):
        problems = []
        for url in urls:
            try:
                _fetch_one(url, part, pause)
                _verify(part, sha256, md5)
            except _Failure as failure:
                problems.append("{}: {}".format(url, failure))
                print("{}: {}".format(url, failure), flush=True)
                continue
            files.replace(part, out)
            _forget(part + ".json")
            _forget(part + ".lock")
            print("{}: {} bytes from {}".format(out, os.path.getsize(out), url), flush=True)
            return url
    raise PipelineError(
        "{}: no source worked ({}); put the file there by hand, or give another address".format(
            out, "; ".join(problems) or "none given"
        )
    )


def _keep(out, sha256, md5):
    try:
        _verify(out, sha256, md5, remove=False)
    except _Failure as failure:
        raise PipelineError(
            "{}: already there, but {}; remove it to download it again, or correct the sum".format(out, failure)
        ) from None
    checked = "its checksum fits" if sha256 or md5 else "no checksum to compare"
    print(
        "{}: already there ({} bytes, {}); nothing to download".format(out, os.path.getsize(out), checked), flush=True
    )
    return "there"


def _verify(path, sha256, md5, remove=True):
    """Compare the sums; a wrong file is removed, since no resumption can mend it."""
    for name, wanted, digest in (("SHA-256", sha256, files.sha256), ("MD5", md5, files.md5)):
        if not wanted:
            continue
        found = digest(path)
        if found != wanted.strip().lower():
            size = os.path.getsize(path)
            if remove:
                _forget(path)
            raise _Failure("{} is {} where {} belongs ({} bytes)".format(name, found, wanted, size))


def _fetch_one(url, part, pause):
    """Bring `part` to the whole content of `url`."""
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme in ("", "file"):
        return _copy(urllib.request.url2pathname(urllib.parse.urlsplit(url).path) if scheme else url, part)
    if scheme not in ("http", "https"):
        raise _Failure("{} addresses are not understood; http, https, file or a path are".format(scheme))
    for attempt in range(RETRIES + 1):
        try:
            return _transfer(url, part)
        except _Broken as problem:
            if attempt == RETRIES:
                raise _Failure("{}, after {} attempts".format(problem, attempt + 1)) from None
            wait = 2**attempt
            print("{}: {}; {} bytes so far, again in {} s".format(url, problem, _size(part), wait), flush=True)
            pause(wait)


def _copy(path, part):
    if not os.path.isfile(path):
        raise _Failure("no such file")
    shutil.copyfile(path, part)
    _forget(part + ".json")


def _transfer(url, part):
    """One attempt: continue `part`, or begin it."""
    note = _note(part)
    # Bytes of another source are not continued: the two may be different files.
    have = _size(part) if note.get("url") == url else 0
    headers = {"User-Agent": "densedepth-pipeline", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = "bytes={}-".format(have)
        if note.get("validator"):
            # The server sends the whole file when it has changed since.
            headers["If-Range"] = note["validator"]
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:
            return _past_the_end(error, part, have)
        problem = "HTTP status {} ({})".format(error.code, error.reason)
        raise (_Broken if error.code in _PASSING else _Failure)(problem) from None
    except urllib.error.URLError as error:
        # Without name service no attempt helps; the user should hear at once.
        raise (_Failure if isinstance(error.reason, socket.gaierror) else _Broken)(str(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_words(error)) from None
    with response:
        have, total = _begin(response, have)
        files.write_json(part + ".json", {"url": url, "validator": _validator(response)})
        _receive(response, part, have, total)


def _past_the_end(error, part, have):
    """The answer to a range that begins where the file ends: complete, or the part is not of this file."""
    if error.headers.get("Content-Range", "").strip() == "bytes */{}".format(have):
        return
    _forget(part)
    raise _Broken("the partial file does not fit the source")


def _begin(response, have):
    """(bytes of the part to keep, size of the whole or None) by the server's answer."""
    if response.headers.get_content_type() == "text/html":
        raise _Failure("a web page instead of the file")
    length = response.headers.get("Content-Length")
    if response.status == 206:
        match = re.match(r"bytes (\d+)-\d+/(\d+)$", response.headers.get("Content-Range", "").strip())
        if not match or int(match.group(1)) != have:
            raise _Failure("the server sent another range than asked for")
        return have, int(match.group(2))
    # The whole file, whether or not a part was asked for.
    return 0, int(length) if length and length.isdigit() else None


def _validator(response):
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _receive(response, part, have, total):
    begin = said = time.time()
    size = have
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
            now = time.time()
            if now - said > _PROGRESS_SECONDS:
                said = now
                rate = (size - have) / (now - begin)
                print("{}/{} MB, {:.2f} MB/s".format(size >> 20, (total or 0) >> 20 or "?", rate / 2**20), flush=True)
    if total is not None and size < total:
        raise _Broken("the connection ended after {} of {} bytes".format(size, total))
    if total is not None and size > total:
        _forget(part)
        raise _Failure("{} bytes where {} were announced".format(size, total))


def _words(error):
    return str(error) or type(error).__name__


def _note(part):
    """What is known of the partial file; nothing when there is none, or the note is damaged."""
    try:
        return files.read_json(part + ".json")
    except PipelineError:
        return {}


def _forget(path):
    with contextlib.suppress(FileNotFoundError):
        os.remove(path)


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0
