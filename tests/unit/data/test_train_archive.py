"""Reading nyu_data.zip: what is accepted, and what is refused in which words."""

import base64
import errno
import functools
import io
import os
import re
import shlex
import shutil
import subprocess
import zipfile

import numpy
import pytest
from densedepth.data import train_archive
from densedepth.data.train_archive import Archive
from densedepth.errors import PipelineError
from PIL import Image
from record_archive import encoded
from refusals import refusal_of_file


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


refusal = functools.partial(refusal_of_file, read_all)


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
        ("data/a/2.jpg", rgb(kind="PNG"), "expected a JPEG image, got PNG"),
        ("data/a/2.png", rgb(), "expected an 8-bit PNG of depth, got JPEG"),
        ("data/a/2.jpg", encoded(numpy.zeros((12, 16), numpy.uint8), "JPEG"), "mode L"),
        ("data/a/2.png", rgb(kind="PNG"), "mode RGB"),
        ("data/a/2.png", depth(dtype=bool), "with 1 bit"),
        ("data/a/2.png", depth(dtype=numpy.uint16), "expected 8-bit depth (metres = value / 255 * 10), got 16-bit"),
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
    assert train_archive._quick_jpeg_size(stream.getvalue()) == (31, 52)
    assert train_archive._jpeg_size(stream.getvalue(), "here") == (31, 52)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_the_quick_look_leaves_other_jpegs_to_pillow(mode):
    stream = io.BytesIO()
    Image.new(mode, (52, 31)).save(stream, "JPEG")
    assert train_archive._quick_jpeg_size(stream.getvalue()) is None
    assert train_archive._quick_jpeg_size(stream.getvalue()[:30]) is None
    with pytest.raises(
        PipelineError, match=r"here: expected three components of 8 bit .RGB., got a JPEG of mode " + mode
    ):
        train_archive._jpeg_size(stream.getvalue(), "here")


# As 7-Zip writes them: data/nyu2_train.csv, 6 times `data/a/1.jpg,data/a/1.png`.
DEFLATE64 = (
    "UEsDBBUAAAAJACg2fV0/LCrVJAAAAJwAAAATAAAAZGF0YS9ueXUyX3RyYWluLmNzdsXJMQoAAAQF0N1ZRI70SymDDO6fzRWMr+cYKNQkO/jQFfQ/"
    "C1BLAQI/AxUAAAAJACg2fV0/LCrVJAAAAJwAAAATACQAAAAAAAAAIICkgQAAAABkYXRhL255dTJfdHJhaW4uY3N2CgAgAAAAAAABABgArtwrv81/3QEA"
    "AAAAAAAAAAAAAAAAAAAAUEsFBgAAAAABAAEAZQAAAFUAAAAAAA=="
)
ENCRYPTED = (
    "UEsDBBQAAQAIACg2fV0/LCrVMAAAAJwAAAATAAAAZGF0YS9ueXUyX3RyYWluLmNzdp0d1VPcsbZ0JwW9LauThXrVQUHINPCRx4DXdZ4kT4twVPz4MC"
    "EysUQIqWZXxCxhvlBLAQI/AxQAAQAIACg2fV0/LCrVMAAAAJwAAAATACQAAAAAAAAAIICkgQAAAABkYXRhL255dTJfdHJhaW4uY3N2CgAgAAAAAAAB"
    "ABgArtwrv81/3QEAAAAAAAAAAAAAAAAAAAAAUEsFBgAAAAABAAEAZQAAAGEAAAAAAA=="
)
AES = (
    "UEsDBDMAAQBjACg2fV0AAAAAQAAAAJwAAAATAAsAZGF0YS9ueXUyX3RyYWluLmNzdgGZBwACAEFFAwgAcN2dJy0G9lWbSsOzx07c8d4o10Cil1uPcmio"
    "khnEtUdYMSB2SGiwfA5P10qPiJu9gWLjf48K3lc6+6XClCFvPVBLAQI/AzMAAQBjACg2fV0AAAAAQAAAAJwAAAATAC8AAAAAAAAAIICkgQAAAABkYXRh"
    "L255dTJfdHJhaW4uY3N2CgAgAAAAAAABABgArtwrv81/3QEAAAAAAAAAAAAAAAAAAAAAAZkHAAIAQUUDCABQSwUGAAAAAAEAAQBwAAAAfAAAAAAA"
)


