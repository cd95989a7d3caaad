"""Data sets by name: every form is recognised, and its pairs are those that it was made of."""

import glob
import json
import os
import shutil

import layouts
import numpy as np
import pytest
from densedepth.data import datasets
from densedepth.data.custom_pairs import Pictures
from densedepth.errors import PipelineError

# The greatest error of a depth by how it is stored: half of a step, and the 16 bits of the records.
STEPS = {"nyu_png": 0.0005, "nyu_sync": 0.0005, "nyu_mat": 1e-5, "nyu_h5": 1e-5, "nyu_h5_tars": 1e-5}
# Whose pictures are stored as they are.
EXACT = ("nyu_mat", "nyu_h5", "nyu_h5_tars")


@pytest.fixture(scope="session")
def pairs():
    return layouts.scenes()


def listed(tmp_path, dataset, path, max_depth=10, size=layouts.SIZE, **options):
    """The path of the list of a data set."""
    content = datasets.listed(dataset, str(path), size, max_depth, **options)
    (tmp_path / "list.json").write_text(json.dumps(content))
    return str(tmp_path / "list.json")


def arrays(path, split):
    with Pictures(path, split) as source:
        return [source.arrays(row) for row in source.rows()]


@pytest.mark.parametrize("layout", layouts.LAYOUTS["nyu"])
def test_each_form_of_nyu_holds_the_same_pairs(layout, tmp_path, pairs, capsys):
    path = layout(tmp_path, pairs)
    found = listed(tmp_path, "nyu", path)
    (said,) = capsys.readouterr().out.splitlines()
    assert ": recognised as " in said and "6 pairs (4 to train, 2 to test), unit: " in said and ", invalid = " in said
    for split, expected in pairs.items():
        read = arrays(found, split)
        assert len(read) == len(expected)
        step = STEPS.get(layout.__name__, 5.0 / 255 if split == "train" else 0.0005)
        for (rgb, depth), (true_rgb, true_depth) in zip(read, expected):
            assert np.abs(depth - true_depth).max() <= step + 1e-5
            assert (depth > 0).all()
            error = np.abs(rgb.astype(int) - true_rgb)
            assert error.mean() < 5 and (layout.__name__ not in EXACT or not error.any())


# Half a step of the stored depth; Hypersim's has 16 bits of floating point.
OTHERS = {
    "kitti_eigen": 1 / 512,
    "kitti_eigen_scans": 1 / 512,
    "sunrgbd": 0.0005,
    "tum": 0.0001,
    "diode": 0,
    "vkitti2": 0.005,
    "hypersim": 0.006,
    "arkitscenes": 0.0005,
    "scannet": 0.0005,
    "eth3d": 0,
    "ibims1": 25 / 65535,
}
# Lines that are said of those that say more than one.
SAID = {"kitti_eigen": 3, "kitti_eigen_scans": 2, "tum": 3}


@pytest.mark.parametrize("name", OTHERS)
def test_each_data_set_by_name(name, tmp_path, pairs, capsys):
    path = layouts.LAYOUTS[name][0](tmp_path, pairs)
    # TUM has no split of its own: of two sequences one is drawn, the smaller by this share.
    found = listed(tmp_path, name, path, 80, test_share=0.3, seed=0)
    said = capsys.readouterr().out.splitlines()
    assert ": recognised as " in said[-1] and len(said) == SAID.get(name, 1)
    splits = ("test",) if name in ("eth3d", "ibims1") else ("train", "test")
    for split in splits:
        read = arrays(found, split)
        assert len(read) == len(pairs[split])
        for (rgb, depth), (true_rgb, true_depth) in zip(read, pairs[split]):
            assert not depth[layouts.CORNER].any()
            assert np.abs(depth - layouts.with_corner(true_depth, 0)).max() <= OTHERS[name] + 1e-5
            assert np.abs(rgb.astype(int) - true_rgb).mean() < 5
    if splits == ("test",):
        assert arrays(found, "train") == []


@pytest.mark.parametrize("name", ["kitti_eigen", "sunrgbd"])
def test_zip_files_of_a_folder_need_not_be_unpacked(name, tmp_path, pairs, capsys):
    folder = layouts.LAYOUTS[name][0](tmp_path, pairs)
    unpacked = {split: arrays(listed(tmp_path, name, folder), split) for split in pairs}
    for part in os.listdir(folder):
        if os.path.isdir(os.path.join(folder, part)):
            shutil.make_archive(os.path.join(folder, part), "zip", folder, part)
            shutil.rmtree(os.path.join(folder, part))
    found = listed(tmp_path, name, folder)
    assert "in a folder with zip files: 6 pairs" in capsys.readouterr().out
    with Pictures(found, "test") as source:
        before = source.state(source.rows())
        for part in glob.glob(os.path.join(folder, "*.zip")):
            os.utime(part, (1, 1))
        assert source.state(source.rows()) != before
    for split, expected in unpacked.items():
        for pair, other in zip(arrays(found, split), expected):
            assert all(np.array_equal(*both) for both in zip(pair, other))


def test_an_archive_that_is_to_be_unpacked_is_told_with_the_command(tmp_path):
    (tmp_path / "val.tar.gz").touch()
    with pytest.raises(PipelineError, match=r"unpack its compressed archives: tar xf \S+/val.tar.gz -C \S+$"):
        datasets.listed("diode", str(tmp_path), layouts.SIZE, 50)


def test_the_table_of_the_page_names_every_form():
    assert set(layouts.LAYOUTS) == set(datasets.DATASETS)
