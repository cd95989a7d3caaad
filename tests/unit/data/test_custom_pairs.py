"""What becomes of the pixels of custom pairs."""

import io
import os
import warnings

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.imaging.depth import fit
from densedepth.inference import image_files
from faulty_pngs import header, of_rows
from pairs import SIZE, metres, one, rgb, save
from PIL import Image
from refusals import refusal


def test_sixteen_bits_with_holes(tmp_path):
    stored = np.round(metres() * 1000).astype(np.uint16)
    stored[:4] = 0
    stored[4:6] = 10000
    source, row = one(tmp_path, rgb(), stored)
    image, depth = source.arrays(row)
    expected = stored * 0.001
    expected[:6] = 0
    np.testing.assert_allclose(depth, expected, rtol=1e-6)
    np.testing.assert_array_equal(image, rgb())
    data, png, size = source.pair(row)
    assert size == SIZE
    assert data == (tmp_path / "a.png").read_bytes()
    back = np.asarray(Image.open(io.BytesIO(png))) * source.unit
    np.testing.assert_allclose(back, expected, atol=source.unit)
    assert (back[:6] == 0).all() and (back[6:] > 0).all()


@pytest.mark.parametrize("hole", [np.nan, np.inf, -1.0, 0.0])
def test_arrays_in_metres(tmp_path, hole):
    depth = metres()
    depth[3] = hole
    source, row = one(tmp_path, rgb(), depth[..., None], (".npy", ".npy"), metres_per_unit=1)
    found = source.arrays(row)[1]
    assert (found[3] == 0).all()
    np.testing.assert_allclose(np.delete(found, 3, 0), np.delete(depth, 3, 0), rtol=1e-6)


def test_a_hole_of_another_value_and_eight_bits(tmp_path):
    stored = np.full(SIZE, 40, np.uint8)
    stored[0] = 255
    source, row = one(tmp_path, rgb(), stored, metres_per_unit=0.1, max_depth=80, hole=255)
    found = source.arrays(row)[1]
    assert (found[0] == 0).all()
    np.testing.assert_allclose(found[1:], 4, rtol=1e-6)


def test_depth_beyond_the_first_step_does_not_become_a_hole(tmp_path):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 1e-5), (".png", ".npy"), metres_per_unit=1, max_depth=80)
    assert np.asarray(Image.open(io.BytesIO(source.pair(row)[1]))).min() == 1


def test_the_middle_is_taken_and_resized(tmp_path):
    # 4 times as high, and 5/4 too wide: the middle 128x256 of 128x320.
    image = np.zeros((128, 320, 3), np.uint8)
    image[:, 32:288] = np.arange(64).repeat(4)[None, :, None]
    depth = np.full((64, 160), 9.0)
    depth[:, 16:144] = 1 + np.arange(64).repeat(2) / 64.0
    source, row = one(tmp_path, image, depth, (".png", ".npy"), metres_per_unit=1)
    found, values = source.arrays(row)
    np.testing.assert_array_equal(found, np.broadcast_to(np.arange(64)[None, :, None], SIZE + (3,)))
    np.testing.assert_allclose(values, np.broadcast_to(1 + np.arange(64) / 64.0, SIZE), rtol=1e-6)
    data = np.asarray(Image.open(io.BytesIO(source.pair(row)[0])))
    assert data.shape == SIZE + (3,) and np.abs(data.astype(int) - found).max() <= 3


@pytest.mark.parametrize("view", [(34, 68), (33, 66), (45, 90), (40, 84)])
def test_pictures_are_reduced_by_the_exact_mean_as_for_predictions(tmp_path, view):
    source, row = one(tmp_path, rgb(view), np.ones(view), (".png", ".npy"), metres_per_unit=1)
    found = source.arrays(row)[0]
    over = (view[1] - 2 * view[0]) // 2
    middle = rgb(view)[:, over : view[1] - over]
    # In parts of which each new pixel has a whole number.
    fine = middle.astype(float).repeat(SIZE[0], 0).repeat(SIZE[1], 1)
    exact = fine.reshape(SIZE[0], view[0], SIZE[1], 2 * view[0], 3).mean(axis=(1, 3))
    assert np.abs(found - exact).max() <= 0.501
    assert np.abs(found / 255 - fit(middle[np.newaxis], SIZE)[0]).max() <= 0.501 / 255


