import json
import os

import ckpt2pb
import infer_from_pb
import numpy as np
import pytest
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import scoring
from densedepth.inference import forward, freeze, predictors
from densedepth.tf import tf

pytestmark = pytest.mark.usefixtures("shallow")

# All attributes of these operations in TensorFlow 1.15, the oldest release that must read the files.
ATTRIBUTES_OF_1_15 = {
    "AvgPool": {"T", "data_format", "ksize", "padding", "strides"},
    "BiasAdd": {"T", "data_format"},
    "ConcatV2": {"N", "T", "Tidx"},
    "Const": {"dtype", "value"},
    "Conv2D": {
        *("T", "data_format", "dilations", "explicit_paddings", "padding", "strides", "use_cudnn_on_gpu"),
    },
    "FusedBatchNormV3": {"T", "U", "data_format", "epsilon", "is_training"},
    "LeakyRelu": {"T", "alpha"},
    "Mul": {"T"},
    "MaxPool": {"T", "data_format", "ksize", "padding", "strides"},
    "Pad": {"T", "Tpaddings"},
    "Placeholder": {"dtype", "shape"},
    "Relu": {"T"},
    "ResizeBilinear": {"T", "align_corners", "half_pixel_centers"},
}


def read_graph(path):
    definition = tf.GraphDef()
    with open(path, "rb") as stream:
        definition.ParseFromString(stream.read())
    return definition


def test_frozen_file_runs_in_a_session_that_knows_two_names_only(predictor, frozen):
    images = np.random.RandomState(0).uniform(0, 1, (3, 32, 64, 3)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(read_graph(frozen), name="")
        with tf.Session(graph=graph) as session:
            output = session.run("conv3/BiasAdd:0", {"input_1:0": images})
    expected = predictor.run(images)
    assert output.shape == (3, 16, 32, 1)
    assert expected.std() > 0.1
    np.testing.assert_allclose(output, expected, rtol=1e-5, atol=1e-5)


def test_a_graph_that_is_not_folded_gives_the_checkpoint_s_results_bit_for_bit(predictor, frozen):
    images = np.random.RandomState(0).uniform(0, 1, (3, 32, 64, 3)).astype(np.float32)
    with predictors.load(frozen) as other:
        np.testing.assert_array_equal(other.run(images), predictor.run(images))


def test_metrics_of_the_frozen_graph_equal_those_of_the_checkpoint(predictor, frozen, test_archive, tmp_path):
    out = tmp_path / "frozen.json"
    arguments = ["--bs", "2", "--model_path", frozen, "--image_path", test_archive, "--json", str(out)]
    assert infer_from_pb.main(arguments) == 0
    document = json.loads(out.read_text())
    with open_test_set(test_archive) as test_set:
        expected = scoring.evaluate(predictor, test_set, 2)
    assert document["metrics"] == pytest.approx(expected["metrics"], abs=1e-6)
    # The weights are such that the figures say something.
    assert 0.05 < expected["metrics"]["delta2"] < 0.95
    source = document["source"]
    assert (source["kind"], source["epoch"], source["global_step"]) == ("frozen", 3, 12)
    assert source["model"] == expected["source"]["model"]
    assert source["size"] == [32, 64]
    assert source["sha256"] == files.sha256(frozen)


def test_depth_limits_of_the_program_are_used(frozen, test_archive, tmp_path, capsys):
    out = tmp_path / "frozen.json"
    arguments = ["--model_path", frozen, "--image_path", test_archive, "--json", str(out)]
    assert infer_from_pb.main(arguments + ["--minDepth", "200", "--maxDepth", "201"]) == 0
    document = json.loads(out.read_text())
    assert document["protocol"]["depth_limits_m"] == [2.0, 2.01]
    with open_test_set(test_archive) as test_set:
        truth = np.concatenate([batch[1] for batch in test_set.batches(1)])[:, 4:60, 3:89]
    assert document["metrics"]["rms_pooled"] == pytest.approx(np.sqrt(((truth - 2.0) ** 2).mean()), abs=0.01)
    assert infer_from_pb.main(arguments + ["--minDepth", "300", "--maxDepth", "200"]) == 1
    assert "0 < nearest < farthest" in capsys.readouterr().err


def test_same_checkpoint_gives_the_same_bytes(checkpoint, frozen, tmp_path):
    arguments = ["--ckptdir", checkpoint.folder, "--pbdir", str(tmp_path), "--pb_name", "again", "--fold", "false"]
    assert ckpt2pb.main(arguments) == 0
    with open(frozen, "rb") as one:
        assert one.read() == (tmp_path / "again.pb").read_bytes()


def test_side_file_tells_the_interface_and_the_source(checkpoint, frozen):
    side = files.read_json(frozen + ".json")
    assert side["input"]["name"] == "input_1:0"
    assert side["input"]["shape"] == [None, 32, 64, 3]
    assert side["input"]["range"] == [0, 1]
    assert side["output"]["name"] == "conv3/BiasAdd:0"
    assert side["output"]["shape"] == [None, 16, 32, 1]
    assert side["output"]["unit"] == "1000 / depth in centimetres"
    assert side["model"] == checkpoint.side["model"]
    assert side["size"] == [32, 64]
    assert side["source"]["epoch"] == 3
    assert side["source"]["sha256"] == checkpoint.side["files"]
    assert side["sha256"] == files.sha256(frozen)
    definition = read_graph(frozen)
    assert side["nodes"] == len(definition.node)
    assert side["bytes"] == os.path.getsize(frozen)


def test_graph_holds_inference_only_and_loads_in_the_oldest_release(frozen):
    definition = read_graph(frozen)
    assert [node.name for node in definition.node if node.op == "Placeholder"] == ["input_1"]
    for node in definition.node:
        assert set(node.attr) <= ATTRIBUTES_OF_1_15[node.op], node.name
        assert not node.device
        if node.op == "FusedBatchNormV3":
            assert not node.attr["is_training"].b
    assert definition.versions.producer >= 100
    assert not definition.library.function


def test_batch_size_can_be_fixed(checkpoint, tmp_path):
    path = str(tmp_path / "two.pb")
    side = freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path, batch=2)
    assert side["input"]["shape"] == [2, 32, 64, 3]
    assert side["output"]["shape"] == [2, 16, 32, 1]
    with predictors.load_frozen(path) as predictor:
        assert predictor.batch == 2
        three = forward.predict(predictor, np.ones((3, 32, 64, 3), np.float32), 2)
        assert three.shape == (3, 16, 32)
        with pytest.raises(PipelineError, match=r"shape \(3, 32, 64, 3\) for an input of shape \(2, 32, 64, 3\)"):
            predictor.run(np.ones((3, 32, 64, 3), np.float32))


