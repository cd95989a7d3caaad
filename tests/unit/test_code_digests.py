"""The list of digests that stands for the code of a program."""

import hashlib
import os

import pytest
from densedepth.code_digests import changed, write


@pytest.fixture
def code(tmp_path):
    """Write a list of three files; returns its path and a function that writes it again after an edit."""
    sources = [str(tmp_path / name) for name in ("a.py", "b.py", "c.py")]
    for place, source in enumerate(sources):
        with open(source, "w") as stream:
            stream.write("x = {}\n".format(place))
        os.utime(source, (1000 + place, 1000 + place))
    path = str(tmp_path / "code" / "run.sha256")

    def again(name=None, text=""):
        if name:
            with open(str(tmp_path / name), "w") as stream:
                stream.write(text)
        write(path, [source for source in sources if os.path.exists(source)], str(tmp_path))
        with open(path, "rb") as stream:
            return hashlib.sha256(stream.read()).hexdigest()

    return path, again


def test_a_new_list_is_as_old_as_the_newest_file_and_stays_where_nothing_changed(code):
    path, again = code
    digest = again()
    assert os.stat(path).st_mtime == 1002
    # Only the time changes.
    assert again("a.py", "x = 0\n") == digest
    assert os.stat(path).st_mtime == 1002


def test_an_edit_makes_the_list_newer_and_is_named(code):
    path, again = code
    first = again()
    second = again("b.py", "x = 3\n")
    assert os.stat(path).st_mtime > 1002
    again("c.py", "x = 4\n")
    assert changed(path, first) == ["b.py", "c.py"]
    assert changed(path, second) == ["c.py"]
    assert changed(path, "0" * 64) == []


def test_a_file_that_is_gone_counts(code):
    path, again = code
    first = again()
    os.remove(os.path.join(os.path.dirname(os.path.dirname(path)), "a.py"))
    again()
    assert changed(path, first) == ["a.py"]
