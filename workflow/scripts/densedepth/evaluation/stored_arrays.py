"""Arrays for the images of a test set, one for each, read one at a time. NumPy and Pillow only.

A folder or an archive (.zip, .tar) of one file an image, of a kind that `array_files` reads (.npy, .npz, .png of 8 or
16 bit, .tif, .exr, .pfm), one .npy of (images, height, width), or one .npz of that or of an array an image. Files are
matched with the images by name, where the test set has names that they bear, and else by the order of the numbers in
their names: frame2 before frame10.
"""

import collections
import contextlib
import functools
import os
import re
from typing import TYPE_CHECKING, Any, Callable, Collection, Dict, Iterator, List, Optional, Tuple, TypeVar

import numpy as np

from .. import file_names
from ..data import array_files, trees
from ..errors import PipelineError
from ..imaging.untrusted import open_zip, unpacked, visible
from .more_metrics import OF_PLANES

if TYPE_CHECKING:
    from ..data.test_archive import TestSet

# What a folder or an archive is searched for, the first of which there is one.
_SUFFIXES = (".npy", ".npz", ".png", ".tif", ".tiff", ".exr", ".pfm")

# What may lie in an archive instead, as another one.
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")

_READING = (*array_files.READING, MemoryError)

# Bytes of the one array of a .npz file, which is unpacked whole; a .npy file is not.
_LARGEST_STACK = 4 << 30

# Maps that are named in a message.
_FEW = 4

_Self = TypeVar("_Self", bound="Arrays")
_Read = Callable[[], np.ndarray]


class Arrays:
    """An array (height, width) for each image of a test set. A context manager."""

    def __init__(self, path: str, test_set: "TestSet") -> None:
        """Find the arrays at `path` and match them with the images. Raises PipelineError for any that lacks one."""
        self.path = path
        self._open: List[Any] = []
        try:
            named, unread = self._find(path, test_set.count)
            self._reads, self.matched_by = _matched(path, named, test_set, unread)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        for one in self._open:
            one.close()

    def name(self, index: int) -> str:
        """The name of the file of image `index`, for messages."""
        return os.path.join(self.path, self._reads[index][0]) if self._reads[index][0] else self.path

    def array(self, index: int) -> np.ndarray:
        """The array of image `index` as it is stored. Raises PipelineError for one that is not of numbers (h, w)."""
        where = self.name(index)
        try:
            values = flat(self._reads[index][1]())
        except _READING as error:
            # Data to train on have another way out.
            reason, several, _ = str(error).split("\n")[0].partition("; name one")
            reason = (reason or type(error).__name__) + ("; save the depth alone" if several else "")
            raise PipelineError("{}: cannot be read ({})".format(where, reason)) from None
        if values.ndim != 2 or values.dtype.kind not in "uif" or not values.size:
            words = "{}: expected numbers (height, width), got {} {}{}"
            colours = "; colours are no depth, write the map itself" if values.ndim == 3 else ""
            raise PipelineError(words.format(where, values.dtype, values.shape, colours))
        return values

    def _find(self, path, count):
        """([(name of the array, what reads it)] for so many images, what a message says of files that are not read)."""
        suffix = os.path.splitext(path)[1].lower()
        if os.path.isfile(path) and suffix == ".npy":
            return _stack(path, count, lambda: np.lib.format.open_memmap(path, mode="r")), ""
        if os.path.isfile(path) and suffix not in (".npz", ".zip", ".tar"):
            raise PipelineError("{}: expected a folder, .zip, .tar, .npy or .npz of depth maps".format(path))
        if suffix == ".npz":
            archive = open_zip(path)
            self._open.append(archive)
            names = list(visible(archive))
            if len(names) == 1:
                read = functools.partial(unpacked, path, archive, names[0], _LARGEST_STACK)
                return _stack(path, count, lambda: array_files.npy(read())), ""
        tree = trees.open_tree(path)
        self._open.append(tree)
        names = list(tree.names())
        chosen = _chosen(path, names)
        reads = [(name, lambda name=name: array_files.load(tree, name)) for name in chosen]
        return reads, _unread(names, chosen)


class Planes(Arrays):
    """The numbers of the planes in each image, 0 where there is none, at the image's own size."""

    def __call__(self, index: int, size: Tuple[int, int]) -> np.ndarray:
        """Those of image `index` of `size`, integers (height, width). Raises PipelineError for those of another one."""
        numbers = self.array(index)
        if numbers.shape != tuple(size):
            words = "{}: is {}x{}, its image {}x{}; numbers of planes cannot be resized"
            raise PipelineError(words.format(self.name(index), *numbers.shape + tuple(size)))
        whole = numbers.astype(np.int64)
        if (whole != numbers).any():
            raise PipelineError("{}: expected numbers of planes, 0 where there is none".format(self.name(index)))
        return whole


