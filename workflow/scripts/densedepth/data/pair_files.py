"""The files of the pairs of a list: images and depth in metres, read from wherever they lie."""

import os
from typing import Any, Dict, Tuple

import numpy as np

from .. import file_names
from ..errors import PipelineError
from ..imaging.untrusted import picture
from ..imaging.upright import upright_rgb
from . import array_files, laser_scan, stored_depth
from .array_files import READING
from .train_archive import Row
from .trees import Folder, open_tree

# What files should be, in words.
_KINDS = dict.fromkeys(array_files.HDF5, "HDF5")
_KINDS.update(dict.fromkeys((".png", ".tif", ".tiff"), "an image"))
_KINDS.update({".npy": "a NumPy array", ".npz": "NumPy arrays"})


class PairFiles:
    """Reads the files of the pairs of one split of a list, whose `content` is as `custom_pairs.SCHEMA` says."""

    def __init__(self, content: Dict[str, Any], split: str) -> None:
        self._content, self._split = content, split
        self._entries = {entry["row"]: entry for entry in content["rows"] if entry["split"] == split}
        # What is custom has paths that start from the working folder.
        self.tree = open_tree(content["tree"]) if content.get("tree") else Folder("")
        self.settings: Dict[str, Any] = dict({"invalid": [content["hole"]]}, **content.get("depth", {}))
        # The last depth that was read, for what is asked about it.
        self._last: Tuple[str, Any] = ("", None)

    def picture(self, row: Row) -> np.ndarray:
        """The image, upright, uint8 (H, W, 3)."""
        if array_files.suffix(row.rgb) in (".npy",) + array_files.HDF5:
            array = self._array(row, row.rgb)
            if array.ndim == 3 and array.shape[0] == 3 != array.shape[2]:
                # Plane by plane, four times as fast as a transposed copy.
                planes, array = array, np.empty(array.shape[1:] + (3,), array.dtype)
                for number, plane in enumerate(planes):
                    array[..., number] = plane
            if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
                raise self.error(row, row.rgb, "expected uint8 (height, width, 3), got {} {}", array.dtype, array.shape)
            return np.ascontiguousarray(array)
        try:
            return upright_rgb(picture(self.read(row, row.rgb)))[0]
        except READING as error:
            raise self.error(row, row.rgb, "cannot be read as an image ({})", words(error)) from None

    def measured(self, row: Row) -> np.ndarray:
        """Depth in metres, however great, 0 for what was not measured."""
        values, entry = self.stored(row), self._entries[row.number]
        unit = entry.get("metres_per_unit", self._content["metres_per_unit"])
        try:
            mask = array_files.flat(self._array(row, entry["mask"])) if entry.get("mask") else None
            return stored_depth.in_metres(values, unit, self.settings, mask)
        except array_files.Expected as error:
            raise self.error(row, entry["mask"], "{}", error) from None

    def stored(self, row: Row) -> np.ndarray:
        """The values of the depth as they are stored, (height, width)."""
        if self._last[0] == row.depth:
            return self._last[1]
        values = self._array(row, row.depth)
        try:
            values = array_files.flat(stored_depth.decoded(values, self.settings.get("encoding", "plain")))
            bits = self._entries[row.number].get("bits")
            if bits and bits != (8 if values.dtype.itemsize == 1 else 16):
                words_ = "expected depth of {} bits, got {}; it would be of another unit"
                raise array_files.Expected(words_.format(bits, 24 - bits))
            self._last = (row.depth, values)
            return values
        except array_files.Expected as error:
            raise self.error(row, row.depth, "{}", error) from None

    def _array(self, row, name):
        """The array in the file `name`; of the depth with what the list says of its files."""
        settings = self.settings if name == row.depth else {}
        raw = settings.get("raw_size")
        if raw == "picture":
            raw = self.picture(row).shape[:2]
        try:
            if laser_scan.is_scan(name):
                return laser_scan.depth_map(self.tree, name, self.picture(row).shape[:2])
            return array_files.load(self.tree, name, settings.get("variable", ""), raw)
        except array_files.Expected as error:
            raise self.error(row, name, "{}", error) from None
        except READING as error:
            kind = "an array" if raw else _KINDS.get(array_files.suffix(name), "an array")
            raise self.error(row, name, "cannot be read as {} ({})", kind, words(error)) from None
        except PipelineError as error:
            # Of an archive, which knows nothing of rows.
            raise PipelineError("{}: {}".format(self._where(row), error)) from None

    def read(self, row: Row, name: str) -> bytes:
        """The bytes of one of the files of `row`."""
        try:
            return self.tree.read(name)
        except PipelineError as error:
            raise PipelineError("{}: {}".format(self._where(row), error)) from None

    def _where(self, row):
        """The source and the row; of a data set, whose splits are counted apart, with the split."""
        split = "{} ".format("test" if self._split == "test" else "train") if self._content.get("tree") else ""
        return "{}: {}row {}".format(self._content["source"][0], split, row.number)

    def error(self, row: Row, path: str, text: str, *values: Any) -> PipelineError:
        """What to raise for the file `path` of `row`: source, row and file before the formatted `text`."""
        where = "{}, {}: ".format(self._where(row), path)
        return PipelineError(
            where + text.format(*values) + file_names.hint(path, os.path.dirname(self._content["source"][0]))
        )


def words(error: BaseException) -> str:
    """What is wrong with a file, in a few words on one line."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
