"""Kinds of depth files: each holds the array that it was written of, by hand where a library would hide the layout."""

import importlib.util
import io
import struct

import numpy as np
import pytest
from densedepth.data import array_files, stored_depth
from densedepth.data.trees import Folder, Tars
from densedepth.errors import PipelineError
from densedepth.imaging import untrusted
from faulty_pngs import header, of_rows
from layout_files import encoded, h5, in_tar, mat_array, mat_file, npy
from PIL import Image

# Of different rows and columns, so that another order of axes is seen.
DEPTH = (1 + np.arange(12).reshape(3, 4) / 4).astype(np.float32)
WHOLE = np.arange(12).reshape(3, 4) * 1000 + 7


def npz(**arrays):
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def tif(array, **options):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "TIFF", **options)
    return stream.getvalue()


def pfm(array, order="<"):
    head = "Pf\n{} {}\n{}\n".format(array.shape[1], array.shape[0], "-1.0" if order == "<" else "1.0")
    return head.encode() + array[::-1].astype(order + "f4").tobytes()


def pgm(array, most):
    head = "P5\n# a comment\n{} {}\n{}\n".format(array.shape[1], array.shape[0], most)
    return head.encode() + array.astype(">u2" if most > 255 else "u1").tobytes()


def dpt(array):
    return struct.pack("<fii", 202021.25, array.shape[1], array.shape[0]) + array.astype("<f4").tobytes()


def mat73(array):
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        file.create_dataset("depth", data=array.T)
    return b"MATLAB 7.3 MAT-file".ljust(512) + stream.getvalue()[512:]


FILES = [
    ("a.npy", npy(DEPTH), DEPTH),
    ("a.npy", npy(np.asfortranarray(DEPTH)), DEPTH),
    ("a.npy", npy(DEPTH[..., np.newaxis]), DEPTH),
    ("a.npz", npz(depth=DEPTH), DEPTH),
    ("a.npz::depth", npz(depth=DEPTH, other=WHOLE), DEPTH),
    ("a.h5", h5(depth=DEPTH), DEPTH),
    ("a.hdf5::d", h5(d=DEPTH[np.newaxis], e=WHOLE), DEPTH),
    ("a.mat", mat_file([mat_array("depth", DEPTH)]), DEPTH),
    ("a.mat::depth", mat_file([mat_array("x", [[1.0]]), mat_array("depth", DEPTH)]), DEPTH),
    ("a.mat::depth", mat73(DEPTH), DEPTH),
    ("a.png", encoded(WHOLE.astype(np.uint16)), WHOLE),
    ("a.png", encoded((WHOLE % 251).astype(np.uint8)), WHOLE % 251),
    ("a.tif", tif(DEPTH), DEPTH),
    ("a.tiff", tif(WHOLE.astype(np.uint16)), WHOLE),
    ("a.tif", tif(DEPTH, compression="tiff_adobe_deflate"), DEPTH),
    ("a.pfm", pfm(DEPTH), DEPTH),
    ("a.pfm", pfm(DEPTH, ">"), DEPTH),
    # Pillow stretches values whose maximum is not 65535.
    ("a.pgm", pgm(WHOLE, 20000), WHOLE),
    ("a.pgm", pgm(WHOLE, 65535), WHOLE),
    ("a.pgm", pgm(WHOLE % 100, 100), WHOLE % 100),
    ("a.dpt", dpt(DEPTH), DEPTH),
]


def load(tmp_path, name, data, **options):
    path = tmp_path / name.split("::")[0]
    path.write_bytes(data)
    with Folder(str(tmp_path)) as tree:
        return array_files.flat(array_files.load(tree, name, **options))


@pytest.mark.parametrize("name, data, expected", FILES, ids=["{}{}".format(i, f[0]) for i, f in enumerate(FILES)])
def test_a_file_holds_the_array_that_it_was_made_of(name, data, expected, tmp_path):
    assert np.array_equal(load(tmp_path, name, data), expected)


class CountedTars(Tars):
    """Tar files that remember what was read of them."""

    def __init__(self, path):
        super().__init__(path)
        self.reads = []

    def read(self, name):
        self.reads.append(name)
        return super().read(name)


def test_a_file_in_an_archive_is_read_once_for_all_its_arrays(tmp_path):
    files = {name + ".h5": h5(rgb=WHOLE, depth=DEPTH) for name in "ab"}
    with CountedTars(in_tar(tmp_path / "x.tar", files)) as tree:
        for name in ("x/a.h5", "x/b.h5"):
            assert np.array_equal(array_files.load(tree, name + "::rgb"), WHOLE)
            assert np.array_equal(array_files.load(tree, name + "::depth"), DEPTH)
    assert tree.reads == ["x/a.h5", "x/b.h5"]


@pytest.mark.parametrize("row, bits, colour", [(8, 16, 0), (12, 8, 2), (2, 4, 0), (4, 8, 3)])
def test_a_png_without_its_last_rows(row, bits, colour):
    palette = [(b"PLTE", bytes(range(1, 61)))] if colour == 3 else []
    for rows in (1, 2, 3):
        png = of_rows(rows, bytes([17]) * row, header(3, 4, bits, colour), *palette)
        if rows == 3:
            assert np.asarray(untrusted.picture(png)).any()
        else:
            with pytest.raises(
                OSError, match=r"^{} of {} bytes of rows are there$".format(rows * (row + 1), 3 * (row + 1))
            ):
                untrusted.picture(png)


