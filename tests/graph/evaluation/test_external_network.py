"""Networks of other programs in ONNX files: what goes in, what comes out, what is refused."""

import json

import measure_robustness
import numpy as np
import pytest
import score
from densedepth.data import test_archive_writer
from densedepth.errors import PipelineError
from densedepth.evaluation import external_network

onnx = pytest.importorskip("onnx", reason="onnx is not installed; `make onnx` adds it to tf2")
pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed; `make onnx` adds it to tf2")

SIZE, COUNT = (48, 64), 3
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def network(path, layout="nchw", size=("h", "w"), white=1, outputs=("depth",), batch="n"):
    """A network that undoes the normalization and takes red for depth: 0.5 m where black, 10.5 m where white.

    Its further outputs are the inverse, and the same depth of half the size.
    """
    helper, tensor = onnx.helper, onnx.TensorProto.FLOAT
    colours = (1, 3, 1, 1) if layout == "nchw" else (1, 1, 1, 3)
    constants = {
        "deviation": np.reshape(DEVIATION, colours),
        "mean": np.reshape(MEAN, colours),
        "range": np.array(10.0 / white),
        "nearest": np.array(0.5),
    }
    axis = colours.index(3)
    nodes = [
        helper.make_node("Mul", ["image", "deviation"], ["centred"]),
        helper.make_node("Add", ["centred", "mean"], ["pixels"]),
        helper.make_node("Gather", ["pixels", "red"], ["chosen"], axis=axis),
        helper.make_node("Mul", ["chosen", "range"], ["ranged"]),
        helper.make_node("Add", ["ranged", "nearest"], ["depth"]),
        helper.make_node("Reciprocal", ["depth"], ["inverse"]),
    ]
    shape = [batch, 3, *size] if layout == "nchw" else [batch, *size, 3]
    numbers = [onnx.numpy_helper.from_array(np.float32(value), name) for name, value in constants.items()]
    numbers.append(onnx.numpy_helper.from_array(np.array([0], np.int64), "red"))
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("image", tensor, shape)],
        [helper.make_tensor_value_info(name, tensor, None) for name in outputs],
        numbers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return str(path)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Images whose red is their depth; the other colours are nothing."""
    path = str(tmp_path_factory.mktemp("external") / "test.zip")
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    red = [(20 + 30 * index + rows + 2 * columns).astype(np.uint8) for index in range(COUNT)]
    pairs = ((np.stack([one, 255 - one, 0 * one], -1), (0.5 + one / 25.5).astype(np.float32)) for one in red)
    test_archive_writer.write(path, pairs, COUNT, SIZE, (4, 43, 3, 58))
    return path


NORMALIZED = ["--mean", *map(str, MEAN), "--deviation", *map(str, DEVIATION)]


def scored(tmp_path, archive, path, *flags):
    status = score.main(["--test_data", archive, "--network", path, "--json", str(tmp_path / "a.json"), *flags])
    return status and None, json.loads((tmp_path / "a.json").read_text()) if status == 0 else None


@pytest.mark.parametrize(
    "form, flags",
    [
        ({}, []),
        ({"batch": 1, "size": SIZE}, []),
        ({"layout": "nhwc"}, ["--layout", "nhwc"]),
        ({"outputs": ("inverse", "depth")}, ["--output", "depth"]),
        ({"outputs": ("inverse",)}, ["--unit", "inverse"]),
        ({"outputs": ("inverse",)}, ["--unit", "disparity", "--alignment", "affine_disparity"]),
    ],
)
def test_a_network_of_another_program_finds_the_depth(tmp_path, archive, form, flags):
    flags = [*NORMALIZED, *flags, *([] if "--unit" in flags else ["--unit", "metres"])]
    document = scored(tmp_path, archive, network(tmp_path / "theirs.onnx", **form), *flags)[1]
    assert document["metrics"]["rel_truth"] < 1e-5 and document["metrics"]["delta1"] == 1
    source = document["source"]
    assert (source["kind"], source["matched_by"]) == ("network", "image")
    assert source["preprocessing"]["mean"] == list(MEAN)
    assert document["protocol"]["flip_average"] is False


def test_white_is_255_and_colours_are_those_of_opencv(tmp_path, archive):
    path = network(tmp_path / "theirs.onnx", white=255)
    pixels = ["--highest", "255", *NORMALIZED, "--unit", "metres"]
    assert scored(tmp_path, archive, path, *pixels)[1]["metrics"]["rel_truth"] < 1e-5
    # Blue is black throughout: everything is at 0.5 m.
    found = scored(tmp_path, archive, path, *pixels, "--colours", "bgr", "--trust_unit")[1]
    assert found["metrics"]["rel_truth"] == pytest.approx(0.88, abs=0.05)


def test_images_are_resized_and_the_depth_back(tmp_path, archive):
    path = network(tmp_path / "theirs.onnx", size=(32, 32))
    document = scored(tmp_path, archive, path, *NORMALIZED, "--unit", "metres")[1]
    assert document["metrics"]["rel_truth"] < 0.02 and document["source"]["preprocessing"]["size"] == [32, 32]
    free = network(tmp_path / "free.onnx")
    same = scored(tmp_path, archive, free, *NORMALIZED, "--unit", "metres", "--size", "32", "32")[1]
    assert same["metrics"] == document["metrics"]


@pytest.mark.parametrize(
    "form, flags, words",
    [
        (
            {"size": SIZE},
            ["--layout", "nhwc"],
            "expected one input of one image, nhwc, of floating point; it has image",
        ),
        ({"batch": 4}, [], "expected one input of one image, nchw"),
        ({"size": (32, 32)}, ["--size", "32", "64"], "takes images of 32x32, not of 32x64"),
        ({"outputs": ("depth", "inverse")}, [], "name its output; it has depth, inverse"),
        ({}, ["--output", "disp"], "has no output disp; it has depth"),
        ({}, ["--deviation", "1", "0", "1"], "the deviation of a colour must be above 0"),
        ({"outputs": ("inverse",)}, NORMALIZED, "so they are likely disparity or inverse, not metres"),
        ({}, ["--metrics", "mae", "plane_flatness"], "metric plane_flatness: needs the planes of the test images;"),
        ({}, ["--mean", "9", "9", "9"], "image 0: the lowest value is"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, archive, capsys, form, flags, words):
    path = network(tmp_path / "theirs.onnx", **form)
    assert score.main(["--test_data", archive, "--network", path, "--unit", "metres", *flags]) == 1
    said = capsys.readouterr().err
    assert words in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("flag", ["--mean", "--deviation"])
@pytest.mark.parametrize("value", ["inf", "nan"])
def test_colours_are_numbers(capsys, flag, value):
    with pytest.raises(SystemExit):
        score.main(["--network", "theirs.onnx", "--unit", "metres", flag, "1", value, "1"])
    assert "argument {}: {}: must be a number".format(flag, value) in capsys.readouterr().err


def test_a_file_that_is_no_network(tmp_path):
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(PipelineError, match="ONNX Runtime cannot load it"):
        external_network.NetworkMaps(str(tmp_path / "text.onnx"), external_network.Preprocessing(), "metres", "none")
    # It is another program's, so none of ours makes it.
    with pytest.raises(PipelineError, match=r"none\.onnx: no such file$"):
        external_network.NetworkMaps(str(tmp_path / "none.onnx"), external_network.Preprocessing(), "metres", "none")


def test_robustness_of_a_network_of_another_program(tmp_path, archive, capsys):
    """Its own images have the figures of score.py; moved images move the depth, a flipped or smaller one tells the
    same of each pixel; what is aligned says so."""
    out, flags = str(tmp_path / "robust.json"), ["--unit", "inverse", "--test_data", archive]
    path = network(tmp_path / "theirs.onnx", outputs=("inverse",), size=SIZE)
    words = ["--network", path, *NORMALIZED, *flags, "--json", out, "--corruptions", "brightness", "crop"]
    assert measure_robustness.main(words) == 0
    found = json.loads((tmp_path / "robust.json").read_text())
    scored_ = scored(tmp_path, archive, path, *NORMALIZED, "--unit", "inverse")[1]
    assert found["clean"] == pytest.approx(scored_["metrics"], abs=1e-9)
    assert (found["alignment"], found["source"]["kind"]) == ("none", "network")
    by_severity = {name: one["severities"] for name, one in found["corruptions"].items()}
    assert [one["rel_truth"] for one in by_severity["brightness"]] == sorted(
        one["rel_truth"] for one in by_severity["brightness"]
    )
    assert max(one["rel_truth"] for one in by_severity["crop"]) < 0.05 < by_severity["brightness"][-1]["rel_truth"]
    assert found["disagreement"]["flip"]["parts"][-1]["disagreement"] < 1e-6
    assert 0 < found["disagreement"]["scale"]["parts"][-1]["disagreement"] < 0.05
    words[words.index("inverse")] = "disparity"
    assert measure_robustness.main([*words, "--alignment", "affine_disparity"]) == 0
    aligned = json.loads((tmp_path / "robust.json").read_text())
    assert aligned["alignment"] == "affine_disparity" and aligned["clean"]["rel_truth"] < 1e-5
    assert 0 < aligned["disagreement"]["scale"]["parts"][-1]["disagreement"] < 0.05
    capsys.readouterr()
    assert measure_robustness.main(["--network", path, "--test_data", archive]) == 1
    assert "--network: needs --unit" in capsys.readouterr().err
