"""From a frozen graph over OM file and raw batches to figures, on the stand-ins in tests/doubles/cann."""

import importlib
import json
import os
import sys
import types

import ckpt2pb
import densedepth
import export_om
import numpy as np
import pytest
import quantize_om
import run_om
import score_om
import write_batches
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import scoring
from densedepth.imaging import depth
from densedepth.inference import ascend_atc, ascend_om, ascend_session, predictors
from densedepth.network import importer
from PIL import Image

DOUBLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "..", "doubles", "cann")


@pytest.fixture(scope="module")
def om_server():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOUBLES)
        return importlib.import_module("om_session").Server()


@pytest.fixture
def cann(tmp_path, monkeypatch, om_server):
    """The stand-ins as programs on PATH and as a module."""
    folder = tmp_path / "cann"
    folder.mkdir()
    for name in ("atc", "msame", "amct_tensorflow"):
        program = os.path.join(DOUBLES, name + ".py")
        (folder / name).write_text('#!/bin/sh\nexec "{}" "{}" "$@"\n'.format(sys.executable, program))
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder) + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("OM_SERVER", str(om_server.port))
    # ais_bench runs in this process.
    monkeypatch.syspath_prepend(DOUBLES)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "ais_bench"]:
        del sys.modules[name]


@pytest.mark.parametrize("tool, batch_size", [("msame", 2), ("ais_bench", 2)])
def test_the_chain_gives_the_figures_of_the_frozen_graph(
    cann, shallow_frozen, test_archive, tmp_path, tool, batch_size
):
    om, batches, outputs = (str(tmp_path / name) for name in ("made/model.om", "in", "out"))
    bs = ["--bs", str(batch_size)]
    assert export_om.main(["--model_path", shallow_frozen, "--out", om] + bs) == 0
    # What the compiler leaves about does not stay.
    assert sorted(os.listdir(str(tmp_path / "made"))) == ["model.om", "model.om.json"]
    assert write_batches.main(["--test_data", test_archive, "--out", batches, "--size_of", om + ".json"] + bs) == 0
    words = ["--model_path", om, "--input", batches, "--out", outputs, "--tool", tool]
    # Outputs of an earlier run in the same place are gone afterwards.
    os.makedirs(os.path.join(outputs, "image"))
    for name in ("batches.json", "image/rgb_bs{}_0_output_0.bin".format(batch_size)):
        with open(os.path.join(outputs, name), "w") as stream:
            stream.write("old")
    assert run_om.main(words) == 0
    figures, pictures = tmp_path / "om.json", tmp_path / "gallery"
    words = ["--outputs", outputs, "--test_data", test_archive, "--json", str(figures)]
    assert score_om.main(words + ["--gallery", str(pictures), "--count", "2"]) == 0

    document = json.loads(figures.read_text())
    with open_test_set(test_archive) as test_set:
        with predictors.load(shallow_frozen) as predictor:
            expected = scoring.evaluate(predictor, test_set, batch_size)
    assert document["metrics"] == pytest.approx(expected["metrics"], abs=1e-6)
    assert [image["index"] for image in document["per_image"]] == [0, 1, 2, 3, 4]
    for image, other in zip(document["per_image"], expected["per_image"]):
        assert image == pytest.approx(other, abs=1e-5)
    assert document["protocol"] == expected["protocol"]
    if tool == "msame":
        assert document["speed"] is None
    else:
        speed = document["speed"]
        # Three batches of images and three of mirrored ones.
        assert (speed["batch_size"], speed["images"], speed["warmup_batches"]) == (2, 12, 1)
        assert speed["device_images_per_second"] == pytest.approx(2000 / speed["device_ms"]) and speed["device_ms"] > 0
        assert set(speed) - {"device_ms", "device_images_per_second"} == set(expected["speed"])
    source = document["source"]
    assert (source["kind"], source["epoch"], source["global_step"]) == ("om", 3, 12)
    assert source["sha256"] == files.sha256(om) and source["soc_version"] == "Ascend910A"
    gallery = json.loads((pictures / "gallery.json").read_text())
    ranked = sorted(expected["per_image"], key=lambda image: image["rms"])
    scenes = {scene["picture"]: scene["index"] for scene in gallery["scenes"]}
    best, worst = ranked[0]["index"], ranked[-1]["index"]
    assert scenes == {"scene_1.png": 1, "scene_2.png": 3, "best.png": best, "worst.png": worst}
    for scene in gallery["scenes"]:
        assert scene["rms"] == pytest.approx(expected["per_image"][scene["index"]]["rms"], abs=1e-5)
        with Image.open(str(pictures / scene["picture"])) as picture:
            assert picture.size[0] > 1000


