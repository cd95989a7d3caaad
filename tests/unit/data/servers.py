"""A server on this machine that misbehaves in the ways servers do, and what is asked of it."""

import collections
import hashlib
import http.server
import io
import json
import os
import zipfile

import pytest
from densedepth.data.checksums import Sums
from densedepth.data.download import fetch
from densedepth.errors import PipelineError

CONTENT = bytes(range(256)) * 4000
OTHER = CONTENT[::-1]
HALF = len(CONTENT) // 2
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """The path says what happens: /good, /break (ends early until asked for a range), /norange, /404, /page ...

    A test can say it itself: `server.answers` has for a path the functions of this handler that answer the first
    request, the second, ...; the last one answers all that follow. A request for the address of another host is one
    to a proxy.
    """

    def log_message(self, *words):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
        if self.path in self.server.answers:
            answers = self.server.answers[self.path]
            return (answers.pop(0) if len(answers) > 1 else answers[0])(self)
        if self.path == "/404":
            return self.send_error(404)
        if self.path in ("/429", "/500") and len(self.server.seen) < 3:
            self.send_response(int(self.path[1:]))
            self.send_header("Retry-After", "7" if self.path == "/429" else "soon")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path == "/short":
            # Announces less than the whole file.
            return self._send(200, CONTENT[: len(CONTENT) // 2], {})
        if self.path == "/long":
            # Announces more, always.
            return self._send(200, CONTENT + bytes(10), {}, len(CONTENT))
        if self.path == "/corrupt":
            return self._send(200, CONTENT[:1000] + b"?" + CONTENT[1001:], {})
        if self.path in self.server.files:
            return self._send(200, self.server.files[self.path], {})
        if self.path == "/busy" and len(self.server.seen) < 3:
            return self.send_error(503)
        if self.path == "/page":
            return self._send(200, b"<html></html>", {"Content-Type": "text/html"})
        content = OTHER if self.path == "/wrong" else CONTENT
        first = int(asked[6:-1]) if asked and self.path != "/norange" else 0
        if self.headers.get("If-Range", '"one"') != '"one"':
            first = 0
        if first >= len(content):
            return self._send(416, b"", {"Content-Range": "bytes */{}".format(len(content))})
        headers = {"ETag": '"one"'}
        if first:
            headers["Content-Range"] = "bytes {}-{}/{}".format(first, len(content) - 1, len(content))
        body = content[first:]
        cut = self.path in ("/break", "/norange") and len(self.server.seen) == 1
        self._send(206 if first else 200, body, headers, len(body) // 2 if cut else len(body))

    def _send(self, status, body, headers, sent=None):
        self.begin(status, dict(headers, **{"Content-Length": len(body)}))
        self.wfile.write(body[:sent])

    def begin(self, status, headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()

    def first(self):
        """The first byte that is asked for."""
        return int((self.headers.get("Range") or "bytes=0-")[6:-1])


def until(end, content=CONTENT, tag='"one"', **headers):
    """An answer with what is asked for, or all, that announces the whole but breaks off at byte `end`.

    headers: more of them, `_` for `-`; None leaves one out.
    """

    def answer(handler):
        first = handler.first()
        said = {"ETag": tag, "Content-Length": len(content) - first}
        if first:
            said["Content-Range"] = "bytes {}-{}/{}".format(first, len(content) - 1, len(content))
        said.update({name.replace("_", "-"): value for name, value in headers.items()})
        handler.begin(206 if first else 200, {name: value for name, value in said.items() if value is not None})
        handler.wfile.write(content[first:end])

    return answer


def broken_off(handler):
    """An answer that brings nothing."""
    handler.begin(206 if handler.first() else 200, whole_range(handler))


def whole_range(handler):
    first, size = handler.first(), len(CONTENT)
    return {"Content-Range": "bytes {}-{}/{}".format(first, size - 1, size), "Content-Length": size - first}


def chunked(end, last=b"0\r\n\r\n"):
    """An answer in chunks up to byte `end`, which tells no length; it is cut off where `last` is not the end mark."""

    def answer(handler):
        first = handler.first()
        if first == len(CONTENT):
            return handler._send(416, b"", {"Content-Range": "bytes */{}".format(first)})
        said = {"Content-Range": whole_range(handler)["Content-Range"]} if first else {}
        handler.begin(206 if first else 200, dict(said, **{"Transfer-Encoding": "chunked"}))
        for start in range(first, end, 100000):
            piece = CONTENT[start : min(start + 100000, end)]
            handler.wfile.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
        handler.wfile.write(last)

    return answer


def without_length(content):
    """An answer with all of this, whatever part is asked for, whose end is that of the connection."""

    def answer(handler):
        handler.begin(200, {})
        handler.wfile.write(content)

    return answer


def hang(handler):
    """An answer that stands still half-way, until the other side gives up."""
    until(HALF)(handler)
    handler.wfile.flush()
    handler.connection.recv(1)


def get(urls, out, cache=None, **sums):
    waits = []
    source = fetch(urls, str(out), Sums(**sums), waits.append, cache)
    assert out.read_bytes() == CONTENT
    there = {out.name} | (set() if Sums(**sums).known else {"checksums.json", ".checksums.json.lock"})
    assert set(os.listdir(str(out.parent))) <= there
    return source, waits


Begun = collections.namedtuple("Begun", "part note")


def begun(out, url):
    """Where the bytes of a source are, and what is noted of them."""
    name = ".{}.{}.part".format(out.name, hashlib.sha256(url.encode()).hexdigest()[:8])
    return Begun(out.parent / name, out.parent / (name + ".json"))


def begin(out, url, content, **note):
    """Leave behind what an earlier call would that broke off."""
    out.parent.mkdir(exist_ok=True)
    place = begun(out, url)
    place.part.write_bytes(content)
    place.note.write_text(json.dumps(dict(note, url=url)))


def refused(urls, out, words, **sums):
    with pytest.raises(PipelineError, match=words):
        fetch(urls, str(out), Sums(**sums), pause=lambda seconds: None)
    assert not out.exists()


def zipped():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", bytes(5000))
    return stream.getvalue()


def hdf5(user_block):
    import h5py
    import numpy

    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=user_block) as file:
        file["a"] = numpy.zeros(1000)
    return stream.getvalue()
