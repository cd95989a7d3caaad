"""Files are whole or absent; locks are exclusive."""

import errno
import os
import subprocess
import sys

import pytest
from densedepth import files
from densedepth.errors import PipelineError


def test_printable_names_are_valid_text_that_tells_them_apart():
    names = [b"plain", b"a\xff", b"a\xfe", "\u4e2d".encode(), b"\xe4\xb8"]
    printable = [files.printable(os.fsdecode(name)) for name in names]
    assert printable == ["plain", "a\\xff", "a\\xfe", "\u4e2d", "\\xe4\\xb8"]


def test_atomic_path_appears_with_its_whole_content(tmp_path):
    final = tmp_path / "new" / "x.bin"
    with files.atomic_path(str(final)) as temporary:
        with open(temporary, "wb") as stream:
            stream.write(b"whole")
        assert not final.exists()
    assert final.read_bytes() == b"whole"
    assert os.listdir(str(final.parent)) == ["x.bin"]


def test_atomic_path_leaves_the_old_file_after_an_error(tmp_path):
    final = tmp_path / "x.txt"
    final.write_text("old")
    with pytest.raises(ValueError), files.atomic_path(str(final)) as temporary:
        with open(temporary, "w") as stream:
            stream.write("half")
        raise ValueError
    assert final.read_text() == "old"
    assert os.listdir(str(tmp_path)) == ["x.txt"]


def test_a_place_where_no_file_can_be_is_named(tmp_path):
    (tmp_path / "x.txt").write_text("a file")
    with pytest.raises(PipelineError, match=r"expected the name of a file, got a folder"):
        with files.atomic_path(str(tmp_path)):
            pass
    for write in (files.atomic_path, files.atomic_folder):
        for place in (str(tmp_path / "x.txt" / "y"), "/proc/new/y"):
            with pytest.raises(PipelineError, match=os.path.dirname(place) + r": the folder cannot be made \("):
                with write(place):
                    pass
    assert os.listdir(str(tmp_path)) == ["x.txt"]


def test_atomic_folder_replaces_whole(tmp_path):
    final = tmp_path / "state"
    for content in ("one", "two"):
        with files.atomic_folder(str(final)) as folder, open(os.path.join(folder, content), "w"):
            pass
    assert os.listdir(str(final)) == ["two"]
    assert os.listdir(str(tmp_path)) == ["state"]


def test_json_is_sorted_and_refuses_nan(tmp_path):
    path = str(tmp_path / "x.json")
    files.write_json(path, {"b": 1, "a": [1.5, None]})
    assert files.read_json(path) == {"a": [1.5, None], "b": 1}
    with open(path) as stream:
        assert stream.read().index('"a"') < 10
    with pytest.raises(ValueError):
        files.write_json(path, {"a": float("nan")})
    assert files.read_json(path)["b"] == 1


@pytest.mark.parametrize("content, message", [(None, "no such file"), ("{", "not a JSON file")])
def test_unreadable_json_is_named(tmp_path, content, message):
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PipelineError, match="x.json: " + message):
        files.read_json(str(path))


def test_sums_of_known_bytes(tmp_path):
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert files.md5(str(path)) == "900150983cd24fb0d6963f7d28e17f72"
    assert files.sha256(str(path)) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_lock_is_exclusive_and_names_its_holder(tmp_path):
    path = str(tmp_path / "lock")
    program = "import sys; from densedepth import files\nwith files.lock(sys.argv[1], 'training'): pass"
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    command = [sys.executable, "-c", program, path]
    with files.lock(path, "training"):
        run = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert run.returncode != 0
        assert "process {} is already training".format(os.getpid()) in run.stderr
    assert subprocess.run(command, env=environment).returncode == 0


def test_what_a_killed_process_has_left_is_removed_when_the_file_is_written_again(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    abandoned = tmp_path / ".a.json.tmp-{}".format(gone.pid)
    abandoned.write_text("half")
    others = [tmp_path / ".a.json.tmp-{}".format(os.getppid()), tmp_path / ".b.json.tmp-{}".format(gone.pid)]
    for path in others:
        path.write_text("of somebody else")
    (tmp_path / "folder.tmp-{}".format(gone.pid)).mkdir()
    files.write_json(str(tmp_path / "a.json"), 1)
    with files.atomic_folder(str(tmp_path / "folder")):
        pass
    assert sorted(tmp_path.iterdir()) == sorted(others + [tmp_path / "a.json", tmp_path / "folder"])


def test_without_locks_the_work_goes_on(tmp_path, monkeypatch, capsys):
    def none(*arguments):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(files.fcntl, "flock", none)
    with files.lock(str(tmp_path / "lock"), "training"):
        pass
    assert "lock: no locks here" in capsys.readouterr().out


def test_a_lock_can_be_waited_for(tmp_path):
    path = str(tmp_path / "lock")
    program = (
        "import sys, time; from densedepth import files\n"
        "with files.lock(sys.argv[1], 'training'): print(flush=True); time.sleep(0.3)"
    )
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    with subprocess.Popen([sys.executable, "-c", program, path], env=environment, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        with files.lock(path, "training", patience=60):
            assert holder.wait() == 0
