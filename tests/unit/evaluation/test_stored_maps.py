"""Predictions of other programs: every form in which they may lie, and what is refused."""

import importlib.util
import json
import zipfile

import numpy as np
import pytest
import score
from densedepth.data import test_archive_writer
from densedepth.evaluation import more_metrics
from densedepth.evaluation.metric_table import METRICS, MORE
from map_files import COUNT, CROP, SIZE, encoded, folder, predicted, scored, truth


def forms(place):
    """{name: path} of the same maps in each form."""
    all_maps = np.stack([predicted(index) for index in range(COUNT)])
    for kind in ("npy", "npz", "png"):
        yield folder(place / kind, kind)
    with zipfile.ZipFile(str(place / "maps.zip"), "w") as packed:
        for index in range(COUNT):
            packed.writestr("out/frame{}.npy".format(index), encoded(all_maps[index], "npy"))
        packed.writestr("__MACOSX/._frame0.npy", b"no array")
    yield str(place / "maps.zip")
    np.save(str(place / "stack.npy"), all_maps)
    np.save(str(place / "channel.npy"), all_maps[..., np.newaxis])
    np.savez_compressed(str(place / "stack.npz"), all_maps)
    np.savez(str(place / "many.npz"), **{"a{}".format(index): one for index, one in enumerate(all_maps)})
    for name in ("stack.npy", "channel.npy", "stack.npz", "many.npz"):
        yield str(place / name)


def test_every_form_gives_the_same_figures(tmp_path, archive):
    found = [scored(path, archive) for path in forms(tmp_path)]
    assert [one["metrics"] for one in found] == [found[0]["metrics"]] * 8
    assert {one["source"]["matched_by"] for one in found} == {"order"}
    # The numbers in the names order them, and each image has its own error: 0.02 of its index.
    relative = [image["rel_truth"] for image in found[0]["per_image"]]
    np.testing.assert_allclose(relative, 0.02 * np.arange(COUNT), atol=3e-4)
    assert found[0]["protocol"]["alignment"] == "none" and found[0]["protocol"]["flip_average"] is False
    assert set(found[0]["protocols"]) == {"paper"} and found[0]["speed"] is None


@pytest.mark.parametrize("size, close", [((24, 32), 2e-3), ((96, 128), 2e-3), ((49, 65), 2e-2)])
def test_other_sizes_of_the_same_view(tmp_path, archive, size, close):
    rows, columns = ((np.arange(new) + 0.5) / new * old - 0.5 for new, old in zip(size, SIZE))
    maps = [(1 + index / 5 + rows[:, None] / 40 + columns / 30).astype(np.float32) for index in range(COUNT)]
    np.save(str(tmp_path / "maps.npy"), np.stack(maps))
    found = scored(str(tmp_path / "maps.npy"), archive, unit="metres")
    assert found["metrics"]["rel_truth"] < close


def test_alignment_is_of_each_image(tmp_path, archive):
    maps = [7 / truth(index) * (index + 1) + index for index in range(COUNT)]
    np.save(str(tmp_path / "maps.npy"), np.stack(maps))
    document = scored(str(tmp_path / "maps.npy"), archive, "disparity", "affine_disparity")
    assert document["metrics"]["rel_truth"] < 1e-6 and document["metrics"]["delta1"] == 1
    assert scored(str(tmp_path / "maps.npy"), archive, "disparity", "median")["metrics"]["rel_truth"] > 0.02


def run(capsys, archive, path, *flags):
    status = score.main(["--test_data", archive, "--predictions", str(path), *flags])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_program(tmp_path, archive, capsys):
    place = folder(tmp_path / "maps", "png")
    json_path, csv_path = tmp_path / "scores.json", tmp_path / "scores.csv"
    flags = ["--unit", "millimetres", "--alignment", "median", "--json", str(json_path), "--csv", str(csv_path)]
    status, out, _ = run(capsys, archive, place, "--name", "theirs", *flags)
    assert status == 0
    document = json.loads(json_path.read_text())
    assert out.splitlines()[-1].startswith("theirs (alignment median): delta1 1.000, AbsRel 0.000")
    assert document["source"] == {"kind": "stored", "path": place, "unit": "millimetres", "matched_by": "order"}
    assert len(csv_path.read_text().splitlines()) == 1 + COUNT
    # Its own files are made again, what else bears their names is not.
    assert run(capsys, archive, place, *flags)[0] == 0
    for path, mine in ((json_path, '{"mine": 1}'), (csv_path, "image,x,y,metres\n")):
        held = path.read_text()
        path.write_text(mine)
        status, _, told = run(capsys, archive, place, *flags)
        assert status == 1 and "{}: is there and is no evaluation; rename it".format(path) in told
        assert path.read_text() == mine
        path.write_text(held)


