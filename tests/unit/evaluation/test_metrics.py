import dataclasses
import math
import os
import re

import numpy as np
import pytest
from densedepth.evaluation import blocks, distances, metrics
from densedepth.evaluation.metric_table import METRICS

# Two pixels: 1 m predicted as 2 m, 4 m predicted as 5 m. Ratios 2 and 1.25; errors 1 and 1.
TRUTH = np.array([[1.0, 4.0]])
PREDICTION = np.array([[2.0, 5.0]])


def test_metrics_computed_by_hand():
    scores = metrics.Accumulator()
    scores.add(truth=TRUTH, prediction=PREDICTION)
    result = scores.result()
    assert set(result) == set(metrics.NAMES)
    # 1.25 is not below 1.25; 2 lies above 1.25^3 = 1.953.
    assert result["delta1"] == 0.0
    assert result["delta2"] == 0.5
    assert result["delta3"] == 0.5
    assert result["rel_truth"] == pytest.approx((1 / 1 + 1 / 4) / 2, abs=1e-15)
    assert result["rel_prediction"] == pytest.approx((1 / 2 + 1 / 5) / 2, abs=1e-15)
    assert result["rms_pooled"] == result["rms_image"] == 1.0
    assert result["log10"] == pytest.approx((math.log10(2) + math.log10(1.25)) / 2, abs=1e-15)


def test_each_threshold_is_a_power_of_1_25_and_symmetric():
    truth = np.full(4, 2.0)
    for factor in (1, -1):
        prediction = truth * np.array([1.24, 1.55, 1.95, 1.96]) ** factor
        image = metrics.image_scores(metrics.measure(truth=truth, prediction=prediction))
        assert (image["delta1"], image["delta2"], image["delta3"]) == (0.25, 0.5, 0.75)


def test_rms_pooled_and_rms_image_differ_as_defined():
    scores = metrics.Accumulator()
    # Errors of 3 m everywhere in one image and 1 m in the other.
    assert scores.add(truth=np.full((2, 2), 5.0), prediction=np.full((2, 2), 2.0))["rms"] == 3.0
    assert scores.add(truth=np.full((2, 2), 5.0), prediction=np.full((2, 2), 6.0))["rms"] == 1.0
    result = scores.result()
    assert result["rms_pooled"] == pytest.approx(math.sqrt((9 + 1) / 2))
    assert result["rms_image"] == 2.0


def test_streaming_equals_all_pixels_at_once():
    random = np.random.RandomState(3)
    truth = random.uniform(0.5, 10, (5, 11, 7)).astype(np.float32)
    prediction = (truth * random.uniform(0.4, 2.4, truth.shape)).astype(np.float32)
    scores = metrics.Accumulator()
    for i in range(5):
        scores.add(truth=truth[i], prediction=prediction[i])

    g, p = truth.astype(np.float64), prediction.astype(np.float64)
    worst = np.maximum(g / p, p / g)
    expected = {
        "delta1": (worst < 1.25).mean(),
        "delta2": (worst < 1.25**2).mean(),
        "delta3": (worst < 1.25**3).mean(),
        "rel_truth": (abs(g - p) / g).mean(),
        "rel_prediction": (abs(g - p) / p).mean(),
        "rms_pooled": np.sqrt(((g - p) ** 2).mean()),
        "rms_image": np.mean(np.sqrt(((g - p) ** 2).mean(axis=(1, 2)))),
        "log10": abs(np.log10(g) - np.log10(p)).mean(),
    }
    assert scores.result() == pytest.approx(expected, rel=1e-12)
    assert len(scores.images) == 5
    assert np.mean([image["delta1"] for image in scores.images]) == pytest.approx(expected["delta1"], rel=1e-12)


def test_only_masked_pixels_count():
    mask = np.array([[True, False, True]])
    truth = np.array([[1.0, 0.0, 4.0]])
    prediction = np.array([[2.0, np.nan, 5.0]])
    masked = metrics.measure(truth=truth, prediction=prediction, mask=mask)
    assert masked == metrics.measure(truth=TRUTH[0], prediction=PREDICTION[0])


