"""What check_data.py finds in a source of pairs."""

import io

import check_data
import numpy as np
import pytest
from densedepth.data import (
    check,
    conversion,
    custom_test_archive,
    sources,
    test_archive_writer,
)
from pairs import SIZE, archive, listed, metres, read, rgb, row, save
from PIL import Image
from refusals import refusal


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
    words += "; get their files again, or leave such pairs out by data.skip_bad"
    assert check.verdict(result, 0) == words
    flags = ["--input_dir", camera, "--sheet", str(tmp_path / "s.png"), "--faults", str(tmp_path / "f.csv")]
    assert check_data.main(flags + ["--skip_bad=1", "--json", str(tmp_path / "check.json")]) == 0
    assert read(str(tmp_path / "check.json"))["sizes"] == {"64x32": 4}
    assert conversion.convert(camera, str(tmp_path / "x.tfrecords"), skip=1)["records"] == 2
    assert custom_test_archive.write(camera, str(tmp_path / "test.zip"), skip=1) == 2


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


def test_a_long_path_on_the_sheet_keeps_row_and_split(tmp_path, monkeypatch):
    folder = "a $ long folder/" * 6
    for name in ("1", "2"):
        save(tmp_path / folder / (name + ".png"), rgb())
        save(tmp_path / folder / (name + ".npy"), metres())
    rows = ["{0}{1}.png,{0}{1}.npy,{2}".format(folder, *pair) for pair in (("1", "train"), ("2", "test"))]
    path = listed(tmp_path, rows, metres_per_unit=1)
    drawn = []
    monkeypatch.setattr(check.visualize, "draw_sheet", lambda path, title, samples, *rest: drawn.extend(samples))
    check.draw(str(tmp_path / "sheet.png"), path, check.check(path))
    for (name, _, _), head, end in zip(drawn, ("row 1 (train): ...", "row 2 (test): ..."), ("/1.png", "/2.png")):
        label = check.visualize.shortened(name, 80)
        assert label.startswith(head) and label.endswith(end)


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
    assert doubt.startswith("warning: 2 test images are copies of training images: ")
    assert check.verdict(result, 0) is None


def test_two_units_within_a_split_are_told(tmp_path):
    rows = []
    for number in range(24):
        save(tmp_path / "{}.jpg".format(number), rgb(seed=number))
        # Every third is stored as TUM RGB-D does it, 5000 to the metre.
        unit = 5000 if number % 3 == 0 and number < 18 else 1000
        metre = 1.2 + 0.05 * number
        save(tmp_path / "{}.png".format(number), np.full(SIZE, metre * unit, np.uint16))
        rows.append("{0}.jpg,{0}.png,{1}".format(number, "test" if number > 18 else "train"))
    (words,) = check.doubts(check.check(listed(tmp_path, rows)))
    assert words.startswith("warning: the depth of train parts in two: 13 pairs around 1.7 m (row 2, ")
    assert " and 6 around 7.88 m (row 1, " in words and "metres_per_unit" in words
