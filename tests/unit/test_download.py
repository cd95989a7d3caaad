"""Downloads, against a server on this machine that misbehaves in the ways servers do."""

import hashlib
import http.server
import os
import socket
import threading

import pytest
from densedepth.download import fetch
from densedepth.errors import PipelineError

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """The path says what happens: /good, /break (ends early until asked for a range), /norange, /404, /page ..."""

    def log_message(self, *words):
        pass

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
        if self.path == "/404":
            return self.send_error(404)
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


def get(urls, out, **sums):
    waits = []
    source = fetch(urls, str(out), pause=waits.append, **sums)
    assert out.read_bytes() == CONTENT
    assert os.listdir(str(out.parent)) == ["file.zip"]
    return source, waits


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
        fetch(urls, str(out), sha256=SHA256, pause=lambda seconds: None)
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
        fetch([server.address + "/good"], str(out), sha256=SHA256)
    assert out.read_bytes() == b"mine"
    assert server.seen == []
