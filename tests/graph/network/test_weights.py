"""Importing Keras weight files: what is taken, and what is refused and how."""

import json
import os
import shutil

import h5py
import import_weights
import numpy as np
import pytest
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.network import architecture, weights
from densedepth.network.model import BLOCKS, Model
from densedepth.tf import tf

ENCODER = "densenet121"
MODEL = Model(encoder=ENCODER)


def write_keras(path, values, spelling="/", pieces=1, group=None):
    """Write {variable name: array} as Keras 2 does; `pieces`: into how many the list of layers is cut."""
    layers = {}
    for name, value in values.items():
        layer, kind = name.rsplit("/", 1)
        layers.setdefault(layer.replace("/", spelling), {})[kind] = value
    names = ["input_1"] + sorted(layers) + ["relu"]
    with h5py.File(str(path), "w") as root:
        target = root.create_group(group) if group else root
        if pieces == 1:
            target.attrs["layer_names"] = [n.encode() for n in names]
        else:
            for piece, part in enumerate(np.array_split(names, pieces)):
                target.attrs["layer_names{}".format(piece)] = [n.encode() for n in part]
        for layer in names:
            tensors = layers.get(layer, {})
            holder = target.create_group(layer)
            keys = ["{}/{}:0".format(layer, kind) for kind in tensors]
            holder.attrs["weight_names"] = np.array([k.encode() for k in keys], dtype="S")
            for key, kind in zip(keys, tensors):
                holder.create_dataset(key, data=tensors[kind])
    return str(path)


@pytest.fixture(scope="module")
def encoder_graph():
    with tf.Graph().as_default() as graph:
        architecture.encode(architecture.image_placeholder(), ENCODER)
    return graph


@pytest.fixture(scope="module")
def values(encoder_graph):
    """Distinct random values for every variable, small files: most tensors are small anyway."""
    stream = np.random.RandomState(0)
    variables = encoder_graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    return {v.op.name: stream.uniform(0.1, 1, v.shape.as_list()).astype(np.float32) for v in variables}


@pytest.fixture(scope="module", autouse=True)
def one_graph(encoder_graph):
    """Reading a file needs the encoder's variables; one graph serves all tests here."""
    patch = pytest.MonkeyPatch()
    patch.setattr(weights, "_encoder_graph", lambda encoder: encoder_graph.as_default())
    yield
    patch.undo()


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory, values):
    return write_keras(tmp_path_factory.mktemp("keras") / "encoder.h5", values)


def equal(ours, values):
    assert list(ours) == list(values)
    for name, value in values.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


def test_every_variable_gets_its_value(keras_file, values):
    equal(weights.load(keras_file, MODEL), values)


@pytest.mark.parametrize(
    "layout", [{"spelling": "_"}, {"pieces": 3}, {"group": "model_weights"}], ids=["keras3", "cut", "model"]
)
def test_other_layouts(tmp_path, values, layout):
    equal(weights.encoder_of(write_keras(tmp_path / "x.h5", values, **layout), ENCODER), values)


def test_missing_file(tmp_path):
    with pytest.raises(PipelineError, match=r"none\.h5: no such weight file"):
        weights.load(str(tmp_path / "none.h5"), MODEL)


def test_not_hdf5(tmp_path):
    path = tmp_path / "page.h5"
    path.write_text("<html>not found</html>")
    with pytest.raises(PipelineError, match=r"page.h5: is a web page, expected an HDF5 file; fetch it again"):
        weights.load(str(path), MODEL)