def test_unknown_output_is_refused_with_the_right_name(checkpoint, tmp_path, capsys):
    arguments = ["--ckptdir", checkpoint.folder, "--pbdir", str(tmp_path), "--output_node_names", "conv9/BiasAdd"]
    assert ckpt2pb.main(arguments) == 1
    assert "conv9/BiasAdd: no such operation in the network; its output is conv3/BiasAdd" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def folded(checkpoint, shallow, tmp_path_factory):
    """The path of the checkpoint's folded graph, as the program writes it, with a SavedModel beside it."""
    folder = tmp_path_factory.mktemp("folded")
    arguments = ["--ckptdir", checkpoint.folder, "--pbdir", str(folder), "--pb_name", "model", "--saved_model"]
    assert ckpt2pb.main(arguments) == 0
    return str(folder / "model.pb")


def test_folding_keeps_the_numbers_with_fewer_operations(predictor, frozen, folded, test_archive):
    images = np.random.RandomState(1).uniform(0, 1, (2, 32, 64, 3)).astype(np.float32)
    expected = predictor.run(images)
    with predictors.load_frozen(folded) as ours, open_test_set(test_archive) as test_set:
        output = ours.run(images)
        metrics = scoring.evaluate(ours, test_set, 2)["metrics"]
        unfolded = scoring.evaluate(predictor, test_set, 2)["metrics"]
    assert np.abs(output - expected).max() / np.abs(expected).mean() < 1e-4
    assert metrics == pytest.approx(unfolded, abs=1e-4)
    nodes, before = read_graph(folded).node, read_graph(frozen).node
    assert len(nodes) < len(before)
    operations = [node.op for node in nodes]
    assert not [op for op in operations if op.startswith("FusedBatchNorm")]
    # Normalisation remains where it reads joined features: before each of the four dense layers, in the three
    # transitions and at the end.
    assert operations.count("Mul") == 4 + 3 + 1
    for node in nodes:
        assert set(node.attr) <= ATTRIBUTES_OF_1_15[node.op], node.name
    assert files.read_json(folded + ".json")["folded"] is True
    assert files.read_json(frozen + ".json")["folded"] is False


def test_saved_model_gives_what_the_frozen_graph_gives(folded):
    side = files.read_json(folded + ".json")["saved_model"]
    images = np.random.RandomState(2).uniform(0, 1, (2, 32, 64, 3)).astype(np.float32)
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session:
        meta = tf.saved_model.loader.load(session, ["serve"], side["path"])
        signature = meta.signature_def["serving_default"]
        assert list(signature.inputs) == ["input_1"] and list(signature.outputs) == ["conv3"]
        output = session.run(signature.outputs["conv3"].name, {signature.inputs["input_1"].name: images})
    with predictors.load_frozen(folded, as_written=True) as ours:
        np.testing.assert_array_equal(output, ours.run(images))


def test_folded_graph_is_the_same_each_time_and_other_folders_stay(checkpoint, folded, tmp_path):
    arguments = [
        "--ckptdir",
        checkpoint.folder,
        "--pbdir",
        str(tmp_path),
        "--pb_name",
        "model",
        "--saved_model",
        "true",
    ]
    assert ckpt2pb.main(arguments) == 0
    first, second = files.read_json(folded + ".json"), files.read_json(str(tmp_path / "model.pb.json"))
    assert first["sha256"] == second["sha256"]
    # TensorFlow 1.15 writes the SavedModel's maps in any order, so its bytes may differ.
    assert first["saved_model"]["signature"] == second["saved_model"]["signature"]
    # Again into the same folder; a folder of something else stays.
    assert ckpt2pb.main(arguments) == 0
    other = tmp_path / "other"
    (other / "saved_model").mkdir(parents=True)
    (other / "saved_model" / "mine.txt").write_text("mine")
    arguments[3] = str(other)
    assert ckpt2pb.main(arguments) == 1
    assert (other / "saved_model" / "mine.txt").read_text() == "mine"
