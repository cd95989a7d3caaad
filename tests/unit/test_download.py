"""Downloads, against a server on this machine that misbehaves in the ways servers do."""

import hashlib
import http.server
import io
import json
import os
import socket
import threading
import zipfile

import pytest
from densedepth import download
from densedepth.download import Sums, fetch
from densedepth.errors import PipelineError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """The path says what happens: /good, /break (ends early until asked for a range), /norange, /404, /page ...

    A request for the address of another host is one to a proxy.
    """

    def log_message(self, *words):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
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
        content = CONTENT[::-1] if self.path == "/wrong" else CONTENT
        first = int(asked[6:-1]) if asked and self.path != "/norange" else 0
        if self.headers.get("If-Range", '"one"') != '"one"':
            first = 0
        if first >= len(content):
            return self._send(416, b"", {"Content-Range": "bytes */{}".format(len(content))})
        headers = {"ETag": '"two"' if self.path == "/changed" and asked else '"one"'}
        if first:
            headers["Content-Range"] = "bytes {}-{}/{}".format(first, len(content) - 1, len(content))
        body = content[first:]
        cut = (self.path in ("/break", "/norange") and len(self.server.seen) == 1) or self.path == "/always"
        self._send(206 if first else 200, body, headers, len(body) // 2 if cut else len(body))

    def _send(self, status, body, headers, sent=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])