def test_raw_numbers_need_a_size(tmp_path):
    assert np.array_equal(load(tmp_path, "a.raw", DEPTH.tobytes(), raw=(3, 4)), DEPTH)
    with pytest.raises(array_files.Expected, match="give its height and width with data"):
        load(tmp_path, "a.raw", DEPTH.tobytes())


def test_openexr(tmp_path):
    OpenEXR = pytest.importorskip("OpenEXR")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    for channels in ({"Z": DEPTH}, {"R": DEPTH, "G": DEPTH + 1, "B": DEPTH + 2}):
        OpenEXR.File(header, channels).write(str(tmp_path / "b.exr"))
        assert np.array_equal(load(tmp_path, "a.exr", (tmp_path / "b.exr").read_bytes()), DEPTH)
    assert np.array_equal(load(tmp_path, "a.exr::G", (tmp_path / "b.exr").read_bytes()), DEPTH + 1)
    with pytest.raises(array_files.Expected, match=r"has the channels B, G, R, none of which is called Z$"):
        load(tmp_path, "a.exr::Z", (tmp_path / "b.exr").read_bytes())


@pytest.mark.skipif(importlib.util.find_spec("OpenEXR") is not None, reason="OpenEXR is installed")
def test_where_openexr_is_missing_the_command_is_named(tmp_path):
    with pytest.raises(PipelineError, match=r"reading \.exr needs OpenEXR, which .* lacks: `make formats` installs it"):
        load(tmp_path, "a.exr", b"")


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("a.npz", npz(a=DEPTH, b=DEPTH), "has 2 arrays .a, b.; name one with data.custom.variable"),
        ("a.npz::c", npz(a=DEPTH), "has no array c; it has a"),
        ("a.h5::c", h5(a=DEPTH), "has no array c; it has a"),
        ("a.npy", npy(DEPTH)[:-8], "cut off: float32 .3, 4. needs 48 bytes, 40 are there"),
        ("a.npy", npy(np.zeros((2, 3, 4))), "expected numbers .height, width., got float64"),
        ("a.pfm", pfm(DEPTH)[:-1], "has 47 bytes of values, where 4x3 need 48"),
        ("a.pfm", pfm(DEPTH).replace(b"Pf", b"PF"), "expected a PFM of one channel"),
        ("a.pgm", pgm(WHOLE, 20000)[:-2], "has 22 bytes of values, where 4x3 need 24"),
        ("a.pgm", b"P2 1 1 9 5", "expected a binary PGM .P5."),
        ("a.dpt", dpt(DEPTH)[4:], "whose first number is 202021.25"),
        ("a.tif", tif(np.zeros((3, 4, 3), np.uint8)), "expected a TIFF of one channel"),
        ("a.mat::b", mat_file([mat_array("b", "text")]), "b does not hold an array of numbers"),
    ],
)
def test_what_a_file_should_have_been(name, data, words, tmp_path):
    with pytest.raises(Exception, match=words):
        load(tmp_path, name, data)


def test_encodings():
    millimetres = np.array([[0, 1, 8191, 8192, 10000, 65535]])
    rotated = ((millimetres << 3 | millimetres >> 13) & 0xFFFF).astype(np.uint16)
    assert stored_depth.decoded(rotated, "rotated").tolist() == millimetres.tolist()
    colours = np.array([[[1, 2, 3], [255, 255, 255]]], np.uint8)
    assert stored_depth.decoded(colours, "rgb24").tolist() == [[1 + 2 * 256 + 3 * 65536, 2**24 - 1]]
    far = stored_depth.in_metres(stored_depth.decoded(colours, "rgb24"), 1000 / (2**24 - 1), {})
    assert far[0, 1] == pytest.approx(1000)
    for values, encoding in ((colours, "plain"), (rotated, "rgb24"), (rotated.astype(np.uint8), "rotated")):
        with pytest.raises(array_files.Expected):
            stored_depth.decoded(values, encoding)


def test_invalid_values_and_masks():
    values = np.array([[0, 5, 65535, -1], [np.nan, np.inf, 2, 3]])
    mask = np.array([[2, 2, 2, 2], [2, 2, 2, 1]])
    found = stored_depth.in_metres(values, 0.5, {"invalid": [65535], "mask_minimum": 2}, mask)
    assert found.tolist() == [[0, 2.5, 0, 0], [0, 0, 1, 0]]
    with pytest.raises(array_files.Expected, match="is 3x1, but its depth is 4x2"):
        stored_depth.in_metres(values, 0.5, {}, mask[:1, :3])


def test_the_distance_along_the_ray_becomes_depth_along_the_axis():
    # A wall 2 m before a camera of 90 degrees, whose distance grows to the corner.
    height, width = 480, 640
    u, v = np.arange(width) - 319.5, np.arange(height) - 239.5
    distance = 2 * np.sqrt(1 + (u / 320)[np.newaxis] ** 2 + (v / 320)[:, np.newaxis] ** 2)
    settings = {"distance": "ray", "intrinsics": [320, 320, 319.5, 239.5, 640, 480]}
    assert np.allclose(stored_depth.in_metres(distance, 1, settings), 2)
    # The same camera with a map of half the size.
    half = distance.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    assert np.allclose(stored_depth.in_metres(half, 1, settings), 2, atol=1e-4)
