"""Whole networks that Keras wrote, imported, give the depth that Keras gives; what does not fit is refused."""

import json
import os
import re
import shutil

import ckpt2pb
import evaluate
import import_model
import numpy as np
import predict
import pytest
import scenes
import test as panel
import tiny
import train
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.imaging import depth
from densedepth.inference import predictors
from densedepth.network import architecture, checkpoints, importer
from densedepth.tf import tf
from PIL import Image

PAPER = {"encoder": "densenet121", "width": "full", "upsampling": "align_corners", "mid_activation": False}
PORT = {"encoder": "densenet121", "width": "half", "upsampling": "half_pixel", "mid_activation": True}
NETWORKS = {"paper.h5": PAPER, "own_2.h5": dict(PAPER, upsampling="asymmetric"), "library.h5": PORT, "port": PORT}


pytestmark = pytest.mark.usefixtures("shallow")


def assert_same_depth(keras_networks, folder, source):
    theirs = np.load(str(keras_networks / (source.partition(".")[0] + ".npz")))
    with predictors.load(folder) as predictor:
        ours = predictor.run(theirs["images"])
    assert ours.shape == theirs["output"].shape == (2, 32, 48, 1)
    metres, expected = depth.metres(ours), depth.metres(theirs["output"])
    assert 0.1 < expected.min() < expected.max() < 10 and expected.std() > 0.1
    np.testing.assert_allclose(metres, expected, atol=1e-4)


@pytest.mark.parametrize("source", sorted(NETWORKS))
def test_depth_equals_that_of_keras(keras_networks, imported, source):
    assert_same_depth(keras_networks, imported(source), source)


def test_a_network_of_all_layers_is_imported(keras_networks, imported, monkeypatch):
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (6, 12, 24, 16))
    assert_same_depth(keras_networks, imported("deep.h5"), "deep.h5")
    assert checkpoints.find(imported("deep.h5")).side["model"] == PAPER


@pytest.mark.parametrize("source", sorted(NETWORKS))
def test_checkpoint_is_complete_and_tells_its_source(keras_networks, imported, source):
    checkpoint = checkpoints.find(imported(source))
    checkpoints.verify(checkpoint)
    side = checkpoint.side
    assert side["model"] == NETWORKS[source]
    assert (side["epoch"], side["global_step"], side["size"]) == (0, 0, [64, 96])
    assert side["runtime"]["runtime"] in ("tf1", "tf2")
    original = keras_networks / source
    if source == "port":
        original = keras_networks / "port" / "ckpt-1.data-00000-of-00001"
    assert side["weights"]["sha256"] == files.sha256(str(original))
    assert side["weights"]["kind"] == ("object_checkpoint" if source == "port" else "keras_model")


def test_program_says_what_was_decided_by_what(imported):
    output = imported.said("paper.h5")
    assert "upsampling align_corners: by BilinearUpSampling2D of Keras 2.2.4" in output
    assert "mid_activation False: by the layers of the file" in output
    assert "parameters, all loaded" in output


def test_programs_take_it_as_any_other(imported, test_archive, tmp_path):
    out = imported("paper.h5")
    figures = tmp_path / "epoch0.json"
    arguments = ["--ckptdir", out, "--test_data", test_archive, "--logdir", str(tmp_path), "--json", str(figures)]
    assert evaluate.main(arguments) == 0
    document = json.loads(figures.read_text())
    assert document["source"]["model"] == PAPER
    assert (document["source"]["epoch"], document["protocol"]["images"]) == (0, 5)
    assert ckpt2pb.main(["--ckptdir", out, "--pbdir", str(tmp_path), "--pb_name", "model"]) == 0
    assert files.read_json(str(tmp_path / "model.pb.json"))["source"]["epoch"] == 0
    picture = str(tmp_path / "picture.png")
    Image.fromarray(tiny.write_test_set(tmp_path / "x.zip", count=1)["rgb"][0]).save(picture)
    assert panel.main(["--ckptdir", out, "--input", picture, "--output", str(tmp_path / "panel.png")]) == 0


@pytest.fixture(scope="module")
def far(keras_networks):
    """The folder of library.h5 imported as a network whose output is 80 / depth in metres."""
    out = str(keras_networks / "far" / "epoch0")
    arguments = ["--input", str(keras_networks / "library.h5"), "--out", out, "--size", "64", "96", "--max_depth", "80"]
    assert import_model.main(arguments) == 0
    return out


def test_another_scale_of_the_output_becomes_ours(keras_networks, far):
    theirs = np.load(str(keras_networks / "library.npz"))
    with predictors.load(far) as predictor:
        ours = predictor.run(theirs["images"])
    expected = np.clip(80 / theirs["output"], 0.1, 80)
    assert 10 < expected.min() < expected.max() < 80
    np.testing.assert_allclose(depth.metres(ours, (0.1, 80)), expected, rtol=1e-4)
    side = checkpoints.find(far).side
    assert side["training"] == {"depth_range": [10, 8000]}
    assert (side["weights"]["max_depth"], side["weights"]["decided"]["depth_range"]) == (80, "--max_depth")
    # 10 / 80 is a power of two: no digit is lost.
    before, after = (importer.read(path).values for path in (str(keras_networks / "library.h5"), far))
    for name, value in after.items():
        np.testing.assert_array_equal(value * (8 if name.startswith("conv3/") else 1), before[name])