@pytest.mark.parametrize(
    "data, words",
    [(DEFLATE64, "is compressed by Deflate64"), (ENCRYPTED, "is encrypted"), (AES, "is encrypted")],
    ids=["deflate64", "encrypted", "aes"],
)
def test_what_is_not_supported_is_not_called_damaged(tmp_path, data, words):
    (tmp_path / "my a.zip").write_bytes(base64.b64decode(data))
    message = refusal(str(tmp_path / "my a.zip"))
    assert "data/nyu2_train.csv " + words in message
    assert "7z x -o'my a_unpacked' " in message and "zip -r '../my a_again.zip' ." in message
    assert "damaged" not in message and "get the archive again" not in message


def patched(path, member, method):
    """Give `member` another compression method in both of its headers."""
    with zipfile.ZipFile(path) as archive:
        start, here = archive.getinfo(member).header_offset, archive.start_dir
    with open(path, "rb") as stream:
        data = bytearray(stream.read())
    while data[here + 46 : here + 46 + len(member)] != member.encode():
        here = data.index(b"PK\x01\x02", here + 4)
    for place in (start + 8, here + 10):
        data[place : place + 2] = method.to_bytes(2, "little")
    with open(path, "wb") as stream:
        stream.write(data)


@pytest.mark.parametrize("method, words", [(9, "Deflate64"), (95, "XZ"), (98, "PPMd"), (93, "Zstandard")])
def test_a_member_that_is_packed_otherwise(tmp_path, method, words):
    path = write(tmp_path / "a.zip", members())
    patched(path, "data/a/2.png", method)
    if not (method == 93 and hasattr(zipfile, "ZIP_ZSTANDARD")):
        assert "data/a/2.png is compressed by " + words in refusal(path)


def test_a_method_that_no_program_has_is_damage(tmp_path):
    path = write(tmp_path / "a.zip", members())
    patched(path, "data/a/2.png", 4711)
    assert "row 2, data/a/2.png: damaged member" in refusal(path)


