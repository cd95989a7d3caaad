"""Files that are not what they should be, with and without a published checksum."""

import gzip
import hashlib
import json

import pytest
from densedepth.data import checksums
from densedepth.data.checksums import Sums
from densedepth.data.download import fetch
from densedepth.errors import PipelineError
from servers import CONTENT, OTHER, SHA256, get, hdf5, refused, zipped


def test_md5(server, out):
    get([server.address + "/wrong", server.address + "/good"], out, md5=hashlib.md5(CONTENT).hexdigest())


@pytest.mark.parametrize(
    "path, words", [("/short", "expected SHA-256"), ("/long", "after 5 attempts"), ("/corrupt", "SHA-")]
)
def test_lies_and_corrupt_bytes_leave_no_file(server, out, path, words):
    refused([server.address + path], out, words, sha256=SHA256)
    get([server.address + path, server.address + "/good"], out, sha256=SHA256)


def test_size_alone(server, out):
    refused([server.address + "/short"], out, "expected {} bytes".format(len(CONTENT)), size=len(CONTENT))
    get([server.address + "/good"], out, size=len(CONTENT))


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
        ("a.tar", XML, "it is not a tar archive but begins with"),
        ("a.tar.gz", MATLAB5, "it is not packed by gzip but begins with"),
        ("a.7z", XML, "it is not a 7z archive but begins with"),
        ("a.tar.gz", PAGE, "it is a web page"),
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
        ("a.csv", lambda: XML),
        ("a.tgz", lambda: gzip.compress(XML)),
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
