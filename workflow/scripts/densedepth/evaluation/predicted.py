"""Depth that a program predicted for the images of a test set, brought to the image's size and to metres. NumPy only.

Maps of another size than the images show the same view and are resized, as they are predicted (in depth, or in inverse
depth): bilinear when enlarged, the mean over the covered area when reduced.
"""

import math
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from ..errors import PipelineError
from ..imaging import depth, resize
from . import alignment, ranks

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

# Of each map, and of how many maps, for their order to be judged; by how much rank correlations differ clearly.
_PLACES, _FEWEST, _CLEARLY = 2000, 4, 0.1

# Maps that are looked at: runs of neighbours, among which maps that are shifted by one are seen, all over the test set.
_RUNS, _NEIGHBOURS = 4, 4

# Pixels of the shorter side below which a map shows too little for its view and its order to be judged.
_SMALLEST = 8

# How files are written by mistake: rows of PFM files, say, begin at the bottom.
_TURNS: Dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "upside down": lambda values: values[::-1],
    "mirrored": lambda values: values[:, ::-1],
    "turned by 180 degrees": lambda values: values[::-1, ::-1],
}

# By how much depth may be wrong before another unit is likelier, and the usual ones, in which a metre is so much: files
# of 8 and 16 bit hold 10 m as 255 and 65535, those of KITTI and TUM 1/256 and 1/5000 m. How near to one counts as it.
_PLAUSIBLE = 6.01  # six, and what rounding adds
_UNITS = {
    1: "metres",
    1000: "millimetres",
    100: "centimetres",
    0.1: "tens of metres, as of 0..1 for 10 m",
    25.5: "255 for 10 m, as of 8-bit files",
    6553.5: "65535 for 10 m",
    256: "1/256 m, as in KITTI's files",
    5000: "1/5000 m, as in TUM's files",
}
_NEAR = 1.35

# How far height / width of a map may be from those of its image, in pixels of the smaller of the two.
_MOST_OFF = 1.0


class Predicted:
    """Maps with what their values mean (`unit`) and how they are aligned; subclasses say where they come from."""

    path: str
    unit: str
    alignment: str

    def describe(self) -> Dict[str, Any]:
        """What was scored, as JSON: kind, path, unit, and how maps and images were matched."""
        raise NotImplementedError

    def name(self, index: int) -> str:
        """What the map of image `index` is called in messages."""
        raise NotImplementedError

    def values(self, index: int, rgb: Optional[np.ndarray] = None) -> np.ndarray:
        """The map of image `index`, which is uint8 `rgb` (H, W, 3): (height, width) of any size, in `unit`."""
        raise NotImplementedError

    def _checked(self, values, index):
        """`values`, if they can be of that unit and alignment."""
        wrong = alignment.problem(values, self.unit, self.alignment)
        if wrong:
            raise PipelineError("{}: {}".format(self.name(index), wrong))
        return values

    def depth(
        self,
        values: np.ndarray,
        index: int,
        crop: Tuple[int, int, int, int],
        limits: Tuple[float, float],
        size: Tuple[int, int],
        truth: np.ndarray,
    ) -> np.ndarray:
        """Aligned depth in metres within `limits` inside `crop` of image `index` of `size`: float64 (1, h, w).

        values: those of the image. truth (1, h, w): the ground truth inside the crop, 0 where a pixel does not count.
        Raises PipelineError for a map that shows another view.
        """
        self._check_view(values, index, size)
        stored = fitted(values, size, crop)[np.newaxis]
        if not (truth > 0).any():
            return stored.astype(np.float64)
        return alignment.aligned(stored, truth, self.unit, self.alignment, limits)

    def _check_view(self, values, index, size):
        """Raise PipelineError where a map cannot show an image of `size` (height, width) as a whole."""
        shape = values.shape
        off = abs(shape[0] / shape[1] - size[0] / size[1]) * min(shape[1], size[1])
        if off > _MOST_OFF:
            words = "{}: is {}x{}, its image {}x{}, another aspect ratio; predict the whole image, undistorted"
            raise PipelineError(words.format(self.name(index), *tuple(shape) + tuple(size)))


def fitted(values: np.ndarray, size: Tuple[int, int], crop: Tuple[int, int, int, int]) -> np.ndarray:
    """`values` at `size`, of which only `crop` is wanted; float64 where they are enlarged."""
    if values.shape[0] > size[0] or values.shape[1] > size[1]:
        values = resize.resized(values[..., np.newaxis].astype(np.float32), size)[..., 0]
    if values.shape == tuple(size):
        return values[depth.inside(crop)]
    return depth.enlarge(values.astype(np.float64), size, crop)


def check_unit(maps: Predicted, test_set: "TestSet", trusted: bool) -> None:
    """Raise PipelineError where the ground truth contradicts unit or order of `maps`, unless they are `trusted`."""
    doubt = None if trusted else doubts(maps, test_set)
    if doubt:
        words = "{}: {}; correct that (--unit, the files), or give --trust_unit if it is right"
        raise PipelineError(words.format(maps.path, doubt))


