"""A checkpoint on validation images: the figures of every evaluation, and the loss of the training."""

import io
import json
import os
import shutil

import numpy as np
import pytest
import validate
from densedepth import files
from densedepth.data import order, records, test_archive_writer, training_input
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import scoring, validation
from densedepth.inference import predictors
from densedepth.tf import tf
from densedepth.training import loss
from PIL import Image

pytestmark = pytest.mark.usefixtures("shallow")

SIZE = (32, 64)


@pytest.fixture(scope="module")
def trained(checkpoint, tmp_path_factory):
    """The checkpoint with what a training says of itself."""
    folder = str(tmp_path_factory.mktemp("run") / "epoch3")
    shutil.copytree(checkpoint.folder, folder)
    path = os.path.join(folder, "model.json")
    side = files.read_json(path)
    files.write_json(path, dict(side, training={"halving": "mean", "depth_range": [10, 1000]}))
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three validation images, a part of the depth invalid."""
    path = str(tmp_path_factory.mktemp("images") / "validation.zip")
    random = np.random.RandomState(4)
    depth = random.uniform(0.5, 9, (3, *SIZE)).astype(np.float32)
    depth[1, :16] = 0
    rgb = random.randint(0, 256, (3, *SIZE, 3)).astype(np.uint8)
    facts = {"format": 1, "holes": True, "max_depth_m": 10.0, "rgb": ["a.png", "b.png", "c.png"]}
    test_archive_writer.write(path, iter(zip(rgb, depth)), 3, SIZE, (0, 31, 0, 63), facts)
    return path, rgb, depth


def test_figures_are_those_of_an_evaluation_and_the_loss_that_of_the_training(trained, images, tmp_path):
    path, rgb, depth = images
    words = ["--ckptdir", trained, "--validation_data", path, "--name", "1p", "--json", str(tmp_path / "e.json")]
    assert validate.main([*words, "--bs", "2", "--tensorboard", str(tmp_path / "events")]) == 0
    found = json.loads((tmp_path / "e.json").read_text())
    with open_test_set(path) as test_set, predictors.load_checkpoint(trained) as predictor:
        expected = scoring.evaluate(predictor, test_set, 2)
        output = predictor.run(rgb.astype(np.float32) / 255)
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=1e-5)
    assert found["per_image"][1]["name"] == "b.png"
    wanted = np.array([validation.target(one, (16, 32), "mean", (10, 1000)) for one in depth])[..., np.newaxis]
    with tf.Graph().as_default(), tf.Session() as session:
        terms = [
            loss.depth_loss(tf.constant(output[i : i + 1]), tf.constant(wanted[i : i + 1]), True) for i in range(3)
        ]
        each = [one["total"] for one in session.run(terms)]
    assert found["loss"]["loss"] == pytest.approx(np.mean(each), rel=1e-5)
    (name,) = os.listdir(str(tmp_path / "events"))
    events = os.path.join(str(tmp_path / "events"), name)
    tags = {value.tag for event in tf.train.summary_iterator(events) for value in event.summary.value}
    assert {"train/loss", "port/delta1", "port/rel_truth"} <= tags
    assert sum(tag.startswith("held_out/image_") for tag in tags) == 3


@pytest.mark.parametrize("halving", training_input.HALVINGS)
@pytest.mark.parametrize("size", [SIZE, (32, 48)])
def test_targets_are_those_of_the_training(halving, size, tmp_path):
    """Of a record with 16-bit depth, as custom pairs become."""
    unit, random = 0.001, np.random.RandomState(1)
    stored = random.randint(0, 11000, (64, 80)).astype(np.uint16)
    stored[random.uniform(size=stored.shape) < 0.2] = 0
    features = {"name": b"a", "depth_unit": unit}
    for key, array in (("data_x", np.zeros((*stored.shape, 3), np.uint8)), ("data_y", stored)):
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, "PNG")
        features[key] = stream.getvalue()
    (tmp_path / "x.tfrecords").write_bytes(records.framed(records.example(features)))
    with records.RecordIndex(
        [str(tmp_path / "x.tfrecords")]
    ) as index, tf.Graph().as_default(), tf.Session() as session:
        batches = training_input.batches(index, order.Order(1, 1, 0, 0.0, 0.0), 0, 1, size, halving)
        _, expected, _ = session.run(tf.data.make_one_shot_iterator(batches).get_next())
    found = validation.target(stored * np.float32(unit), (size[0] // 2, size[1] // 2), halving, (10, 1000))
    np.testing.assert_allclose(found, expected[0, :, :, 0], rtol=1e-4)


def test_a_network_of_unknown_training_has_no_loss(checkpoint, images, capsys):
    assert validate.main(["--ckptdir", checkpoint.folder, "--validation_data", images[0]]) == 1
    assert "its metadata names no training, so its loss is not known" in capsys.readouterr().err
