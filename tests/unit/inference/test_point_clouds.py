import numpy as np
import pytest
from densedepth.imaging import camera
from densedepth.inference import point_clouds


def read_ply(path):
    """Comments and points of a PLY file, read by its own header."""
    kinds = {"float": "<f4", "uchar": "u1"}
    with open(str(path), "rb") as stream:
        content = stream.read()
    header, body = content.split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    fields = [(line.split()[2], kinds[line.split()[1]]) for line in lines if line.startswith("property")]
    (count,) = [int(line.split()[2]) for line in lines if line.startswith("element vertex")]
    points = np.frombuffer(body, np.dtype(fields))
    assert len(points) == count
    return [line[8:] for line in lines if line.startswith("comment")], points


def test_a_wall_is_flat_and_as_wide_as_it_is_seen(tmp_path):
    rgb = np.random.RandomState(0).randint(0, 256, (9, 11, 3)).astype(np.uint8)
    intrinsics = camera.Intrinsics(10.0, 20.0, 5.0, 4.0, "given")
    point_clouds.write_ply(
        str(tmp_path / "a.ply"), point_clouds.points(rgb, np.full((9, 11), 2.0), intrinsics, 1000), ["a", "b c"]
    )
    comments, points = read_ply(tmp_path / "a.ply")
    assert comments == ["a", "b c"] and len(points) == 99
    assert (points["z"] == 2).all()
    assert (points["x"].min(), points["x"].max()) == (-1, 1)
    assert points["y"].min() == pytest.approx(-0.4) and points["y"].max() == pytest.approx(0.4)
    # The first point is the first pixel, up and to the left.
    assert points["x"][0] < 0 and points["y"][0] < 0
    assert [points[c][0] for c in ("red", "green", "blue")] == list(rgb[0, 0])


def test_clouds_have_a_limit():
    rgb, metres = np.zeros((100, 200, 3), np.uint8), np.ones((100, 200))
    intrinsics = camera.nyu_intrinsics((100, 200))
    for most in (20000, 19999, 5000, 100, 1):
        assert 0 < len(point_clouds.points(rgb, metres, intrinsics, most)) <= most
    assert len(point_clouds.points(rgb, metres, intrinsics, 20000)) == 20000


def test_the_camera_of_nyu_at_other_sizes():
    whole = camera.nyu_intrinsics((480, 640))
    assert whole[:4] == pytest.approx((518.858, 519.470, 324.582, 252.736), abs=1e-3)
    half = camera.nyu_intrinsics((240, 320))
    assert half.fx == pytest.approx(whole.fx / 2)
    # Pixel centres are half a pixel from the border at any size.
    assert (half.cx + 0.5) * 2 == pytest.approx(whole.cx + 0.5)
    assert camera.nyu_intrinsics((640, 480)).fx == pytest.approx(whole.fx)
    assert "assumption" in whole.source
