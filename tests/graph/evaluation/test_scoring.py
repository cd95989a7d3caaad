import hashlib
import io
import json
import math
import os
import re

import evaluate
import evaluate_baseline
import numpy as np
import pytest
import tiny
from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import baseline, documents, metrics, scoring, stored_arrays, stored_maps, thumbnails
from densedepth.imaging import depth
from densedepth.inference import forward
from densedepth.tf import tf
from fake_predictor import FakePredictor
from PIL import Image
from reference_scores import scores

pytestmark = pytest.mark.usefixtures("shallow")


def brute_force(predictor, arrays, limits=(0.1, 10.0)):
    """The protocol as it is told, pixel by pixel, all pixels in one heap."""

    def to_full(output, height, width):
        low = np.empty(output.shape)
        for place, value in np.ndenumerate(output):
            low[place] = limits[1] if value == 0 else min(max(10 / float(value), limits[0]), limits[1])
        full = np.empty((height, width))
        for row in range(height):
            for column in range(width):
                y = min(max((row + 0.5) / height * low.shape[0] - 0.5, 0), low.shape[0] - 1)
                x = min(max((column + 0.5) / width * low.shape[1] - 0.5, 0), low.shape[1] - 1)
                y0, x0 = int(y), int(x)
                y1, x1 = min(y0 + 1, low.shape[0] - 1), min(x0 + 1, low.shape[1] - 1)
                full[row, column] = (low[y0, x0] * (1 - x + x0) + low[y0, x1] * (x - x0)) * (1 - y + y0) + (
                    low[y1, x0] * (1 - x + x0) + low[y1, x1] * (x - x0)
                ) * (y - y0)
        return full

    top, bottom, left, right = arrays["crop"]
    truths, predictions = [], []
    for i in range(len(arrays["rgb"])):
        height, width = arrays["depth"][i].shape
        image = arrays["rgb"][i : i + 1].astype(np.float32) / 255
        plain = to_full(predictor.run(image)[0, :, :, 0], height, width)
        mirrored = to_full(predictor.run(image[:, :, ::-1])[0, :, :, 0], height, width)[:, ::-1]
        average = 0.5 * plain + 0.5 * mirrored
        truths.append(arrays["depth"][i][top : bottom + 1, left : right + 1].astype(np.float64))
        predictions.append(average[top : bottom + 1, left : right + 1])
    g, p = np.array(truths), np.array(predictions)
    return dict(scores(g, p), rms_image=np.mean(np.sqrt(np.mean((g - p) ** 2, axis=(1, 2)))))


@pytest.fixture
def small(tmp_path):
    path = str(tmp_path / "nyu_test.zip")
    arrays = tiny.write_test_set(path, count=3, size=(16, 24), crop=(2, 13, 1, 19))
    return path, arrays


@pytest.mark.parametrize("limits", [(0.1, 10.0), (0.5, 4.0)])
def test_protocol_equals_brute_force_over_all_pixels(small, limits):
    path, arrays = small
    predictor = FakePredictor((16, 24))
    with open_test_set(path) as test_set:
        document = scoring.evaluate(predictor, test_set, 2, limits)
    assert document["metrics"] == pytest.approx(brute_force(predictor, arrays, limits), rel=1e-9)
    assert document["protocol"] == {
        "name": "port",
        "crop": [2, 13, 1, 19],
        "flip_average": True,
        "depth_limits_m": list(limits),
        "images": 3,
        "pixels_per_image": 12 * 19,
    }
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4, 7])
def test_all_images_count_whatever_the_batch_size(tmp_path, batch_size):
    path = str(tmp_path / "nyu_test.zip")
    tiny.write_test_set(path, count=5, size=(16, 24), crop=(2, 13, 1, 19))
    with open_test_set(path) as test_set:
        alone = scoring.evaluate(FakePredictor((16, 24)), test_set, 1)
        predictor = FakePredictor((16, 24), batch=batch_size)
        batched = scoring.evaluate(predictor, test_set, batch_size)
    # The network never sees a short batch.
    assert set(predictor.shapes) == {(batch_size, 16, 24, 3)}
    assert batched["metrics"] == pytest.approx(alone["metrics"], rel=1e-12)
    assert [image["index"] for image in batched["per_image"]] == [0, 1, 2, 3, 4]
    for one, other in zip(batched["per_image"], alone["per_image"]):
        assert one == pytest.approx(other, rel=1e-12)
    # Image and mirror image of each, the repeated first batch and the filling not counted.
    assert batched["speed"]["images"] == 10
    assert len(predictor.shapes) == 2 * math.ceil(5 / batch_size) + 1


