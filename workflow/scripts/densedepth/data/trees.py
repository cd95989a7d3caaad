"""The files of a data set by name, whether they lie in a folder, in zip files or in tar files.

Names are relative to the tree, with `/` between folders, whatever the archive has; hidden files, such as macOS' forks,
are not among them. A part within a file is `name::variable` or `name::variable::index` (see `array_files`).
"""

import os
import shlex
import tarfile
from typing import Any, Dict, List, Optional, Tuple

from .. import file_kinds, file_names, files
from ..errors import PipelineError
from ..imaging.untrusted import DAMAGE, LARGEST, open_zip, unpacked
from .parquet import ParquetFile

_TAR_SUFFIXES = (".tar",)
_PARQUET = (".parquet",)
_PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Tree:
    """Files by name. A context manager."""

    words = "a folder"

    def __init__(self, path: str) -> None:
        self.path = path
        self._names: Optional[List[str]] = None
        # Open files of arrays, which `array_files` keeps here.
        self.kept: Dict[str, Any] = {}

    def __enter__(self) -> "Tree":
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self.close_kept()

    def close_kept(self) -> None:
        """Close the open files of arrays."""
        while self.kept:
            self.kept.popitem()[1].close()

    def names(self) -> List[str]:
        """The names of all files, sorted."""
        if self._names is None:
            self._names = sorted(self._list())
        return self._names

    def _list(self) -> List[str]:
        raise NotImplementedError

    def read(self, name: str) -> bytes:
        """The bytes of the file `name`. Raises PipelineError, one line that names it."""
        raise NotImplementedError

    def local(self, name: str) -> Optional[str]:
        """The path of `name` on the disk; None within an archive."""
        return None

    def state(self, names: List[str]) -> str:
        """Text that differs once one of the files `names` was changed."""
        return files.state([self.path])


class Folder(Tree):
    """A folder; or single files, given by their absolute paths, where `path` is empty."""

    def _list(self) -> List[str]:
        return [os.path.relpath(path, self.path).replace(os.sep, "/") for path in file_names.files_below(self.path)]

    def local(self, name: str) -> Optional[str]:
        return os.path.join(self.path, name)

    def read(self, name: str) -> bytes:
        path = os.path.join(self.path, name)
        if os.path.getsize(path) > LARGEST:
            raise PipelineError("{}: has {} bytes, more than {}".format(path, os.path.getsize(path), LARGEST))
        with open(path, "rb") as stream:
            return stream.read()

    def state(self, names: List[str]) -> str:
        return files.state(os.path.join(self.path, name) for name in names)


class Beside(Folder):
    """A single file with those of the same suffix beside it, such as the two `.mat` files of NYU."""

    words = "a file"

    def __init__(self, path: str) -> None:
        super().__init__(os.path.dirname(path) or ".")
        self._main = os.path.basename(path)

    def _list(self) -> List[str]:
        suffix = os.path.splitext(self._main)[1]
        return [name for name in os.listdir(self.path) if name.endswith(suffix) and not file_names.hidden(name)]


class Zip(Tree):
    """A zip file. Backslashes in names, as some programs on Windows write them, count as `/`."""

    words = "a zip file"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._zip = open_zip(path)
        self._members = {
            name.replace("\\", "/"): name
            for name in self._zip.namelist()
            if not name.endswith(("/", "\\")) and not any(map(file_names.hidden, name.replace("\\", "/").split("/")))
        }

    def close(self) -> None:
        super().close()
        self._zip.close()

    def _list(self) -> List[str]:
        return list(self._members)

    def read(self, name: str) -> bytes:
        try:
            return unpacked(self.path, self._zip, self._members[name])
        except KeyError:
            raise PipelineError("{}: has no {}".format(self.path, name)) from None
        except DAMAGE as error:
            raise PipelineError(
                "{}: {}: damaged member ({}); get the archive again".format(self.path, name, error)
            ) from None


class Zips(Folder):
    """A folder with zip files, whose members count as if they had been unpacked where the zip file lies."""

    words = "a folder with zip files"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        # Members by name, as the zip file and their names in it.
        self._packed: Dict[str, Tuple[Zip, str]] = {}
        self._zips: List[Zip] = []
        try:
            for name in super()._list():
                if name.lower().endswith(".zip"):
                    self._add(name)
        except BaseException:
            self.close()
            raise

    def _add(self, name):
        archive = Zip(os.path.join(self.path, name))
        self._zips.append(archive)
        folder = os.path.dirname(name)
        for member in archive.names():
            self._packed.setdefault("{}/{}".format(folder, member) if folder else member, (archive, member))

    def close(self) -> None:
        super().close()
        for archive in self._zips:
            archive.close()

    def _list(self) -> List[str]:
        return list({name for name in super()._list() if not name.lower().endswith(".zip")} | set(self._packed))

    def local(self, name: str) -> Optional[str]:
        path = super().local(name)
        return None if name in self._packed and not os.path.exists(path or "") else path

    def read(self, name: str) -> bytes:
        if self.local(name):
            return super().read(name)
        archive, member = self._packed[name]
        return archive.read(member)

    def state(self, names: List[str]) -> str:
        packed = [name for name in names if not self.local(name)]
        found = files.state(sorted({self._packed[name][0].path for name in packed}))
        return found + super().state([name for name in names if self.local(name)])


