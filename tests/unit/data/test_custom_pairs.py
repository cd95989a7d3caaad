"""One's own pictures: which files are a pair, how they are split, and what becomes of their pixels."""

import collections
import io
import json
import os
import warnings
import zipfile

import check_data
import list_pictures
import numpy as np
import pytest
from densedepth.data import (
    check,
    conversion,
    custom_list,
    custom_pairs,
    custom_test_archive,
    records,
    sources,
    test_archive_writer,
)
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import scoring
from densedepth.imaging.depth import fit
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
    content = custom_list.listed(size, table=str(tmp_path / "pairs.csv"), **facts)
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
    source = custom_pairs.Pictures(path)
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


def test_the_home_folder_in_a_csv(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    rows = read(listed(tmp_path, ["b.PNG,~/b.png,train", "~/c.png,~c.png,test"]))["rows"]
    assert [row["depth"] for row in rows] == [str(tmp_path / "home/b.png"), str(tmp_path / "~c.png")]
    assert rows[1]["rgb"] == str(tmp_path / "home/c.png")


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
        (["a.png;b.png", "c.png;d.png"], "row 1: 'a.png;b.png' is not .*; fields must be separated by commas"),
        (["a.png\tb.png\ttrain"], "row 1: .* is not .*; fields must be separated by commas"),
        (["image,depth"], "row 1: .*image does not end in .*; a header must be `rgb,depth`"),
        (["image,depth,split", "b.PNG,b.png,train"], "row 1: .*image does .*; a header must .* or `rgb,depth,split`"),
        (["a.png,b.png", "c.png,d.png"], "none of its pictures is there, such as .*a.png; paths start from"),
        (["b.PNG,b.png,train", "b.PNG,c.png,test"], "row 2: .*b.PNG is for test, and in row 1 for train"),
        (["a.png,b.png,dev"], "row 1: split 'dev' is neither train nor test"),
        (["a.png,b.png,train", "c.png,d.png"], "row 2: some rows name a split"),
        (["a.png,b.tif"], "row 1: .*b.tif does not end in .png, .npy"),
        (["b.PNG,b.png,train"], "no pair is for test"),
        (["b.PNG,b.png"], "1 pairs leave none to train on"),
        (["rgb,depth"], "has no rows"),
        (["x\\a.png,b.png", "c.png,d.png"], r"such as .*a.png; paths start .*; folders are separated by /"),
    ],
)
def test_a_wrong_csv(tmp_path, rows, words):
    with pytest.raises(PipelineError, match=words):
        listed(tmp_path, rows)


@pytest.mark.parametrize("coding, name", [("utf-16", "b"), ("latin-1", "caf\xe9")])
def test_a_csv_that_is_not_utf8(tmp_path, coding, name):
    (tmp_path / "pairs.csv").write_bytes("{}.png,b.npy,train\n".format(name).encode(coding))
    message = refusal(custom_list.listed, SIZE, 1, 10, table=str(tmp_path / "pairs.csv"))
    assert message == str(tmp_path / "pairs.csv") + (
        ': is not text in UTF-8; save it as UTF-8 (a spreadsheet calls it "CSV UTF-8")'
    )


def test_a_csv_that_cannot_be_read(tmp_path):
    message = refusal(custom_list.listed, SIZE, 1, 10, table=str(tmp_path))
    assert message == "{}: cannot be read (Is a directory)".format(tmp_path)


def test_every_faulty_row_of_a_csv_is_named(tmp_path, capsys):
    message = refusal(listed, tmp_path, ["b.PNG,b.png,train", "a.png", "c.tif,c.png,test", "d.png,d.png,dev"])
    assert "pairs.csv: row 2: 'a.png' is not" in message
    assert message.endswith("; 3 rows are faulty, named above")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["row 2", "row 3", "row 4"]


