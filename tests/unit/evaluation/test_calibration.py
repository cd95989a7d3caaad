"""The factor of a network's depth: what it is, and when it is said to help."""

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.evaluation import calibration

LIMITS = (0.1, 10.0)


def images(factors, pixels=50, noise=0.02):
    random = np.random.RandomState(0)
    for factor in factors:
        truth = random.uniform(1, 5, pixels)
        yield calibration.Measured(truth, truth / factor * np.exp(noise * random.standard_normal(pixels)))


def test_the_factor_is_the_median_over_images_of_the_median_ratio():
    spoilt = list(images([1.5] * 5, noise=0))
    spoilt[0].prediction[:20] = 77
    spoilt[1] = calibration.Measured(spoilt[1].truth, spoilt[1].truth * 9)
    # An image of many pixels counts as one of few.
    spoilt.append(next(images([4.0], pixels=5000, noise=0)))
    assert calibration.factor(spoilt) == pytest.approx(1.5)


def test_a_common_factor_helps():
    found = calibration.judged(list(images([1.4] * 6)), LIMITS)
    assert found["helps"] and found["scale"] == pytest.approx(1.4, rel=0.02) and found["images"] == 6
    assert found["rel_before"] == pytest.approx(1 - 1 / 1.4, abs=0.02) and found["rel_after"] < 0.03


def test_what_each_image_has_for_itself_does_not_help_the_others():
    assert not calibration.judged(list(images([1.4, 0.7, 1.3, 0.72, 1.0, 1.05])), LIMITS)["helps"]
    assert not calibration.judged(list(images([1.0] * 8)), LIMITS)["helps"]


def test_one_image_alone_does_not_judge_itself():
    """Each image is scaled by the factor of the others."""
    found = calibration.judged(list(images([2.0, 1.0, 1.0], noise=0)), LIMITS)
    # The others of the first say 1, those of the second and third sqrt(2).
    assert found["rel_after"] == pytest.approx((0.5 + 2 * (2**0.5 - 1)) / 3, rel=1e-6)


def test_scaled_predictions_stay_in_the_range():
    far = [calibration.Measured(np.array([10.0]), np.array([9.0]))] * 3
    assert calibration.judged(far, (0.1, 9.5))["rel_after"] == pytest.approx(0.05)


def test_two_images_are_too_few():
    with pytest.raises(PipelineError, match="2 images with measured depth are too few to calibrate with; 3 are"):
        calibration.judged(list(images([1.4] * 2)), LIMITS)
