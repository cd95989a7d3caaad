"""Runs with settings of their own: what is planned for each, what they share, and what is refused."""

import re

import pytest
import yaml
from conftest import REPOSITORY, SETTINGS, overlay
from densedepth import configuration, replacement
from PIL import Image

SCHEMA = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())

FAST = {"devices": 1, "train": {"learning_rate": 0.001, "epochs": 3, "keep_epochs": [1]}}
LARGE = {
    "devices": 1,
    "seed": 7,
    "model": {"encoder": "densenet169"},
    "data": {"height": 128, "width": 160, "target_downsampling": "nearest"},
    "evaluate": {"protocols": ["port"], "batch_size": 1},
}


def with_runs(**runs):
    return dict(CONFIG, runs=dict(CONFIG["runs"], **runs))


def problems(**runs):
    return configuration.problems(with_runs(**runs), SCHEMA)


def test_a_run_that_is_added_comes_behind_those_that_were_there(project):
    Image.new("RGB", (64, 48)).save(str(project.path("photo.png")))
    settings = {"runs": {"fast": FAST}, "predictions": {"mine": {"input": ["photo.png"]}}}
    output = project.snakemake("-n", "-p", "results/predictions/mine", *project.configure(settings))
    assert "results/1p/export/model.pb" in output and "results/fast" not in output


def test_each_run_is_planned_with_its_own_settings(project):
    output = project.snakemake("-n", "-p", *project.configure({"runs": {"fast": FAST, "large": LARGE}}))
    plan = project.jobs(output)
    assert (plan["convert_records"], plan["train_model"], plan["evaluate_checkpoint"]) == (1, 6, 6)
    words = " ".join(output.split())
    flags = ("--name", "--epochs", "--lr", "--encoder", "--seed", "--halving", "--size")
    trained = set(re.findall("train.py " + ".*?".join(flag + r" (\S+(?: \d+)?) " for flag in flags), words))
    assert trained == {
        *(("1p", epoch, "0.0008", "densenet121", "0", "mean", "64 96") for epoch in "24"),
        *(("fast", epoch, "0.001", "densenet121", "0", "mean", "64 96") for epoch in "13"),
        *(("large", epoch, "0.0008", "densenet169", "7", "pick", "128 160") for epoch in "24"),
    }
    scored = set(re.findall(r"--logdir results/(\w+)/evaluation --bs (\d) --protocol ([a-z ]+?) --", words))
    assert scored == {("1p", "2", "port paper bts"), ("fast", "2", "port paper bts"), ("large", "1", "port")}
    # The records are of the seed that all share.
    assert re.findall(r"dataset_tool_tf.py .*?--seed (\d)", words) == ["0"]


def test_an_epoch_that_only_another_run_keeps_is_refused(project):
    settings = project.configure({"runs": {"fast": FAST}})
    for run, epoch, kept, last in (("1p", 3, "2, 4", 4), ("fast", 2, "1, 3", 3)):
        for name in ("checkpoints/epoch{}/model.json", "evaluation/epoch{}.json"):
            output = project.snakemake("-n", "results/{}/".format(run) + name.format(epoch), *settings, fails=True)
            words = "{} has no epoch {}, only {}; train.keep_epochs adds one, up to train.epochs = {}"
            assert words.format(run, epoch, kept, last) in output


def test_weights_of_an_encoder_are_imported_once_for_all_its_runs(project):
    project.path("dataset").mkdir()
    for name in ("121.h5", "169.h5"):
        project.path("dataset").joinpath(name).write_text("by hand")
    runs = {
        "fast": FAST,
        "other": {"devices": 1, "seed": 1},
        "large": dict(LARGE, train={"weights": "dataset/169.h5"}),
        "random": {"devices": 1, "weights": ""},
    }
    settings = project.configure({"train": {"weights": "dataset/121.h5"}, "runs": runs})
    output = project.snakemake("-n", "-p", *settings)
    assert project.jobs(output)["import_weights"] == 2
    started = re.findall(r"--name (\S+) \S.{,900}?--weights (\S+)", " ".join(output.split()))
    assert ("large", "results/weights/densenet169") in started
    project.path("dataset/169.h5").unlink()
    output = project.snakemake("-n", *settings, fails=True)
    assert "config: runs.large.train.weights = dataset/169.h5: no such file" in output


def test_speed_is_told_against_a_run_of_the_same_work(project):
    target = "results/two/performance.json"
    runs = {"two": dict(LARGE, devices=2), "single": LARGE}
    output = project.snakemake("-n", "-p", target, *project.configure({"runs": runs}))
    assert "--single results/single/performance.json" in output
    del runs["single"]
    project.configure({"runs": runs})
    assert "--single" not in project.snakemake("-n", "-p", target, "--configfile", "mine.yaml")


