"""Images in the columns of parquet files, as the hub of Hugging Face keeps data sets: a row is a pair.

A value is the bytes of an image file, alone or as the field `bytes` beside its `path`; or nested lists of numbers,
which are read as an array (`.npy`). Which of them is told by the first row; other columns are left out. A group of rows
is read at once, so memory is that of the largest one.
"""

import io
import os
import sys
from typing import Any, Dict, Optional, Tuple

import numpy as np

from .. import file_kinds
from ..errors import PipelineError
from ..imaging.untrusted import LARGEST

# How image files begin.
_BEGINNINGS = {b"\xff\xd8\xff": ".jpg", b"\x89PNG": ".png", b"II*\0": ".tif", b"MM\0*": ".tif", b"\x93NUMPY": ".npy"}


class ParquetFile:
    """A parquet file, open: `rows` of its columns that are images, {name: suffix of its files}."""

    def __init__(self, path: str) -> None:
        self.path = path
        parquet = _library(path)
        try:
            self._file: Any = parquet.ParquetFile(path)
            first: Any = self._file.read_row_group(0).slice(0, 1) if self._file.num_row_groups else None
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from None
        self.rows: int = self._file.metadata.num_rows
        self.columns: Dict[str, str] = {}
        for name in first.column_names if first else ():
            suffix = _suffix(_data(first[name].combine_chunks()[0]))
            if suffix:
                self.columns[name] = suffix
        # The group of rows that was read last: its number, and its columns.
        self._group: Tuple[Optional[int], Any] = (None, None)

    def read(self, column: str, row: int) -> bytes:
        """The file in a column and a row. Raises PipelineError for damage, and for one that is not there."""
        group, place = 0, row
        while place >= self._file.metadata.row_group(group).num_rows:
            place -= self._file.metadata.row_group(group).num_rows
            group += 1
        if self._group[0] != group:
            try:
                table = self._file.read_row_group(group, columns=list(self.columns))
            except (OSError, ValueError) as error:
                raise _damaged(self.path, error) from None
            self._group = (group, {name: table[name].combine_chunks() for name in self.columns})
        data = _data(self._group[1][column][place])
        if data is None or len(data) > LARGEST:
            words = "{}: row {} of the column {} is empty, or larger than {} bytes"
            raise PipelineError(words.format(self.path, row, column, LARGEST))
        return data

    def forget(self) -> None:
        """Give back the memory of the last group of rows."""
        self._group = (None, None)

    def close(self) -> None:
        """Close the file."""
        self.forget()
        self._file.close()


def _library(path):
    try:
        import pyarrow.parquet
    except ImportError:
        raise PipelineError(
            "{}: reading parquet needs pyarrow, which {} lacks: `make formats` installs it for the current TensorFlow; "
            "set `runtime: tf2`".format(path, sys.executable)
        ) from None
    return pyarrow.parquet


def _damaged(path, error):
    file_kinds.refuse(path, "a parquet file")
    words = "{}: not a readable parquet file, or a truncated one ({} bytes: {}); get it again"
    return PipelineError(words.format(path, os.path.getsize(path), " ".join(str(error).split())[:200]))


def _data(value) -> Optional[bytes]:
    """What a value of a column holds, as the bytes of a file; None for what is no image."""
    kind = str(value.type)
    if kind.startswith("struct<") and "bytes" in kind:
        value = value["bytes"]
        kind = str(value.type)
    if not value.is_valid:
        return None
    if kind in ("binary", "large_binary"):
        return bytes(value.as_py())
    if "list<" not in kind:
        return None
    array, counts = value.values, [len(value.values)]
    while "list<" in str(array.type):
        array = array.flatten()
        counts.append(len(array))
    # Lists of different lengths fill no array.
    shape = counts[:1] + [after // max(before, 1) for before, after in zip(counts, counts[1:])]
    stream = io.BytesIO()
    try:
        np.save(stream, array.to_numpy(zero_copy_only=False).reshape(shape), allow_pickle=False)
    except ValueError:
        return None
    return stream.getvalue()


def _suffix(data):
    return next((suffix for begin, suffix in _BEGINNINGS.items() if (data or b"").startswith(begin)), None)