@pytest.mark.skipif(importlib.util.find_spec("scipy") is None, reason="no SciPy; make setup")
def test_program_with_all_metrics(tmp_path, archive, capsys):
    place = folder(tmp_path / "maps", "npy", maps=[truth(index) for index in range(COUNT)])
    np.save(str(tmp_path / "planes.npy"), np.ones((COUNT,) + SIZE, np.uint8))
    flags = ["--unit", "metres", "--protocol", "port", "paper", "--metrics", "all"]
    flags += ["--planes", str(tmp_path / "planes.npy"), "--json", str(tmp_path / "a.json")]
    assert run(capsys, archive, place, *flags, "--csv", str(tmp_path / "a.csv"))[0] == 0
    document = json.loads((tmp_path / "a.json").read_text())
    for figures in (document["metrics"], document["protocols"]["paper"]["metrics"]):
        perfect = {m.key: 1 if m.higher_is_better else 0 for m in MORE if figures[m.key] is not None}
        # What slopes but has no step has no edge, a ramp is no plane in space, and no pixel is nearer than 10 / 9 m.
        for key in ("boundary_f1", "plane_flatness"):
            perfect[key] = figures[key]
        assert {key: figures[key] for key in perfect} == pytest.approx(perfect, abs=1e-4)
    assert document["metrics"]["plane_flatness"] > 1
    header, first = (line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()[:2])
    assert [key for key in header if key in more_metrics.NAMES] == list(more_metrics.NAMES)
    assert first[header.index("rel_far")] == ""
    # Those asked for by name, without planes.
    assert (
        run(capsys, archive, place, "--unit", "metres", "--metrics", "mae", "--json", str(tmp_path / "b.json"))[0] == 0
    )
    few = json.loads((tmp_path / "b.json").read_text())
    assert {key: few["metrics"].pop(key) for key in ("mae",)} == {"mae": 0}
    assert few["metrics"] == {m.key: document["metrics"][m.key] for m in METRICS}


@pytest.mark.parametrize(
    "planes, words",
    [
        (np.ones((COUNT, 24, 32), np.uint8), "is 24x32, its image 48x64; numbers of planes cannot be resized"),
        (np.full((COUNT, 48, 64), 1.5), "expected numbers of planes, 0 where there is none"),
    ],
)
def test_what_are_no_planes_of_the_image_is_refused(tmp_path, archive, capsys, planes, words):
    np.save(str(tmp_path / "maps.npy"), np.stack([truth(index) for index in range(COUNT)]))
    np.save(str(tmp_path / "planes.npy"), planes)
    flags = ["--unit", "metres", "--metrics", "plane_flatness", "--planes", str(tmp_path / "planes.npy")]
    status, _, err = run(capsys, archive, tmp_path / "maps.npy", *flags)
    assert status == 1 and "planes.npy: " + words in err


def wrong(place, case):
    """(a path that holds maps with a fault, flags)."""
    maps = [predicted(index) for index in range(COUNT)]
    unit = "millimetres"
    if case == "one less":
        return folder(place / "maps", "npy", maps=maps[1:]), unit
    if case == "nan":
        maps[4] = np.full(SIZE, np.nan, np.float32)
    elif case == "constant":
        maps = [one * 0 + 2000 for one in maps]
    elif case == "no number":
        path = folder(place / "maps", "npy", maps=maps)
        (place / "maps/frame4.npy").rename(place / "maps/four.npy")
        return path, unit
    elif case == "zero":
        maps[4] = maps[4] * 0
    elif case == "view":
        maps[4] = maps[4][:, :-9]
    elif case == "colours":
        maps[4] = np.zeros(SIZE + (3,), np.uint8)
    elif case == "objects":
        maps[4] = np.array([[None]])
    elif case == "disparity":
        maps, unit = [(20000 / one).astype(np.float32) for one in maps], "metres"
    elif case == "depth":
        unit = "inverse"
    elif case == "millimetres":
        unit = "metres"
    elif case == "no unit":
        maps, unit = [20000 / one for one in maps], "inverse"
    elif case == "metres":
        maps = [one / 1000 for one in maps]
    elif case in ("levels", "parsecs"):
        maps, unit = [one / 1000 * {"levels": 25.5, "parsecs": 1e-9}[case] for one in maps], "metres"
    elif case in ("centimetres", "16 bit", "farther"):
        maps = [one * {"centimetres": 0.1, "16 bit": 6.5535, "farther": 30.0}[case] for one in maps]
    return folder(place / "maps", "npy", maps=maps), unit