@contextlib.contextmanager
def opened_planes(path: str, test_set: "TestSet", wanted: Collection[str] = ()) -> Iterator[Optional[Planes]]:
    """A context manager with those stored at `path`; with None where it is empty.

    Raises PipelineError where it is empty and the metrics `wanted` name one of planes.
    """
    if not path:
        for name in sorted(OF_PLANES.intersection(wanted)):
            raise PipelineError("metric {}: needs the planes of the test images; name them by --planes".format(name))
        yield None
        return
    with Planes(path, test_set) as planes:
        yield planes


def _stack(path, count, read):
    """[("", what gives a map)] of the array (images, height, width) that `read` gives, of so many images."""
    try:
        array = read()
    except _READING as error:
        raise PipelineError("{}: cannot be read ({})".format(path, str(error).split("\n")[0])) from None
    if array.ndim not in (3, 4) or not len(array):
        words = "{}: expected an array (images, height, width), got {} {}"
        raise PipelineError(words.format(path, array.dtype, array.shape))
    if array.ndim == 3 and len(array) != count == array.shape[2]:
        words = (
            "{}: expected an array (images, height, width), got {}: its images are the last axis; move it to the front"
        )
        raise PipelineError(words.format(path, array.shape))
    return [("", lambda index=index: array[index]) for index in range(len(array))]


def _of_kind(names, suffix):
    return [name for name in names if name.lower().endswith(suffix)]


def _unread(names, chosen):
    """What a message adds on files that would be maps as well, of another kind than those that are; "" without any."""
    kind = os.path.splitext(chosen[0])[1].lower()
    others = [suffix for suffix in _SUFFIXES if suffix != kind and _of_kind(names, suffix)]
    words = "; its {} {} files were not read, since maps are of one kind"
    return words.format(len(_of_kind(names, others[0])), others[0]) if others else ""


def _chosen(path, names):
    """Those of the files that are maps: of the first of `_SUFFIXES` that one has, in the order of their numbers."""
    for suffix in _SUFFIXES:
        found = _of_kind(names, suffix)
        if found:
            return sorted(found, key=file_names.natural)
    words = "{}: holds no depth maps ({})".format(path, " ".join(_SUFFIXES))
    if names:
        words += ", but {}".format(names[0])
        words += "; unpack that and name its folder" if names[0].lower().endswith(_PACKED) else ""
    raise PipelineError(words)


def _matched(path, named, test_set, unread):
    """([(name, what reads it)] in the order of the images, in words by what they were matched).

    unread: what is said of files that were left out, where images lack a map.
    """
    counts = collections.Counter(_stem(name) for name, _ in named)
    wanted = [_stem(name) for name in test_set.names or ()]
    if not counts.keys().isdisjoint(wanted):
        twice = sorted(stem for stem in set(wanted) if counts[stem] > 1)
        if twice:
            raise PipelineError("{}: has {} maps named {}; keep one".format(path, counts[twice[0]], twice[0]))
        missing = [name for name, stem in zip(test_set.names, wanted) if not counts[stem]]
        if missing:
            words = "{}: has no map for {} of {} images, the first is {}{}"
            raise PipelineError(words.format(path, len(missing), len(wanted), missing[0], unread))
        if len(set(wanted)) == len(wanted):
            found = {_stem(one[0]): one for one in named}
            return [found[stem] for stem in wanted], "name"
    lacking = _numbers_between(path, [name for name, _ in named])
    if len(named) != test_set.count:
        words = "{}: has {} depth maps, {} has {} images; predict each image once"
        words = words.format(path, len(named), test_set.path, test_set.count)
        if lacking:
            words += " (there is no number {})".format(lacking[0])
        elif named[0][0] and len(named) <= _FEW:
            words += " (it holds {})".format(", ".join(name for name, _ in named))
        raise PipelineError(words + (unread if len(named) < test_set.count else ""))
    unnumbered = [name for name, _ in named if name and not re.search("[0-9]", name)]
    if unnumbered and len(named) > 1:
        words = "{}: {} has no number in its name, so its image is not known; name each map by the number of its image"
        raise PipelineError(words.format(path, unnumbered[0]))
    return named, "order"


def _numbers_between(path, names):
    """Of files that are named by whole numbers, those between the first and the last that none has.

    Raises PipelineError for two files of one number.
    """
    stems = [_stem(name) for name in names]
    if not all(stem.isdigit() for stem in stems):
        return []
    by_number: Dict[int, str] = {}
    for name, stem in zip(names, stems):
        if by_number.setdefault(int(stem), name) != name:
            words = "{}: {} and {} are both number {}; keep one"
            raise PipelineError(words.format(path, by_number[int(stem)], name, int(stem)))
    return [number for number in range(min(by_number), max(by_number)) if number not in by_number]


def _stem(name):
    return os.path.splitext(os.path.basename(name))[0]


def flat(values: Any) -> np.ndarray:
    """`values` without axes of length 1 beside height and width."""
    values = np.asarray(values)
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    return values
