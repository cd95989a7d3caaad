"""The whole pipeline, really run on a tiny sample; other ways to run it; and what is left after a kill."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import time
import zipfile
from pathlib import Path

import numpy
import pytest
from conftest import REPOSITORY, SETTINGS, TINY, overlay, runtime_python


def test_all_results_are_there(walked):
    results = walked.path("results")
    checkpoint = {"checkpoint", "history.jsonl", "model.ckpt.data-00000-of-00001", "model.ckpt.index", "model.json"}
    for epoch in (1, 2):
        assert set(os.listdir(results / "1p/checkpoints/epoch{}".format(epoch))) == checkpoint
        metrics = json.loads((results / "1p/evaluation/epoch{}.json".format(epoch)).read_text())["metrics"]
        assert 0 <= metrics["delta1"] <= 1
    frozen = json.loads((results / "1p/inference/frozen.json").read_text())
    last = json.loads((results / "1p/evaluation/epoch2.json").read_text())
    assert frozen["metrics"] == pytest.approx(last["metrics"], abs=2e-4)
    assert frozen["source"]["folded"] is True
    assert (results / "1p/export/saved_model/saved_model.pb").exists()
    page = (results / "report.html").read_text()
    assert page.count('class="scene"') == 4 and 'src="http' not in page and "<link" not in page
    assert (results / "1p/inference/examples.png").stat().st_size > 0


def test_the_terminal_shows_results_and_no_options(walked):
    shown = walked.path("said").read_text()
    figures = r"delta1 0\.\d{3}, AbsRel \d+\.\d{3}, RMSE \d+\.\d\d m$"
    for words in ("run 1p epoch 1: ", "run 1p epoch 2: ", r"run 1p epoch 2 \(last\): "):
        assert len(re.findall("^" + words + figures, shown, re.MULTILINE)) == 1, shown
    assert "\nreport: results/report.html\n" in shown and "\nepoch 1/2 step 2/2 " in shown
    # Neither the flags of the commands (but for Snakemake's own) nor the settings as JSON.
    own = re.sub("(?m)^  Command: .*$", "", shown)
    assert "--" not in re.sub("-{3,}", "", own) and '{"' not in shown
    log = walked.path("results/logs/1p/train_epoch1.log").read_text()
    assert "\n  --lr " in log and "\nepoch 1/2 step 2/2 " in log


def test_a_failed_training_is_not_hidden_by_what_shows_its_output(finished):
    shutil.rmtree(finished.path("results/1p/checkpoints"))
    with open(finished.path("workflow/scripts/densedepth/training/loop.py"), "a") as stream:
        stream.write('\n\ndef train(*anything):\n    raise PipelineError("stopped here")\n')
    shown = finished.snakemake("results/1p/checkpoints/epoch1/model.json", *SETTINGS, fails=True)
    assert "train.py: error: stopped here" in shown


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


def test_a_run_on_two_devices(finished):
    settings = overlay(finished, runs={"2p": {"devices": 2}})
    finished.snakemake("results/2p/checkpoints/epoch1/model.json", *settings)
    side = json.loads(finished.path("results/2p/checkpoints/epoch1/model.json").read_text())
    assert side["performance"]["world_size"] == 2
    assert side["global_step"] == TINY["train"]["steps"] / 2
    assert "train_model" not in finished.planned(*SETTINGS)


def test_the_speed_of_one_device_and_of_two(finished):
    settings = overlay(finished, runs={"2p": {"devices": 2}}, train={"performance_steps": 10})
    finished.snakemake("train_performance_2p", *settings)
    one, two = (
        json.loads(finished.path("results/{}/performance.json".format(run)).read_text()) for run in ("1p", "2p")
    )
    speeds = [document["performance"] for document in (one, two)]
    assert [speed["world_size"] for speed in speeds] == [1, 2] and [speed["timed_steps"] for speed in speeds] == [7, 7]
    each = speeds[1]["images_per_second_per_device"]
    assert speeds[1]["images_per_second"] == pytest.approx(2 * each)
    assert speeds[1]["scaling_efficiency"] == pytest.approx(each / speeds[0]["images_per_second"])
    assert "scaling_efficiency" not in speeds[0] and all(speed["peak_memory_mb"] > 100 for speed in speeds)
    assert not finished.path("results/2p/checkpoints").exists()


def test_a_network_trained_elsewhere_is_evaluated_and_trained_on(finished):
    """Here one of the project's own: the rules are the same for files of Keras and of the reference port."""
    index = "results/1p/checkpoints/epoch2/model.ckpt.index"
    settings = overlay(finished, pretrained={"old": index}, runs={"on": {"devices": 1, "weights": "published/old"}})
    evaluation = "results/published/old/evaluation/epoch0.json"
    measure(finished, "published/old")
    finished.snakemake("results/published/old/report.md", "results/on/checkpoints/epoch1/model.json", *settings)
    text = finished.path("results/published/old/report.md").read_text()
    for name in ("worse", "disagreement"):
        assert "(figures/{}.png)".format(name) in text
        assert finished.path("results/published/old/figures/{}.png".format(name)).exists()
    figures = [
        json.loads(finished.path(name).read_text())["metrics"]
        for name in (evaluation, "results/1p/evaluation/epoch2.json")
    ]
    assert figures[0] == pytest.approx(figures[1], rel=1e-6)
    log = finished.path("results/logs/on/train_epoch1.log").read_text()
    assert re.search(r"results/published/old/checkpoints/epoch0: \d+ of \d+ variables loaded", log), log


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


