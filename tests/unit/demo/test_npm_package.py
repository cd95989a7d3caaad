"""Packages of npm's registry: their sums, what is said without npm, and what a demo refuses."""

import base64
import hashlib
import os
import tarfile

import pytest
from densedepth.demo import npm_package, pages, serve
from densedepth.errors import PipelineError


@pytest.fixture
def packed(tmp_path):
    """(package, path of its archive), put there by hand."""
    (tmp_path / "a.mjs").write_text("export {};")
    path = tmp_path / "runtime-1.0.0.tgz"
    with tarfile.open(str(path), "w:gz") as archive:
        archive.add(str(tmp_path / "a.mjs"), "package/dist/a.mjs")
    digest = hashlib.sha512(path.read_bytes()).digest()
    return npm_package.Package("runtime", "1.0.0", "sha512-" + base64.b64encode(digest).decode("ascii")), path


def npm(folder, monkeypatch, text):
    """Make `text` the program npm, or have none."""
    folder.mkdir()
    if text:
        (folder / "npm").write_text("#!/bin/sh\n" + text)
        (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_an_archive_put_there_by_hand_is_taken(packed, tmp_path, monkeypatch):
    package, path = packed
    npm(tmp_path / "bin", monkeypatch, "")
    npm_package.fetch(package, str(path))
    (tmp_path / "out").mkdir()
    npm_package.take_out(str(path), ["dist/a.mjs"], str(tmp_path / "out"))
    assert (tmp_path / "out/a.mjs").read_text() == "export {};"


def test_npm_fetches_what_is_missing(packed, tmp_path, monkeypatch):
    package, path = packed
    there = str(tmp_path / "dataset" / path.name)
    npm(tmp_path / "bin", monkeypatch, '[ "$1 $4" = "pack runtime@1.0.0" ] && /bin/cp "{}" .'.format(path))
    npm_package.fetch(package, there)
    assert npm_package.fetch(package, there) is None


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "no such file, and npm, which would .* install Node.js, or run `npm pack runtime@1.0.0`"),
        ("echo; echo npm error code ENOTFOUND; exit 1", r"npm cannot fetch runtime@1.0.0 \(npm error code ENOTFOUND\)"),
        ("echo other >runtime-1.0.0.tgz", "not the archive of runtime 1.0.0 that is known here"),
    ],
)
def test_what_cannot_be_fetched_is_one_line(packed, tmp_path, monkeypatch, text, said):
    npm(tmp_path / "bin", monkeypatch, text)
    there = tmp_path / "dataset/runtime-1.0.0.tgz"
    with pytest.raises(PipelineError, match=said) as raised:
        npm_package.fetch(packed[0], str(there))
    assert "\n" not in str(raised.value) and not there.exists()


def test_a_demo_refuses_what_it_cannot_be_made_of(tmp_path):
    network = tmp_path / "model.onnx"
    for path, said in ((tmp_path / "model.pb", "expected an .onnx file"), (network, "no such file")):
        with pytest.raises(PipelineError, match=said):
            pages.write(str(path), "", str(tmp_path / "demo"), "1p")
    network.write_bytes(b"any")
    with pytest.raises(PipelineError, match="give it by --size HEIGHT WIDTH"):
        pages.write(str(network), "", str(tmp_path / "demo"), "1p")
    # Never in place of a folder of something else.
    with pytest.raises(PipelineError, match=r"holds model\.onnx, which this program has not made"):
        pages.write(str(network), "", str(tmp_path), "1p", (32, 64))
    assert os.listdir(str(tmp_path)) == ["model.onnx"]


@pytest.mark.parametrize("words", [["x"], ["70000"], ["1", "2"]])
def test_the_server_refuses_what_is_no_port(words, capsys):
    assert serve.main(words) == 2
    assert "expected one number of a port" in capsys.readouterr().err
