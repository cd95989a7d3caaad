"""Pictures of every kind become upright RGB, and those that are none are named."""

import json
import os
import struct
import zlib

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.inference import image_files
from PIL import Image

RGB = np.random.RandomState(0).randint(0, 256, (6, 8, 3)).astype(np.uint8)
GREY = np.repeat(RGB[:, :, :1], 3, axis=2)


def save(path, array, **options):
    Image.fromarray(array).save(str(path), **options)
    return str(path)


def test_words_find_each_picture_once_in_order(tmp_path, monkeypatch):
    for name in ("b.png", "a.png", "c.jpg", "d[1].png", "f/10.PNG", "f/9.tif", "f/notes.txt", "f/g/1.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert image_files.find(["*.jpg", "*.png", "a.png"]) == ["c.jpg", "a.png", "b.png", "d[1].png"]
    assert image_files.find(["d[1].png"]) == ["d[1].png"]
    assert image_files.find(["f", "f/notes.txt"]) == ["f/9.tif", "f/10.PNG", "f/notes.txt"]
    assert image_files.find(["f/**/*.png"]) == ["f/g/1.png"]
    with pytest.raises(PipelineError, match=r"none/\*\.png: matches no file"):
        image_files.find(["*.png", "none/*.png"])
    os.mkdir("empty")
    with pytest.raises(PipelineError, match="empty: is a folder without images"):
        image_files.find(["empty"])


def test_results_alone_are_told_to_be_just_that(tmp_path, monkeypatch):
    for name in ("out/a_depth.npy", "out/a_panel.png", "more/b.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    side = {"source": {"path": "a.png", "frame": None, "sha256": "0"}, "network": {}, "depth": {}}
    side["files"] = {"npy": {"name": "a_depth.npy"}, "panel": {"name": "a_panel.png"}}
    for name in ("out/a.json", "more/a.json"):
        (tmp_path / name).write_text(json.dumps(side))
    monkeypatch.chdir(tmp_path)
    for word, count in (("out/*.png", "1 result"), ("out", "3 results")):
        with pytest.raises(PipelineError) as caught:
            image_files.search([word])
        assert str(caught.value) == "--input {}: has only {} of predict.py; name one to predict it".format(word, count)
    with pytest.raises(PipelineError, match=r"more: is a folder without .*; left out are 1 results of predict\.py"):
        image_files.search(["more"])
    for name in ("out/a.json", "out/a_depth.npy"):
        with pytest.raises(PipelineError) as caught:
            image_files.search([name], broken_links=True, videos=True)
        assert str(caught.value) == "--input {}: is a result of predict.py and no image".format(name)
    found = image_files.search(["out/a_panel.png", "out/a.json"])
    assert found.paths == ["out/a_panel.png"]
    assert found.lines[1:] == ["warning: out/a.json: left out, is a result of predict.py and no image"]


def test_a_folder_gives_its_videos_where_they_are_asked_for(tmp_path, monkeypatch):
    for name in ("f/a.MP4", "f/b.png", "f/c.txt", "v/a.mkv", "n/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert image_files.find(["f", "v"], videos=True) == ["f/a.MP4", "f/b.png", "v/a.mkv"]
    assert image_files.find(["f"]) == ["f/b.png"]
    (line,) = image_files.search(["f", "v"], videos=True).lines
    assert line.startswith("f: left out are 1 .txt, since only .apng") and ".webm" in line
    with pytest.raises(PipelineError, match="n: is a folder without images or videos"):
        image_files.find(["n"], videos=True)


def test_hidden_pictures_are_taken_only_where_they_are_named(tmp_path, monkeypatch, capsys):
    for name in ("a.png", "._a.png", "@eaDir/a.png", "@eaDir/b/a.png", "b.HEIC"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert image_files.find(["."]) == ["./a.png"]
    assert image_files.find(["**/*.png"]) == ["a.png"]
    assert image_files.find(["._a.png", "@eaDir", "@eaDir/*.png"]) == ["._a.png", "@eaDir/a.png"]
    (line,) = image_files.search([".", "a.png"]).lines
    assert "left out are 1 .heic" in line and "magick" in line
    with pytest.raises(PipelineError, match=r"A\.PNG: matches no file .*; did you mean a\.png\?"):
        image_files.find(["A.PNG"])
    with pytest.raises(PipelineError, match=r"b\.HEIC: not an image .*convert it: magick mogrify"):
        image_files.read("b.HEIC")


def test_one_file_spelled_in_several_ways_is_found_once(tmp_path, monkeypatch):
    (tmp_path / "y").mkdir()
    for name in ("y/1.png", "y/2.png"):
        (tmp_path / name).write_bytes(b"")
    os.symlink("y", str(tmp_path / "latest"))
    os.symlink("1.png", str(tmp_path / "y" / "3.png"))
    monkeypatch.chdir(tmp_path)
    words = ["./y/2.png", "y", str(tmp_path / "y"), "y/../y", "latest", "y/*.png"]
    # A link is an image with a name of its own.
    assert image_files.find(words) == ["./y/2.png", "y/1.png", "y/3.png"]


def test_links_to_nothing_are_told_where_asked_for(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    os.symlink("gone.png", str(tmp_path / "b.png"))
    os.symlink("c.png", str(tmp_path / "c.png"))
    os.symlink("gone", str(tmp_path / "d.txt"))
    os.mkfifo(str(tmp_path / "e.png"))
    (tmp_path / "f.png").mkdir()
    found = [os.path.basename(path) for path in image_files.find([str(tmp_path)], broken_links=True)]
    assert found == ["a.png", "b.png", "c.png"]
    assert image_files.find([str(tmp_path)]) == [str(tmp_path / "a.png")]
    with pytest.raises(PipelineError, match=r"b\.png: .* \(a link to gone\.png, which is not there\)"):
        image_files.read(str(tmp_path / "b.png"))
    with pytest.raises(PipelineError, match=r"c\.png: .*Too many levels of symbolic links"):
        image_files.read(str(tmp_path / "c.png"))


def test_digits_that_are_no_decimals_are_letters_of_a_name(tmp_path):
    for name in ("1\u00b22.png", "1\u00b210.png"):
        (tmp_path / name).write_bytes(b"")
    assert [path[-5:] for path in image_files.find([str(tmp_path)])] == ["2.png", "0.png"]


@pytest.mark.parametrize("orientation, turned", [(1, RGB), (3, RGB[::-1, ::-1]), (6, np.rot90(RGB, -1))])
def test_pictures_are_turned_upright(tmp_path, orientation, turned):
    exif = Image.Exif()
    exif[0x0112] = orientation
    frame = image_files.read(save(tmp_path / "a.png", RGB, exif=exif.tobytes()))
    assert frame.rgb.dtype == np.uint8 and (frame.rgb == turned).all()
    assert frame.read_as == ([] if orientation == 1 else ["turned upright as its EXIF data say"])


def damaged_exif(tmp_path):
    """The path of a picture whose EXIF data end within their header."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return save(tmp_path / "exif.png", RGB, exif=exif.tobytes()[:10])


def test_a_picture_with_damaged_exif_is_taken_as_it_lies(tmp_path):
    frame = image_files.read(damaged_exif(tmp_path))
    assert (frame.rgb == RGB).all()
    assert frame.read_as == ["taken as it lies, its EXIF data are damaged"]


def test_damage_of_the_pixels_is_not_taken_for_that_of_exif(tmp_path):
    with open(damaged_exif(tmp_path), "r+b") as stream:
        stream.truncate(os.path.getsize(stream.name) - 60)
    with pytest.raises(PipelineError, match=r"exif\.png: not an image that can be read"):
        image_files.read(stream.name)


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}])
def test_tiff_is_turned_once(tmp_path, options):
    frame = image_files.read(save(tmp_path / "turned.tif", RGB, tiffinfo={0x0112: 6}, **options))
    np.testing.assert_array_equal(frame.rgb, np.rot90(RGB, -1))
    assert frame.read_as == ["turned upright as its EXIF data say"]


def test_a_large_picture_is_read_without_a_warning_and_a_huge_one_refused(tmp_path, monkeypatch, recwarn):
    path = save(tmp_path / "a.png", RGB)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 47)
    assert (image_files.read(path).rgb == RGB).all() and not recwarn.list
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 23)
    with pytest.raises(PipelineError, match=r"a\.png: .*more than 0 megapixels"):
        image_files.read(path)


@pytest.mark.parametrize("error, reason", [(MemoryError(), "no memory for it"), (KeyError(), "KeyError")])
def test_whatever_a_reader_raises_is_told_of_the_file(tmp_path, monkeypatch, error, reason):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(image_files.upright, "upright_rgb", fail)
    with pytest.raises(PipelineError, match=r"a\.png: not an image that can be read \({}\)".format(reason)):
        image_files.read(save(tmp_path / "a.png", RGB))


def test_grey_and_palette(tmp_path):
    frame = image_files.read(save(tmp_path / "grey.png", RGB[:, :, 0]))
    assert (frame.rgb == GREY).all() and frame.number is None
    Image.fromarray(GREY).convert("P", palette=Image.ADAPTIVE).save(str(tmp_path / "palette.png"))
    assert (image_files.read(str(tmp_path / "palette.png")).rgb == GREY).all()


@pytest.mark.parametrize("name", ["deep.png", "deep.tif"])
def test_16_bits_keep_their_brightness(tmp_path, name):
    frame = image_files.read(save(tmp_path / name, RGB[:, :, 0].astype(np.uint16) * 257))
    assert (frame.rgb == GREY).all()
    assert frame.read_as == ["grey of more than 8 bits, 65535 is white"]


def write_deep_colour(path, values):
    """A PNG file of uint16 RGB (H, W, 3), which Pillow cannot write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks + [(b"IEND", b"")]:
        content += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    path.write_bytes(content)
    return str(path)


def test_colour_of_16_bits_loses_the_lower_8(tmp_path):
    values = np.random.RandomState(1).randint(0, 65536, (6, 8, 3)).astype(np.uint16)
    frame = image_files.read(write_deep_colour(tmp_path / "deep.png", values))
    assert (frame.rgb == values >> 8).all() and frame.read_as == []


def test_transparent_parts_are_white_whatever_lies_under_them(tmp_path):
    alpha = np.zeros((6, 8), np.uint8)
    alpha[:, :4] = 255
    rgba = np.dstack([RGB, alpha])
    frame = image_files.read(save(tmp_path / "a.png", rgba))
    assert (frame.rgb[:, :4] == RGB[:, :4]).all() and (frame.rgb[:, 4:] == 255).all()
    frame = image_files.read(save(tmp_path / "b.png", np.dstack([RGB[:, :, 0], alpha])))
    assert (frame.rgb[:, :4] == GREY[:, :4]).all() and (frame.rgb[:, 4:] == 255).all()


@pytest.mark.parametrize("name", ["moving.png", "pages.tif", "moving.webp"])
def test_animations_give_all_frames(tmp_path, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    first, others = Image.fromarray(RGB), [Image.fromarray(RGB[::-1]), Image.fromarray(255 - RGB)]
    try:
        first.save(str(tmp_path / name), save_all=True, append_images=others, **options)
    except TypeError:
        pytest.skip("this Pillow cannot write such a file")
    frames = list(image_files.frames(str(tmp_path / name)))
    assert [frame.number for frame in frames] == [1, 2, 3]
    for frame, expected in zip(frames, (RGB, RGB[::-1], 255 - RGB)):
        assert (frame.rgb == expected).all()


def test_gif(tmp_path):
    shades = [Image.new("L", (8, 6), value) for value in (10, 100, 200)]
    shades[0].save(str(tmp_path / "a.gif"), save_all=True, append_images=shades[1:])
    frames = list(image_files.frames(str(tmp_path / "a.gif")))
    assert [int(frame.rgb.mean()) for frame in frames] == [10, 100, 200]


def test_a_phone_s_second_view_is_no_frame(tmp_path):
    Image.fromarray(RGB).save(str(tmp_path / "a.mpo"), save_all=True, append_images=[Image.fromarray(GREY)])
    os.rename(str(tmp_path / "a.mpo"), str(tmp_path / "a.jpg"))
    assert [frame.number for frame in image_files.frames(str(tmp_path / "a.jpg"))] == [None]


def test_what_is_no_picture_is_named_with_the_reason(tmp_path):
    save(tmp_path / "whole.png", np.kron(RGB, np.ones((20, 20, 1), np.uint8)))
    whole = (tmp_path / "whole.png").read_bytes()
    cases = {"cut.png": whole[:400], "text.png": b"no picture", "empty.png": b"", "clip.mp4": b"\x00\x00\x00\x18ftyp"}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(PipelineError, match=name):
            image_files.read(str(tmp_path / name))
    with pytest.raises(PipelineError, match=r"ffmpeg -i clip\.mp4"):
        image_files.read(str(tmp_path / "clip.mp4"))
    (tmp_path / "c60.xyz").write_bytes(b"a film")
    with pytest.raises(PipelineError, match=r"knows; videos end in \.3gp .*\.mpeg .*: rename or convert it"):
        image_files.read(str(tmp_path / "c60.xyz"))
    with pytest.raises(PipelineError, match="save it with 8 or 16 bits"):
        image_files.read(save(tmp_path / "float.tif", RGB[:, :, 0].astype(np.float32)))
