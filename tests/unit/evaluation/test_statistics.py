"""Intervals and comparisons: against figures by hand, those of SciPy, and simulated test sets."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.evaluation import metrics, statistics


def block(rms, delta1=None, averaging=None, pixels=None, indices=None, name="port"):
    """An evaluation's block of images with these scores."""
    delta1 = np.full(len(rms), 0.5) if delta1 is None else delta1
    images = [
        dict(dict.fromkeys(metrics.IMAGE_NAMES, 0.1), rms=float(error), delta1=float(share), index=place)
        for place, (error, share) in enumerate(zip(rms, delta1))
    ]
    for image, index in zip(images, indices if indices is not None else range(len(images))):
        image["index"] = int(index)
    weights = np.ones(len(rms)) if pixels is None else np.asarray(pixels, float)
    if pixels is not None:
        for image, count in zip(images, pixels):
            image["pixels"] = int(count)
    if averaging == "image":
        figures = {"delta1": float(np.mean(delta1)), "rms_image": float(np.mean(rms))}
    else:
        figures = {
            "delta1": float(np.average(delta1, weights=weights)),
            "rms_pooled": math.sqrt(np.average(np.square(rms), weights=weights)),
            "rms_image": float(np.mean(rms)),
        }
    protocol = {"name": name, "crop": [0, 1, 0, 1], "depth_limits_m": [0.1, 10.0]}
    if averaging:
        protocol["averaging"] = averaging
    return {"protocol": protocol, "metrics": figures, "per_image": images}


def errors(count, seed=0, spread=0.4):
    return np.random.RandomState(seed).lognormal(-1, spread, count)


@pytest.mark.parametrize("averaging", [None, "image"])
@pytest.mark.parametrize("pixels", [None, [100 + 7 * place for place in range(40)]])
def test_the_figures_of_the_whole_set_are_those_of_the_evaluation(averaging, pixels):
    found = block(errors(40), np.linspace(0.2, 0.9, 40), averaging, pixels)
    table = statistics._Table(found)
    again = table.figures_of(np.ones((1, 40)))
    assert {name: again[name][0] for name in again} == pytest.approx(found["metrics"], rel=1e-12)


def test_the_figures_of_a_real_evaluation_come_back():
    """By the accumulator itself, with images of unlike sizes, so that every name and weight is right."""
    random = np.random.RandomState(1)
    total, images = metrics.Accumulator(), []
    for index in range(12):
        truth = random.uniform(1, 9, (4, 5 + index))
        scores = total.add(truth=truth, prediction=truth * random.uniform(0.7, 1.4, truth.shape))
        images.append(dict(scores, index=index, pixels=truth.size))
    found = {"protocol": {"name": "port"}, "metrics": total.result(), "per_image": images}
    again = statistics._Table(found).figures_of(np.ones((1, 12)))
    assert set(again) == set(metrics.NAMES)
    assert {name: again[name][0] for name in again} == pytest.approx(found["metrics"], rel=1e-12)


@pytest.mark.parametrize("count, least", [(48, 0.88), (200, 0.91)])
def test_intervals_hold_the_true_figure_in_95_of_100_test_sets(count, least):
    """Few images leave figures that a few bad ones decide a little less: 0.92 with 48."""
    spread, inside, rounds = 0.3, {"rms_pooled": 0, "rms_image": 0, "delta1": 0}, 250
    true = {"rms_pooled": math.exp(-1 + spread**2), "rms_image": math.exp(-1 + spread**2 / 2), "delta1": 0.8}
    random = np.random.RandomState(count)
    for seed in range(rounds):
        found = block(random.lognormal(-1, spread, count), random.beta(4, 1, count))
        for name, (low, high) in statistics.intervals(found, seed, resamples=300).items():
            inside[name] += low <= true[name] <= high
    for name, times in inside.items():
        # 250 test sets tell a share of 0.95 to 0.014.
        assert least <= times / rounds <= 0.985, (name, times / rounds)


def test_figures_are_those_of_scipy():
    """`scipy.stats.bootstrap` (BCa) and `permutation_test` of SciPy 1.17.1, 200,000 draws."""
    first, second = block(errors(60, 0, spread=0.6)), block(errors(60, 7, spread=0.6))
    found = statistics.intervals(first, resamples=40000)
    assert found["rms_image"] == pytest.approx((0.4009, 0.5607), abs=0.004)
    assert found["rms_pooled"] == pytest.approx((0.4771, 0.6797), abs=0.004)
    assert statistics.compare(first, second, resamples=20000)["rms_image"]["p"] == pytest.approx(0.5656, abs=0.012)


def test_intervals_are_repeated_and_few_images_have_none():
    found = block(errors(30))
    assert statistics.intervals(found, 3, 500) == statistics.intervals(found, 3, 500)
    assert statistics.intervals(found, 3, 500) != statistics.intervals(found, 4, 500)
    assert statistics.intervals(block(errors(9))) == {}
    low, high = statistics.intervals(block(np.full(20, 0.5)), resamples=100)["rms_pooled"]
    assert low == high == pytest.approx(0.5)


def test_memory_grows_with_the_images_not_with_their_square():
    found = block(errors(5000))
    tracemalloc.start()
    try:
        statistics.intervals(found, resamples=250)
        # A square of 5,000 images is 200 MB.
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()


