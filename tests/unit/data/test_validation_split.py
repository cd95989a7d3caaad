"""Which pairs are taken for the validation: whole scenes, and never one that is trained on."""

import collections
import io
import re

import dataset_tool_tf
import numpy as np
import pytest
import split_validation
import write_validation_set
from densedepth.data import records, scene_split, test_archive, validation_list
from densedepth.data.scene_split import Choice
from pairs import SIZE, archive, listed, read, rgb
from PIL import Image
from refusals import refusal

ROOMS = ["basement_0001a_out", "basement_0001b_out", "office_0002_out", "office_0003_out"]
MEMBERS = ["data/nyu2_train/{}/{}".format(room, view) for room in ROOMS for view in (1, 2, 3)]


@pytest.mark.parametrize(
    "image, scene",
    [
        ("data/nyu2_train/basement_0001a_out/1.jpg", "data/nyu2_train/basement_0001"),
        ("data/nyu2_train/living_room_0038_out/37.jpg", "data/nyu2_train/living_room_0038"),
        ("mine/walk 7/a.png", "mine/walk 7"),
        ("a.png", ""),
    ],
)
def test_the_scene_of_an_image(image, scene):
    assert scene_split.scene_of(image) == scene


@pytest.mark.parametrize("share", [0.01, 0.25, 0.6, 0.99])
@pytest.mark.parametrize("seed", range(3))
def test_a_drawn_split_takes_whole_scenes_and_leaves_some(share, seed):
    names = ["a"] * 5 + ["b"] * 2 + ["c"] * 9 + ["d"]
    places = scene_split.chosen(names, Choice(share=share, seed=seed), "list")
    sides = collections.defaultdict(set)
    for place, name in enumerate(names):
        sides[name].add(place in places)
    assert all(len(side) == 1 for side in sides.values())
    assert 0 < len(places) < len(names)
    assert places == scene_split.chosen(names, Choice(share=share, seed=seed), "list")


@pytest.fixture
def rooms(tmp_path):
    """A training archive of four folders of three rooms, in one of which a scene has two parts."""
    images = {}
    for suffix, kind, array in (("jpg", "JPEG", rgb()), ("png", "PNG", np.full(SIZE, 51, np.uint8))):
        stream = io.BytesIO()
        Image.fromarray(array).save(stream, kind)
        images.update({"{}.{}".format(member, suffix): stream.getvalue() for member in MEMBERS})
    return archive(tmp_path / "nyu_data.zip", ["{0}.jpg,{0}.png".format(member) for member in MEMBERS], (), images)


def split(rooms, tmp_path, *flags):
    out = str(tmp_path / "validation.json")
    assert split_validation.main(["--input_dir", rooms, "--out", out, *flags]) == 0
    return out


def test_records_and_validation_share_no_scene(rooms, tmp_path):
    out = split(rooms, tmp_path, "--validation_scenes", "basement_*")
    validates = [row["rgb"] for row in read(out)["rows"]]
    assert validates == [member + ".jpg" for member in MEMBERS[:6]]
    target = str(tmp_path / "train.tfrecords")
    assert dataset_tool_tf.main(["--input_dir", rooms, "--out", target, "--shards", "2", "--left_out", out]) == 0
    assert read(str(tmp_path / "train.json"))["records"] == 6
    with records.RecordIndex(records.expand([target])) as index:
        stored = b"".join(index.read(place) for place in range(len(index)))
    assert b"office_0002_out/1.jpg" in stored and b"basement" not in stored
    packed = str(tmp_path / "validation.zip")
    assert write_validation_set.main(["--input_dir", rooms, "--pictures", out, "--out", packed]) == 0
    with test_archive.open_test_set(packed) as images:
        assert (images.count, images.image_size, images.limits[1]) == (6, SIZE, 10)
        (rgb, depth, _), *_ = images.batches(2)
    assert rgb.shape == (2, *SIZE, 3) and depth.max() <= 10


