"""Laser scans of KITTI laid over their images, by hand-computed points."""

import layouts
import numpy as np
import pytest
from densedepth.data import laser_scan
from densedepth.data.array_files import Expected
from densedepth.data.trees import Folder
from layout_files import in_folder

# Of an image of 4x6 pixels: x ahead of the scanner is the camera's z, y to the left its -x, z up its -y.
AXES = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
# Focal length 2, centre (3, 2), and the camera 0.5 m ahead of the scanner.
PROJECTION = np.array([[2.0, 0, 3], [0, 2, 2], [0, 0, 1]]) @ (AXES - np.array([[0, 0, 0, 0]] * 2 + [[0, 0, 0, 0.5]]))


def scan(*points):
    return laser_scan.projected(np.array(points, np.float32).reshape(-1, 3), PROJECTION, (4, 6))


@pytest.mark.parametrize(
    "point, pixel",
    [
        # 4.5 m ahead are 4 m from the camera: column 2 * 0 / 4 + 3 - 1, row 2 * 0 / 4 + 2 - 1.
        ((4.5, 0, 0), (1, 2)),
        # 2 m to the left and 2 m down: 2 * -2 / 4 + 3 - 1 = 1, 2 * 2 / 4 + 2 - 1 = 2.
        ((4.5, 2, -2), (2, 1)),
        # Half a pixel goes to the even one before 1 is taken off: 2 * 1 / 4 + 3 = 3.5, round 4, column 3.
        ((4.5, -1, 0), (1, 3)),
        # 2 * -3 / 4 + 3 = 1.5, round 2, column 1.
        ((4.5, 3, 0), (1, 1)),
    ],
)
def test_a_point_lies_where_the_formula_says(point, pixel):
    found = scan(point)
    assert found.dtype == np.float32 and found[pixel] == 4.5 and np.count_nonzero(found) == 1


def test_the_nearest_of_a_pixel_counts_in_any_order():
    for points in ([(4.5, 0, 0), (8.5, 0, 0)], [(8.5, 0, 0), (4.5, 0, 0)]):
        assert scan(*points)[1, 2] == 4.5


@pytest.mark.parametrize(
    "point",
    [(-4.5, 0, 0), (0.25, 0, 0), (4.5, 8, 0), (4.5, -8, 0), (4.5, 0, 6), (4.5, 0, -6), (np.nan, 0, 0), (np.inf, 0, 0)],
    ids=["behind", "behind the camera", "left", "right", "above", "below", "nan", "infinite"],
)
def test_what_is_not_seen_is_no_depth(point):
    assert not scan(point).any()


def test_an_empty_scan_is_an_empty_map():
    assert not scan().any()


SCAN = "2011_09_26/drive/velodyne_points/data/0.bin"
VELO, CAM = "2011_09_26/calib_velo_to_cam.txt", "2011_09_26/calib_cam_to_cam.txt"
FILES = {SCAN: np.array([4, 0, 0, 0.5], "<f4").tobytes(), VELO: layouts.VELO_TO_CAM, CAM: layouts.CAM_TO_CAM}


def test_a_scan_is_laid_over_the_image_of_its_camera(tmp_path):
    found = laser_scan.depth_map(Folder(in_folder(tmp_path, FILES)), SCAN + "::image_02", (48, 64))
    assert found[23, 31] == 4 and np.count_nonzero(found) == 1


@pytest.mark.parametrize(
    "change, words",
    [
        ({VELO: None}, "needs 2011_09_26/calib_velo_to_cam.txt, .* it is in raw_data/2011_09_26_calib.zip of KITTI"),
        ({VELO: b"R: 1 2\nT: 0 0 0"}, "needs 2011_09_26/calib_velo_to_cam.txt with 9 numbers R; get it again"),
        ({CAM: layouts.CAM_TO_CAM.replace(b"P_rect_02", b"P_02")}, "cam_to_cam.txt with 12 numbers P_rect_02; get it"),
        ({SCAN: b""}, "has 0 bytes, where a scan has 16 for each point"),
    ],
    ids=["missing", "cut", "of another camera", "empty"],
)
def test_what_a_scan_needs_is_told(change, words, tmp_path):
    files = {name: data for name, data in dict(FILES, **change).items() if data is not None}
    with pytest.raises(Expected, match=words):
        laser_scan.depth_map(Folder(in_folder(tmp_path, files)), SCAN + "::image_02", (48, 64))
