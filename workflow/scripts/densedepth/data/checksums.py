"""Verification of files: by a published checksum, or by their format and the checksum seen first."""

import os
import struct
import zipfile
from typing import Iterable, Optional

from .. import file_kinds, files, metadata

# Beside the files, what those looked like that have no published checksum.
SEEN = "checksums.json"
# Suffixes of files that may look like a web page.
_PAGES = (".html", ".htm", ".xhtml", ".xml", ".txt")
_HDF5 = b"\x89HDF\r\n\x1a\n"


class Sums:
    """What a file must be: `sha256` or `md5`, and `size` in bytes, each None where it is not known.

    older: MD5 sums of an older release of the file, which is taken with a warning.
    """

    def __init__(
        self,
        sha256: Optional[str] = None,
        md5: Optional[str] = None,
        size: Optional[int] = None,
        older: Iterable[str] = (),
    ) -> None:
        self.sha256 = sha256 and sha256.strip().lower()
        self.md5 = md5 and md5.strip().lower()
        self.size = size
        self.older = [sum.strip().lower() for sum in older]

    @property
    def known(self) -> bool:
        """Whether there is a published checksum."""
        return bool(self.sha256 or self.md5)

    def problem(self, path: str, out: str) -> Optional[str]:
        """The first mismatch of size or digest of the file at `path`, which is or will become `out`; or None."""
        size = os.path.getsize(path)
        if self.size is not None and size != self.size:
            return "expected {} bytes, got {}".format(self.size, size)
        for name, wanted, digest in (("SHA-256", self.sha256, files.sha256), ("MD5", self.md5, files.md5)):
            found = digest(path) if wanted else None
            if found == wanted:
                continue
            if name == "MD5" and found in self.older:
                print("{}: warning: an older release of this file (MD5 {})".format(out, found), flush=True)
                continue
            return "expected {} {}, got {} ({} bytes)".format(name, wanted, found, size)
        return None


def problem(path: str, sums: Sums, out: str) -> Optional[str]:
    """What is wrong with the file at `path` that is, or is to become, `out`; None when nothing is."""
    if os.path.isdir(path):
        return "expected a file, got a folder"
    found = sums.problem(path, out)
    if sums.known and not found:
        return None
    return _web_page(path, out) or found or cut_off(path) or _other_kind(path, out) or _other_than_seen(path, out)


def _seen(out):
    """{name: SHA-256} of the files without a published checksum in the folder of `out`."""
    path = os.path.join(os.path.dirname(os.path.abspath(out)), SEEN)
    return metadata.read(path, metadata.Map(metadata.SHA256)) if os.path.exists(path) else {}


def _other_than_seen(path, out):
    noted = _seen(out).get(os.path.basename(out))
    if noted is None:
        return None
    found = files.sha256(path)
    if found == noted:
        return None
    return "SHA-256 is {}, but {} was seen first; if the file was meant to change, remove its line from {}".format(
        found, noted, os.path.join(os.path.dirname(out), SEEN)
    )


def note_seen(path: str, out: str) -> None:
    """Note the checksum of the file at `path`, which is to become `out`, as the one seen first."""
    folder, name = os.path.split(os.path.abspath(out))
    # Downloads of several files end at the same time.
    with files.lock(os.path.join(folder, "." + SEEN + ".lock"), "noting a checksum", patience=60):
        files.write_json(os.path.join(folder, SEEN), dict(_seen(out), **{name: files.sha256(path)}))


def cut_off(path: str) -> Optional[str]:
    """What is wrong with a zip or HDF5 file that says itself that there must be more of it, or None."""
    head, size = _head(path), os.path.getsize(path)
    if head[:4] == b"PK\x03\x04" and not zipfile.is_zipfile(path):
        return "the zip file is cut off ({} bytes)".format(size)
    start = _hdf5_start(head)
    if start is None:
        return None
    # The place of the end address in the superblock, by its version: HDF5 File Format Specification, II.A.
    place = {0: 40, 1: 44, 2: 28, 3: 28}.get(head[start + 8] if size > start + 8 else 0)
    if place and size < start + place + 8:
        return "the HDF5 file is cut off ({} bytes)".format(size)
    end = struct.unpack_from("<Q", head, start + place)[0] if place else 0
    return "the HDF5 file is cut off ({} of {} bytes)".format(size, end) if end > size else None


def _web_page(path, out):
    """That the file is a page of HTML, as servers send one with an error or a question, or None."""
    head = _head(path)
    if not file_kinds.web_page(head) or os.path.splitext(out)[1].lower() in _PAGES:
        return None
    words = "it is a web page that begins with {!r}, such as an error or a login; does the address ask for one?"
    return words.format(head[:40])


def _other_kind(path, out):
    """What the file is instead of what the suffix of `out` says, or None."""
    head, suffix = _head(path), os.path.splitext(out)[1].lower()
    if not head:
        return "it is empty"
    hdf5 = _hdf5_start(head) is not None
    kind, fits = {
        ".zip": ("a zip file", zipfile.is_zipfile(path)),
        ".h5": ("an HDF5 file", hdf5),
        ".mat": ("a MATLAB file", hdf5 or head.startswith(b"MATLAB 5")),
        ".tar": ("a tar archive", file_kinds.of(head) == "a tar archive"),
        **dict.fromkeys((".gz", ".tgz"), ("packed by gzip", head.startswith(b"\x1f\x8b"))),
        ".7z": ("a 7z archive", file_kinds.of(head) == "a 7z archive"),
    }.get(suffix, ("", True))
    return None if fits else "it is not {} but begins with {!r}".format(kind, head[:40])


def _head(path):
    with open(path, "rb") as stream:
        return stream.read(1024)


def _hdf5_start(head):
    """Where HDF5 begins, or None. MATLAB puts 512 bytes of its own before it."""
    return next((start for start in (0, 512) if head[start : start + 8] == _HDF5), None)