@pytest.mark.parametrize("other", ["./b.PNG", "x/../b.PNG", "link.png", "linked/b.PNG", "hard.png"])
@pytest.mark.parametrize("kind", ["picture", "depth"])
def test_one_file_for_train_and_test_is_seen_however_it_is_spelled(tmp_path, other, kind):
    (tmp_path / "x").mkdir()
    (tmp_path / "link.png").symlink_to("b.PNG")
    (tmp_path / "linked").symlink_to(".")
    (tmp_path / "b.PNG").touch()
    os.link(str(tmp_path / "b.PNG"), str(tmp_path / "hard.png"))
    (tmp_path / "a.png").touch()
    trained, tested = ("b.PNG,x.png", other + ",y.png") if kind == "picture" else ("a.png,b.PNG", "c.png," + other)
    message = refusal(listed, tmp_path, [trained + ",train", tested + ",test"])
    words = "pairs.csv: row 2: {} is for test, and in row 1 for train as {};"
    assert words.format(os.path.join(str(tmp_path), other), tmp_path / "b.PNG") in message


def test_files_without_numbers_are_told_apart_by_their_paths(tmp_path, monkeypatch):
    for name in ("a.png", "b.png", "c.png", "d.png"):
        (tmp_path / name).touch()
    (tmp_path / "linked").symlink_to(".")
    stat = os.stat
    numberless = collections.namedtuple("Status", "st_dev st_ino")(1, 0)
    # As on some file systems of networks.
    monkeypatch.setattr(
        custom_list.os, "stat", lambda path, **rest: numberless if str(path).endswith(".png") else stat(path, **rest)
    )
    listed(tmp_path, ["a.png,b.png,train", "c.png,d.png,test"])
    assert "b.png is for test" in refusal(listed, tmp_path, ["a.png,b.png,train", "c.png,linked/b.png,test"])


def test_one_file_that_is_not_there_cannot_be_for_both(tmp_path):
    (tmp_path / "linked").symlink_to(".")
    message = refusal(listed, tmp_path, ["b.PNG,x.png,train", "c.png,linked/x.png,test"])
    assert "x.png is for test, and in row 1 for train as {};".format(tmp_path / "x.png") in message


@pytest.mark.parametrize(
    "flags, words",
    [
        (["--hole=nan"], "--hole: nan: must be a number"),
        (["--hole=-inf"], "--hole: -inf: must be a number"),
        (["--max_depth=inf"], "--max_depth: inf: must be"),
        (["--max_depth=nan"], "--max_depth: nan: must be"),
        (["--max_depth=0"], "--max_depth: 0: must be"),
        (["--metres_per_unit=nan"], "--metres_per_unit: nan: must be"),
        (["--metres_per_unit=inf"], "--metres_per_unit: inf: must be"),
    ],
)
def test_numbers_that_cannot_be_are_told_in_one_line(tmp_path, capsys, flags, words):
    save(tmp_path / "b.PNG", rgb())
    (tmp_path / "pairs.csv").write_text("b.PNG,b.npy,train\nc.PNG,c.npy,test\n")
    usual = ["--csv", str(tmp_path / "pairs.csv"), "--metres_per_unit=1", "--max_depth=10"]
    with pytest.raises(SystemExit) as ended:
        list_pictures.main(usual + flags + ["--out", str(tmp_path / "list.json")])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
    assert not (tmp_path / "list.json").exists()


def test_a_great_negative_hole_comes_through_the_command_line(tmp_path):
    save(tmp_path / "b.PNG", rgb())
    (tmp_path / "pairs.csv").write_text("b.PNG,b.npy,train\nc.PNG,c.npy,test\n")
    flags = ["--csv={}".format(tmp_path / "pairs.csv"), "--metres_per_unit=1", "--max_depth=10", "--hole=-3.4e+38"]
    assert list_pictures.main(flags + ["--out", str(tmp_path / "list.json")]) == 0
    assert read(str(tmp_path / "list.json"))["hole"] == -3.4e38


def folders(tmp_path, names):
    for name in names:
        save(tmp_path / "rgb" / (name + ".jpg"), rgb())
        save(tmp_path / "depth" / (name + ".npy"), metres())
    return {"rgb": str(tmp_path / "rgb"), "depth": str(tmp_path / "depth"), "metres_per_unit": 1, "max_depth": 10}


def test_folders_pair_by_name(tmp_path):
    content = custom_list.listed(SIZE, **folders(tmp_path, ["s1/1", "s1/2", "s2/1"]))
    assert [
        (os.path.relpath(row["rgb"], str(tmp_path)), os.path.relpath(row["depth"], str(tmp_path)))
        for row in content["rows"]
    ] == [("rgb/{}.jpg".format(name), "depth/{}.npy".format(name)) for name in ("s1/1", "s1/2", "s2/1")]
    assert content["split"] == "drawn"


