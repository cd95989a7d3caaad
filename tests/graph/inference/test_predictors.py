import importlib.util
import json
import os
import shutil

import draw_gallery
import numpy as np
import pytest
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import scoring
from densedepth.inference import forward, predictors
from densedepth.network import checkpoints
from PIL import Image

SCRIPTS = os.path.dirname(draw_gallery.__file__)
pytestmark = pytest.mark.usefixtures("shallow")


def program_test():
    """The program test.py, whose name Python's own package `test` has already."""
    spec = importlib.util.spec_from_file_location("program_test", os.path.join(SCRIPTS, "test.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_predictors_describe_themselves(predictor, checkpoint, frozen):
    assert (predictor.size, predictor.batch) == ((32, 64), None)
    source = predictor.describe()
    assert (source["kind"], source["path"], source["epoch"]) == ("checkpoint", checkpoint.folder, 3)
    assert source["sha256"] == checkpoint.side["files"]["model.ckpt.data-00000-of-00001"]
    with predictors.load(frozen) as other:
        assert (other.size, other.batch) == ((32, 64), None)
        assert other.describe()["kind"] == "frozen"


def test_frozen_graph_without_its_side_file_still_loads(frozen, tmp_path):
    path = str(tmp_path / "lonely.pb")
    shutil.copyfile(frozen, path)
    with predictors.load_frozen(path, "input_1", "conv3/BiasAdd") as predictor:
        assert predictor.describe() == {
            "kind": "frozen",
            "path": path,
            "epoch": None,
            "global_step": None,
            "model": None,
            "folded": None,
            "depth_range": None,
            "size": [32, 64],
            "sha256": files.sha256(frozen),
        }
    # A side file of another frozen graph says nothing about this one.
    files.write_json(path + ".json", dict(files.read_json(frozen + ".json"), sha256="0" * 64))
    with predictors.load_frozen(path) as predictor:
        assert predictor.describe()["epoch"] is None


def test_missing_tensors_are_refused_with_likely_names(frozen):
    with pytest.raises(PipelineError, match=r"no input tensor image:0; .* may be: input_1:0$"):
        predictors.load_frozen(frozen, "image:0")
    with pytest.raises(PipelineError, match=r"no output tensor depth:0; .* may be: conv3/BiasAdd:0$"):
        predictors.load_frozen(frozen, output_tensor_name="depth")
    with pytest.raises(PipelineError, match=r"input conv3/BiasAdd:0: expected float32 .*, got float32 of shape"):
        predictors.load_frozen(frozen, "conv3/BiasAdd:0")


@pytest.mark.parametrize("name", ["model.ckpt", "model.ckpt.index", "model.ckpt.data-00000-of-00001"])
def test_a_file_of_a_checkpoint_names_it(checkpoint, monkeypatch, name):
    with predictors.load(os.path.join(checkpoint.folder, name)) as other:
        assert (other.describe()["kind"], other.describe()["path"]) == ("checkpoint", checkpoint.folder)
    monkeypatch.chdir(checkpoint.folder)
    assert checkpoints.find(name).side == checkpoint.side


def test_damaged_checkpoint_is_told_with_the_reason(checkpoint, tmp_path):
    folder = str(tmp_path / "epoch3")
    shutil.copytree(checkpoint.folder, folder)
    os.truncate(os.path.join(folder, "model.ckpt.data-00000-of-00001"), 100000)
    with pytest.raises(PipelineError, match=r"epoch3: damaged checkpoint \(Read less bytes than requested\)$"):
        predictors.load(folder)


@pytest.mark.parametrize("content", [b"", b"no graph at all", b"\x00" * 64])
def test_files_that_are_no_frozen_graph_are_refused(tmp_path, content):
    path = tmp_path / "model.pb"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"model\.pb: not a frozen graph"):
        predictors.load_frozen(str(path))


def test_cut_frozen_graph_and_missing_file_are_refused(frozen, tmp_path):
    path = tmp_path / "model.pb"
    with open(frozen, "rb") as stream:
        path.write_bytes(stream.read(os.path.getsize(frozen) // 2))
    with pytest.raises(PipelineError, match=r"model\.pb"):
        predictors.load_frozen(str(path))
    with pytest.raises(PipelineError, match=r"none\.pb: no such file; ckpt2pb\.py makes one"):
        predictors.load_frozen(str(tmp_path / "none.pb"))


def test_images_of_a_wrong_size_are_refused(frozen):
    with predictors.load(frozen) as predictor:
        with pytest.raises(PipelineError, match=r"shape \(1, 32, 32, 3\) for an input of shape \(None, 32, 64, 3\)"):
            predictor.run(np.zeros((1, 32, 32, 3), np.float32))


def test_wrong_output_tensor_is_told_at_the_first_batch(frozen):
    with predictors.load_frozen(frozen, output_tensor_name="conv2/BiasAdd:0") as predictor:
        with pytest.raises(PipelineError, match=r"expected an output of shape .*, got \(1, 1, 2, 34\)"):
            forward.predict(predictor, np.zeros((1, 32, 64, 3), np.float32), 1)


@pytest.mark.parametrize("gpus, chosen", [(0, ""), (1, ""), (4, "3")])
def test_the_last_of_several_gpus_is_used(monkeypatch, gpus, chosen):
    # There need not be any here: what is looked at is the choice.
    monkeypatch.setattr(predictors.tf.config.experimental, "list_physical_devices", lambda kind: ["a GPU"] * gpus)
    assert predictors._session_config().gpu_options.visible_device_list == chosen


def test_panel_of_pictures_of_several_sizes(frozen, tmp_path, capsys):
    program = program_test()
    random = np.random.RandomState(0)
    for name, size in (("a.png", (32, 64)), ("b.png", (90, 50)), ("c.jpg", (48, 64))):
        Image.fromarray(random.randint(0, 256, size + (3,)).astype(np.uint8)).save(str(tmp_path / name))
    pattern = str(tmp_path / "*.png")
    out = str(tmp_path / "out" / "panel.png")
    assert program.main(["--ckptdir", frozen, "--input", pattern, str(tmp_path / "c.jpg"), "--output", out]) == 0
    assert "3 pictures" in capsys.readouterr().out
    with Image.open(out) as panel:
        assert panel.format == "PNG" and panel.size[0] > 600
    os.remove(out)
    assert program.main(["--ckptdir", frozen, "--input", str(tmp_path / "*.gif"), "--output", out]) == 1
    assert "*.gif: matches no file" in capsys.readouterr().err
    assert not os.path.exists(out)


def test_gallery_spreads_out_and_scores_as_the_evaluation(predictor, frozen, test_archive, tmp_path, capsys):
    arguments = ["--model_path", frozen, "--test_data", test_archive, "--out", str(tmp_path), "--name", "1p"]
    assert draw_gallery.main(arguments + ["--count", "2"]) == 0
    gallery = json.loads((tmp_path / "gallery.json").read_text())
    assert gallery["run"] == "1p"
    assert [(scene["picture"], scene["index"]) for scene in gallery["scenes"]] == [
        ("scene_1.png", 1),
        ("scene_2.png", 3),
    ]
    with open_test_set(test_archive) as test_set:
        expected = scoring.evaluate(predictor, test_set, 1)["per_image"]
    for scene in gallery["scenes"]:
        with Image.open(str(tmp_path / scene["picture"])) as picture:
            assert picture.size[0] > 1000
        for key in ("rms", "delta1"):
            assert scene[key] == pytest.approx(expected[scene["index"]][key], abs=1e-6)
    assert draw_gallery.main(arguments + ["--count", "6"]) == 1
    assert "has 5 images" in capsys.readouterr().err


def test_measuring_programs_do_not_load_the_drawing_module():
    for name in ("evaluate.py", "infer_from_pb.py", "evaluate_baseline.py", "ckpt2pb.py"):
        with open(os.path.join(SCRIPTS, name)) as stream:
            assert "visualize" not in stream.read(), name
