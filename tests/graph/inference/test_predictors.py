import importlib.util
import json
import os
import re
import shutil
import zipfile

import draw_gallery
import infer_from_pb
import numpy as np
import predict
import pytest
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import scoring
from densedepth.inference import predictors
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


def test_wrong_output_tensor_is_told(frozen):
    with pytest.raises(PipelineError, match=r"output conv2/BiasAdd:0: expected .* got float32 of shape .*34\)"):
        predictors.load_frozen(frozen, output_tensor_name="conv2/BiasAdd:0")


def graph(path, *operations):
    """Write a graph with an input and an output of our names, and `operations` of other types beside."""
    with predictors.tf.Graph().as_default() as whole:
        images = predictors.tf.placeholder(predictors.tf.float32, (None, 32, 32, 3), name="input_1")
        predictors.tf.reduce_mean(images, 3, keepdims=True, name="conv3/BiasAdd")
        definition = whole.as_graph_def()
    for operation in operations:
        definition.node.add(name="extra", op=operation)
    path.write_bytes(definition.SerializeToString())
    return str(path)


def test_an_operation_that_this_release_lacks_is_named_by_every_program(tmp_path, test_archive, capsys):
    path = graph(tmp_path / "model.pb", "OperationOfAnotherRelease")
    words = "model.pb: TensorFlow [0-9.]+ does not have its operation OperationOfAnotherRelease; load it with"
    picture = str(tmp_path / "a.png")
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(picture)
    out = str(tmp_path / "out")
    calls = [
        (predict, ["--model_path", path, "--input", picture, "--out", out]),
        (infer_from_pb, ["--model_path", path, "--image_path", test_archive]),
        (program_test(), ["--ckptdir", path, "--input", picture, "--output", out]),
        (draw_gallery, ["--model_path", path, "--test_data", test_archive, "--out", out, "--name", "x"]),
    ]
    for program, arguments in calls:
        assert program.main(arguments) == 1
        assert re.search(words, capsys.readouterr().err)
    with pytest.raises(PipelineError, match=words):
        predictors.load_frozen(path, as_written=True)
    os.makedirs(str(tmp_path / "saved"))
    # A SavedModel of schema 1 with one MetaGraphDef (field 2) of one graph (field 2).
    definition = (tmp_path / "model.pb").read_bytes()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"\x08\x01" + field(2, TAGS + field(2, definition)))
    with pytest.raises(PipelineError, match=r"saved: TensorFlow [0-9.]+ does not have its operation Oper"):
        predictors.load(str(tmp_path / "saved"))


def field(number, content):
    """A field of bytes in a protocol buffer."""
    length, size = [], len(content)
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2] + length + [size]) + content


# MetaInfoDef (field 1) with the tag "serve" (field 4).
TAGS = field(1, field(4, b"serve"))


@pytest.mark.parametrize(
    "shape, words",
    [
        ((None, 32, 32, 1), r"input input_1:0: expected float32 .* got float32 of shape"),
        ((None, 32, 32), r"input input_1:0: expected float32"),
    ],
)
def test_a_graph_that_is_no_depth_network_is_refused(tmp_path, shape, words):
    with predictors.tf.Graph().as_default() as whole:
        predictors.tf.identity(predictors.tf.placeholder("float32", shape, name="input_1"), name="conv3/BiasAdd")
        (tmp_path / "model.pb").write_bytes(whole.as_graph_def().SerializeToString())
    with pytest.raises(PipelineError, match=words):
        predictors.load(str(tmp_path / "model.pb"))


def test_what_fails_while_it_runs_is_one_line(tmp_path):
    with predictors.tf.Graph().as_default() as whole:
        images = predictors.tf.placeholder("float32", (None, 32, 32, 3), name="input_1")
        some = predictors.tf.reshape(images, predictors.tf.stack([-1, 7, 11, 1]))
        predictors.tf.identity(some, name="conv3/BiasAdd")
        (tmp_path / "model.pb").write_bytes(whole.as_graph_def().SerializeToString())
    with predictors.load(str(tmp_path / "model.pb")) as predictor:
        with pytest.raises(PipelineError, match=r"cannot run it on 1 images of 32x32 \(") as caught:
            predictor.run(np.zeros((1, 32, 32, 3), np.float32))
    assert "\n" not in str(caught.value)


def test_other_kinds_of_files_are_named(tmp_path):
    with zipfile.ZipFile(str(tmp_path / "model.pb"), "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    with pytest.raises(PipelineError, match=r"model.pb: is a PyTorch file, expected a frozen graph \(.pb\)"):
        predictors.load(str(tmp_path / "model.pb"))
    (tmp_path / "other.pb").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(PipelineError, match=r"is an HDF5 file, expected .*; import_model.py makes a checkpoint"):
        predictors.load(str(tmp_path / "other.pb"))


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
    assert "3 images" in capsys.readouterr().out
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


def test_a_gallery_replaces_no_image_of_the_user_s(frozen, test_archive, tmp_path, capsys):
    words = ["--model_path", frozen, "--test_data", test_archive, "--out", str(tmp_path), "--count", "1"]
    (tmp_path / "scene_1.png").write_text("mine")
    assert draw_gallery.main(words) == 1
    assert "scene_1.png: is there already; move it elsewhere" in capsys.readouterr().err
    assert sorted(os.listdir(str(tmp_path))) == ["scene_1.png"]


def test_measuring_programs_do_not_load_the_drawing_module():
    for name in ("evaluate.py", "infer_from_pb.py", "evaluate_baseline.py", "ckpt2pb.py"):
        with open(os.path.join(SCRIPTS, name)) as stream:
            assert "visualize" not in stream.read(), name
