"""Successive depth maps: where the image is still, the mean over time and the flicker, by hand."""

import numpy as np
from densedepth.imaging import temporal


def test_a_pixel_is_still_where_all_that_it_covers_is():
    before = np.zeros((2, 4, 3), np.float32)
    after = before.copy()
    after[0, 1, 2] = 9 / 255
    after[1, 2, 0] = 8 / 255
    np.testing.assert_array_equal(temporal.still(before, after, (1, 2)), [[False, True]])
    np.testing.assert_array_equal(temporal.still(before, after, (2, 4)), (after < 9 / 255).all(-1))


def test_flicker_is_the_mean_relative_change_of_still_pixels():
    flicker = temporal.Flicker()
    flicker.add(np.array([[2.0, 4.0]]), None)
    assert flicker.mean() is None
    flicker.add(np.array([[2.2, 1.0]]), np.array([[True, False]]))
    flicker.add(np.array([[1.1, 1.2]]), np.array([[True, True]]))
    # 0.2 of 2, then 1.1 of 2.2 and 0.2 of 1; the step from 4 to 1 is one of the image.
    np.testing.assert_allclose(flicker.mean(), (0.1 + 0.5 + 0.2) / 3)


def test_mean_is_of_inverse_depth_and_forgets_what_moved():
    smoother = temporal.Smoother(0.75)
    np.testing.assert_allclose(smoother(np.array([[1.0, 1.0]]), None), [[1, 1]])
    # 0.75 * 1 + 0.25 / 4 = 0.8125 where still; the other pixel is the frame's own.
    still = np.array([[True, False]])
    np.testing.assert_allclose(smoother(np.array([[4.0, 4.0]]), still), [[1 / 0.8125, 4]])
    np.testing.assert_allclose(smoother(np.array([[4.0, 4.0]]), ~still), [[4, 4]])
    unsmoothed = temporal.Smoother(0.0)
    unsmoothed(np.array([[1.0]]), None)
    np.testing.assert_allclose(unsmoothed(np.array([[4.0]]), np.array([[True]])), [[4]])
