"""Lists of pairs in the forms that people have, and what the settings say of the depth in them."""

import json

import list_pictures
import numpy as np
import pytest
from densedepth.data import pair_lists
from densedepth.data.custom_pairs import Pictures
from layout_files import encoded, in_folder, sixteen_bits


@pytest.mark.parametrize(
    "text",
    [
        "a b.jpg,a b.png,train\nc.jpg,c.png,test\n",
        "rgb,depth,split\r\na b.jpg,a b.png,TRAIN\r\nc.jpg,c.png,Test\r\n",
        '# a comment\n\n"a b.jpg","a b.png",train,\nc.jpg,c.png,test,,\n',
        "a b.jpg\ta b.png\ttrain\nc.jpg\tc.png\ttest",
        ",rgb,depth,split\n0,a b.jpg,a b.png,training\n1,c.jpg,c.png,testing\n",
        "a b.jpg,a b.png,518.8579,train\nc.jpg,c.png,518.8579,test\nd.jpg,None,518.8579,test\n",
        "image,depth_path,split\na b.jpg,a b.png,train\nc.jpg,c.png,test\n",
    ],
)
def test_a_list_in_any_form(text):
    found = pair_lists.parse(text)
    assert found.faults == []
    assert [line[1:4] for line in found.lines] == [("a b.jpg", "a b.png", "train"), ("c.jpg", "c.png", "test")]
    assert len(found.without_depth) == text.count("None")
    assert {line.focal for line in found.lines} == {518.8579 if "518" in text else None}


def test_a_list_separated_by_spaces():
    found = pair_lists.parse("/k/rgb_1.jpg /k/sync_depth_1.png 518.8579\nb/2.jpg None 518.8579\n")
    assert found.lines == [pair_lists.Line(1, "/k/rgb_1.jpg", "/k/sync_depth_1.png", None, 518.8579)]
    assert found.without_depth == [2]


@pytest.mark.parametrize("line", ["a.png", "a.png,", ",b.png", "a.png b.png dev", "a.png,b.png,train,test"])
def test_what_is_no_pair(line):
    assert [fault[0] for fault in pair_lists.parse("x.png,y.png\n" + line).faults] == [2]


def test_each_file_is_paired_once_with_the_nearest_in_time():
    rgb = [(0.00, "r0"), (0.033, "r1"), (0.066, "r2"), (9.0, "alone")]
    depth = [(0.05, "d1"), (0.01, "d0"), (0.07, "d2"), (0.0705, "d3")]
    found = pair_lists.nearest_in_time(rgb, depth, 0.02)
    assert found == [("r0", "d0"), ("r1", "d1"), ("r2", "d2")]
    assert pair_lists.nearest_in_time(rgb, depth, 0.005) == [("r2", "d2")]
    assert pair_lists.nearest_in_time(rgb[:1], depth, 0.005) == []


SIZE = (32, 64)


def pairs_of(folder, files, flags, rows):
    """What a list of these rows gives: {split: [depth]}."""
    in_folder(folder, files)
    (folder / "pairs.txt").write_text("\n".join(rows))
    out = str(folder / "list.json")
    flags = ["--csv", str(folder / "pairs.txt"), "--size", "32", "64", "--out", out, *flags]
    assert list_pictures.main(flags) == 0
    found = {}
    for split in ("train", "test"):
        with Pictures(out, split) as source:
            found[split] = [source.arrays(row)[1] for row in source.rows()]
    return found


def test_units_of_the_splits_and_values_of_the_sky(tmp_path):
    picture = encoded(np.zeros(SIZE + (3,), np.uint8))
    depth = np.full(SIZE, 2.0)
    depth[0] = 65.535
    files = {"a.png": picture, "b.png": picture, "c.png": picture}
    files.update({"a_d.png": sixteen_bits(depth), "b_d.png": sixteen_bits(depth / 2), "c_d.png": sixteen_bits(depth)})
    rows = ["/a.png /a_d.png 1 Train", "b.png b_d.png 1 TEST", "c.png c_d.png 1 val"]
    flags = ["--metres_per_unit=0.001", "--test_metres_per_unit=0.002", "--also_invalid=65535", "--max_depth=80"]
    found = pairs_of(tmp_path, files, flags, rows)
    assert [len(found[split]) for split in ("train", "test")] == [1, 1]
    for split in found:
        assert np.allclose(found[split][0][1:], 2)
    # In the file of the test half of it is stored, which is a value like others.
    assert not found["train"][0][0].any() and np.allclose(found["test"][0][0], 65.535, atol=1e-3)


def test_masks_and_units_in_columns_of_the_list(tmp_path):
    picture = encoded(np.zeros(SIZE + (3,), np.uint8))
    mask = np.full(SIZE, 255, np.uint8)
    mask[:4] = 0
    mask[4:6] = 100
    files = {"a.png": picture, "b.png": picture, "c.png": picture, "m.png": encoded(mask)}
    files.update({"a_d.png": sixteen_bits(np.full(SIZE, 2.0), 5000), "b_d.png": sixteen_bits(np.full(SIZE, 2.0))})
    files["c_d.png"] = files["b_d.png"]
    rows = ["rgb,depth,split,mask,metres_per_unit", "a.png,a_d.png,train,,0.0002", "b.png,b_d.png,test,m.png,"]
    flags = ["--metres_per_unit=0.001", "--max_depth=10", "--mask_minimum=101"]
    found = pairs_of(tmp_path, files, flags, [*rows, "c.png,c_d.png,train"])
    assert [np.unique(depth).round(3).tolist() for depth in found["train"]] == [[2.0], [2.0]]
    (depth,) = found["test"]
    assert not depth[:6].any() and np.allclose(depth[6:], 2)


@pytest.mark.parametrize("value", ["mm", "0", "-1", "nan", "inf"])
def test_a_unit_that_is_none(value):
    text = "rgb,depth,metres_per_unit\na.png,b.png,0.001\nc.png,d.png,{}\n".format(value)
    ((number, _, words),) = pair_lists.parse(text).faults
    assert number == 3 and words == "metres_per_unit {!r} is not a number above 0".format(value)


def test_colours_along_the_ray(tmp_path):
    u, v = np.arange(64) - 31.5, np.arange(32) - 15.5
    distance = 5 * np.sqrt(1 + (u / 32)[np.newaxis] ** 2 + (v / 32)[:, np.newaxis] ** 2)
    stored = np.rint(distance / 1000 * (2**24 - 1)).astype(np.uint32)
    colours = np.stack([stored & 255, stored >> 8 & 255, stored >> 16], -1).astype(np.uint8)
    files = {name: encoded(np.zeros(SIZE + (3,), np.uint8)) for name in ("a.png", "b.png")}
    files.update(dict.fromkeys(("a_d.png", "b_d.png"), encoded(colours)))
    flags = ["--metres_per_unit={}".format(1000 / (2**24 - 1)), "--max_depth=100", "--encoding=rgb24"]
    flags += ["--distance=ray", "--intrinsics=32,32,31.5,15.5,64,32"]
    found = pairs_of(tmp_path, files, flags, ["a.png,a_d.png,train", "b.png,b_d.png,test"])
    assert np.allclose(found["train"][0], 5, atol=1e-3)
    assert json.loads((tmp_path / "list.json").read_text())["depth"]["encoding"] == "rgb24"
