"""Views of a pair: where the pixels come from, which depth they have, and their colours."""

import colorsys

import numpy as np
import pytest
from densedepth.data import augmentation
from densedepth.data.augmentation import Augmentation, View
from densedepth.data.order import Order
from PIL import Image

PLAIN = View(1.0, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0, 0.0)
HEIGHT, WIDTH = 12, 16


def pair():
    """An image whose pixels are their own columns and rows, and a depth that numbers them."""
    rows, columns = np.indices((HEIGHT, WIDTH))
    image = np.stack([10 * columns, 10 * rows, 0 * rows], 2).astype(np.uint8)
    return Image.fromarray(image), (rows * WIDTH + columns).astype(np.uint16)


def test_the_plain_view_is_the_pair_itself():
    rgb, depth = pair()
    image, seen, known = augmentation.seen(rgb, depth, PLAIN)
    assert np.array_equal(image, rgb) and np.array_equal(seen, depth) and known.all()
    assert augmentation.depth_scale(PLAIN) == 1
    values = np.random.RandomState(0).uniform(size=(3, 4, 3)).astype(np.float32)
    changed = values.copy()
    augmentation.recolour(changed, PLAIN)
    np.testing.assert_allclose(changed, values, atol=1e-6)


@pytest.mark.parametrize("across, down, first", [(0.0, 0.0, 0), (1.0, 1.0, 6 * WIDTH + 8), (0.5, 0.5, 3 * WIDTH + 4)])
def test_a_zoom_shows_its_part_at_a_smaller_depth(across, down, first):
    rgb, depth = pair()
    view = PLAIN._replace(zoom=2.0, across=across, down=down)
    image, seen, known = augmentation.seen(rgb, depth, view)
    assert seen[0, 0] == first and known.all()
    assert np.array_equal(seen[::2, ::2], first + np.arange(6)[:, None] * WIDTH + np.arange(8))
    # The image lies where the depth does, interpolated.
    own = np.stack([10 * (seen % WIDTH), 10 * (seen // WIDTH)], 2)
    assert np.abs(np.asarray(image)[:, :, :2].astype(int) - own)[1:-1, 1:-1].max() <= 5
    assert augmentation.depth_scale(view) == 0.5


def test_a_rotation_moves_image_and_depth_alike_and_leaves_corners_unknown():
    rgb, depth = pair()
    image, seen, known = augmentation.seen(rgb, depth, PLAIN._replace(rotation=20.0))
    assert not known[0, 0] and not known[-1, -1] and known[HEIGHT // 2, WIDTH // 2] and 0.7 < known.mean() < 0.95
    inside = known.copy()
    inside[:2], inside[-2:], inside[:, :2], inside[:, -2:] = False, False, False, False
    own = np.stack([10 * (seen % WIDTH), 10 * (seen // WIDTH)], 2)
    assert np.abs(np.asarray(image)[:, :, :2].astype(int) - own)[inside].max() <= 7
    assert np.all(np.asarray(image)[~known].sum(1) < np.asarray(rgb).sum(2).max())
    assert augmentation.depth_scale(PLAIN._replace(rotation=20.0)) == 1


def test_colours_change_as_their_names_say():
    start = np.float32([[[0.5, 0.4, 0.3], [0.2, 0.3, 0.4]]])

    def changed(**values):
        found = start.copy()
        augmentation.recolour(found, PLAIN._replace(**values))
        return found

    luma = start @ np.float32([0.299, 0.587, 0.114])
    np.testing.assert_allclose(changed(brightness=1.2), 1.2 * start, rtol=1e-5)
    np.testing.assert_allclose(changed(contrast=0.5), 0.5 * start + 0.5 * luma.mean(), rtol=1e-5)
    np.testing.assert_allclose(changed(saturation=0.0), np.repeat(luma[:, :, None], 3, 2), rtol=1e-5)
    turned = changed(hue=120.0)
    np.testing.assert_allclose(turned @ np.float32([0.299, 0.587, 0.114]), luma, rtol=1e-4)
    hues = [colorsys.rgb_to_hsv(*map(float, pixel))[0] for pixel in (start[0, 0], turned[0, 0])]
    assert abs((hues[1] - hues[0]) % 1 - 0.5) < 0.35 and changed(brightness=9.0).max() == 1


def test_views_depend_on_seed_and_position_alone_and_leave_the_rest_as_it_was():
    whole = Augmentation(1.5, 5.0, 0.2, 0.2, 0.2, 0.1)
    common = dict(records=40, seed=3, mirror_probability=0.5, swap_probability=0.5)
    samples = Order(batch_size=40, augmentation=whole, **common).batch(0)
    plain = Order(batch_size=40, **common).batch(0)
    assert [s._replace(view=None) for s in samples] == plain and all(s.view is None for s in plain)
    assert Order(batch_size=4, augmentation=whole, rank=1, world_size=2, **common).batch(3) == samples[28:32]
    views = np.array([s.view for s in samples])
    low = [1, 0, 0, -5, 0.8, 0.8, 0.8, -18]
    high = [1.5, 1, 1, 5, 1.2, 1.2, 1.2, 18]
    assert np.all(views >= low) and np.all(views <= high)
    spread = views.max(0) - views.min(0)
    assert np.all(spread > 0.8 * (np.array(high) - low))
