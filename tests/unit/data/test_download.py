"""From several sources to a file: which are tried, what is kept, what the rule tells."""

import ast
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from densedepth import files
from densedepth.data import download
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
    broken_off,
    get,
    refused,
    until,
)

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def test_plain(server, out):
    assert get([server.address + "/good"], out, sha256=SHA256) == (server.address + "/good", [])
    assert server.seen == [("/good", None)]


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


def test_the_next_source_is_tried(server, out, capsys):
    urls = [server.address + path for path in ("/404", "/wrong", "/page", "/good")]
    assert get(urls, out, sha256=SHA256)[0] == urls[3]
    told = capsys.readouterr().out
    assert "HTTP status 404" in told
    assert "expected SHA-256" in told
    assert "a web page" in told


def test_every_failure_is_told_with_the_way_out(server, out, tmp_path):
    urls = [server.address + "/404", server.address + "/wrong", str(tmp_path / "none"), "ftp://host/x"]
    with pytest.raises(PipelineError) as caught:
        fetch(urls, str(out), Sums(SHA256), pause=lambda seconds: None)
    message = str(caught.value)
    for words in urls + [str(out), "404", "SHA-256", "no such file", "ftp addresses", "by hand"]:
        assert words in message
    assert "\n" not in message
    assert not out.exists()


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


def test_a_folder_in_place_of_the_file_is_named(server, out):
    out.mkdir(parents=True)
    with pytest.raises(PipelineError, match="already there, but expected a file, got a folder"):
        fetch([server.address + "/good"], str(out), Sums(md5="0" * 32))


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


def test_links_to_files_and_folders_are_good(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "disk").mkdir()
    (tmp_path / "dataset").symlink_to(tmp_path / "disk")
    assert missing_downloads(["dataset/file.bin"]) == ["file.bin"]
    get([server.address + "/good"], tmp_path / "dataset" / "file.bin", sha256=SHA256)
    (tmp_path / "disk" / "link").symlink_to(tmp_path / "dataset" / "file.bin")
    assert missing_downloads(["dataset/" + name for name in ("file.bin", "link", "a/none")]) == ["a/none"]


def missing_downloads(paths):
    """What the function of this name in the workflow's rules returns for these paths."""
    with open(os.path.join(REPOSITORY, "workflow", "rules", "common.smk")) as stream:
        tree = ast.parse(stream.read())
    tree.body = [node for node in tree.body if getattr(node, "name", "") == "missing_downloads"]

    def refuse(words):
        raise PipelineError(words)

    names = {"os": os, "refuse": refuse, "config": {"downloads": {path: {} for path in paths}}}
    exec(compile(tree, "common.smk", "exec"), names)
    return names["missing_downloads"]()


def test_two_processes_do_not_write_one_file(server, out, monkeypatch):
    monkeypatch.setattr(download, "_PATIENCE", 0)
    with files.lock(str(out.parent / ".file.bin.part.lock"), "in this test"):
        refused([server.address + "/good"], out, "already downloading this file")
    get([server.address + "/good"], out, sha256=SHA256)


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
