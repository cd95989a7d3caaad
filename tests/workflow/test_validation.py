"""Plans with a validation: what is split, validated and frozen, and where a run stops early."""

import json
import os
import re

import pytest
import yaml
from conftest import REPOSITORY
from densedepth import configuration, provenance

SCHEMA = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())
KEPT = {"epochs": 6, "keep_epochs": [2, 4, 6]}
SHARE = {"data": {"validation": {"share": 0.1}}, "train": KEPT}


def problems(**changes):
    return configuration.problems(configuration.merge(CONFIG, changes), SCHEMA)


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"data": {"validation": {"share": 0.1, "scenes": ["a"]}}}, "data.validation: give only one of share, scenes"),
        ({"data": {"validation": {"share": 1}}}, "data.validation.share = 1: must be less than 1"),
        ({"export": "best"}, 'export = "best": needs validation pairs; set share, scenes or csv of data.validation'),
        ({"export": 5}, "export = 5: must be last, best or one of the kept epochs 2, 4"),
        ({"export": "first"}, 'export = "first": must be last, best or a kept epoch'),
        ({"train": {"patience": 2}}, "train.patience = 2: needs validation pairs"),
        (dict(SHARE, train=dict(KEPT, patience=2), export=4), "export = 4: with train.patience the run may end before"),
        ({"runs": {"b": {"devices": 1, "export": "best"}}}, 'runs.b.export = "best": needs validation pairs'),
        ({"runs": {"b": {"devices": 1, "data": {"validation": {}}}}}, "runs.b.data.validation: is common to all runs"),
    ],
)
def test_settings_that_are_refused(changes, line):
    (found,) = problems(**changes)
    assert line in found


def test_an_older_copy_of_the_settings_has_no_validation():
    old = json.loads(json.dumps({key: value for key, value in CONFIG.items() if key != "export"}))
    del old["data"]["validation"], old["train"]["patience"], old["train"]["min_delta"]
    completed = configuration.completed(old, SCHEMA)
    assert configuration.problems(completed, SCHEMA) == []
    assert (completed["export"], completed["train"]["patience"]) == ("last", 0)
    assert completed["data"]["validation"] == CONFIG["data"]["validation"]


def test_a_list_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changed = configuration.merge(CONFIG, {"data": {"validation": {"csv": "mine/validation.csv"}}})
    assert [line for line in provenance.missing(changed) if "validation" in line] == [
        "config: data.validation.csv = mine/validation.csv: no such file or folder; it must list the validation pairs"
    ]


def frozen(output):
    """The epochs that a plan freezes, by run."""
    return dict(re.findall(r"--ckptdir results/(\w+)/checkpoints/epoch(\d+) +--pbdir", " ".join(output.split())))


def test_a_plan_without_a_validation_knows_none(project):
    output = project.snakemake("-n", "-p")
    plan = project.jobs(output)
    assert not {"split_validation", "write_validation_set", "validate_checkpoint", "join_history"} & set(plan)
    assert not re.search(r"--(left_out|validation_\w+) ", output)
    assert frozen(output) == {"1p": "4"}


def test_a_plan_with_a_validation(project):
    settings = project.configure(dict(SHARE, export=4))
    output = project.snakemake("-n", "-p", *settings)
    plan = project.jobs(output)
    rules = ("split_validation", "convert_records", "write_validation_set", "train_model", "validate_checkpoint")
    assert [plan[rule] for rule in rules] == [1, 1, 1, 3, 3]
    (joined,) = re.findall(r"join_history.py (.*?) --out results/1p/history.jsonl", " ".join(output.split()))
    assert joined.count("/history.jsonl") == joined.count("results/1p/validation/epoch") == 3
    assert "--left_out results/data/validation.json" in output and "--validation_share 0.1" in output
    assert frozen(output) == {"1p": "4"}


def test_custom_pairs_are_listed_with_their_validation(project):
    for name in ("pairs.csv", "validation.csv"):
        project.path(name).write_text("a.png,a.png\n")
    data = {"custom": {"csv": "pairs.csv"}, "validation": {"csv": "validation.csv"}, "examples": []}
    evaluate = {"protocols": ["port"]}
    output = project.snakemake("-n", "-p", *project.configure({"data": data, "evaluate": evaluate}))
    plan = project.jobs(output)
    assert "split_validation" not in plan and plan["write_validation_set"] == 1
    assert "--validation_csv validation.csv" in output and "--left_out" not in output
    assert "--pictures results/data/pictures.json" in output


def hours_after(project, hours):
    """A time so many hours after the last change of the code, which a checkout or an edit may have made just now."""
    code = [project.path("Snakefile"), *project.path("workflow").rglob("*")]
    return max(path.stat().st_mtime for path in code) + hours * 3600