@pytest.mark.parametrize("tool", ["msame", "ais_bench"])
def test_the_public_door_opens_om_files(cann, shallow_frozen, tmp_path, monkeypatch, tool):
    om = str(tmp_path / "model.om")
    assert export_om.main(["--model_path", shallow_frozen, "--out", om, "--bs", "2"]) == 0
    monkeypatch.setattr(ascend_om, "TOOLS", (tool,))
    rgb = np.random.RandomState(0).randint(0, 256, (3, 40, 90, 3)).astype(np.uint8)
    with densedepth.load(om) as network, densedepth.load(shallow_frozen) as original:
        assert (network.size, network.batch, network.describe()["kind"]) == ((32, 64), 2, "om")
        assert network.depth_range() == original.depth_range()
        np.testing.assert_allclose(network.predict(rgb), original.predict(rgb), rtol=1e-4)
        with pytest.raises(PipelineError, match=r"images of shape \(1, 32, 64, 3\)"):
            network.run(np.zeros((1, 32, 64, 3)))


def test_range_and_scale_of_a_network_go_with_its_om_file(cann, shallow, checkpoint, tmp_path):
    """Of one that was calibrated, and trained for other depths than those of NYU Depth v2."""
    facts = {"scale": 1.25, "images": 4, "measured_by": "tape.csv", "rel_before": 0.3, "rel_after": 0.1}
    folder, om, graph = tmp_path / "calibrated", str(tmp_path / "model.om"), str(tmp_path / "model.pb")
    importer.import_model(checkpoint.folder, str(folder), calibration=facts)
    side = json.loads((folder / "model.json").read_text())
    side["training"]["depth_range"] = [10, 8000]
    (folder / "model.json").write_text(json.dumps(side))
    assert ckpt2pb.main(["--ckptdir", str(folder), "--pbdir", str(tmp_path), "--pb_name", "model"]) == 0
    assert export_om.main(["--model_path", graph, "--out", om]) == 0
    rgb, anywhere = np.random.RandomState(0).randint(0, 256, (32, 64, 3)).astype(np.uint8), (1e-3, 1e4)
    with densedepth.load(om) as network, densedepth.load(checkpoint.folder) as before:
        assert network.describe()["calibration"] == facts and network.depth_range() == (0.1, 80)
        expected = facts["scale"] * before.predict(rgb, limits=anywhere)
        np.testing.assert_allclose(network.predict(rgb, limits=anywhere), expected, rtol=2e-3)


def test_an_om_file_without_a_tool_says_what_to_install(cann, shallow_frozen, tmp_path, monkeypatch):
    om = str(tmp_path / "model.om")
    assert export_om.main(["--model_path", shallow_frozen, "--out", om]) == 0
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setitem(sys.modules, "ais_bench", None)
    with pytest.raises(PipelineError, match=r"msame is not on PATH: build it .*; or ais_bench is no module"):
        densedepth.load(om)
    (tmp_path / "model.om.json").unlink()
    with pytest.raises(PipelineError, match=r"model\.om\.json"):
        densedepth.load(om)


