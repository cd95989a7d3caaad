"""Files from the network: several sources tried in turn, broken transfers resumed, checksums before the final name.

Proxies are those of the environment (http_proxy, https_proxy, no_proxy), as urllib takes them.
"""

import contextlib
import http.client
import os
import re
import shutil
import socket
import struct
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile

from . import files, progress
from .errors import PipelineError

RETRIES = 4
TIMEOUT_SECONDS = 60
# Beside the files, what those looked like that have no published checksum.
SEEN = "checksums.json"
_LONGEST_PAUSE = 60
_CHUNK = 1 << 20
_PROGRESS_SECONDS = 5
# Statuses that may pass: timeout, too many requests, trouble within or behind the server.
_PASSING = (408, 429, 500, 502, 503, 504)


class _Failure(Exception):
    """Why one source was given up."""


class _Broken(Exception):
    """A transfer that another attempt may finish, at the earliest after `wait` seconds."""

    def __init__(self, problem, wait=0):
        super().__init__(problem)
        self.wait = wait


class Sums:
    """What a file must be: `sha256` or `md5`, and `size` in bytes, each None where it is not known.

    older: MD5 sums of an older release of the file, which is taken with a warning.
    """

    def __init__(self, sha256=None, md5=None, size=None, older=()):
        self.sha256 = sha256 and sha256.strip().lower()
        self.md5 = md5 and md5.strip().lower()
        self.size = size
        self.older = [sum.strip().lower() for sum in older]

    @property
    def known(self):
        return bool(self.sha256 or self.md5)

    def problem(self, path):
        """What is wrong with the file, or None."""
        size = os.path.getsize(path)
        if self.size is not None and size != self.size:
            return "it has {} bytes where {} belong".format(size, self.size)
        for name, wanted, digest in (("SHA-256", self.sha256, files.sha256), ("MD5", self.md5, files.md5)):
            found = digest(path) if wanted else None
            if found == wanted:
                continue
            if name == "MD5" and found in self.older:
                print("{}: warning: an older release of this file (MD5 {})".format(path, found), flush=True)
                continue
            return "{} is {} where {} belongs ({} bytes)".format(name, found, wanted, size)
        return None if self.known else _cut_off(path)


def fetch(urls, out, sums=None, pause=time.sleep, cache=None):
    """Get the file `out` from the first of `urls` that has it; returns how: "there", or the source used.

    `urls`: http(s) or file addresses, or local paths. `cache`: a folder that may hold the file under its name; it is
    looked into first and never written to. A file that is already at `out` stays, without asking any source, when it
    fits `sums`. Without a known checksum the first one seen is noted in `SEEN` beside `out`, and a file that differs
    is refused from then on. Bytes so far are kept in `.NAME.part` beside `out` and taken up again, also by a later
    call. `pause(seconds)` waits between attempts. Raises PipelineError, naming what was wrong with each source, when
    none works, and for a file at `out` that does not fit.
    """
    sums = sums or Sums()
    folder, name = os.path.split(os.path.abspath(out))
    if os.path.exists(out):
        return _keep(out, sums)
    if cache and os.path.isfile(os.path.join(cache, name)):
        urls = [os.path.join(cache, name)] + list(urls)
    os.makedirs(folder, exist_ok=True)
    part = os.path.join(folder, ".{}.part".format(name))
    with files.lock(part + ".lock", "downloading this file"):
        problems = []
        for url in urls:
            try:
                _fetch_one(url, part, pause)
                _verify(part, sums, out)
            except _Failure as failure:
                problems.append("{}: {}".format(url, failure))
                print("{}: {}".format(url, failure), flush=True)
                continue
            if not sums.known:
                _note_seen(part, out)
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


def _keep(out, sums):
    problem = sums.problem(out) or (None if sums.known else _other_than_seen(out, out))
    if problem:
        raise PipelineError(
            "{}: already there, but {}; remove it to download it again, or correct the sum".format(out, problem)
        )
    checked = "its checksum fits" if sums.known else "no published checksum"
    print(
        "{}: already there ({} bytes, {}); nothing to download".format(out, os.path.getsize(out), checked), flush=True
    )
    return "there"


def _verify(part, sums, out):
    """Refuse what does not fit; a wrong file is removed, since no resumption can mend it."""
    problem = sums.problem(part) or (None if sums.known else _other_than_seen(part, out))
    if problem:
        _forget(part)
        raise _Failure(problem)


def _seen(out):
    """{name: SHA-256} of the files without a published checksum in the folder of `out`."""
    path = os.path.join(os.path.dirname(os.path.abspath(out)), SEEN)
    return files.read_json(path) if os.path.exists(path) else {}


def _other_than_seen(path, out):
    noted = _seen(out).get(os.path.basename(out))
    if noted is None:
        return None
    found = files.sha256(path)
    if found == noted:
        return None
    return "SHA-256 is {}, but {} was seen first; if the file was meant to change, take its line out of {}".format(
        found, noted, os.path.join(os.path.dirname(out), SEEN)
    )


def _note_seen(path, out):
    folder, name = os.path.split(os.path.abspath(out))
    # Downloads of several files end at the same time.
    with files.lock(os.path.join(folder, "." + SEEN + ".lock"), "noting a checksum", patience=60):
        files.write_json(os.path.join(folder, SEEN), dict(_seen(out), **{name: files.sha256(path)}))


def _cut_off(path):
    """What is wrong with a zip or HDF5 file that says itself that there must be more of it, or None."""
    with open(path, "rb") as stream:
        head = stream.read(1024)
    if head[:4] == b"PK\x03\x04" and not zipfile.is_zipfile(path):
        return "the zip file is cut off ({} bytes)".format(os.path.getsize(path))
    # MATLAB puts 512 bytes of its own before the HDF5 file.
    for start in (0, 512):
        if head[start : start + 8] != b"\x89HDF\r\n\x1a\n":
            continue
        # The place of the end address in the superblock, by its version: HDF5 File Format Specification, II.A.
        place = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[start + 8])
        end = struct.unpack_from("<Q", head, start + place)[0] if place else 0
        if end > os.path.getsize(path):
            return "the HDF5 file is cut off ({} of {} bytes)".format(os.path.getsize(path), end)
    return None


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
            wait = min(max(2**attempt, problem.wait), _LONGEST_PAUSE)
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
        if error.code not in _PASSING:
            raise _Failure(problem) from None
        asked = error.headers.get("Retry-After", "")
        raise _Broken(problem, int(asked) if asked.isdigit() else 0) from None
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
                left = ", {} left".format(progress.duration((total - size) / max(rate, 1))) if total else ""
                print(
                    "{}/{} MB, {:.2f} MB/s{}".format(size >> 20, (total or 0) >> 20 or "?", rate / 2**20, left),
                    flush=True,
                )
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
