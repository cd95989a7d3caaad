"""Whole networks that Keras wrote, made once for the tests of this folder."""

import os
import shutil
import subprocess
import sys

import h5py
import import_model
import pytest


@pytest.fixture(scope="session")
def keras_networks(tmp_path_factory):
    path = tmp_path_factory.mktemp("networks")
    program = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "keras_models.py")
    done = subprocess.run(
        [sys.executable, program, str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]
    return path


@pytest.fixture(scope="session")
def imported(keras_networks):
    """The folder of the checkpoint imported from a source, made on first use."""

    def of(source):
        out = str(keras_networks / "imported" / source / "checkpoints" / "epoch0")
        if not os.path.exists(out):
            assert import_model.main(["--input", str(keras_networks / source), "--out", out, "--size", "64", "96"]) == 0
        return out

    return of


@pytest.fixture
def changed(keras_networks, tmp_path):
    """A copy of paper.h5 whose attributes and datasets a function has changed; with its values, or without."""

    def make(change, values=True):
        path = str(tmp_path / "changed.h5")
        if values:
            shutil.copy(str(keras_networks / "paper.h5"), path)
        else:
            with h5py.File(str(keras_networks / "paper.h5"), "r") as whole, h5py.File(path, "w") as root:
                root.attrs.update(whole.attrs)
        with h5py.File(path, "r+") as root:
            change(root)
        return path

    return make