def test_sums_do_not_lose_precision_in_float32():
    # A float32 running sum of a million equal terms would be off in the third decimal.
    truth = np.full(1000000, 3.0, np.float32)
    prediction = np.full(1000000, 3.3, np.float32)
    image = metrics.image_scores(metrics.measure(truth=truth, prediction=prediction))
    error = float(np.float32(3.3)) - 3.0
    assert image["rms"] == pytest.approx(error, rel=1e-11)
    assert image["rel_truth"] == pytest.approx(error / 3.0, rel=1e-11)


def test_blocks_of_a_crop_add_up_to_the_whole(monkeypatch):
    """Several blocks, rows of a larger map, a mask that leaves some blocks empty and some whole; also by distance."""
    monkeypatch.setattr(blocks, "PIXELS", 70)
    random = np.random.RandomState(0)
    truth = random.uniform(0.5, 12, (40, 60)).astype(np.float32)[3:, 5:28]
    prediction = truth * random.uniform(0.4, 2.4, truth.shape)
    mask = random.rand(*truth.shape) > 0.5
    mask[:9], mask[20:30] = False, True
    by_distance = distances.Sums(10.0)
    found = metrics.measure(truth=truth, prediction=prediction, mask=mask, also=[by_distance])
    g, p = truth[mask].astype(np.float64), prediction[mask]
    error, ratio = p - g, np.maximum(g / p, p / g)
    expected = [len(g)] + [np.sum(ratio < 1.25**power) for power in (1, 2, 3)]
    expected += [np.sum(abs(error) / g), np.sum(abs(error) / p), np.sum(error**2), np.sum(np.log10(ratio))]
    assert found == pytest.approx(expected, rel=1e-12)
    places = np.minimum((g * 2).astype(int), distances.RANGES - 1)
    weights = (None, error, error**2, abs(error) / g)
    expected = [np.bincount(places, weight, distances.RANGES) for weight in weights]
    np.testing.assert_allclose(by_distance.total, expected, rtol=1e-12)


def test_depths_too_far_apart_for_products_of_ratios():
    truth, prediction = np.full((2, 40), 1e-20), np.full((2, 40), 1e20)
    sums = metrics.measure(truth=truth, prediction=prediction)
    assert sums.log10 == pytest.approx(80 * 40, rel=1e-12)
    assert metrics.sum_of_logarithms((truth / prediction)[0]) == pytest.approx(-40 * 40 * math.log(10), rel=1e-12)


def test_truth_and_prediction_must_be_named():
    with pytest.raises(TypeError):
        metrics.measure(TRUTH, PREDICTION)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_unusable_depth_is_refused(bad):
    with pytest.raises(ValueError, match="truth has pixels"):
        metrics.measure(truth=np.array([1.0, bad]), prediction=np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="prediction has pixels"):
        metrics.measure(truth=np.array([1.0, 1.0]), prediction=np.array([1.0, bad]))


def test_shapes_masks_and_emptiness_are_checked():
    with pytest.raises(ValueError, match="differ in shape"):
        metrics.measure(truth=np.ones((2, 3)), prediction=np.ones((3, 2)))
    with pytest.raises(ValueError, match="bool array"):
        metrics.measure(truth=np.ones(2), prediction=np.ones(2), mask=np.array([1, 0]))
    with pytest.raises(ValueError, match="no pixel"):
        metrics.measure(truth=np.ones(2), prediction=np.ones(2), mask=np.array([False, False]))
    with pytest.raises(ValueError, match="no image"):
        metrics.Accumulator().result()


def test_the_table_of_the_docs_is_that_of_the_metrics():
    with open(os.path.join(os.path.dirname(__file__), "../../../docs/metrics.md"), encoding="utf-8") as stream:
        lines = stream.read().partition("| key |")[2].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    assert rows == [
        ["`{}`".format(m.key), m.title, m.formula.replace("|", "\\|"), m.unit or "-"]
        + ["higher" if m.higher_is_better else "lower", m.averaging]
        for m in METRICS
    ]


def test_the_table_names_each_metric_once_and_cannot_be_changed():
    assert len({m.title for m in METRICS}) == len({m.key for m in METRICS}) == len(METRICS)
    assert (METRICS[0].plain_title, METRICS[0].heading) == ("delta1", "δ1\N{NO-BREAK SPACE}↑")
    with pytest.raises(dataclasses.FrozenInstanceError):
        METRICS[0].title = "d1"
