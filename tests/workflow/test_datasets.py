"""The settings of config/datasets/, on small copies of the data sets in their exact layouts."""

import json
import subprocess

import pytest
import yaml
from conftest import REPOSITORY
from densedepth import configuration, data_settings

RECIPES = sorted((REPOSITORY / "config/datasets").glob("*.yaml"))
SCHEMA = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
CONFIG = configuration.read(str(REPOSITORY / "config/config.yaml"))
IMAGENET = configuration.read(str(REPOSITORY / "config/imagenet.yaml"))
# Through conversion and check; the others are read in tests/unit/data/test_datasets.py.
CONVERTED = ("kitti_eigen", "sunrgbd", "tum", "diode", "hypersim")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, quick_python):
    """The folder of the copies."""
    folder = tmp_path_factory.mktemp("drawn")
    command = [quick_python, str(REPOSITORY / "tests/graph/layouts.py"), str(folder), *CONVERTED, "nyu_h5_tars"]
    subprocess.run(command, check=True)
    return folder


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_is_valid_alone_and_with_the_recipe_of_the_paper(path):
    overlay = configuration.read(str(path))
    assert overlay["data"]["dataset"] == path.stem
    for more in ({}, IMAGENET):
        merged = configuration.merge(configuration.merge(CONFIG, overlay), more)
        assert configuration.problems(merged, SCHEMA) == []


@pytest.mark.parametrize("form", ["nyu_png", "nyu_labeled"])
def test_another_form_is_laid_over_a_recipe(form):
    merged = CONFIG
    for path in ("datasets/nyu.yaml", form + ".yaml", "imagenet.yaml"):
        merged = configuration.merge(merged, configuration.read(str(REPOSITORY / "config" / path)))
    assert configuration.problems(merged, SCHEMA) == []
    assert data_settings.downloads_of(merged)


def test_a_mixture_is_listed_and_converted_once(project, drawn):
    settings = small(project, "", "sunrgbd", drawn / "sunrgbd")
    mixture = {"nyu": {"dataset": "nyu", "path": str(drawn / "hub"), "weight": 0.5}}
    project.path("more.yaml").write_text(yaml.safe_dump({"data": {"mixture": mixture}}))
    output = project.snakemake("--dry-run", "--printshellcmds", "all", *settings, "more.yaml")
    assert '--mixture=[["nyu", [["dataset", "nyu"], ["path", "' in output
    assert "results/data/nyu_train-00003-of-00004.tfrecords" in output
    plan = project.jobs(output)
    assert {plan[rule] for rule in ("list_pictures", "convert_records", "write_test_set")} == {1}


def test_every_data_set_has_a_recipe():
    known = SCHEMA["properties"]["data"]["properties"]["dataset"]["enum"]
    assert sorted(name for name in known if name) == [path.stem for path in RECIPES]


def small(project, python, name, path):
    """The arguments for Snakemake that take the recipe `name` to the copy at `path`, in little."""
    overlay = {"python": python, "report": {"gallery": 2}}
    overlay["data"] = {"path": str(path), "shards": 2, "height": 96, "width": 128}
    overlay["data"]["custom"] = {"test_share": 0.3}
    overlay["evaluate"] = {"protocols": ["port", "paper"]}
    project.path("mine.yaml").write_text(yaml.safe_dump(overlay))
    return ["--configfile", "config/datasets/{}.yaml".format(name), "mine.yaml"]


@pytest.mark.parametrize("name", CONVERTED)
def test_a_recipe_reads_its_data_set(name, drawn, project, quick_python):
    path = drawn / {"kitti_eigen": "kitti"}.get(name, name)
    settings = small(project, quick_python, name, path)
    targets = ("check_data", "results/data/nyu_train.json", "results/data/test.zip")
    output = project.snakemake("--cores", "1", *targets, *settings)
    check = json.loads(project.path("results/data/check.json").read_text())
    assert (check["pairs"], check["faults"]) == (6, [])
    assert 0 < check["holes"] < 0.05
    assert json.loads(project.path("results/data/nyu_train.json").read_text())["records"] == 4
    for shown in (output, project.path("results/logs/list_pictures.log").read_text()):
        assert "recognised as" in shown
    assert ("rows have no depth (None) and are left out" in output) == (name == "kitti_eigen")
    # What it was called with stays in the log.
    assert "\n  --test_share" not in output


def test_a_data_set_that_is_not_there_is_told_with_the_way_to_get_it(project, drawn):
    output = project.snakemake("--dry-run", "--configfile", "config/datasets/nyu.yaml", fails=True)
    words = "data.path = dataset/nyu_data: no such file or folder; get it: kaggle datasets download soumikrakshit/"
    assert words in " ".join(output.split())
    # All of it can be downloaded.
    plan = project.planned("check_data", "--configfile", "config/datasets/sunrgbd.yaml")
    assert plan["download_file"] == 2 and plan["list_pictures"] == 1
    plan = project.planned("all", *small(project, "", "nyu", drawn / "hub"))
    assert {plan[rule] for rule in ("list_pictures", "convert_records", "write_test_set")} == {1}
    assert "make_sample" not in plan


@pytest.mark.parametrize(
    "entry, expected",
    [
        ({"weight": 2}, "config: data.mixture.a: give dataset and path, or csv, or rgb and depth"),
        ({"csv": "x.csv", "rgb": "y"}, "config: data.mixture.a: give dataset and path, or csv, or rgb and depth"),
        ({"csv": "x.csv"}, "config: data.mixture.a.metres_per_unit: missing; it says what a stored depth means"),
    ],
)
def test_a_set_of_a_mixture_says_what_it_is(entry, expected):
    data = {"custom": {"csv": "pairs.csv"}, "mixture": {"a": entry}, "examples": []}
    config = configuration.merge(CONFIG, {"data": data, "evaluate": {"protocols": ["port"]}})
    assert expected in configuration.problems(config, SCHEMA)