@pytest.mark.parametrize(
    "head, words",
    [
        (b"7z\xbc\xaf\x27\x1c\0\4", "expected a zip file, got a 7z archive; unpack it and zip it again: 7z x"),
        (b"Rar!\x1a\x07\1\0", "expected a zip file, got a RAR archive; unpack it"),
        (b"a" + bytes(256) + b"ustar", "expected a zip file, got a tar archive; unpack it"),
        (b"\n<!DOCTYPE html>", "expected a zip file, got a web page; get the archive again"),
        (b"<!-- x --><HTML>", "got a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "got a pointer of Git LFS"),
    ],
)
def test_what_is_no_zip_file_is_named(tmp_path, head, words):
    (tmp_path / "a.zip").write_bytes(head)
    assert words in refusal(str(tmp_path / "a.zip"))


def test_a_folder_called_zip_is_named_as_one(tmp_path):
    (tmp_path / "a.zip").mkdir()
    message = refusal(str(tmp_path / "a.zip"))
    assert "expected a zip file, got a folder" in message and "zip -r ../a_again.zip ." in message


@pytest.mark.skipif(not (shutil.which("7z") and shutil.which("zip")), reason="needs 7z and zip")
@pytest.mark.parametrize("kind", ["deflate64", "aes", "tar", "tar.gz", "zip.gz", "7z", "folder", "split"])
def test_the_commands_that_are_told_make_an_archive_that_is_read(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "good.zip", dict(members(), **{"noise": os.urandom(100000)}))
    make = {
        "deflate64": "cd 'my src' && 7z a -tzip -mm=Deflate64 '../my a.zip' .",
        "aes": "cd 'my src' && 7z a -tzip -mem=AES256 -psecret '../my a.zip' .",
        "tar": "tar cf 'my a.zip' -C 'my src' .",
        "tar.gz": "tar czf 'my a.zip' -C 'my src' .",
        "zip.gz": "gzip -c good.zip > 'my a.zip'",
        "7z": "cd 'my src' && 7z a -t7z '../my a.7z' . && mv '../my a.7z' '../my a.zip'",
        "folder": "cp -r 'my src' 'my a.zip'",
        "split": "cd 'my src' && zip -s 64k -r '../my a.zip' .",
    }
    bash("7z x -o'my src' good.zip && " + make[kind])
    path, steps = "my a.zip", 0
    while not readable(path) and steps < 3:
        command = re.search(r": ((7z|cd|zip) .*)$", refusal(path)).group(1)
        bash(command.replace("7z x", "7z x -psecret"))
        words = shlex.split(command)
        path = words[-1] if words[-2] in (">", "--out") else words[-2][len("../") :]
        steps += 1
    assert 0 < steps < 3


def bash(command):
    done = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")


def readable(path):
    try:
        with train_archive.Archive(path) as archive:
            return len([archive.pair(row) for row in archive.rows()]) == 2
    except PipelineError:
        return False


def test_a_part_of_a_split_archive(tmp_path):
    path = write(tmp_path / "a.zip", members())
    (tmp_path / "a.z01").write_bytes(b"")
    assert "a.zip: is one part of a split archive (a.z01, ...); join them: zip -s 0 " in refusal(path)


def test_resource_forks_are_no_hint(tmp_path):
    contents = {"outer/" + name: data for name, data in members().items()}
    forks = {"__MACOSX/outer/data/._nyu2_train.csv": b"Mac", "._nyu2_train.csv": b"Mac"}
    message = refusal(write(tmp_path / "a.zip", dict(forks, **contents)))
    assert "it has outer/data/nyu2_train.csv: was it zipped again" in message
    message = refusal(write(tmp_path / "b.zip", dict(forks, **{"a.txt": b""})))
    assert message.endswith("its 1 members: a.txt")


@pytest.mark.parametrize("header", [b"rgb,depth", b"\xef\xbb\xbfImage, Depth", b"0,1"])
def test_a_header_is_passed_over(tmp_path, header):
    csv = header + b"\r\ndata/a/1.jpg,data/a/1.png\r\n"
    with Archive(write(tmp_path / "a.zip", members(**{"data/nyu2_train.csv": csv}))) as archive:
        assert [(row.number, row.rgb) for row in archive.rows()] == [(2, "data/a/1.jpg")]


@pytest.mark.parametrize(
    "named, there",
    [
        ("/data/a/2.png", "data/a/2.png"),
        ("data\\a\\2.png", "data/a/2.png"),
        ("data/A/2.PNG", "data/a/2.png"),
        ("data/a/1.JPEG", "data/a/1.jpg"),
        ("data/K\u00fcche/1.png", "data/Ku\u0308che/1.png"),
    ],
)
def test_near_misses_of_a_member(tmp_path, named, there):
    csv = "data/a/1.jpg,{}\n".format(named).encode("utf-8")
    contents = members(**{"data/nyu2_train.csv": csv, "data/a/2.jpg": None, "data/Ku\u0308che/1.png": depth()})
    message = refusal(write(tmp_path / "a.zip", contents))
    assert "; did you mean {}?".format(there) in message
    assert ("another Unicode form" in message) == ("che" in named)


def test_a_nul_byte_in_the_csv(tmp_path):
    csv = b"data/a/1.jpg,data/a/1.png\ndata/a/\x002.jpg,data/a/2.png\n"
    message = refusal(write(tmp_path / "a.zip", members(**{"data/nyu2_train.csv": csv})))
    assert "row 2 of data/nyu2_train.csv holds a NUL byte" in message