def test_speed_is_images_over_time_in_the_network(small, monkeypatch):
    path, _ = small
    clock = iter([0.0] + [value for pair in ((10, 11), (20, 21.5), (30, 31), (40, 40.5)) for value in pair] + [100.0])
    monkeypatch.setattr(forward.time, "perf_counter", lambda: next(clock))
    with open_test_set(path) as test_set:
        speed = scoring.evaluate(FakePredictor((16, 24)), test_set, 2)["speed"]
    assert speed == {
        "batch_size": 2,
        "images": 6,
        "seconds": 100.0,
        "network_seconds": 4.0,
        # Two images and their mirror images in 2.5 s; the other batches were half filling.
        "images_per_second": 1.6,
        "flip_averaged_images_per_second": 0.8,
        "ms_per_image": pytest.approx(625),
        # Of batches of 1, 1.5, 1 and 0.5 s.
        "batch_ms": pytest.approx({"p50": 1000, "p90": 1350, "p99": 1485, "max": 1500}),
        "warmup_batches": 1,
    }


@pytest.mark.parametrize("batch_size, rate", [(1, 1.0), (2, 2.0), (3, 3.0), (7, 7.0)])
def test_filling_does_not_change_the_speed(small, monkeypatch, batch_size, rate):
    """Whatever the batches hold of three images, each takes a second."""
    now = [0]

    class Clocked(FakePredictor):
        def run(self, images):
            now[0] += 1
            return super().run(images)

    monkeypatch.setattr(forward.time, "perf_counter", lambda: now[0])
    with open_test_set(small[0]) as test_set:
        speed = scoring.evaluate(Clocked((16, 24)), test_set, batch_size, alone=True)["speed"]
    assert (speed["images"], speed["images_per_second"]) == (6, rate)


def test_gallery_shows_what_is_scored(small):
    path, arrays = small
    predictor = FakePredictor((16, 24))
    with open_test_set(path) as test_set:
        document = scoring.evaluate(predictor, test_set, 1)
        predicted = forward.predict_depth(predictor, arrays["rgb"], 2, test_set.crop)
    truth = arrays["depth"][:, 2:14, 1:20]
    rms = np.sqrt(((predicted - truth) ** 2).mean(axis=(1, 2)))
    np.testing.assert_allclose([image["rms"] for image in document["per_image"]], rms, rtol=1e-9)


def test_a_smaller_network_is_scored_on_the_full_truth(small):
    path, arrays = small
    with open_test_set(path) as test_set:
        document = scoring.evaluate(FakePredictor((8, 12)), test_set, 2)
    shrunk = dict(arrays, rgb=arrays["rgb"].reshape(3, 8, 2, 12, 2, 3).mean(axis=(2, 4)))
    assert document["metrics"] == pytest.approx(brute_force(FakePredictor((8, 12)), shrunk), rel=1e-5)
    assert document["protocol"]["pixels_per_image"] == 12 * 19


def test_output_that_is_no_number_names_the_image(tmp_path):
    path = str(tmp_path / "nyu_test.zip")
    tiny.write_test_set(path, count=2, size=(16, 24), crop=(2, 13, 1, 19))
    with open_test_set(path) as test_set, pytest.raises(PipelineError, match=r"image 1: .* not a number"):
        scoring.evaluate(FakePredictor((16, 24), spoil=1), test_set, 2)


def test_batch_size_of_a_fixed_graph_is_checked(small):
    with open_test_set(small[0]) as test_set, pytest.raises(PipelineError, match=r"batches of 4, not 2; .* --bs 4"):
        scoring.evaluate(FakePredictor((16, 24), batch=4), test_set, 2)


def test_resizing_of_the_input_equals_that_of_training():
    images = np.random.RandomState(0).randint(0, 256, (2, 48, 60, 3)).astype(np.uint8)
    for size in ((24, 12), (32, 32)):
        with tf.Graph().as_default(), tf.Session() as session:
            expected = session.run(tf.image.resize_area(images.astype(np.float32), size)) / 255
        np.testing.assert_allclose(depth.fit(images, size), expected, atol=1e-5)


def test_constant_is_the_median_of_the_cropped_truth(small, tmp_path, capsys):
    path, arrays = small
    out = tmp_path / "baseline.json"
    count = len(arrays["depth"])
    assert evaluate_baseline.main(["--test_data", path, "--min_test", str(count + 1), "--json", str(out)]) == 1
    said = capsys.readouterr().err
    assert "report.gallery needs at least {}; lower report.gallery, or give more test pairs".format(count + 1) in said
    assert evaluate_baseline.main(["--test_data", path, "--min_test", str(count), "--json", str(out)]) == 0
    document = json.loads(out.read_text())
    truth = arrays["depth"][:, 2:14, 1:20].astype(np.float64)
    constant = document["source"]["depth_m"]
    assert document["source"]["kind"] == "constant"
    with open(path, "rb") as stream:
        assert document["test_data"]["sha256"] == hashlib.sha256(stream.read()).hexdigest()
    assert constant == pytest.approx(np.median(truth), abs=0.01)
    # Half of the pixels lie on either side, to the width of a bin.
    assert np.mean(truth < constant - 1e-4) <= 0.5 <= np.mean(truth < constant + 1e-4)
    assert document["metrics"]["rms_pooled"] == pytest.approx(math.sqrt(np.mean((truth - constant) ** 2)))
    assert document["metrics"]["rel_truth"] == pytest.approx(np.mean(abs(truth - constant) / truth))
    assert [image["index"] for image in document["per_image"]] == [0, 1, 2]


