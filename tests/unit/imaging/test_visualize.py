import numpy as np
import pytest
from densedepth.imaging import visualize
from PIL import Image


def scene(height=40, width=60):
    rows, columns = np.mgrid[:height, :width]
    metres = 1.0 + columns / 20.0 + rows / 40.0
    rgb = np.stack([columns * 4, rows * 6, 100 + 0 * rows], axis=2).astype(np.uint8)
    return rgb, metres


def colours(path):
    with Image.open(str(path)) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("count", [1, 4, 11])
def test_panel_holds_any_number_of_pictures_of_any_shape(tmp_path, count):
    rgb, metres = scene()
    upright = np.ascontiguousarray(rgb.transpose(1, 0, 2)), metres.T
    tiles = [visualize.tile("{}$.png".format(i), *(upright if i % 3 == 1 else (rgb, metres))) for i in range(count)]
    visualize.draw_panel(str(tmp_path / "new" / "panel.png"), tiles)
    pixels = colours(tmp_path / "new" / "panel.png")
    assert pixels.shape[0] > 200 and pixels.shape[1] > 600
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 500


def test_a_white_picture_of_any_size_is_drawn_without_a_complaint(tmp_path, caplog):
    tile = visualize.tile("white", np.full((900, 693, 3), 255, np.uint8), np.full((50, 40), 2.0))
    visualize.draw_panel(str(tmp_path / "panel.png"), [tile])
    assert caplog.messages == []


def test_letters_that_no_font_has_warn_nobody(tmp_path, monkeypatch, recwarn):
    monkeypatch.setattr(visualize, "_HAN_FONTS", ())
    visualize.draw_panel(str(tmp_path / "a.png"), [visualize.tile("\u4e2d\u6587", *scene())])
    assert not [warning for warning in recwarn.list if "Glyph" in str(warning.message)]


def test_the_first_font_for_chinese_that_is_installed_is_taken(monkeypatch):
    # Matplotlib's own fonts are always there; one of them stands for the others.
    import matplotlib

    for wanted, families in (((), []), (("Gone", "DejaVu Serif", "DejaVu Sans Mono"), ["DejaVu Serif"])):
        monkeypatch.setattr(visualize, "_HAN_FONTS", wanted)
        with visualize._figure(1, 1):
            assert matplotlib.rcParams["font.family"] == ["DejaVu Sans"] + families


@pytest.mark.parametrize("size", [(480, 640), (360, 640), (1, 3000)])
def test_sides_of_a_panel_are_even_as_videos_want_them(tmp_path, size):
    tile = visualize.tile("a", np.zeros(size + (3,), np.uint8), np.ones((4, 4)))
    visualize.draw_panel(str(tmp_path / "a.png"), [tile])
    height, width = colours(tmp_path / "a.png").shape[:2]
    assert (height % 2, width % 2) == (0, 0)


def test_equal_depth_has_equal_colour_in_all_tiles(tmp_path):
    rgb = np.zeros((40, 60, 3), np.uint8)
    near, far = np.full((20, 30), 2.0), np.full((20, 30), 6.0)
    visualize.draw_panel(str(tmp_path / "a.png"), [visualize.tile("a", rgb, near), visualize.tile("b", rgb, far)])
    visualize.draw_panel(str(tmp_path / "b.png"), [visualize.tile("a", rgb, near), visualize.tile("b", rgb, near)])
    both, same = colours(tmp_path / "a.png"), colours(tmp_path / "b.png")
    # The depths are right of the inputs, one picture below the other.
    height, width = same.shape[:2]
    points = (height // 4, 3 * width // 4), (height * 5 // 8, 3 * width // 4)
    assert (same[points[0]] == same[points[1]]).all()
    assert (both[points[0]] != both[points[1]]).any()


def test_pictures_are_the_same_bytes_each_time(tmp_path):
    rgb, metres = scene()
    for name in ("a", "b"):
        visualize.draw_panel(str(tmp_path / (name + "_panel.png")), [visualize.tile("x.png", rgb, metres)])
        visualize.draw_scene(str(tmp_path / (name + "_scene.png")), "title", rgb, metres, metres * 1.2)
    for kind in ("panel", "scene"):
        first, second = ((tmp_path / "{}_{}.png".format(name, kind)).read_bytes() for name in "ab")
        assert first == second
        assert b"Software" not in first


def test_scene_shows_an_error_where_there_is_one(tmp_path):
    rgb, metres = scene()
    visualize.draw_scene(str(tmp_path / "right.png"), "title", rgb, metres, metres)
    wrong = metres.copy()
    wrong[:, 30:] += 5.0
    visualize.draw_scene(str(tmp_path / "wrong.png"), "title", rgb, metres, wrong)
    right, wrong = colours(tmp_path / "right.png"), colours(tmp_path / "wrong.png")
    # The last quarter of the picture is the error: white where nothing is wrong.
    height, width = right.shape[:2]
    row, left, right_side = height // 2, int(width * 0.8), int(width * 0.95)
    assert right[row, left].min() > 230 and right[row, right_side].min() > 230
    assert wrong[row, left].min() > 230 and wrong[row, right_side].min() < 60


def test_big_pictures_are_kept_small():
    rgb = np.zeros((1000, 2000, 3), np.uint8)
    name, small, metres = visualize.tile("big.png", rgb, np.ones((32, 64)))
    assert (name, small.shape, metres.shape) == ("big.png", (320, 640, 3), (320, 640))