@pytest.fixture
def reaching(checkpoint, tmp_path):
    """A function that makes a shallow network of ours whose training had depth of up to so many metres: its folder."""

    def make(metres):
        folder = str(tmp_path / "reaching_{}".format(metres) / "epoch3")
        shutil.copytree(checkpoint.folder, folder)
        side = dict(checkpoint.side, training={"depth_range": [10, 100 * metres]})
        files.write_json(os.path.join(folder, "model.json"), side)
        return folder

    return make


def test_the_range_goes_with_the_network(reaching, tmp_path, capsys):
    far = reaching(80)
    picture = str(tmp_path / "picture.png")
    Image.fromarray(tiny.write_test_set(tmp_path / "x.zip", count=1)["rgb"][0]).save(picture)
    assert ckpt2pb.main(["--ckptdir", far, "--pbdir", str(tmp_path), "--pb_name", "model"]) == 0
    again = str(tmp_path / "again" / "epoch0")
    assert import_model.main(["--input", far, "--out", again]) == 0
    assert "depth 0.1 to 80 m: by its model.json" in capsys.readouterr().out
    for number, path in enumerate((far, again, str(tmp_path / "model.pb"))):
        out = tmp_path / str(number)
        words = ["--model_path", path, "--input", picture, "--out", str(out), "--write", "npy", "png"]
        assert predict.main(words) == 0
        assert "depth is limited to 0.1 to 80 m: the training's depth range" in capsys.readouterr().out
        assert json.loads((out / "picture.json").read_text())["depth"]["limits"] == [0.1, 80]
        assert 10 < np.load(str(out / "picture_depth.npy")).max() < 80
        assert panel.main(["--ckptdir", path, "--input", picture, "--output", str(out / "panel.png")]) == 0
        told = capsys.readouterr().out
        assert "depth is limited to 0.1 to 80 m: the training's depth range" in told
        assert float(re.search(r"picture.png: .* to (.*) m, median", told).group(1)) > 10
    words = ["--model_path", reaching(10), "--input", picture, "--out", str(tmp_path), "--write", "npy"]
    assert predict.main(words) == 0
    assert "depth is limited to 0.1 to 10 m: the training's depth range" in capsys.readouterr().out


@pytest.mark.parametrize("depth_m", ["0.1", "1001", "nan"])
def test_a_range_that_makes_no_sense_is_refused(keras_networks, tmp_path, capsys, depth_m):
    arguments = ["--input", str(keras_networks / "library.h5"), "--out", str(tmp_path / "out"), "--max_depth", depth_m]
    with pytest.raises(SystemExit) as ended:
        import_model.main(arguments)
    assert ended.value.code == 2
    assert "--max_depth: {}: must be ".format(depth_m) in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_may_be_named_in_four_ways(keras_networks, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(str(keras_networks / "port"), str(moved))
    # As it comes from another machine.
    text = (moved / "checkpoint").read_text()
    (moved / "checkpoint").write_text(text.replace('"ckpt-1"', '"/elsewhere/ckpt-1"'))
    for name in ("moved", "moved/ckpt-1", "moved/ckpt-1.index"):
        values = importer.read(str(tmp_path / name)).values
        assert values["conv3/kernel"].shape == (3, 3, 2, 1)
    (moved / "checkpoint").unlink()
    with pytest.raises(PipelineError, match="without the file `checkpoint`; name the prefix"):
        importer.read(str(moved))
    with pytest.raises(PipelineError, match=r"neither a Keras .h5 file nor a checkpoint"):
        importer.read(str(tmp_path / "nothing"))


def in_two_files(prefix, merged):
    """Write the checkpoint of `prefix` anew as `merged`, its values in two files; their names."""
    with tf.Graph().as_default(), tf.Session() as session:
        reader = tf.train.load_checkpoint(prefix)
        names = sorted(n for n, d in reader.get_variable_to_dtype_map().items() if d == tf.float32)
        parts = []
        for number, some in enumerate((names[::2], names[1::2])):
            parts.append("{}-part{}".format(merged, number))
            session.run(
                tf.raw_ops.SaveV2(
                    prefix=parts[-1],
                    tensor_names=some,
                    shape_and_slices=[""] * len(some),
                    tensors=[tf.constant(reader.get_tensor(name)) for name in some],
                )
            )
        session.run(tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=parts, destination_prefix=merged))
    return ["{}.data-0000{}-of-00002".format(merged, number) for number in range(2)]


