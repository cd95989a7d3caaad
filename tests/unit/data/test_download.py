"""Downloads, against a server on this machine that misbehaves in the ways servers do."""

import ast
import collections
import errno
import hashlib
import http.server
import io
import json
import os
import re
import resource
import shlex
import socket
import subprocess
import sys
import threading
import zipfile

import pytest
from densedepth import files, progress
from densedepth.data import checksums, download, transfer
from densedepth.data.checksums import Sums
from densedepth.data.download import fetch
from densedepth.errors import PipelineError

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
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


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    # What urllib has read of the environment before.
    monkeypatch.setattr("urllib.request._opener", None)


@pytest.fixture
def server():
    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.seen = []
    instance.files = {}
    instance.answers = {}
    instance.address = "http://127.0.0.1:{}".format(instance.server_address[1])
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "folder" / "file.bin"


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


def test_plain(server, out):
    assert get([server.address + "/good"], out, sha256=SHA256) == (server.address + "/good", [])
    assert server.seen == [("/good", None)]


def test_a_broken_transfer_is_taken_up(server, out):
    _, waits = get([server.address + "/break"], out, sha256=SHA256)
    assert server.seen == [("/break", None), ("/break", "bytes={}-".format(len(CONTENT) // 2))]
    assert waits == [1]


def test_a_server_without_ranges_begins_again(server, out):
    get([server.address + "/norange"], out, sha256=SHA256)
    assert len(server.seen) == 2


def test_a_busy_server_is_asked_again(server, out):
    _, waits = get([server.address + "/busy"], out)
    assert waits == [1, 2]


def test_a_later_call_goes_on(server, out):
    url = server.address + "/x"
    server.answers["/x"] = [until(HALF), broken_off]
    with pytest.raises(PipelineError, match="after 5 attempts that brought nothing"):
        fetch([url], str(out), pause=lambda seconds: None)
    assert not out.exists()
    assert begun(out, url).part.read_bytes() == CONTENT[:HALF]
    assert json.loads(begun(out, url).note.read_text()) == {"url": url, "etag": '"one"', "total": len(CONTENT)}
    server.answers["/x"] = [until(None)]
    get([url], out, sha256=SHA256)
    assert server.seen[-1] == ("/x", "bytes={}-".format(HALF))


def test_attempts_count_from_the_last_progress(server, out):
    ends = [len(CONTENT) * i // 12 for i in range(1, 13)]
    server.answers["/x"] = [until(end) for end in ends]
    waits = get([server.address + "/x"], out, sha256=SHA256)[1]
    assert waits == [1] * 11
    assert [asked for _, asked in server.seen] == [None] + ["bytes={}-".format(end) for end in ends[:-1]]


def test_attempts_without_progress_count(server, out):
    """A server that begins anew each time, and never comes further, does not keep us for ever."""
    server.answers["/x"] = [
        until(HALF),
        lambda handler: handler._send(200, CONTENT, {}, HALF // 2),
        lambda handler: handler._send(200, CONTENT, {}, HALF),
    ]
    waits = []
    with pytest.raises(PipelineError, match="after 5 attempts that brought nothing"):
        fetch([server.address + "/x"], str(out), pause=waits.append)
    assert waits == [1, 1, 2, 4, 8]


@pytest.mark.parametrize(
    "code, there, waits",
    [(socket.EAI_NONAME, False, []), (socket.EAI_NONAME, True, [1, 2]), (socket.EAI_AGAIN, False, [1, 2])],
)
def test_name_service_that_fails(server, out, monkeypatch, code, there, waits):
    right, failures = socket.getaddrinfo, [1, 1]

    def getaddrinfo(*arguments, **more):
        if failures:
            failures.pop()
            raise socket.gaierror(code, "no such name")
        return right(*arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    url = server.address + "/good"
    if there:
        begin(out, url, CONTENT[:HALF])
    if waits:
        assert get([url], out, sha256=SHA256) == (url, waits)
    else:
        refused([url], out, r"/good: \[Errno {}\] no such name\)".format(code))
        assert len(failures) == 1 and server.seen == []


def test_every_source_has_a_part_of_its_own(server, out):
    first, second = server.address + "/first", server.address + "/second"
    server.answers["/first"] = [until(HALF), broken_off]
    server.answers["/second"] = [until(1000, OTHER), broken_off]
    refused([first, second], out, "after 5 attempts")
    assert begun(out, first).part.read_bytes() == CONTENT[:HALF]
    assert begun(out, second).part.read_bytes() == OTHER[:1000]
    server.answers.update({"/first": [until(None)], "/second": [until(None, OTHER)]})
    del server.seen[:]
    (out.parent / ".file.bin.part").write_bytes(b"from the time of one part")
    (out.parent / ".file.bin.part.json").write_text("{}")
    (out.parent / ".file.bin.more.zip.part").write_bytes(b"of another file")
    fetch([second, first], str(out), Sums(SHA256), pause=lambda seconds: None)
    assert server.seen == [("/second", "bytes=1000-"), ("/first", "bytes={}-".format(HALF))]
    assert sorted(os.listdir(str(out.parent))) == [".file.bin.more.zip.part", "file.bin"]


def test_copies_leave_the_parts_of_servers_alone(server, out, tmp_path):
    url = server.address + "/good"
    begin(out, url, CONTENT[:HALF])
    (tmp_path / "local").write_bytes(OTHER)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / out.name).write_bytes(OTHER[:1000])
    # What a copy was that somebody killed.
    begun(out, str(tmp_path / "local")).part.write_bytes(OTHER[:10])
    assert get([str(tmp_path / "local"), url], out, str(cache), sha256=SHA256)[0] == url
    assert server.seen == [("/good", "bytes={}-".format(HALF))]


def test_a_complete_part_is_enough(server, out):
    begin(out, server.address + "/good", CONTENT, total=len(CONTENT), etag='"one"')
    get([server.address + "/good"], out, sha256=SHA256)
    assert len(server.seen) == 1


def test_a_part_of_another_length_is_not_of_this_file(server, out):
    begin(out, server.address + "/good", CONTENT + b"more")
    assert get([server.address + "/good"], out, sha256=SHA256)[1] == [0]


@pytest.mark.parametrize("note", ["[]", "{", '{"url": "http://another.place/good"}'])
def test_a_part_without_a_fitting_note_is_not_continued(server, out, note):
    begin(out, server.address + "/good", b"x" * 1000)
    begun(out, server.address + "/good").note.write_text(note)
    get([server.address + "/good"], out)
    assert server.seen == [("/good", None)]


def test_another_file_of_the_length_of_the_part_is_fetched(server, out):
    """A server may say that nothing is missing although it was asked for a file that it has no more."""
    said = {"Content-Range": "bytes */{}".format(len(CONTENT)), "ETag": '"one"'}
    server.answers["/x"] = [lambda handler: handler._send(416, b"", said), until(None)]
    begin(out, server.address + "/x", OTHER, etag='"zero"')
    assert get([server.address + "/x"], out)[1] == [0]


def test_a_file_that_changed_on_the_server_begins_again(server, out):
    """The marks of the file before do not stay with the new one, which may lack some."""
    server.answers["/x"] = [lambda handler: handler._send(200, CONTENT, {}, HALF), until(None, tag='"two"')]
    begin(out, server.address + "/x", b"x" * 1000, etag='"zero"')
    assert get([server.address + "/x"], out)[1] == [1]
    assert server.seen == [("/x", "bytes=1000-"), ("/x", "bytes={}-".format(HALF))]


@pytest.mark.parametrize(
    "note",
    [
        {"total": len(CONTENT) + 1},
        {"etag": '"zero"', "modified": "Mon, 01 Jan 2024 00:00:00 GMT", "total": len(CONTENT)},
        {"modified": "Tue, 02 Jan 2024 00:00:00 GMT"},
    ],
    ids=lambda note: " ".join(note),
)
def test_a_server_that_ignores_conditions_does_not_mix_files(server, out, note):
    server.answers["/x"] = [until(None, Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")]
    begin(out, server.address + "/x", b"x" * 1000, **note)
    assert get([server.address + "/x"], out, sha256=SHA256)[1] == [0]
    assert server.seen == [("/x", "bytes=1000-"), ("/x", None)]


def test_what_only_one_side_tells_is_no_difference(server, out):
    server.answers["/x"] = [until(None, tag=None, Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT")]
    begin(out, server.address + "/x", CONTENT[:1000], etag='"one"')
    assert get([server.address + "/x"], out, sha256=SHA256)[1] == []


@pytest.mark.parametrize("said", ["bytes 0-9/10", "bytes 1000-9999/*", "1000", None])
def test_another_range_than_asked_for_begins_again(server, out, said):
    server.answers["/x"] = [until(None, Content_Range=said), until(None)]
    begin(out, server.address + "/x", CONTENT[:1000])
    assert get([server.address + "/x"], out, sha256=SHA256)[1] == [0]
    assert server.seen == [("/x", "bytes=1000-"), ("/x", None)]


def test_a_server_that_never_sends_the_range_is_given_up(server, out):
    server.answers["/x"] = [lambda handler: handler.begin(206, {"Content-Range": "bytes 5-9/10"})]
    refused([server.address + "/x"], out, "sent another range than asked for, after 5 attempts")


def test_encoded_content_is_refused(server, out):
    server.answers["/x"] = [until(None, Content_Encoding="gzip")]
    server.answers["/y"] = [until(None, Content_Encoding="identity")]
    refused([server.address + "/x"], out, r"the server sends the file encoded \(gzip\), though asked not to")
    get([server.address + "/y"], out, sha256=SHA256)


def test_the_next_source_is_tried(server, out, capsys):
    urls = [server.address + path for path in ("/404", "/wrong", "/page", "/good")]
    assert get(urls, out, sha256=SHA256)[0] == urls[3]
    told = capsys.readouterr().out
    assert "HTTP status 404" in told
    assert "expected SHA-256" in told
    assert "a web page" in told


def test_md5(server, out):
    get([server.address + "/wrong", server.address + "/good"], out, md5=hashlib.md5(CONTENT).hexdigest())


def test_every_failure_is_told_with_the_way_out(server, out, tmp_path):
    urls = [server.address + "/404", server.address + "/wrong", str(tmp_path / "none"), "ftp://host/x"]
    with pytest.raises(PipelineError) as caught:
        fetch(urls, str(out), Sums(SHA256), pause=lambda seconds: None)
    message = str(caught.value)
    for words in urls + [str(out), "404", "SHA-256", "no such file", "ftp addresses", "by hand"]:
        assert words in message
    assert "\n" not in message
    assert not out.exists()


def test_a_dead_server(out):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    waits = []
    with pytest.raises(PipelineError, match="refused"):
        fetch(["http://127.0.0.1:{}/x".format(port)], str(out), pause=waits.append)
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_local_files(tmp_path, out, form):
    source = tmp_path / "a source.bin"
    source.write_bytes(CONTENT)
    get([form.format(source)], out, sha256=SHA256)
    assert source.exists()


@pytest.mark.parametrize("sums", [{}, {"sha256": SHA256.upper()}])
def test_a_file_that_is_there_is_kept(server, out, sums, capsys):
    out.parent.mkdir()
    out.write_bytes(CONTENT)
    assert get([server.address + "/good"], out, **sums) == ("there", [])
    assert server.seen == []
    assert "already there" in capsys.readouterr().out


def test_a_wrong_file_that_is_there_is_not_touched(server, out):
    out.parent.mkdir()
    out.write_bytes(b"mine")
    with pytest.raises(PipelineError, match="already there, but expected SHA-256"):
        fetch([server.address + "/good"], str(out), Sums(SHA256))
    assert out.read_bytes() == b"mine"
    assert server.seen == []


def test_a_busy_server_says_when_to_come_back(server, out):
    assert get([server.address + "/429"], out, sha256=SHA256)[1] == [7, 7]


def test_an_error_of_the_server_is_tried_again(server, out):
    assert get([server.address + "/500"], out, sha256=SHA256)[1] == [1, 2]


def test_a_redirection_keeps_the_range(server, out):
    """Each answer sends on to an address of its own, as those with a token that ends soon."""
    for i in (1, 2):
        server.answers["/x?token={}".format(i)] = [until(HALF if i == 1 else None)]
    server.answers["/x"] = [
        lambda handler, i=i: handler.begin(302, {"Location": "/x?token={}".format(i), "Content-Length": 0})
        for i in (1, 2)
    ]
    get([server.address + "/x"], out, sha256=SHA256)
    rest = "bytes={}-".format(HALF)
    assert server.seen == [("/x", None), ("/x?token=1", None), ("/x", rest), ("/x?token=2", rest)]


@pytest.mark.parametrize(
    "location, words",
    [
        ("/x", "HTTP status 302"),
        ("http://127.0.0.1:port/", "not an address"),
        ("file:///etc/passwd", "HTTP status 302"),
    ],
)
def test_a_redirection_to_nowhere(server, out, location, words):
    server.answers["/x"] = [lambda handler: handler.begin(302, {"Location": location, "Content-Length": 0})]
    with pytest.raises(PipelineError, match=words) as caught:
        fetch([server.address + "/x"], str(out), pause=None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "end, last",
    [(HALF, b"%x\r\n" % 100000 + CONTENT[HALF : HALF + 1000]), (500000, b""), (len(CONTENT), b"")],
    ids=["within a chunk", "after a chunk", "before the end mark"],
)
def test_chunks_that_are_cut_off(server, out, end, last):
    server.answers["/x"] = [chunked(end, last), chunked(len(CONTENT))]
    assert get([server.address + "/x"], out, sha256=SHA256)[1] == [1]
    assert len(server.seen) == 2 and server.seen[1][1]


def test_a_whole_file_without_a_length(server, out):
    server.answers["/x"] = [until(None, Content_Length=None)]
    server.answers["/y"] = [chunked(len(CONTENT))]
    assert get([server.address + "/x"], out, sha256=SHA256)[1] == []
    out.unlink()
    assert get([server.address + "/y"], out, sha256=SHA256)[1] == []


@pytest.mark.parametrize("ranges", [True, False])
def test_an_archive_that_is_cut_off_without_a_length_is_taken_up(server, out, ranges):
    content = zipped()
    half = len(content) // 2
    rest = until(None, content) if ranges else without_length(content)
    server.answers["/x"] = [until(half, content, Content_Length=None), rest]
    waits = []
    fetch([server.address + "/x"], str(out), pause=waits.append)
    assert out.read_bytes() == content and waits == [1]
    assert [asked for _, asked in server.seen] == [None, "bytes={}-".format(half)]


def test_an_archive_that_is_always_cut_off_is_given_up(server, out):
    server.answers["/x"] = [without_length(zipped()[:2000])]
    refused([server.address + "/x"], out, r"the zip file is cut off \(2000 bytes\), after 5 attempts that brought")


def test_a_server_that_hangs(server, out, monkeypatch, capsys):
    monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 0.5)
    server.answers["/x"] = [hang, until(None)]

    def pause(seconds):
        # What follows may be as slow as this machine is.
        monkeypatch.setattr(transfer, "TIMEOUT_SECONDS", 60)

    fetch([server.address + "/x"], str(out), Sums(SHA256), pause)
    assert "timed out" in capsys.readouterr().out


@pytest.mark.parametrize(
    "path, words", [("/short", "expected SHA-256"), ("/long", "after 5 attempts"), ("/corrupt", "SHA-")]
)
def test_lies_and_corrupt_bytes_leave_no_file(server, out, path, words):
    refused([server.address + path], out, words, sha256=SHA256)
    get([server.address + path, server.address + "/good"], out, sha256=SHA256)


def test_size_alone(server, out):
    refused([server.address + "/short"], out, "expected {} bytes".format(len(CONTENT)), size=len(CONTENT))
    get([server.address + "/good"], out, size=len(CONTENT))


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


@pytest.mark.parametrize("make", [zipped, lambda: hdf5(0), lambda: hdf5(512)], ids=["zip", "h5", "mat"])
def test_archives_without_a_checksum_must_be_whole(server, out, make):
    content = make()
    server.files = {"/cut": content[:-100], "/whole": content, "/bare": content[: content.find(b"\r\n\x1a\n") + 5]}
    refused([server.address + "/cut"], out, "file is cut off")
    if make is not zipped:
        refused([server.address + "/bare"], out, "file is cut off")
    fetch([server.address + "/cut", server.address + "/whole"], str(out))
    assert out.read_bytes() == content


XML = b"<?xml version='1.0'?>\n<Error>AccessDenied</Error>"
PAGE = b"<!DOCTYPE html><html><body>Virus scan warning</body></html>"
MATLAB5 = b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(1000)


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.bin", b"", "it is empty"),
        ("a.zip", b"", "it is empty"),
        ("a.zip", XML, "it is not a zip file but begins with b\"<?xml version='1.0'?>\\n<Error>"),
        ("a.ZIP", MATLAB5, "it is not a zip file but begins with b'MATLAB 5.0"),
        ("a.h5", XML, "it is not an HDF5 file but begins with"),
        ("a.h5", MATLAB5, "it is not an HDF5 file but begins with b'MATLAB 5.0"),
        ("a.mat", XML, "it is not a MATLAB file but begins with"),
        ("a.mat", b"MATLAB 7.3 MAT-file".ljust(512) + b"HDF?", "it is not a MATLAB file but begins with"),
        ("a.zip", PAGE, "it is a web page that begins with b'<!DOCTYPE html>"),
        ("a.index", PAGE, "it is a web page"),
        ("weights", b"\xef\xbb\xbf\r\n<!-- x -->\n<HTML>", "it is a web page"),
        ("a.pb", b"<?xml version='1.0'?>\n<html xmlns='http://www.w3.org/1999/xhtml'>", "it is a web page"),
    ],
)
def test_what_cannot_be_the_file_is_refused(server, tmp_path, name, content, words):
    server.files = {"/x": content}
    out = tmp_path / "folder" / name
    with pytest.raises(PipelineError) as caught:
        fetch([server.address + "/x"], str(out))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not out.exists() and not (out.parent / checksums.SEEN).exists()
    out.write_bytes(content)
    with pytest.raises(PipelineError, match="already there, but it is"):
        fetch([server.address + "/x"], str(out))
    out.unlink()
    # A published sum says it better than the suffix.
    fetch([server.address + "/x"], str(out), Sums(hashlib.sha256(content).hexdigest()))


@pytest.mark.parametrize(
    "name, make",
    [
        ("a.zip", zipped),
        ("a.h5", lambda: hdf5(0)),
        ("a.mat", lambda: hdf5(0)),
        ("a.mat", lambda: hdf5(512)),
        ("a.mat", lambda: MATLAB5),
        ("a.tar", lambda: XML),
    ],
)
def test_what_fits_its_suffix_is_taken(server, tmp_path, name, make):
    server.files = {"/x": make()}
    fetch([server.address + "/x"], str(tmp_path / name))
    assert list(json.loads((tmp_path / checksums.SEEN).read_text())) == [name]


def test_a_page_without_a_length_is_refused_as_one(server, out):
    def page(handler):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/octet-stream")
        handler.end_headers()
        handler.wfile.write(PAGE)
        handler.close_connection = True

    server.answers = {"/page-of-unknown-size": [page]}
    for sums in ({}, {"size": 4 << 30}, {"md5": "0" * 32}):
        refused([server.address + "/page-of-unknown-size"], out, "it is a web page that begins with", **sums)
    assert not out.exists()


def test_a_folder_in_place_of_the_file_is_named(server, out):
    out.mkdir(parents=True)
    with pytest.raises(PipelineError, match="already there, but expected a file, got a folder"):
        fetch([server.address + "/good"], str(out), Sums(md5="0" * 32))


def test_the_first_checksum_seen_is_the_right_one(server, out):
    get([server.address + "/good"], out)
    seen = json.loads((out.parent / checksums.SEEN).read_text())
    assert seen == {out.name: SHA256}
    out.unlink()
    other = hashlib.sha256(OTHER).hexdigest()
    refused([server.address + "/wrong"], out, "SHA-256 is {}, but {} was seen first".format(other, SHA256))
    out.write_bytes(OTHER)
    with pytest.raises(PipelineError, match="already there, but SHA-256 is {}, but {}".format(other, SHA256)):
        fetch([server.address + "/good"], str(out))
    out.unlink()
    get([server.address + "/good"], out)


def test_checksums_seen_of_another_form(server, out):
    out.parent.mkdir()
    (out.parent / checksums.SEEN).write_text("[]")
    refused(
        [server.address + "/good"], out, "{}: is a list of 0, expected an object".format(out.parent / checksums.SEEN)
    )


def test_an_older_release_is_taken_with_a_warning(server, out, capsys):
    older = hashlib.md5(CONTENT).hexdigest()
    get([server.address + "/good"], out, md5="0" * 32, older=[older])
    assert "\n{}: warning: an older release".format(out) in "\n" + capsys.readouterr().out
    out.unlink()
    refused([server.address + "/wrong"], out, "expected MD5", md5="0" * 32, older=[older])


def test_a_cache_is_looked_into_first_and_never_written_to(server, out, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / out.name).write_bytes(CONTENT)
    cache.chmod(0o555)
    assert get([server.address + "/404"], out, str(cache), sha256=SHA256)[0] == str(cache / out.name)
    assert server.seen == []
    assert os.listdir(str(cache)) == [out.name]
    out.unlink()
    cache.chmod(0o755)
    (cache / out.name).write_bytes(b"of another release")
    get([server.address + "/good"], out, str(cache), sha256=SHA256)
    assert (cache / out.name).read_bytes() == b"of another release"


def test_a_cache_that_is_not_there_is_told(server, out, tmp_path, capsys):
    get([server.address + "/good"], out, str(tmp_path / "none"), sha256=SHA256)
    told = capsys.readouterr().out
    assert "{}: the folder of earlier downloads is missing".format(tmp_path / "none") in told
    out.unlink()
    get([server.address + "/good"], out, "", sha256=SHA256)
    assert "is missing" not in capsys.readouterr().out


def test_the_home_folder(out, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "cache").mkdir()
    for place in ("source", "cache/" + out.name):
        (tmp_path / place).write_bytes(CONTENT)
    assert get(["~/source"], out, sha256=SHA256)[0] == "~/source"
    out.unlink()
    assert get([], out, "~/cache", sha256=SHA256)[0] == str(tmp_path / "cache" / out.name)


@pytest.mark.parametrize("of_folder", [False, True])
def test_a_link_to_nothing(server, out, tmp_path, of_folder):
    link, nothing = (out.parent if of_folder else out), tmp_path / "disk" / "away"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(nothing)
    with pytest.raises(PipelineError) as caught:
        fetch([server.address + "/good"], str(out))
    expected = "{}: is a link to {}, which is not there; is the disk mounted?".format(link, nothing)
    assert str(caught.value) == expected
    assert os.readlink(str(link)) == str(nothing) and server.seen == []
    with pytest.raises(PipelineError) as caught:
        missing_downloads([str(out)])
    assert str(caught.value) == expected


def test_links_to_files_and_folders_are_good(server, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "folder").symlink_to(tmp_path / "disk")
    out = tmp_path / "folder" / "file.bin"
    assert missing_downloads([str(out)]) == ["file.bin"]
    get([server.address + "/good"], out, sha256=SHA256)
    (tmp_path / "disk" / "link").symlink_to(out)
    assert missing_downloads([str(out), str(out.parent / "link"), str(out.parent / "none")]) == ["none"]


def missing_downloads(paths):
    """What the function of this name in the workflow's rules returns for these paths."""
    with open(os.path.join(REPOSITORY, "workflow", "rules", "common.smk")) as stream:
        tree = ast.parse(stream.read())
    tree.body = [node for node in tree.body if getattr(node, "name", "") == "missing_downloads"]
    names = {"os": os, "WorkflowError": PipelineError, "config": {"downloads": {path: {} for path in paths}}}
    exec(compile(tree, "common.smk", "exec"), names)
    return names["missing_downloads"]()


@pytest.mark.parametrize(
    "end, words",
    [
        ("/a b", "' ' cannot stand in an address; write %20 for it"),
        ("/\u00fc", "'\u00fc' cannot stand in an address; write %C3%BC for it"),
        ("/a\nb", "'\\n' cannot stand in an address; write %0A for it"),
    ],
)
def test_addresses_are_plain_ascii(server, out, end, words):
    with pytest.raises(PipelineError) as caught:
        fetch([server.address + end], str(out), pause=None)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert server.seen == []


@pytest.mark.parametrize("url", ["http:///x", "http://host:port/x", "http://[::1/x", "https://"])
def test_addresses_that_are_none(out, url):
    with pytest.raises(PipelineError, match=r"not an address|names no host"):
        fetch([url], str(out), pause=None)


@pytest.mark.parametrize("local", [False, True])
def test_a_disk_without_room_is_told_before_the_transfer(server, out, tmp_path, monkeypatch, local):
    url = server.address + "/good"
    if local:
        url = str(tmp_path / "local")
        (tmp_path / "local").write_bytes(CONTENT)
    usage = collections.namedtuple("usage", "total used free")
    room = [len(CONTENT) - 1]
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage(1 << 40, 0, room[0]))
    with pytest.raises(PipelineError) as caught:
        fetch([url, "http://never.invalid/"], str(out), pause=None)
    assert str(caught.value).startswith("{}: needs 1 MB, 0 MB are free in {}; free space".format(out, out.parent))
    room[0] += 1
    get([url], out, sha256=SHA256)
    out.unlink()
    # What is there needs no more room.
    room[0] = HALF
    begin(out, server.address + "/good", CONTENT[:HALF])
    get([server.address + "/good"], out, sha256=SHA256)


@pytest.mark.parametrize("local", [False, True])
def test_a_disk_that_takes_no_more(server, out, tmp_path, local):
    url = server.address + "/good"
    if local:
        url = str(tmp_path / "local")
        (tmp_path / "local").write_bytes(CONTENT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (HALF, before[1]))
    try:
        with pytest.raises(PipelineError) as caught:
            fetch([url], str(out), pause=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    words = "{}: {}; 1 more MB are needed in {}; free space and start again"
    assert str(caught.value) == words.format(out, os.strerror(errno.EFBIG), out.parent)
    get([url], out, sha256=SHA256)
    assert server.seen[1:] == ([] if local else [("/good", "bytes={}-".format(HALF))])


def test_a_local_file_that_cannot_be_read_is_one_source(server, out, tmp_path, monkeypatch):
    def copyfile(source, target):
        with open(target, "wb") as stream:
            stream.write(b"half")
        raise OSError(errno.EIO, os.strerror(errno.EIO), source)

    (tmp_path / "local").write_bytes(CONTENT)
    monkeypatch.setattr(transfer.shutil, "copyfile", copyfile)
    refused([str(tmp_path / "local")], out, "local: Input/output error")
    assert not begun(out, str(tmp_path / "local")).part.exists()
    get([str(tmp_path / "local"), server.address + "/good"], out, sha256=SHA256)


def test_two_processes_do_not_write_one_file(server, out, monkeypatch):
    monkeypatch.setattr(download, "_PATIENCE", 0)
    with files.lock(str(out.parent / ".file.bin.part.lock"), "in this test"):
        refused([server.address + "/good"], out, "already downloading this file")
    get([server.address + "/good"], out, sha256=SHA256)


def test_proxies_of_the_environment(server, out, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    server.files = {"http://nowhere.invalid/x": CONTENT}
    get(["http://nowhere.invalid/x"], out, sha256=SHA256)
    assert server.seen == [("http://nowhere.invalid/x", None)]
    out.unlink()
    monkeypatch.setenv("no_proxy", "elsewhere.invalid,127.0.0.1")
    get([server.address + "/good"], out, sha256=SHA256)
    assert server.seen[1:] == [("/good", None)]


def test_a_proxy_that_refuses_is_named(server, out, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        proxy = "127.0.0.1:{}".format(closed.getsockname()[1])
        monkeypatch.setenv("http_proxy", "http://me:secret@" + proxy)
        words = r"/x: .*refused \(by the proxy {} of the environment\), after".format(proxy)
        refused(["http://nowhere.invalid/x"], out, words)
        monkeypatch.setenv("no_proxy", "nowhere.invalid")
        refused(["http://nowhere.invalid/x"], out, r"/x: [^(]*; put the file there")


@pytest.mark.parametrize(
    "have, told",
    [
        (0, ["1/4 MB, 0.50 MB/s, 6s left", "2/4 MB, 0.50 MB/s, 4s left", "3/4 MB, 0.50 MB/s, 2s left"]),
        (2, ["3/4 MB, 0.50 MB/s, 2s left", "4/4 MB, 0.50 MB/s, 0s left"]),
        (None, ["1 MB, 0.50 MB/s", "2 MB, 0.50 MB/s", "3 MB, 0.50 MB/s"]),
    ],
    ids=["whole", "rest", "without a length"],
)
def test_rate_and_time_left_are_told(server, out, monkeypatch, capsys, have, told):
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr(progress, "_now", lambda: next(clock))
    monkeypatch.setattr(progress, "_SILENT_SECONDS", 2)
    monkeypatch.setattr(transfer, "_CHUNK", 1 << 20)
    content = bytes(4 << 20)
    server.answers["/x"] = [until(None, content, **({"Content_Length": None} if have is None else {}))]
    if have:
        begin(out, server.address + "/x", content[: have << 20])
    fetch([server.address + "/x"], str(out), Sums(size=len(content)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(told)] == ["file.bin: " + words for words in told]
    assert len([line for line in lines if "MB/s" in line]) == 4 - (have or 0)


@pytest.mark.parametrize("path, status", [("/good", 0), ("/404", 1)])
def test_the_rule_tells_the_terminal_and_the_log(server, out, path, status):
    with open(os.path.join(REPOSITORY, "workflow", "rules", "data.smk")) as stream:
        rule = re.search(r'^rule download_file:.*?shell:\s+"""\n(.*?)"""', stream.read(), re.DOTALL | re.MULTILINE)
    out.parent.mkdir()
    values = {
        "{resources.python:q}": sys.executable,
        "{input.code[0]:q}": os.path.join("workflow", "scripts", "download.py"),
        "{params.urls:q}": server.address + path,
        "{output.file:q}": str(out),
        "{resources.cache:q}": "",
        "{params.sums:q}": None,
        "{log:q}": str(out.parent / "log"),
    }
    # Half of what Snakemake does with the text of a rule.
    text = rule.group(1).replace("\\\n", " ")
    for word, value in values.items():
        assert word in text
        text = text.replace(word, "" if value is None else shlex.quote(value))
    run = subprocess.run(["bash", "-c", "set -euo pipefail; " + text], cwd=REPOSITORY, capture_output=True)
    log = (out.parent / "log").read_bytes()
    assert (run.returncode, run.stdout, run.stderr) == (status, log, b"")
    assert (b"bytes from" if status == 0 else b"download.py: error: ") in log
    assert out.exists() == (status == 0)
