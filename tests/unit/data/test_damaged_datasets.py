"""What data sets in a bad state lead to: one line with the file, the row, the reason and the way out."""

import glob
import json
import os
import re

import layouts
import numpy as np
import pytest
from densedepth.data import custom_test_archive, datasets
from densedepth.data.custom_pairs import Pictures
from densedepth.errors import PipelineError
from layout_files import encoded, h5, in_tar, in_zip, sixteen_bits
from refusals import refusal


@pytest.fixture(scope="module")
def pairs():
    return layouts.scenes()


def listed(path, dataset, max_depth=80):
    return datasets.listed(dataset, str(path), layouts.SIZE, max_depth, test_share=0.3)


def faults(tmp_path, path, dataset):
    """The faults of the pairs, in the order of both splits."""
    (tmp_path / "list.json").write_text(json.dumps(listed(path, dataset)))
    found = []
    for split in ("train", "test"):
        with Pictures(str(tmp_path / "list.json"), split) as source:
            for row in source.rows():
                try:
                    source.arrays(row)
                except PipelineError as error:
                    assert "\n" not in str(error)
                    found.append(str(error))
    return found


def change(folder, pattern, data):
    """Write `data` (a function of the bytes there are, or None to remove) to the first file of this pattern."""
    path = sorted(glob.glob(os.path.join(str(folder), pattern), recursive=True))[0]
    if data is None:
        os.remove(path)
        return path
    with open(path, "rb") as stream:
        held = stream.read()
    with open(path, "wb") as stream:
        stream.write(data(held))
    return path


