"""The named protocols against their descriptions, computed plainly; the csv; truth with holes."""

import csv
import json

import evaluate
import numpy as np
import pytest
import tiny
from densedepth import files
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import documents, protocols, scoring
from fake_predictor import FakePredictor
from reference_scores import scores

pytestmark = pytest.mark.usefixtures("shallow")

NETWORK = (120, 160)


def write(path, depth=None, count=3):
    """A test set of the size and crop of NYU Depth v2, depths on both sides of 10 m; with `depth` as its truth."""
    arrays = tiny.write_test_set(path, count=count, size=(480, 640), crop=(20, 459, 24, 615))
    if depth is None:
        depth = arrays["depth"] * 0.2
        depth[2, :100] += 10.5
    return tiny.write_test_set(path, count=count, size=(480, 640), crop=(20, 459, 24, 615), depth=depth)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("nyu") / "nyu_test.zip")
    return path, write(path)


def enlarged(low):
    """Bilinear, half-pixel centres, one line at a time."""
    rows, columns = (np.arange(480) + 0.5) / 480 * low.shape[0] - 0.5, (np.arange(640) + 0.5) / 640 * low.shape[1] - 0.5
    wide = np.array([np.interp(columns, np.arange(low.shape[1]), line) for line in low])
    return np.array([np.interp(rows, np.arange(low.shape[0]), line) for line in wide.T]).T


def predictions(arrays, nearest, farthest):
    predictor = FakePredictor(NETWORK)
    for rgb in arrays["rgb"]:
        image = rgb.reshape(120, 4, 160, 4, 3).mean(axis=(1, 3))[None] / 255
        both = [predictor.run(view.astype(np.float32))[0, :, :, 0].astype(float) for view in (image, image[:, :, ::-1])]
        plain, mirrored = (enlarged(np.clip(10 / output, nearest, farthest)) for output in both)
        yield 0.5 * plain + 0.5 * mirrored[:, ::-1]


def mean(images):
    return {name: sum(image[name] for image in images) / len(images) for name in images[0]}


def run(path, *names):
    with open_test_set(path) as test_set:
        return scoring.evaluate(FakePredictor(NETWORK), test_set, 2, names=names)


def test_paper_is_the_mean_over_images_of_the_port_s_pixels(archive):
    path, arrays = archive
    document = run(path, "port", "paper")
    pairs = zip(arrays["depth"].astype(float), predictions(arrays, 0.1, 10))
    expected = mean([scores(g[20:460, 24:616], p[20:460, 24:616], "rms_image") for g, p in pairs])
    paper = document["protocols"]["paper"]
    assert paper["metrics"] == pytest.approx(expected, rel=1e-5)
    assert paper["protocol"]["averaging"] == "image"
    # The figures say something; rms alone differs from the port's.
    assert 0.05 < expected["delta1"] < 0.95
    port = document["metrics"]
    assert {name: port[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert port["rms_pooled"] > 1.02 * expected["rms_image"]
    assert document["protocol"]["name"] == "port"


def test_bts_masks_crops_and_clips(archive):
    path, arrays = archive
    document = run(path, "bts")
    images = []
    for g, p in zip(arrays["depth"].astype(float), predictions(arrays, 1e-3, 10)):
        g, p = g[45:471, 41:601], p[45:471, 41:601]
        valid = (g > 1e-3) & (g < 10)
        images.append(scores(g[valid], p[valid], "rms_image"))
    block = document["protocols"]["bts"]
    assert block["metrics"] == pytest.approx(mean(images), rel=1e-5)
    assert block["protocol"]["crop"] == [45, 470, 41, 600]
    assert block["protocol"]["truth_m"] == [0.001, 10.0]
    counted = [image["pixels"] for image in block["per_image"]]
    assert counted[0] == 426 * 560 and 0 < counted[2] < 426 * 560
    # Only the protocol that was asked for.
    assert not {"metrics", "protocol", "per_image"} & set(document)


def test_one_run_gives_what_runs_for_each_protocol_give(archive):
    together = run(archive[0], "bts", "port", "paper", "port")
    assert list(documents.blocks(together)) == ["port", "paper", "bts"]
    for name in ("paper", "bts"):
        assert together["protocols"][name] == run(archive[0], name)["protocols"][name]
    port = run(archive[0], "port")
    assert "protocols" not in port
    for key in ("protocol", "metrics", "per_image"):
        assert together[key] == port[key]
    json.dumps(together, allow_nan=False)


def test_holes_count_for_masked_protocols_only(archive, tmp_path):
    holes = archive[1]["depth"].copy()
    holes[0, 100:200, 100:200] = 0
    holes[1, ::2] = np.nan
    holes[2, 45:471, 41:601] = np.inf
    path = str(tmp_path / "holes.zip")
    arrays = write(path, holes)
    block = run(path, "bts")["protocols"]["bts"]
    assert block["protocol"]["images_without_truth"] == [2]
    assert [image["index"] for image in block["per_image"]] == [0, 1]
    assert [image["pixels"] for image in block["per_image"]] == [426 * 560 - 10000, 213 * 560]
    images = []
    for g, p in list(zip(arrays["depth"].astype(float), predictions(arrays, 1e-3, 10)))[:2]:
        g, p = g[45:471, 41:601], p[45:471, 41:601]
        valid = np.isfinite(g) & (g > 0)
        images.append(scores(g[valid], p[valid], "rms_image"))
    assert block["metrics"] == pytest.approx(mean(images), rel=1e-5)
    for names in (["port"], ["port", "bts"], ["paper"]):
        with pytest.raises(
            PipelineError, match=r"not finite and above zero .only a masked protocol takes invalid depths"
        ):
            run(path, *names)


def test_no_truth_at_all_is_an_error(archive, tmp_path):
    path = str(tmp_path / "empty.zip")
    write(path, np.zeros_like(archive[1]["depth"]))
    with pytest.raises(PipelineError, match="protocol bts: no image has ground truth"):
        run(path, "bts")


def test_bts_wants_images_of_its_size(test_archive):
    with pytest.raises(PipelineError, match="protocol bts is for images of 480x640, these have 64x96"):
        run(test_archive, "port", "bts")
    with pytest.raises(PipelineError, match="protocol kitti: unknown, legal are port, paper, bts"):
        protocols.named(["kitti"])


def test_program_writes_csv_and_names_best_and_worst(checkpoint, test_archive, tmp_path, capsys):
    table, figures = tmp_path / "epoch3.csv", tmp_path / "epoch3.json"
    arguments = ["--ckptdir", checkpoint.folder, "--test_data", test_archive, "--logdir", str(tmp_path)]
    arguments += ["--json", str(figures), "--csv", str(table), "--protocol", "port", "paper"]
    assert evaluate.main(arguments) == 0
    document = files.read_json(str(figures))
    with open(str(table), newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["protocol"], row["index"]) for row in rows] == [
        (n, str(i)) for n in ("port", "paper") for i in range(5)
    ]
    for row, image in zip(rows, document["per_image"] + document["protocols"]["paper"]["per_image"]):
        assert int(row["pixels"]) == 56 * 86
        assert {name: float(row[name]) for name in image if name not in ("index", "pixels")} == {
            name: value for name, value in image.items() if name not in ("index", "pixels")
        }
    rms = [image["rms"] for image in document["per_image"]]
    output = capsys.readouterr().out
    assert "port, best by RMSE: image {} ({:.3f} m)".format(int(np.argmin(rms)), min(rms)) in output
    assert "paper, worst by RMSE: image {} ({:.3f} m)".format(int(np.argmax(rms)), max(rms)) in output
    assert "paper (mean over images): delta1" in output