def test_truncated(tmp_path, keras_file):
    path = str(tmp_path / "half.h5")
    shutil.copy(keras_file, path)
    os.truncate(path, os.path.getsize(path) // 2)
    with pytest.raises(PipelineError, match=r"half\.h5: not a readable HDF5 file, or a truncated one"):
        weights.load(path, MODEL)


def test_hdf5_of_something_else(tmp_path):
    path = str(tmp_path / "other.h5")
    with h5py.File(path, "w") as root:
        root["layers/conv2d/vars/0"] = np.zeros(3)
    with pytest.raises(PipelineError, match=r"without Keras' layer_names.*\.weights\.h5"):
        weights.load(path, MODEL)


@pytest.mark.parametrize("layers, tensors, missing", [("conv1", "conv1", "nosuch"), ("conv1", "nosuch", "conv1")])
def test_names_of_what_the_file_does_not_have(tmp_path, layers, tensors, missing):
    with h5py.File(str(tmp_path / "half.h5"), "w") as target:
        target.attrs["layer_names"] = [layers.encode()]
        target.create_group(tensors).attrs["weight_names"] = [b"nosuch"]
    with pytest.raises(PipelineError, match=r"half\.h5: lists {}, which it does not have".format(missing)):
        weights.read_keras(str(tmp_path / "half.h5"))


@pytest.mark.parametrize(
    "names, words",
    [
        (5, r"layer_names of / holds 5, expected names"),
        ([1.5], r"layer_names of / holds 1\.5, expected names"),
        ([b"conv\xff\xfe"], r"layer_names of / holds 'conv\\xff\\xfe', which is not text in UTF-8"),
    ],
)
def test_names_that_are_no_text(tmp_path, names, words):
    with h5py.File(str(tmp_path / "odd.h5"), "w") as target:
        target.attrs["layer_names"] = names
    with pytest.raises(PipelineError, match=r"odd\.h5: " + words):
        weights.read_keras(str(tmp_path / "odd.h5"))


def test_no_densenet(tmp_path):
    path = write_keras(tmp_path / "vgg.h5", {"block1_conv1/kernel": np.zeros((3, 3, 3, 64))})
    with pytest.raises(PipelineError, match=r"expected the weights of densenet121.*1 tensors, no dense block"):
        weights.load(path, MODEL)


@pytest.mark.parametrize("other", ["densenet169", "densenet201"])
def test_other_depth_is_named(tmp_path, values, other):
    deeper = dict(values)
    for stage, layers in enumerate(BLOCKS[other], start=2):
        deeper["conv{}_block{}_1_conv/kernel".format(stage, layers)] = np.zeros(1)
    with pytest.raises(PipelineError, match=r"densenet121 \(dense blocks of 6, 12, 24, 16 layers\), found " + other):
        weights.load(write_keras(tmp_path / "x.h5", deeper), MODEL)


def refused(tmp_path, values, pattern):
    with pytest.raises(PipelineError, match=pattern):
        weights.load(write_keras(tmp_path / "x.h5", values), MODEL)


def test_missing_tensor(tmp_path, values):
    without = {name: value for name, value in values.items() if name != "pool3_bn/moving_mean"}
    refused(tmp_path, without, r"1 tensors are missing, first pool3_bn/moving_mean")


def test_tensor_left_over(tmp_path, values):
    with_top = dict(values)
    with_top["fc1000/kernel"] = np.zeros((1024, 1000), np.float32)
    refused(tmp_path, with_top, r"1 tensors are not part of the network.*fc1000/kernel.*_notop\.h5")


def test_wrong_shape(tmp_path, values):
    wrong = dict(values)
    wrong["conv1/conv/kernel"] = values["conv1/conv/kernel"].transpose(3, 2, 0, 1)
    refused(tmp_path, wrong, r"conv1/conv/kernel has shape \[64, 3, 7, 7\], expected \[7, 7, 3, 64\]")


def test_not_finite(tmp_path, values):
    wrong = dict(values)
    wrong["bn/gamma"] = np.full_like(values["bn/gamma"], np.nan)
    refused(tmp_path, wrong, r"bn/gamma holds values that are not finite")


def test_assign_leaves_other_variables():
    with tf.Graph().as_default() as graph, tf.Session() as session:
        first = tf.get_variable("a", (2,), initializer=tf.ones_initializer())
        second = tf.get_variable("b", (2,), initializer=tf.ones_initializer())
        session.run(tf.global_variables_initializer())
        graph.finalize()
        weights.assign(session, {"b": np.array([3.0, 4.0])})
        assert [list(value) for value in session.run([first, second])] == [[1, 1], [3, 4]]
        with pytest.raises(PipelineError, match="1 tensors are not part of the network, first c"):
            weights.assign(session, {"c": np.zeros(2)})
        with pytest.raises(PipelineError, match=r"b has shape \[3\], expected \[2\]"):
            weights.assign(session, {"b": np.zeros(3)})


@pytest.fixture(scope="module")
def imported(tmp_path_factory, keras_file, one_graph):
    """A folder that the program wrote."""
    folder = str(tmp_path_factory.mktemp("imported") / "weights" / ENCODER)
    assert import_weights.main(["--input", keras_file, "--encoder", ENCODER, "--out", folder]) == 0
    return folder


def test_imported_folder_holds_the_same(imported, keras_file, values):
    equal(weights.load(imported, MODEL), values)
    with open(os.path.join(imported, "weights.json")) as stream:
        side = json.load(stream)
    assert side["format"] == 1 and side["encoder"] == ENCODER
    assert side["source"] == {"path": keras_file, "sha256": files.sha256(keras_file), "md5": files.md5(keras_file)}
    assert (side["variables"], side["parameters"]) == (len(values), sum(v.size for v in values.values()))
    assert side["generation"] == "unknown"
    assert side["runtime"]["runtime"] in ("tf1", "tf2")
    assert sorted(os.listdir(imported)) == [
        "checkpoint",
        "model.ckpt.data-00000-of-00001",
        "model.ckpt.index",
        "weights.json",
    ]


def test_program_tells_what_was_loaded(tmp_path, keras_file, monkeypatch, capsys):
    monkeypatch.setitem(weights._PUBLISHED, files.md5(keras_file), weights.OLD)
    folder = tmp_path / "out"
    folder.mkdir()
    assert import_weights.main(["--input", keras_file, "--encoder", ENCODER, "--out", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "conv1: 5 tensors, 9,664 parameters" in lines
    assert "bn: 4 tensors, 4,096 parameters" in lines
    assert "densenet121: 604 variables, 7,037,504 parameters, all loaded" in lines
    assert any(line.startswith("warning: an older generation") for line in lines)
    # Importing again replaces the folder.
    assert import_weights.main(["--input", keras_file, "--encoder", ENCODER, "--out", str(folder)]) == 0


def test_foreign_folder_is_not_replaced(tmp_path, keras_file, capsys):
    (tmp_path / "notes.txt").write_text("keep")
    assert import_weights.main(["--input", keras_file, "--encoder", ENCODER, "--out", str(tmp_path)]) == 1
    assert "not a folder of imported weights" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "keep"


def test_failed_import_leaves_nothing(tmp_path, capsys):
    assert import_weights.main(["--input", str(tmp_path / "no.h5"), "--out", str(tmp_path / "out")]) == 1
    assert "no.h5: no such weight file" in capsys.readouterr().err
    assert os.listdir(str(tmp_path)) == []


def test_imported_folder_of_another_encoder(imported):
    with pytest.raises(PipelineError, match="expected the weights of densenet169, found densenet121"):
        weights.load(imported, Model(encoder="densenet169"))


def test_damaged_imported_folder(tmp_path, imported):
    folder = str(tmp_path / "copy")
    shutil.copytree(imported, folder)
    data = os.path.join(folder, "model.ckpt.data-00000-of-00001")
    os.truncate(data, os.path.getsize(data) // 2)
    with pytest.raises(PipelineError, match=r"copy: damaged checkpoint.*import the weights again"):
        weights.load(folder, MODEL)
    os.remove(os.path.join(folder, "weights.json"))
    with pytest.raises(PipelineError, match=r"copy: neither a checkpoint \(no model\.json\) nor"):
        weights.load(folder, MODEL)