def test_batches_are_what_the_port_s_programs_write(test_archive, tmp_path):
    folder = str(tmp_path / "in")
    words = ["--test_data", test_archive, "--out", folder, "--size", "32", "64", "--bs", "2"]
    assert write_batches.main(words) == 0
    assert sorted(os.listdir(folder)) == ["batches.json", "image", "image_flip"]
    assert sorted(os.listdir(folder + "/image")) == ["rgb_bs2_{}.bin".format(i) for i in range(3)]
    assert sorted(os.listdir(folder + "/image_flip")) == ["rgb_flip_bs2_{}.bin".format(i) for i in range(3)]
    with open_test_set(test_archive) as test_set:
        images = depth.fit(np.concatenate([rgb for rgb, _, _ in test_set.batches(1)]), (32, 64))
    for number in range(3):
        plain = np.fromfile("{}/image/rgb_bs2_{}.bin".format(folder, number), "<f4").reshape(2, 32, 64, 3)
        mirrored = np.fromfile("{}/image_flip/rgb_flip_bs2_{}.bin".format(folder, number), "<f4")
        assert (mirrored.reshape(2, 32, 64, 3) == plain[:, :, ::-1]).all()
        # The last one is filled up.
        assert (plain[0] == images[2 * number]).all() and (plain[1] == images[min(2 * number + 1, 4)]).all()


def command(om):
    return {word[2:].split("=")[0]: word.split("=", 1)[1] for word in files.read_json(om + ".json")["command"][1:]}


@pytest.mark.parametrize("tool", ["msame", "ais_bench"])
def test_uint8_images_and_several_batches(cann, shallow_frozen, test_archive, tmp_path, monkeypatch, tool):
    om, batches, outputs = (str(tmp_path / name) for name in ("model.om", "in", "out"))
    words = ["--model_path", shallow_frozen, "--out", om, "--uint8", "--batches", "1", "2", "4"]
    assert export_om.main(words + ["--precision_mode", "mixed_float16"]) == 0
    given = command(om)
    assert (given["input_shape"], given["dynamic_batch_size"]) == ("input_1:-1,32,64,3", "1,2,4")
    assert given["precision_mode_v2"] == "mixed_float16" and "precision_mode" not in given
    assert "var_reci_chn_0: 0.0039215686274509" in files.read_json(om + ".json")["aipp"]
    words = ["--test_data", test_archive, "--out", batches, "--size_of", om + ".json", "--bs", "2"]
    assert write_batches.main(words) == 0
    with pytest.raises(PipelineError, match=r"float32 images, .* takes uint8; write the batches again"):
        ascend_om.run(om, batches, outputs, tool, 0)
    assert write_batches.main(words + ["--uint8"]) == 0
    assert os.path.getsize(batches + "/image/rgb_bs2_0.bin") == 2 * 32 * 64 * 3
    ascend_om.run(om, batches, outputs, tool, 0)
    with open_test_set(test_archive) as test_set, predictors.load(shallow_frozen) as predictor:
        expected = scoring.evaluate(predictor, test_set, 2)["metrics"]
        found = scoring.evaluate_stored(ascend_om.Stored(outputs), test_set)["metrics"]
    # The images are reduced to the network's size, and rounded then.
    assert found == pytest.approx(expected, rel=0.02)
    monkeypatch.setattr(ascend_om, "TOOLS", (tool,))
    with densedepth.load(om) as network, densedepth.load(shallow_frozen) as original:
        rgb = np.random.RandomState(0).randint(0, 256, (3, 32, 64, 3)).astype(np.uint8)
        assert network.batch == 4
        np.testing.assert_allclose(network.predict(rgb), original.predict(rgb), rtol=1e-4)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(precision="mixed_bfloat16"), "Ascend910A does not compute in this format"),
        (dict(precision="mixed_hif8", soc="Ascend910_9392"), "Ascend910_9392 does not compute in this format"),
        (dict(precision="fp32"), "precision_mode = 'fp32': must be one of force_fp16"),
        (dict(path="m.onnx", opset=18), "opset 18, atc reads ONNX up to 17"),
        (dict(path="m.onnx", opset=17, uint8=True), "AIPP wants ONNX in NCHW"),
        (dict(batch=2, batches=(1, 2)), "made for batches of 2 alone"),
        (dict(batches=(2,)), "2 to 100 different numbers"),
        (dict(quantized=True, precision="origin"), "leaves no int8"),
    ],
)
def test_what_atc_would_not_take(changes, message):
    side = {"input": {"name": "input_1:0", "shape": [changes.get("batch"), 480, 640, 3]}}
    side.update({key: changes[key] for key in ("opset", "quantized") if key in changes})
    with pytest.raises(PipelineError, match=message):
        ascend_atc.check(
            changes.get("path", "m.pb"),
            side,
            changes.get("soc", "Ascend910A"),
            changes.get("precision", "force_fp16"),
            changes.get("uint8", False),
            changes.get("batches", ()),
        )