def make(project, run, deltas, kept):
    """Files of a training up to its epochs `deltas`: {epoch: validation δ1}, one second after the other."""
    now = hours_after(project, 1)

    def write(name, text=""):
        nonlocal now
        path = project.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        now += 1
        os.utime(path, (now, now))

    data = ("sample/nyu_data.zip", "sample/nyu_test.zip", *("sample/examples/{}.png".format(i) for i in range(1, 5)))
    shards = ["data/nyu_train-{:05d}-of-00004.tfrecords".format(i) for i in range(4)]
    if not project.path("results/data").exists():
        for name in (*data, "data/validation.json", *shards, "data/nyu_train.json", "data/validation.zip"):
            write("results/" + name)
    for epoch in kept:
        if epoch in deltas:
            folder = "results/{}/checkpoints/epoch{}/".format(run, epoch)
            for name in (
                "model.ckpt.index",
                "model.ckpt.data-00000-of-00001",
                "checkpoint",
                "model.json",
                "history.jsonl",
            ):
                write(folder + name)
            figures = {"metrics": {"delta1": deltas[epoch]}}
            write("results/{}/validation/epoch{}.json".format(run, epoch), json.dumps(figures))


def make_rest(project):
    """Files of all that follows the checkpoints, of a time after theirs."""
    now = hours_after(project, 2)
    run = ("export/model.pb", "export/model.pb.json", "inference/frozen.json", "inference/examples.png")
    for name in ("report.md", "report.html", *("1p/" + name for name in run)):
        path = project.path("results/" + name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (now, now))


def plan(project, **settings):
    words = project.configure(configuration.merge(SHARE, settings))
    output = project.snakemake("-n", "-p", "--rerun-triggers", "mtime", *words)
    return output, project.jobs(output)


def test_the_best_by_validation_is_frozen(project):
    make(project, "1p", {2: 0.5, 4: 0.7, 6: 0.6}, (2, 4, 6))
    output, jobs = plan(project, export="best")
    assert frozen(output) == {"1p": "4"} and "train_model" not in jobs
    validation = project.path("results/1p/validation/epoch2.json")
    made = validation.stat().st_mtime
    validation.write_text("{}")
    os.utime(validation, (made, made))
    output = project.snakemake("-n", "--rerun-triggers", "mtime", "--configfile", "mine.yaml", fails=True)
    assert "results/1p/validation/epoch2.json: has no delta1; validate the checkpoint again" in output


def test_a_run_that_stopped_early_is_complete(project):
    make(project, "1p", {2: 0.5, 4: 0.4}, (2, 4, 6))
    output, jobs = plan(project, train={"patience": 2})
    assert "train_model" not in jobs and jobs["evaluate_checkpoint"] == 2
    assert frozen(output) == {"1p": "4"}
    # More epochs do not change that; more patience does.
    assert "train_model" not in plan(project, train={"patience": 2, "epochs": 8})[1]
    assert plan(project, train={"patience": 3})[1]["train_model"] == 1
    assert frozen(plan(project, train={"patience": 2}, export="best")[0]) == {"1p": "2"}
    make_rest(project)
    assert "train_model" not in plan(project, train={"patience": 2})[1]
    assert plan(project, train={"patience": 3})[1]["train_model"] == 1


def test_all_and_the_report_alone_ask_for_the_same_of_a_run_that_stopped(project):
    """By Snakemake's own records, which `--touch` writes as a run of the jobs does."""
    make(project, "1p", {2: 0.5, 4: 0.4}, (2, 4, 6))
    words = project.configure(configuration.merge(SHARE, {"train": {"patience": 2}}))
    for line in project.snakemake("--summary", *words).splitlines():
        name = line.split("\t")[0]
        path = project.path(name)
        if name.startswith("results/") and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.mkdir() if not path.suffix else path.touch()
    for path in project.path("results").rglob("*.*"):
        # Of the times that `make` gives, none may be after those of the records.
        os.utime(path, (0, path.stat().st_mtime - 3 * 3600))
    project.snakemake("--cores", "1", "--touch", *words)
    changed = project.configure(configuration.merge(SHARE, {"train": {"patience": 3}}))
    asked = [project.planned(*changed, "--", target) for target in ("all", "results/report.md")]
    assert asked[0] == dict(asked[1], all=1, join_history=1, predict_examples=1) and asked[1]["train_model"] == 1


def test_runs_that_may_stop_are_trained_side_by_side(project):
    make(project, "1p", {2: 0.5}, (2, 4, 6))
    runs = {"other": {"devices": 1, "seed": 1}}
    output, jobs = plan(project, train={"patience": 2}, runs=runs)
    assert (jobs["train_model"], jobs["validate_checkpoint"]) == (2, 2)
    assert "training 1p from epoch 2 to 4" in output and "training other from epoch 0 to 2" in output
