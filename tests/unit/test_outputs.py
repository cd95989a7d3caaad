"""Outputs never take the place of inputs, of each other, or of files of others."""

import os
import runpy

import cli
import draw_gallery
import make_sample
import pytest
import score
import write_test_set
from densedepth import outputs
from densedepth.errors import PipelineError

# The program test.py, whose name is that of a package of Python.
draw_panel = runpy.run_path(os.path.join(os.path.dirname(cli.__file__), "test.py"))["main"]


def touch(path, content="mine"):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    path.write_text(content)
    return str(path)


@pytest.mark.parametrize("word", ["{}/u.png", "{}/*.png", "{}/link.png", "{}/more/../u.png"])
def test_an_input_is_no_output(tmp_path, capsys, word):
    photo = touch(tmp_path / "u.png")
    os.makedirs(str(tmp_path / "more"))
    os.symlink(photo, str(tmp_path / "link.png"))
    words = ["--ckptdir", str(tmp_path / "no.pb"), "--input", word.format(tmp_path), "--output", photo]
    assert draw_panel(words) == 1
    told = "error: --output {}: would replace what is read; give another name\n".format(photo)
    assert capsys.readouterr().err.endswith(told)
    assert (tmp_path / "u.png").read_text() == "mine"


def test_an_output_in_a_folder_of_inputs_that_is_one_of_them(tmp_path, capsys):
    photo = touch(tmp_path / "u.png")
    assert draw_panel(["--ckptdir", "no.pb", "--input", str(tmp_path), "--output", photo]) == 1
    assert "would replace what is read" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--test_data", "{0}"], ["--test_data", "no.zip", "--csv", "{0}"]])
def test_an_archive_and_another_output_are_no_output(tmp_path, capsys, flags):
    path = touch(tmp_path / "x")
    words = ["--predictions", str(tmp_path / "maps"), "--unit", "metres", "--json", path]
    assert score.main(words + [word.format(path) for word in flags]) == 1
    told = capsys.readouterr().err
    assert told.endswith("; give another name\n") and told.count("\n") == 1 and path in told
    assert (tmp_path / "x").read_text() == "mine"


def test_a_name_that_is_no_path_may_be_that_of_the_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("1p")
    seen = []
    words = ["--name", "1p", "--out", "1p"]
    assert cli.run(draw_gallery.build_parser(), seen.append, words, writes=("out",)) == 0
    assert seen


@pytest.mark.parametrize("name", ["nyu_data.zip", "nyu_test.zip", "examples/1.png"])
def test_the_sample_replaces_nothing(tmp_path, capsys, name):
    path = touch(tmp_path / name)
    assert make_sample.main(["--out", str(tmp_path), "--train_scenes", "4", "--test_scenes", "1"]) == 1
    told = "error: {}: is there already; move it elsewhere, or give another --out\n".format(path)
    assert capsys.readouterr().err.endswith(told)
    assert (tmp_path / name).read_text() == "mine"


def test_a_published_archive_is_not_replaced(tmp_path, capsys):
    path = touch(tmp_path / "nyu_test.zip")
    assert write_test_set.main(["--pictures", str(tmp_path / "no.json"), "--out", path]) == 1
    assert "nyu_test.zip: is there already; move it elsewhere" in capsys.readouterr().err


@pytest.mark.parametrize(
    "names, foreign",
    [
        ([], None),
        (["side.json", "a/1.bin"], None),
        (["side.json", "a/1.bin", "mine.txt"], "mine.txt"),
        (["side.json", "a/mine.txt"], "a/mine.txt"),
        (["a/1.bin"], "a/1.bin"),
    ],
)
def test_a_folder_of_others_is_not_replaced(tmp_path, names, foreign):
    folder = tmp_path / "out"
    outputs.check_folder(str(folder), r"side\.json|a/\d+\.bin", "side.json")
    os.makedirs(str(folder))
    for name in names:
        touch(folder / name)
    if foreign:
        with pytest.raises(PipelineError, match="holds {}, which this program has not made".format(foreign)):
            outputs.check_folder(str(folder), r"side\.json|a/\d+\.bin", "side.json")
    else:
        outputs.check_folder(str(folder), r"side\.json|a/\d+\.bin", "side.json")
