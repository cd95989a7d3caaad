import warnings

import numpy as np
import pytest
from densedepth.imaging import depth, resize


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


@pytest.mark.parametrize("old, new", [((6, 8), (5, 7)), ((17, 23), (16, 22)), ((11, 31), (3, 4)), ((9, 7), (1, 7))])
def test_reduction_by_any_factor_is_the_exact_mean(old, new):
    images = np.random.RandomState(0).randint(0, 256, (1,) + old + (3,)).astype(np.uint8)
    # In parts of which each new pixel has a whole number.
    fine = images[0].astype(float).repeat(new[0], 0).repeat(new[1], 1)
    expected = fine.reshape(new[0], old[0], new[1], old[1], 3).mean(axis=(1, 3))
    np.testing.assert_allclose(depth.fit(images, new)[0] * 255, expected, atol=1e-4)


@pytest.mark.parametrize("new", [(64, 96), (90, 101), (300, 211)])
def test_white_stays_white_and_no_whiter(new):
    white = np.full((1, 97, 132, 3), 255, np.uint8)
    assert depth.fit(white, new).max() == 1.0
    assert depth.fit(white, new).min() > 1 - 1e-6


def test_reduction_of_a_part_is_the_exact_mean():
    values = np.random.RandomState(0).uniform(0, 255, (7, 9, 2))
    # From a quarter of a pixel on, in parts of a twelfth of one.
    fine = values.repeat(12, 0).repeat(12, 1)[3:75, 6:102]
    expected = fine.reshape(4, 18, 6, 16, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(resize.resized(values, (4, 6), (0.25, 0.5, 6, 8)), expected, atol=1e-4)


def test_enlarged_pictures_are_bilinear():
    images = np.random.RandomState(0).randint(0, 256, (1, 3, 4, 3)).astype(np.uint8)
    found = depth.fit(images, (6, 10))[0, :, :, 1] * 255
    np.testing.assert_allclose(found, depth.enlarge(images[0, :, :, 1].astype(float), (6, 10)), atol=1e-3)


@pytest.mark.parametrize("size", [(96, 128), (90, 50), (50, 300), (3, 2), (1000, 1)])
def test_a_picture_keeps_its_shape_in_the_network_and_its_depth_comes_back(size):
    network = (96, 128)
    where = depth.place(size, network)
    assert where.height <= 96 and where.width <= 128 and 96 in (where.height, 96) and min(where) >= 0
    assert where.height == 96 or where.width == 128
    assert abs(where.height / where.width / (size[0] / size[1]) - 1) < 0.5 / min(where[:2]) + 1e-9 or 1 in where[:2]
    # The picture's own brightness stands for depth: it comes back where it was.
    rows, columns = np.mgrid[: size[0], : size[1]]
    ramp = np.floor(20 + 100 * (rows + 0.5) / size[0] + 80 * (columns + 0.5) / size[1]).astype(np.uint8)
    image = depth.put(np.repeat(ramp[:, :, None], 3, axis=2), where, network)
    assert image.shape == (96, 128, 3) and image.dtype == np.float32
    half = image[:, :, 0].reshape(48, 2, 64, 2).mean(axis=(1, 3)) * 255
    back = depth.taken_out(half, where, network, size)
    assert back.shape == size and back.dtype == np.float32
    # Half a source pixel at the edges, where the ramp ends, and the rounding of the ramp.
    step = 200 / min(where[:2]) + 1.5
    assert np.abs(back - ramp).max() < max(step, 200 / min(size) if min(size) < 48 else 0)


def test_what_surrounds_a_picture_is_its_border():
    rgb = np.zeros((10, 40, 3), np.uint8)
    rgb[0], rgb[-1] = 51, 255
    where = depth.place((10, 40), (32, 64))
    assert where == (16, 64, 8, 0)
    image = depth.put(rgb, where, (32, 64))
    assert np.allclose(image[:8], 0.2) and np.allclose(image[-8:], 1.0)
