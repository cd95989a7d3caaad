"""One's own pictures: which files are a pair, how they are split, and what becomes of their pixels."""

import io
import json
import os

import numpy as np
import pytest
from densedepth import check, conversion, pictures, pictures_test, records
from densedepth.errors import PipelineError
from densedepth.testset import open_test_set
from PIL import Image

SIZE = (32, 64)


def save(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(str(path), array)
    else:
        Image.fromarray(array).save(str(path), **options)


def rgb(size=SIZE, seed=0):
    return np.random.RandomState(seed).randint(0, 256, size + (3,)).astype(np.uint8)


def metres(size=SIZE):
    return np.linspace(1, 7, size[0] * size[1]).reshape(size)


def listed(tmp_path, rows, size=SIZE, **options):
    """The list of a csv of `rows`, written as a file; one picture that it may name is there."""
    (tmp_path / "b.PNG").touch()
    (tmp_path / "pairs.csv").write_text("".join(row + "\n" for row in rows))
    facts = dict({"metres_per_unit": 0.001, "max_depth": 10}, **options)
    content = pictures.listed(size, table=str(tmp_path / "pairs.csv"), **facts)
    (tmp_path / "list.json").write_text(json.dumps(content))
    return str(tmp_path / "list.json")


def read(path):
    with open(path) as stream:
        return json.load(stream)


def one(tmp_path, image, depth, suffixes=(".png", ".png"), size=SIZE, **options):
    """(source, row) of a single pair; a second one is for the test."""
    names = ["a" + suffixes[0], "b" + suffixes[1]]
    for name, array in zip(names, (image, depth)):
        save(tmp_path / name, array)
    path = listed(tmp_path, [",".join(names + ["train"]), "other.png,other.png,test"], size, **options)
    source = pictures.Pictures(path)
    return source, source.rows()[0]


def refusal(function, *arguments, **options):
    with pytest.raises(PipelineError) as caught:
        function(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Which files, and the split


def test_a_csv_with_a_split(tmp_path):
    content = read(listed(tmp_path, ["RGB,depth,split", "x/a.jpg, d.npy ,train", "", "b.PNG,e.png,test"]))
    assert content["split"] == "given"
    assert content["rows"] == [
        {"row": 2, "rgb": str(tmp_path / "x/a.jpg"), "depth": str(tmp_path / "d.npy"), "split": "train"},
        {"row": 4, "rgb": str(tmp_path / "b.PNG"), "depth": str(tmp_path / "e.png"), "split": "test"},
    ]


def test_a_drawn_split_is_by_seed(tmp_path):
    rows = ["{0}.PNG,{0}.npy".format("b" if i == 0 else i) for i in range(20)]

    def test_rows(**options):
        content = read(listed(tmp_path, rows, **options))
        return [row["row"] for row in content["rows"] if row["split"] == "test"]

    first = test_rows(test_share=0.25)
    assert len(first) == 5
    assert first == test_rows(test_share=0.25)
    assert first != test_rows(test_share=0.25, seed=1)
    assert len(test_rows(test_share=0.001)) == 1


@pytest.mark.parametrize(
    "rows, words",
    [
        (["a.png"], "row 1: 'a.png' is not `rgb file,depth file`"),
        (["image,depth"], "row 1: .*image does not end in .*; a header must be `rgb,depth`"),
        (["a.png,b.png", "c.png,d.png"], "none of its pictures is there, such as .*a.png; paths start from"),
        (["b.PNG,b.png,train", "b.PNG,c.png,test"], "row 2: .*b.PNG is for test, and in row 1 for train"),
        (["a.png,b.png,dev"], "row 1: split 'dev' is neither train nor test"),
        (["a.png,b.png,train", "c.png,d.png"], "row 2: some rows name a split"),
        (["a.png,b.tif"], "row 1: .*b.tif does not end in .png, .npy"),
        (["b.PNG,b.png,train"], "no pair is for test"),
        (["b.PNG,b.png"], "1 pairs leave none to train on"),
        (["rgb,depth"], "has no rows"),
    ],
)
def test_a_wrong_csv(tmp_path, rows, words):
    with pytest.raises(PipelineError, match=words):
        listed(tmp_path, rows)


def folders(tmp_path, names):
    for name in names:
        save(tmp_path / "rgb" / (name + ".jpg"), rgb())
        save(tmp_path / "depth" / (name + ".npy"), metres())
    return {"rgb": str(tmp_path / "rgb"), "depth": str(tmp_path / "depth"), "metres_per_unit": 1, "max_depth": 10}


def test_folders_pair_by_name(tmp_path):
    content = pictures.listed(SIZE, **folders(tmp_path, ["s1/1", "s1/2", "s2/1"]))
    assert [
        (os.path.relpath(row["rgb"], str(tmp_path)), os.path.relpath(row["depth"], str(tmp_path)))
        for row in content["rows"]
    ] == [("rgb/{}.jpg".format(name), "depth/{}.npy".format(name)) for name in ("s1/1", "s1/2", "s2/1")]
    assert content["split"] == "drawn"


def test_folders_train_and_test_are_the_split(tmp_path):
    content = pictures.listed(SIZE, **folders(tmp_path, ["train/1", "train/x/2", "test/1"]))
    assert [row["split"] for row in content["rows"]] == ["test", "train", "train"]
    assert content["split"] == "given"


def test_a_file_without_partner_is_named(tmp_path):
    options = folders(tmp_path, ["1", "2"])
    (tmp_path / "depth" / "2.npy").unlink()
    assert "2.jpg has no partner of the same name in" in refusal(pictures.listed, SIZE, **options)


# Pixels


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


@pytest.mark.parametrize(
    "image, depth, suffixes, words",
    [
        (rgb((32, 32)), metres(), (".png", ".npy"), "a.png: is 32x32, its depth .*b.npy is 64x32; .* same view"),
        (rgb(), np.zeros(SIZE), (".png", ".npy"), "no pixel has a depth below 10 m; .*greatest found: none"),
        (rgb(), metres() * 1000, (".png", ".npy"), r"no pixel has a depth below 10 m; .*greatest found: 7000 m"),
        (rgb(), rgb(), (".png", ".png"), "b.png: is a picture of mode RGB, where depth of one channel"),
        (rgb(), metres().astype(complex), (".png", ".npy"), "b.npy: is complex128 .*, where numbers"),
        (rgb().astype(np.float32), metres(), (".npy", ".npy"), "a.npy: is float32 .*, where uint8"),
        (
            metres().astype(np.uint16),
            metres(),
            (".png", ".npy"),
            "a.png: is a picture of mode I.*, where 8-bit colours",
        ),
    ],
)
def test_faulty_pairs_are_named(tmp_path, image, depth, suffixes, words):
    source, row = one(tmp_path, image, depth, suffixes, metres_per_unit=1)
    for read in (source.arrays, source.pair):
        with pytest.raises(PipelineError, match=words) as caught:
            read(row)
        assert str(caught.value).startswith(str(tmp_path / "pairs.csv") + ": row 1, ")


def test_files_that_cannot_be_read(tmp_path):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16))
    whole = (tmp_path / "b.png").read_bytes()
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    assert "b.png: cannot be read as a picture" in refusal(source.arrays, row)
    (tmp_path / "a.png").unlink()
    assert "a.png: cannot be read as a picture" in refusal(source.arrays, row)


