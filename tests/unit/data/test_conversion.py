"""From a source of pairs to record files: what is written, taken over, left out and refused."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile

import numpy
import numpy as np
import pytest
from densedepth import files
from densedepth.data import (
    conversion,
    records,
    train_archive,
    unfiltered_png,
)
from densedepth.errors import PipelineError
from faulty_pngs import header, of_rows
from pairs import SIZE, rgb, save
from PIL import Image
from record_archive import PAIRS, encoded, make_archive, read_all
from refusals import refusal


def listed(folder):
    return sorted(name for name in os.listdir(str(folder)) if not name.endswith(".partial"))


def waiting(folder):
    """Shards that wait for a later call."""
    return sorted(name for name in os.listdir(str(folder / ".x.tfrecords.partial")) if name.endswith(".tfrecords"))


def test_one_file_holds_the_archives_bytes(archive, tmp_path):
    out = str(tmp_path / "x.tfrecords")
    side = conversion.convert(archive, out, seed=3)
    assert listed(tmp_path) == ["x.json", "x.tfrecords"]
    examples = read_all([out])
    assert len(examples) == PAIRS
    with zipfile.ZipFile(archive) as source:
        for example in examples:
            name = example["name"].decode()
            assert example["data_x"] == source.read(name)
            assert example["data_y"] == source.read(name.replace(".jpg", ".png"))
    assert side == json.loads((tmp_path / "x.json").read_text())
    assert side["records"] == side["archive"]["rows"] == PAIRS
    assert side["rgb_size"] == [12, 16]
    assert side["archive"]["size_bytes"] == os.path.getsize(archive)
    with train_archive.Archive(archive) as source:
        assert side["archive"]["members_sha256"] == source.identity()["members_sha256"]


def pixels(png):
    return numpy.asarray(Image.open(io.BytesIO(png)))


@pytest.mark.parametrize("source", ["archive", "camera"])
def test_unfiltered_depth_has_the_pixels_of_the_given(request, tmp_path, source):
    source, found = request.getfixturevalue(source), {}
    for form in unfiltered_png.FORMS:
        side = conversion.convert(source, str(tmp_path / form / "x.tfrecords"), depth_png=form)
        assert side["depth_png"] == form
        found[form] = read_all([str(tmp_path / form / "x.tfrecords")])
    for given, unfiltered in zip(found["given"], found["unfiltered"]):
        assert [given[key] for key in ("data_x", "name")] == [unfiltered[key] for key in ("data_x", "name")]
        expected = pixels(given["data_y"])
        numpy.testing.assert_array_equal(pixels(unfiltered["data_y"]), expected)
        assert unfiltered_png.decoded(unfiltered["data_y"], expected.shape) is not None


def test_depth_that_cannot_be_stored_anew_is_a_faulty_pair(tmp_path):
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/2.png": BROKEN})
    said = refusal(conversion.convert, path, str(tmp_path / "x.tfrecords"), depth_png="unfiltered")
    assert "row 3, data/t/2.png: its pixels cannot be decoded" in said
    side = conversion.convert(path, str(tmp_path / "x.tfrecords"), depth_png="unfiltered", skip=1)
    assert [fault["row"] for fault in side["skipped"]] == [3]


def test_shuffle_is_by_seed_and_shards_keep_the_sequence(archive, tmp_path):
    def names(seed, shards):
        out = str(tmp_path / "s{}n{}.tfrecords".format(seed, shards))
        conversion.convert(archive, out, shards=shards, seed=seed)
        return [example["name"] for example in read_all(records.expand([out]))]

    first = names(0, 1)
    assert first == names(0, 3)
    assert first != names(1, 1)
    assert sorted(first) == sorted(names(1, 3))
    order = numpy.random.RandomState(0).permutation(PAIRS)
    assert first == ["data/t/{}.jpg".format(i).encode() for i in order]


def test_same_bytes_whatever_the_number_of_workers(archive, tmp_path):
    sides = []
    for workers in (1, 2):
        out = str(tmp_path / "w{}".format(workers) / "x.tfrecords")
        sides.append(conversion.convert(archive, out, shards=3, workers=workers))
    assert sides[0] == sides[1]
    assert sides[0]["shards"] == ["x-0000{}-of-00003.tfrecords".format(i) for i in range(3)]
    assert sides[0]["shard_records"] == [4, 4, 3]
    for name in sides[0]["shards"]:
        assert (tmp_path / "w1" / name).read_bytes() == (tmp_path / "w2" / name).read_bytes()


@pytest.mark.parametrize("workers", [1, 2])
def test_refusal_leaves_nothing_behind(tmp_path, workers):
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/7.jpg": b"no image"})
    out = tmp_path / "out"
    with pytest.raises(PipelineError, match=r"row 8, data/t/7.jpg: not an image"):
        conversion.convert(path, str(out / "x.tfrecords"), shards=2, workers=workers)
    assert listed(out) == []
    # Finished shards are kept for the call after the mending.
    assert set(waiting(out)) <= {"x-00000-of-00002.tfrecords", "x-00001-of-00002.tfrecords"}
    assert [name for name in os.listdir(str(out / ".x.tfrecords.partial")) if ".tmp-" in name] == []


def test_refusal_keeps_the_files_of_before(archive, tmp_path):
    out = tmp_path / "out"
    conversion.convert(archive, str(out / "x.tfrecords"))
    before = {name: (out / name).read_bytes() for name in listed(out)}
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/7.jpg": b"no image"})
    with pytest.raises(PipelineError):
        conversion.convert(path, str(out / "x.tfrecords"))
    assert {name: (out / name).read_bytes() for name in listed(out)} == before


@pytest.mark.parametrize("shards", [1, 11])
def test_images_of_more_than_one_size(tmp_path, shards):
    jpg = encoded(numpy.zeros((24, 32, 3), numpy.uint8), "JPEG")
    png = encoded(numpy.zeros((24, 32), numpy.uint8), "PNG")
    path = make_archive(tmp_path / "a.zip", changed={"data/t/5.jpg": jpg, "data/t/5.png": png})
    with pytest.raises(PipelineError, match="more than one size") as caught:
        conversion.convert(path, str(tmp_path / "out" / "x.tfrecords"), shards=shards)
    assert "row 6 (data/t/5.jpg) is 32x24" in str(caught.value)
    assert "is 16x12" in str(caught.value)
    assert listed(tmp_path / "out") == []


class Killed(BaseException):
    """Stands for the end of the process: nothing but `finally` blocks run."""


def test_an_interrupted_call_goes_on_shard_by_shard(archive, tmp_path, monkeypatch, capsys):
    whole = conversion.convert(archive, str(tmp_path / "whole" / "x.tfrecords"), shards=3)
    out = tmp_path / "out"
    write, written = conversion._write_shard, []

    def twice(task, tick):
        if len(written) == 2:
            raise Killed
        written.append(task[2])
        return write(task, tick)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(conversion, "_write_shard", twice)
        conversion.convert(archive, str(out / "x.tfrecords"), shards=3)
    assert listed(out) == []
    assert waiting(out) == ["x-00000-of-00003.tfrecords", "x-00001-of-00003.tfrecords"]
    # What a killed process leaves, there and where earlier releases wrote.
    (out / ".x.tfrecords.partial" / ".x-00002-of-00003.tfrecords.tmp-4242").write_bytes(b"half")
    (out / ".x-00001-of-00003.tfrecords.tmp-4242").write_bytes(b"half")
    # A shard that was cut off later is not taken over.
    (out / ".x.tfrecords.partial" / "x-00001-of-00003.tfrecords").write_bytes(b"short")
    del written[:]
    monkeypatch.setattr(conversion, "_write_shard", lambda task, tick: (written.append(task[2]), write(task, tick))[1])
    assert conversion.convert(archive, str(out / "x.tfrecords"), shards=3) == whole
    assert [os.path.basename(path)[2:7] for path in written] == ["00001", "00002"]
    assert "1 shards are there from an interrupted call" in capsys.readouterr().out
    assert sorted(os.listdir(str(out))) == sorted(os.listdir(str(tmp_path / "whole")))
    for name in whole["shards"]:
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("change", [{"seed": 1}, {"check": True}, {"depth_png": "unfiltered"}])
def test_shards_of_other_arguments_are_not_taken_over(archive, tmp_path, monkeypatch, change):
    out = str(tmp_path / "x.tfrecords")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(conversion, "_common_size", lambda *results: (_ for _ in ()).throw(Killed))
        conversion.convert(archive, out, shards=2)
    conversion.convert(archive, out, shards=2, **change)
    conversion.convert(archive, str(tmp_path / "other" / "x.tfrecords"), shards=2, **change)
    for name in listed(tmp_path / "other"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_two_calls_for_one_file(archive, tmp_path):
    with files.lock(str(tmp_path / ".x.tfrecords.partial" / "lock"), "converting"):
        with pytest.raises(PipelineError, match="is already converting to this file"):
            conversion.convert(archive, str(tmp_path / "x.tfrecords"))


BROKEN = encoded(numpy.random.RandomState(0).randint(0, 256, (12, 16)).astype(numpy.uint8), "PNG")
BROKEN = BROKEN[:60] + bytes(20) + BROKEN[80:]
FAULTS = {"data/t/7.jpg": b"no image", "data/t/2.png": BROKEN}


def test_faulty_pairs_are_left_out_and_listed(tmp_path):
    path = make_archive(tmp_path / "nyu_data.zip", changed=FAULTS)
    out = str(tmp_path / "x.tfrecords")
    side = conversion.convert(path, out, shards=3, check=True, skip=2)
    assert [(fault["row"], fault["rgb"]) for fault in side["skipped"]] == [(3, "data/t/2.jpg"), (8, "data/t/7.jpg")]
    assert "pixels cannot be decoded" in side["skipped"][0]["problem"]
    assert "not an image" in side["skipped"][1]["problem"]
    names = {example["name"].decode() for example in read_all(records.expand([out]))}
    assert names == {"data/t/{}.jpg".format(i) for i in range(PAIRS)} - {"data/t/2.jpg", "data/t/7.jpg"}
    assert side["records"] == sum(side["shard_records"]) == PAIRS - 2


@pytest.mark.parametrize("shards", [1, 3])
def test_one_faulty_pair_too_many(tmp_path, shards):
    path = make_archive(tmp_path / "nyu_data.zip", changed=FAULTS)
    with pytest.raises(PipelineError, match=r"more than 1 faulty pairs, among them: .*row "):
        conversion.convert(path, str(tmp_path / "x.tfrecords"), shards=shards, check=True, skip=1)


def test_every_pixel_is_looked_at_only_when_asked(tmp_path):
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/2.png": BROKEN})
    assert conversion.convert(path, str(tmp_path / "x.tfrecords"))["records"] == PAIRS
    with pytest.raises(PipelineError, match=r"row 3, data/t/2.png: its pixels cannot be decoded"):
        conversion.convert(path, str(tmp_path / "x.tfrecords"), check=True)


GREY = header(12, 16)
MISFITS = {
    "colours": (of_rows(12, bytes(range(48)), GREY, header(12, 16, colour=2)), r"\(12, 16, 3\) uint8"),
    "16 bits": (of_rows(12, bytes(range(32)), GREY, header(12, 16, bits=16)), r"\(12, 16\) \S*"),
    "half the width": (of_rows(12, bytes(range(8)), GREY, header(12, 8)), r"\(12, 8\) uint8"),
}


@pytest.mark.parametrize("options", [{"check": True}, {"depth_png": "unfiltered"}], ids=["check", "unfiltered"])
@pytest.mark.parametrize("kind", MISFITS)
def test_pixels_that_are_not_what_the_first_header_says(tmp_path, kind, options):
    """Pillow goes by the last header."""
    png, found = MISFITS[kind]
    path, out = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/2.png": png}), str(tmp_path / "x.tfrecords")
    said = refusal(conversion.convert, path, out, **options)
    words = r"row 3, data/t/2.png: its pixels are " + found + r", where its header says \(12, 16\) uint8; .*"
    assert re.search(words + "$", said)
    assert [fault["row"] for fault in conversion.convert(path, out, skip=1, **options)["skipped"]] == [3]


@pytest.mark.parametrize("options", [{"check": True}, {"depth_png": "unfiltered"}], ids=["check", "unfiltered"])
def test_depth_without_its_last_rows(tmp_path, options):
    """Pillow makes them the nearest depth without a word."""
    png, out = of_rows(7, bytes(range(1, 17)), GREY), str(tmp_path / "x.tfrecords")
    path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/2.png": png})
    said = refusal(conversion.convert, path, out, **options)
    words = (
        "row 3, data/t/2.png: its pixels cannot be decoded (119 of 204 bytes of rows are there); get the archive again"
    )
    assert said.endswith(words)
    # All black is depth, too.
    for black in (of_rows(12, bytes(16), GREY), of_rows(12, bytes(16), GREY, GREY)):
        path = make_archive(tmp_path / "nyu_data.zip", changed={"data/t/2.png": black})
        assert conversion.convert(path, out, **options)["records"] == PAIRS


def test_a_member_that_is_not_there_counts_as_a_faulty_pair(tmp_path):
    path = make_archive(tmp_path / "nyu_data.zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/more.csv", "")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(str(tmp_path / "b.zip"), "w") as target:
        for name in source.namelist():
            if name != "data/t/4.png":
                target.writestr(name, source.read(name))
    side = conversion.convert(str(tmp_path / "b.zip"), str(tmp_path / "x.tfrecords"), skip=1)
    assert [fault["row"] for fault in side["skipped"]] == [5]
    with pytest.raises(PipelineError, match=r"row 5 of data/nyu2_train.csv names data/t/4.png"):
        conversion.convert(str(tmp_path / "b.zip"), str(tmp_path / "x.tfrecords"))


def test_more_shards_than_pairs(archive, tmp_path):
    with pytest.raises(PipelineError, match=r"12 shards for the 11 pairs of .*lower --shards \(data.shards\)"):
        conversion.convert(archive, str(tmp_path / "x.tfrecords"), shards=12)


def test_seed_out_of_range(archive, tmp_path):
    with pytest.raises(PipelineError, match="seed -1"):
        conversion.convert(archive, str(tmp_path / "x.tfrecords"), seed=-1)


def test_unwritable_place_is_one_line(archive, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises((PipelineError, OSError)):
        conversion.convert(archive, str(tmp_path / "file" / "x.tfrecords"))


SMALL_FILES = """
import resource, signal, sys
from densedepth.data import conversion
from densedepth.errors import PipelineError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    conversion.convert(sys.argv[1], sys.argv[2])
except PipelineError as error:
    sys.exit(str(error))
"""


def test_a_write_that_fails_names_the_shard(archive, tmp_path):
    """With a limit on the size of a file, the system refuses to write on, as on a full disk."""
    command = [sys.executable, "-c", SMALL_FILES, archive, str(tmp_path / "x.tfrecords")]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    run = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert re.match(r".*x.tfrecords: cannot be written \(File too large\)$", run.stderr), run.stderr
    assert not [name for name in listed(tmp_path) if "tfrecords" in name]


def test_what_is_missing_is_told(archive, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "google_crc32c", None)
    with pytest.raises(PipelineError, match=r"google-crc32c is missing; run `.*python.* -m pip install"):
        conversion.convert(archive, str(tmp_path / "x.tfrecords"))


def test_records_hold_sixteen_bits_and_their_unit(camera, tmp_path):
    from densedepth.data import training_input

    side = conversion.convert(camera, str(tmp_path / "x.tfrecords"))
    assert (side["records"], side["rgb_size"], side["depth_unit"]) == (3, list(SIZE), 10 / 65535)
    with records.RecordIndex([str(tmp_path / "x.tfrecords")]) as index:
        assert training_input.has_holes(index)


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