def test_the_command_for_onnx(cann, tmp_path):
    onnx = str(tmp_path / "model.onnx")
    with open(onnx, "wb") as stream:
        stream.write(b"as good as any for the stand-in")
    side = {
        "sha256": files.sha256(onnx),
        "opset": 17,
        "input": {"name": "input_1:0", "shape": [None, 480, 640, 3]},
        "output": {"name": "conv3/BiasAdd:0", "shape": [None, 240, 320, 1]},
        "source": {"epoch": 3, "global_step": 12, "model": None},
    }
    files.write_json(onnx + ".json", side)
    om = str(tmp_path / "model.om")
    assert export_om.main(["--model_path", onnx, "--out", om, "--soc_version", "Ascend310P3", "--bs", "4"]) == 0
    assert command(om) == {
        "model": onnx,
        "framework": "5",
        "input_shape": "input_1:0:4,480,640,3",
        "input_format": "ND",
        "output_type": "FP32",
        "precision_mode": "force_fp16",
        "soc_version": "Ascend310P3",
        "log": "error",
    }
    assert files.read_json(om + ".json")["source"]["epoch"] == 3


def test_a_folder_with_a_file_of_the_user_s_is_not_replaced(cann, shallow_frozen, test_archive, tmp_path, capsys):
    batches, mine = str(tmp_path / "in"), str(tmp_path / "in/mine.txt")
    words = ["--test_data", test_archive, "--out", batches, "--size_of", shallow_frozen + ".json", "--bs", "2"]
    assert write_batches.main(words) == write_batches.main(words) == 0
    files.write_text(mine, "mine")
    told = "error: {}: would be replaced, and holds mine.txt, which this program has not made; move that elsewhere, or"
    assert write_batches.main(words) == 1
    assert told.format(batches) in capsys.readouterr().err
    os.remove(mine)
    files.write_text(str(tmp_path / "out/mine.txt"), "mine")
    files.write_text(str(tmp_path / "model.om"), "any")
    words = ["--model_path", str(tmp_path / "model.om"), "--input", batches, "--out", str(tmp_path / "out")]
    assert run_om.main(words) == 1
    assert told.format(tmp_path / "out") in capsys.readouterr().err
    assert os.listdir(str(tmp_path / "out")) == ["mine.txt"]


def test_calibration_by_batches(cann, shallow_frozen, test_archive, tmp_path, capsys):
    batches, out, om = str(tmp_path / "in"), str(tmp_path / "int8.pb"), str(tmp_path / "model.om")
    words = ["--test_data", test_archive, "--out", batches, "--size_of", shallow_frozen + ".json", "--bs", "2"]
    assert write_batches.main(words) == 0
    words = ["--model_path", shallow_frozen, "--batches", batches, "--out", out, "--count", "2"]
    assert quantize_om.main(words) == 0
    side = files.read_json(out + ".json")
    assert (side["quantized"]["batches"], side["quantized"]["batch_size"]) == (2, 2)
    told = capsys.readouterr().out
    for word in ("calibration", "--outputs=conv3/BiasAdd:0", "--input_shape=input_1:2,32,64,3", "--data_types=float32"):
        assert word in told
    assert sorted(os.listdir(str(tmp_path))) == ["cann", "in", "int8.pb", "int8.pb.json"]
    assert export_om.main(["--model_path", out, "--out", om]) == 0
    assert files.read_json(om + ".json")["quantized"] == side["quantized"]
    assert export_om.main(["--model_path", out, "--out", om, "--precision_mode", "must_keep_origin_dtype"]) == 1
    assert "leaves no int8" in capsys.readouterr().err