# To records, to the test archive, and the check


@pytest.fixture
def camera(tmp_path):
    """The list of 6 pairs; the fourth is faulty."""
    rows = []
    for number in range(6):
        depth = np.full(SIZE, 1000 + 1000 * number, np.uint16)
        depth[:8] = 0
        save(tmp_path / "{}.jpg".format(number), rgb(seed=number))
        save(tmp_path / "{}.png".format(number), depth)
        rows.append("{0}.jpg,{0}.png,{1}".format(number, "test" if number % 2 else "train"))
    (tmp_path / "3.jpg").write_bytes(b"")
    return listed(tmp_path, rows)


def test_records_hold_sixteen_bits_and_their_unit(camera, tmp_path):
    from densedepth import dataset

    side = conversion.convert(camera, str(tmp_path / "x.tfrecords"))
    assert (side["records"], side["rgb_size"], side["depth_unit"]) == (3, list(SIZE), 10 / 65535)
    with records.RecordIndex([str(tmp_path / "x.tfrecords")]) as index:
        assert dataset.has_holes(index)


def test_the_test_archive_declares_holes_and_greatest_depth(camera, tmp_path):
    out = str(tmp_path / "test.zip")
    assert "row 4, " in refusal(pictures_test.write, camera, out)
    assert not os.path.exists(out)
    assert pictures_test.write(camera, out, skip=1) == 2
    with open_test_set(out) as test_set:
        assert (test_set.holes, test_set.limits, test_set.crop) == (True, (0.1, 10.0), (0, 31, 0, 63))
        batches = list(test_set.batches(2))
    assert [float(depth.max()) for depth in batches[0][1]] == [2.0, 6.0]
    assert (batches[0][1][:, :8] == 0).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_check_reads_everything_and_names_the_faulty_row(camera, tmp_path, workers):
    result = check.check(camera, workers=workers)
    assert (result["pairs"], [fault["row"] for fault in result["faults"]]) == (6, [4])
    assert result["holes"] == pytest.approx(0.25)
    assert (result["nearest_m"], result["greatest_m"]) == (1.0, 6.0)
    assert sum(result["histogram"]) == 5 * 24 * 64
    check.write_faults(str(tmp_path / "faults.csv"), result)
    assert (tmp_path / "faults.csv").read_text().splitlines()[1].startswith("4,")
    check.draw(str(tmp_path / "sheet.png"), camera, result)
    assert Image.open(str(tmp_path / "sheet.png")).size[0] > 1000


def test_depth_far_below_the_greatest_is_doubted(camera):
    result = check.check(camera)
    assert check.doubt(result) is None
    assert "median 3." in check.depth_text(result)
    result.update(nearest_m=0.01, greatest_m=0.06, median_m=0.03)
    assert "no depth beyond 0.06 m, where up to 10 m are expected" in check.doubt(result)