def doubts(maps: Predicted, test_set: "TestSet") -> Optional[str]:
    """What is likely wrong with unit, view or order of `maps`, judged by 16 images at most; None without doubt.

    The medians of map and ground truth are compared, and how both grow: inverse depth falls where depth grows. Each map
    that is not tiny is also compared upside down, mirrored, turned, and with the ground truth of the other images.
    """
    ratios: List[float] = []
    slopes: List[float] = []
    depths: List[float] = []
    constant = 0
    turned: Dict[str, List[float]] = {name: [] for name in _TURNS}
    pairs = []
    for index, rgb, truth, known in _looked_at(test_set):
        height, width = truth.shape
        stored = maps.values(index, rgb)
        constant += bool(stored.min() == stored.max())
        values = fitted(stored, (height, width), (0, height - 1, 0, width - 1))
        found, wanted = values[known], truth[known]
        ratios.append(float(np.median(found) / np.median(wanted)))
        slopes.append(ranks.correlation(found, wanted, _PLACES) or 0.0)
        depths.append(float(np.median(wanted)))
        if min(stored.shape) < _SMALLEST:
            continue
        for name, turn in _TURNS.items():
            turned[name].append(ranks.correlation(turn(values)[known], wanted, _PLACES) or 0.0)
        chosen = np.linspace(0, values.size - 1, min(_PLACES, values.size)).astype(int)
        pairs.append((values.shape, *(one.ravel()[chosen] for one in (values, truth, known))))
    if not ratios:
        return None
    if 2 * constant > len(ratios):
        words = "{} of {} maps hold one value everywhere, as of another output, or of pixels not as the network wants"
        return words.format(constant, len(ratios))
    middle = [float(np.median(one)) for one in (ratios, slopes, depths)]
    inverse = maps.unit in alignment.INVERSE
    view = _turned(slopes, turned, inverse) if len(pairs) == len(slopes) else None
    return view or _doubt(maps.unit, maps.alignment, *middle) or _order(pairs, inverse)


def _looked_at(test_set):
    """(index, rgb, ground truth, where that is known) of the images that are looked at: all of few."""
    following = 0
    for place in _places(test_set.count):
        # In place of an image without ground truth stands a later one.
        for index in range(max(place, following), test_set.count):
            rgb, truth = (one[0] for one in test_set.image(index, holes=True))
            known = np.isfinite(truth) & (truth > 0)
            following = index + 1
            if known.any():
                yield index, rgb, truth, known
                break


def _places(count):
    if count <= _RUNS * _NEIGHBOURS:
        return list(range(count))
    starts = np.linspace(0, count - _NEIGHBOURS, _RUNS).astype(int)
    return [int(start) + place for start in starts for place in range(_NEIGHBOURS)]


def _turned(own, turned, inverse):
    """What is said where most maps follow the ground truth clearly better in another view; names the best."""
    sign = -1 if inverse else 1
    for name, found in sorted(turned.items(), key=lambda one: -sign * sum(one[1])):
        # Of another unit, maps fall with the ground truth as surely as they should grow.
        better = sign * np.array(found) - np.abs(own)
        right = sign * float(np.mean(found))
        if len(own) >= _FEWEST and right > 0.5 and np.median(better) > _CLEARLY and better.mean() > _CLEARLY:
            words = "the maps follow the ground truth better {} (rank correlation {:.2f} instead of {:.2f})"
            return words.format(name, right, sign * float(np.mean(own)))
    return None


def _order(pairs, inverse):
    """What is said where most maps follow the ground truth of another image clearly better than that of their own."""
    # Of other sizes, places are others.
    pairs = [pair for pair in pairs if pair[0] == pairs[0][0]]
    if len(pairs) < _FEWEST:
        return None
    fits = np.array([[ranks.correlation(v[k], t[k]) or 0.0 for _, _, t, k in pairs] for _, v, _, _ in pairs])
    fits *= -1 if inverse else 1
    own, best = np.diag(fits), fits.argmax(axis=1)
    strangers = best != np.arange(len(pairs))
    # A network that predicts one scene always fits some image best.
    if strangers.sum() * 2 <= len(pairs) or len(set(best[strangers])) * 2 <= strangers.sum():
        return None
    if np.mean(fits.max(axis=1) - own) < _CLEARLY:
        return None
    words = (
        "{} of {} maps follow the ground truth of another image than their own (rank correlation {:.2f} instead of "
        "{:.2f}), so they are likely in another order, or of other images"
    )
    return words.format(strangers.sum(), len(pairs), float(fits.max(axis=1).mean()), float(own.mean()))


def _doubt(unit, aligned_by, ratio, slope, typical):
    inverse = unit in ("inverse", "disparity")
    if (slope > 0.5 and inverse) or (slope < -0.5 and not inverse):
        words = "values {} with the ground truth (rank correlation {:.2f}), so they are likely {}, not {}"
        likely = "metres or millimetres" if inverse else "disparity or inverse"
        return words.format("grow" if inverse else "fall", slope, likely, unit)
    if aligned_by != "none":
        return None
    if inverse:
        factor = 1 / (ratio * typical**2) if ratio else math.inf
    else:
        factor = ratio / (1000 if unit == "millimetres" else 1)
    if 1 / _PLAUSIBLE <= factor <= _PLAUSIBLE:
        return None
    words = "of values in {}, the median depth is {:{}} times the ground truth".format(
        "1 / metres" if inverse else unit, factor, ".0f" if 999.5 <= factor < 1e6 else ".3g"
    )
    if inverse:
        return words + ", so they have another scale; multiply them, or choose disparity and an alignment"
    usual = min(_UNITS, key=lambda one: abs(math.log(one / ratio)))
    near = 1 / _NEAR < ratio / usual < _NEAR
    return words + (", so the unit is likely {}".format(_UNITS[usual]) if near else "")
