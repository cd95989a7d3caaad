"""Numbers of the command line: every program refuses what the settings' schema refuses, before it does anything."""

import os
import subprocess
import sys

import pytest
from densedepth import ranges

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts")
RECORDS = ["--train_tfrecords", "x.tfrecords"]
LIST = ["--csv", "a.csv", "--metres_per_unit", "0.001", "--max_depth", "10"]

# Some need what is not installed everywhere; their flags are the same.
REFUSED = [
    ("make_sample.py", [], "--seed", "-1", "must be at least 0"),
    ("make_sample.py", [], "--seed", "5000000000", "must be at most 2147483647"),
    ("make_sample.py", [], "--train_scenes", "1e3", "must be a whole number"),
    ("dataset_tool_tf.py", [], "--shards", "1025", "must be at most 1024"),
    ("dataset_tool_tf.py", [], "--seed", "nan", "must be a whole number"),
    ("list_pictures.py", LIST, "--metres_per_unit", "inf", "must be a number"),
    ("list_pictures.py", LIST, "--max_depth", "0.1", "must be more than 0.1"),
    ("list_pictures.py", LIST, "--hole", "nan", "must be a number"),
    ("list_pictures.py", LIST, "--test_share", "1", "must be less than 1"),
    ("list_pictures.py", LIST, "--size", "480 100", "must be a multiple of 32"),
    ("train.py", RECORDS, "--lr", "-1", "must be more than 0"),
    ("train.py", RECORDS, "--lr", "nan", "must be a number"),
    ("train.py", RECORDS, "--lr_decay", "inf", "must be a number"),
    ("train.py", RECORDS, "--mindepth", "0", "must be more than 0"),
    ("train.py", RECORDS, "--maxdepth", "5", "the nearest must be below the farthest"),
    ("train.py", RECORDS, "--mirror_probability", "2", "must be at most 1"),
    ("train.py", RECORDS, "--swap_probability", "-0.1", "must be at least 0"),
    ("train.py", RECORDS, "--batch_norm_momentum", "1.5", "must be less than 1"),
    ("train.py", RECORDS, "--keep_epochs", "21", "must be at most --epochs 20"),
    ("train.py", RECORDS, "--initial_epoch", "20", "nothing to train between them"),
    ("train.py", RECORDS, "--seed", "-1", "must be at least 0"),
    ("train.py", RECORDS, "--steps", "0", "must be at least 1"),
    ("train.py", RECORDS, "--steps", "99999999999", "must be at most 10000000"),
    ("train.py", RECORDS, "--log_every", "99999999999", "must be at most 10000000"),
    ("train.py", RECORDS, "--state_minutes", "nan", "must be a number"),
    ("train.py", RECORDS, "--devices", "65", "must be at most 64"),
    ("train.py", RECORDS, "--rank_timeout", "1", "must be at least 5"),
    ("evaluate.py", [], "--bs", "0", "must be at least 1"),
    ("ckpt2pb.py", [], "--bs", "-1", "must be at least 0"),
    ("infer_from_pb.py", [], "--minDepth", "nan", "must be a number"),
    ("predict.py", ["--input", "a.png"], "--maxdepth", "inf", "must be a number"),
    ("predict.py", ["--input", "a.png"], "--intrinsics", "1 1 nan 1", "must be a number"),
    ("predict.py", ["--input", "a.png"], "--scale", "0 inf", "must be a number"),
    ("import_model.py", ["--input", "a", "--out", "b"], "--max_depth", "0", "must be more than 0.1"),
    ("test.py", [], "--maxdepth", "0", "must be more than 0"),
    ("run_om.py", ["--input", "a", "--out", "b"], "--device", "64", "must be at most 63"),
    ("export_onnx.py", [], "--opset", "9", "must be at least 11"),
    ("make_rank_table.py", [], "--devices", "16", "must be at most 15"),
]


def finished(program, words):
    """The finished process of a program."""
    return subprocess.run(
        [sys.executable, os.path.join(SCRIPTS, program)] + words,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("program, others, flag, value, expected", REFUSED)
def test_a_number_out_of_its_range_is_refused(tmp_path, monkeypatch, capsys, program, others, flag, value, expected):
    monkeypatch.chdir(tmp_path)
    module = __import__(program[:-3])
    try:
        status = module.main(others + [flag] + value.split())
    except SystemExit as error:
        status = error.code
    said = capsys.readouterr().err
    assert status in (1, 2) and len(said.splitlines()) == 1, said
    assert flag in said and value.split()[-1 if flag != "--intrinsics" else 2] in said and expected in said
    assert os.listdir(str(tmp_path)) == []


def test_the_program_itself_says_one_line(tmp_path):
    done = finished("make_sample.py", ["--seed", "-1", "--out", str(tmp_path / "sample")])
    assert done.returncode == 2
    assert done.stderr == "make_sample.py: error: argument --seed: -1: must be at least 0; see --help\n"


@pytest.mark.parametrize("word", ["-1e400", "nan", "Infinity", "", "1_0_x", "0x10"])
@pytest.mark.parametrize("name", sorted(ranges.SETTINGS) + sorted(ranges.FLAGS))
def test_no_range_takes_what_is_no_number(name, word):
    with pytest.raises(ValueError, match="must be"):
        ranges.parse(word, name)
