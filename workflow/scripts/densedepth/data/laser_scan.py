"""Depth maps of KITTI's raw laser scans: the ground truth of all 697 images of Eigen's test.

A scan `<date>/<drive>/velodyne_points/data/N.bin` holds the points of one turn of the scanner, float32 (x, y, z,
reflectance) in metres: x forward, y to the left, z up. Beside the drives of a day lies its calibration:
`calib_velo_to_cam.txt` with the rotation R (3x3) and the translation T (3) from the scanner to the first camera, and
`calib_cam_to_cam.txt` with R_rect_00 (3x3), which turns the first camera into the rectified one, and P_rect_0C (3x4),
which projects into the rectified images of camera C. Geiger et al., Vision meets robotics: the KITTI dataset, 2013.

A scan is named `N.bin::image_0C`, after the camera whose image it is laid over.
"""

import posixpath
import re
from typing import Dict, Sequence, Tuple

import numpy as np

from ..errors import PipelineError
from .array_files import READING, Expected
from .trees import Tree

_SCAN = re.compile(r"\.bin::(?P<camera>image_0[0-3])$")
_POINT = np.dtype("<f4").itemsize * 4


def is_scan(name: str) -> bool:
    """Whether `name` is that of a scan and a camera."""
    return bool(_SCAN.search(name))


def depth_map(tree: Tree, name: str, size: Tuple[int, int]) -> np.ndarray:
    """Depth in metres, float32 `size` (height, width), of the scan `name` (`N.bin::image_0C`) of `tree`; 0 elsewhere.

    Raises Expected, in plain words, for a scan that is cut off and for a calibration that is missing or incomplete.
    """
    path, _, camera = name.partition("::")
    data = tree.read(path)
    if not data or len(data) % _POINT:
        words = "has {} bytes, where a scan has {} for each point; it is cut off, or no laser scan"
        raise Expected(words.format(len(data), _POINT))
    points = np.frombuffer(data, "<f4").reshape(-1, 4)[:, :3]
    # <date>/<drive>/velodyne_points/data/N.bin
    day = path
    for _ in range(4):
        day = posixpath.dirname(day)
    return projected(points, _projection(tree, day, camera[-2:]), size)


def projected(points: np.ndarray, projection: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The depth map float32 `size` (height, width) of `points` (N, 3), through `projection` (3, 4); 0 where none falls.

    As Eigen's and Monodepth's evaluations have it: (a, b, c) = projection (x, y, z, 1) lies in the pixel of row
    round(b / c) - 1 and column round(a / c) - 1, counted from 0; its depth is x, how far it lies ahead of the scanner;
    of several points in one pixel the nearest counts. What lies behind the scanner or the camera is left out.
    """
    points = points.astype(np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    across, down, away = projection @ np.concatenate([points.T, np.ones((1, len(points)))])
    ahead = (points[:, 0] > 0) & (away > 0)
    columns, rows = (np.round(values[ahead] / away[ahead]) - 1 for values in (across, down))
    inside = (rows >= 0) & (rows < size[0]) & (columns >= 0) & (columns < size[1])
    found = np.full(tuple(size), np.inf)
    np.minimum.at(found, (rows[inside].astype(int), columns[inside].astype(int)), points[ahead, 0][inside])
    return np.where(np.isfinite(found), found, 0).astype(np.float32)


def _projection(tree: Tree, day: str, camera: str) -> np.ndarray:
    """(3, 4): from the scanner's metres to the rectified image of `camera`, such as `02`."""
    scanner = _calibration(tree, day, "calib_velo_to_cam.txt", {"R": (3, 3), "T": (3, 1)})
    shapes = {"R_rect_00": (3, 3), "P_rect_" + camera: (3, 4)}
    cameras = _calibration(tree, day, "calib_cam_to_cam.txt", shapes)
    rigid, rectified = np.eye(4), np.eye(4)
    rigid[:3] = np.concatenate([scanner["R"], scanner["T"]], axis=1)
    rectified[:3, :3] = cameras["R_rect_00"]
    return cameras["P_rect_" + camera] @ rectified @ rigid


def _calibration(tree: Tree, day: str, name: str, shapes: Dict[str, Tuple[int, int]]) -> Dict[str, np.ndarray]:
    """The matrices of `shapes` in a file of `key: numbers` a line."""
    path = posixpath.join(day, name)
    try:
        text = tree.read(path).decode("ascii", "replace")
    except READING + (PipelineError,):
        words = "needs {}, which is not there: it is in raw_data/{}_calib.zip of KITTI"
        raise Expected(words.format(path, posixpath.basename(day))) from None
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    found = {}
    for key, shape in shapes.items():
        try:
            found[key] = np.array(lines[key].split(), np.float64).reshape(shape)
        except (KeyError, ValueError):
            raise Expected("needs {} with {} numbers {}; get it again".format(path, shape[0] * shape[1], key)) from None
    return found
