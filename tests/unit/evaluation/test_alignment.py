"""What is fitted to the ground truth, against plain least squares and by hand."""

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.evaluation import alignment

LIMITS = (0.1, 10.0)
TRUTH = np.random.RandomState(0).uniform(1, 9, (1, 6, 8))
NOISY = TRUTH * 0.3 + np.random.RandomState(1).uniform(0, 0.4, TRUTH.shape) + 0.2


def solved(x, y):
    """x * a + b for the least squares of a line, by NumPy's solver."""
    columns = np.stack([x.ravel(), np.ones(x.size)], axis=1)
    return (
        x * np.linalg.lstsq(columns, y.ravel(), rcond=None)[0][0]
        + np.linalg.lstsq(columns, y.ravel(), rcond=None)[0][1]
    )


@pytest.mark.parametrize("unit, stored", [("metres", NOISY), ("millimetres", NOISY * 1000), ("inverse", 1 / NOISY)])
@pytest.mark.parametrize(
    "name, wanted",
    [
        ("none", NOISY),
        ("median", NOISY * np.median(TRUTH) / np.median(NOISY)),
        ("scale", NOISY * np.linalg.lstsq(NOISY.reshape(-1, 1), TRUTH.ravel(), rcond=None)[0][0]),
        ("affine", solved(NOISY, TRUTH)),
        ("affine_disparity", 1 / solved(1 / NOISY, 1 / TRUTH)),
    ],
)
def test_each_alignment_is_its_formula(unit, stored, name, wanted):
    found = alignment.aligned(stored, TRUTH, unit, name, LIMITS)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.clip(wanted, *LIMITS), rtol=1e-9)


@pytest.mark.parametrize(
    "unit, name, stored",
    [
        ("metres", "median", TRUTH * 7),
        ("millimetres", "scale", TRUTH * 7),
        ("metres", "affine", TRUTH * -3 + 5),
        ("disparity", "affine_disparity", 40 / TRUTH - 3),
        ("disparity", "median", 40 / TRUTH),
        ("inverse", "scale", 40 / TRUTH),
    ],
)
def test_what_is_left_open_is_found_again(unit, name, stored):
    assert not alignment.problem(stored, unit, name)
    np.testing.assert_allclose(alignment.aligned(stored, TRUTH, unit, name, LIMITS), TRUTH, rtol=1e-9)


@pytest.mark.parametrize("name", alignment.ALIGNMENTS)
def test_pixels_that_do_not_count_are_not_looked_at(name):
    truth, stored = TRUTH.copy(), NOISY.copy()
    truth[0, :2] = 0
    stored[0, :2] = 77.0
    found = alignment.aligned(stored, truth, "metres", name, LIMITS)
    alone = alignment.aligned(NOISY[:, 2:], TRUTH[:, 2:], "metres", name, LIMITS)
    np.testing.assert_allclose(found[:, 2:], alone, rtol=1e-12)


def relative(depth):
    return float(np.sum(np.abs(depth - TRUTH) / TRUTH))


@pytest.mark.parametrize("name, shifts", [("scale_robust", (0.0,)), ("affine_robust", (-0.02, 0.0, 0.02))])
def test_no_other_fit_has_a_smaller_sum_of_relative_errors(name, shifts):
    wide = (-100.0, 100.0)
    spoilt = NOISY.copy()
    spoilt[0, 0, :4] = 50.0
    found = alignment.aligned(spoilt, TRUTH, "metres", name, wide)
    # What was fitted, by two of its pixels.
    scale = (found[0, 0, 0] - found[0, 1, 0]) / (spoilt[0, 0, 0] - spoilt[0, 1, 0])
    shift = found[0, 1, 0] - scale * spoilt[0, 1, 0]
    assert (abs(shift) < 1e-12) == (name == "scale_robust")
    others = [(scale * (1 + more), shift + off) for more in (-0.01, 0.0, 0.01) for off in shifts]
    assert relative(found) <= min(relative(spoilt * a + b) for a, b in others) + 1e-9


@pytest.mark.parametrize("name, stored", [("scale_robust", TRUTH * 7), ("affine_robust", TRUTH * 3 + 2)])
def test_a_few_wrong_pixels_do_not_turn_a_robust_fit(name, stored):
    stored = stored.copy()
    stored[0, 0, :4] = 90.0
    found = alignment.aligned(stored, TRUTH, "metres", name, LIMITS)
    np.testing.assert_allclose(found[0, 1:], TRUTH[0, 1:], rtol=1e-6)


