"""The settings of a run: those that all runs share, with its own laid over them."""

import copy

import pytest
from densedepth import run_settings

CONFIG = {
    "seed": 0,
    "model": {"encoder": "densenet121"},
    "train": {"weights": "dataset/121.h5", "learning_rate": 0.1, "keep_epochs": [1, 2]},
    "runs": {
        "1p": {"devices": 1},
        "fast": {"devices": 2, "train": {"learning_rate": 0.5, "keep_epochs": [2]}, "seed": 3},
        "tuned": {"devices": 1, "weights": "published/own", "steps_per_device": True},
        "big": {"devices": 1, "model": {"encoder": "densenet169"}, "train": {"weights": "dataset/169.h5"}},
        "random": {"devices": 1, "train": {"weights": ""}},
    },
}


def test_own_settings_are_laid_over_the_common_ones():
    before = copy.deepcopy(CONFIG)
    common = {"seed": 0, "model": CONFIG["model"], "train": CONFIG["train"], "devices": 1, "steps_per_device": False}
    assert run_settings.of_run(CONFIG, "1p") == dict(common, devices=1)
    fast = {"weights": "dataset/121.h5", "learning_rate": 0.5, "keep_epochs": [2]}
    assert run_settings.of_run(CONFIG, "fast") == dict(common, devices=2, seed=3, train=fast)
    tuned = run_settings.of_run(CONFIG, "tuned")
    assert (tuned["train"]["weights"], tuned["steps_per_device"]) == ("published/own", True)
    assert "weights" not in tuned
    # A pretrained network has those of all.
    assert run_settings.of_run(CONFIG, "published/own") == common
    assert before == CONFIG


def test_each_encoder_has_one_file_for_all_its_runs():
    assert run_settings.encoder_files(CONFIG) == {"densenet121": "dataset/121.h5", "densenet169": "dataset/169.h5"}
    assert run_settings.weights_key(CONFIG, "dataset/121.h5") == "train.weights"
    assert run_settings.weights_key(CONFIG, "dataset/169.h5") == "runs.big.train.weights"
    assert [found for check in run_settings.CHECKS for found in check(CONFIG)] == []


@pytest.mark.parametrize(
    "run, words",
    [
        ({"devices": 1}, "equal to 1p in all settings"),
        ({"devices": 1, "seed": 0, "train": {"learning_rate": 0.1}}, "equal to 1p in all settings"),
        ({"devices": 1, "weights": ""}, "equal to random in all settings"),
        ({"devices": 1, "weights": "", "train": {"weights": "dataset/121.h5"}, "seed": 9}, "not both"),
        ({"devices": 1, "train": {"weights": "dataset/other.h5"}}, "begin densenet121 with dataset/121.h5"),
        ({"devices": 1, "model": {"encoder": "densenet201"}}, "is for densenet121 of other runs; give the file of"),
    ],
)
def test_runs_that_do_not_go_together(run, words):
    config = dict(CONFIG, runs=dict(CONFIG["runs"], new=run))
    ((path, _, said),) = [found for check in run_settings.CHECKS for found in check(config)]
    assert path[:2] == ["runs", "new"] and words in said
