"""predict.py on videos: what it writes, what it says, and what it refuses. ffmpeg makes the clips."""

import json
import os
import shutil
import subprocess

import numpy as np
import predict
import pytest
from densedepth import file_names
from densedepth.errors import PipelineError
from densedepth.imaging import depth, panels
from densedepth.inference import forward, predictors, video_files

pytest.importorskip("imageio_ffmpeg")


def ffmpeg(*words):
    subprocess.run([video_files._ffmpeg(), "-v", "error", "-y", *map(str, words)], check=True)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder of clips: seven frames of 64x32, still in its left half; the same turned, of odd size, cut, damaged."""
    folder = tmp_path_factory.mktemp("clips")
    random = np.random.RandomState(0)
    first = random.randint(0, 256, (4, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    frames = [first.copy() for _ in range(7)]
    for number, frame in enumerate(frames):
        frame[:, 32:] = np.roll(first[:, 32:], 8 * number, 0)
        frame[:, :32] ^= np.uint8(2 * (number % 2))
    (folder / "raw").write_bytes(b"".join(frame.tobytes() for frame in frames))
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x32", "-r", "30000/1001", "-i", folder / "raw")
    ffmpeg(*source, "-c:v", "libx264rgb", "-qp", 0, "-g", 2, folder / "a.mkv")
    ffmpeg(*source, "-c:v", "libx264", "-qp", 1, "-g", 2, folder / "plain.mp4")
    # The matrix of a turn by 90 degrees, where ffmpeg 4 and 7 have no flag in common.
    whole = (folder / "plain.mp4").read_bytes()
    one, turned = (b"".join(n.to_bytes(4, "big", signed=True) for n in m) for m in (_matrix(1, 0), _matrix(0, 1)))
    place = whole.index(one, whole.index(b"tkhd"))
    (folder / "turned.mp4").write_bytes(whole[:place] + turned + whole[place + len(one) :])
    ffmpeg(*source, "-vf", "scale=63:31", "-c:v", "ffv1", folder / "odd.mkv")
    for size in ("64x32", "32x32"):
        ffmpeg("-f", "lavfi", "-i", "testsrc=s={}:r=5:d=1".format(size), "-c:v", "libx264", folder / (size + ".h264"))
    both = [(folder / (size + ".h264")).read_bytes() for size in ("64x32", "32x32")]
    (folder / "both.h264").write_bytes(both[0] + both[1])
    ffmpeg("-r", 5, "-i", folder / "both.h264", "-c", "copy", folder / "sizes.mp4")
    ffmpeg("-f", "lavfi", "-i", "sine=d=0.1", folder / "sound.m4v")
    (folder / "cut.mp4").write_bytes(whole[:-300])
    middle = whole.index(b"mdat") + 1500
    (folder / "damaged.mp4").write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x48:d=0", "-c:v", "ffv1", folder / "frameless.avi")
    ffmpeg("-i", folder / "plain.mp4", "-frames:v", 1, "-c:v", "libx264", folder / "one.mp4")
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=64x32:r=25:d=2", "-c:v", "ffv1", folder / "long.mkv")
    whole = (folder / "long.mkv").read_bytes()
    (folder / "short.mkv").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("no video")
    return folder


def _matrix(a, b):
    return (a << 16, b << 16, 0, -b << 16, a << 16, 0, (32 * b) << 16, 0, 1 << 30)


def call(frozen, words, *flags):
    return predict.main(["--model_path", frozen, "--bs", "3", *map(str, flags), "--input", *map(str, words)])


def read(path):
    clip = video_files.describe(str(path))
    return clip, list(video_files.frames(str(path), clip))


@pytest.fixture(scope="module")
def predicted(frozen, clips, tmp_path_factory):
    """A folder with `plain.mp4`, the depth of a.mkv, and `smooth.mp4` of half the past."""
    folder = tmp_path_factory.mktemp("predicted")
    assert call(frozen, [clips / "a.mkv"], "--out", folder / "plain.mp4") == 0
    assert call(frozen, [clips / "a.mkv"], "--out", folder / "smooth.mp4", "--smooth", 0.5) == 0
    return folder


def test_size_rate_and_colours_are_those_of_the_frames_depth(predicted, frozen, clips):
    clip, frames = read(clips / "a.mkv")
    made, shown = read(predicted / "plain.mp4")
    assert len(frames) == len(shown) == 7 and made[:3] == clip[:3] and str(clip.rate) == "30000/1001"
    with predictors.load(frozen) as predictor:
        maps = forward.predict_depth(predictor, np.stack(frames), 3, (0, 31, 0, 63))
    expected = [panels.coloured(one, *depth.LIMITS_M, colours="viridis") for one in maps]
    # Half the resolution of colours, and x264's losses.
    assert np.abs(np.stack(shown).astype(float) - expected).mean() < 6
    side = json.loads((predicted / "plain.json").read_text())
    assert side["source"]["frames"] == 7 and side["source"]["frames_per_second"] == "30000/1001"
    assert side["colours"]["ends"] == [0.1, 10.0] and side["network"]["path"] == frozen
    flicker = side["flicker"]
    assert flicker["depth"] == flicker["before_smoothing"] > 0 and 0.4 < flicker["share_of_pixels"] < 0.7
    assert sorted(os.listdir(str(predicted))) == ["plain.json", "plain.mp4", "smooth.json", "smooth.mp4"]


def test_smoothing_takes_flicker(predicted):
    plain, smooth = (json.loads((predicted / name).read_text())["flicker"] for name in ("plain.json", "smooth.json"))
    assert smooth["before_smoothing"] == plain["depth"] and smooth["depth"] < 0.7 * plain["depth"]


def test_a_folder_takes_images_and_videos_and_resumes(frozen, clips, tmp_path, capsys):
    words = [clips / "turned.mp4", clips / "odd.mkv", clips / "empty.mp4"]
    flags = ["--out", tmp_path / "out", "--write", "panel", "--scale", 1, 3, "--flip_average", "false"]
    assert call(frozen, words, *flags) == 0
    ends = [name + end for name in ("odd", "turned") for end in (".json", "_depth.mp4")]
    assert sorted(os.listdir(str(tmp_path / "out"))) == sorted(ends + ["predictions.json"])
    turned = json.loads((tmp_path / "out" / "turned.json").read_text())
    assert turned["source"]["size"] == [64, 32] and turned["colours"]["ends"] == [1, 3]
    assert len(read(tmp_path / "out" / "odd_depth.mp4")[1]) == 7
    summary = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [one["name"] for one in summary["pictures"]] == ["turned", "odd"]
    assert "empty.mp4: is empty" in summary["failed"][0]["reason"]
    capsys.readouterr()
    assert call(frozen, words, *flags) == 0
    assert "2 of them are from an earlier run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sound.m4v", "sound.m4v: has no video in it"),
        ("empty.mp4", "empty.mp4: is empty"),
        ("gone.mp4", "gone.mp4: not a video that can be read (No such file or directory)"),
        ("frameless.avi", "frameless.avi: a video without a frame that can be read ("),
        ("text.mp4", "text.mp4: not a video that can be read (Invalid data found when processing input); play it, or"),
        ("cut.mp4", "processing input); play it, or convert it: ffmpeg -i cut.mp4 out.mp4"),
        ("damaged.mp4", "damaged.mp4: damaged after "),
        ("sizes.mp4", "sizes.mp4: its frames change from 64x32 to 32x32; make them one size: ffmpeg -i sizes.mp4"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(clips, tmp_path, name, told):
    with pytest.raises(PipelineError) as failure:
        clip = video_files.describe(str(clips / name))
        with video_files.writer(str(tmp_path / "out.mp4"), clip.size, clip) as add:
            for frame in video_files.frames(str(clips / name), clip):
                add(frame)
    assert told in str(failure.value) and "\n" not in str(failure.value)
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("end", file_names.VIDEOS)
def test_every_end_of_a_video_is_read(tmp_path, end):
    path = tmp_path / ("a" + end)
    ffmpeg("-f", "lavfi", "-i", "testsrc=s=176x144:r=25:d=0.2", path)
    assert len(read(path)[1]) == 5


def test_outputs_that_cannot_be(frozen, clips, tmp_path, capsys):
    clip = clips / "a.mkv"
    assert call(frozen, [clip], "--out", "x.wmv") == 1
    assert "--out x.wmv: videos are written as .mp4, .mov, .mkv only" in capsys.readouterr().err
    assert call(frozen, [clip, clip.parent / "odd.mkv"], "--out", "x.mp4") == 1
    assert "--out x.mp4: a video is made of one video" in capsys.readouterr().err
    assert call(frozen, [clip], "--out", clip) == 1
    assert "would replace what is read" in capsys.readouterr().err
    (tmp_path / "photo.jpg").touch()
    assert call(frozen, [tmp_path / "photo.jpg"], "--out", tmp_path / "x.mp4") == 1
    told = capsys.readouterr().err
    assert "photo.jpg: its name is not that of a video (.3gp .avi" in told and "give a folder as --out" in told


def test_a_folder_of_videos_alone(frozen, clips, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(str(clips / "odd.mkv"), str(tmp_path / "in"))
    assert call(frozen, [tmp_path / "in"], "--out", tmp_path / "out") == 0
    assert sorted(os.listdir(str(tmp_path / "out"))) == ["odd.json", "odd_depth.mp4", "predictions.json"]


def test_a_video_that_ends_early_is_told_and_noted(frozen, clips, tmp_path, capsys):
    assert call(frozen, [clips / "short.mkv"], "--out", tmp_path / "x.mp4") == 0
    source = json.loads((tmp_path / "x.json").read_text())["source"]
    assert source["ended_early"] is True and source["frames"] < 40 and source["frames_by_duration"] == 50
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning:")]
    assert "short.mkv: ended after {} frames, by its duration it has 50".format(source["frames"]) in line


def test_a_single_frame_has_no_flicker_and_no_array(frozen, clips, tmp_path, capsys):
    assert call(frozen, [clips / "one.mp4"], "--out", tmp_path / "x.mp4", "--write", "npy", "png", "panel") == 0
    told = capsys.readouterr().out
    assert "no flicker, as it has a single frame" in told and "warning:" not in told
    assert "--write npy png: of a video not written, only the colours" in told
    assert json.loads((tmp_path / "x.json").read_text())["source"]["ended_early"] is False
    assert call(frozen, [clips / "one.mp4"], "--out", tmp_path / "x.mp4") == 0
    assert "--write npy" not in capsys.readouterr().out


def test_the_default_is_told_once():
    assert " ".join(predict.build_parser().format_help().split()).count("default: npy") == 1
    assert "['npy']" not in predict.build_parser().format_help()


def test_a_refused_video_leaves_the_old_files(frozen, clips, tmp_path, capsys):
    out, side = tmp_path / "x.mp4", tmp_path / "x.json"
    assert call(frozen, [clips / "a.mkv"], "--out", out) == 0
    ours = out.read_bytes(), side.read_bytes()
    for name in ("text.mp4", "damaged.mp4"):
        assert call(frozen, [clips / name], "--out", out) == 1
        assert (out.read_bytes(), side.read_bytes()) == ours
    side.write_text('{"mine": 1}')
    capsys.readouterr()
    assert call(frozen, [clips / "a.mkv"], "--out", out) == 1
    assert "{}: is not of predict.py; rename it, or give another --out".format(side) in capsys.readouterr().err
    assert side.read_text() == '{"mine": 1}' and out.read_bytes() == ours[0]
    side.unlink()
    assert call(frozen, [clips / "a.mkv"], "--out", out) == 1
    assert "{}: is not of predict.py; rename it, or give another --out".format(out) in capsys.readouterr().err
    assert out.read_bytes() == ours[0] and sorted(os.listdir(str(tmp_path))) == ["x.mp4"]


def test_ffmpeg_is_missing(clips, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "imageio_ffmpeg", None)
    with pytest.raises(PipelineError, match="videos need ffmpeg, which is not there; pip install imageio-ffmpeg"):
        video_files.describe(str(clips / "a.mkv"))