def test_a_run_added_to_a_finished_pipeline_touches_no_other(finished):
    for run, trained in ((FAST, 2), (dict(LARGE, train={"epochs": 1}), 1)):
        output = finished.snakemake("-n", *overlay(finished, runs={"new": run}))
        once = ("freeze_graph", "infer_frozen_graph", "predict_examples", "draw_gallery", "write_report", "all")
        assert finished.jobs(output) == {
            "train_model": trained,
            "evaluate_checkpoint": trained,
            **dict.fromkeys(once, 1),
        }
        assert "results/1p/checkpoints" not in "".join(re.findall(r"output: .*", output))


def test_the_same_settings_in_another_place_make_nothing_again(finished):
    """What stood for all runs, and stands for the one of them."""
    assert finished.planned(*SETTINGS) == {}
    train = {"learning_rate": CONFIG["train"]["learning_rate"], "epochs": 2}
    planned = finished.planned(*overlay(finished, runs={"1p": {"devices": 1, "train": train, "seed": 0}}))
    # The report tells where they stand.
    assert planned == {"write_report": 1, "all": 1}


@pytest.mark.parametrize(
    "run, expected",
    [
        ({"train": {"learning_rate": 2}}, "config: runs.new.train.learning_rate = 2: must be at most 1"),
        ({"train": {"learnig_rate": 1}}, "runs.new.train.learnig_rate: unknown key; did you mean learning_rate?"),
        ({"data": {"height": 100}}, "config: runs.new.data.height = 100: must be a multiple of 32"),
        ({"data": {"shards": 2}}, "config: runs.new.data.shards: is common to all runs; legal here: height, target"),
        ({"om": {"device": 1}}, "config: runs.new.om: is common to all runs; legal here: data, devices, evaluate,"),
        ({"trian": {}}, "config: runs.new.trian: unknown key; did you mean train?"),
        ({"model": "densenet169"}, 'config: runs.new.model = "densenet169": must be a mapping of keys to values'),
        ({"seed": -1}, "config: runs.new.seed = -1: must be at least 0"),
        (
            {"train": {"keep_epochs": [9]}},
            "config: runs.new.train.keep_epochs[0] = 9: must be at most train.epochs = 4",
        ),
        ({"evaluate": {"protocols": ["bts"]}}, 'config: runs.new.evaluate.protocols = ["bts"]: must contain port'),
        (
            {"train": {"weights": "published/x"}},
            'runs.new.train.weights = "published/x": no such network in pretrained',
        ),
        ({"weights": "", "train": {"weights": "a.h5"}, "seed": 1}, "give this or train.weights of the run, not both"),
        ({}, "config: runs.new: equal to 1p in all settings; change one, or leave the run out"),
        ({"train": {"learning_rate": 0.0008}}, "config: runs.new: equal to 1p in all settings"),
    ],
)
def test_bad_settings_of_a_run_are_refused_in_one_line(run, expected):
    (line,) = problems(new=dict({"devices": 1}, **run))
    assert expected in line


def test_settings_of_a_run_that_are_accepted():
    assert problems(fast=FAST, large=LARGE) == []
    # Of the common epochs, a shorter run has those that it reaches.
    assert problems(short={"devices": 1, "train": {"epochs": 3}}) == []


def test_equal_runs_stop_snakemake(project):
    output = project.snakemake("-n", *project.configure({"runs": {"again": {"devices": 1}}}), fails=True)
    assert "config: runs.again: equal to 1p in all settings" in output


def test_own_settings_on_the_command_line_have_the_types_of_the_schema():
    words = {"runs": {"a": {"train": {"learning_rate": "1e-3"}, "data": {"height": "64"}, "seed": "3"}}}
    typed = {"runs": {"a": {"train": {"learning_rate": 0.001}, "data": {"height": 64}, "seed": 3}}}
    assert configuration.typed(words, SCHEMA) == typed


def test_a_changed_run_is_told_by_its_own_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/fast/checkpoints/epoch1"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(
        '{"start": null, "weights": null, "training": {"learning_rate": 0.001, "seed": 4}}'
    )
    jobs = {("train_model", "fast")}
    (line,) = replacement.changes(with_runs(fast=FAST), jobs)
    assert line.startswith("seed 4 -> 0: trains fast again")
    assert replacement.changes(with_runs(fast=dict(FAST, seed=4)), jobs) == []
    assert replacement.replaced(with_runs(fast=dict(FAST, weights="published/own")), jobs, None)