def test_all_files_of_a_checkpoint_are_told(keras_networks, tmp_path):
    paths = in_two_files(str(keras_networks / "port" / "ckpt-1"), str(tmp_path / "ckpt-2"))
    assert import_model.main(["--input", str(tmp_path / "ckpt-2.index"), "--out", str(tmp_path / "out")]) == 0
    told = checkpoints.find(str(tmp_path / "out")).side["weights"]
    assert (told["path"], told["sha256"]) == (paths[0], files.sha256(paths[0]))
    assert told["files"] == {os.path.basename(path): files.sha256(path) for path in paths}
    one, other = (importer.read(str(path)).values for path in (keras_networks / "port", tmp_path / "ckpt-2"))
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])
    os.remove(paths[1])
    with pytest.raises(PipelineError, match="ckpt-2: damaged checkpoint"):
        importer.read(str(tmp_path / "ckpt-2"))


def test_what_a_checkpoint_does_not_tell_can_be_said(keras_networks):
    said = importer.read(str(keras_networks / "port"), "align_corners", False)
    assert said.model.as_dict() == dict(PORT, upsampling="align_corners", mid_activation=False)
    assert said.decided["upsampling"] == "--upsampling"


def test_a_contradiction_is_refused(keras_networks, tmp_path, capsys):
    arguments = [
        "--input",
        str(keras_networks / "paper.h5"),
        "--out",
        str(tmp_path / "out"),
        "--upsampling",
        "half_pixel",
    ]
    assert import_model.main(arguments) == 1
    assert "--upsampling half_pixel contradicts the file, which says align_corners" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_other_folders_are_not_overwritten(keras_networks, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(PipelineError, match=r"exists and holds mine.txt, which no import writes; choose another"):
        importer.import_model(str(keras_networks / "paper.h5"), str(tmp_path), (64, 96))


def test_a_trained_checkpoint_and_another_import_are_not_overwritten(checkpoint, tmp_path):
    trained, imported = str(tmp_path / "epoch3"), str(tmp_path / "imported")
    shutil.copytree(checkpoint.folder, trained)
    before = files.read_json(os.path.join(trained, "model.json"))
    for _ in range(2):
        importer.import_model(checkpoint.folder, imported)
    for source, folder in ((trained, trained), (checkpoint.folder, trained), (imported, imported), (trained, imported)):
        with pytest.raises(PipelineError, match="exists and was not imported from"):
            importer.import_model(source, folder)
    assert files.read_json(os.path.join(trained, "model.json")) == before


def test_a_checkpoint_of_ours_is_one_too(checkpoint, tmp_path, capsys):
    for number, path in enumerate((checkpoint.folder, checkpoint.prefix, checkpoint.prefix + ".index")):
        out = tmp_path / str(number)
        assert import_model.main(["--input", path, "--out", str(out)]) == 0
        side = checkpoints.find(str(out)).side
        assert (side["epoch"], side["size"], side["model"]) == (0, [32, 64], checkpoint.side["model"])
        assert side["weights"]["kind"] == "checkpoint"
        assert side["weights"]["sha256"] == checkpoint.side["files"]["model.ckpt.data-00000-of-00001"]
    images = np.random.RandomState(0).uniform(0, 1, (1, 32, 64, 3)).astype(np.float32)
    with predictors.load(checkpoint.folder) as theirs, predictors.load(str(out)) as ours:
        np.testing.assert_array_equal(ours.run(images), theirs.run(images))
    assert import_model.main(["--input", checkpoint.folder, "--out", str(out), "--upsampling", "align_corners"]) == 1
    assert "--upsampling align_corners contradicts the file, which says half_pixel" in capsys.readouterr().err
    assert import_model.main(["--input", checkpoint.folder, "--out", str(out), "--max_depth", "80"]) == 1
    assert "--max_depth 80 contradicts a checkpoint of ours, whose output is 1000 /" in capsys.readouterr().err


def test_a_run_starts_from_an_imported_network(keras_networks, imported, tmp_path, capsys):
    scenes.write_records(tmp_path / "x.tfrecords", 4)
    words = ["--train_tfrecords", str(tmp_path / "x.tfrecords"), "--size", "64", "96", "--bs", "2", "--steps", "1"]
    words += ["--epochs", "1", "--ckptdir", str(tmp_path / "ckpt"), "--encoder", "densenet121", "--lr", "1e-9"]
    paper = words + ["--weights", imported("paper.h5")]
    assert train.main(paper) == 1
    settings = "model.decoder: full, model.upsampling: align_corners, model.mid_activation: false"
    assert "of another network; to start from it, set {}\n".format(settings) in capsys.readouterr().err
    assert train.main(words + ["--weights", str(keras_networks / "paper.h5")]) == 1
    assert "(a whole network: import it with import_model.py" in capsys.readouterr().err
    assert train.main(paper + ["--decoder", "full", "--upsampling", "align_corners", "--mid_activation", "false"]) == 0
    start = importer.read(str(keras_networks / "paper.h5")).values
    after = importer.read(str(tmp_path / "ckpt" / "epoch1"))
    assert after.model.as_dict() == PAPER
    for name in ("conv1/conv/kernel", "conv5_block1_2_conv/kernel", "up4_convB/kernel", "conv3/bias"):
        np.testing.assert_allclose(after.values[name], start[name], atol=1e-7)
    assert checkpoints.find(str(tmp_path / "ckpt")).side["weights"] == imported("paper.h5")