def test_program_writes_json_and_appends_six_figures(checkpoint, test_archive, tmp_path, capsys):
    folder = os.path.dirname(checkpoint.folder)
    arguments = ["--ckptdir", folder, "--test_data", test_archive, "--logdir", str(tmp_path / "logs")]
    arguments += ["--json", str(tmp_path / "epoch3.json")]
    assert evaluate.main(arguments) == 0
    log = tmp_path / "logs" / "evaluate.log"
    first = log.read_text()
    document = json.loads((tmp_path / "epoch3.json").read_text())
    assert document["source"]["kind"] == "checkpoint"
    assert (document["source"]["epoch"], document["source"]["global_step"]) == (3, 12)
    assert document["source"]["size"] == [32, 64]
    assert document["protocol"]["images"] == 5
    title, names, values = first.splitlines()
    assert checkpoint.folder in title and "epoch 3" in title
    assert [name.strip() for name in names.split(",")] == ["delta1", "delta2", "delta3", "rel", "rms", "log_10"]
    keys = ("delta1", "delta2", "delta3", "rel_prediction", "rms_pooled", "log10")
    assert [float(value) for value in values.split(",")] == [round(document["metrics"][key], 4) for key in keys]
    output = capsys.readouterr().out
    assert "5/5 images" in output
    # The port's names stay in its log; what is printed says which convention a figure has.
    port = next(line for line in output.splitlines() if line.startswith("port (pooled): delta1 "))
    for title, key in (("AbsRel (by ground truth)", "rel_truth"), ("RMSE (pooled)", "rms_pooled")):
        assert "{} {:.4f}".format(title, document["metrics"][key]) in port
    assert not re.search(r"\b(rel|rms)\b", output)

    documents.append_log(str(log), document)
    assert log.read_text() == 2 * first


def test_program_tells_a_missing_checkpoint_in_one_line(test_archive, tmp_path, capsys):
    assert evaluate.main(["--ckptdir", str(tmp_path / "none"), "--test_data", test_archive]) == 1
    error = capsys.readouterr().err
    assert "none: no such checkpoint folder" in error and error.count("\n") == 1


def test_holes_of_ones_own_pictures_count_nowhere(predictor, tmp_path):
    arrays = tiny.write_test_set(tmp_path / "whole.zip", crop=(0, 63, 0, 95))
    holes = np.random.RandomState(0).uniform(size=arrays["depth"].shape) < 0.7
    facts = {"format": 1, "holes": True, "max_depth_m": 7.0}

    def evaluated(depth, name):
        path = str(tmp_path / name)
        test_archive_writer.write(path, iter(zip(arrays["rgb"], depth)), len(depth), (64, 96), (0, 63, 0, 95), facts)
        with open_test_set(path) as test_set:
            return scoring.evaluate(predictor, test_set, 2), baseline.evaluate(test_set)

    depth = np.where(holes, 0, np.minimum(arrays["depth"], 6.9)).astype(np.float32)
    found, constant = evaluated(depth, "a.zip")
    assert found["protocol"] == constant["protocol"]
    assert found["protocol"]["depth_limits_m"] == [0.1, 7.0]
    assert found["protocol"]["truth_m"] == [0.0, 7.0]
    with open_test_set(str(tmp_path / "a.zip")) as test_set:
        total = metrics.Accumulator()
        for rgb, truth, _ in test_set.batches(1):
            predicted = forward.predict_depth(predictor, rgb, 1, test_set.crop, test_set.limits)[0]
            total.add(truth=truth[0], prediction=predicted, mask=truth[0] > 0)
    # Batches of one and of two round differently.
    assert found["metrics"] == pytest.approx(total.result(), rel=1e-6)
    assert constant["source"]["depth_m"] == pytest.approx(np.median(depth[depth > 0]), abs=2e-4)