@pytest.mark.parametrize(
    "case, words",
    [
        ("one less", "has 10 depth maps, {archive} has 11 images; predict each image once"),
        ("nan", "frame4.npy: 3072 values are not finite"),
        ("zero", "frame4.npy: the lowest value is 0, millimetres must be above zero everywhere; a shift"),
        ("constant", "11 of 11 maps hold one value everywhere, as of another output"),
        ("no number", "four.npy has no number in its name, so its image is not known; name each map by the number"),
        ("view", "frame4.npy: is 48x55, its image 48x64, another aspect ratio"),
        (
            "colours",
            "frame4.npy: expected numbers (height, width), got uint8 (48, 64, 3); colours are no depth",
        ),
        ("objects", "frame4.npy: cannot be read"),
        ("disparity", "so they are likely disparity or inverse, not metres; correct that (--unit, the files)"),
        ("depth", "so they are likely metres or millimetres, not inverse"),
        ("millimetres", "so the unit is likely millimetres; correct that (--unit, the files), or give --trust_unit"),
        ("metres", "so the unit is likely metres"),
        ("no unit", "so they have another scale; multiply them, or choose disparity and an alignment"),
        ("levels", "times the ground truth, so the unit is likely 255 for 10 m, as of 8-bit files"),
        ("parsecs", "e-09 times the ground truth; correct that"),
        ("centimetres", "so the unit is likely centimetres"),
        ("16 bit", "so the unit is likely 65535 for 10 m"),
        ("farther", "of values in millimetres, the median depth is 33 times the ground truth; correct that"),
    ],
)
def test_faults_are_one_line(tmp_path, archive, capsys, case, words):
    path, unit = wrong(tmp_path, case)
    status, _, err = run(capsys, archive, path, "--unit", unit, "--json", str(tmp_path / "a.json"))
    assert status == 1 and len(err.splitlines()) == 1
    assert words.format(archive=archive) in err
    assert not (tmp_path / "a.json").exists()


def scene(index):
    """Depth that grows in another direction in each scene."""
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    angle = 0.5 * (index % COUNT)
    return (5 + (np.cos(angle) * rows / 24 + np.sin(angle) * columns / 32)).astype(np.float32)


@pytest.mark.parametrize(
    "order, refused",
    [
        (range(COUNT), False),
        ([*range(3, COUNT), 0, 1, 2], True),
        ([10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], True),
        # One scene for all of them, and two that changed places.
        ([4] * COUNT, False),
        ([1, 0, *range(2, COUNT)], False),
    ],
)
@pytest.mark.parametrize("unit", ["metres", "inverse"])
def test_maps_in_another_order(tmp_path, capsys, order, refused, unit):
    path = str(tmp_path / "test.zip")
    pairs = ((np.zeros((*SIZE, 3), np.uint8), scene(index)) for index in range(COUNT))
    test_archive_writer.write(path, pairs, COUNT, SIZE, CROP)
    maps = np.stack([scene(index) for index in order])
    np.save(str(tmp_path / "maps.npy"), maps if unit == "metres" else 1 / maps)
    status, _, err = run(capsys, path, tmp_path / "maps.npy", "--unit", unit)
    assert status == refused and ("so they are likely in another order, or of other images" in err) == refused
    assert len(err.splitlines()) == refused


@pytest.mark.parametrize(
    "turn, words",
    [
        (lambda one: one[::-1], "better upside down (rank correlation 1.00 instead of"),
        (lambda one: one[:, ::-1], "better mirrored (rank correlation 1.00 instead of"),
        (lambda one: one[::-1, ::-1], "better turned by 180 degrees (rank correlation 1.00 instead of"),
    ],
    ids=["upside_down", "mirrored", "turned"],
)
def test_maps_that_are_turned(tmp_path, capsys, turn, words):
    rows, columns = np.mgrid[0 : SIZE[0], 0 : SIZE[1]]
    depth = 1 + np.hypot(rows - 10, columns - 15).astype(np.float32) / 10
    path = str(tmp_path / "test.zip")
    pairs = [(np.zeros((*SIZE, 3), np.uint8), depth)] * COUNT
    test_archive_writer.write(path, iter(pairs), COUNT, SIZE, CROP)
    np.save(str(tmp_path / "maps.npy"), np.stack([turn(depth)] * COUNT))
    status, _, err = run(capsys, path, tmp_path / "maps.npy", "--unit", "metres", "--alignment", "scale")
    assert status == 1 and words in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("factor, refused", [(1 / 7, True), (1 / 6, False), (6, False), (7, True)])
