"""ONNX files: equal depth, the same names and figures. Skipped where tf2onnx and ONNX Runtime are not installed."""

import json

import export_onnx
import infer_from_pb
import numpy as np
import pytest
import tiny
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.inference import freeze, networks, onnx_export, predictors
from densedepth.network import architecture


@pytest.fixture(scope="module")
def exported(shallow_frozen, tmp_path_factory):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed; `make onnx` adds it to tf2")
    path = str(tmp_path_factory.mktemp("onnx") / "model.onnx")
    assert export_onnx.main(["--model_path", shallow_frozen, "--out", path]) == 0
    return path


def test_depth_is_that_of_the_frozen_graph(exported, shallow_frozen):
    images = np.random.RandomState(1).uniform(0, 1, (3, 32, 64, 3)).astype(np.float32)
    with networks.load(exported) as loaded, networks.load(shallow_frozen) as original:
        assert (loaded.size, loaded.batch) == (original.size, original.batch) == ((32, 64), None)
        np.testing.assert_allclose(loaded.run(images), original.run(images), rtol=1e-4, atol=1e-4)
        source = loaded.describe()
    assert (source["kind"], source["epoch"], source["size"]) == ("onnx", 3, [32, 64])
    side = files.read_json(exported + ".json")
    assert side["sha256"] == files.sha256(exported) and side["source"]["sha256"] == files.sha256(shallow_frozen)
    assert (side["input"]["name"], side["output"]["name"]) == ("input_1:0", "conv3/BiasAdd:0")
    assert side["input"]["shape"] == [None, 32, 64, 3]
    assert 0 < side["parity"]["metres"] < 1e-3


def test_figures_are_those_of_the_frozen_graph(exported, shallow_frozen, test_archive, tmp_path):
    found = {}
    for path in (exported, shallow_frozen):
        out = tmp_path / "figures.json"
        assert (
            infer_from_pb.main(["--bs", "2", "--model_path", path, "--image_path", test_archive, "--json", str(out)])
            == 0
        )
        found[path] = json.loads(out.read_text())
    assert found[exported]["metrics"] == pytest.approx(found[shallow_frozen]["metrics"], abs=1e-4)
    speed = found[exported]["speed"]
    assert speed["images"] == 10
    assert 0 < speed["batch_ms"]["p50"] <= speed["batch_ms"]["p90"] <= speed["batch_ms"]["max"]


def resizes(path):
    """The attributes of each Resize of an ONNX file."""
    import onnx

    nodes = [node for node in onnx.load(path).graph.node if node.op_type == "Resize"]
    return [{a.name: onnx.helper.get_attribute_value(a) for a in node.attribute} for node in nodes]


@pytest.mark.parametrize("upsampling", ["align_corners", "asymmetric"])
def test_other_upsamplings_and_a_fixed_batch(exported, tmp_path, monkeypatch, upsampling):
    monkeypatch.setattr(tiny, "MODEL", type(tiny.MODEL)(encoder="densenet121", upsampling=upsampling))
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
    checkpoint = tiny.write_checkpoint(tmp_path / "epoch1")
    graph, path = str(tmp_path / "model.pb"), str(tmp_path / "model.onnx")
    freeze.freeze(checkpoint.folder, "conv3/BiasAdd", graph, 2)
    assert onnx_export.export(graph, path, 13)["parity"]["images"] == 2
    assert {tuple(sorted(resize)) for resize in resizes(path)} == {("coordinate_transformation_mode", "mode")}
    assert {resize["coordinate_transformation_mode"] for resize in resizes(path)} == {upsampling.encode()}
    with networks.load(path) as loaded:
        assert loaded.batch == 2
        with pytest.raises(PipelineError, match=r"images of shape \(1, 32, 64, 3\)"):
            loaded.run(np.zeros((1, 32, 64, 3), np.float32))


def test_a_file_that_computes_something_else_is_not_written(exported, shallow_frozen, tmp_path, monkeypatch):
    run = predictors.Predictor.run
    monkeypatch.setattr(predictors.Predictor, "run", lambda self, images: run(self, images) * 1.01)
    with pytest.raises(PipelineError, match=r"its depth differs by up to .* m, more than 0\.001 m"):
        onnx_export.export(shallow_frozen, str(tmp_path / "model.onnx"), 13)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_none_are_refused(exported, tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"no network")
    with pytest.raises(PipelineError, match=r"a\.onnx: ONNX Runtime cannot load it"):
        networks.load(str(tmp_path / "a.onnx"))
    with pytest.raises(PipelineError, match=r"b\.onnx: no such file; export_onnx\.py makes one"):
        networks.load(str(tmp_path / "b.onnx"))
