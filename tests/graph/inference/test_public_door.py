"""`densedepth.load(path).predict(rgb)`: one interface for every kind of network file."""

import os
import shutil
import subprocess
import sys
import textwrap

import densedepth
import numpy as np
import pytest
from densedepth import files
from densedepth.imaging import depth
from densedepth.inference import forward, freeze, networks
from PIL import Image

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(densedepth.__file__)))
pytestmark = pytest.mark.usefixtures("shallow")

PICTURE = np.random.RandomState(0).randint(0, 256, (40, 90, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def saved_model(checkpoint, shallow, tmp_path_factory):
    """A SavedModel of the checkpoint, alone in its folder."""
    folder = tmp_path_factory.mktemp("export")
    freeze.freeze(
        checkpoint.folder, "conv3/BiasAdd", str(folder / "model.pb"), fold=False, saved_model=str(folder / "s")
    )
    alone = str(tmp_path_factory.mktemp("alone") / "network")
    shutil.copytree(str(folder / "s"), alone)
    return alone


@pytest.fixture(scope="module")
def expected(predictor):
    """Depth of PICTURE, step by step."""
    where = depth.place(PICTURE.shape[:2], (32, 64))
    images = depth.put(PICTURE, where, (32, 64))[np.newaxis]
    both = [depth.metres(forward.predict(predictor, view, 1)) for view in (images, images[:, :, ::-1])]
    return depth.taken_out((both[0] + both[1][:, :, ::-1])[0] / 2, where, (32, 64), PICTURE.shape[:2])


def test_the_door_is_the_one_that_the_programs_use():
    assert densedepth.load is networks.load
    assert {"load", "PipelineError"} <= set(dir(densedepth))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        densedepth.lode  # noqa: B018


@pytest.mark.parametrize("kind", ["checkpoint", "frozen", "saved_model"])
def test_every_kind_gives_the_same_metres(kind, checkpoint, frozen, saved_model, expected):
    path = {"checkpoint": checkpoint.folder, "frozen": frozen, "saved_model": saved_model}[kind]
    with densedepth.load(path) as network:
        assert (network.size, network.batch, network.describe()["kind"]) == ((32, 64), None, kind)
        assert network.describe()["epoch"] == 3 and network.describe()["path"] == path
        metres = network.predict(PICTURE)
    assert metres.dtype == np.float32 and metres.shape == PICTURE.shape[:2]
    np.testing.assert_allclose(metres, expected, rtol=1e-5)
    assert metres.std() > 0.01


def test_a_saved_model_is_named_by_its_file_too_and_refused_when_it_is_none(saved_model, tmp_path):
    with densedepth.load(os.path.join(saved_model, "saved_model.pb")) as network:
        assert network.describe()["path"] == saved_model
    (tmp_path / "saved_model.pb").write_bytes(b"no network")
    with pytest.raises(densedepth.PipelineError, match="no SavedModel with the tag serve"):
        densedepth.load(str(tmp_path))


def test_onnx(shallow_frozen, tmp_path):
    pytest.importorskip("tf2onnx", reason="tf2onnx is not installed; `make onnx` adds it to tf2")
    from densedepth.inference import onnx_export

    path = str(tmp_path / "model.onnx")
    onnx_export.export(shallow_frozen, path, 13)
    with densedepth.load(path) as network, densedepth.load(shallow_frozen) as original:
        np.testing.assert_allclose(network.predict(PICTURE), original.predict(PICTURE), rtol=1e-3)


def test_batches_floats_and_options(frozen, expected):
    with densedepth.load(frozen) as network:
        batch = network.predict(np.stack([PICTURE, PICTURE[:, ::-1], PICTURE]), batch_size=2)
        assert batch.shape == (3, 40, 90) and batch.dtype == np.float32
        np.testing.assert_allclose(batch[2], expected, rtol=1e-5)
        # The mean with the mirrored picture's depth is mirrored itself.
        np.testing.assert_allclose(batch[1], expected[:, ::-1], rtol=1e-4)
        np.testing.assert_allclose(network.predict(PICTURE / 255), expected, rtol=1e-4)
        assert np.abs(network.predict(PICTURE, flip_average=False) - expected).max() > 1e-3
        middle = float(np.median(expected))
        near = network.predict(PICTURE, limits=(0.1, middle))
        assert near.max() == pytest.approx(middle) and near.min() > 1
        # What lies beyond comes nearer before the two are averaged, and nothing goes farther.
        assert (near <= expected * (1 + 1e-4)).all()
        assert network.predict(np.empty((0, 40, 90, 3), np.uint8)).shape == (0, 40, 90)
        assert network.depth_range() == (0.1, 10)


def test_a_fixed_batch_is_filled_up(checkpoint, tmp_path, expected):
    path = str(tmp_path / "model.pb")
    freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path, batch=2)
    with densedepth.load(path) as network:
        assert network.batch == 2
        np.testing.assert_allclose(network.predict(PICTURE), expected, rtol=1e-4)


@pytest.mark.parametrize(
    "rgb, words",
    [
        (np.zeros((40, 90), np.uint8), r"expected an array \(height, width, 3\) .* got shape \(40, 90\)"),
        (np.zeros((3, 40, 90), np.uint8), r"got shape \(3, 40, 90\)"),
        (np.zeros((0, 90, 3), np.uint8), r"got shape \(0, 90, 3\)"),
        (np.zeros((40, 90, 3), np.int64), "expected uint8 in 0..255 or floating point in 0..1, got int64"),
        (np.full((4, 9, 3), 255.0), "got 255 to 255; divide by 255 or pass uint8"),
        (np.full((4, 9, 3), np.nan), "got nan to nan"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(frozen_network, rgb, words):
    with pytest.raises(densedepth.PipelineError, match="rgb: .*" + words):
        frozen_network.predict(rgb)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"limits": (2, 1)}, "limits: expected metres, 0 < nearest < farthest, got 2, 1"),
        ({"size": (64, 64)}, "takes 32x64 only, not size 64x64"),
    ],
)
def test_options_that_do_not_fit_are_refused(frozen_network, options, words):
    with pytest.raises(densedepth.PipelineError, match=words):
        frozen_network.predict(PICTURE, **options)


