"""Sources that are not there: told by key and path, unless what was made from just them is there."""

import json
import os

import pytest
import yaml
from conftest import REPOSITORY, SETTINGS, overlay
from densedepth import configuration, provenance


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """The default settings, to be changed, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())


def write(path, content=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as stream:
        json.dump(content, stream)


def test_the_sample_and_the_files_of_nyu_can_be_had(settings):
    assert provenance.missing(settings) == []
    for name in ("nyu.yaml", "nyu_more.yaml"):
        settings = configuration.merge(settings, yaml.safe_load((REPOSITORY / "config" / name).read_text()))
        assert provenance.missing(settings) == []
    settings["data"]["test_archive"] = "results/data/nyu_test.zip"
    assert provenance.missing(settings) == []
    del settings["downloads"]["dataset/splits.mat"]
    found = provenance.missing(settings)
    assert len(found) == 1 and "is rebuilt from dataset/splits.mat, which is not there" in found[0]


@pytest.mark.parametrize(
    "key, made, facts",
    [
        ("train_archive", "results/data/nyu_train.json", {"archive": {"path": "dataset/mine.zip"}, "seed": 0}),
        ("test_archive", "results/baseline.json", {"test_data": {"path": "dataset/mine.zip"}}),
    ],
)
def test_an_archive(settings, key, made, facts):
    settings["data"][key] = "dataset/mine.zip"
    settings["seed"] = 0
    line = "config: data.{} = dataset/mine.zip: no such file or folder; put it there, or give addresses".format(key)
    assert [found[: len(line)] for found in provenance.missing(settings)] == [line]
    # What was made from it is enough, what was made from another is not.
    write(made, facts)
    assert provenance.missing(settings) == []
    settings["data"][key] = "dataset/other.zip"
    assert "dataset/other.zip: no such file" in provenance.missing(settings)[0]
    write("dataset/other.zip")
    assert provenance.missing(settings) == []


def test_pictures(settings):
    settings["data"]["custom"].update(csv="mine/pairs.csv", max_depth=8)
    settings["data"]["examples"] = []
    assert [line.split(";")[0] for line in provenance.missing(settings)] == [
        "config: data.custom.csv = mine/pairs.csv: no such file or folder"
    ]
    write("results/data/pictures.json", provenance.pictures_facts(settings["data"], settings["seed"]))
    assert provenance.missing(settings) == []
    # Another depth, size or seed would want a new list.
    for change in ({"custom": {"max_depth": 3}}, {"height": 96}, {"custom": {"csv": "mine/pairz.csv"}}):
        changed = configuration.merge(settings, {"data": change})
        assert len(provenance.missing(changed)) == 1
    assert len(provenance.missing(dict(settings, seed=settings["seed"] + 1))) == 1
    settings["data"]["custom"].update(csv="", rgb="a", depth="b")
    assert [line.split(" = ")[0] for line in provenance.missing(settings)] == [
        "config: data.custom.rgb",
        "config: data.custom.depth",
    ]


def test_weights_and_networks(settings):
    settings["train"]["weights"] = "dataset/nope_notop.h5"
    assert "train.weights = dataset/nope_notop.h5: no such file" in provenance.missing(settings)[0]
    write("results/weights/densenet121/weights.json", {"source": {"path": "dataset/nope_notop.h5"}})
    assert provenance.missing(settings) == []
    # A network that is not for this target may be absent, one that was imported from elsewhere may not.
    settings["pretrained"] = {"port": "port/ckpt-2.index"}
    assert provenance.missing(settings) == []
    imported = "results/published/port/checkpoints/epoch0/model.json"
    write(imported, {"weights": {"path": "port/ckpt-2.data-00000-of-00001"}})
    assert provenance.missing(settings) == []
    write(imported, {"weights": {"path": "port/ckpt-2.data-00000-of-00002"}})
    assert provenance.missing(settings) == []
    write(imported, {"weights": {"path": "port/ckpt-1.data-00000-of-00001"}})
    assert "config: pretrained.port = port/ckpt-2.index: no such file" in provenance.missing(settings)[0]


def test_a_mistyped_path_does_not_bring_the_old_results(finished):
    finished.snakemake("-n", *SETTINGS)
    for change in (
        {"data": {"train_archive": "dataset/typo.zip"}},
        {"data": {"test_archive": "dataset/typo.zip"}},
        {"data": {"examples": ["typo.png"]}},
        {"data": {"custom": {"csv": "typo.csv"}, "examples": []}, "evaluate": {"protocols": ["port"]}},
        {"train": {"weights": "dataset/typo_notop.h5"}},
    ):
        for target in ("all", "results/report.md"):
            output = finished.snakemake("-n", target, *overlay(finished, **change), fails=True)
            assert "typo" in output and "no such file or folder" in output, change


def test_results_outlive_what_they_were_made_from(project, quick_python):
    """And faulty pairs that may be left out, or pictures shown, change nothing that is there."""
    project.path("mine").mkdir()
    for name in ("0", "1", "2"):
        project.path("mine/{}.png".format(name)).write_text("looked at later")
        project.path("mine/{}.npy".format(name)).write_text("looked at later")
    rows = "0.png,0.npy,train\n1.png,1.npy,train\n2.png,2.npy,test\n"
    project.path("mine/some pairs.csv").write_text(rows)
    settings = {
        "python": quick_python,
        "data": {"custom": {"csv": "mine/some pairs.csv"}, "examples": []},
        "evaluate": {"protocols": ["port"]},
        "report": {"gallery": 1},
    }
    made = "results/data/pictures.json"
    project.snakemake("--cores", "1", made, *project.configure(settings))
    assert json.loads(project.path(made).read_text())["source"] == ["mine/some pairs.csv"]
    assert project.planned(made, *overlay(project, report={"gallery": 2})) == {}
    project.path("mine/some pairs.csv").unlink()
    assert "list_pictures" in project.snakemake("--list-rules", *SETTINGS)
    output = project.snakemake("--list-rules", *overlay(project, data={"custom": {"max_depth": 3}}), fails=True)
    assert "data.custom.csv = mine/some pairs.csv: no such file" in output


def test_what_may_be_left_out_changes_nothing_that_is_there(finished):
    # The report tells the settings.
    planned = finished.planned(*overlay(finished, data={"skip_bad": 5, "check_images": True}))
    assert planned == {"write_report": 1, "all": 1}


def test_a_key_that_stands_twice_is_refused(project):
    project.path("twice.yaml").write_text("data:\n  height: 64\ntrain:\n  steps: 1\ndata:\n  skip_bad: 3\n")
    output = project.snakemake("-n", "--configfile", "twice.yaml", fails=True)
    assert "twice.yaml: duplicate key data, in line 1 and in line 5; merge its entries" in output


def test_a_call_without_the_settings_stops_before_its_first_job(project):
    side = project.path("results/data/nyu_train.json")
    side.parent.mkdir(parents=True)
    side.write_text('{"archive": {"path": "dataset/mine.zip"}}')
    output = project.snakemake("--cores", "1", "results/1p/checkpoints/epoch2/model.json", fails=True)
    assert "made from dataset/mine.zip" in output
    assert not project.path("results/sample").exists() and side.exists()