def test_how_many_are_drawn_at_a_time_changes_no_figure(monkeypatch):
    blocks = block(errors(40)), block(errors(40, seed=1))
    found = []
    for numbers in (statistics._NUMBERS, 40 * 7):
        monkeypatch.setattr(statistics, "_NUMBERS", numbers)
        statistics._drawn.cache_clear()
        found.append(statistics.compare(*blocks, resamples=100)["rms_image"])
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_a_small_difference_on_the_same_images_is_found_where_the_intervals_overlap():
    hard = errors(100, spread=0.6)
    better = hard * np.random.RandomState(5).normal(0.97, 0.02, 100)
    first, second = block(hard), block(better)
    low = {name: statistics.intervals(one)["rms_pooled"] for name, one in (("a", first), ("b", second))}
    assert low["a"][0] < low["b"][1], "alone, the two cannot be told apart"
    found = statistics.compare(first, second)["rms_pooled"]
    assert found["difference"] == pytest.approx(second["metrics"]["rms_pooled"] - first["metrics"]["rms_pooled"])
    assert found["low"] < found["difference"] < found["high"] < 0
    assert found["p"] == pytest.approx(1 / 10001)
    mirrored = statistics.compare(second, first)["rms_pooled"]
    assert mirrored["difference"] == -found["difference"] and mirrored["p"] == found["p"]


def test_of_networks_that_are_alike_one_in_twenty_is_called_different():
    random, called, rounds = np.random.RandomState(2), 0, 200
    for seed in range(rounds):
        common = random.lognormal(-1, 0.5, 40)
        pair = [block(common * random.lognormal(0, 0.1, 40)) for _ in range(2)]
        called += statistics.compare(*pair, seed=seed, resamples=300)["rms_pooled"]["p"] < 0.05
    assert 0.01 <= called / rounds <= 0.09


def test_the_chance_is_that_of_all_exchanges():
    """Ten images have 1024 exchanges, which can be counted."""
    one, other = errors(10, 1), errors(10, 2)
    observed, count = abs(np.mean(other) - np.mean(one)), 0
    for code in range(1024):
        signs = np.array([1 if code >> place & 1 else -1 for place in range(10)])
        count += abs(np.mean(signs * (other - one))) >= observed * (1 - 1e-9)
    found = statistics.compare(block(one), block(other), resamples=40000)["rms_image"]["p"]
    assert found == pytest.approx(count / 1024, abs=0.01)


def test_equal_results_are_no_difference():
    found = statistics.compare(block(errors(30)), block(errors(30)), resamples=200)
    assert all(figure == {"difference": 0, "low": 0, "high": 0, "p": 1} for figure in found.values())


def test_what_cannot_be_compared_is_refused():
    first = block(errors(20))
    for second, words in (
        (block(errors(20), indices=range(1, 21)), "different images"),
        (block(errors(21)), r"different images \(20 and 21\)"),
        (block(errors(20), name="bts"), "differ in name: port and bts"),
    ):
        with pytest.raises(PipelineError, match=words):
            statistics.compare(first, second)
        assert not statistics.comparable(first, second)
    assert statistics.comparable(first, block(errors(20, 1)))
    assert not statistics.comparable(block(errors(9)), block(errors(9)))
    with pytest.raises(PipelineError, match="9 images are too few"):
        statistics.compare(block(errors(9)), block(errors(9)))


def test_holm():
    assert statistics.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]
    assert statistics.holm([]) == []


def test_spread():
    assert statistics.spread([1.0, 2.0, 4.0]) == pytest.approx((7 / 3, math.sqrt(7 / 3)))
    assert statistics.spread([0.5]) == (0.5, None)


def test_a_group_of_runs_counts_with_its_mean():
    """A group of one is that run; of equal runs, any of them; of two, their mean on each image."""
    first, second = block(errors(30), np.linspace(0.2, 0.9, 30)), block(errors(30, 1), np.linspace(0.3, 0.8, 30))
    one = statistics.compare(first, second, resamples=200)
    assert statistics.compare_groups([first, first], [second] * 3, resamples=200) == {
        name: pytest.approx(figure) for name, figure in one.items()
    }
    mean = statistics.compare_groups([first], [first, second], resamples=200)
    assert mean["delta1"]["difference"] == pytest.approx(one["delta1"]["difference"] / 2)


def test_welch_is_that_of_scipy_by_its_figures():
    """scipy.stats.ttest_ind(equal_var=False) of these, and its confidence_interval()."""
    found = statistics.welch([0.81, 0.83, 0.80], [0.85, 0.84, 0.88, 0.86])
    expected = {"difference": 0.04416667, "low": 0.01206994, "high": 0.07626339, "p": 0.01710855}
    assert found == pytest.approx(expected, rel=1e-6)
    assert statistics.welch([0.5, 0.5], [0.5, 0.5]) == {"difference": 0, "low": 0, "high": 0, "p": 1}
    with pytest.raises(ValueError, match="one run"):
        statistics.welch([0.5], [0.4, 0.5])


def test_intervals_over_seeds_hold_in_95_of_100_pairs_of_groups():
    random = np.random.RandomState(0)
    inside = 0
    for _ in range(600):
        found = statistics.welch(random.normal(0.8, 0.01, 3), random.normal(0.82, 0.02, 3))
        inside += found["low"] <= 0.02 <= found["high"]
    assert 0.92 <= inside / 600 <= 0.99


def test_what_is_drawn_of_a_network_serves_all_its_comparisons(monkeypatch):
    drawn = []
    figures_of = statistics._Table.figures_of
    monkeypatch.setattr(
        statistics._Table, "figures_of", lambda table, times: drawn.append(len(times)) or figures_of(table, times)
    )
    blocks = [block(errors(30, seed)) for seed in range(3)]
    for one in blocks:
        statistics.intervals(one, resamples=77)
    for pair in itertools.combinations(blocks, 2):
        statistics.compare(*pair, resamples=77)
    assert drawn.count(77) == 3