class Tars(Tree):
    """Tar files: one, or all of a folder. A name begins with that of its tar file without suffix."""

    words = "tar files"

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._places: Dict[str, Tuple[str, int, int]] = {}
        tars = [path] if os.path.isfile(path) else list(_tars_of(path))
        for tar in tars:
            self._scan(tar)

    def _scan(self, tar):
        stem = os.path.splitext(os.path.basename(tar))[0]
        size, entry = os.path.getsize(tar), None
        try:
            # Uncompressed only: members of a compressed one cannot be read one by one.
            with tarfile.open(tar, "r:") as archive:
                for entry in archive:
                    if entry.isreg() and not any(map(file_names.hidden, entry.name.split("/"))):
                        name = "{}/{}".format(stem, os.path.normpath(entry.name).lstrip("/"))
                        self._places[name] = (tar, entry.offset_data, entry.size)
                    if entry.offset_data + entry.size > size:
                        raise tarfile.ReadError("{} goes beyond the end".format(entry.name))
        except (tarfile.TarError, OSError, EOFError) as error:
            file_kinds.refuse(tar, "a tar archive") if entry is None else None
            raise PipelineError(
                "{}: truncated or damaged tar archive ({}; {} bytes); get it again".format(tar, error, size)
            ) from None
        with open(tar, "rb") as stream:
            stream.seek(max(0, size - 512))
            if stream.read().strip(b"\0"):
                raise PipelineError("{}: truncated, it has no end mark ({} bytes); get it again".format(tar, size))

    def _list(self) -> List[str]:
        return list(self._places)

    def read(self, name: str) -> bytes:
        try:
            tar, start, size = self._places[name]
        except KeyError:
            raise PipelineError("{}: has no {}".format(self.path, name)) from None
        if size > LARGEST:
            raise PipelineError("{}: {} has {} bytes, more than {}".format(tar, name, size, LARGEST))
        with open(tar, "rb") as stream:
            stream.seek(start)
            return stream.read(size)

    def state(self, names: List[str]) -> str:
        return files.state(sorted({self._places[name][0] for name in names if name in self._places}))


class Parquets(Tree):
    """The parquet files `paths` below the folder `path`, or at it, see `parquet`.

    Row 12 of the column `depth_map` of `train-00000-of-00008.parquet` is the file
    `train-00000-of-00008/depth_map/000012.tif`.
    """

    words = "parquet files"

    def __init__(self, path: str, paths: List[str]) -> None:
        super().__init__(path)
        top = path if os.path.isdir(path) else os.path.dirname(path)
        self._files: Dict[str, ParquetFile] = {}
        for one in paths:
            self._files[os.path.splitext(os.path.relpath(one, top))[0].replace(os.sep, "/")] = ParquetFile(one)
        self._last: Optional[ParquetFile] = None

    def close(self) -> None:
        super().close()
        for file in self._files.values():
            file.close()

    def _list(self) -> List[str]:
        return [
            "{}/{}/{:06d}{}".format(stem, column, row, suffix)
            for stem, file in self._files.items()
            for column, suffix in file.columns.items()
            for row in range(file.rows)
        ]

    def read(self, name: str) -> bytes:
        stem, column, last = (["", ""] + name.rsplit("/", 2))[-3:]
        file, row = self._files.get(stem), os.path.splitext(last)[0]
        if file is None or column not in file.columns or not row.isdigit() or int(row) >= file.rows:
            raise PipelineError("{}: has no {}".format(self.path, name))
        if self._last and self._last is not file:
            self._last.forget()
        self._last = file
        return file.read(column, int(row))

    def state(self, names: List[str]) -> str:
        return files.state(sorted({self._files[name.rsplit("/", 2)[0]].path for name in names}))


def _tars_of(folder):
    return _ending(folder, _TAR_SUFFIXES)


def _ending(folder, suffixes):
    return [path for path in file_names.files_below(folder) if path.lower().endswith(suffixes)]


def packed_advice(path: str) -> str:
    """How to unpack the compressed archives in the folder `path`, led by "; "; empty where it has none."""
    found = _ending(path, (*_PACKED_TARS, ".7z")) if os.path.isdir(path) else []
    if not found:
        return ""
    words = "7z x {} -o{}" if found[0].endswith(".7z") else "tar xf {} -C {}"
    folder, first = shlex.quote(os.path.dirname(found[0])), shlex.quote(found[0])
    return "; unpack its compressed archives: {}{}".format(words.format(first, folder), " ..." if found[1:] else "")


def open_tree(path: str) -> Tree:
    """The files at `path`: a folder (with tar, parquet or zip files), one such file, or arrays and those beside them.

    Raises PipelineError, with the way out, for a path that is not there and for an archive that is not read here.
    """
    if not os.path.exists(path):
        advice = file_names.hint(path) or "; download the data or put them there by hand"
        raise PipelineError("{}: no such file or folder{}".format(path, advice))
    if os.path.isdir(path):
        if _tars_of(path):
            return Tars(path)
        if _ending(path, _PARQUET):
            return Parquets(path, _ending(path, _PARQUET))
        return Zips(path) if _ending(path, (".zip",)) else Folder(path)
    if path.lower().endswith(_PACKED_TARS):
        raise PipelineError(
            "{}: members of a compressed tar archive cannot be read one by one; unpack it: tar xf {}, and give the "
            "folder".format(path, path)
        )
    if path.lower().endswith(_TAR_SUFFIXES):
        return Tars(path)
    if path.lower().endswith(_PARQUET):
        return Parquets(path, [path])
    if path.lower().endswith((".mat", ".h5", ".hdf5")):
        return Beside(path)
    return Zip(path)
