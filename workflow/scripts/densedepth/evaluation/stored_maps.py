"""Depth maps that another program predicted for the images of a test set, read one at a time. NumPy and Pillow only.

A folder or a .zip of one file an image (.npy, .npz, or .png of 8 or 16 bit), one .npy of (images, height, width), or
one .npz of that or of an array an image. Files are matched with the images by name, where the test set has names that
they bear, and else by the order of the numbers in their names: frame2 before frame10.

Maps of another size than the images show the same view and are resized, as they are stored (in depth, or in inverse
depth): bilinear when enlarged, the mean over the covered area when reduced.
"""

import collections
import io
import os
import tokenize
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Tuple

import numpy as np

from .. import file_names
from ..errors import PipelineError
from ..imaging import depth, resize
from ..imaging.untrusted import DAMAGE, open_image, open_zip, unpacked, visible
from . import alignment

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

# What a folder is searched for, the first of which there is one.
_SUFFIXES = (".npy", ".npz", ".png")

_READING = DAMAGE + (ValueError, SyntaxError, OverflowError, MemoryError, tokenize.TokenError)

# How far height / width of a map may be from those of its image, in pixels of the smaller of the two.
_MOST_OFF = 1.0

# Bytes of the one array of a .npz file, which is unpacked whole; a .npy file is not.
_LARGEST_STACK = 4 << 30

_Read = Callable[[], np.ndarray]


class Maps:
    """The maps of a test set, with what their values mean (`unit`) and how they are aligned. A context manager."""

    def __init__(self, path: str, test_set: "TestSet", unit: str, alignment_name: str) -> None:
        """Find the maps at `path` and match them with the images. Raises PipelineError for any that lacks one."""
        alignment.check(unit, alignment_name)
        self.path = path
        self.unit = unit
        self.alignment = alignment_name
        self._open: List[Any] = []
        try:
            named = self._find(path)
            self._reads, self.matched_by = _matched(path, named, test_set)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> "Maps":
        return self

    def __exit__(self, *exception: Any) -> None:
        for one in self._open:
            one.close()

    def describe(self) -> Dict[str, Any]:
        """What was scored, as JSON: kind, path, unit, and how maps and images were matched."""
        return {"kind": "stored", "path": self.path, "unit": self.unit, "matched_by": self.matched_by}

    def values(self, index: int) -> np.ndarray:
        """The map of image `index` as it is stored: (height, width) of any size, in `unit`.

        Raises PipelineError for a map that cannot be read, has another shape, or values that cannot be.
        """
        name, read = self._reads[index]
        where = os.path.join(self.path, name) if name else self.path
        try:
            values = _flat(read())
        except _READING as error:
            reason = str(error).split("\n")[0] or type(error).__name__
            raise PipelineError("{}: cannot be read ({})".format(where, reason)) from None
        if values.ndim != 2 or values.dtype.kind not in "uif" or not values.size:
            words = "{}: expected numbers (height, width), got {} {}"
            raise PipelineError(words.format(where, values.dtype, values.shape))
        wrong = alignment.problem(values, self.unit, self.alignment)
        if wrong:
            raise PipelineError("{}: {}".format(where, wrong))
        return values

    def depth(
        self,
        index: int,
        crop: Tuple[int, int, int, int],
        limits: Tuple[float, float],
        size: Tuple[int, int],
        truth: np.ndarray,
    ) -> np.ndarray:
        """Aligned depth in metres within `limits` inside `crop` of image `index` of `size`: float64 (1, h, w).

        truth (1, h, w): the ground truth inside the crop, 0 where a pixel does not count. Raises PipelineError as
        `values`, and for a map that shows another view.
        """
        values = self.values(index)
        _check_view(self._reads[index][0] or self.path, values.shape, size)
        fitted = _fitted(values, size, crop)[np.newaxis]
        if not (truth > 0).any():
            return fitted
        return alignment.aligned(fitted, truth, self.unit, self.alignment, limits)

    def _find(self, path):
        """[(name of the map, what reads it)]."""
        if os.path.isdir(path):
            return [(os.path.relpath(one, path), _reader(one)) for one in _chosen(path, file_names.files_below(path))]
        if not os.path.isfile(path):
            raise PipelineError("{}: no such file or folder{}".format(path, file_names.hint(path)))
        suffix = os.path.splitext(path)[1].lower()
        if suffix == ".npy":
            return _stack(path, lambda: np.lib.format.open_memmap(path, mode="r"))
        if suffix in (".zip", ".npz"):
            archive = open_zip(path)
            self._open.append(archive)
            names = _chosen(path, visible(archive))
            if suffix == ".npz" and len(names) == 1:
                return _stack(path, lambda: _decoded(names[0], unpacked(path, archive, names[0], _LARGEST_STACK)))
            return [(name, _member(path, archive, name)) for name in names]
        raise PipelineError("{}: expected a folder, .zip, .npy or .npz of depth maps".format(path))


def _stack(path, read):
    """[("", what gives a map)] of the array (images, height, width) that `read` gives."""
    try:
        array = read()
    except _READING as error:
        raise PipelineError("{}: cannot be read ({})".format(path, str(error).split("\n")[0])) from None
    if array.ndim not in (3, 4) or not len(array):
        words = "{}: expected an array (images, height, width), got {} {}"
        raise PipelineError(words.format(path, array.dtype, array.shape))
    return [("", lambda index=index: array[index]) for index in range(len(array))]


def _chosen(path, names):
    """Those of the files that are maps: of the first of `_SUFFIXES` that one has, in the order of their numbers."""
    names = list(names)
    for suffix in _SUFFIXES:
        found = [name for name in names if name.lower().endswith(suffix)]
        if found:
            return sorted(found, key=file_names.natural)
    raise PipelineError("{}: holds no depth maps ({})".format(path, " ".join(_SUFFIXES)))


