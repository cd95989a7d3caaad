"""The worked examples of docs/data.md, run as they stand there on drawn files; and what faulty files lead to."""

import csv
import json
import re

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY
from PIL import Image

EXAMPLES = [
    yaml.safe_load(block)
    for block in re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs/data.md").read_text(), re.DOTALL)
]
CAMERA, RENDERED, KITTI, REBUILT = EXAMPLES

PAIRS = 8
# What is made of the data. One core: a second process that reads would take longer to start.
ALL = ("check_data", "results/data/nyu_train.json", "results/data/test.zip")


def scene(number, size):
    """(rgb uint8, depth in metres) of a slanted wall."""
    height, width = size
    rgb = np.random.RandomState(number).randint(0, 256, (height // 20 + 1, width // 20 + 1, 3)).astype(np.uint8)
    rgb = np.asarray(Image.fromarray(rgb).resize((width, height)))
    depth = 2 + 0.3 * number + np.linspace(0, 3, width)[np.newaxis] + np.linspace(1, 0, height)[:, np.newaxis]
    return rgb, depth


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)


def make_camera(project):
    rows = ["rgb,depth,split"]
    for number in range(PAIRS):
        rgb, depth = scene(number, (120, 160))
        stored = (depth * 1000).astype(np.uint16)
        stored[:10, :20] = 0
        name = "{}/{:04d}".format("kitchen" if number < 6 else "office", number)
        save(project.path("mine") / (name + ".jpg"), rgb)
        save(project.path("mine") / (name + "_depth.png"), stored)
        rows.append("{0}.jpg,{0}_depth.png,{1}".format(name, "train" if number < 6 else "test"))
    project.path("mine/pairs.csv").write_text("\n".join(rows) + "\n")


def make_rendered(project):
    for number in range(10):
        rgb, depth = scene(number, (96, 160))
        depth[:8] = np.inf
        depth[8:10] = np.nan
        save(project.path("scenes/rgb/a") / "{}.png".format(number), rgb)
        save(project.path("scenes/depth/a") / "{}.npy".format(number), depth)


def make_kitti(project):
    for number in range(PAIRS):
        size = (375, 1242) if number % 2 else (370, 1226)
        rgb, depth = scene(number, size)
        measured = np.random.RandomState(number).uniform(size=size) < 0.05
        stored = np.where(measured, 8 * depth * 256, 0).astype(np.uint16)
        name = "{}/{}.png".format("train" if number < 6 else "test", number)
        save(project.path("kitti/rgb") / name, rgb)
        save(project.path("kitti/depth") / name, stored)


def known(project, name):
    """The number of pixels with ground truth."""
    with Image.open(project.path("kitti/depth/test") / name) as depth:
        return np.count_nonzero(np.asarray(depth))


def test_an_rgbd_camera(project, quick_python):
    make_camera(project)
    overlay = dict(CAMERA, python=quick_python, report={"gallery": 2})
    project.snakemake("--cores", "1", *ALL, *project.configure(overlay))
    check = json.loads(project.path("results/data/check.json").read_text())
    assert (check["pairs"], check["faults"]) == (PAIRS, [])
    assert check["holes"] == pytest.approx(200 / (120 * 160), rel=0.1)
    assert project.path("results/data/check.png").stat().st_size > 10000
    side = json.loads(project.path("results/data/nyu_train.json").read_text())
    assert (side["records"], side["rgb_size"]) == (6, [96, 128])


def test_rendered_scenes(project, quick_python):
    make_rendered(project)
    overlay = dict(RENDERED, python=quick_python, report={"gallery": 2})
    project.snakemake("--cores", "1", *ALL, *project.configure(overlay))
    rows = json.loads(project.path("results/data/pictures.json").read_text())["rows"]
    assert sorted(row["split"] for row in rows) == ["test"] * 2 + ["train"] * 8
    assert json.loads(project.path("results/data/nyu_train.json").read_text())["records"] == 8


def test_kitti_ground_truth_to_the_evaluation(project, quick_python):
    make_kitti(project)
    project.simplify()
    overlay = dict(KITTI, python=quick_python, report={"gallery": 2})
    overlay["train"] = {"batch_size": 4, "steps": "auto", "epochs": 1, "keep_epochs": [1], "log_every": 1}
    overlay["data"] = dict(overlay["data"], height=64, width=192)
    targets = ("check_data", "results/baseline.json", "results/1p/evaluation/epoch1.json")
    project.snakemake("--cores", "1", *targets, *project.configure(overlay))
    check = json.loads(project.path("results/data/check.json").read_text())
    assert check["holes"] == pytest.approx(0.95, abs=0.01)
    found = json.loads(project.path("results/1p/evaluation/epoch1.json").read_text())
    baseline = json.loads(project.path("results/baseline.json").read_text())
    assert found["protocol"] == baseline["protocol"]
    assert found["protocol"]["depth_limits_m"] == [0.1, 80]
    assert found["protocol"]["images"] == 2
    # Each at its own size, of which all of the ground truth counts.
    pixels = {image["name"]: image["pixels"] for image in found["per_image"]}
    assert pixels == {name: known(project, name) for name in ("6.png", "7.png")}
    garg = found["protocols"]["garg"]
    assert garg["protocol"]["depth_limits_m"] == [1e-3, 80]
    assert all(0.45 < image["pixels"] / pixels[image["name"]] < 0.6 for image in garg["per_image"])
    assert [image["name"] for image in found["per_image"]] == ["6.png", "7.png"]
    assert project.path("results/1p/evaluation/epoch1.csv").read_text().splitlines()[1].endswith(",6.png")
    assert 0 <= found["metrics"]["delta1"] <= 1
    history = project.path("results/1p/checkpoints/epoch1/history.jsonl").read_text()
    losses = [json.loads(line)["loss"] for line in history.splitlines()]
    # 6 pairs in batches of 4.
    assert len(losses) == 2 and np.isfinite(losses).all()


CUSTOM = ("--configfile", "config/custom.yaml", "--config", "report={'gallery': 2}")


def test_the_settings_for_custom_pairs_need_only_the_pairs(project):
    for number in range(20):
        rgb, depth = scene(number, (120, 160))
        save(project.path("dataset/custom/rgb") / "{}.jpg".format(number), rgb)
        save(project.path("dataset/custom/depth") / "{}.png".format(number), (depth * 1000).astype(np.uint16))
    plan = project.planned("all", *CUSTOM)
    made = {"list_pictures": 1, "write_test_set": 1, "convert_records": 1, "download_file": 1, "import_weights": 1}
    made.update(train_model=4, evaluate_checkpoint=4, write_report=1)
    assert {rule: plan[rule] for rule in made} == made and "make_sample" not in plan
    project.snakemake("--cores", "1", "check_data", *CUSTOM)
    check = json.loads(project.path("results/data/check.json").read_text())
    assert (check["pairs"], check["faults"]) == (20, [])


def test_the_settings_for_custom_pairs_have_the_weights_of_the_reference_recipe():
    custom, nyu = (yaml.safe_load((REPOSITORY / "config" / name).read_text()) for name in ("custom.yaml", "nyu.yaml"))
    assert custom["train"]["weights"] == nyu["train"]["weights"] and list(custom["downloads"]) == [
        nyu["train"]["weights"]
    ]
    assert custom["downloads"][nyu["train"]["weights"]] == nyu["downloads"][nyu["train"]["weights"]]


def test_the_files_of_the_rebuilt_test_archive_are_fetched(project):
    files = ("--configfile", "config/nyu.yaml", "config/nyu_more.yaml")
    assert project.planned("results/data/nyu_test.zip", *files) == {"download_file": 2, "rebuild_nyu_test": 1}


@pytest.mark.parametrize(
    "example, make",
    [(CAMERA, make_camera), (RENDERED, make_rendered), (KITTI, make_kitti)],
    ids=["camera", "rendered", "kitti"],
)
def test_the_examples_tell_how_many_test_pairs_they_need(project, example, make):
    make(project)
    project.snakemake("results/data/pictures.json", *project.configure(example), fails=True)
    text = project.path("results/logs/list_pictures.log").read_text()
    words = "2 pairs for test, but report.gallery needs at least 6; lower report.gallery, or give more test pairs"
    assert words in text


def test_too_few_test_pairs_are_told_before_the_training(project):
    make_camera(project)
    project.path("mine/office/0006.jpg").write_bytes(b"no picture")
    overlay = dict(CAMERA, report={"gallery": 2}, data=dict(CAMERA["data"], skip_bad=1))
    project.snakemake("results/data/test.zip", *project.configure(overlay), fails=True)
    text = project.path("results/logs/write_test_set.log").read_text()
    assert "1 of 2 test pairs can be used, but report.gallery needs at least 2; lower report.gallery, or give" in text


def test_the_check_is_run_again_after_pictures_were_changed_in_place(project):
    make_camera(project)
    settings = project.configure(dict(CAMERA, report={"gallery": 2}))
    project.snakemake("--cores", "1", "check_data", *settings)
    project.path("mine/kitchen/0001.jpg").write_bytes(b"no picture")
    assert project.planned("check_data", *settings) == {}
    output = project.snakemake("--cores", "1", "check_data", "-R", "list_pictures", *settings, fails=True)
    assert "check_data.py: error: 1 of 8 pairs are faulty (train: 1, test: 0; allowed in each: 0)" in output


def test_a_great_negative_hole_reaches_the_list(project):
    make_camera(project)
    overlay = dict(CAMERA, data=dict(CAMERA["data"], custom=dict(CAMERA["data"]["custom"], invalid=-3.4028235e38)))
    settings = project.configure(dict(overlay, report={"gallery": 2}))
    project.snakemake("results/data/pictures.json", *settings)
    assert json.loads(project.path("results/data/pictures.json").read_text())["hole"] == -3.4028235e38


def test_the_rebuilt_test_archive_is_planned(project):
    project.path("dataset").mkdir()
    for name in ("nyu_depth_v2_labeled.mat", "splits.mat"):
        project.path("dataset/" + name).touch()
    plan = project.planned("results/baseline.json", *project.configure(REBUILT))
    assert plan == {"rebuild_nyu_test": 1, "evaluate_baseline": 1}


def test_every_faulty_row_is_named(project):
    make_camera(project)
    project.path("mine/kitchen/0001.jpg").write_bytes(b"no picture")
    save(project.path("mine/kitchen/0002_depth.png"), np.zeros((120, 160), np.uint16))
    project.path("mine/office/0006.jpg").unlink()
    words = ("--cores", "1", "check_data", *project.configure(CAMERA), "--config", "report={'gallery': 2}")
    output = project.snakemake(*words, fails=True)
    assert "check_data.py: error: 3 of 8 pairs are faulty (train: 2, test: 1; allowed in each: 0)" in output
    with open(project.path("results/data/check.csv")) as stream:
        faults = {int(row["row"]): row["problem"] for row in csv.DictReader(stream)}
    assert sorted(faults) == [3, 4, 8]
    for problem in faults.values():
        assert problem in output
    assert "no pixel has a depth below 8" in faults[4]
    assert project.path("results/data/check.png").is_file()


@pytest.mark.parametrize(
    "change, problem",
    [
        ({"rgb": "x"}, "config: data.custom: give either csv, or rgb and depth"),
        ({"metres_per_unit": "mm"}, 'config: data.custom.metres_per_unit = "mm": must be a number'),
        ({"unit": 1}, "config: data.custom.unit: unknown key; legal here"),
    ],
)
def test_wrong_settings_are_told(project, change, problem):
    overlay = dict(CAMERA, data=dict(CAMERA["data"], custom=dict(CAMERA["data"]["custom"], **change)))
    output = project.snakemake("--dry-run", *project.configure(overlay), fails=True)
    assert problem in output
    assert "Traceback" not in output
