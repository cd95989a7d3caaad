import warnings

import numpy as np
import pytest
from densedepth import depth


def bilinear_pixel(values, height, width, row, column):
    """One pixel of the enlarged map by the formula of half-pixel centres, borders clamped."""
    y = min(max((row + 0.5) * values.shape[0] / height - 0.5, 0), values.shape[0] - 1)
    x = min(max((column + 0.5) * values.shape[1] / width - 0.5, 0), values.shape[1] - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, values.shape[0] - 1), min(x0 + 1, values.shape[1] - 1)
    fy, fx = y - y0, x - x0
    upper = values[y0, x0] * (1 - fx) + values[y0, x1] * fx
    lower = values[y1, x0] * (1 - fx) + values[y1, x1] * fx
    return upper * (1 - fy) + lower * fy


@pytest.mark.parametrize("size", [(6, 10), (7, 13), (3, 5), (15, 25)])
def test_enlarging_is_bilinear_between_half_pixel_centres(size):
    values = np.random.RandomState(0).uniform(1, 5, (2, 3, 5))
    found = depth.enlarge(values, size)
    expected = [[[bilinear_pixel(v, *size, r, c) for c in range(size[1])] for r in range(size[0])] for v in values]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_enlarging_a_box_equals_enlarging_and_cropping():
    values = np.random.RandomState(0).uniform(1, 5, (2, 6, 8))
    found = depth.enlarge(values, (12, 16), (2, 9, 3, 15))
    np.testing.assert_array_equal(found, depth.enlarge(values, (12, 16))[:, 2:10, 3:16])


def test_twofold_enlarging_by_hand():
    np.testing.assert_allclose(depth.enlarge(np.array([[0.0, 4.0]]), (1, 4)), [[0, 1, 3, 4]])


def test_metres_by_hand_and_at_the_ends():
    output = np.array([2.0, 1.0, 100.0, 0.5, 200.0, 0.0, -0.0, -3.0, np.inf, 1e-320], np.float64)
    expected = [5.0, 10.0, 0.1, 10.0, 0.1, 10.0, 10.0, 0.1, 0.1, 10.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(depth.metres(output), expected, rtol=1e-15)
    assert np.isnan(depth.metres(np.array([np.nan], np.float32)))[0]
    np.testing.assert_allclose(depth.metres(np.array([2.0, 50.0, -1.0]), (1.0, 4.0)), [4.0, 1.0, 1.0])


def test_pictures_of_the_right_size_are_only_scaled():
    images = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    for size in ((4, 6), None):
        fitted = depth.fit(images, size)
        assert fitted.dtype == np.float32
        np.testing.assert_allclose(fitted, images / 255.0, atol=1e-7)


def test_reduction_is_the_mean_of_the_area():
    images = np.random.RandomState(0).randint(0, 256, (2, 6, 8, 3)).astype(np.uint8)
    expected = images.reshape(2, 3, 2, 2, 4, 3).mean(axis=(2, 4)) / 255
    np.testing.assert_allclose(depth.fit(images, (3, 2)), expected, atol=1e-6)
    # 3 pixels to 2: each covers one and a half.
    row = np.array([0, 90, 255], np.uint8).reshape(1, 1, 3, 1)
    found = depth.fit(row, (1, 2))[0, 0, :, 0] * 255
    np.testing.assert_allclose(found, [(0 + 45) / 1.5, (45 + 255) / 1.5], rtol=1e-5)


def test_enlarged_pictures_are_bilinear():
    images = np.random.RandomState(0).randint(0, 256, (1, 3, 4, 3)).astype(np.uint8)
    found = depth.fit(images, (6, 10))[0, :, :, 1] * 255
    np.testing.assert_allclose(found, depth.enlarge(images[0, :, :, 1].astype(float), (6, 10)), atol=1e-3)
