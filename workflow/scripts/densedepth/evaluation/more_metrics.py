"""Metrics that are measured only where they are asked for, image by image; `metric_table.MORE` has their names.

Figures of single pixels are sums over blocks, taken in the pass that takes the usual ones; each family of the others is
measured by one function, in float64. Their means over images are taken in `scoring`; figures
that an image does not have (no plane, no depth in a range) are None and are left out of the mean.

SqRel is that of Eigen et al. 2014 (arXiv 1406.2283), as are the RMSE of the logarithm and the scale-invariant error,
whose form here, 100 times the root, is KITTI's.
"""

from typing import Callable, Collection, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging.camera import Intrinsics, nyu_intrinsics
from . import blocks, edges, geometry, metrics
from .metric_table import MORE

ALL = "all"
NAMES = tuple(metric.key for metric in MORE)

# Those that need the numbers of planes.
OF_PLANES = frozenset(metric.key for metric in MORE if metric.part == "Planes")

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
    sums = summed(names, maps.farthest)
    for block in blocks.of_image(maps.truth, maps.prediction, maps.mask) if sums else ():
        for one in sums:
            one.add(block)
    return figures(names, sums, lambda: maps)


def summed(names: Sequence[str], farthest: float) -> List["Summed"]:
    """What those of the figures `names` are made of that are sums over pixels, for the blocks of one image."""
    return [kind(names, farthest) for kind in (_Pixels, _Logarithms, _Ranges) if not kind.keys.isdisjoint(names)]


def figures(names: Sequence[str], sums: Sequence["Summed"], maps: Callable[[], Maps]) -> _Figures:
    """As `measure`, of `sums` that were given the blocks; `maps` is called where more than sums is asked for."""
    found: _Figures = {}
    for one in sums:
        found.update(one.figures())
    if not found.keys() >= set(names):
        whole = maps()
        try:
            for family, function in _FAMILIES:
                if not family.isdisjoint(names):
                    found.update(function(whole))
        except ImportError:
            raise PipelineError(_PACKAGE) from None
    return {name: found[name] for name in names}


class Summed(blocks.Sums):
    """Figures, by `keys`, that are made of sums over the pixels of one image."""

    keys: FrozenSet[str]

    def __init__(self, names: Sequence[str], farthest: float) -> None:
        raise NotImplementedError

    def figures(self) -> _Figures:
        """Those of all blocks."""
        raise NotImplementedError


class _Pixels(Summed):
    """SqRel, MAE, shares with a ratio below 1.05 and 1.10."""

    keys = frozenset(["sq_rel", "mae", "delta_105", "delta_110"])

    def __init__(self, names: Sequence[str], farthest: float) -> None:
        self._pixels = 0
        self._sums = dict.fromkeys(self.keys.intersection(names), 0.0)

    def add(self, block: blocks.Block) -> None:
        """Add the pixels of a block."""
        self._pixels += len(block.ratio)
        for name in self._sums:
            self._sums[name] += float(_SUM_OF[name](block))

    def figures(self) -> _Figures:
        """Those of all blocks."""
        return {name: total / self._pixels for name, total in self._sums.items()}


_SUM_OF: Dict[str, Callable[[blocks.Block], float]] = {
    "sq_rel": lambda block: blocks.dot(block.off, block.share),
    "mae": lambda block: block.off.sum(),
    "delta_105": lambda block: int(np.count_nonzero(block.ratio < 1.05)),
    "delta_110": lambda block: int(np.count_nonzero(block.ratio < 1.1)),
}


class _Logarithms(Summed):
    """RMSE of the natural logarithm, SILog."""

    keys = frozenset(["rms_log", "silog"])

    def __init__(self, names: Sequence[str], farthest: float) -> None:
        self._pixels, self._total, self._squares = 0, 0.0, 0.0

    def add(self, block: blocks.Block) -> None:
        """Add the pixels of a block."""
        self._pixels += len(block.ratio)
        logarithms = np.log(block.ratio, out=block.spare)
        self._squares += blocks.dot(logarithms, logarithms)
        self._total += metrics.sum_of_logarithms(np.divide(block.prediction, block.truth, out=block.spare))

    def figures(self) -> _Figures:
        """Those of all blocks."""
        mean, squares = self._total / self._pixels, self._squares / self._pixels
        return {"rms_log": squares**0.5, "silog": 100 * max(0.0, squares - mean * mean) ** 0.5}


class _Ranges(Summed):
    """AbsRel and RMSE of near, middle and far pixels: thirds of the root of the depth, 1/9 and 4/9 of the farthest."""

    keys = frozenset(["rel_near", "rel_mid", "rel_far", "rms_near", "rms_mid", "rms_far"])

    def __init__(self, names: Sequence[str], farthest: float) -> None:
        self._limits = farthest / 9, farthest * 4 / 9
        # Pixels, and the sums of the shares and of the squares, in each range.
        self._sums = np.zeros((3, 3))

    def add(self, block: blocks.Block) -> None:
        """Add the pixels of a block."""
        near, middle = (block.truth < limit for limit in self._limits)
        for place, inside in enumerate((near, middle & ~near, ~middle)):
            off = block.off[inside]
            self._sums[place] += len(off), np.sum(block.share[inside]), blocks.dot(off, off)

    def figures(self) -> _Figures:
        """Those of all blocks, None in a range without pixels."""
        found: _Figures = {}
        for name, (pixels, shares, squares) in zip(("near", "mid", "far"), self._sums):
            found["rel_" + name] = float(shares / pixels) if pixels else None
            found["rms_" + name] = float((squares / pixels) ** 0.5) if pixels else None
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


_FAMILIES: Tuple[Tuple[FrozenSet[str], Callable[[Maps], _Figures]], ...] = tuple(
    (frozenset(keys.split()), function)
    for keys, function in (
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
