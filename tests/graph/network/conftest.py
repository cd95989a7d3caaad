"""Whole networks that Keras wrote, made once for the tests of this folder."""

import contextlib
import io
import os
import shutil
import subprocess
import sys

import h5py
import import_model
import pytest
from densedepth.network import architecture


@pytest.fixture(scope="session")
def keras_networks(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks")
    program = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "keras_models.py")
    done = subprocess.run(
        [sys.executable, program, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]
    return path


class Imported:
    """Checkpoints imported from those networks, each on first use; all but deep.h5 want the fixture `shallow`."""

    def __init__(self, networks):
        self._networks = networks
        self._said = {}

    def __call__(self, source):
        """The folder of the checkpoint."""
        self.said(source)
        return self._folder(source)

    def said(self, source):
        """What the program said to it."""
        if source not in self._said:
            words = ["--input", str(self._networks / source), "--out", self._folder(source), "--size", "64", "96"]
            with contextlib.redirect_stdout(io.StringIO()) as told:
                assert import_model.main(words) == 0
            self._said[source] = told.getvalue()
        return self._said[source]

    def _folder(self, source):
        return str(self._networks / "imported" / source / "checkpoints" / "epoch0")


@pytest.fixture(scope="session")
def imported(keras_networks):
    return Imported(keras_networks)


@pytest.fixture
def changed(keras_networks, tmp_path, monkeypatch):
    """A copy that a function has changed: of the attributes of deep.h5, or of the whole paper.h5 with its values."""

    def make(change, values=True):
        path = str(tmp_path / "changed.h5")
        if values:
            monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
            shutil.copy(str(keras_networks / "paper.h5"), path)
        else:
            with h5py.File(str(keras_networks / "deep.h5"), "r") as whole, h5py.File(path, "w") as root:
                root.attrs.update(whole.attrs)
        with h5py.File(path, "r+") as root:
            change(root)
        return path

    return make
