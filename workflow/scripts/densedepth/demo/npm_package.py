"""A package of npm's registry: fetched by `npm`, checked against its known sum, and files taken out of it."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from typing import Iterable, NamedTuple

from .. import files
from ..errors import PipelineError


class Package(NamedTuple):
    """A published version. integrity: of its archive, SHA-512 in Base64 as package-lock.json has it."""

    name: str
    version: str
    integrity: str

    @property
    def archive(self) -> str:
        """What npm calls its archive."""
        return "{}-{}.tgz".format(self.name, self.version)


def fetch(package: Package, path: str) -> None:
    """Put the archive of the package at `path` by `npm pack`, unless it is there.

    It may have been put there by hand. Raises PipelineError where npm is missing or cannot fetch it, and for an archive
    whose sum is another one.
    """
    if not os.path.exists(path):
        folder, name = os.path.split(os.path.abspath(path))
        os.makedirs(folder, exist_ok=True)
        with files.lock(os.path.join(folder, ".{}.lock".format(name)), "fetching this package", patience=600):
            # Whoever had the lock before may have brought it.
            if not os.path.exists(path):
                _pack(package, path, folder)
    _check(package, path)


def _pack(package, path, folder):
    npm, named = shutil.which("npm"), "{}@{}".format(package.name, package.version)
    if npm is None:
        raise PipelineError(
            "{}: no such file, and npm, which would fetch it, is not installed: install Node.js, or run `npm pack {}` "
            "elsewhere and put its file there".format(path, named)
        )
    with tempfile.TemporaryDirectory(dir=folder) as place:
        words = [npm, "pack", "--ignore-scripts", "--loglevel=error", named]
        run = subprocess.run(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        packed = os.path.join(place, package.archive)
        if run.returncode or not os.path.exists(packed):
            said = [line for line in run.stdout.decode("utf-8", "replace").splitlines() if line.strip()]
            raise PipelineError("{}: npm cannot fetch {} ({})".format(path, named, said[0] if said else "no message"))
        _check(package, packed)
        files.replace(packed, path)


def _check(package, path):
    digest = hashlib.sha512()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    found = "sha512-" + base64.b64encode(digest.digest()).decode("ascii")
    if found != package.integrity:
        raise PipelineError(
            "{}: not the archive of {} {} that is known here (another SHA-512 sum); remove it, it is fetched "
            "again".format(path, package.name, package.version)
        )


def take_out(path: str, members: Iterable[str], folder: str) -> None:
    """Write these members of the archive at `path` (checked by `fetch`) into `folder`, without the folders before."""
    with tarfile.open(path) as archive:
        for member in members:
            source = archive.extractfile("package/" + member)
            assert source, member
            with source, open(os.path.join(folder, os.path.basename(member)), "wb") as target:
                shutil.copyfileobj(source, target)