def test_stored_maps_score_as_the_network_that_wrote_them(tmp_path):
    """What is said of flip-averaged depth in a file is what `evaluate` says."""
    path = str(tmp_path / "test.zip")
    arrays = tiny.write_test_set(path)
    predictor = FakePredictor(None)
    images = arrays["rgb"].astype(np.float32) / 255
    output, mirrored = (predictor.run(view)[..., 0] for view in (images, images[:, :, ::-1]))
    np.save(str(tmp_path / "maps.npy"), (depth.metres(output) + depth.metres(mirrored)[:, :, ::-1]) / 2)
    with open_test_set(path) as test_set:
        network = scoring.evaluate(predictor, test_set, 2, names=("port", "paper"))
        with stored_maps.Maps(str(tmp_path / "maps.npy"), test_set, "metres", "none") as maps:
            stored = scoring.evaluate_maps(maps, test_set, names=("port", "paper"))
    for one, other in zip(documents.blocks(network).values(), documents.blocks(stored).values()):
        assert one["metrics"] == pytest.approx(other["metrics"], rel=1e-12)


def test_errors_by_distance_add_up_to_the_figures(small):
    """Of every pixel one range, and of all ranges the figures of the whole; the bias of an image is its mean error."""
    path, _ = small
    predictor = FakePredictor((16, 24))
    with open_test_set(path) as test_set:
        document = scoring.evaluate(predictor, test_set, 2, names=("port", "paper"))
    found = document["by_distance"]
    pixels = np.array(found["pixels"])
    assert pixels.sum() == len(document["per_image"]) * document["protocol"]["pixels_per_image"]
    assert found["edges_m"][0] == 0 and found["edges_m"][-1] == 10 and len(found["edges_m"]) == len(pixels) + 1
    means = {name: np.array([value or 0 for value in found[name]]) for name in ("rms", "rel_truth", "bias_m")}
    assert (pixels @ means["rms"] ** 2 / pixels.sum()) ** 0.5 == pytest.approx(document["metrics"]["rms_pooled"])
    assert pixels @ means["rel_truth"] / pixels.sum() == pytest.approx(document["metrics"]["rel_truth"])
    bias = np.mean([image["bias"] for image in document["per_image"]])
    assert pixels @ means["bias_m"] / pixels.sum() == pytest.approx(bias)
    assert [value is None for value in found["rms"]] == (pixels == 0).tolist()
    assert document["protocols"]["paper"]["by_distance"] == found


def test_planes_of_the_images(small, tmp_path):
    """Those of each image, whatever the batch: the same figures as of the depth maps that are scored alone."""
    path, _ = small
    planes = np.zeros((3, 16, 24), np.uint8)
    planes[0, :, :12], planes[2, 4:, 10:] = 1, 2
    np.save(str(tmp_path / "planes.npy"), planes)
    more, flat = ("plane_flatness", "plane_orientation"), {}
    with open_test_set(path) as test_set, stored_arrays.opened_planes(str(tmp_path / "planes.npy"), test_set) as found:
        for bs in (1, 2):
            document = scoring.evaluate(FakePredictor((16, 24)), test_set, bs, more=more, planes=found)
            flat[bs] = [image["plane_flatness"] for image in document["per_image"]]
        without = scoring.evaluate(FakePredictor((16, 24)), test_set, 2, more=more)
    assert flat[1] == pytest.approx(flat[2]) and flat[1][1] is None and flat[1][0] > 0 and flat[1][2] > 0
    assert document["metrics"]["plane_flatness"] == pytest.approx((flat[1][0] + flat[1][2]) / 2)
    assert without["metrics"]["plane_flatness"] is None


def test_thumbnails_show_each_image_and_to_which_side_it_errs(small, tmp_path):
    path, _ = small
    with open_test_set(path) as test_set:
        made = thumbnails.Thumbnails(test_set)
        scoring.evaluate(FakePredictor((16, 24)), test_set, 2, thumbnails=made)
        truth = np.full((test_set.count, *test_set.image_size), 2.0)
        top, bottom, left, right = test_set.crop
        truth = truth[:, top : bottom + 1, left : right + 1]
        made.add_maps(range(test_set.count), truth, truth * np.array([0.6] + [1.5] * (len(truth) - 1))[:, None, None])
    for name in ("a.npz", "b.npz"):
        made.write(str(tmp_path / name))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    sheets = thumbnails.read(str(tmp_path / "a.npz"))
    assert sheets.indices == list(range(test_set.count)) and sheets.size[1] == thumbnails.WIDTH
    pictures = {name: np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) for name, jpeg in sheets.jpegs.items()}
    assert {one.shape for one in pictures.values()} == {(sheets.size[0], 16 * 96, 3)}
    near, far = pictures["error"][4, 48], pictures["error"][4, 96 + 48]
    assert near[2] > near[0] + 60 and far[0] > far[2] + 60
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(PipelineError, match=r"a\.npz: not the thumbnails"):
        thumbnails.read(str(tmp_path / "a.npz"))