def test_folders_train_and_test_are_the_split(tmp_path):
    content = custom_list.listed(SIZE, **folders(tmp_path, ["train/1", "train/x/2", "test/1"]))
    assert [row["split"] for row in content["rows"]] == ["test", "train", "train"]
    assert content["split"] == "given"


@pytest.mark.parametrize(
    "names, odd",
    [
        (["train/1", "test/1", "val/1"], "val/"),
        (["Train/1", "test/1"], "Train/"),
        (["training/1", "testing/1"], "testing/, training/"),
        (["train/1", "test/1", "stray"], "stray.jpg"),
        (["train/1", "test/1", "a/1", "b/1", "stray"], "a/, b/, stray.jpg"),
        (["validation/1", "scene/1"], "scene/, validation/"),
    ],
)
def test_what_only_looks_like_a_split_is_refused(tmp_path, names, odd):
    message = refusal(custom_list.listed, SIZE, **folders(tmp_path, names))
    assert message.startswith(str(tmp_path / "rgb") + ": a split by folders needs all pictures in `train` and `test`")
    assert "but there is {}; rename or take it out".format(odd) in message
    assert message.endswith("or give a csv with a third column")


def test_folders_of_other_names_are_no_split(tmp_path):
    assert custom_list.listed(SIZE, **folders(tmp_path, ["scene/train/1", "trainer/1", "2"]))["split"] == "drawn"


def test_linked_folders_are_entered(tmp_path):
    options = folders(tmp_path, ["test/1"])
    for kind in ("rgb", "depth"):
        (tmp_path / kind / "test").rename(tmp_path / (kind + " of elsewhere"))
        (tmp_path / kind / "test").symlink_to(tmp_path / (kind + " of elsewhere"))
    folders(tmp_path, ["train/1"])
    content = custom_list.listed(SIZE, **options)
    assert [(row["split"], os.path.relpath(row["rgb"], str(tmp_path))) for row in content["rows"]] == [
        ("test", "rgb/test/1.jpg"),
        ("train", "rgb/train/1.jpg"),
    ]


def test_links_that_lead_back_up_or_nowhere_are_not_entered(tmp_path):
    options = folders(tmp_path, ["s/1", "s/2"])
    for kind in ("rgb", "depth"):
        (tmp_path / kind / "s" / "up").symlink_to("..")
        (tmp_path / kind / "here").symlink_to(".")
        (tmp_path / kind / "itself").symlink_to("itself")
        (tmp_path / kind / "gone").symlink_to("nowhere")
    assert [row["rgb"] for row in custom_list.listed(SIZE, **options)["rows"]] == [
        str(tmp_path / "rgb" / "s" / "{}.jpg".format(number)) for number in (1, 2)
    ]


def test_one_folder_linked_as_train_and_as_test_is_a_leak(tmp_path):
    options = folders(tmp_path, ["train/1"])
    for kind in ("rgb", "depth"):
        (tmp_path / kind / "test").symlink_to("train")
    assert "test/1.jpg is for test, and in row 2 for train as " in refusal(custom_list.listed, SIZE, **options)


def test_pictures_and_depths_in_one_folder(tmp_path):
    save(tmp_path / "s" / "0.jpg", rgb())
    save(tmp_path / "s" / "0.png", metres().astype(np.uint16))
    (tmp_path / "link").symlink_to("s")
    for depth in ("s", "link"):
        message = refusal(custom_list.listed, SIZE, 1, 10, rgb=str(tmp_path / "s"), depth=str(tmp_path / depth))
        assert message == "{}: rgb and depth lie in one folder; give two folders, or a csv".format(tmp_path / "s")
    message = refusal(custom_list.listed, SIZE, 1, 10, rgb=str(tmp_path), depth=str(tmp_path / "s"))
    assert "0.jpg and {} have one name; ".format(tmp_path / "link" / "0.png") in message
    assert message.endswith("where they are picture and depth in one folder, give two folders or a csv")