@pytest.mark.parametrize("unit", ["metres", "millimetres", "inverse"])
def test_every_unit_may_be_off_by_a_factor_of_six(tmp_path, archive, capsys, unit, factor, refused):
    maps = np.stack([truth(index) * factor for index in range(COUNT)])
    np.save(str(tmp_path / "maps.npy"), {"metres": maps, "millimetres": maps * 1000, "inverse": 1 / maps}[unit])
    status, _, err = run(capsys, archive, tmp_path / "maps.npy", "--unit", unit)
    assert status == refused and len(err.splitlines()) == refused


def test_maps_all_over_the_test_set_are_judged(tmp_path, capsys):
    path, count = str(tmp_path / "test.zip"), 64
    pairs = ((np.zeros((*SIZE, 3), np.uint8), truth(index % COUNT)) for index in range(count))
    test_archive_writer.write(path, pairs, count, SIZE, CROP)
    right = [truth(index % COUNT) for index in range(count)]
    np.save(str(tmp_path / "maps.npy"), np.stack(right[:16] + [one[::-1] for one in right[16:]]))
    status, _, err = run(capsys, path, tmp_path / "maps.npy", "--unit", "metres")
    assert status == 1 and "better upside down" in err


def test_the_view_and_the_order_of_tiny_maps_are_not_judged(tmp_path, capsys):
    path = str(tmp_path / "test.zip")
    pairs = ((np.zeros((*SIZE, 3), np.uint8), scene(index)) for index in range(COUNT))
    test_archive_writer.write(path, pairs, COUNT, SIZE, CROP)
    for side, refused in ((6, False), (12, True)):
        # In another order, and so clear that larger ones are refused.
        np.save(
            str(tmp_path / "maps.npy"), np.stack([scene(i)[:: 48 // side, :: 48 // side] for i in range(COUNT)][::-1])
        )
        assert run(capsys, path, tmp_path / "maps.npy", "--unit", "metres")[0] == refused


def test_a_unit_may_be_insisted_on(tmp_path, archive, capsys):
    path, unit = wrong(tmp_path, "millimetres")
    assert run(capsys, archive, path, "--unit", unit, "--trust_unit")[0] == 0


@pytest.mark.parametrize(
    "name, words",
    [
        ("nosuch", "no such file or folder"),
        ("empty", "holds no depth maps (.npy .npz .png .tif"),
        ("text.txt", "expected a folder, .zip, .tar, .npy or .npz of depth maps"),
        ("text.npy", "cannot be read"),
        ("text.npz", "not a zip file"),
        ("flat.npy", "expected an array (images, height, width), got float64 (5,)"),
        ("last.npy", "got (48, 64, 11): its images are the last axis; move it to the front"),
        ("nested.zip", "), but maps.zip; unpack that and name its folder"),
        ("other.npz", "predict each image once (it holds colours.npy, depth.npy)"),
        ("several", "0.npz: cannot be read (has 2 arrays (colours, depth); save the depth alone)"),
    ],
)
def test_what_is_no_set_of_maps(tmp_path, archive, capsys, name, words):
    (tmp_path / "empty").mkdir()
    for text in ("text.txt", "text.npy", "text.npz"):
        (tmp_path / text).write_text("no maps")
    np.save(str(tmp_path / "flat.npy"), np.ones(5))
    np.save(str(tmp_path / "last.npy"), np.ones((*SIZE, COUNT), np.float32))
    with zipfile.ZipFile(str(tmp_path / "nested.zip"), "w") as nested:
        nested.writestr("maps.zip", b"")
    (tmp_path / "several").mkdir()
    for path in ("other", *("several/{}".format(index) for index in range(COUNT))):
        np.savez(str(tmp_path / path), colours=np.ones(3), depth=np.ones(SIZE))
    status, _, err = run(capsys, archive, tmp_path / name, "--unit", "metres")
    assert status == 1 and words in err and len(err.splitlines()) == 1
