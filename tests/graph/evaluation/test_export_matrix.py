"""Exports beside the frozen graph: the same network is written, another one refused. On the current TensorFlow only."""

import os

import numpy as np
import pytest
from densedepth.data import test_archive as archives
from densedepth.errors import PipelineError
from densedepth.evaluation import export_matrix, export_table
from densedepth.evaluation.export_matrix import Limits
from densedepth.inference import exporters, networks

pytest.importorskip("tf2onnx", reason="tf2onnx is not installed; `make onnx` adds it to tf2")


def images(count):
    coarse = np.random.RandomState(0).uniform(0, 1, (count, 4, 8, 3)).astype(np.float32)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def make(shallow_frozen, test_archive, tmp_path_factory):
    """A function that makes exports of a shallow network: (what was found, the folder)."""
    out = str(tmp_path_factory.mktemp("exports"))

    def made(kinds, limits, calibration=8):
        source = exporters.Source(shallow_frozen, 13, images(calibration))
        with archives.open_test_set(test_archive) as test_set:
            return export_matrix.make(shallow_frozen, test_set, kinds, source, limits, out), out

    return made


def test_exports_are_written_proved_and_run(make, shallow_frozen):
    found, out = make(["onnx", "onnx_int8", "litert", "saved_model"], Limits(1e-3, 1.0))
    exact = [found["exports"][kind] for kind in ("onnx", "litert", "saved_model")]
    assert all(row["difference_m"]["largest"] < 1e-3 and row["images_per_second"] > 0 for row in exact)
    for row in exact:
        assert row["metrics"]["port"] == pytest.approx(found["frozen"]["metrics"]["port"], abs=1e-4)
    small = found["exports"]["onnx_int8"]
    assert small["bytes"] < 0.5 * found["exports"]["onnx"]["bytes"]
    assert 0 < small["difference_m"]["mean"] < small["difference_m"]["largest"]
    for kind, row in found["exports"].items():
        with networks.load(os.path.join(out, row["file"])) as network, networks.load(shallow_frozen) as frozen:
            assert network.size == (32, 64) and network.describe()["sha256"] == row["sha256"], kind
            assert network.describe()["epoch"] == frozen.describe()["epoch"] == 3
            assert network.run(images(2)).shape == (2, 16, 32, 1)
    with open(os.path.join(out, "onnx", "trtexec.sh")) as stream:
        assert "--optShapes=\\'input_1:0\\':1x32x64x3" in stream.read()
    text = export_table.table(found)
    assert text.count("the same network |") == 4 and "| onnx_int8 | int8 |" in text and "## Protocol port" in text


def test_the_first_convolution_stays_in_float_whatever_the_converter_calls_it(shallow_frozen, tmp_path):
    onnx, path = pytest.importorskip("onnx"), str(tmp_path / "model.onnx")
    exporters.write("onnx", exporters.Source(shallow_frozen, 13, images(8)), path)
    first = next(node.name for node in onnx.load(path).graph.node if node.op_type == "Conv")
    assert first in exporters._nodes_of(path, ("conv3/", "conv1/"))
    assert first not in exporters._nodes_of(path, ("conv3/",))


def test_another_network_is_refused_and_nothing_of_it_stays(make):
    found, out = make(["onnx"], Limits(1e-3, 1.0))
    assert os.path.exists(os.path.join(out, "onnx", "model.onnx.json"))
    found, out = make(["onnx"], Limits(1e-12, 1.0))
    assert "more than 1e-12 m" in found["exports"]["onnx"]["refused"]
    assert not os.path.exists(os.path.join(out, "onnx")) and "**refused**: its depth is" in export_table.table(found)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_images_to_calibrate_by_are_one_line(make, count):
    found, _ = make(["onnx_int8", "litert_int8"], Limits(1e-3, 1.0), count)
    for row in found["exports"].values():
        assert row["refused"].startswith("calibration: {} image(s), at least 8 are needed".format(count))


def test_what_cannot_be_converted_is_one_line(make, monkeypatch, shallow_frozen, tmp_path):
    with pytest.raises(PipelineError, match=r"exports: 'caffe' is unknown, known are onnx, "):
        make(["caffe"], Limits(1e-3, 1.0))
    source = exporters.Source(shallow_frozen, 99, images(1))
    with pytest.raises(PipelineError, match=r"onnx: cannot be converted|tf2onnx cannot write it as opset 99"):
        exporters.write("onnx", source, str(tmp_path / "model.onnx"))
    source = exporters.Source(shallow_frozen, 13, images(8))
    for kind, name in (
        ("openvino", "OpenVINO"),
        ("openvino_int8", "OpenVINO"),
        ("coreml", "coremltools"),
    ):
        monkeypatch.setitem(__import__("sys").modules, name.lower(), None)
        with pytest.raises(PipelineError, match=name + " is not installed here; `make exports` installs it"):
            exporters.write(kind, source, str(tmp_path / "model"))


def test_what_openvino_and_core_ml_take(make):
    for name in ("nncf", "coremltools"):
        pytest.importorskip(name, reason="not installed; `make exports` adds it to tf2")
    found, out = make(["openvino_int8", "coreml"], Limits(1e-3, 1.0))
    small, apple = found["exports"]["openvino_int8"], found["exports"]["coreml"]
    assert small["images_per_second"] > 0 and small["difference_m"]["mean"] > 0
    assert os.path.isdir(os.path.join(out, apple["file"])) and "images_per_second" not in apple
    assert "| converted, not run here |" in export_table.table(found)
