"""Which files a folder gives, what is a near miss of a name, and what images are called where people read."""

import csv
import json
import os

import numpy as np
import pytest
from densedepth import file_names
from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.errors import PipelineError
from densedepth.evaluation import baseline, documents, gallery


def test_hidden_files_and_folders_are_not_found(tmp_path):
    hidden = (".ipynb_checkpoints", ".Trash-1000", "@eaDir", "__MACOSX", "$RECYCLE.BIN", "b/.git")
    for name in ("2.png", "b/1.png", "b/.x.png", "._2.png", *(folder + "/3.png" for folder in hidden)):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    os.symlink(str(tmp_path), str(tmp_path / "b" / "up"))
    os.symlink("nothing", str(tmp_path / "c.png"))
    found = [os.path.relpath(path, str(tmp_path)) for path in file_names.files_below(str(tmp_path))]
    assert found == ["2.png", "b/1.png", "c.png"]
    found = [os.path.relpath(path, str(tmp_path)) for path in file_names.files_below(str(tmp_path), deep=False)]
    assert found == ["2.png", "c.png"]
    # What is named is taken, whatever its name.
    assert list(file_names.files_below(str(tmp_path / "@eaDir"))) == [str(tmp_path / "@eaDir" / "3.png")]


def test_files_of_other_formats_are_counted(tmp_path):
    for name in ("1.HEIC", "2.heic", "3.png", "4.txt", "5.txt", "6.txt", "sub/7.dng", "README", ".8.heic"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    told = file_names.left_out(str(tmp_path), (".jpg", ".png"))
    assert told.startswith("{}: left out are 3 .txt, 2 .heic, 1 ".format(tmp_path))
    assert "since only .jpg .png are read; convert them first, e.g. magick mogrify -format png '*.heic'" in told
    assert ".dng" not in file_names.left_out(str(tmp_path), (".png",), deep=False)
    assert file_names.left_out(str(tmp_path / "sub"), (".dng",)) is None


@pytest.mark.parametrize(
    "there, asked",
    [
        ("Kitchen/A.JPG", "kitchen/a.jpg"),
        ("k/Ku\u0308che.png", "k/K\u00fcche.png"),
        ("k/a.jpeg", "k\\a.jpg"),
        ("k/a.jpg", "/k/a.jpg"),
        ("k/a.jpg", "./k//a.jpg "),
    ],
)
def test_near_misses_are_named(tmp_path, there, asked):
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (tmp_path / there).write_bytes(b"")
    base = str(tmp_path)
    hint = file_names.hint(asked if asked.startswith("/") else os.path.join(base, asked), base)
    assert hint.startswith("; did you mean {}?".format(os.path.join(base, there)))
    assert ("in another Unicode form" in hint) == ("\u00fc" in asked)


@pytest.mark.parametrize("asked", ["18.jpg", "17.png", "no/17.jpg", "a.jpg", "17\0.jpg", "17.jpg"])
def test_no_other_name_is_guessed(tmp_path, asked):
    for name in ("17.jpg", "A.jpg", "a.JPG"):
        (tmp_path / name).write_bytes(b"")
    assert file_names.hint(os.path.join(str(tmp_path), asked)) == ""


@pytest.mark.parametrize(
    "paths, called",
    [
        (["mine/rgb/a.jpg", "mine/rgb/b.jpg"], ["a.jpg", "b.jpg"]),
        (["/mine/x/rgb/1.jpg", "/mine/y/rgb/1.jpg"], ["x/rgb/1.jpg", "y/rgb/1.jpg"]),
        (["mine/1.jpg", "/other/1.jpg"], ["mine/1.jpg", "/other/1.jpg"]),
        (["mine/1.jpg", "mine/1.jpg"], ["1.jpg", "1.jpg"]),
        (["mine/a\nb.jpg"], ["a\\nb.jpg"]),
        (["mine/\udcff.jpg"], ["\\udcff.jpg"]),
    ],
)
def test_what_pictures_are_called(paths, called):
    assert file_names.shown(paths) == called


def written(path, **facts):
    """A test set of two images of which one is all 2 m, the other all 4 m."""
    pairs = iter([(np.zeros((32, 64, 3), np.uint8), np.full((32, 64), depth, np.float32)) for depth in (2, 4)])
    pictures = dict({"format": 1, "holes": True, "max_depth_m": 10}, **facts) if facts else None
    test_archive_writer.write(str(path), pairs, 2, (32, 64), (0, 31, 0, 63), pictures)
    return open_test_set(str(path))


@pytest.mark.parametrize("named", [True, False])
def test_images_keep_their_names(tmp_path, named):
    facts = {"rgb": ["mine/kit$chen_01.jpg", "mine/b`,d.jpg"]} if named else {}
    called = ["kit$chen_01.jpg", "b`,d.jpg"] if named else [None, None]
    with written(tmp_path / "a.zip", **facts) as test_set:
        document = baseline.evaluate(test_set)
        wanted = dict(gallery.spread(2, 2), **gallery.extremes(document))
        gallery.draw(str(tmp_path), "1p", test_set, wanted, lambda rgb, _: np.full((32, 64), 2.5), {})
    assert [image.get("name") for image in document["per_image"]] == called
    # The constant is the median, 2 m.
    first = "port, best by RMSE: {} (0.000 m), ".format(called[0] or "image 0")
    assert documents.extremes(document)[0].startswith(first)
    documents.write_csv(str(tmp_path / "a.csv"), document)
    with open(str(tmp_path / "a.csv"), newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["index"], row.get("name")) for row in rows] == [("0", called[0]), ("1", called[1])]
    # A last column, so that places of the others are as they were.
    assert ((tmp_path / "a.csv").read_text().splitlines()[0].split(",")[-1] == "name") == named
    scenes = json.loads((tmp_path / "gallery.json").read_text())["scenes"]
    assert [scene.get("name") for scene in scenes] == called + called


def test_a_gallery_has_no_scenes_of_an_earlier_one(tmp_path):
    with written(tmp_path / "a.zip") as test_set:
        (tmp_path / "scene_mine.png").write_text("not of a gallery")
        for count in (2, 1):
            wanted = gallery.spread(count, 2)
            gallery.draw(str(tmp_path), "1p", test_set, wanted, lambda rgb, _: np.full((32, 64), 2.5), {})
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a.zip", "gallery.json", "scene_1.npz", "scene_1.png", "scene_mine.png"]


@pytest.mark.parametrize(
    "rgb, words",
    [
        (["a.jpg"], "rgb does not name 2 files"),
        ("ab", "rgb is 'ab', expected a list"),
        ([1, 2], r"rgb\[0\] is 1, expected text"),
        ({"a": 1, "b": 2}, "rgb is an object, expected a list"),
    ],
)
def test_names_that_do_not_fit_the_images(tmp_path, rgb, words):
    with pytest.raises(PipelineError, match=r"a\.zip: pictures\.json: " + words):
        written(tmp_path / "a.zip", rgb=rgb)
