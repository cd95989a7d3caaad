"""The test archive rebuilt from NYU's labelled data, on small files of the true layout."""

import struct
import zlib

import numpy as np
import pytest
from densedepth.data import matfile, nyu_labeled
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError


def element(kind, data, order="<", padded=True):
    return struct.pack(order + "II", kind, len(data)) + data + bytes(-len(data) % 8 if padded else 0)


def matrix(name, values, order="<", value_type=4, dtype="u2"):
    """A MATLAB 5 array (n, 1) of class double, its values stored as `dtype` (type number `value_type`)."""
    small_name = struct.pack(order + "I", len(name) << 16 | 1) + name.encode().ljust(4, b"\0")
    parts = element(6, struct.pack(order + "II", 6, 0), order)
    parts += element(5, struct.pack(order + "ii", len(values), 1), order)
    parts += small_name if len(name) <= 4 else element(1, name.encode(), order)
    parts += element(value_type, np.array(values, order + dtype).tobytes(), order)
    return element(14, parts, order)


def mat_file(path, arrays, order="<", compressed=True):
    head = b"MATLAB 5.0 MAT-file, as of a test".ljust(124)
    head += struct.pack(order + "H", 0x0100) + (b"IM" if order == "<" else b"MI")
    body = b"".join(element(15, zlib.compress(a), order, padded=False) if compressed else a for a in arrays)
    path.write_bytes(head + body)
    return str(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compressed", [True, False])
def test_numbers_of_a_matlab_file(tmp_path, order, compressed):
    arrays = [
        matrix("trainNdxs", [3, 4], order),
        matrix("ab", [7], order, 2, "u1"),
        matrix("testNdxs", [1, 300], order),
    ]
    path = mat_file(tmp_path / "s.mat", arrays, order, compressed)
    assert matfile.read_numbers(path, "testNdxs") == [1, 300]
    assert matfile.read_numbers(path, "ab") == [7]
    with pytest.raises(PipelineError, match="has no variable x; it has trainNdxs, ab, testNdxs"):
        matfile.read_numbers(path, "x")


def test_files_of_other_kinds(tmp_path):
    path = tmp_path / "s.mat"
    with pytest.raises(PipelineError, match="No such file"):
        matfile.read_numbers(str(path), "a")
    for content, words in (
        (b"<html>", "not a MATLAB 5 file"),
        (b"MATLAB 7.3 MAT-file".ljust(200), "expected a MATLAB 5 file, got MATLAB 7.3"),
    ):
        path.write_bytes(content)
        with pytest.raises(PipelineError, match=words):
            matfile.read_numbers(str(path), "a")
    mat_file(path, [matrix("testNdxs", list(range(100)))])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(PipelineError, match="damaged, or of another kind"):
        matfile.read_numbers(str(path), "testNdxs")
    mat_file(path, [matrix("testNdxs", [1.5], value_type=9, dtype="f8")])
    with pytest.raises(PipelineError, match="does not hold whole numbers"):
        matfile.read_numbers(str(path), "testNdxs")


@pytest.fixture
def files(tmp_path):
    """A labelled file of 4 images whose pixels tell number, row and column; and a split that takes 3 of them."""
    import h5py

    numbers = np.arange(4)[:, None, None, None]
    rows, columns = np.arange(480)[None, None, None, :], np.arange(640)[None, None, :, None]
    images = (numbers * 50 + np.arange(3)[None, :, None, None] * 10 + rows % 7 + columns % 3).astype(np.uint8)
    depths = (1 + numbers[:, 0] + rows[:, 0] / 480.0 + columns[:, 0] / 6400.0).astype(np.float32)
    with h5py.File(str(tmp_path / "labeled.mat"), "w", userblock_size=512) as file:
        file.create_dataset("images", data=images, chunks=(1, 3, 64, 48), compression="gzip")
        file.create_dataset("depths", data=depths, chunks=(1, 64, 48))
        file["rawDepths"] = np.zeros((4, 640, 480), np.float32)
    splits = mat_file(tmp_path / "splits.mat", [matrix("testNdxs", [4, 1, 2])])
    return str(tmp_path / "labeled.mat"), splits, images, depths


def test_images_come_upright_and_in_the_order_of_the_split(files, tmp_path):
    path, splits, images, depths = files
    out = str(tmp_path / "nyu_test.zip")
    assert nyu_labeled.write(path, splits, out) == 3
    with open_test_set(out) as test_set:
        assert (test_set.count, test_set.image_size, test_set.crop) == (3, (480, 640), (20, 459, 24, 615))
        assert (test_set.holes, test_set.limits) == (False, (0.1, 10.0))
        ((rgb, depth, _),) = list(test_set.batches(3))
    for place, number in enumerate((3, 0, 1)):
        np.testing.assert_array_equal(rgb[place], images[number].transpose(2, 1, 0))
        np.testing.assert_array_equal(depth[place], depths[number].T)
        assert depth[place][479, 0] > depth[place][0, 639]


def test_what_does_not_belong_together(files, tmp_path):
    path, splits, _, _ = files
    out = tmp_path / "out.zip"
    mat_file(tmp_path / "splits.mat", [matrix("testNdxs", [5])])
    with pytest.raises(PipelineError, match=r"testNdxs holds 5, but .*labeled.mat has 4 images"):
        nyu_labeled.write(path, splits, str(out))
    with pytest.raises(PipelineError, match=r"splits.mat: cannot be opened as a MATLAB 7.3 file"):
        nyu_labeled.write(splits, splits, str(out))
    import h5py

    mat_file(tmp_path / "splits.mat", [matrix("testNdxs", [1])])
    with h5py.File(path, "r+") as file:
        file["depths"][0, 0, 0] = 0
    with pytest.raises(PipelineError, match="depths: image 1 has depths that are not finite and above zero"):
        nyu_labeled.write(path, splits, str(out))
    with h5py.File(path, "r+") as file:
        del file["images"]
    with pytest.raises(PipelineError, match="has no variable images; it has depths, rawDepths"):
        nyu_labeled.write(path, splits, str(out))
    assert not out.exists()


def test_repeated_numbers_are_refused_and_another_count_is_told(files, tmp_path, capsys):
    path, splits, _, _ = files
    out = tmp_path / "out.zip"
    assert nyu_labeled.write(path, splits, str(out)) == 3
    assert "splits.mat: warning: testNdxs holds 3 numbers, where NYU's has 654" in capsys.readouterr().out
    out.unlink()
    mat_file(tmp_path / "splits.mat", [matrix("testNdxs", [2, 1, 4, 1])])
    with pytest.raises(PipelineError, match=r"splits.mat: testNdxs holds 1 more than once"):
        nyu_labeled.write(path, splits, str(out))
    assert not out.exists()


def test_a_group_in_place_of_an_array(files, tmp_path):
    import h5py

    path, splits, _, _ = files
    with h5py.File(path, "r+") as file:
        del file["images"]
        file.create_group("images")
    with pytest.raises(PipelineError, match=r"expected images of shape \(images, 3, 640, 480\), got None"):
        nyu_labeled.write(path, splits, str(tmp_path / "out.zip"))


@pytest.mark.parametrize("place", [576, 640, 1184, 1248, 1280, 1600, 1664])
@pytest.mark.parametrize("damage", [b"\xff" * 64, b"\0" * 64, b"\xff" * 4])
def test_a_damaged_file_is_told_in_one_line_or_does_no_harm(files, tmp_path, place, damage):
    path, splits, _, _ = files
    with open(path, "r+b") as stream:
        stream.seek(place)
        stream.write(damage)
    try:
        assert nyu_labeled.write(path, splits, str(tmp_path / "out.zip")) == 3
    except PipelineError as error:
        assert str(error).startswith(path + ": ") and "\n" not in str(error)
        assert not (tmp_path / "out.zip").exists()


def test_a_file_with_a_damaged_table_of_names(files, tmp_path):
    path, splits, _, _ = files
    with open(path, "r+b") as stream:
        stream.seek(1184)
        stream.write(b"\xff" * 64)
    with pytest.raises(PipelineError, match=r"labeled.mat: cannot be opened as a MATLAB 7.3 file \(.*\); get it again"):
        nyu_labeled.write(path, splits, str(tmp_path / "out.zip"))


@pytest.mark.parametrize(
    "name, dtype, words",
    [
        ("images", np.uint16, "expected images of dtype uint8, got uint16"),
        ("images", np.float32, "expected images of dtype uint8, got float32"),
        ("depths", np.uint16, "expected depths of dtype float, got uint16"),
    ],
)
def test_numbers_of_another_kind(files, tmp_path, name, dtype, words):
    import h5py

    path, splits, images, depths = files
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, data={"images": images, "depths": depths}[name].astype(dtype), chunks=True)
    with pytest.raises(PipelineError, match=r"labeled.mat: {}; is it nyu_depth_v2_labeled.mat".format(words)):
        nyu_labeled.write(path, splits, str(tmp_path / "out.zip"))
    assert not (tmp_path / "out.zip").exists()


def test_depths_of_double_precision_are_taken(files, tmp_path):
    import h5py

    path, splits, _, depths = files
    with h5py.File(path, "r+") as file:
        del file["depths"]
        file.create_dataset("depths", data=depths.astype(np.float64), chunks=(1, 64, 48))
    assert nyu_labeled.write(path, splits, str(tmp_path / "out.zip")) == 3
