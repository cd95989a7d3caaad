"""One transfer: broken off, taken up, encoded, redirected, refused, without room."""

import collections
import errno
import os
import resource
import socket

import pytest
from densedepth import progress
from densedepth.data import transfer
from densedepth.data.checksums import Sums
from densedepth.data.download import fetch
from densedepth.errors import PipelineError
from servers import (
    CONTENT,
    HALF,
    OTHER,
    SHA256,
    begin,
    begun,
    chunked,
    get,
    hang,
    refused,
    until,
    without_length,
    zipped,
)


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


def test_a_dead_server(out):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    waits = []
    with pytest.raises(PipelineError, match="refused"):
        fetch(["http://127.0.0.1:{}/x".format(port)], str(out), pause=waits.append)
    assert waits == [1, 2, 4, 8]


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
