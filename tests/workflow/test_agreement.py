"""The metrics against those of other programs, on the same maps: equal where the conventions are, else explained.

docs/metrics.md says where they differ, with the figures that are asserted here.
"""

import json
import os
import subprocess

import numpy as np
import pytest
from conftest import REPOSITORY
from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import documents, more_metrics, scoring, stored_maps
from scipy import ndimage

PYTHON = os.environ.get("AGREE_PYTHON", str(REPOSITORY / ".venv/agree/bin/python"))
pytestmark = pytest.mark.skipif(not os.path.exists(PYTHON), reason="no .venv/agree; make agreement")

SIZE, COUNT = (120, 160), 4
FARTHEST = 10.0
TOLERANCE = {"rel": 1e-6, "abs": 1e-9}


def room(seed):
    """Walls and boxes, some of it not measured, in float32 metres; and a blurred, stretched prediction of it."""
    random = np.random.RandomState(seed)
    depth = np.full(SIZE, 6.0)
    for _ in range(10):
        top, left = random.randint(0, 100), random.randint(0, 130)
        depth[top : top + random.randint(15, 60), left : left + random.randint(15, 60)] = random.uniform(0.8, 8)
    depth[70:, 100:130] = 0.9
    depth += 0.2 * ndimage.gaussian_filter(random.rand(*SIZE), 3)
    predicted = ndimage.gaussian_filter(depth, 1) * (
        0.85 + 0.05 * seed + ndimage.gaussian_filter(random.randn(*SIZE), 6)
    )
    depth[ndimage.gaussian_filter(random.rand(*SIZE), 4) > 0.54] = 0
    return depth.astype(np.float32), np.clip(predicted, 0.2, 9.9).astype(np.float32)


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """(our document by alignment, what the other programs found)."""
    folder = tmp_path_factory.mktemp("agreement")
    truth, prediction = map(np.stack, zip(*map(room, range(COUNT))))
    archive, maps = str(folder / "test.zip"), str(folder / "maps.npy")
    pairs = ((np.zeros((*SIZE, 3), np.uint8), one) for one in truth)
    facts = {"format": 1, "holes": True, "max_depth_m": FARTHEST}
    test_archive_writer.write(archive, pairs, COUNT, SIZE, (0, SIZE[0] - 1, 0, SIZE[1] - 1), facts)
    np.save(maps, prediction)
    ours = {}
    for alignment, more in (("none", ["all"]), ("median", ["silog"]), ("affine", ["all"])):
        with open_test_set(archive) as test_set, stored_maps.Maps(maps, test_set, "metres", alignment) as stored:
            document = scoring.evaluate_maps(stored, test_set, names=("port", "paper"), more=more)
        ours[alignment] = {name: block["metrics"] for name, block in documents.blocks(document).items()}
    camera = more_metrics.camera_of(SIZE, (0, 0, 0, 0))
    np.savez(
        str(folder / "maps.npz"),
        truth=truth,
        prediction=prediction,
        farthest=FARTHEST,
        focal=camera[:2],
        centre=camera[2:4],
    )
    program = str(REPOSITORY / "tests/workflow/other_programs.py")
    done = subprocess.run([PYTHON, program, str(folder / "maps.npz")], stdout=subprocess.PIPE, check=True)
    return ours, json.loads(done.stdout.splitlines()[-1])


STANDARD = {
    "absrel": "rel_truth",
    "sqrel": "sq_rel",
    "mae": "mae",
    "log10": "log10",
    "delta1": "delta1",
    "delta2": "delta2",
    "delta3": "delta3",
}