def test_predictions_of_another_program_are_scored(finished):
    """Of one that knows the ground truth up to a scale of the inverse depth."""
    with zipfile.ZipFile(finished.path("results/sample/nyu_test.zip")) as archive:
        depth = numpy.load(io.BytesIO(archive.read("eigen_test_depth.npy")))
    finished.path("maps").mkdir()
    for index, one in enumerate(depth):
        numpy.save(finished.path("maps/image{}.npy".format(index)), 4 / one)
    entry = {"predictions": "maps", "unit": "disparity", "alignment": "affine_disparity"}
    settings, target = overlay(finished, external={"theirs": entry}), "results/external/theirs/evaluation.json"
    output = finished.snakemake(target, *settings)
    assert "theirs (alignment affine_disparity): delta1 1.000, AbsRel 0.000, RMSE 0.00 m" in output
    document = json.loads(finished.path(target).read_text())
    assert document["protocol"]["alignment"] == "affine_disparity" and len(document["per_image"]) == len(depth)
    # A changed map is scored again.
    assert finished.planned(target, *settings) == {}
    numpy.save(finished.path("maps/image0.npy"), 5 / depth[0])
    assert finished.planned(target, *settings) == {"score_predictions": 1}


def measure(project, place):
    """Write figures on worse images as those of the network of results/`place`."""
    parts = [{"disagreement": 0.01 * part, "error": 0.1 + 0.01 * part} for part in range(10)]
    curve = {"pixels": 400, "parts": parts, "rank_correlation": 0.5}
    document = {
        "test_data": {"images": 4},
        "clean": {"rel_truth": 0.2},
        "disagreement": {"flip": curve, "scale": curve},
    }
    severities = [{"severity": severity, "rel_truth": 0.2 + 0.1 * severity} for severity in range(1, 6)]
    document["corruptions"] = {"jpeg": {"severities": severities}, "crop": {"severities": severities}}
    path = project.path("results/{}/robustness.json".format(place))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def test_worse_images_are_in_the_report_once_they_are_measured(finished):
    shown = finished.snakemake("results/1p/robustness.json", *SETTINGS)
    # It takes minutes on a real test set.
    assert re.search(r"^\d+/\d+ corrupted images, .* left$", shown, re.MULTILINE) and "\n  --" not in shown
    assert finished.planned("results/report.md", *SETTINGS) == {"write_report": 1}
    finished.snakemake("results/report.md", *SETTINGS)
    text = finished.path("results/report.md").read_text()
    for name in ("worse", "disagreement"):
        assert "report/{}.png".format(name) in text and finished.path("results/report/{}.png".format(name)).exists()
    assert finished.planned("results/report.md", *SETTINGS) == {}


def test_without_cann_the_rule_stops_with_what_to_install(finished):
    output = finished.snakemake("results/1p/export/model.om", *SETTINGS, fails=True)
    assert "export_om.py: error: atc is not on PATH: install CANN's toolkit" in output
    assert not finished.path("results/1p/export/model.om").exists()


def inferred(project, name):
    return json.loads(project.path("results/1p/inference/{}.json".format(name)).read_text())


@pytest.mark.parametrize("tool, batch_size", [("msame", 1), ("ais_bench", 2)])
def test_offline_inference_on_stand_ins_for_cann_gives_the_figures_of_the_graph(
    finished, quick_python, monkeypatch, tool, batch_size
):
    doubles = REPOSITORY / "tests/doubles/cann"
    folder = finished.path("cann")
    folder.mkdir()
    for name in ("atc", "msame"):
        (folder / name).write_text('#!/bin/sh\nexec "{}" "{}/{}.py" "$@"\n'.format(quick_python, doubles, name))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(doubles))
    settings = overlay(finished, om={"tool": tool, "batch_size": batch_size})
    finished.snakemake("results/1p/inference/om.json", *settings)
    om, frozen = inferred(finished, "om"), inferred(finished, "frozen")
    assert om["metrics"] == pytest.approx(frozen["metrics"], abs=1e-6)
    assert finished.path("results/1p/om/gallery/scene_2.png").exists()
    # The raw batches are gigabytes with the true archive.
    assert not finished.path("results/1p/om/input").exists()


