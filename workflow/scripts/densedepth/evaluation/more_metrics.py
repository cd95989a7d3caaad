"""Metrics that are measured only where they are asked for, image by image; `metric_table.MORE` has their names.

Each family of figures is measured by one function, in float64. Their means over images are taken in `scoring`; figures
that an image does not have (no plane, no depth in a range) are None and are left out of the mean.

SqRel is that of Eigen et al. 2014 (arXiv 1406.2283), as are the RMSE of the logarithm and the scale-invariant error,
whose form here, 100 times the root, is KITTI's.
"""

from typing import Callable, Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging.camera import Intrinsics, nyu_intrinsics
from . import edges, geometry
from .metric_table import MORE

ALL = "all"
NAMES = tuple(metric.key for metric in MORE)

_PACKAGE = "edge_accuracy, edge_completeness and cloud_* need SciPy, which this Python lacks: run `make setup`"


class Maps(NamedTuple):
    """What one image is measured from: ground truth and prediction in metres, float64 (h, w); mask, bool (h, w), of the
    pixels that count; camera of these maps; farthest depth in metres; numbers of the planes (h, w), or None."""

    truth: np.ndarray
    prediction: np.ndarray
    mask: np.ndarray
    camera: Intrinsics
    farthest: float
    planes: Optional[np.ndarray] = None


_Figures = Dict[str, Optional[float]]


def chosen(names: Collection[str]) -> List[str]:
    """The keys of `names` in the order of `NAMES`; `all` is all of them. Raises PipelineError for an unknown one."""
    for name in names:
        if name != ALL and name not in NAMES:
            raise PipelineError("metric {}: unknown, legal are {}, {}".format(name, ALL, ", ".join(NAMES)))
    return [name for name in NAMES if ALL in names or name in names]


def camera_of(size: Tuple[int, int], crop: Sequence[int]) -> Intrinsics:
    """The camera assumed for what `crop` (top, bottom, left, right) shows of images of `size`: that of NYU Depth v2."""
    camera = nyu_intrinsics(size)
    return camera._replace(cx=camera.cx - crop[2], cy=camera.cy - crop[0])


def measure(names: Sequence[str], maps: Maps) -> _Figures:
    """{key: figure} of one image for the keys `names`, in their units."""
    found: _Figures = {}
    try:
        for family, function in _FAMILIES:
            if not family.isdisjoint(names):
                found.update(function(maps))
    except ImportError:
        raise PipelineError(_PACKAGE) from None
    return {name: found[name] for name in names}


def _pixels(maps: Maps) -> _Figures:
    """Of single pixels: SqRel, MAE, RMSE of the natural logarithm, SILog, shares with a ratio below 1.05 and 1.10."""
    truth, prediction = maps.truth[maps.mask], maps.prediction[maps.mask]
    error = np.abs(truth - prediction)
    logarithms = np.log(prediction / truth)
    mean, squares = float(logarithms.mean()), float(np.dot(logarithms, logarithms)) / len(logarithms)
    ratio = np.maximum(truth / prediction, prediction / truth)
    return {
        "sq_rel": float(np.mean(error * error / truth)),
        "mae": float(error.mean()),
        "rms_log": squares**0.5,
        "silog": 100 * max(0.0, squares - mean * mean) ** 0.5,
        "delta_105": float(np.mean(ratio < 1.05)),
        "delta_110": float(np.mean(ratio < 1.1)),
    }


def _ranges(maps: Maps) -> _Figures:
    """AbsRel and RMSE of near, middle and far pixels: thirds of the root of the depth, 1/9 and 4/9 of the farthest."""
    truth, prediction = maps.truth[maps.mask], maps.prediction[maps.mask]
    places = np.digitize(truth, [maps.farthest / 9, maps.farthest * 4 / 9])
    found: _Figures = {}
    for place, name in enumerate(("near", "mid", "far")):
        g, p = truth[places == place], prediction[places == place]
        error = np.abs(g - p)
        found["rel_" + name] = float(np.mean(error / g)) if len(g) else None
        found["rms_" + name] = float(np.sqrt(np.mean(error * error))) if len(g) else None
    return found


def _boundary(maps: Maps) -> _Figures:
    return {"boundary_f1": edges.boundary_f1(maps.truth, maps.prediction, maps.mask)}


def _edges(maps: Maps) -> _Figures:
    return edges.boundary_errors(maps.truth, maps.prediction, maps.mask)


def _normals(maps: Maps) -> _Figures:
    return geometry.normal_errors(maps.truth, maps.prediction, maps.mask, maps.camera)


def _cloud(maps: Maps) -> _Figures:
    return geometry.cloud_errors(maps.truth, maps.prediction, maps.mask, maps.camera)


def _planes(maps: Maps) -> _Figures:
    return geometry.plane_errors(maps.truth, maps.prediction, maps.mask, maps.camera, maps.planes)


_FAMILIES: Tuple[Tuple[frozenset, Callable[[Maps], _Figures]], ...] = tuple(
    (frozenset(keys.split()), function)
    for keys, function in (
        ("sq_rel mae rms_log silog delta_105 delta_110", _pixels),
        ("rel_near rel_mid rel_far rms_near rms_mid rms_far", _ranges),
        ("boundary_f1", _boundary),
        ("edge_accuracy edge_completeness", _edges),
        ("normal_mean normal_11 normal_22 normal_30", _normals),
        ("cloud_chamfer cloud_f_5 cloud_f_10", _cloud),
        ("plane_flatness plane_orientation", _planes),
    )
)


def mean(name: str, images: Sequence[_Figures], pixels: Sequence[int], pooled: bool) -> Optional[float]:
    """The figure `name` of a test set, of those of its images that have it; None where none has.

    Where the table says that both ways of averaging are the same, `pooled` weighs an image by its `pixels`.
    """
    known = [(image[name], count) for image, count in zip(images, pixels) if image[name] is not None]
    if not known:
        return None
    values, counts = np.array(known, np.float64).T
    return float(np.average(values, weights=counts if pooled and name in _BY_PIXELS else None))


_BY_PIXELS = frozenset(metric.key for metric in MORE if not metric.per_image)