def test_euler_eval_averaged_over_images_and_pooled(sides):
    ours, theirs = sides[0]["none"], sides[1]["euler-eval"]
    image, pool = theirs["image_mean"], theirs["pixel_pool"]
    for their, our in STANDARD.items():
        assert ours["paper"][our] == pytest.approx(image[their], **TOLERANCE), their
        assert ours["port"][our] == pytest.approx(pool[their], **TOLERANCE), their
    assert ours["paper"]["rms_image"] == pytest.approx(image["rmse"], **TOLERANCE)
    assert ours["port"]["rms_pooled"] == pytest.approx(pool["rmse"], **TOLERANCE)
    assert ours["port"]["rms_log"] == pytest.approx(image["rmse_log"], **TOLERANCE)
    # Theirs is not multiplied by 100.
    assert ours["port"]["silog"] == pytest.approx(100 * image["silog"], **TOLERANCE)


def test_euler_eval_by_distance(sides):
    ours, theirs = sides[0]["none"]["port"], sides[1]["euler-eval"]["bins"]
    for name in ("near", "mid", "far"):
        assert ours["rel_" + name] == pytest.approx(theirs[name]["absrel"], **TOLERANCE)
        assert ours["rms_" + name] == pytest.approx(theirs[name]["rmse"], **TOLERANCE)


def test_euler_eval_surfaces(sides):
    ours, theirs = sides[0]["none"]["port"], sides[1]["euler-eval"]
    # Its normals are float32 in the end.
    assert ours["normal_mean"] == pytest.approx(theirs["normal_mean"], rel=1e-6)
    found = [ours[key] for key in ("normal_11", "normal_22", "normal_30")]
    assert found == pytest.approx(theirs["normals"], abs=1e-4)
    assert ours["cloud_chamfer"] == pytest.approx(theirs["chamfer"], **TOLERANCE)
    assert [ours["cloud_f_5"], ours["cloud_f_10"]] == pytest.approx(theirs["fscore"], **TOLERANCE)


def test_euler_eval_after_scale_and_shift(sides):
    ours, theirs = sides[0]["affine"]["paper"], sides[1]["euler-eval affine"]
    for their, our in {**STANDARD, "rmse": "rms_image"}.items():
        assert ours[our] == pytest.approx(theirs[their], **TOLERANCE), their


@pytest.mark.parametrize("name, alignment", [("ultralytics", "none"), ("ultralytics median", "median")])
def test_ultralytics(sides, name, alignment):
    ours, theirs = sides[0][alignment]["paper"], sides[1][name]
    keys = {"delta1": "delta1", "delta2": "delta2", "delta3": "delta3"}
    keys.update(abs_rel="rel_truth", rmse="rms_image", silog="silog")
    for their, our in keys.items():
        # Theirs is float32, and its median of evenly many pixels is the lower one of the two in the middle.
        assert ours[our] == pytest.approx(theirs[their], rel=1e-6 if alignment == "none" else 1e-5), their


def test_torchmetrics(sides):
    ours, theirs = sides[0]["none"]["port"], sides[1]["torchmetrics"]
    found = {"mse": ours["rms_pooled"] ** 2, "mae": ours["mae"], "mape": ours["rel_truth"]}
    assert found == pytest.approx({key: theirs[key] for key in found}, **TOLERANCE)


def test_what_differs_is_on_the_page(sides):
    """Metrics of like names that are others: the figures of docs/metrics.md."""
    ours, theirs = sides[0]["none"]["port"], sides[1]
    found = [
        theirs["euler-eval"]["depth_edge_f1"],
        ours["boundary_f1"],
        theirs["torchmetrics"]["msle"] ** 0.5,
        theirs["euler-eval"]["pixel_pool"]["rmse_log"],
    ]
    page = (REPOSITORY / "docs/metrics.md").read_text()
    part = page.partition("### Agreement with other programs")[2].partition("\n### ")[0]
    assert [round(figure, 3) for figure in found] == [0.907, 0.484, 0.119, 0.161]
    assert all("{:.3f}".format(figure) in part for figure in found)


def test_scikit_image(sides):
    ours, theirs = sides[0]["none"]["port"], sides[1]["scikit-image"]
    found = {"accuracy": ours["edge_accuracy"], "completeness": ours["edge_completeness"]}
    assert found == pytest.approx(theirs, **TOLERANCE)
