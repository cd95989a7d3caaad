"""The evaluation programs against scikit-image: every figure computed anew from the network's raw outputs.

Nothing of the package is used for it: the steps of docs/metrics.md in the order in which they stand there, on whole
pictures, with the enlarging of scikit-image.
"""

import csv
import io
import json
import subprocess
import types
import zipfile

import numpy as np
import pytest
from conftest import REPOSITORY, copy, runtime_python
from skimage.transform import downscale_local_mean, resize

# Unlike that of NYU Depth v2 not symmetric: else it would not matter when the mirrored depth is mirrored back.
CROP = (20, 459, 31, 615)
NETWORK = (96, 128)
PROTOCOLS = ("port", "paper", "bts")
SHARES = ("delta1", "delta2", "delta3")

# Writes a random network as checkpoint and as frozen graph, and the raw outputs of both for the images in argv[3].
# The last layer is amplified, so that depths span their range and some are clipped at either end.
NETWORK_PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
import numpy as np
import tiny
from densedepth.inference import freeze, predictors
from densedepth.network import architecture

images, folder, outputs = np.load(sys.argv[3]), sys.argv[4], {}
initial = architecture.initial_values

def amplified(variables, seed):
    values = initial(variables, seed)
    return dict(values, **{"conv3/kernel": 4 * values["conv3/kernel"]})

architecture.initial_values = amplified
checkpoint = tiny.write_checkpoint(folder + "/epoch3", size=images.shape[1:3], bias=6.6)
freeze.freeze(checkpoint.folder, "conv3/BiasAdd", folder + "/model.pb")
for name in ("epoch3", "model.pb"):
    with predictors.load(folder + "/" + name) as predictor:
        outputs[name] = np.stack([predictor.run(image[np.newaxis])[0, :, :, 0] for image in images])