@pytest.mark.parametrize("times", [[2.0, 4.0, 6.0], [(0.0, 2.0), (10.0, 14.0), (20.0, 26.0)]], ids=["older", "newer"])
def test_times_of_ais_bench(times):
    summary = types.SimpleNamespace(exec_time_list=times)
    for session in (types.SimpleNamespace(summary=lambda: summary), types.SimpleNamespace(sumary=lambda: summary)):
        assert ascend_session._device_ms(session) == [2.0, 4.0, 6.0]


def stored(folder, batches=2, values=None, name="rgb{}_bs1_{}_output_0.bin"):
    """A folder of outputs as msame would leave it."""
    side = {"format": 1, "batches": batches, "batch_size": 1, "images": batches, "size": [32, 64], "model": {}}
    files.write_json(os.path.join(folder, "batches.json"), side)
    for kind, mirrored in (("image", ""), ("image_flip", "_flip")):
        place = os.path.join(folder, kind, "20260101_000000")
        os.makedirs(place)
        for number in range(batches):
            array = np.full((16, 32), number, "<f4") if values is None else values
            array.tofile(os.path.join(place, name.format(mirrored, number)))
    return ascend_om.Stored(folder)


def test_outputs_are_found_by_the_stem_of_the_input(tmp_path):
    for name in ("rgb{}_bs1_{}_output_0.bin", "rgb{}_bs1_{}_0.bin", "rgb{}_bs1_{}.bin"):
        found = stored(str(tmp_path / name.format("", "")), batches=12, name=name)
        for number in (0, 1, 10, 11):
            assert [int(part.max()) for part in found.outputs(number)] == [number, number]


def test_missing_double_and_wrong_outputs_are_told(tmp_path):
    folder = str(tmp_path / "out")
    found = stored(folder)
    with pytest.raises(PipelineError, match=r"image: expected 1 output of rgb_bs1_2\.bin, got 0"):
        found.outputs(2)
    other = os.path.join(folder, "image", "20260101_000001")
    os.makedirs(other)
    np.zeros(512, "<f4").tofile(os.path.join(other, "rgb_bs1_0_output_0.bin"))
    with pytest.raises(PipelineError, match=r"image: expected 1 output of rgb_bs1_0\.bin, got 2"):
        ascend_om.Stored(folder).outputs(0)
    half = stored(str(tmp_path / "half"), values=np.zeros((16, 32), "<f2"))
    with pytest.raises(PipelineError, match=r"expected 2048 bytes .*, got 1024; .* --output_type=FP32"):
        half.outputs(0)


def test_without_cann_one_line_says_what_to_install(shallow_frozen, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert export_om.main(["--model_path", shallow_frozen, "--out", str(tmp_path / "model.om")]) == 1
    assert "error: atc is not on PATH: install CANN's toolkit (Ascend-cann-toolkit)" in capsys.readouterr().err
    for tool, words in (("msame", "msame is not on PATH: build it"), ("ais_bench", "ais_bench is no module of")):
        arguments = [
            "--model_path",
            shallow_frozen,
            "--input",
            str(tmp_path),
            "--out",
            str(tmp_path / "out"),
            "--tool",
            tool,
        ]
        assert run_om.main(arguments) == 1
        assert "error: " + words in capsys.readouterr().err
    assert os.listdir(str(tmp_path)) == []


def test_what_atc_says_when_it_fails_is_told(cann, shallow_frozen, tmp_path, capsys):
    arguments = ["--model_path", shallow_frozen, "--out", str(tmp_path / "model.om"), "--soc_version", "Ascend911"]
    assert export_om.main(arguments) == 1
    words = capsys.readouterr().err
    assert "error: atc failed with status 1: " in words and len(words.splitlines()) == 1
    assert "[--soc_version] is invalid" in words
    assert not (tmp_path / "model.om").exists() and not (tmp_path / "model.om.json").exists()


def test_unfinished_batches_are_refused(cann, shallow_frozen, tmp_path):
    with pytest.raises(PipelineError, match=r"no batches\.json, the batches are incomplete"):
        ascend_om.run(shallow_frozen, str(tmp_path), str(tmp_path / "out"), "msame", 0)
