"""Several sets with weights in one training: their list, records, order, and what is told of them."""

import json
import os

import list_pictures
import numpy as np
import pytest
from densedepth.data import check, conversion, records, training_input, unfiltered_png
from densedepth.data.custom_pairs import Pictures
from densedepth.data.order import Order, samples
from pairs import SIZE, listed, rgb, save
from record_archive import read_all

ARGUMENTS = {"batch_size": 5, "seed": 3, "mirror_probability": 0.5, "swap_probability": 0.5}
SETS = [(7, 1.0), (4, 0.5), (3, 2.0)]


def numbers(order, steps):
    return [sample.record for step in range(steps) for sample in order.batch(step)]


def test_each_record_is_seen_as_often_as_its_set_weighs():
    order = Order(records=14, sets=SETS, **ARGUMENTS)
    assert samples(14, SETS) == 7 + 2 + 6
    # A pass is three steps.
    for step in range(0, 12, 6):
        seen = [sample.record for number in range(step, step + 6) for sample in order.batch(number)]
        assert np.bincount(seen).tolist() == [2] * 7 + [1] * 4 + [4] * 3
    first = numbers(order, 3)
    assert sorted(first[:9]) != first[:9] and len({record for record in first if 7 <= record < 11}) == 2


def test_the_order_is_the_same_from_any_step_and_on_any_number_of_ranks():
    whole = numbers(Order(records=14, sets=SETS, **ARGUMENTS), 8)
    for step in (7, 2, 5):
        again = Order(records=14, sets=SETS, **ARGUMENTS).batch(step)
        assert [sample.record for sample in again] == whole[5 * step : 5 * step + 5]
    ranks = [Order(records=14, sets=SETS, rank=rank, world_size=2, **ARGUMENTS) for rank in range(2)]
    assert [sample.record for step in range(4) for rank in ranks for sample in rank.batch(step)] == whole
    alone = Order(records=14, **ARGUMENTS)
    assert numbers(alone, 3) != whole[:15] and sorted(numbers(alone, 2) + numbers(alone, 3)[10:14]) == list(range(14))


def main_flags(folder):
    """Of list_pictures.py, for the pairs of the main set in `folder`."""
    flags = ["--csv", str(folder / "pairs.csv"), "--metres_per_unit=0.001", "--max_depth=10"]
    return [*flags, "--size", *map(str, SIZE)]


@pytest.fixture
def mixed(tmp_path):
    """The list of a main set in millimetres up to 10 m, with one in metres up to 5 m, seen half as often."""
    rows = []
    for number in range(4):
        save(tmp_path / "{}.jpg".format(number), rgb(seed=number))
        save(tmp_path / "{}.png".format(number), np.full(SIZE, 2000, np.uint16))
        rows.append("{0}.jpg,{0}.png,{1}".format(number, "test" if number == 3 else "train"))
        save(tmp_path / "more" / "rgb" / "{}.png".format(number), rgb((64, 128), seed=9 + number))
        depth = np.full((64, 128), 4.0)
        depth[:8] = 7
        save(tmp_path / "more" / "depth" / "{}.npy".format(number), depth)
    listed(tmp_path, rows)
    entry = [["rgb", str(tmp_path / "more/rgb")], ["depth", str(tmp_path / "more/depth")]]
    entry += [["metres_per_unit", 1], ["max_depth", 5], ["weight", 0.5]]
    out = str(tmp_path / "list.json")
    assert list_pictures.main([*main_flags(tmp_path), "--out", out, "--mixture", json.dumps([["more", entry]])]) == 0
    return out


def test_the_records_of_all_sets_have_one_size_and_unit(mixed, tmp_path, capsys):
    side = conversion.convert(mixed, str(tmp_path / "x.tfrecords"), shards=2, workers=2)
    assert side["sets"] == [
        {"name": "custom", "weight": 1.0, "records": 3},
        {"name": "more", "weight": 0.5, "records": 4 - 1},
    ]
    assert side["rgb_size"] == list(SIZE) and len(side["shards"]) == 4
    with records.RecordIndex(records.expand([str(tmp_path / "x.tfrecords")])) as index:
        assert index.sets == [(3, 1.0), (3, 0.5)] and index.identity()["sets"] == [[3, 1.0], [3, 0.5]]
        names = [training_input.sample_name(index, number) for number in range(len(index))]
    assert [os.sep + "more" in name for name in names] == [False] * 3 + [True] * 3
    with Pictures(mixed + "::more") as source:
        # Beyond its own greatest depth nothing is known, and the unit is that of the main set.
        depth = source.arrays(source.rows()[0])[1]
        assert source.unit == 10 / 65535 and not depth[:4].any() and (depth[4:] == 4).all()
    found = check.check(mixed)
    assert (found["pairs"], found["faults"], found["farthest_m"]) == (3 + 1 + 3, [], 10)


def test_the_records_of_all_sets_have_unfiltered_depth_where_asked(mixed, tmp_path):
    conversion.convert(mixed, str(tmp_path / "x.tfrecords"), shards=2, depth_png=unfiltered_png.UNFILTERED)
    found = read_all(records.expand([str(tmp_path / "x.tfrecords")]))
    depths = [unfiltered_png.decoded(record["data_y"], SIZE) for record in found]
    assert len(depths) == 3 + 3 and all(depth is not None for depth in depths)
    with records.RecordIndex(records.expand([str(tmp_path / "x.tfrecords")])) as index:
        assert index.sets == [(3, 1.0), (3, 0.5)] and training_input.has_holes(index)


def test_test_images_of_the_main_set_are_not_trained_on(mixed, tmp_path, capsys):
    entry = [["csv", str(tmp_path / "again.csv")], ["metres_per_unit", 0.001]]
    (tmp_path / "again.csv").write_text("3.jpg,3.png,train\n0.jpg,0.png,test\n")
    status = list_pictures.main([*main_flags(tmp_path), "--out", mixed, "--mixture", json.dumps([["again", entry]])])
    assert status == 1 and "mixture.again: " in capsys.readouterr().err
