"""Results of another source are not replaced without a word; of other settings, a line says what differs."""

import hashlib
import json
import os
import shutil
import zipfile

import pytest
import yaml
from conftest import REPOSITORY, SETTINGS, overlay
from densedepth import configuration, replacement
from densedepth.data import train_archive

JOBS = {("convert_records", None), ("train_model", "1p")}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The default settings, to be changed, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        stream.write(content if isinstance(content, str) else json.dumps(content))


def identity(path):
    with train_archive.Archive(path) as archive:
        return archive.identity()


def replaced(settings, jobs=JOBS):
    return replacement.replaced(settings, jobs, identity)


def checkpoint(**facts):
    write("results/1p/checkpoints/epoch2/model.json", dict({"start": None, "weights": None}, **facts))


def archive(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with zipfile.ZipFile(path, "w") as stream:
        stream.writestr("data/nyu2_train.csv", text)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def test_another_path(settings):
    assert replaced(settings) == []
    write("results/data/nyu_train.json", {"archive": {"path": "dataset/mine.zip"}})
    checkpoint()
    write("results/sources.json", {"configfiles": ["mine.yaml"]})
    (line,) = replaced(settings)
    assert "made from dataset/mine.zip, but the settings name results/sample/nyu_data.zip" in line
    assert "--configfile mine.yaml" in line and "--directory" in line and "replace_results=true" in line
    # Targets that replace nothing, and the source itself, are not asked about.
    assert replaced(settings, {("evaluate_checkpoint", "1p")}) == []
    settings["data"]["train_archive"] = "dataset/mine.zip"
    assert replaced(settings) == []
    settings["train"]["weights"] = "dataset/x_notop.h5"
    assert "made from random weights" in replaced(settings)[0]


def test_another_archive_under_the_same_path(settings):
    path = settings["data"]["train_archive"] = "dataset/mine.zip"
    archive(path, "a.jpg,a.png")
    write("results/data/nyu_train.json", {"archive": dict(identity(path), path=path)})
    # Newer, and the same.
    os.utime(path)
    assert replaced(settings) == []
    archive(path, "b.jpg,b.png")
    (line,) = replaced(settings)
    assert "made from dataset/mine.zip as it was; it has another content now" in line and "replace_results=true" in line
    # Where nothing is converted, nothing is replaced; what is no archive, the conversion refuses.
    assert replaced(settings, {("train_model", "1p")}) == []
    write(path, "no archive")
    assert replaced(settings) == []


def test_the_sample_and_pictures_of_ones_own_are_updated(settings):
    archive("results/sample/nyu_data.zip", "a.jpg,a.png")
    held = dict(identity("results/sample/nyu_data.zip"), path="results/sample/nyu_data.zip")
    write("results/data/nyu_train.json", {"archive": held})
    archive("results/sample/nyu_data.zip", "b.jpg,b.png")
    assert replaced(settings) == []
    settings["data"]["custom"]["csv"] = "mine/pairs.csv"
    write("results/data/nyu_train.json", {"archive": {"path": "results/data/pictures.json"}})
    write("results/data/pictures.json", {"source": ["mine/pairs.csv"]})
    write("mine/pairs.csv", "another,row,train")
    assert replaced(settings, JOBS | {("list_pictures", None)}) == []


def test_checkpoints_whose_records_were_deleted(settings):
    write("results/sources.json", {"source": ["dataset/mine.zip"], "configfiles": []})
    assert replaced(settings) == []
    checkpoint()
    assert "made from dataset/mine.zip, but" in replaced(settings)[0]


def test_records_alone_do_not_take_the_place_of_those_that_checkpoints_were_trained_on(settings):
    write("results/sources.json", {"source": ["dataset/mine.zip"], "configfiles": ["mine.yaml"]})
    assert replaced(settings, {("convert_records", None)}) == []
    checkpoint()
    (line,) = replaced(settings, {("convert_records", None)})
    assert "made from dataset/mine.zip, but the settings name results/sample/nyu_data.zip" in line
    # Of no run of these settings, and nothing that was trained here.
    shutil.rmtree("results/1p")
    write("results/published/nyu/checkpoints/epoch0/model.json", {"start": None, "weights": None})
    assert replaced(settings, {("convert_records", None)}) == []


def test_other_files_of_weights_and_networks_under_the_same_path(settings):
    weights = settings["train"]["weights"] = "dataset/x_notop.h5"
    settings["pretrained"] = {"nyu": "dataset/nyu.h5"}
    encoder = settings["model"]["encoder"]
    for path in (weights, "dataset/nyu.h5"):
        write(path, "before")
    sides = {
        "results/weights/{}/weights.json".format(encoder): {"source": {"path": weights, "sha256": sha256("before")}},
        "results/published/nyu/checkpoints/epoch0/model.json": {
            "weights": {"path": "dataset/nyu.h5", "sha256": sha256("before")}
        },
    }
    for side, content in sides.items():
        write(side, content)
    jobs = {("import_weights", encoder), ("import_published", "published/nyu")}
    assert replaced(settings, jobs) == []
    for path in (weights, "dataset/nyu.h5"):
        write(path, "after")
    lines = replaced(settings, jobs)
    assert sorted(line.split(" made from")[0] for line in lines) == [
        "results/published/nyu/ is",
        "results/weights/ and what is trained from it are",
    ]


def test_a_line_tells_which_settings_of_a_training_differ(settings):
    told = {"learning_rate": 0.5, "batch_size": settings["train"]["batch_size"], "halving": "mean"}
    checkpoint(training=told, model={"encoder": "densenet201"}, size=[settings["data"]["height"], 32])
    (line,) = replacement.changes(settings, JOBS)
    assert line == (
        "train.learning_rate 0.5 -> {}, data.width 32 -> {}, model.encoder densenet201 -> {}: trains 1p again from "
        "the first epoch; to keep both, set this for a new run, runs.<name>, or a new sweep".format(
            settings["train"]["learning_rate"], settings["data"]["width"], settings["model"]["encoder"]
        )
    )
    assert replacement.changes(settings, {("write_report", None)}) == []


def test_a_line_tells_of_other_validation_pairs_and_of_another_form_of_records(settings):
    checkpoint(training={})
    replacement.record(settings, [])
    assert replacement.changes(settings, JOBS) == []
    settings["data"]["validation"]["share"] = 0.25
    settings["data"]["depth_png"] = "unfiltered"
    (line,) = replacement.changes(settings, JOBS)
    assert line == (
        "data.validation.share 0 -> 0.25, data.depth_png given -> unfiltered: trains 1p again from the "
        "first epoch; to keep both, work in another folder (--directory), since all runs share the pairs"
    )


def test_a_line_tells_of_another_test_archive_and_another_sample(settings):
    write("results/1p/evaluation/epoch2.json", {"test_data": {"path": "dataset/a.zip"}})
    jobs = {("evaluate_checkpoint", "1p"), ("make_sample", None)}
    (line,) = replacement.changes(settings, jobs)
    assert line == "results/1p/evaluation/ is of dataset/a.zip; it is made again of results/sample/nyu_test.zip"
    settings["data"]["test_archive"] = "dataset/a.zip"
    replacement.record(settings, ["config/config.yaml", "mine.yaml", "/etc/site.yaml"])
    with open("results/sources.json") as stream:
        assert json.load(stream)["configfiles"] == ["mine.yaml", "/etc/site.yaml"]
    assert replacement.changes(settings, jobs) == []
    settings["sample"]["train_scenes"] += 1
    (line,) = replacement.changes(settings, jobs)
    assert line.startswith("sample.train_scenes 400 -> 401: the sample is drawn again")


def test_settings_of_before_the_key_have_its_default(settings):
    schema = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
    del settings["replace_results"]
    completed = configuration.completed(settings, schema)
    assert configuration.problems(completed, schema) == [] and completed["replace_results"] is False


def test_a_dry_run_says_what_the_call_would(project):
    project.path("results/data").mkdir(parents=True)
    project.path("results/data/nyu_train.json").write_text('{"archive": {"path": "dataset/mine.zip"}}')
    output = project.snakemake("--dry-run", fails=True)
    assert "made from dataset/mine.zip, but the settings name results/sample/nyu_data.zip" in output
    checkpoint = project.path("results/1p/checkpoints/epoch2")
    checkpoint.mkdir(parents=True)
    checkpoint.joinpath("model.json").write_text('{"start": null, "training": {"learning_rate": 0.5}}')
    output = project.snakemake("--dry-run", "--quiet", "--config", "replace_results=true")
    assert output.count("train.learning_rate 0.5 -> ") == 1
    assert not project.path("results/sources.json").exists()


def digests(project):
    paths = [path for path in project.path("results").rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_finished_training_is_not_replaced_by_that_of_another_archive(finished):
    finished.path("dataset").mkdir()
    shutil.copy(finished.path("results/sample/nyu_data.zip"), finished.path("dataset/mine.zip"))
    before = digests(finished)
    other = overlay(finished, data={"train_archive": "dataset/mine.zip"})
    for target in ("all", "results/1p/checkpoints/epoch2/model.json"):
        output = finished.snakemake("--cores", "1", target, *other, fails=True)
        assert "made from results/sample/nyu_data.zip, but the settings name dataset/mine.zip" in output
        assert "give --configfile mine.yaml, or" in output
    assert digests(finished) == before


def test_a_training_with_other_settings_moves_what_is_left_of_the_first(finished):
    target = "results/1p/checkpoints/epoch1/model.json"
    output = finished.snakemake("--cores", "1", target, *overlay(finished, train={"learning_rate": 0.001}))
    assert "train.learning_rate 0.0008 -> 0.001: trains 1p again from the first epoch" in output
    assert "results/1p/replaced/1: the run held this of another training: checkpoints/epoch2, evaluation" in output
    run = finished.path("results/1p")
    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "replaced", "tensorboard"]
    assert sorted(path.name for path in run.glob("checkpoints/epoch*")) == ["epoch1"]
    # The training that was replaced, as it was.
    assert (run / "replaced/1/checkpoints/epoch2/model.ckpt.index").exists()
    assert (run / "replaced/1/evaluation/evaluate.log").exists()
    # With the first settings everything is made again, nothing is taken for theirs.
    assert finished.planned(*SETTINGS)["train_model"] == 2