def test_onnx_gives_the_figures_of_the_graph_and_enters_the_report(finished, quick):
    # The rule's own way to its interpreter: below the folder of the Snakefile.
    finished.path(".venv/tf2/bin").mkdir(parents=True)
    finished.path(".venv/tf2/bin/python").symlink_to(quick(runtime_python("tf2")))
    finished.snakemake("results/1p/inference/onnx.json", *SETTINGS)
    side = json.loads(finished.path("results/1p/export/model.onnx.json").read_text())
    assert side["parity"]["output"] < 1e-5
    onnx, frozen = inferred(finished, "onnx"), inferred(finished, "frozen")
    assert onnx["metrics"] == pytest.approx(frozen["metrics"], abs=1e-5)
    assert onnx["source"]["kind"] == "onnx"
    finished.snakemake(*SETTINGS)
    assert onnx["source"]["sha256"] in finished.path("results/report.md").read_text()


def test_a_frozen_graph_for_a_fixed_batch(finished):
    settings = overlay(finished, inference={"batch_size": 3, "fixed_batch": True})
    # Pictures are drawn one at a time, 4 test images are 2 batches: all fill up.
    targets = ("1p/inference/frozen.json", "1p/inference/examples.png", "1p/gallery/gallery.json")
    finished.snakemake(*("results/" + name for name in targets), *settings)
    side = json.loads(finished.path("results/1p/export/model.pb.json").read_text())
    assert side["input"]["shape"] == [3, 64, 96, 3] and side["output"]["shape"] == [3, 32, 48, 1]
    assert inferred(finished, "frozen")["speed"]["batch_size"] == 3


def embedded(page, name):
    """The value of a variable in Snakemake's report."""
    start = "var {} = ".format(name)
    return json.JSONDecoder().raw_decode(page, page.index(start + "{") + len(start))[0]


def test_snakemake_s_report_shows_everything_in_the_browser_and_tells_it_apart(finished):
    finished.snakemake(*SETTINGS, "--report", "report.html")
    page = finished.path("report.html").read_text()
    assert "rulegraph_spec" in page
    shown = embedded(page, "results")
    found = {
        category: {tuple(shown[name]["labels"].values()) for names in parts.values() for name in names}
        for category, parts in embedded(page, "categories").items()
    }
    assert found == {
        "Report": {("tables, curves and scenes of all runs",)},
        "Curves": {("1p", "loss"), ("1p", "metrics")},
        "Images": {("1p", image) for image in ("examples", "scene 1", "scene 2", "best", "worst")},
    }
    assert all(entry["caption"] for entry in shown.values())
    # What is of another kind can only be saved.
    assert {entry["mime_type"] for entry in shown.values()} == {"text/html", "image/png"}
    assert "Held-out scenes of run 1p" in shown["results/1p/gallery/worst.png"]["caption"]


LONG = {"train": {"steps": 100000, "epochs": 1, "keep_epochs": []}}


@pytest.fixture
def start_training(finished):
    """A function that starts a training without end; returns Snakemake's process and the log, once steps are made."""
    started = []

    def start():
        log = finished.path("results/logs/1p/train_epoch1.log")
        log.unlink(missing_ok=True)
        process = finished.start("results/1p/checkpoints/epoch1/model.json", *overlay(finished, **LONG))
        started.append(process)
        while not (log.exists() and re.search(r"step \d+/", log.read_text())):
            assert process.poll() is None, log.read_text() if log.exists() else "no log"
            time.sleep(0.1)
        return process, log

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def training_process(project):
    return int(project.path("results/1p/checkpoints/state/lock").read_text())


def test_a_terminated_or_killed_training_goes_on_where_it_was_and_the_same_command_ends_well(finished, start_training):
    process, _ = start_training()
    os.kill(training_process(finished), signal.SIGTERM)
    assert process.wait() != 0
    assert not finished.path("results/1p/checkpoints/epoch1/model.json").exists()
    assert finished.planned(*SETTINGS)["train_model"] == 2

    process, log = start_training()
    assert "resuming from step" in log.read_text()
    os.kill(training_process(finished), signal.SIGKILL)
    assert process.wait() != 0
    assert finished.planned(*SETTINGS)["train_model"] == 2

    finished.snakemake("results/1p/checkpoints/epoch1/model.json", *SETTINGS)
    assert json.loads(finished.path("results/1p/checkpoints/epoch1/model.json").read_text())["epoch"] == 1