def half(data):
    return data[: len(data) // 2]


def no_file(data):
    return b"<!DOCTYPE html><html>"


def other_bits(data):
    return encoded(np.full(layouts.SIZE, 7, np.uint8))


def other_size(data):
    return sixteen_bits(np.ones((3, 5)))


# Of each data set: a file, what becomes of it, and what is said.
DAMAGES = [
    ("nyu_folder", "nyu", "**/1.png", half, "row 1, .*1.png: cannot be read as an image"),
    ("nyu_folder", "nyu", "**/1.png", lambda data: sixteen_bits(np.ones(layouts.SIZE)), "row 1, .* of 8 bits, got 16"),
    ("nyu_folder", "nyu", "**/00000_depth.png", other_bits, "row 1, .* of 16 bits, got 8; it would be of another unit"),
    ("nyu_folder", "nyu", "**/1.png", None, "row 1, data/nyu2_train/living_room_0001_out/1.png: cannot .*No such file"),
    ("nyu_sync", "nyu", "**/sync_depth_00000.png", None, "row 1, .*sync_depth_00000.png: cannot .*No such file"),
    (
        "nyu_sync",
        "nyu",
        "**/rgb_00000.jpg",
        no_file,
        "row 1, .*rgb_00000.jpg: .*cannot identify its format: it is a web page",
    ),
    ("nyu_h5", "nyu", "train/**/00001.h5", half, "row 1, .*00001.h5::.*: cannot be read as HDF5"),
    ("nyu_h5", "nyu", "train/**/00001.h5", lambda data: h5(rgb=np.zeros((3, 4, 4), "u1")), "row 1, .*no array depth"),
    ("nyu_h5", "nyu", "train/**/00001.h5", lambda data: h5(rgb=np.ones(3), depth=np.ones((2, 2))), "expected uint8"),
    (
        "kitti_eigen",
        "kitti_eigen",
        "**/groundtruth/**/*.png",
        None,
        "row 1, data_depth_annotated/train.*: .*No such file",
    ),
    ("kitti_eigen", "kitti_eigen", "**/groundtruth/**/*.png", other_bits, "row 1, .* of 16 bits, got 8"),
    (*["kitti_eigen_scans"] * 2, "**/*0.bin", lambda data: data[:-3], "row 1, .*bytes, where a scan has 16 for each"),
    (*["kitti_eigen_scans"] * 2, "**/*0.bin", None, "row 1, .*0.bin::image_02: cannot .*No such file"),
    ("sunrgbd", "sunrgbd", "**/depth_bfx/*.png", other_bits, "row 1, .*expected 16 bits .rotated by three., got uint8"),
    ("tum", "tum", "**/depth/*.png", half, "row 1, .*depth/.*: cannot be read as an image"),
    ("diode", "diode", "**/*_depth.npy", half, "row 1, .*_depth.npy: cannot be read as a NumPy array .cut off"),
    (
        "diode",
        "diode",
        "**/*_depth_mask.npy",
        None,
        "row 1, .*_mask.npy: cannot be read as a NumPy array .No such",
    ),
    ("vkitti2", "vkitti2", "**/depth_00000.png", other_size, "row 1, .* must show the same view"),
    ("hypersim", "hypersim", "**/*.hdf5", no_file, "row 1: .*is a web page, expected an HDF5 file"),
    ("arkitscenes", "arkitscenes", "**/confidence/*.png", other_size, "row 1, .*confidence.*is 5x3, but its depth is"),
    ("scannet", "scannet", "**/depth/0.png", lambda data: encoded(np.zeros((9, 9, 3), "u1")), "row 1, .*one channel"),
    ("eth3d", "eth3d", "**/ground_truth_depth/**/*.JPG", half, "row 1, .*has 6144 bytes of values, where 64x48 need"),
    ("ibims1", "ibims1", "**/mask_invalid/*.png", half, "row 1, .*mask_invalid.*: cannot be read as an image"),
]


@pytest.mark.parametrize("layout, dataset, pattern, data, words", DAMAGES)
def test_a_damaged_file_is_told_by_its_row(layout, dataset, pattern, data, words, tmp_path, pairs):
    path = getattr(layouts, layout)(tmp_path, pairs)
    change(path, pattern, data)
    found = faults(tmp_path, path, dataset)
    assert len(found) == 1 and re.search(words, found[0]), found
    assert found[0].startswith(str(path))


def test_a_damaged_file_is_told_by_its_list(tmp_path, pairs):
    path = layouts.kitti_eigen(tmp_path, pairs)
    for depth in glob.glob(os.path.join(str(path), "**/groundtruth/**/*.png"), recursive=True):
        with open(depth, "wb") as stream:
            stream.write(b"no depth")
    found = faults(tmp_path, path, "kitti_eigen")
    heads = ["{}: {} row ".format(path, split) for split in ("train", "test")]
    assert [sum(fault.startswith(head) for fault in found) for head in heads] == [4, 2]


def test_a_test_archive_of_a_damaged_set_is_not_written(tmp_path, pairs):
    path = layouts.nyu_sync(tmp_path, pairs)
    change(path, "official_splits/**/sync_depth_00000.png", half)
    (tmp_path / "list.json").write_text(json.dumps(listed(path, "nyu")))
    out = tmp_path / "test.zip"
    assert "row 1, " in refusal(custom_test_archive.write, str(tmp_path / "list.json"), str(out))
    assert not out.exists()


# What is incomplete is told before any picture is read.
INCOMPLETE = [
    ("nyu_folder", "nyu", "**/nyu2_test.csv", None, "has no nyu2_test.csv, so no images for the test; give nyu_test"),
    (
        "nyu_folder",
        "nyu",
        "**/nyu2_train.csv",
        lambda data: b"a.png;b.png\n",
        "train.csv: row 1 is not `rgb depth`",
    ),
    ("nyu_folder", "nyu", "**/nyu2_train.csv", lambda data: b"x/a.jpg,x/a.png", "none of the files .* is there, such"),
    ("nyu_folder", "nyu", "**/nyu2_train.csv", lambda data: "caf\xe9".encode("latin-1"), "is not text in UTF-8"),
    (
        "nyu_sync",
        "nyu",
        "nyudepthv2_test*.txt",
        None,
        "expected one list nyudepthv2_test_files_with_gt.txt, found",
    ),
    ("kitti_eigen", "kitti_eigen", "eigen_test*.txt", None, "but no eigen_test_files_with_gt.txt; get it from"),
    ("kitti_eigen", "kitti_eigen", "eigen_test*.txt", lambda data: b"a.png None 1", "names no pairs"),
    ("kitti_eigen", "kitti_eigen", "eigen_test*.txt", no_file, "is a web page, expected a list as text; get it again"),
    (
        "kitti_eigen",
        "kitti_eigen",
        "eigen_test*.txt",
        lambda data: data[:-200],
        "is not `rgb depth`: .*; is the list cut",
    ),
    ("sunrgbd", "sunrgbd", "**/allsplit.mat", no_file, "is a web page, not a MATLAB 5 file .21 bytes.; get it again"),
    ("sunrgbd", "sunrgbd", "**/allsplit.mat", half, "allsplit.mat: damaged, or of another kind"),
    ("tum", "tum", "**/depth.txt", None, "has .*rgb.txt, but no .*depth.txt beside it"),
    ("tum", "tum", "**/rgb.txt", None, "has .*depth.txt, but no .*rgb.txt beside it; get the sequence again"),
    ("tum", "tum", "**/depth.txt", lambda data: b"now depth/1.png", "line 1 is not `timestamp file`"),
    (
        "tum",
        "tum",
        "**/depth.txt",
        lambda data: b"17.0 depth/1.png",
        "no two times differ by at most 0.02 s; set",
    ),
    ("hypersim", "hypersim", "*.csv", lambda data: b"a,b\n1,2\n", "has no column scene_name; get it from"),
    ("scannet", "scannet", "scannetv2_val.txt", None, "no pair is for the test; is a part of the data set missing?"),
]


@pytest.mark.parametrize("layout, dataset, pattern, data, words", INCOMPLETE)
def test_an_incomplete_set_is_told_at_once(layout, dataset, pattern, data, words, tmp_path, pairs):
    path = getattr(layouts, layout)(tmp_path, pairs)
    change(path, pattern, data)
    message = refusal(listed, path, dataset)
    assert re.search(words, message) and message.startswith(str(path)), message


def test_depth_without_an_image_is_told(tmp_path, pairs, capsys):
    path = layouts.sunrgbd(tmp_path, pairs)
    change(path, "**/image/0.jpg", None)
    listed(path, "sunrgbd")
    words = "1 depth files have no image, such as SUNRGBD/kv1/NYUdata/NYU00000/depth_bfx/0.png; is a part of the data"
    assert words in capsys.readouterr().out


def test_archives_that_cannot_be_read(tmp_path, pairs):
    zipped = layouts.nyu_zip(tmp_path, pairs)
    assert "truncated, or not a zip file" in refusal(listed, change(tmp_path, "nyu_data.zip", half), "nyu")
    assert zipped
    hub = layouts.nyu_h5_tars(tmp_path, pairs)
    cut = change(hub, "data/train-000000.tar", lambda data: data[:1000])
    assert refusal(listed, hub, "nyu").startswith(cut + ": truncated or damaged tar archive (")
    change(hub, "data/train-000000.tar", no_file)
    assert "is a web page, expected a tar archive; fetch it again" in refusal(listed, hub, "nyu")
    os.rename(cut, str(tmp_path / "nyudepthv2.tar.gz"))
    message = refusal(listed, tmp_path / "nyudepthv2.tar.gz", "nyu")
    assert "unpack it: tar xf" in message and message.endswith("and give the folder")


def test_a_tar_file_that_ends_at_a_member_is_told(tmp_path, pairs):
    members = layouts.nyu_h5_members(pairs, "train")
    path = in_tar(tmp_path / "train-000000.tar", members)
    in_tar(tmp_path / "val-000000.tar", layouts.nyu_h5_members(pairs, "test"))
    change(tmp_path, "train-000000.tar", lambda data: data.rstrip(b"\0"))
    assert refusal(listed, tmp_path, "nyu").startswith(path + ": truncated")


def test_the_labelled_data_without_their_split(tmp_path, pairs):
    path = layouts.nyu_mat(tmp_path, pairs)
    change(os.path.dirname(path), "splits.mat", None)
    assert "has no splits.mat beside nyu_depth_v2_labeled.mat" in refusal(listed, path, "nyu")
    path = layouts.nyu_mat(tmp_path, pairs)
    change(os.path.dirname(path), "nyu*.mat", half)
    assert faults(tmp_path, path, "nyu")


def test_what_is_no_data_set_is_told_with_the_forms(tmp_path):
    message = refusal(listed, in_zip(tmp_path / "x.zip", {"a/1.png": b"", "a/2.png": b""}), "nyu")
    assert "not recognised as nyu; it has a/1.png, a/2.png; expected one of: nyu_data.zip of DenseDepth (" in message
    assert "no such file or folder" in refusal(listed, tmp_path / "none", "nyu")
    assert "data.dataset kitty: unknown; known are arkitscenes, " in refusal(listed, tmp_path, "kitty")


def test_a_list_that_could_mean_two_files_is_refused(tmp_path, pairs):
    files = layouts.nyu_members(pairs)
    files = {"{}/{}".format(top, name): data for top in ("a", "b") for name, data in files.items()}
    message = refusal(listed, in_zip(tmp_path / "twice.zip", files), "nyu")
    assert "has two lists, a/data/nyu2_train.csv and b/data/nyu2_train.csv; take one of them out" in message