@pytest.fixture(scope="module")
def frozen_network(frozen):
    with densedepth.load(frozen) as network:
        yield network


def test_the_range_of_depth_is_the_training_s(checkpoint, tmp_path):
    folder = str(tmp_path / "epoch3")
    shutil.copytree(checkpoint.folder, folder)
    side = files.read_json(folder + "/model.json")
    files.write_json(folder + "/model.json", dict(side, training={"depth_range": [50, 8000]}))
    graph = str(tmp_path / "export" / "model.pb")
    freeze.freeze(folder, "conv3/BiasAdd", graph, saved_model=str(tmp_path / "export" / "s"))
    for path in (folder, graph, str(tmp_path / "export" / "s")):
        with densedepth.load(path) as network:
            assert network.depth_range() == (0.5, 80)


def test_networks_that_are_not_there(tmp_path):
    for name in ("none", "none.pb", "none.om"):
        with pytest.raises(densedepth.PipelineError, match=name + ": no such file"):
            densedepth.load(str(tmp_path / name))


def test_what_the_page_shows_runs(frozen, tmp_path):
    """The example of docs/inference.md, with nothing but the folder on Python's path."""
    with open(os.path.join(SCRIPTS, "..", "..", "docs", "inference.md")) as page:
        block = page.read().split("## From Python")[1].split("\n\n`rgb`")[0]
    model = '"results/1p/export/model.pb"'
    assert model in block
    code = textwrap.dedent(block).replace(model, repr(frozen)) + "\nprint(metres.shape, metres.dtype)"
    # Importing the package alone loads nothing of it.
    code = code.replace("import numpy", "import sys; assert 'densedepth.inference' not in sys.modules; import numpy", 1)
    Image.fromarray(PICTURE).save(str(tmp_path / "room.jpg"))
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=SCRIPTS),
        stdout=subprocess.PIPE,
        check=True,
    )
    assert run.stdout.decode().strip() == "(40, 90) float32"
