"""Panels of single images and bare colour maps: the pixels that Matplotlib would give."""

import matplotlib
import numpy as np
import pytest
from densedepth.imaging import panels, visualize
from matplotlib import colors
from PIL import Image


def scene(height, width):
    rows, columns = np.mgrid[:height, :width]
    metres = (1 + 6 * columns / width + rows / height).astype(np.float32)
    rgb = np.stack([columns % 256, rows % 256, 100 + 0 * rows], axis=2).astype(np.uint8)
    return rgb, metres


def pixels(path):
    with Image.open(str(path)) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")
        return np.asarray(picture)


@pytest.mark.parametrize("name", panels.COLOURS)
def test_colours_are_those_of_matplotlib(name):
    metres = np.random.RandomState(0).uniform(0, 11, (200, 300)).astype(np.float32)
    # Both ends, and what lies beyond.
    metres[0, :4] = 0.5, 10, 1e-3, 1e3
    expected = matplotlib.colormaps[visualize.map_named(name)](colors.Normalize(0.5, 10)(metres), bytes=True)
    ours = panels.coloured(metres, 0.5, 10, name).astype(int)
    # Matplotlib's own arithmetic takes the next of 256 colours for one value in a million.
    assert (ours != expected[..., :3]).any(axis=2).mean() < 1e-4


@pytest.mark.parametrize("size", [(480, 640), (8, 6), (481, 333), (1, 3000)])
def test_a_panel_shows_every_pixel_of_image_and_depth(tmp_path, size):
    rgb, metres = scene(*size)
    panels.write_panel(str(tmp_path / "a.png"), "x.png", rgb, metres)
    panel = pixels(tmp_path / "a.png")
    assert panel.shape[0] % 2 == panel.shape[1] % 2 == 0 and panel.shape[1] >= 640
    _, shown, depth = visualize.tile("", rgb, metres)
    shown = np.rint(shown * 255).astype(np.uint8)
    times = max(1, 320 // max(shown.shape[:2]))
    near, far = panels.ends(metres)
    high, wide = (side * times for side in shown.shape[:2])
    left = (panel.shape[1] - 2 * wide - 12) // 2
    for image in (shown, panels.coloured(depth, near, far, "viridis")):
        np.testing.assert_array_equal(panel[54 : 54 + high, left : left + wide][::times, ::times], image)
        left += wide + 12
    # The heading, and the numbers below the scale.
    assert (panel[:54] < 128).any() and (panel[-60:] < 128).any()


def test_the_scale_tells_what_lies_beyond(tmp_path):
    rgb, metres = scene(48, 64)
    below = []
    for name, scale in (("a", (0, 9)), ("b", (0, 9)), ("c", (2, 9))):
        panels.write_panel(str(tmp_path / name), name, rgb, metres, scale)
        below.append(pixels(tmp_path / name)[-136:])
    np.testing.assert_array_equal(*below[:2])
    assert (below[1] != below[2]).any()
    assert panels.ends(np.full((4, 4), 2.2)) == (2.0, 2.5)


def test_a_colour_map_has_the_pixels_of_the_image(tmp_path):
    _, metres = scene(1000, 700)
    panels.write_colours(str(tmp_path / "a.png"), metres, (1, 8), "turbo")
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), panels.coloured(metres, 1, 8, "turbo"))