def _reader(path):
    def read():
        if path.lower().endswith(".npy"):
            return np.array(np.lib.format.open_memmap(path, mode="r"))
        with open(path, "rb") as stream:
            return _decoded(path, stream.read())

    return read


def _member(path, archive, name):
    return lambda: _decoded(name, unpacked(path, archive, name))


def _decoded(name, data):
    """The array in the bytes of a file; an array of objects is refused."""
    if name.lower().endswith(".png"):
        with open_image(io.BytesIO(data)) as image:
            if image.mode not in ("L", "I", "I;16", "I;16B"):
                raise ValueError("expected grey of 8 or 16 bit, got mode {}".format(image.mode))
            return np.asarray(image)
    loaded = np.load(io.BytesIO(data))
    if isinstance(loaded, np.ndarray):
        return loaded
    if len(loaded.files) != 1:
        raise ValueError("expected one array, got {}".format(", ".join(loaded.files[:5]) or "none"))
    return loaded[loaded.files[0]]


def _matched(path, named, test_set):
    """([(name, what reads it)] in the order of the images, in words by what they were matched)."""
    counts = collections.Counter(_stem(name) for name, _ in named)
    wanted = [_stem(name) for name in test_set.names or ()]
    if not counts.keys().isdisjoint(wanted):
        twice = sorted(stem for stem in set(wanted) if counts[stem] > 1)
        if twice:
            raise PipelineError("{}: has {} maps named {}; keep one".format(path, counts[twice[0]], twice[0]))
        missing = [name for name, stem in zip(test_set.names, wanted) if not counts[stem]]
        if missing:
            words = "{}: has no map for {} of {} images, the first is {}"
            raise PipelineError(words.format(path, len(missing), len(wanted), missing[0]))
        if len(set(wanted)) == len(wanted):
            found = {_stem(one[0]): one for one in named}
            return [found[stem] for stem in wanted], "name"
    if len(named) != test_set.count:
        words = "{}: has {} depth maps, {} has {} images; predict each image once"
        raise PipelineError(words.format(path, len(named), test_set.path, test_set.count))
    return named, "order"


def _stem(name):
    return os.path.splitext(os.path.basename(name))[0]


def _flat(values):
    """Without axes of length 1 beside height and width."""
    values = np.asarray(values)
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    return values


def _check_view(name, shape, size):
    """Raise PipelineError where a map of `shape` cannot show an image of `size` (height, width) as a whole."""
    smaller = min(shape[1], size[1])
    off = abs(shape[0] / shape[1] - size[0] / size[1]) * smaller
    if off > _MOST_OFF:
        words = "{}: is {}x{}, its image {}x{}, another aspect ratio; predict the whole image, undistorted"
        raise PipelineError(words.format(name, *tuple(shape) + tuple(size)))


def _fitted(values, size, crop):
    """`values` at `size`, of which only `crop` is wanted."""
    if values.shape[0] > size[0] or values.shape[1] > size[1]:
        values = resize.resized(values[..., np.newaxis].astype(np.float32), size)[..., 0]
    top, bottom, left, right = crop
    if values.shape == tuple(size):
        return values[top : bottom + 1, left : right + 1].astype(np.float64)
    return depth.enlarge(values.astype(np.float64), size, crop)


def doubts(maps: Maps, test_set: "TestSet", most: int = 16) -> Optional[str]:
    """What is likely wrong with the unit of `maps`, judged by the first `most` images; None without doubt.

    The medians of map and ground truth are compared, and how both grow: inverse depth falls where depth grows.
    """
    ratios: List[float] = []
    slopes: List[float] = []
    for _, truth, numbers in test_set.batches(1, holes=True):
        if len(ratios) == most:
            break
        known = np.isfinite(truth[0]) & (truth[0] > 0)
        if not known.any():
            continue
        values = _fitted(maps.values(numbers[0]), truth.shape[1:3], (0, truth.shape[1] - 1, 0, truth.shape[2] - 1))
        found, wanted = values[known], truth[0][known]
        ratios.append(float(np.median(found) / np.median(wanted)))
        slopes.append(_rank_correlation(found, wanted))
    return _doubt(maps.unit, maps.alignment, float(np.median(ratios)), float(np.median(slopes))) if ratios else None


def _rank_correlation(x, y, most=2000):
    """Spearman's, of evenly chosen values."""
    step = max(1, len(x) // most)
    ranks = [np.argsort(np.argsort(values[::step])).astype(np.float64) for values in (x, y)]
    first, second = (one - one.mean() for one in ranks)
    length = np.sqrt(np.dot(first, first) * np.dot(second, second))
    return float(np.dot(first, second) / length) if length else 0.0


def _doubt(unit, aligned_by, ratio, slope):
    inverse = unit in ("inverse", "disparity")
    if (slope > 0.5 and inverse) or (slope < -0.5 and not inverse):
        words = "values {} with the ground truth (rank correlation {:.2f}), so they are likely {}, not {}"
        likely = "metres or millimetres" if inverse else "disparity or inverse"
        return words.format("grow" if inverse else "fall", slope, likely, unit)
    if unit == "metres" and aligned_by == "none":
        for factor, name in ((1000, "millimetres"), (100, "centimetres"), (0.1, "tens of metres, as of 0..1 for 10 m")):
            if factor / 1.8 < ratio < factor * 1.8:
                return "the median value is {:.3g} times the ground truth, so the unit is likely {}".format(ratio, name)
    if unit == "millimetres" and aligned_by == "none" and not 50 < ratio < 20000:
        return "the median value is {:.3g} times the ground truth in metres, so the unit is likely metres".format(ratio)
    return None
