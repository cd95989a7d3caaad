"""calibrate.py on a network: what it writes has the scale, in every form that is made of it."""

import importlib.util
import json
import os

import calibrate
import ckpt2pb
import export_onnx
import export_torch
import import_model
import numpy as np
import pytest
from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import export_matrix
from densedepth.inference import exporters, forward, networks, predictors
from PIL import Image

pytestmark = pytest.mark.usefixtures("shallow")

COUNT = 4
# The depth of the network is right but for this.
FACTOR = 1.25


@pytest.fixture(scope="module")
def scenes(shallow, checkpoint):
    """[(rgb, depth that is FACTOR times the predicted one)]."""
    random = np.random.RandomState(0)
    with predictors.load_checkpoint(checkpoint.folder) as predictor:
        height, width = predictor.size
        rgb = random.randint(0, 256, (COUNT, height, width, 3)).astype(np.uint8)
        depth = forward.predict_depth(predictor, rgb, 1, (0, height - 1, 0, width - 1), (1e-3, 1e4))
    return list(zip(rgb, (FACTOR * depth).astype(np.float32)))


def archive(path, scenes):
    size = scenes[0][1].shape
    test_archive_writer.write(str(path), iter(scenes), len(scenes), size, (0, size[0] - 1, 0, size[1] - 1))
    return str(path)


def distances(folder, scenes):
    lines = ["image,x,y,metres"]
    for number, (rgb, depth) in enumerate(scenes):
        Image.fromarray(rgb).save(str(folder / "{}.png".format(number)))
        lines += ["{}.png,{},{},{:.5f}".format(number, x, y, depth[y, x]) for x, y in ((3, 5), (20, 9), (40, 30))]
    (folder / "tape.csv").write_text("\n".join(lines))
    return str(folder / "tape.csv")


@pytest.mark.parametrize("kind", ["--test_data", "--distances"])
def test_the_scale_is_in_what_is_written_and_in_what_is_exported(tmp_path, checkpoint, scenes, capsys, kind):
    path = archive(tmp_path / "a.zip", scenes) if kind == "--test_data" else distances(tmp_path, scenes)
    out = str(tmp_path / "calibrated")
    # The folder of all checkpoints of a run stands for its last.
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "epoch2").symlink_to(checkpoint.folder)
    assert calibrate.main(["--ckptdir", str(tmp_path / "checkpoints"), kind, path, "--out", out]) == 0
    assert "4 images: scale 1.25" in capsys.readouterr().out
    with open(os.path.join(out, "model.json")) as stream:
        facts = json.load(stream)["calibration"]
    assert facts["scale"] == pytest.approx(FACTOR, rel=1e-3) and facts["rel_after"] < facts["rel_before"]
    assert facts["measured_by"] == os.path.basename(path)
    assert ckpt2pb.main(["--ckptdir", out, "--pbdir", str(tmp_path), "--pb_name", "model"]) == 0
    rgb, depth = scenes[0]
    whole = (0, depth.shape[0] - 1, 0, depth.shape[1] - 1)
    for exported in (out, str(tmp_path / "model.pb")):
        with predictors.load(exported) as predictor:
            assert predictor.describe()["calibration"] == facts
            found = forward.predict_depth(predictor, rgb[np.newaxis], 1, whole, (1e-3, 1e4))[0]
        np.testing.assert_allclose(found, depth, rtol=2e-3)


def converted(folder, graph, path, scenes):
    """{path: its kind} of all exports whose packages are installed, made as results/<run>/exports is."""
    kinds = [kind for kind, form in exporters.KINDS.items() if all(map(importlib.util.find_spec, form.versions))]
    images = np.stack([rgb for rgb, _ in 2 * scenes]).astype(np.float32) / 255
    with open_test_set(path) as test_set:
        limits = export_matrix.Limits(1e-2, 1.0)
        found = export_matrix.make(graph, test_set, kinds, exporters.Source(graph, 13, images), limits, folder)
    return {os.path.join(folder, row["file"]): exporters.KINDS[kind] for kind, row in found["exports"].items()}