def test_the_trimmed_fit_leaves_the_largest_errors_out():
    stored = TRUTH * 1.1 + 0.1
    stored[0, 0, :2] = 90.0
    found = alignment.aligned(stored, TRUTH, "metres", "affine_trimmed", LIMITS)
    np.testing.assert_allclose(found[0, 1:], TRUTH[0, 1:], rtol=1e-9)
    # Of 48 pixels three are left out; a fourth wrong one turns the fit.
    stored[0, 0, 2:6] = 90.0
    assert np.abs(alignment.aligned(stored, TRUTH, "metres", "affine_trimmed", LIMITS)[0, 1:] - TRUTH[0, 1:]).max() > 1


def test_values_at_the_ends():
    truth = np.array([[[2.0, 4.0]]])
    # Infinitely far, and a fit that goes below zero.
    assert alignment.aligned([[[0.0, 0.5]]], truth, "inverse", "none", LIMITS).tolist() == [[[10.0, 2.0]]]
    far = alignment.aligned([[[1.0, 2.0, 9.0]]], np.array([[[2.0, 4.0, 0.0]]]), "disparity", "affine_disparity", LIMITS)
    np.testing.assert_allclose(far, [[[2, 4, 10]]])
    assert alignment.aligned([[[1.0, 1.0]]], truth, "metres", "affine_robust", LIMITS).tolist() == [[[2.0, 2.0]]]
    # One value throughout: the mean of the depth, or of the inverse depth.
    assert alignment.aligned([[[1.0, 1.0]]], truth, "metres", "affine", LIMITS).tolist() == [[[3.0, 3.0]]]


@pytest.mark.parametrize("name", ["scale", "scale_robust", "affine", "affine_robust", "affine_trimmed"])
def test_pixels_infinitely_far_leave_the_fit_of_the_others_alone(name):
    stored = 3 / TRUTH
    stored[0, 1, :2] = 0
    found = alignment.aligned(stored, TRUTH, "inverse", name, LIMITS)
    expected = TRUTH.copy()
    expected[0, 1, :2] = LIMITS[1]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    # What is infinitely far stays so where a fit turns near and far.
    turned = 3 / (10 - TRUTH)
    turned[0, 1, :2] = 0
    assert (alignment.aligned(turned, TRUTH, "inverse", name, LIMITS)[0, 1, :2] == LIMITS[1]).all()
    # Where no other pixel has ground truth, nothing is fitted.
    alone = np.where(stored == 0, TRUTH, 0)
    assert (alignment.aligned(stored, alone, "inverse", name, LIMITS)[0, 1, :2] == LIMITS[1]).all()


POSITIVE = " must be above zero everywhere; a shift for any values is fitted by "
LINES = "affine, affine_robust, affine_trimmed"


@pytest.mark.parametrize(
    "values, unit, name, words",
    [
        ([1.0, np.nan], "metres", "none", "1 values are not finite; every pixel must be predicted"),
        ([1.0, np.inf], "disparity", "affine_disparity", "1 values are not finite; every pixel must be predicted"),
        ([1.0, -2.0], "metres", "median", "the lowest value is -2, metres" + POSITIVE + LINES),
        ([1.0, 0.0], "millimetres", "none", "the lowest value is 0, millimetres" + POSITIVE + LINES),
        (
            [1.0, -2.0],
            "disparity",
            "scale",
            "the lowest value is -2, disparity" + POSITIVE + "affine_disparity",
        ),
        ([0.0, 0.0], "inverse", "none", "all values are zero"),
        ([1.0, 1e300], "disparity", "affine_disparity", "the largest value is 1e+300, above what float32 holds"),
    ],
)
def test_values_that_cannot_be(values, unit, name, words):
    assert alignment.problem(np.array(values), unit, name) == words


@pytest.mark.parametrize(
    "unit, name, words",
    [
        ("feet", "none", "unit feet: unknown, legal are metres"),
        ("metres", "best", "alignment best: unknown, legal are none"),
        ("disparity", "none", "has no scale"),
    ],
)
def test_wrong_names(unit, name, words):
    with pytest.raises(PipelineError, match=words):
        alignment.check(unit, name)
