"""Reading nyu_data.zip: what is accepted, and what is refused in which words."""

import errno
import io
import os
import zipfile

import numpy
import pytest
from densedepth import archives
from densedepth.archives import Archive
from densedepth.errors import PipelineError
from PIL import Image


def encoded(array, kind):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, kind)
    return stream.getvalue()


def rgb(height=12, width=16, kind="JPEG"):
    return encoded(numpy.full((height, width, 3), 90, numpy.uint8), kind)


def depth(height=12, width=16, dtype=numpy.uint8):
    return encoded(numpy.full((height, width), 90, dtype), "PNG")


def members(**changes):
    """A good archive of two pairs, with members changed (None: left out)."""
    good = {
        "data/": b"",
        "data/nyu2_train.csv": b"data/a/1.jpg,data/a/1.png\ndata/a/2.jpg,data/a/2.png\n",
        "data/a/1.jpg": rgb(),
        "data/a/1.png": depth(),
        "data/a/2.jpg": rgb(),
        "data/a/2.png": depth(),
    }
    good.update(changes)
    return {name: data for name, data in good.items() if data is not None}


def write(path, contents):
    with zipfile.ZipFile(str(path), "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return str(path)


def read_all(path):
    with Archive(path) as archive:
        return [archive.pair(row) for row in archive.rows()]


def refusal(path):
    with pytest.raises(PipelineError) as caught:
        read_all(path)
    message = str(caught.value)
    assert message.startswith(path)
    assert "\n" not in message
    return message


def test_pairs_come_as_they_are_in_the_archive(tmp_path):
    contents = members()
    pairs = read_all(write(tmp_path / "a.zip", contents))
    assert pairs[0] == (contents["data/a/1.jpg"], contents["data/a/1.png"], (12, 16))
    assert len(pairs) == 2


@pytest.mark.parametrize(
    "csv",
    [
        b"data/a/1.jpg,data/a/1.png\r\ndata/a/2.jpg,data/a/2.png\r\n",
        b"data/a/1.jpg,data/a/1.png\ndata/a/2.jpg,data/a/2.png",
        b"\n\n  data/a/1.jpg , data/a/1.png  \n \t \ndata/a/2.jpg,\tdata/a/2.png\r\n\r\n",
        b"\xef\xbb\xbfdata/a/1.jpg,data/a/1.png\rdata/a/2.jpg,data/a/2.png",
    ],
)
def test_line_ends_blank_lines_and_spaces(tmp_path, csv):
    with Archive(write(tmp_path / "a.zip", members(**{"data/nyu2_train.csv": csv}))) as archive:
        rows = archive.rows()
    assert [(row.rgb, row.depth) for row in rows] == [
        ("data/a/1.jpg", "data/a/1.png"),
        ("data/a/2.jpg", "data/a/2.png"),
    ]


def test_row_numbers_are_line_numbers(tmp_path):
    csv = b"\ndata/a/1.jpg,data/a/1.png\n\ndata/a/2.jpg,data/a/2.png\n"
    with Archive(write(tmp_path / "a.zip", members(**{"data/nyu2_train.csv": csv}))) as archive:
        assert [row.number for row in archive.rows()] == [2, 4]


def test_missing_archive(tmp_path):
    assert "no such file" in refusal(str(tmp_path / "none.zip"))


@pytest.mark.parametrize(
    "number, words",
    [
        (errno.EACCES, "a.zip: cannot be read (Permission denied)"),
        # What a damaged end makes zipfile do.
        (errno.EINVAL, "a.zip: truncated, or not a zip file ("),
    ],
)
def test_an_archive_that_the_system_does_not_give(tmp_path, monkeypatch, number, words):
    path = write(tmp_path / "a.zip", members())

    def refuse(*arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(zipfile, "ZipFile", refuse)
    assert words in refusal(path)


def test_missing_csv_lists_the_members(tmp_path):
    message = refusal(write(tmp_path / "a.zip", {"photos/1.jpg": rgb(), "photos/2.jpg": rgb()}))
    assert "data/nyu2_train.csv" in message
    assert "photos/1.jpg, photos/2.jpg" in message


def test_zipped_again_without_its_folder(tmp_path):
    contents = {name[5:]: data for name, data in members().items() if name != "data/"}
    message = refusal(write(tmp_path / "a.zip", contents))
    assert "has no data/nyu2_train.csv" in message
    assert "zipped again without" in message

    contents["data/nyu2_train.csv"] = contents.pop("nyu2_train.csv")
    message = refusal(write(tmp_path / "b.zip", contents))
    assert "row 1 of data/nyu2_train.csv names data/a/1.jpg" in message
    assert "zipped again without the folder data/" in message


def test_missing_member(tmp_path):
    message = refusal(write(tmp_path / "a.zip", members(**{"data/a/2.png": None})))
    assert "row 2 of data/nyu2_train.csv names data/a/2.png" in message
    assert "incomplete" in message


@pytest.mark.parametrize("line", ["data/a/2.jpg", "data/a/2.jpg,", "data/a/2.jpg,data/a/2.png,3", "a;b"])
def test_row_without_two_fields(tmp_path, line):
    csv = "data/a/1.jpg,data/a/1.png\n{}\n".format(line).encode()
    message = refusal(write(tmp_path / "a.zip", members(**{"data/nyu2_train.csv": csv})))
    assert "row 2 of data/nyu2_train.csv" in message
    assert line in message


@pytest.mark.parametrize("csv, words", [(b"\n \n", "no rows"), (b"\xff\xfe1\x002", "not text")])
def test_csv_without_use(tmp_path, csv, words):
    assert words in refusal(write(tmp_path / "a.zip", members(**{"data/nyu2_train.csv": csv})))


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_truncated_archive(tmp_path, keep):
    path = write(tmp_path / "a.zip", members())
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data[: int(keep * len(data))])
    assert "truncated, or not a zip file" in refusal(path)


def test_corrupt_member(tmp_path):
    path = write(tmp_path / "a.zip", members())
    data = bytearray((tmp_path / "a.zip").read_bytes())
    with zipfile.ZipFile(path) as archive:
        position = archive.getinfo("data/a/2.jpg").header_offset + 200
    data[position] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(bytes(data))
    message = refusal(path)
    assert "row 2, data/a/2.jpg: damaged member" in message


@pytest.mark.parametrize(
    "name, data, words",
    [
        ("data/a/2.jpg", b"<html>not found</html>", "not an image"),
        ("data/a/2.png", b"", "not an image (0 bytes"),
        ("data/a/2.jpg", rgb(kind="PNG"), "is PNG, where a JPEG"),
        ("data/a/2.png", rgb(), "is JPEG, where an 8-bit PNG"),
        ("data/a/2.jpg", encoded(numpy.zeros((12, 16), numpy.uint8), "JPEG"), "mode L"),
        ("data/a/2.png", rgb(kind="PNG"), "mode RGB"),
        ("data/a/2.png", depth(dtype=bool), "with 1 bit"),
        ("data/a/2.png", depth(dtype=numpy.uint16), "16-bit depth where 8-bit belongs"),
        ("data/a/2.jpg", rgb()[:-3], "ends early"),
        ("data/a/2.png", depth()[:-12], "ends early"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",
)
def test_member_of_the_wrong_kind(tmp_path, name, data, words):
    message = refusal(write(tmp_path / "a.zip", members(**{name: data})))
    assert "row 2, " + name in message
    assert words in message


def test_rgb_and_depth_of_different_sizes(tmp_path):
    message = refusal(write(tmp_path / "a.zip", members(**{"data/a/2.png": depth(24, 32)})))
    assert "row 2, data/a/2.jpg: is 16x12, but its depth data/a/2.png is 32x24" in message


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"exif": b"Exif\0\0" + bytes(40)}, {"comment": b"x" * 300}, {"quality": 5}]
)
def test_the_quick_look_at_a_jpeg_sees_what_pillow_sees(options):
    stream = io.BytesIO()
    Image.new("RGB", (52, 31)).save(stream, "JPEG", **options)
    assert archives._quick_jpeg_size(stream.getvalue()) == (31, 52)
    assert archives._jpeg_size(stream.getvalue(), "here") == (31, 52)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_the_quick_look_leaves_other_jpegs_to_pillow(mode):
    stream = io.BytesIO()
    Image.new(mode, (52, 31)).save(stream, "JPEG")
    assert archives._quick_jpeg_size(stream.getvalue()) is None
    assert archives._quick_jpeg_size(stream.getvalue()[:30]) is None
    with pytest.raises(PipelineError, match="here: is a JPEG of mode " + mode):
        archives._jpeg_size(stream.getvalue(), "here")