@pytest.mark.parametrize(
    "flags, words",
    [
        (
            ["--validation_scenes", "kitchen"],
            "data.validation.scenes: kitchen is no scene of the training; there are 3",
        ),
        (["--validation_scenes", "*"], "data.validation takes all 12 pairs, none is left to train on"),
        (["--validation_share", "0.2", "--validation_scenes", "a"], "give only one of share, scenes and csv"),
        ([], "no validation pairs are asked for"),
    ],
)
def test_splits_that_are_refused(rooms, tmp_path, capsys, flags, words):
    assert split_validation.main(["--input_dir", rooms, "--out", str(tmp_path / "x.json"), *flags]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()


@pytest.mark.parametrize(
    "lines, words",
    [
        ([], "has no rows; it must list the validation pairs"),
        (["nowhere.jpg"], "row 1: nowhere.jpg is no image of"),
        ([MEMBERS[0] + ".jpg,other.png"], "row 1: the depth of .* is .*1.png"),
        (
            [MEMBERS[0] + ".jpg"],
            "row 1 is for validation, row 2 of the same scene .*basement_0001 for training .and 4 rows more.",
        ),
        ([member + ".jpg" for member in MEMBERS], "lists all pairs"),
    ],
)
def test_lists_that_are_refused(rooms, tmp_path, lines, words):
    (tmp_path / "validation.csv").write_text("\n".join(lines))
    assert re.search(words, refusal(validation_list.listed, rooms, Choice(csv=str(tmp_path / "validation.csv"))))


def custom(tmp_path, rows, **choice):
    return read(listed(tmp_path, rows, validation=Choice(**choice)))


def sides(content):
    return {row["row"]: row["split"] for row in content["rows"]}


def test_custom_pairs_by_the_scenes_of_the_csv(tmp_path):
    rows = ["rgb,depth,split,scene"]
    rows += ["b.PNG,b.png,train,hall", "c.png,c.png,train,hall", "d.png,d.png,train,yard", "e.png,e.png,test,yard"]
    assert sides(custom(tmp_path, rows, scenes=("yard",))) == {2: "train", 3: "train", 4: "validation", 5: "test"}


def test_the_rooms_of_a_data_set_stay_on_one_side():
    rows = [{"row": place + 1, "rgb": member, "split": "train"} for place, member in enumerate(MEMBERS)]
    rows += [{"row": 1, "rgb": "test/1.png", "split": "test"}]
    found = scene_split.marked(rows, Choice(scenes=("office_0002",)), "there")
    assert [row["row"] for row in found if row["split"] == "validation"] == [7, 8, 9]
    assert found[-1]["split"] == "test"
    words = "data.validation.csv is not for data.dataset; give share or scenes"
    assert words in refusal(scene_split.marked, rows, Choice(csv="a.csv"), "there")


def test_custom_pairs_given_by_the_csv_itself(tmp_path):
    rows = ["b.PNG,b.png,train", "c.png,c.png,validation", "d.png,d.png,test"]
    found = custom(tmp_path, rows, csv=str(tmp_path / "pairs.csv"))
    assert sides(found) == {1: "train", 2: "validation", 3: "test"}


def test_a_second_list_takes_pairs_and_adds_others(tmp_path):
    (tmp_path / "second.csv").write_text("c.png,c.png\ne.png,e.png\n")
    (tmp_path / "c.png").touch()
    rows = ["b.PNG,b.png,train", "c.png,c.png,train", "d.png,d.png,test"]
    found = custom(tmp_path, rows, csv=str(tmp_path / "second.csv"))
    assert [(row["row"], row["split"]) for row in found["rows"]] == [
        (1, "train"),
        (3, "test"),
        (1, "validation"),
        (2, "validation"),
    ]


@pytest.mark.parametrize(
    "rows, choice, words",
    [
        (["b.PNG,b.png,train", "c.png,c.png,test"], {"share": 0.5}, "all pairs are of one scene"),
        (
            ["b.PNG,b.png,train,x", "c.png,c.png,validation,x", "d.png,d.png,test,x"],
            {"csv": "pairs.csv"},
            "row 2 is for validation, row 1 of the same scene x for training",
        ),
        (
            ["b.PNG,b.png,train", "b.PNG,c.png,validation", "d.png,d.png,test"],
            {"csv": "pairs.csv"},
            "row 2: .*b.PNG is for validation, and in row 1 for train; the validation must be on images",
        ),
        (
            ["b.PNG,b.png,train", "d.png,c.png,validation", "d.png,d.png,test"],
            {"csv": "pairs.csv"},
            "row 3: .*d.png is for test, and in row 2 for validation; the test must be on images that",
        ),
        (["b.PNG,b.png,train", "d.png,d.png,test"], {"csv": "pairs.csv"}, "no row is for validation"),
    ],
)
def test_custom_splits_that_are_refused(tmp_path, rows, choice, words):
    choice = {key: str(tmp_path / value) if key == "csv" else value for key, value in choice.items()}
    assert re.search(words, refusal(listed, tmp_path, rows, validation=Choice(**choice)))