np.savez(folder + "/outputs.npz", **outputs)
"""


def run(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def archive(walked, tmp_path_factory):
    """Three drawn rooms of 480x640, one of them so enlarged that it is partly beyond 10 m; path, rgb and depth."""
    with zipfile.ZipFile(walked.path("results/sample/nyu_test.zip")) as stored:
        rgb, depth = (np.load(io.BytesIO(stored.read("eigen_test_{}.npy".format(k))))[:3] for k in ("rgb", "depth"))
    depth[1] *= 2.5
    # An end of the range that counts, which is open.
    depth[1, 200:220, 300:330] = 10
    path = tmp_path_factory.mktemp("archive") / "test.zip"
    with zipfile.ZipFile(path, "w") as changed:
        for name, array in (("rgb", rgb), ("depth", depth), ("crop", np.array(CROP))):
            stream = io.BytesIO()
            np.save(stream, array)
            changed.writestr("eigen_test_{}.npy".format(name), stream.getvalue())
    return types.SimpleNamespace(path=path, rgb=rgb, depth=depth.astype(float))


@pytest.fixture(scope="module", params=["tf1", "tf2"])
def network(request, archive, tmp_path_factory, quick):
    """A random network, its folder, and (output, output for the mirror image) of each picture by name of its file."""
    if not runtime_python(request.param).exists():
        pytest.skip("{} is not installed here; `make setup RUNTIME={}` does it".format(request.param, request.param))
    python = quick(runtime_python(request.param))
    folder = tmp_path_factory.mktemp(request.param)
    project = copy(REPOSITORY, folder / "project")
    project.simplify((1, 1, 1, 1))
    small = downscale_local_mean(archive.rgb.astype(float), (1, 480 // NETWORK[0], 640 // NETWORK[1], 1)) / 255
    np.save(folder / "images.npy", np.concatenate([small, small[:, :, ::-1]]).astype(np.float32))
    scripts = project.path("workflow/scripts")
    (folder / "network.py").write_text(NETWORK_PROGRAM)
    run(python, folder / "network.py", scripts, REPOSITORY / "tests/graph", folder / "images.npy", folder)
    with np.load(folder / "outputs.npz") as stored:
        outputs = {name: list(zip(*np.split(stored[name].astype(float), 2))) for name in stored}
    return types.SimpleNamespace(python=python, scripts=scripts, folder=folder, outputs=outputs)


def enlarged(values):
    return resize(values, (480, 640), order=1, mode="edge", preserve_range=True, anti_aliasing=False)


def cropped(values, crop):
    top, bottom, left, right = crop
    return values[top : bottom + 1, left : right + 1]


def predicted(output, mirrored, limits, crop, fault=None):
    """The depth that is compared; `fault` names a mistake to make on the way."""
    if fault == "inverse":
        plain, flipped = (np.clip(10 / enlarged(values), *limits) for values in (output, mirrored))
    else:
        plain, flipped = (enlarged(np.clip(10 / values, *limits)) for values in (output, mirrored))
    if fault == "late":
        return 0.5 * cropped(plain, crop) + 0.5 * cropped(flipped, crop)[:, ::-1]
    if fault == "single":
        return cropped(plain, crop)
    return cropped(0.5 * plain + 0.5 * flipped[:, ::-1], crop)


def scores(g, p):
    """The figures over all pixels of true depth `g` and predicted depth `p`."""
    found = {"delta{}".format(k): np.mean(np.maximum(g / p, p / g) < 1.25**k) for k in (1, 2, 3)}
    found["rel_truth"] = np.mean(np.abs(g - p) / g)
    found["rel_prediction"] = np.mean(np.abs(g - p) / p)
    found["rms"] = np.sqrt(np.mean((g - p) ** 2))
    found["log10"] = np.mean(np.abs(np.log10(g) - np.log10(p)))
    return found


def evaluated(depth, outputs, protocol, fault=None):
    """(figures, scores of each image, its counted pixels) of all images by `protocol`."""
    crop, limits = ((45, 470, 41, 600), (1e-3, 10)) if protocol == "bts" else (CROP, (0.1, 10))
    if fault == "exclusive":
        crop = (crop[0], crop[1] - 1, crop[2], crop[3] - 1)
    pairs = []
    for truth, both in zip(depth, outputs, strict=True):
        g, p = cropped(truth, crop), predicted(*both, limits, crop, fault)
        counts = (g > 1e-3) & (g < 10) if protocol == "bts" else np.ones(g.shape, bool)
        pairs.append((g[counts], p[counts]))
    images = [scores(g, p) for g, p in pairs]
    mean = {name: np.mean([image[name] for image in images]) for name in images[0]}
    if protocol == "port":
        figures = scores(*(np.concatenate(pixels) for pixels in zip(*pairs)))
        figures["rms_pooled"] = figures.pop("rms")
    else:
        figures = {name: value for name, value in mean.items() if name != "rms"}
    return dict(figures, rms_image=mean["rms"]), images, [g.size for g, _ in pairs]


def close(expected):
    """A share counts pixels, of which rounding moves one or two over a threshold; all else is continuous."""
    return {
        name: pytest.approx(value, rel=1e-5, abs=1e-5 if name in SHARES else 1e-9) for name, value in expected.items()
    }


def test_figures_of_a_checkpoint(archive, network, tmp_path):
    """Three images in batches of two, by all protocols, as json and as csv."""
    words = ("--ckptdir", network.folder, "--test_data", archive.path, "--bs", 2, "--logdir", tmp_path)
    words += ("--json", tmp_path / "e.json", "--csv", tmp_path / "e.csv", "--protocol", *PROTOCOLS)
    run(network.python, network.scripts / "evaluate.py", *words)
    document = json.loads((tmp_path / "e.json").read_text())
    rows = list(csv.DictReader((tmp_path / "e.csv").read_text().splitlines()))
    assert len(rows) == 3 * len(PROTOCOLS)
    for protocol in PROTOCOLS:
        block = document if protocol == "port" else document["protocols"][protocol]
        figures, images, pixels = evaluated(archive.depth, network.outputs["epoch3"], protocol)
        assert block["metrics"] == close(figures), protocol
        assert [image["index"] for image in block["per_image"]] == [0, 1, 2]
        for image, expected, count in zip(block["per_image"], images, pixels, strict=True):
            assert {name: image[name] for name in expected} == close(expected), protocol
            (row,) = [r for r in rows if (r["protocol"], r["index"]) == (protocol, str(image["index"]))]
            assert {name: float(row[name]) for name in expected} == close(expected), protocol
            assert int(row["pixels"]) == count
            assert image.get("pixels", count) == count


def test_figures_of_a_frozen_graph(archive, network, tmp_path):
    words = ("--model_path", network.folder / "model.pb", "--image_path", archive.path, "--bs", 2)
    run(network.python, network.scripts / "infer_from_pb.py", *words, "--json", tmp_path / "e.json")
    document = json.loads((tmp_path / "e.json").read_text())
    figures, images, _ = evaluated(archive.depth, network.outputs["model.pb"], "port")
    assert document["metrics"] == close(figures)
    for image, expected in zip(document["per_image"], images, strict=True):
        assert {name: image[name] for name in expected} == close(expected)


def test_the_figures_would_show_a_fault(archive, network):
    """The pictures are such that no step could be done otherwise unseen, and that both ends of a range matter."""
    outputs = network.outputs["epoch3"]
    every = np.array(outputs)
    assert (every < 0).any() and ((every > 0) & (every < 1)).any() and (every > 1).mean() > 0.8
    for protocol in PROTOCOLS:
        right, _, pixels = evaluated(archive.depth, outputs, protocol)
        assert (len(set(pixels)) > 1) == (protocol == "bts")
        for fault in ("late", "exclusive", "inverse", "single"):
            wrong = evaluated(archive.depth, outputs, protocol, fault)[0]
            for name in ("rel_truth", "rel_prediction", "rms_image", "log10"):
                assert wrong[name] != close(right)[name], (protocol, fault, name)