@pytest.mark.parametrize("view, shape", [((93, 310), (46, 155)), ((93, 310), (47, 155)), ((75, 248), (25, 83))])
def test_depth_of_a_rounded_resolution_is_taken(tmp_path, view, shape):
    source, row = one(tmp_path, rgb(view), np.ones(shape), (".png", ".npy"), metres_per_unit=1)
    assert (source.arrays(row)[1] == 1).all()


def decimated():
    """(picture 848x480, depth 284x160) whose values are the column's number in the depth, and the rest."""
    columns = np.minimum(np.arange(848) // 3, 281)
    image = np.broadcast_to((columns % 256).astype(np.uint8)[None, :, None], (480, 848, 3))
    depth = np.zeros((160, 284))
    depth[:, :282] = 1 + np.arange(282)
    return image, depth


def test_depth_of_a_decimation_filter_lies_where_it_belongs(tmp_path):
    image, values = decimated()
    size = (160, 282)
    source, row = one(tmp_path, image, values, (".png", ".npy"), size, metres_per_unit=1, max_depth=1000)
    found, measured = source.arrays(row)
    np.testing.assert_array_equal(found[:, :, 0], (measured - 1) % 256)
    np.testing.assert_array_equal(measured[0], 1 + np.arange(282))


def test_depth_that_is_off_by_most_of_a_pixel_is_refused(tmp_path):
    image, values = decimated()
    values[:, 282:] = 300
    source, row = one(tmp_path, image, values, (".png", ".npy"), metres_per_unit=1, max_depth=1000)
    message = refusal(source.arrays, row)
    assert (
        "a.png: is 848x480, its depth {} is 284x160; the two must show the same view".format(tmp_path / "b.npy")
        in message
    )
    assert "the depth has 0.75 of its pixels too many or too few" in message


def test_a_cut_picture_does_not_keep_its_bytes(tmp_path):
    # 62 and 30 pixels are left of 64 and 31 by a filter of factor 2.
    values = np.zeros((16, 32))
    values[:15, :31] = 1
    source, row = one(tmp_path, rgb((31, 63)), values, (".png", ".npy"), (30, 62), metres_per_unit=1)
    data, _, size = source.pair(row)
    assert Image.open(io.BytesIO(data)).size == (62, 30) and size == (30, 62)


def test_depth_that_is_jpeg_inside_is_refused(tmp_path):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 99, np.uint8))
    Image.fromarray(np.full(SIZE, 99, np.uint8)).save(str(tmp_path / "b.png"), "JPEG")
    message = "b.png: expected PNG, got JPEG; its compression changes depth: store the original measurement"
    assert refusal(source.arrays, row).endswith(message)


def test_the_nearest_depth_is_kept_where_holes_are_many(tmp_path):
    depth = np.zeros((64, 128))
    depth[1::2, 1::2] = 5
    depth[0::2, 0::2] = 2
    source, row = one(tmp_path, rgb((64, 128)), depth, (".png", ".npy"), metres_per_unit=1)
    assert set(np.unique(source.arrays(row)[1])) <= {0, 2, 5}


