"""How much room the results of a prediction take, said before anything is written."""

import os

import numpy as np
import pytest
from densedepth.imaging import camera, panels
from densedepth.inference import meshes, point_clouds, prediction_files
from PIL import Image


@pytest.fixture
def room(tmp_path):
    """(path of an image, its pixels, depth that varies as a room's does)."""
    rows, columns = np.mgrid[:480, :640]
    metres = (2 + np.sin(columns / 90) + rows / 400).astype(np.float32)
    rgb = np.stack([128 + 60 * np.sin(columns / 40), rows / 2, columns / 3], axis=2)
    rgb = (rgb + np.random.RandomState(0).normal(0, 2, rgb.shape)).clip(0, 255).astype(np.uint8)
    path = str(tmp_path / "a.jpg")
    Image.fromarray(rgb).save(path)
    return path, rgb, metres


@pytest.mark.parametrize("kind", list(prediction_files.KINDS))
def test_the_estimate_is_near_what_is_written(room, tmp_path, kind):
    source, rgb, metres = room
    path = str(tmp_path / "made")
    if kind == "ply":
        cloud = point_clouds.points(rgb, metres, camera.nyu_intrinsics(metres.shape), 100000)
        point_clouds.write_ply(path, cloud, [])
    elif kind == "glb":
        meshes.write_glb(path, rgb, metres, camera.nyu_intrinsics(metres.shape), 100000)
    else:
        write = {
            "npy": lambda: prediction_files.write_npy(path, metres),
            "png": lambda: prediction_files.write_millimetres(path, metres),
            "panel": lambda: panels.write_panel(path, "a", rgb, metres),
            "colour": lambda: panels.write_colours(path, metres),
        }
        write[kind]()
    needed = prediction_files.space([source] * 50, [kind], 100000)
    assert 0.7 < needed / (50 * os.path.getsize(path)) < 8


def test_it_is_said_with_what_is_free(room, tmp_path, monkeypatch):
    source = room[0]
    out = str(tmp_path / "not" / "there")
    (line,) = prediction_files.space_lines([source, source], ["npy"], 1, out)
    assert line.startswith("2 files: about 2 MB on the disk (npy), ") and line.endswith(" free")
    free = type("Usage", (), {"free": 1000000})
    monkeypatch.setattr(prediction_files.shutil, "disk_usage", lambda folder: free)
    assert "warning: the disk will be full" in prediction_files.space_lines([source] * 9, ["npy"], 1, out)[1]
    # What cannot be read is told when its turn comes.
    assert prediction_files.space_lines([str(tmp_path / "gone.png")], ["npy"], 1, out) == []
