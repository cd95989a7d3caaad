"""Surfaces: normals, point clouds and planes of a depth map against those of the ground truth; clouds need SciPy.

Both maps are seen with the same camera, since a depth map does not say which one it was taken with. In `camera`, focal
lengths and principal point are in pixels, the centre of the first pixel of the maps being (0, 0).

Sources: angles between normals as in Eigen and Fergus 2015 (arXiv 1411.4734), F-score of Knapitsch et al. 2017 (Tanks
and Temples), Chamfer distance in the form of DTU (Aanaes et al. 2016: mean of accuracy and completeness), planarity of
Koch et al. 2018 (iBims-1, arXiv 1805.01328).
"""

from typing import TYPE_CHECKING, Dict, Optional

import numpy as np

from ..imaging.camera import seen

if TYPE_CHECKING:
    from ..imaging.camera import Intrinsics

# Degrees below which a normal counts as right.
_ANGLES = (11.25, 22.5, 30.0)

# Metres within which a point counts as found.
_NEAR = (0.05, 0.1)

# Points of a cloud that are looked at, evenly chosen.
_MOST_POINTS = 20000

# Share of the pixels below which a plane is too small to be judged.
_SMALLEST_PLANE = 0.05


def points(depth: np.ndarray, camera: "Intrinsics") -> np.ndarray:
    """(h, w, 3): what each pixel of `depth` (h, w) sees, in metres: x to the right, y down, z away from the camera."""
    return np.stack([*seen(depth, camera), depth], axis=-1)


def normal_errors(
    truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray, camera: "Intrinsics"
) -> Dict[str, Optional[float]]:
    """{normal_mean: degrees, normal_11, normal_22, normal_30: shares below 11.25, 22.5 and 30 degrees}.

    The angle between the normals of both maps in each pixel. A normal is the cross product of the differences between
    the points right and left, and below and above; so all nine pixels around must be in `mask`. None where none is.
    """
    kept = _eroded(mask)
    if not kept.any():
        return dict.fromkeys(("normal_mean", "normal_11", "normal_22", "normal_30"))
    one, other = (_normals(depth, camera)[kept[1:-1, 1:-1]] for depth in (truth, prediction))
    # Well conditioned for small angles, unlike the arc cosine.
    angles = np.degrees(2 * np.arctan2(np.linalg.norm(one - other, axis=-1), np.linalg.norm(one + other, axis=-1)))
    shares = [float(np.mean(angles < limit)) for limit in _ANGLES]
    return dict(zip(("normal_11", "normal_22", "normal_30"), shares), normal_mean=float(angles.mean()))


def _normals(depth, camera):
    """Unit normals (h - 2, w - 2, 3) of the pixels that have all neighbours."""
    cloud = points(depth, camera)
    across = cloud[1:-1, 2:] - cloud[1:-1, :-2]
    down = cloud[2:, 1:-1] - cloud[:-2, 1:-1]
    normals = np.cross(across, down)
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-8)


def _eroded(mask):
    """The pixels of `mask` all of whose neighbours are in it; those at the border have not all."""
    inside = np.zeros_like(mask)
    rows = mask[:-2] & mask[1:-1] & mask[2:]
    inside[1:-1, 1:-1] = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    return inside


def cloud_errors(
    truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray, camera: "Intrinsics"
) -> Dict[str, Optional[float]]:
    """{cloud_chamfer: metres, cloud_f_5, cloud_f_10: F1 of points found within 5 and 10 cm, 0..1}.

    Of the points that the pixels in `mask` see, at most 20,000 evenly chosen ones: the distance of each to the nearest
    one of the other map. Accuracy is its mean over predicted points, completeness over those of the ground truth;
    chamfer is the mean of both. Precision and recall are the shares with a distance below the limit.
    """
    from scipy.spatial import cKDTree

    count = int(np.count_nonzero(mask))
    chosen = np.linspace(0, count - 1, min(_MOST_POINTS, count)).astype(np.int64)
    clouds = [points(depth, camera)[mask][chosen] for depth in (truth, prediction)]
    trees = [cKDTree(cloud) for cloud in clouds]
    to_prediction, to_truth = trees[1].query(clouds[0])[0], trees[0].query(clouds[1])[0]
    found: Dict[str, Optional[float]] = {"cloud_chamfer": float((to_prediction.mean() + to_truth.mean()) / 2)}
    for limit in _NEAR:
        precision, recall = np.mean(to_truth < limit), np.mean(to_prediction < limit)
        both = precision + recall
        found["cloud_f_{:.0f}".format(100 * limit)] = float(2 * precision * recall / both) if both else 0.0
    return found


def plane_errors(
    truth: np.ndarray, prediction: np.ndarray, mask: np.ndarray, camera: "Intrinsics", planes: Optional[np.ndarray]
) -> Dict[str, Optional[float]]:
    """{plane_flatness: centimetres, plane_orientation: degrees}: means over the planes; both are better when lower.

    planes: an array of integers like `truth` that numbers the planes from 1, 0 elsewhere; None where none are known. A
    plane with less than 5 % of the pixels is left out, and None is what is found without any. The prediction is scaled
    so that both have the same median depth in the plane; flatness is the standard deviation of its points from the
    plane fitted to them, orientation the angle between that plane and the one fitted to the ground truth.
    """
    found = []
    numbers = np.unique(planes[mask & (planes > 0)]) if planes is not None else np.zeros(0)
    for number in numbers:
        inside = mask & (planes == number)
        if np.count_nonzero(inside) < _SMALLEST_PLANE * mask.size:
            continue
        scaled = prediction * (np.median(truth[inside]) / np.median(prediction[inside]))
        normal, off = _plane(points(scaled, camera)[inside])
        known, _ = _plane(points(truth, camera)[inside])
        angle = np.degrees(np.arctan2(np.linalg.norm(np.cross(normal, known)), abs(float(normal @ known))))
        found.append((100 * off, float(angle)))
    if not found:
        return {"plane_flatness": None, "plane_orientation": None}
    flatness, orientation = np.mean(found, axis=0)
    return {"plane_flatness": float(flatness), "plane_orientation": float(orientation)}


def _plane(cloud):
    """(unit normal, standard deviation of the distances in metres) of the plane fitted to points (n, 3)."""
    deviations = cloud - cloud.mean(axis=0)
    values, vectors = np.linalg.eigh(deviations.T @ deviations / len(cloud))
    return vectors[:, 0], float(np.sqrt(max(0.0, values[0])))