def test_the_orientation_of_a_photograph_is_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    source, row = one(tmp_path, rgb(), metres(), (".png", ".npy"), metres_per_unit=1)
    save(tmp_path / "a.png", rgb(), exif=exif)
    np.testing.assert_array_equal(source.arrays(row)[0], rgb()[::-1, ::-1])
    assert source.pair(row)[0] != (tmp_path / "a.png").read_bytes()


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_a_photograph_that_is_not_turned_keeps_its_bytes(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    source, row = one(tmp_path, rgb(), metres(), (".jpg", ".npy"), metres_per_unit=1)
    save(tmp_path / "a.jpg", rgb(), exif=exif)
    assert source.pair(row)[0] == (tmp_path / "a.jpg").read_bytes()


@pytest.mark.parametrize(
    "image, depth, suffixes, words",
    [
        (
            np.zeros((0, 64, 3), np.uint8),
            metres(),
            (".npy", ".npy"),
            r"a.npy: expected uint8 .*, got uint8 \(0, 64, 3\)",
        ),
        (rgb(), np.zeros((32, 0)), (".png", ".npy"), r"b.npy: expected numbers .*, got float64 \(32, 0\)"),
        (rgb((32, 32)), metres(), (".png", ".npy"), "a.png: is 32x32, its depth .*b.npy is 64x32; .* same view"),
        (rgb(), np.zeros(SIZE), (".png", ".npy"), "no pixel has a depth below 10 m; .*greatest found: none"),
        (rgb(), metres() * 1000, (".png", ".npy"), r"no pixel has a depth below 10 m; .*greatest found: 7000 m"),
        (rgb(), rgb(), (".png", ".png"), "b.png: expected depth of one channel, 8 or 16 bit, got an image of mode RGB"),
        (rgb(), metres().astype(complex), (".png", ".npy"), "b.npy: expected numbers .*, got complex128"),
        (rgb().astype(np.float32), metres(), (".npy", ".npy"), "a.npy: expected uint8 .*, got float32"),
    ],
)
def test_faulty_pairs_are_named(tmp_path, image, depth, suffixes, words):
    source, row = one(tmp_path, image, depth, suffixes, metres_per_unit=1)
    for read in (source.arrays, source.pair):
        with pytest.raises(PipelineError, match=words) as caught:
            read(row)
        assert str(caught.value).startswith(str(tmp_path / "pairs.csv") + ": row 1, ")


@pytest.mark.parametrize("mode, suffix", [("CMYK", ".jpg"), ("I;16", ".png"), ("RGBA", ".png")])
def test_images_are_taken_as_predictions_take_them(tmp_path, mode, suffix):
    grey = np.linspace(0, 65535, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)
    image = Image.fromarray(grey) if mode == "I;16" else Image.fromarray(rgb()).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray((grey >> 8).astype(np.uint8)))
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16), (suffix, ".png"))
    image.save(str(tmp_path / ("a" + suffix)))
    expected = image_files.read(str(tmp_path / ("a" + suffix))).rgb
    assert (source.arrays(row)[0] == expected).all() and expected.std() > 10
    data, _, size = source.pair(row)
    with Image.open(io.BytesIO(data)) as stored:
        assert stored.mode == "RGB" and size == SIZE
        assert np.abs(np.asarray(stored).astype(int) - expected).mean() < 10


def test_files_that_cannot_be_read(tmp_path):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16))
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    assert "b.png: cannot be read as an image" in refusal(source.arrays, row)
    # Pillow makes the rows that are missing black, and invalid depth.
    height, width = SIZE
    (tmp_path / "b.png").write_bytes(of_rows(height - 1, bytes([7, 208]) * width, header(height, width, 16)))
    assert "b.png: cannot be read as an image (3999 of 4128 bytes of rows are there)" in refusal(source.arrays, row)
    (tmp_path / "a.png").write_bytes(of_rows(height - 1, bytes([9, 9, 9]) * width, header(height, width, colour=2)))
    assert "a.png: cannot be read as an image (5983 of 6176 bytes" in refusal(source.arrays, row)
    (tmp_path / "a.png").unlink()
    assert "a.png: cannot be read as an image" in refusal(source.arrays, row)


@pytest.mark.parametrize("limit, refused", [(SIZE[0] * SIZE[1] - 1, False), (SIZE[0] * SIZE[1] // 2 - 1, True)])
def test_large_pictures(tmp_path, monkeypatch, limit, refused):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        # Pillow warns of what is beyond the limit, and refuses what is beyond twice as much.
        warnings.simplefilter("error")
        if refused:
            assert refusal(source.pair, row).endswith("a.png: cannot be read as an image (more than 0 megapixels)")
        else:
            assert source.pair(row)[2] == SIZE


def test_a_near_miss_of_a_picture_that_is_not_there(tmp_path):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16))
    os.rename(row.rgb, row.rgb.replace("a.png", "A.PNG"))
    assert refusal(source.pair, row).endswith("; did you mean {}?".format(tmp_path / "A.PNG"))
