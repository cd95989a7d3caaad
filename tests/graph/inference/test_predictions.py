"""predict.py: what it writes for pictures of every shape, and what it does with those it cannot use."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import predict
import pytest
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.imaging import depth
from densedepth.inference import forward, onnx_predictor, predictions, predictors
from PIL import Image


def write_pictures(folder):
    random = np.random.RandomState(0)
    os.makedirs(str(folder / "in" / "more"))
    made = {}
    for name, size in (("a.png", (32, 64)), ("b.png", (90, 50)), ("b.bmp", (20, 70)), ("more/a.png", (64, 128))):
        made[name] = random.randint(0, 256, size + (3,)).astype(np.uint8)
        Image.fromarray(made[name]).save(str(folder / "in" / name))
    first, second = (Image.fromarray(made["a.png"][::step]) for step in (1, -1))
    first.save(str(folder / "in" / "x.png"), save_all=True, append_images=[second])
    (folder / "in" / "bad.png").write_bytes(b"no picture")
    os.symlink("nowhere", str(folder / "in" / "broken.png"))
    return made


@pytest.fixture(scope="module")
def predicted(frozen, tmp_path_factory):
    """(folder, {name: rgb}, summary) of one run of the program over a folder with everything in it."""
    folder = tmp_path_factory.mktemp("predict")
    made = write_pictures(folder)
    words = [str(folder / "in"), str(folder / "in" / "more" / "*.png")]
    arguments = ["--model_path", frozen, "--out", str(folder / "out"), "--bs", "2", "--points", "500", "--input"]
    assert predict.main(arguments + words) == 0
    return folder, made, json.loads((folder / "out" / "predictions.json").read_text())


def test_every_picture_has_its_files(predicted):
    folder, _, summary = predicted
    names = ["a", "b.bmp", "b.png", "x/000001", "x/000002", "more/a"]
    assert [entry["name"] for entry in summary["pictures"]] == names
    expected = {"predictions.json"}
    for name in names:
        expected |= {name + end for end in list(predictions.KINDS.values()) + [".json"]}
    found = {
        os.path.relpath(os.path.join(place, name), str(folder / "out"))
        for place, _, files in os.walk(str(folder / "out"))
        for name in files
    }
    assert found == expected


def test_bad_files_are_named_and_stop_nothing(predicted, frozen, tmp_path, capsys):
    folder, _, summary = predicted
    failed, broken = summary["failed"]
    assert failed["path"] == str(folder / "in" / "bad.png")
    assert "no format that Pillow knows" in failed["reason"]
    assert broken["path"] == str(folder / "in" / "broken.png") and "a link to nowhere" in broken["reason"]
    bad = str(folder / "in" / "bad.png")
    assert predict.main(["--model_path", frozen, "--out", str(tmp_path / "out"), "--input", bad]) == 1
    assert "error: none of 1 files could be used, first " + bad in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_depth_is_the_network_s_at_the_picture_s_size(predicted, frozen):
    folder, made, _ = predicted
    with predictors.load(frozen) as predictor:
        images = depth.fit(made["a.png"][None], (32, 64))
        both = [depth.metres(forward.predict(predictor, view, 1)) for view in (images, images[:, :, ::-1])]
    expected = depth.enlarge((both[0] + both[1][:, :, ::-1])[0] / 2, (32, 64))
    metres = np.load(str(folder / "out" / "a_depth.npy"))
    assert metres.dtype == np.float32 and metres.shape == (32, 64)
    np.testing.assert_allclose(metres, expected, rtol=1e-4)
    assert metres.std() > 0.01
    for name, shape in (("b.png", (90, 50)), ("b.bmp", (20, 70)), ("more/a", (64, 128)), ("x/000002", (32, 64))):
        metres = np.load(str(folder / "out" / (name + "_depth.npy")))
        assert metres.shape == shape
        with Image.open(str(folder / "out" / (name + "_depth_mm.png"))) as picture:
            millimetres = np.asarray(picture)
        assert millimetres.max() > 255
        np.testing.assert_allclose(millimetres, metres * 1000, atol=0.51)


def test_frames_of_an_animation_are_predicted_each(predicted):
    folder, _, _ = predicted
    single, first, second = (np.load(str(folder / "out" / (n + "_depth.npy"))) for n in ("a", "x/000001", "x/000002"))
    np.testing.assert_allclose(first, single, rtol=1e-4)
    assert np.abs(second - first).max() > 0.01


def test_side_file_tells_units_and_provenance(predicted, frozen):
    folder, _, _ = predicted
    side = json.loads((folder / "out" / "b.png.json").read_text())
    assert side["source"]["size"] == [90, 50]
    assert side["network"]["path"] == frozen and len(side["network"]["sha256"]) == 64
    assert side["depth"]["unit"].startswith("metres") and 0.1 <= side["depth"]["nearest"] <= side["depth"]["farthest"]
    assert side["files"]["png"] == {
        "name": "b.png_depth_mm.png",
        "holds": "16-bit grey, millimetres; 65535: that or farther",
    }
    assert side["input"]["picture_at"] == {"height": 32, "width": 18, "top": 0, "left": 23}
    assert "assumption" in side["intrinsics"]["source"]
    header = (folder / "out" / "b.png_points.ply").read_bytes().split(b"end_header")[0].decode()
    assert "comment intrinsics: NYU" in header
    # Every third of 90x50 would be 30x17 = 510, above the limit of 500.
    assert "element vertex {}".format(23 * 13) in header


def test_flags(frozen, predicted, tmp_path, capsys):
    folder, _, _ = predicted
    out = tmp_path / "out"
    words = ["--model_path", frozen, "--out", str(out), "--input", str(folder / "in" / "a.png")]
    flags = ["--write", "npy", "ply", "--flip-average", "false", "--intrinsics", "60", "60", "32", "16"]
    assert predict.main(words + flags) == 0
    assert sorted(os.listdir(str(out))) == ["a.json", "a_depth.npy", "a_points.ply", "predictions.json"]
    side = json.loads((out / "a.json").read_text())
    assert side["intrinsics"]["fx"] == 60 and side["intrinsics"]["source"] == "given by --intrinsics"
    both = np.load(str(folder / "out" / "a_depth.npy"))
    assert np.abs(np.load(str(out / "a_depth.npy")) - both).max() > 1e-3
    capsys.readouterr()
    # What is no number is refused in tests/unit/test_ranges.py.
    pixels = ("0", "60", "32", "16")
    assert predict.main(words + ["--intrinsics", *pixels]) == 1
    told = "--intrinsics {} {} {} {}: must be numbers of pixels, focal lengths above 0".format(*pixels)
    assert told in capsys.readouterr().err
    assert predict.main(words + ["--scale", "3", "2"]) == 1
    assert "--scale 3 2: must be metres, 0 <= NEAR < FAR" in capsys.readouterr().err
    assert predict.main(words + ["--size", "64", "64"]) == 1
    assert "takes 32x64 only, not size 64x64" in capsys.readouterr().err
    assert predict.main(words + ["--maxdepth", "10"]) == 1
    assert "--maxdepth 10: must be centimetres, more than 10" in capsys.readouterr().err


def test_limits_are_those_of_the_training_unless_told_otherwise(frozen, predicted, tmp_path, capsys):
    words = ["--model_path", frozen, "--input", str(predicted[0] / "in" / "a.png"), "--out", str(tmp_path / "out")]
    assert predict.main(words + ["--maxdepth", "30", "--write", "npy"]) == 0
    assert "depth is limited to 0.1 to 0.3 m: --maxdepth" in capsys.readouterr().out
    assert np.load(str(tmp_path / "out" / "a_depth.npy")).max() == np.float32(0.3)

    path = str(tmp_path / "model.pb")
    shutil.copyfile(frozen, path)

    def described():
        with predictors.load_frozen(path) as predictor:
            return predictor.describe()

    unknown = (depth.LIMITS_M, "NYU Depth v2's depth range, as no metadata file gives another")
    assert forward.limits(described()) == unknown
    side = dict(files.read_json(frozen + ".json"), depth_range=[50, 8000])
    files.write_json(path + ".json", side)
    assert forward.limits(described()) == ((0.5, 80), "the training's depth range")
    assert forward.limits(described(), 2000) == ((0.5, 20), "--maxdepth")
    files.write_json(path + ".json", dict(side, sha256="2" * 64))
    assert forward.limits(described()) == unknown
    # An ONNX file's side file tells what the frozen graph's told.
    files.write_json(path + ".json", dict(side, source=dict(side["source"], model=None, depth_range=[10, 8000])))
    assert forward.limits(onnx_predictor._source(path)) == ((0.1, 80), "the training's depth range")


def test_panels_of_a_video_have_one_scale(frozen, predicted, tmp_path):
    frames = str(predicted[0] / "in" / "x.png")
    bars = {}
    for name, flags in (("own", []), ("fixed", ["--scale", "1", "9"])):
        words = ["--model_path", frozen, "--write", "panel", "--out", str(tmp_path / name), "--input", frames]
        assert predict.main(words + flags) == 0
        folder = tmp_path / name / "x"
        first, second = (np.asarray(Image.open(str(folder / n))) for n in ("000001_panel.png", "000002_panel.png"))
        # The colour bar and its numbers are the lowest 0.75 inches.
        bars[name] = [panel[-120:] for panel in (first, second)]
        assert (first != second).any()
    np.testing.assert_array_equal(*bars["fixed"])
    assert bars["own"][0].shape == bars["fixed"][0].shape and (bars["own"][0] != bars["fixed"][0]).any()


class Weighed:
    """A network of no weight that knows how many pictures are alive."""

    size, batch = (32, 32), None

    def run(self, images):
        return np.full(images.shape[:1] + (16, 16, 1), 5, np.float32)

    def describe(self):
        return {"kind": "none", "path": "none"}


def weighed(folder, names, kinds=("npy",)):
    """The summary of a prediction of small pictures of these names in `folder`."""
    paths = [str(folder / name) for name in names]
    for path in paths:
        if not os.path.exists(path):
            Image.new("RGB", (8, 6), "red").save(path, format="PNG")
    options = predictions.Options(2, list(kinds), False, None, None, 100, depth.LIMITS_M, None)
    return predictions.predict(Weighed(), paths, str(folder / "out"), options)


def test_a_name_that_is_not_utf8_is_made_printable(tmp_path):
    names = [os.fsdecode(name) for name in (b"a\xff.png", b"b\xff.png", "\u4e2d.png".encode())]
    for name in names:
        Image.new("RGB", (8, 6), "red").save(str(tmp_path / name))
    (tmp_path / names[1]).write_bytes(b"no picture")
    for _ in range(2):
        _, summary = again(tmp_path, names, kinds=["npy", "panel"])
        assert [entry["name"] for entry in summary["pictures"]] == ["a\\xff", "\u4e2d"]
        assert summary["failed"][0]["path"] == str(tmp_path / "b\\xff.png")
        assert str(tmp_path / "b\\xff.png") in summary["failed"][0]["reason"]
    assert summary["taken_over"] == 2
    found = [os.fsencode(name) for name in os.listdir(str(tmp_path / "out"))]
    assert b"a\xff_panel.png" in found and b"a\xff.json" in found
    side = json.loads((tmp_path / "out" / os.fsdecode(b"a\xff.json")).read_text())
    assert side["source"]["path"] == str(tmp_path / "a\\xff.png")
    assert side["files"]["npy"]["name"] == "a\\xff_depth.npy"
    json.dumps([side, summary], ensure_ascii=False).encode("utf-8")


def test_a_name_that_is_too_long_stops_nothing(tmp_path):
    long = "x" * 246 + ".png"
    summary = weighed(tmp_path, ["a.png", long, "b.png"])
    assert [entry["name"] for entry in summary["pictures"]] == ["a", "b"]
    path = str(tmp_path / long)
    reason = "{}: its results cannot be written (File name too long)".format(path)
    assert summary["failed"] == [{"path": path, "reason": reason}]
    assert json.loads((tmp_path / "out" / "predictions.json").read_text()) == summary


class Known(Weighed):
    """As `Weighed`, told by a checksum; counts the pictures it has seen."""

    def __init__(self, sha256="1" * 64):
        self.sha256, self.seen = sha256, 0

    def run(self, images):
        self.seen += len(images)
        return super().run(images)

    def describe(self):
        return {"kind": "none", "path": "none", "sha256": self.sha256}


def again(folder, names, network=None, **changes):
    """(pictures that the network saw, summary) of a prediction of `names` in `folder`, one a batch."""
    network = network or Known()
    options = predictions.Options(1, ["npy", "png"], False, None, None, 100, depth.LIMITS_M, None)
    paths = [str(folder / name) for name in names]
    summary = predictions.predict(network, paths, str(folder / "out"), dataclasses.replace(options, **changes))
    return network.seen, summary


def shades(path, values):
    """An animation, or one picture, of grey."""
    first, *others = [Image.new("L", (8, 6), value) for value in values]
    first.save(str(path), save_all=True, append_images=others)


def test_an_interrupted_prediction_goes_on(tmp_path, monkeypatch):
    names = ["a.gif", "b.gif", "c.gif"]
    for name, values in zip(names, ([1], [10, 100, 200], [2])):
        shades(tmp_path / name, values)
    write = predictions._write_millimetres

    def interrupted(path, metres):
        if path.endswith("000002_depth_mm.png"):
            raise KeyboardInterrupt
        write(path, metres)

    monkeypatch.setattr(predictions, "_write_millimetres", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(tmp_path, names)
    assert not (tmp_path / "out" / "predictions.json").exists()
    # Half of the frame is there and nothing that vouches for it.
    assert sorted(os.listdir(str(tmp_path / "out" / "b"))) == [
        "000001.json",
        "000001_depth.npy",
        "000001_depth_mm.png",
        "000002_depth.npy",
    ]
    monkeypatch.setattr(predictions, "_write_millimetres", write)
    seen, summary = again(tmp_path, names)
    assert (seen, summary["taken_over"]) == (3, 2)
    assert [entry["name"] for entry in summary["pictures"]] == ["a", "b/000001", "b/000002", "b/000003", "c"]
    whole, everything = again(tmp_path, names)
    assert (whole, everything["taken_over"]) == (0, 5)
    assert everything["pictures"] == summary["pictures"]


def test_only_what_was_made_in_the_same_way_is_taken_over(tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 6), "red").save(str(tmp_path / name))
    names = ["a.png", "b.png"]
    assert again(tmp_path, names)[0] == 2
    assert again(tmp_path, names, batch_size=2)[0] == 0
    for changes in (
        {"flip_average": True},
        {"limits": (0.1, 5.0)},
        {"scale": [1, 2]},
        {"points": 5},
        {"kinds": ["npy"]},
    ):
        assert again(tmp_path, names, **changes)[0] == 2 * (1 + changes.get("flip_average", False)), changes
        assert again(tmp_path, names, **changes)[0] == 0
    assert again(tmp_path, names, Known("2" * 64))[0] == 2
    # A network that no checksum tells is any network.
    assert again(tmp_path, names, Known(None))[0] == again(tmp_path, names, Known(None))[0] == 2
    assert again(tmp_path, names)[0] == 2
    Image.new("RGB", (8, 6), "blue").save(str(tmp_path / "a.png"))
    assert again(tmp_path, names)[0] == 1
    os.remove(str(tmp_path / "out" / "b_depth_mm.png"))
    assert again(tmp_path, names)[0] == 1
    monkeypatch.setattr(predictions.runtime, "describe", lambda: {"numpy": "0.1"})
    assert again(tmp_path, names)[0] == 2


def test_the_program_says_what_it_has_taken_over(frozen, predicted, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["--model_path", frozen, "--out", str(out), "--write", "npy", "--scale", "1", "9"]
    words += ["--intrinsics", "60", "60", "32", "16", "--input", str(predicted[0] / "in" / "a.png")]
    assert predict.main(words) == 0
    assert "were there" not in capsys.readouterr().out
    times = [os.stat(str(out / name)).st_mtime_ns for name in ("a.json", "a_depth.npy")]
    assert predict.main(words) == 0
    assert "1 of them are from an earlier run with the same options; remove " in capsys.readouterr().out
    assert times == [os.stat(str(out / name)).st_mtime_ns for name in ("a.json", "a_depth.npy")]


def test_nothing_stays_of_a_picture_that_fails(tmp_path, monkeypatch):
    names = ["a.png", "b.gif", "c.png"]
    for name, values in zip(names, ([1], [10, 100, 200], [2])):
        shades(tmp_path / name, values)
    out = tmp_path / "out"

    def left():
        return sorted(
            os.path.relpath(os.path.join(place, name), str(out))
            for place, _, found in os.walk(str(out))
            for name in found
        )

    def results(*pictures):
        ends = (".json", "_depth.npy", "_depth_mm.png")
        return sorted([picture + end for picture in pictures for end in ends] + ["predictions.json"])

    again(tmp_path, names)
    assert left() == results("a", "b/000001", "b/000002", "b/000003", "c")
    # What others have put there stays.
    (out / "d.json").write_text("{}")
    (out / "d_depth.npy").write_bytes(b"mine")
    for name in ("a.png", "d.png"):
        (tmp_path / name).write_bytes(b"no picture")
    shades(tmp_path / "b.gif", [10, 100])
    _, summary = again(tmp_path, names + ["d.png"])
    assert [os.path.basename(entry["path"]) for entry in summary["failed"]] == ["a.png", "d.png"]
    assert left() == sorted(results("b/000001", "b/000002", "c") + ["d.json", "d_depth.npy"])
    # So does what was made of another file that was called so.
    (tmp_path / "c.bmp").write_bytes(b"no picture")
    again(tmp_path, ["b.gif", "c.bmp"])
    assert left() == sorted(results("b/000001", "b/000002", "c") + ["d.json", "d_depth.npy"])

    def failing(path, metres):
        raise ValueError("no such colour")

    monkeypatch.setattr(predictions, "_write_millimetres", failing)
    Image.new("RGB", (9, 6)).save(str(tmp_path / "c.png"))
    again(tmp_path, ["b.gif", "c.png"])
    assert left() == sorted(results("b/000001", "b/000002") + ["d.json", "d_depth.npy"])

    class Broken(Known):
        def run(self, images):
            return super().run(images) * np.nan

    with pytest.raises(PipelineError, match="none of 1 files"):
        again(tmp_path, ["b.gif"], Broken("3" * 64))
    assert left() == ["d.json", "d_depth.npy"]


def test_what_cannot_be_drawn_stops_nothing_and_a_full_disk_does(tmp_path, monkeypatch):
    draw = predictions.visualize.draw_panel

    def fail(error):
        def draw_panel(path, tiles, scale):
            if path.endswith("b_panel.png"):
                raise error
            draw(path, tiles, scale)

        monkeypatch.setattr(predictions.visualize, "draw_panel", draw_panel)
        return weighed(tmp_path, ["a.png", "b.png", "c.png"], ["panel"])

    for error, words in ((ValueError("singular\nmatrix"), "singular"), (MemoryError(), "MemoryError")):
        summary = fail(error)
        assert [entry["name"] for entry in summary["pictures"]] == ["a", "c"]
        assert summary["failed"][0]["reason"].endswith("b.png: its results cannot be written ({})".format(words))
    for error in (OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Permission denied")):
        with pytest.raises(OSError, match=error.strerror):
            fail(error)
    with pytest.raises(ImportError):
        fail(ImportError("no matplotlib"))


def test_a_full_disk_is_noticed_where_arrays_are_written(tmp_path):
    """With a limit on the size of a file, the system refuses to write on, and NumPy alone would not say why."""
    code = (
        "import resource, signal, sys\nimport numpy as np\nfrom densedepth.inference import predictions\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n    predictions._write_npy(sys.argv[1], np.zeros((100, 100), np.float32))\n"
        "except OSError as error:\n    sys.exit(error.errno)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.npy")]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    assert subprocess.run(command, env=environment).returncode == errno.EFBIG


def test_results_where_a_file_is_end_the_run(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileExistsError):
        weighed(tmp_path, ["a.png"])
    assert (tmp_path / "out").read_text() == "mine"


def test_a_picture_that_vanishes_stops_nothing(tmp_path, monkeypatch):
    digest = files.sha256

    def gone(path):
        if path.endswith("b.png"):
            os.remove(path)
        return digest(path)

    monkeypatch.setattr(predictions.files, "sha256", gone)
    summary = weighed(tmp_path, ["a.png", "b.png", "c.png"])
    assert [entry["name"] for entry in summary["pictures"]] == ["a", "c"]
    assert summary["failed"][0]["reason"].endswith("b.png: cannot be read (No such file or directory)")


def test_the_checksum_of_many_frames_is_taken_once(tmp_path, monkeypatch):
    shades = [Image.new("L", (8, 6), value) for value in (10, 100, 200)]
    shades[0].save(str(tmp_path / "a.gif"), save_all=True, append_images=shades[1:])
    digest, calls = files.sha256, []
    monkeypatch.setattr(predictions.files, "sha256", lambda path: calls.append(path) or digest(path))
    summary = weighed(tmp_path, ["a.gif"])
    assert len(summary["pictures"]) == 3 and len(calls) == 1
    side = json.loads((tmp_path / "out" / "a" / "000003.json").read_text())
    assert side["source"]["sha256"] == digest(str(tmp_path / "a.gif"))


def test_a_picture_called_as_the_summary_leaves_it_alone(tmp_path):
    summary = weighed(tmp_path, ["predictions.png", "predictions"])
    assert [entry["name"] for entry in summary["pictures"]] == ["predictions.png"]
    (failed,) = summary["failed"]
    assert failed["reason"].endswith("predictions: other results are called predictions; rename it")
    assert json.loads((tmp_path / "out" / "predictions.json").read_text()) == summary
    assert (tmp_path / "out" / "predictions.png.json").exists()


def test_memory_is_that_of_a_few_batches(tmp_path, monkeypatch):
    alive, most = [0], [0]

    class Picture(np.ndarray):
        def __del__(self):
            if self.base is None:
                alive[0] -= 1

    def frames(path):
        alive[0] += 1
        most[0] = max(most[0], alive[0])
        rgb = np.ndarray.__new__(Picture, (8, 8, 3), np.uint8)
        rgb[:] = 0
        yield predictions.image_files.Frame(None, rgb, [])

    (tmp_path / "x.png").write_bytes(b"")
    monkeypatch.setattr(predictions.image_files, "frames", frames)
    monkeypatch.setattr(predictions.files, "sha256", lambda path: "0" * 64)
    options = predictions.Options(2, ["npy"], False, None, None, 100, depth.LIMITS_M, None)
    paths = [str(tmp_path / "{}.png".format(i)) for i in range(40)]
    summary = predictions.predict(Weighed(), paths, str(tmp_path / "out"), options)
    assert len(summary["pictures"]) == 40
    # A batch of two each: being read, waiting, in the network, being written.
    assert 2 <= most[0] <= 10


def test_names_never_clash():
    paths = ["d/a.png", "d/a.jpg", "d/b.png", "d/e/a.png", "d/a.png.gif"]
    assert predictions.names(paths) == {
        "d/a.png": "a.png",
        "d/a.jpg": "a.jpg",
        "d/b.png": "b",
        "d/e/a.png": "e/a",
        "d/a.png.gif": "a.png.gif",
    }
    assert predictions.names(["/x/1.png"]) == {"/x/1.png": "1"}


def test_a_network_of_any_size_wants_one(tmp_path):
    network = Weighed()
    network.size = None
    options = predictions.Options(1, ["npy"], False, None, None, 100, depth.LIMITS_M, None)
    with pytest.raises(PipelineError, match=r"none: takes any size; choose one .--size"):
        predictions.predict(network, ["a.png"], str(tmp_path), options)


@pytest.mark.parametrize("name, made", [("nosuch.pb", "ckpt2pb.py"), ("nosuch", "train.py")])
def test_a_network_that_is_not_there_is_told_with_how_it_is_made(tmp_path, capsys, name, made):
    Image.new("RGB", (64, 32)).save(str(tmp_path / "a.png"))
    words = ["--input", str(tmp_path / "a.png"), "--model_path", str(tmp_path / name), "--out", str(tmp_path / "out")]
    assert predict.main(words) == 1
    said = capsys.readouterr().err
    assert name + ": no such file or folder" in said and made in said and len(said.splitlines()) == 1


@pytest.mark.parametrize("centre, warned", [(["32", "16"], 0), (["320", "16"], 1), (["32", "-1"], 1)])
def test_a_principal_point_outside_the_picture_is_warned_of_once(frozen, tmp_path, capsys, centre, warned):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (64, 32)).save(str(tmp_path / name))
    words = ["--input", str(tmp_path), "--model_path", frozen, "--out", str(tmp_path / "out"), "--write", "ply"]
    assert predict.main(words + ["--intrinsics", "60", "60"] + centre) == 0
    assert capsys.readouterr().out.count("lies outside the picture of 64x32 pixels") == warned
