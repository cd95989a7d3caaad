"""The whole pipeline, really run on a tiny sample; then what an edit, a setting or a kill makes happen again."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import PARTS, REPOSITORY, TINY, Project, copy

SETTINGS = ("--configfile", "mine.yaml")


@pytest.fixture(scope="session")
def walked(tmp_path_factory, tensorflow_python):
    """A project in which the whole pipeline has run; not to be changed."""
    project = copy(REPOSITORY, tmp_path_factory.mktemp("walked") / "project")
    project.configure(dict(TINY, python=tensorflow_python))
    project.snakemake(*SETTINGS)
    return project


def copy_or_link(source, target):
    """Checkpoints are large, and replaced as a whole when they are made again: a second name for them is enough."""
    if os.path.getsize(source) > 1000000:
        os.link(source, target)
    else:
        shutil.copy2(source, target)


@pytest.fixture
def finished(walked, tmp_path):
    """A copy of the finished project, to change at will."""
    shutil.copytree(walked.folder, tmp_path / "project", copy_function=copy_or_link)
    return Project(tmp_path / "project")


def edit(project, name):
    """A change of a source file that matters to nothing but its checksum."""
    with open(project.path("workflow/scripts") / name, "a") as stream:
        stream.write("\n# An edit.\n")


def overlay(project, **settings):
    """The arguments that lay `settings` over those the project was made with."""
    project.configure(settings, "over.yaml")
    return (*SETTINGS, "over.yaml")


EVERYTHING_AFTER_TRAINING = {
    "evaluate_checkpoint": 2,
    "freeze_graph": 1,
    "infer_frozen_graph": 1,
    "predict_examples": 1,
    "draw_gallery": 1,
    "write_report": 1,
    "all": 1,
}


def test_all_results_are_there(walked):
    results = walked.path("results")
    checkpoint = {"checkpoint", "history.jsonl", "model.ckpt.data-00000-of-00001", "model.ckpt.index", "model.json"}
    for epoch in (1, 2):
        assert set(os.listdir(results / "1p/checkpoints/epoch{}".format(epoch))) == checkpoint
        metrics = json.loads((results / "1p/evaluation/epoch{}.json".format(epoch)).read_text())["metrics"]
        assert 0 <= metrics["delta1"] <= 1
    frozen = json.loads((results / "1p/inference/frozen.json").read_text())
    last = json.loads((results / "1p/evaluation/epoch2.json").read_text())
    assert frozen["metrics"] == pytest.approx(last["metrics"], abs=1e-6)
    assert (results / "1p/inference/examples.png").stat().st_size > 0


def test_the_report_shows_no_broken_picture(walked):
    text = walked.path("results/report.md").read_text()
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text) + re.findall(r'<img[^>]*src="([^"]+)"', text)
    assert len(pictures) >= 4
    assert [name for name in pictures if not walked.path("results").joinpath(name).is_file()] == []


def test_the_runtime_is_named_everywhere(walked, tensorflow_python):
    name = Path(tensorflow_python).parents[1].name
    side = json.loads(walked.path("results/1p/checkpoints/epoch2/model.json").read_text())
    assert side["runtime"]["runtime"] == name
    assert side["runtime"]["tensorflow"] in walked.path("results/report.md").read_text()
    logs = sorted(walked.path("results/logs").rglob("*.log"))
    assert len(logs) >= 10
    for log in logs:
        assert re.search(r"^\S+\.py: runtime (none|{}), python 3\.".format(name), log.read_text(), re.MULTILINE), log


def test_nothing_is_left_to_do(finished):
    assert finished.planned(*SETTINGS) == {}


def test_new_times_of_equal_sources_make_nothing_again(finished):
    for name in PARTS:
        for path in [finished.path(name), *finished.path(name).rglob("*")]:
            os.utime(path)
    assert finished.planned(*SETTINGS) == {}


@pytest.mark.parametrize("name", ["report.py", "densedepth/report.py", "densedepth/published.py"])
def test_an_edit_of_the_report_makes_only_the_report_again(finished, name):
    edit(finished, name)
    assert finished.planned(*SETTINGS) == {"write_report": 1, "all": 1}


def test_an_edit_of_the_loss_trains_again(finished):
    edit(finished, "densedepth/loss.py")
    assert finished.planned(*SETTINGS) == dict(EVERYTHING_AFTER_TRAINING, train_model=2)


def test_an_edit_of_the_metrics_does_not_train_again(finished):
    edit(finished, "densedepth/metrics.py")
    plan = finished.planned(*SETTINGS)
    assert {"train_model", "convert_records", "freeze_graph"}.isdisjoint(plan)
    assert (plan["evaluate_checkpoint"], plan["evaluate_baseline"], plan["write_report"]) == (2, 1, 1)


def test_an_edit_of_the_sample_draws_it_again(finished):
    edit(finished, "make_sample.py")
    assert finished.planned(*SETTINGS)["make_sample"] == 1


def test_a_cosmetic_edit_can_be_declared_one(finished):
    edit(finished, "densedepth/loss.py")
    assert finished.planned(*SETTINGS, "--consider-ancient", "train_model=code") == {}


@pytest.mark.parametrize(
    "settings",
    [{"python": "/opt/other/bin/python"}, {"runtime": "tf2"}, {"train": {"state_minutes": 30}}],
    ids=["python", "runtime", "state_minutes"],
)
def test_settings_of_the_machine_make_nothing_again(finished, settings):
    assert finished.planned(*overlay(finished, **settings)) == {}


def test_more_epochs_train_only_the_new_ones(finished):
    output = finished.snakemake("--dry-run", *overlay(finished, train={"epochs": 3}))
    assert "training 1p from epoch 2 to 3" in output
    assert output.count("training 1p from") == 1
    assert output.count("evaluating results/1p/checkpoints/epoch") == 1


def test_a_setting_makes_again_what_uses_it(finished):
    assert finished.planned(*overlay(finished, evaluate={"batch_size": 1})) == {
        "evaluate_checkpoint": 2,
        "write_report": 1,
        "all": 1,
    }


def test_a_run_on_two_devices(finished):
    settings = overlay(finished, runs={"2p": {"devices": 2}})
    finished.snakemake("results/2p/checkpoints/epoch1/model.json", *settings)
    side = json.loads(finished.path("results/2p/checkpoints/epoch1/model.json").read_text())
    assert side["performance"]["world_size"] == 2
    assert side["global_step"] == TINY["train"]["steps"] / 2
    assert "train_model" not in finished.planned(*SETTINGS)


def test_pictures_of_ones_own(finished):
    shutil.copytree(finished.path("results/sample/examples"), finished.path("photos"))
    finished.path("photos/bad.png").write_text("no picture")
    settings = overlay(finished, predictions={"mine": {"input": ["photos"], "write": ["npy", "ply"]}})
    finished.snakemake("results/predictions/mine", *settings)
    summary = json.loads(finished.path("results/predictions/mine/predictions.json").read_text())
    assert [entry["name"] for entry in summary["pictures"]] == ["1", "2", "3", "4"]
    assert [entry["path"] for entry in summary["failed"]] == ["photos/bad.png"]
    assert finished.planned("results/predictions/mine", *settings) == {}
    # A picture more, and the folder is made again; nothing else is.
    shutil.copy(finished.path("photos/1.png"), finished.path("photos/5.png"))
    assert finished.planned("results/predictions/mine", *settings) == {"predict_pictures": 1}
    assert finished.planned(*settings) == {}


def test_without_cann_the_rule_stops_with_what_to_install(finished):
    output = finished.snakemake("results/1p/export/model.om", *SETTINGS, fails=True)
    assert "export_om.py: error: atc is not on PATH: install CANN's toolkit" in output
    assert not finished.path("results/1p/export/model.om").exists()


def test_offline_inference_on_stand_ins_for_cann_gives_the_figures_of_the_graph(
    finished, tensorflow_python, monkeypatch
):
    doubles = REPOSITORY / "tests/doubles/cann"
    folder = finished.path("cann")
    folder.mkdir()
    for name in ("atc", "msame"):
        (folder / name).write_text('#!/bin/sh\nexec "{}" "{}/{}.py" "$@"\n'.format(tensorflow_python, doubles, name))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    finished.snakemake("results/1p/inference/om.json", *SETTINGS)
    om, frozen = (
        json.loads(finished.path("results/1p/inference/{}.json".format(name)).read_text()) for name in ("om", "frozen")
    )
    assert om["metrics"] == pytest.approx(frozen["metrics"], abs=1e-6)
    assert finished.path("results/1p/om/gallery/scene_2.png").exists()
    # The raw batches are gigabytes with the true archive.
    assert not finished.path("results/1p/om/input").exists()


def test_a_report_in_one_file_can_be_made(finished):
    finished.snakemake(*SETTINGS, "--report", "report.html")
    assert finished.path("report.html").stat().st_size > 100000


def test_a_cluster_job_gets_interpreter_and_settings(finished):
    # A scheduler in one line: the job script starts in the background, its process id is the job's.
    finished.path("submit").write_text('#!/bin/sh\nsh "$1" > submitted.log 2>&1 &\necho $!\n')
    finished.path("submit").chmod(0o755)
    finished.path("results/1p/export/model.pb").unlink()
    cluster = ("--executor", "cluster-generic", "--cluster-generic-submit-cmd", "./submit", "--jobs", "1")
    finished.snakemake("results/1p/export/model.pb", *SETTINGS, *cluster)
    assert finished.path("results/1p/export/model.pb").stat().st_size > 1000000
    assert "Rule: freeze_graph" in finished.path("submitted.log").read_text()


LONG = {"train": {"steps": 100000, "epochs": 1, "keep_epochs": []}}


@pytest.fixture
def start_training(finished):
    """A function that starts a training without end; returns Snakemake's process and the log, once steps are made."""
    started = []

    def start():
        log = finished.path("results/logs/1p/train_epoch1.log")
        log.unlink(missing_ok=True)
        command = finished.command("results/1p/checkpoints/epoch1/model.json", *overlay(finished, **LONG))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, cwd=finished.folder, start_new_session=True, **quiet)
        started.append(process)
        while not (log.exists() and re.search(r"step \d+/", log.read_text())):
            assert process.poll() is None, log.read_text() if log.exists() else "no log"
            time.sleep(0.2)
        return process, log

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def training_process(project):
    return int(project.path("results/1p/checkpoints/state/lock").read_text())


def test_a_terminated_training_goes_on_where_it_was(finished, start_training):
    process, _ = start_training()
    os.kill(training_process(finished), signal.SIGTERM)
    assert process.wait() != 0
    assert not finished.path("results/1p/checkpoints/epoch1/model.json").exists()

    process, log = start_training()
    os.kill(training_process(finished), signal.SIGKILL)
    assert process.wait() != 0
    assert "going on from the saved state after step" in log.read_text()


def test_after_a_kill_the_same_command_ends_well(finished, start_training):
    process, _ = start_training()
    os.kill(training_process(finished), signal.SIGKILL)
    assert process.wait() != 0
    assert finished.planned(*SETTINGS)["train_model"] == 2
    finished.snakemake("results/1p/checkpoints/epoch1/model.json", *SETTINGS)
    assert json.loads(finished.path("results/1p/checkpoints/epoch1/model.json").read_text())["epoch"] == 1
