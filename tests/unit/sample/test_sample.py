"""The embedded sample: deterministic, of the true form, with exact depth."""

import hashlib
import io
import os
import zipfile

import numpy
import pytest
from densedepth.data.test_archive import open_test_set
from densedepth.data.train_archive import Archive
from densedepth.errors import PipelineError
from densedepth.sample import archives, casting, lighting, render, rooms, views
from densedepth.sample.materials import material
from densedepth.sample.scene import BOX, CYLINDER, ELLIPSOID, Camera, Group, Light, Part, Scene
from PIL import Image

SIZE = (48, 64)
PLAIN = material("plain", (0.8, 0.8, 0.8))
AHEAD = Camera((2.0, 1.5, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def scene(*parts):
    """A room of 4 x 3 x 6 m with the parts, in world coordinates."""
    groups = (Group((0.0, 0.0, 0.0), 1.0, 0.0, parts),) if parts else ()
    light = Light((2.0, 2.8, 3.0), (1.0, 1.0, 1.0), 0.1)
    return Scene((4.0, 3.0, 6.0), (PLAIN,) * 4, PLAIN, PLAIN, groups, (light,), (0.4, 0.4, 0.4), 0.0, (1.0, 1.0, 1.0))


def depth_of(*parts):
    return render.render(scene(*parts), AHEAD, 0, 480, 640)[1]


# Depth, against what geometry says


def at(depth, u, v):
    return float(depth[v, u])


def test_depth_of_an_empty_room():
    depth = depth_of()
    assert depth.shape == (480, 640)
    assert depth.dtype == numpy.float32
    # The far wall is 5 m ahead along the axis wherever it is met: depth is not the length of the ray.
    assert at(depth, 325, 253) == pytest.approx(5.0, abs=1e-5)
    assert at(depth, 200, 200) == pytest.approx(5.0, abs=1e-5)
    # The floor is 1.5 m below; row v sees it where 1.5 / depth = (v - cy) / fy.
    assert at(depth, 325, 479) == pytest.approx(1.5 * 519.5 / (479 - 253.7), rel=1e-5)
    # The left wall is 2 m aside.
    assert at(depth, 0, 253) == pytest.approx(2.0 * 518.9 / 325.6, rel=1e-5)


@pytest.mark.parametrize("shape", [BOX, CYLINDER, ELLIPSOID])
def test_depth_of_a_part_ahead(shape):
    depth = depth_of(Part(shape, (2.0, 1.5, 3.0), (0.5, 0.4, 0.25), PLAIN))
    assert at(depth, 326, 254) == pytest.approx(1.75, abs=1e-4)
    left, above = 326 - int(0.6 / 1.75 * 519), 254 - int(0.5 / 1.75 * 519)
    assert at(depth, left, 254) == pytest.approx(5.0, abs=1e-4)
    assert at(depth, 326, above) == pytest.approx(5.0, abs=1e-4)


def test_depth_of_a_turned_box():
    # Turned by the angle of cosine 0.6 a box of half width 1 reaches nearest with a corner.
    box = Part(BOX, (0.0, 0.0, 0.0), (0.5, 0.5, 0.5), PLAIN)
    turned = scene()._replace(groups=(Group((2.0, 1.5, 4.0), 0.6, 0.8, (box,)),))
    depth = render.render(turned, AHEAD, 0, 480, 640)[1]
    nearest = 4.0 - 0.5 * (0.6 + 0.8) - 1.0
    assert float(depth.min()) == pytest.approx(nearest, abs=0.01)


def test_fewer_pixels_show_the_same_view():
    box = Part(BOX, (2.2, 1.4, 3.0), (0.5, 0.4, 0.25), PLAIN)
    large = render.render(scene(box), AHEAD, 0, 480, 640)[1]
    small = render.render(scene(box), AHEAD, 0, 160, 214)[1]
    assert float(numpy.median(numpy.abs(large[1::3, 1::3][:160, :213] - small[:, :213]))) < 0.01


def test_what_hides_the_lamp_throws_a_shadow():
    board = Part(BOX, (2.0, 1.6, 3.0), (0.5, 0.01, 0.5), PLAIN)
    below = Camera((2.0, 1.2, 0.3), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    bright = render.render(scene(), below, 0, 240, 320)[0].astype(int)
    dark = render.render(scene(board), below, 0, 240, 320)[0].astype(int)
    # In the middle of the shadow, 3.6 m ahead and 1.2 m down.
    row, column = int((253.7 + 519.5 * 1.2 / 3.6) / 2), int(325.6 / 2)
    assert dark[row, column, 1] < 0.8 * bright[row, column, 1]


# Pixels are the same everywhere

SHA256 = {
    (60, 80): (
        "bea5e03a630646dd09d7a19f7cc5b26928ea63897c4e127b1ea54827b997eee9",
        "44434a3c5b708e24a03230bc81efb9e807260495953ea6735803d0373ae9b1ac",
    ),
    # From 240 rows on, the light is looked at in a part of the pixels alone.
    (240, 320): (
        "634e600ff4dd1ed38fb6cdfb2e6b8f45b0154f29ac93f9b4c15f5cf464d51e46",
        "cec5298373d78fa94e5fe07ad1f94fb0b83255a9c11a50f27899e50928a7b0bd",
    ),
}


@pytest.mark.parametrize("size", SHA256)
def test_pixels_of_a_small_picture_are_known(size):
    room = rooms.make_room(7, 0, 3)
    ((view, camera),) = views.make_views(room, 1, 7, 10, 3)
    rgb, depth = render.render(view, camera, 5, *size)
    drawn = (rgb.tobytes(), archives.millimetres(depth).astype("<u2").tobytes())
    assert tuple(hashlib.sha256(pixels).hexdigest() for pixels in drawn) == SHA256[size]


def test_light_between_pixels_is_that_of_the_pixels():
    room = rooms.make_room(7, 0, 3)
    ((view, camera),) = views.make_views(room, 1, 7, 10, 3)
    met = casting.cast(view, casting.Parts(view), camera, 240, 320)
    light = lighting.reaching(view, met, camera.position)
    exact = lighting.reaching_points(view, met, camera.position, numpy.arange(240 * 320))
    for some, all_of_it in zip([light.everywhere, *light.lamps], [exact.everywhere, *exact.lamps]):
        # Shadows of what is thin blur.
        assert float(numpy.quantile(numpy.abs(some - all_of_it), 0.9)) < 0.02
        assert float(numpy.abs(some - all_of_it).mean()) < 0.03
        assert float(all_of_it.max() - all_of_it.min()) > 0.3


def test_few_pixels_are_cast_like_many():
    room = rooms.make_room(7, 0, 3)
    ((view, camera),) = views.make_views(room, 1, 7, 10, 3)
    parts = casting.Parts(view)
    one, other = (cast(view, parts, camera, *SIZE) for cast in (casting.cast, casting.cast_few))
    numpy.testing.assert_allclose(one.depth, other.depth, rtol=1e-4)
    assert float((one.ids == other.ids).mean()) > 0.999


def test_exposure_follows_the_brightness_asked_for():
    bright = [render.render(scene()._replace(brightness=wanted), AHEAD, 0, 48, 64)[0].mean() for wanted in (90, 150)]
    assert bright == pytest.approx([90, 150], abs=12)


def test_what_is_partly_behind_the_camera_is_seen():
    board = Part(BOX, (2.0, 1.0, 1.5), (0.4, 0.05, 3.0), PLAIN)
    # Below the eye from behind the camera on: 0.45 m down, seen in the last row at 0.45 / depth = (479 - cy) / fy.
    assert at(depth_of(board), 326, 479) == pytest.approx(0.45 * 519.5 / (479 - 253.7), rel=1e-5)


def test_rooms_differ_and_repeat():
    first = rooms.make_room(0, 0, 1)
    assert first == rooms.make_room(0, 0, 1)
    assert first != rooms.make_room(0, 0, 2)
    assert first != rooms.make_room(1, 0, 1)


@pytest.mark.parametrize("number", range(6))
def test_views_keep_the_range_of_depth(number):
    room = rooms.make_room(number, 0, 0)
    for view, camera in views.make_views(room, 2, number, 10, 0):
        rgb, depth = render.render(view, camera, 0, *SIZE)
        assert float(depth.min()) >= 0.5
        assert float(depth.max()) <= 10.0
        assert 40 < float(rgb.mean()) < 215


# Archives


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("sample")
    archives.write(str(out), train_scenes=6, test_scenes=3, seed=1, size=SIZE)
    return out


def listed(folder):
    return sorted(
        os.path.relpath(os.path.join(path, name), str(folder))
        for path, _, names in os.walk(str(folder))
        for name in names
    )


def test_files(made):
    pictures = ["examples/{}.png".format(number) for number in range(1, 5)]
    assert listed(made) == pictures + ["nyu_data.zip", "nyu_test.zip"]
    with Image.open(str(made / "examples" / "1.png")) as picture:
        assert (picture.mode, picture.size) == ("RGB", SIZE[::-1])


def test_training_archive(made):
    with Archive(str(made / "nyu_data.zip")) as archive:
        rows = archive.rows()
        sizes = {archive.pair(row)[2] for row in rows}
    assert len(rows) == 6
    assert sizes == {SIZE}
    folders = [row.rgb.split("/")[2] for row in rows]
    assert len(set(folders)) == 2
    assert all(folder.endswith("_out") for folder in folders)
    assert [row.rgb.split("/")[3] for row in rows] == ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "1.jpg", "2.jpg"]
    with zipfile.ZipFile(str(made / "nyu_data.zip")) as archive:
        assert archive.read("data/") == b""
        with Image.open(io.BytesIO(archive.read("data/nyu2_test/00000_depth.png"))) as picture:
            millimetres = numpy.asarray(picture)
        assert archive.read("data/nyu2_test.csv").startswith(b"data/nyu2_test/00000_colors.png,data/nyu2_test/00000_d")
    assert 500 <= millimetres.min() <= millimetres.max() <= 10000
    with open_test_set(str(made / "nyu_test.zip")) as test_set:
        _, depth, _ = next(test_set.batches(1))
    numpy.testing.assert_allclose(millimetres / 1000.0, depth[0], atol=0.00051)


def test_evaluation_archive(made):
    with open_test_set(str(made / "nyu_test.zip")) as test_set:
        assert (test_set.count, test_set.image_size) == (3, SIZE)
        assert test_set.crop == (2, 45, 2, 60)
        rgb, depth, _ = next(test_set.batches(3))
    assert len({image.tobytes() for image in rgb}) == 3
    assert 0.5 <= depth.min() <= depth.max() <= 10


def test_crop_of_the_full_size():
    assert archives.crop_of((480, 640)) == (20, 459, 24, 615)


def test_depth_is_written_in_tenths_of_255():
    depth = numpy.array([[0.5, 1.0, 2.0, 9.99, 10.0]], numpy.float32)
    assert archives.eight_bit(depth).tolist() == [[13, 26, 51, 255, 255]]
    assert archives.millimetres(depth).tolist() == [[500, 1000, 2000, 9990, 10000]]


def test_same_bytes_whatever_the_number_of_workers(made, tmp_path):
    archives.write(str(tmp_path), train_scenes=6, test_scenes=3, seed=1, workers=2, size=SIZE)
    for name in listed(made):
        assert (tmp_path / name).read_bytes() == (made / name).read_bytes(), name


def test_seed_out_of_range(tmp_path):
    with pytest.raises(PipelineError, match="seed -1"):
        archives.write(str(tmp_path / "out"), seed=-1)
    assert not (tmp_path / "out").exists()
