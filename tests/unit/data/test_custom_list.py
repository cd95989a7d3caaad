"""Which files are a pair, and how pairs are split into training and test."""

import collections
import os

import list_pictures
import numpy as np
import pytest
from densedepth.data import (
    custom_list,
)
from densedepth.errors import PipelineError
from pairs import SIZE, listed, metres, read, rgb, save
from refusals import refusal


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
        (["a.png;b.png", "c.png;d.png"], "row 1: 'a.png;b.png' is not .*; fields must be separated by commas, tabs"),
        (["left,right"], "row 1: .*left does not end in .*; a header must be `rgb,depth`"),
        (["left,right,split", "b.PNG,b.png,train"], "row 1: split 'split' is none of train, val, test"),
        (["a.png,b.png", "c.png,d.png"], "none of its images is there, such as .*a.png; paths start from"),
        (["b.PNG,b.png,train", "b.PNG,c.png,test"], "row 2: .*b.PNG is for test, and in row 1 for train"),
        (["a.png,b.png,dev"], "row 1: split 'dev' is none of train, val, test"),
        (["a.png,b.png,train", "c.png,d.png"], "row 2: some rows name a split"),
        (["a.png,b.gif"], "row 1: .*b.gif does not end in .npy, .png"),
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


@pytest.mark.parametrize(
    "given, way", [("", "give more test pairs (data.custom.test_share)\n"), (",train", "give more test pairs\n")]
)
def test_too_few_test_pairs_are_told_with_the_way_out(tmp_path, capsys, given, way):
    rows = ["b.PNG,b.png" + given, "c.PNG,c.png" + given.replace("train", "test")]
    (tmp_path / "b.PNG").touch()
    (tmp_path / "p.csv").write_text("\n".join(rows) + "\n")
    flags = ["--csv", str(tmp_path / "p.csv"), "--metres_per_unit", "1", "--max_depth", "10", "--min_test", "6"]
    assert list_pictures.main(flags + ["--out", str(tmp_path / "list.json")]) == 1
    said = capsys.readouterr().err
    assert "1 pair for test, but report.gallery needs at least 6; lower report.gallery, or " + way in said


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
    assert message.startswith(str(tmp_path / "rgb") + ": a split by folders needs all images in `train` and `test`")
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
    assert message.endswith("where they are image and depth in one folder, give two folders or a csv")


def test_a_file_without_partner_is_named(tmp_path):
    options = folders(tmp_path, ["1", "2"])
    (tmp_path / "depth" / "2.npy").unlink()
    message = refusal(custom_list.listed, SIZE, **options)
    assert "2.jpg has no partner of the same name in" in message
    assert "; 1 of 2 files have none; add what is missing, or list the pairs in a csv (data.custom.csv)" in message


def test_every_file_without_partner_is_named(tmp_path, capsys, monkeypatch):
    options = folders(tmp_path, ["1", "2", "3", "4"])
    for name in ("2.npy", "3.npy", "4.npy"):
        (tmp_path / "depth" / name).unlink()
    message = refusal(custom_list.listed, SIZE, **options)
    assert "2.jpg has no partner" in message and "; 3 of 4 files have none, named above; add " in message
    lines = capsys.readouterr().out.splitlines()
    assert [os.path.basename(line.split(" has no partner")[0]) for line in lines] == ["2.jpg", "3.jpg", "4.jpg"]
    monkeypatch.setattr(custom_list, "_NAMED", 2)
    message = refusal(custom_list.listed, SIZE, **options)
    assert "; 3 of 4 files have none, the first 2 named above; add " in message
    assert len(capsys.readouterr().out.splitlines()) == 2


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
    (tmp_path / "p.csv").write_text("/RGB/1.png,depth/1.png\n")
    message = refusal(custom_list.listed, SIZE, 0.001, 10, table=str(tmp_path / "p.csv"))
    assert "did you mean {}".format(tmp_path / "rgb" / "1.png") in message