def test_a_file_without_partner_is_named(tmp_path):
    options = folders(tmp_path, ["1", "2"])
    (tmp_path / "depth" / "2.npy").unlink()
    assert "2.jpg has no partner of the same name in" in refusal(custom_list.listed, SIZE, **options)


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"caf\xe9/1.jpg"])
def test_a_name_that_is_not_utf8_is_refused(tmp_path, name):
    options = folders(tmp_path, ["1", "2"])
    path = os.path.join(os.fsencode(options["rgb"]), name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.rename(os.path.join(options["rgb"], "2.jpg"), path)
    shown = os.path.join(options["rgb"], name.decode("ascii", "backslashreplace"))
    assert refusal(custom_list.listed, SIZE, **options) == (
        shown + ": a name that is not UTF-8; rename the file or folder"
    )


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
        (
            metres().astype(np.uint16),
            metres(),
            (".png", ".npy"),
            "a.png: expected 8-bit colours, got an image of mode I",
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


@pytest.mark.parametrize("limit, refused", [(SIZE[0] * SIZE[1] - 1, False), (SIZE[0] * SIZE[1] // 2 - 1, True)])
def test_large_pictures(tmp_path, monkeypatch, limit, refused):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with warnings.catch_warnings():
        # Pillow warns of what is beyond the limit, and refuses what is beyond twice as much.
        warnings.simplefilter("error")
        if refused:
            assert refusal(source.pair, row).endswith("a.png: cannot be read as a picture (more than 0 megapixels)")
        else:
            assert source.pair(row)[2] == SIZE


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
    from densedepth.data import dataset

    side = conversion.convert(camera, str(tmp_path / "x.tfrecords"))
    assert (side["records"], side["rgb_size"], side["depth_unit"]) == (3, list(SIZE), 10 / 65535)
    with records.RecordIndex([str(tmp_path / "x.tfrecords")]) as index:
        assert dataset.has_holes(index)


@pytest.mark.parametrize("changed", ["4.jpg", "4.png"])
def test_shards_whose_pictures_were_changed_are_written_again(camera, tmp_path, capsys, changed):
    # Seed 0 puts 0.jpg into the last of three shards, 4.jpg into the first.
    whole = (tmp_path / "0.jpg").read_bytes()
    (tmp_path / "0.jpg").write_bytes(b"")
    out = str(tmp_path / "out" / "x.tfrecords")
    assert "row 1, " in refusal(conversion.convert, camera, out, shards=3)
    (tmp_path / "0.jpg").write_bytes(whole)
    other = rgb(seed=9) if changed == "4.jpg" else np.full(SIZE, 7000, np.uint16)
    save(tmp_path / changed, other)
    os.utime(str(tmp_path / changed), (1, 1))
    capsys.readouterr()
    side = conversion.convert(camera, out, shards=3)
    assert "; 1 shards are there from an interrupted call" in capsys.readouterr().out
    assert side["sha256"] == conversion.convert(camera, str(tmp_path / "clean" / "x.tfrecords"), shards=3)["sha256"]


def test_the_test_archive_declares_holes_and_greatest_depth_and_what_was_left_out(camera, tmp_path, capsys):
    out = str(tmp_path / "test.zip")
    assert "row 4, " in refusal(custom_test_archive.write, camera, out)
    assert not os.path.exists(out)
    assert custom_test_archive.write(camera, out, skip=1) == 2
    with zipfile.ZipFile(out) as archive:
        facts = json.loads(archive.read("pictures.json").decode())
    ((row, image, problem),) = [(fault["row"], fault["rgb"], fault["problem"]) for fault in facts["skipped"]]
    assert (row, image) == (4, str(tmp_path / "3.jpg"))
    assert "row 4, {}: cannot be read".format(image) in problem
    said = capsys.readouterr().out
    assert "left out: {}\n".format(problem) in said
    assert "1 of 3 test pairs are faulty and were left out; pictures.json in {} lists them".format(out) in said
    with open_test_set(out) as test_set:
        assert (test_set.holes, test_set.limits, test_set.crop) == (True, (0.1, 10.0), (0, 31, 0, 63))
        batches = list(test_set.batches(2))
        assert test_set.names == ["1.jpg", "5.jpg"]
        # From where the report has it.
        assert scoring.evaluate_constant(test_set)["test_data"]["skipped"] == facts["skipped"]
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


def test_a_source_stays_open_from_one_task_to_the_next(camera, monkeypatch):
    opened = []
    monkeypatch.setattr(check, "_CHUNK", 1)
    open_source = sources.open_source
    for module in (check, sources):
        monkeypatch.setattr(module, "open_source", lambda *args: opened.append(args) or open_source(*args))
    assert check.check(camera)["pairs"] == 6
    # To list the rows, and once more to read them.
    assert opened == [(camera, split) for split in ("train", "test")] * 2


def test_faulty_pairs_are_counted_in_each_split_by_itself(camera, tmp_path):
    (tmp_path / "2.jpg").write_bytes(b"")
    result = check.check(camera)
    assert check.verdict(result, 1) is None
    words = "2 of 6 pairs are faulty (train: 1, test: 1; allowed in each: 0)"
    assert check.verdict(result, 0) == words
    flags = ["--input_dir", camera, "--sheet", str(tmp_path / "s.png"), "--faults", str(tmp_path / "f.csv")]
    assert check_data.main(flags + ["--skip_bad=1", "--json", str(tmp_path / "check.json")]) == 0
    assert read(str(tmp_path / "check.json"))["sizes"] == {"64x32": 4}
    assert conversion.convert(camera, str(tmp_path / "x.tfrecords"), skip=1)["records"] == 2
    assert custom_test_archive.write(camera, str(tmp_path / "test.zip"), skip=1) == 2


def archive(path, rows, sizes=(SIZE,), change=None):
    """A training archive whose csv has `rows`, and a pair `i` of each of `sizes`; with members changed."""
    members = {"data/nyu2_train.csv": "".join(row + "\n" for row in rows).encode()}
    for number, size in enumerate(sizes):
        for suffix, kind, array in (("jpg", "JPEG", rgb(size)), ("png", "PNG", np.full(size, 51, np.uint8))):
            stream = io.BytesIO()
            Image.fromarray(array).save(stream, kind)
            members["data/a/{}.{}".format(number, suffix)] = stream.getvalue()
    members.update(change or {})
    with zipfile.ZipFile(str(path), "w") as target:
        for name, data in members.items():
            target.writestr(name, data)
    return str(path)


def row(number):
    return "data/a/{0}.jpg,data/a/{0}.png".format(number)


@pytest.mark.parametrize("workers", [1, 2])
def test_every_faulty_row_of_an_archive_is_named(tmp_path, capsys, monkeypatch, workers):
    monkeypatch.setattr(check, "_CHUNK", 2)
    rows = [row(0), "data/a/1.jpg", "", row(1), "a;b", row(2), row(7)]
    path = archive(tmp_path / "a.zip", rows, (SIZE,) * 3, {"data/a/1.jpg": b"no picture"})
    result = check.check(path, workers=workers)
    said = capsys.readouterr().out if workers == 1 else None
    assert result["pairs"] == 6
    found = {fault["row"]: fault for fault in result["faults"]}
    assert sorted(found) == [2, 4, 5, 7]
    assert [number for number in sorted(found) if not found[number]["skippable"]] == [2, 5]
    for number, words in (
        (2, "row 2 of data/nyu2_train.csv is not `rgb member,depth member`: 'data/a/1.jpg'"),
        (4, "row 4, data/a/1.jpg: not an image"),
        (5, "row 5 of data/nyu2_train.csv is not `rgb member,depth member`: 'a;b'"),
        (7, "row 7 of data/nyu2_train.csv names data/a/7.jpg, which the archive does not have"),
    ):
        assert words in found[number]["problem"]
        assert said is None or found[number]["problem"] in said
    assert check.verdict(result, 9) == (
        "4 of 6 pairs are faulty (train: 2; allowed in each: 9); 2 of them cannot be left out"
    )
    check.draw(str(tmp_path / "sheet.png"), path, result)
    assert (tmp_path / "sheet.png").is_file()


def test_pairs_of_another_size_are_named_as_the_conversion_stops_at_them(tmp_path, capsys):
    sizes = (SIZE, (64, 64), SIZE, SIZE, (16, 32))
    path = archive(tmp_path / "a.zip", [row(number) for number in range(5)], sizes)
    result = check.check(path)
    assert result["sizes"] == {"64x32": 3, "64x64": 1, "32x16": 1}
    assert [fault["row"] for fault in result["faults"]] == [2, 5]
    words = "a.zip: row 2, data/a/1.jpg: is 64x64, where 3 pairs are 64x32; all must have one size"
    assert words in result["faults"][0]["problem"] and words in capsys.readouterr().out
    assert "2 of them cannot be left out" in check.verdict(result, 9)
    assert "images of more than one size" in refusal(conversion.convert, path, str(tmp_path / "x.tfrecords"), skip=9)
    check.draw(str(tmp_path / "sheet.png"), path, result)
    assert check.doubts(result) == [] and "max_depth" not in check.depth_text(result)


def test_an_archive_without_a_row_that_can_be_used(tmp_path):
    path = archive(tmp_path / "a.zip", ["a;b"])
    result = check.check(path, workers=2)
    assert (result["pairs"], result["holes"], check.depth_text(result)) == (1, None, "no depth")
    check.draw(str(tmp_path / "sheet.png"), path, result)
    assert Image.open(str(tmp_path / "sheet.png")).size[0] > 1000


def test_a_faulty_test_archive_fails_the_check_whatever_may_be_skipped(tmp_path, capsys):
    path = archive(tmp_path / "a.zip", [row(0)])
    test = str(tmp_path / "test.zip")
    depth = np.ones(SIZE)
    depth[3, 4] = 0
    pairs = iter([(rgb(), np.ones(SIZE)), (rgb(), depth)])
    test_archive_writer.write(test, pairs, 2, SIZE, (0, 31, 0, 63))
    flags = ["--input_dir", path, "--test_data", test, "--skip_bad=9"]
    flags += ["--sheet", str(tmp_path / "sheet.png"), "--faults", str(tmp_path / "faults.csv")]
    assert check_data.main(flags + ["--json", str(tmp_path / "check.json")]) == 1
    said = capsys.readouterr()
    problem = "{}: eigen_test_depth.npy: image 1: depths that are not finite and above zero".format(test)
    assert problem in said.out
    assert said.err == "{}: error: the test archive is faulty; {} names them\n".format(
        said.err.split(":")[0], tmp_path / "faults.csv"
    )
    assert (tmp_path / "faults.csv").read_text().splitlines()[1].startswith("0,{},{}".format(test, problem))
    assert not (tmp_path / "check.json").exists()
    assert check.check(path, str(tmp_path / "none.zip"))["faults"][0]["problem"].endswith("put it there by hand")


def test_depth_far_below_or_beyond_the_greatest_is_doubted(camera):
    result = check.check(camera)
    assert check.doubts(result) == []
    assert "median 3." in check.depth_text(result)
    assert check.depth_text(result).endswith("25.0% invalid (0.0% beyond max_depth)")
    assert result["splits"]["train"]["median_m"] == pytest.approx(3, rel=0.01)
    assert result["splits"]["test"]["far_m"] == pytest.approx(6, rel=0.01)


def units(tmp_path, train, test, **options):
    """The doubts on three training and two test pairs with these depths."""
    rows = []
    for number, (split, values) in enumerate([("train", train)] * 3 + [("test", test)] * 2):
        names = "{}.png".format(number), "{}_depth.{}".format(number, "npy" if values.dtype.kind == "f" else "png")
        save(tmp_path / names[0], rgb(seed=number))
        save(tmp_path / names[1], values)
        rows.append(",".join(names + (split,)))
    path = listed(tmp_path, rows, **options)
    result = check.check(path)
    assert check.verdict(result, 0) is None
    check.draw(str(tmp_path / "sheet.png"), path, result)
    return check.doubts(result)


def test_a_unit_that_fits_one_split_only_is_doubted(tmp_path):
    low, apart, stored = units(
        tmp_path, np.round(metres() * 25.5).astype(np.uint8), (metres() * 1000).astype(np.uint16)
    )
    assert low.startswith("warning: the depth of train (median 0.10") and "test" not in low
    assert "the median depth is 0.10" in apart and "in train, 3.99 m in test" in apart
    assert "stored in 2 ways" in stored and "8 bit: 3 of train (row 1, " in stored and ": 2 of test (row 4" in stored


def test_a_unit_wrong_by_ten_is_doubted(tmp_path):
    depth = np.round(metres() * 1000).astype(np.uint16)
    # One pixel that is far does not hide it.
    depth[0, 0] = 65000
    (low,) = units(tmp_path, depth, depth, metres_per_unit=0.0001)
    assert low.startswith("warning: the depth of train (median 0.399 m, 99 % nearer than 0.693 m) and test")
    assert low.endswith("up to 10 m are expected; are metres_per_unit and max_depth right?")
    assert units(tmp_path, depth, depth, metres_per_unit=0.001) == []
    assert "train, test: more depth is at max_depth" in units(tmp_path, depth, depth, metres_per_unit=0.003)[0]


def test_a_test_archive_in_another_unit_is_doubted(tmp_path):
    path, test = archive(tmp_path / "a.zip", [row(0)]), str(tmp_path / "test.zip")
    test_archive_writer.write(test, iter([(rgb(), np.full(SIZE, 0.2))]), 1, SIZE, (0, 31, 0, 63))
    low, apart = check.doubts(check.check(path, test))
    assert "the depth of test (median 0.2" in low and "m in test, 2" in apart


def cut(path):
    with open(path, "r+b") as stream:
        stream.truncate(100)


def test_the_sheet_shows_as_many_test_as_training_pairs(tmp_path, monkeypatch):
    for number in range(60):
        save(tmp_path / "{}.png".format(number), rgb(seed=number))
        save(tmp_path / "{}.npy".format(number), metres())
    rows = ["{0}.png,{0}.npy,{1}".format(number, "train" if number < 54 else "test") for number in range(60)]
    path = listed(tmp_path, rows, metres_per_unit=1)
    drawn = []
    monkeypatch.setattr(check.visualize, "draw_sheet", lambda path, title, samples, *rest: drawn.extend(samples))
    check.draw(str(tmp_path / "sheet.png"), path, check.check(path))
    names = [name for name, _, _ in drawn]
    assert [sum(split in name for name in names) for split in ("(train)", "(test)")] == [6, 6]


@pytest.mark.parametrize("whole, tested", [(True, [0, 1, 3, 4, 5, 6, 8, 9]), (False, [])])
def test_the_sheet_of_archives_shows_as_many_test_as_training_pairs(tmp_path, monkeypatch, whole, tested):
    train = archive(tmp_path / "a.zip", [row(number) for number in range(9)], (SIZE,) * 9)
    test = str(tmp_path / "test.zip")
    images = [(rgb(seed=number), np.full(SIZE, 1.0 + number)) for number in range(10)]
    test_archive_writer.write(test, iter(images), 10, SIZE, (0, 31, 0, 63))
    if not whole:
        cut(test)
    monkeypatch.setattr(check, "SAMPLES", 16)
    drawn = []
    monkeypatch.setattr(check.visualize, "draw_sheet", lambda path, title, samples, *rest: drawn.extend(samples))
    check.draw(str(tmp_path / "sheet.png"), train, check.check(train, test), test)
    names = [name for name, _, _ in drawn]
    assert sum("(train)" in name for name in names) == 8
    assert [name for name in names if "(test)" in name] == ["image {} (test)".format(number) for number in tested]
    for name, picture, depth in drawn[8:]:
        number = int(name.split()[1])
        assert (depth == 1 + number).all() and (picture == images[number][0]).all()


@pytest.mark.parametrize("share, doubted", [(0.25, False), (0.75, True)])
def test_depth_that_is_mostly_beyond_the_greatest_is_doubted(tmp_path, share, doubted):
    depth = np.full(SIZE, 9.0)
    depth[:, : int(share * SIZE[1])] = 10
    depth[:8] = np.inf
    save(tmp_path / "a.png", rgb())
    save(tmp_path / "a.npy", depth)
    save(tmp_path / "b.png", rgb(seed=1))
    save(tmp_path / "b.npy", depth)
    path = listed(tmp_path, ["a.png,a.npy,train", "b.png,b.npy,test"], metres_per_unit=1)
    result = check.check(path)
    assert result["beyond_max_depth"] == pytest.approx(0.75 * share)
    assert result["holes"] == pytest.approx(0.25 + 0.75 * share)
    found = check.doubts(result)
    assert len(found) == doubted
    assert not doubted or "more depth is at max_depth (10 m) or beyond than below it" in found[0]


def black(number):
    stream = io.BytesIO()
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(stream, "PNG")
    return {"data/a/{}.png".format(number): stream.getvalue()}


def test_pairs_without_any_depth_are_doubted(tmp_path, capsys):
    rows = [row(number) for number in range(8)]
    path = archive(tmp_path / "a.zip", rows, (SIZE,) * 8, black(1))
    assert check.doubts(check.check(path)) == [
        "warning: the depth of 1 of 8 pairs is 0 throughout: row 2, data/a/1.jpg"
    ]
    changes = {name: data for number in range(7) for name, data in black(number).items()}
    (words,) = check.doubts(check.check(archive(tmp_path / "b.zip", rows, (SIZE,) * 8, changes)))
    assert "of 7 of 8 pairs" in words and words.endswith("; row 5, data/a/4.jpg; ...")
    path = archive(tmp_path / "c.zip", [row(0)], (SIZE,), black(0))
    flags = ["--sheet", str(tmp_path / "s.png"), "--faults", str(tmp_path / "f.csv")]
    assert check_data.main(["--input_dir", path] + flags) == 0
    assert "warning: no pair has any depth: all 1 depth images are 0 throughout" in capsys.readouterr().out


@pytest.mark.parametrize("workers", [1, 2])
def test_copies_across_the_splits_are_doubted(tmp_path, monkeypatch, workers):
    monkeypatch.setattr(check, "_CHUNK", 2)
    for number, seed in enumerate((0, 1, 2, 1, 2, 5)):
        save(tmp_path / "{}.png".format(number), rgb(seed=seed))
        save(tmp_path / "{}.npy".format(number), metres())
    rows = ["{0}.png,{0}.npy,{1}".format(number, "train" if number < 3 else "test") for number in range(6)]
    result = check.check(listed(tmp_path, rows, metres_per_unit=1), workers=workers)
    words = "row {}, {} is row {}, {}"
    names = [(place + 1, tmp_path / "{}.png".format(place)) for place in range(6)]
    assert result["copies"] == [words.format(*names[test], *names[train]) for test, train in ((3, 1), (4, 2))]
    (doubt,) = check.doubts(result)
    assert doubt.startswith("warning: 2 test pictures are copies of training pictures: ")
    assert check.verdict(result, 0) is None


def test_hidden_folders_near_misses_and_other_formats(tmp_path, capsys):
    for name in ("rgb/1.png", "rgb/2.png", "rgb/@eaDir/1.png", "rgb/3.heic"):
        save(tmp_path / name, rgb()) if name.endswith("png") else (tmp_path / name).write_bytes(b"")
    for name in ("depth/1.png", "depth/2.png", "depth/.Trash-1000/9.png"):
        save(tmp_path / name, np.full(SIZE, 2000, np.uint16))
    folders = {"rgb": str(tmp_path / "rgb"), "depth": str(tmp_path / "depth")}
    found = custom_list.listed(SIZE, 0.001, 10, **folders)
    assert [os.path.basename(row["rgb"]) for row in found["rows"]] == ["1.png", "2.png"]
    assert "left out are 1 .heic" in capsys.readouterr().out
    os.rename(str(tmp_path / "rgb" / "2.png"), str(tmp_path / "rgb" / "K\u00fcche.png"))
    os.rename(str(tmp_path / "depth" / "2.png"), str(tmp_path / "depth" / "ku\u0308che.png"))
    assert "did you mean " in refusal(custom_list.listed, SIZE, 0.001, 10, **folders)
    (tmp_path / "p.csv").write_bytes(b"rgb/\x001.png,depth/1.png\nrgb/1.png,depth/1.png\n")
    message = refusal(custom_list.listed, SIZE, 0.001, 10, table=str(tmp_path / "p.csv"))
    assert "NUL" in message or "cannot be read" in message
    (tmp_path / "p.csv").write_text("/rgb/1.png,depth/1.png\n")
    message = refusal(custom_list.listed, SIZE, 0.001, 10, table=str(tmp_path / "p.csv"))
    assert "did you mean {}".format(tmp_path / "rgb" / "1.png") in message


def test_a_near_miss_of_a_picture_that_is_not_there(tmp_path):
    source, row = one(tmp_path, rgb(), np.full(SIZE, 2000, np.uint16))
    os.rename(row.rgb, row.rgb.replace("a.png", "A.PNG"))
    assert refusal(source.pair, row).endswith("; did you mean {}?".format(tmp_path / "A.PNG"))