@pytest.fixture
def server():
    instance = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance.seen = []
    instance.files = {}
    instance.address = "http://127.0.0.1:{}".format(instance.server_address[1])
    thread = threading.Thread(target=instance.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield instance
    instance.shutdown()
    thread.join()
    instance.server_close()


@pytest.fixture
def out(tmp_path):
    return tmp_path / "folder" / "file.zip"


def get(urls, out, cache=None, **sums):
    waits = []
    source = fetch(urls, str(out), Sums(**sums), waits.append, cache)
    assert out.read_bytes() == CONTENT
    there = {"file.zip"} | (set() if Sums(**sums).known else {"checksums.json", ".checksums.json.lock"})
    assert set(os.listdir(str(out.parent))) <= there
    return source, waits


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
    with pytest.raises(PipelineError, match="after 5 attempts"):
        fetch([server.address + "/always"], str(out), pause=lambda seconds: None)
    assert not out.exists()
    part = out.parent / ".file.zip.part"
    half = part.read_bytes()
    assert 0 < len(half) < len(CONTENT)
    assert CONTENT.startswith(half)
    note = out.parent / ".file.zip.part.json"
    note.write_text(note.read_text().replace("/always", "/good"))
    get([server.address + "/good"], out, sha256=SHA256)
    assert server.seen[-1] == ("/good", "bytes={}-".format(len(half)))


def test_a_complete_part_is_enough(server, out):
    out.parent.mkdir()
    (out.parent / ".file.zip.part").write_bytes(CONTENT)
    (out.parent / ".file.zip.part.json").write_text('{{"url": "{}/good"}}'.format(server.address))
    get([server.address + "/good"], out, sha256=SHA256)


def test_the_part_of_another_file_is_not_continued(server, out):
    out.parent.mkdir()
    (out.parent / ".file.zip.part").write_bytes(b"x" * 1000)
    (out.parent / ".file.zip.part.json").write_text('{{"url": "{}/other"}}'.format(server.address))
    get([server.address + "/good"], out)
    assert server.seen == [("/good", None)]


def test_a_file_that_changed_on_the_server_begins_again(server, out):
    out.parent.mkdir()
    (out.parent / ".file.zip.part").write_bytes(b"x" * 1000)
    note = '{{"url": "{}/good", "validator": "\\"zero\\""}}'.format(server.address)
    (out.parent / ".file.zip.part.json").write_text(note)
    get([server.address + "/good"], out)


def test_the_next_source_is_tried(server, out, capsys):
    urls = [server.address + path for path in ("/404", "/wrong", "/page", "/good")]
    assert get(urls, out, sha256=SHA256)[0] == urls[3]
    told = capsys.readouterr().out
    assert "HTTP status 404" in told
    assert "SHA-256 is" in told
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
    with pytest.raises(PipelineError, match="already there, but SHA-256"):
        fetch([server.address + "/good"], str(out), Sums(SHA256))
    assert out.read_bytes() == b"mine"
    assert server.seen == []


def test_a_busy_server_says_when_to_come_back(server, out):
    assert get([server.address + "/429"], out, sha256=SHA256)[1] == [7, 7]


def test_an_error_of_the_server_is_tried_again(server, out):
    assert get([server.address + "/500"], out, sha256=SHA256)[1] == [1, 2]


@pytest.mark.parametrize("path, words", [("/short", "SHA-256 is"), ("/long", "after 5 attempts"), ("/corrupt", "SHA-")])
def test_lies_and_corrupt_bytes_leave_no_file(server, out, path, words):
    refused([server.address + path], out, words, sha256=SHA256)
    get([server.address + path, server.address + "/good"], out, sha256=SHA256)


def test_size_alone(server, out):
    refused([server.address + "/short"], out, "bytes where {} belong".format(len(CONTENT)), size=len(CONTENT))
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
    server.files = {"/cut": content[:-100], "/whole": content}
    refused([server.address + "/cut"], out, "file is cut off")
    fetch([server.address + "/cut", server.address + "/whole"], str(out))
    assert out.read_bytes() == content


def test_the_first_checksum_seen_is_the_right_one(server, out):
    get([server.address + "/good"], out)
    seen = json.loads((out.parent / download.SEEN).read_text())
    assert seen == {"file.zip": SHA256}
    out.unlink()
    other = hashlib.sha256(CONTENT[::-1]).hexdigest()
    refused([server.address + "/wrong"], out, "SHA-256 is {}, but {} was seen first".format(other, SHA256))
    out.write_bytes(CONTENT[::-1])
    with pytest.raises(PipelineError, match="already there, but SHA-256 is {}, but {}".format(other, SHA256)):
        fetch([server.address + "/good"], str(out))
    out.unlink()
    get([server.address + "/good"], out)


def test_an_older_release_is_taken_with_a_warning(server, out, capsys):
    older = hashlib.md5(CONTENT).hexdigest()
    get([server.address + "/good"], out, md5="0" * 32, older=[older])
    assert "warning: an older release" in capsys.readouterr().out
    out.unlink()
    refused([server.address + "/wrong"], out, "MD5 is", md5="0" * 32, older=[older])


def test_a_cache_is_looked_into_first_and_never_written_to(server, out, tmp_path):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "file.zip").write_bytes(CONTENT)
    cache.chmod(0o555)
    assert get([server.address + "/404"], out, str(cache), sha256=SHA256)[0] == str(cache / "file.zip")
    assert server.seen == []
    assert os.listdir(str(cache)) == ["file.zip"]
    out.unlink()
    cache.chmod(0o755)
    (cache / "file.zip").write_bytes(b"of another release")
    get([server.address + "/good"], out, str(cache), sha256=SHA256)
    assert (cache / "file.zip").read_bytes() == b"of another release"


def test_proxies_of_the_environment(server, out, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.address)
    # What urllib has read of the environment before.
    monkeypatch.setattr("urllib.request._opener", None)
    server.files = {"http://nowhere.invalid/x": CONTENT}
    get(["http://nowhere.invalid/x"], out, sha256=SHA256)
    assert server.seen == [("http://nowhere.invalid/x", None)]


def test_rate_and_time_left_are_told(server, out, monkeypatch, capsys):
    monkeypatch.setattr(download, "_PROGRESS_SECONDS", -1)
    monkeypatch.setattr(download, "_CHUNK", 100000)
    get([server.address + "/good"], out, sha256=SHA256)
    assert "0/0 MB, " in capsys.readouterr().out.replace("?", "0")
