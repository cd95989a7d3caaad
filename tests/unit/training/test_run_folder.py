"""What is left of an earlier training is moved aside when another one begins, and nothing else."""

import json
import os

import pytest
from densedepth.training import run_folder


def fill(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of before")


def all_files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@pytest.fixture
def claim(tmp_path, monkeypatch):
    """Claim the checkpoints of a run for a training; returns what was said."""
    monkeypatch.chdir(tmp_path)

    def call(fingerprint, folder="1p/checkpoints"):
        said = []
        os.makedirs(folder, exist_ok=True)
        run_folder.claim(folder, fingerprint, said.append)
        return said

    return call


RUN = (
    "checkpoints/epoch2/model.json",
    "checkpoints/epoch10/model.json",
    "evaluation/evaluate.log",
    "gallery/scene_9.png",
    "tensorboard/evaluation/events.x",
)


def test_a_new_training_moves_what_is_there_of_another(tmp_path, claim):
    assert claim("a") == []
    fill(tmp_path / "1p", *RUN, "performance.json", "checkpoints/state/lock")
    (tmp_path / "1p/checkpoints/epoch1").mkdir()
    (line,) = claim("b")
    assert line.startswith("1p/replaced/1: ") and "checkpoints/epoch2, checkpoints/epoch10, evaluation, gallery" in line
    moved = ["replaced/1/" + name for name in RUN]
    kept = ["checkpoints/state/lock", "checkpoints/training.json", "performance.json"]
    assert all_files(tmp_path / "1p") == sorted(moved + kept)
    fill(tmp_path / "1p", "evaluation/epoch1.json")
    assert claim("a")[0].startswith("1p/replaced/2: ")
    assert (tmp_path / "1p/replaced/2/evaluation/epoch1.json").exists()


def test_the_same_training_moves_nothing(tmp_path, claim):
    claim("a")
    fill(tmp_path / "1p", *RUN)
    assert claim("a") == []
    assert all_files(tmp_path / "1p") == sorted([*RUN, "checkpoints/training.json"])


def test_checkpoints_without_a_mark_say_whose_they_are(tmp_path, claim):
    fill(tmp_path / "1p", *RUN)
    (tmp_path / "1p/checkpoints/epoch2/model.json").write_text(json.dumps({"fingerprint": "a"}))
    assert claim("a") == []
    assert len(claim("b")) == 1


def test_by_hand_only_checkpoints_are_moved(tmp_path, claim):
    """A folder of checkpoints may lie anywhere; what is beside it is the user's."""
    fill(tmp_path, "evaluation/mine.txt", "tensorboard/mine", "ckpt/epoch1/model.json", "ckpt/notes.txt")
    assert claim("a", "./ckpt")[0].startswith("ckpt/replaced/1: ")
    assert all_files(tmp_path) == [
        "ckpt/notes.txt",
        "ckpt/replaced/1/epoch1/model.json",
        "ckpt/training.json",
        "evaluation/mine.txt",
        "tensorboard/mine",
    ]