def test_every_export_has_the_scale_and_tells_it(tmp_path, checkpoint, scenes):
    """Of whatever is converted from the frozen graph, and of the checkpoint by way of PyTorch."""
    out, torch = str(tmp_path / "calibrated"), str(tmp_path / "model.safetensors")
    path = archive(tmp_path / "a.zip", scenes)
    assert calibrate.main(["--ckptdir", checkpoint.folder, "--test_data", path, "--out", out]) == 0
    assert export_torch.main(["--ckptdir", out, "--out", torch]) == 0
    assert import_model.main(["--input", torch, "--out", str(tmp_path / "back")]) == 0
    kinds = {str(tmp_path / "back"): exporters.KINDS["onnx"]}
    assert ckpt2pb.main(["--ckptdir", out, "--pbdir", str(tmp_path), "--pb_name", "model"]) == 0
    if importlib.util.find_spec("tf2onnx"):
        graph, onnx = str(tmp_path / "model.pb"), str(tmp_path / "model.onnx")
        assert export_onnx.main(["--model_path", graph, "--out", onnx]) == 0
        kinds[onnx] = exporters.KINDS["onnx"]
        kinds.update(converted(str(tmp_path / "exports"), graph, path, scenes))
    rgb, depth = scenes[0]
    whole = (0, depth.shape[0] - 1, 0, depth.shape[1] - 1)
    for exported, kind in kinds.items():
        if not kind.runs:
            with open(exported + ".json") as stream:
                assert json.load(stream)["calibration"]["scale"] == pytest.approx(FACTOR, rel=1e-3)
            continue
        with networks.load(exported) as predictor:
            assert predictor.describe()["calibration"]["scale"] == pytest.approx(FACTOR, rel=1e-3)
            found = forward.predict_depth(predictor, rgb[np.newaxis], 1, whole, (1e-3, 1e4))[0]
        off = np.abs(found / depth - 1)
        # What rounding takes is far less than the scale.
        assert off.max() < 2e-3 if kind.exact else np.median(off) < 0.05, exported


def test_where_it_does_not_help_nothing_is_written(tmp_path, checkpoint, scenes, capsys):
    right = [(rgb, depth / np.float32(FACTOR)) for rgb, depth in scenes]
    out = tmp_path / "calibrated"
    path = archive(tmp_path / "a.zip", right)
    assert calibrate.main(["--ckptdir", checkpoint.folder, "--test_data", path, "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "not clearly better: nothing is written" and not out.exists()
    # Better, and too different in one of the images to be clearly so.
    wide = [(rgb, depth * np.float32(by)) for (rgb, depth), by in zip(scenes, (1, 2, 2, 2))]
    path = archive(tmp_path / "b.zip", wide)
    assert calibrate.main(["--ckptdir", checkpoint.folder, "--test_data", path, "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()[-1]
    assert said == "not clearly better: nothing is written; more images may show it" and not out.exists()


@pytest.mark.parametrize(
    "text, words",
    [
        ("image,x,y\n0.png,1,2", "expected the columns image, x, y, metres"),
        ("image,x,y,metres\n0.png,1,2,-3", "line 2: expected numbers x, y and metres > 0"),
        ("image,x,y,metres\n0.png,999,2,3", "0.png: (999, 2) lies outside the image of"),
        ("image,x,y,metres\n0.png,1,2,3", "1 images with measured depth are too few"),
        ("image,x,y,metres\nnosuch.png,1,2,3", "nosuch.png"),
    ],
)
def test_wrong_distances_are_one_line(tmp_path, checkpoint, scenes, capsys, text, words):
    distances(tmp_path, scenes[:1])
    (tmp_path / "bad.csv").write_text(text)
    flags = ["--ckptdir", checkpoint.folder, "--distances", str(tmp_path / "bad.csv"), "--out", str(tmp_path / "out")]
    assert calibrate.main(flags) == 1
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1
