"""Predictions without a network to wait for: names, faults, interruptions, memory."""

import dataclasses
import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.imaging import depth
from densedepth.inference import predictions
from PIL import Image


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
    write = predictions.prediction_files.write_millimetres

    def interrupted(path, metres):
        if path.endswith("000002_depth_mm.png"):
            raise KeyboardInterrupt
        write(path, metres)

    monkeypatch.setattr(predictions.prediction_files, "write_millimetres", interrupted)
    with pytest.raises(KeyboardInterrupt):
        again(tmp_path, names)
    assert not (tmp_path / "out" / "predictions.json").exists()
    # Half of the frame is there, nothing that vouches for it, and what tells whose it is.
    assert sorted(os.listdir(str(tmp_path / "out" / "b"))) == [
        ".000002.unfinished",
        "000001.json",
        "000001_depth.npy",
        "000001_depth_mm.png",
        "000002_depth.npy",
    ]
    monkeypatch.setattr(predictions.prediction_files, "write_millimetres", write)
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

    monkeypatch.setattr(predictions.prediction_files, "write_millimetres", failing)
    Image.new("RGB", (9, 6)).save(str(tmp_path / "c.png"))
    again(tmp_path, ["b.gif", "c.png"])
    assert left() == sorted(results("b/000001", "b/000002") + ["d.json", "d_depth.npy"])

    class Broken(Known):
        def run(self, images):
            return super().run(images) * np.nan

    with pytest.raises(PipelineError, match="no file could be used"):
        again(tmp_path, ["b.gif"], Broken("3" * 64))
    assert left() == ["d.json", "d_depth.npy"]


@pytest.mark.parametrize("name", ["a.json", "a_depth.npy", "b/000002_depth_mm.png"])
def test_what_predict_py_has_not_made_is_not_replaced(tmp_path, name):
    """Neither what lies there before the first run, nor what the user puts beside its results."""
    shades(tmp_path / "a.png", [1])
    shades(tmp_path / "b.gif", [10, 100])
    out = tmp_path / "out"
    (out / "b").mkdir(parents=True)
    mine, stem = out / name, name.rsplit("_depth")[0].replace(".json", "")
    mine.write_text('{"mine": 1}')
    for _ in range(2):
        _, summary = again(tmp_path, ["a.png", "b.gif"])
        (failed,) = summary["failed"]
        told = "{}: is not of predict.py; rename it, or give another --out".format(mine)
        assert failed["reason"] == told and mine.read_text() == '{"mine": 1}'
        assert stem not in [entry["name"] for entry in summary["pictures"]]
        assert not list(out.glob("**/.*"))


def test_what_is_put_beside_results_stays_and_earlier_kinds_are_known(tmp_path):
    shades(tmp_path / "a.png", [1])
    out = tmp_path / "out"
    again(tmp_path, ["a.png"], kinds=["npy"])
    (out / "a_panel.png").write_text("mine")
    with pytest.raises(PipelineError, match=r"no file could be used: .*a_panel.png: is not of predict"):
        again(tmp_path, ["a.png"], kinds=["npy", "panel"])
    assert (out / "a_panel.png").read_text() == "mine" and (out / "a_depth.npy").exists()
    # Of two runs that write one kind each, both are known to be ours.
    for kind in ("png", "npy", "png", "npy"):
        assert again(tmp_path, ["a.png"], kinds=[kind])[1]["failed"] == []
    assert json.loads((out / "a.json").read_text())["earlier_files"] == ["a_depth_mm.png"]
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(PipelineError, match="no format that Pillow knows"):
        again(tmp_path, ["a.png"])
    assert os.listdir(str(out)) == ["a_panel.png"]


def test_results_of_another_file_and_another_s_summary_are_not_replaced(tmp_path):
    for place, value in (("one", 1), ("two", 2)):
        (tmp_path / place).mkdir()
        shades(tmp_path / place / "a.png", [value])
    again(tmp_path, ["one/a.png"])
    side, summary = ((tmp_path / "out" / name).read_text() for name in ("a.json", "predictions.json"))
    with pytest.raises(PipelineError, match=r"a.json: is of .*one/a.png; remove the results of that"):
        again(tmp_path, ["two/a.png"])
    assert (tmp_path / "out" / "a.json").read_text() == side
    assert (tmp_path / "out" / "predictions.json").read_text() == summary
    os.replace(str(tmp_path / "one" / "a.png"), str(tmp_path / "two" / "a.png"))
    assert again(tmp_path, ["two/a.png"])[0] == 1
    (tmp_path / "out" / "predictions.json").write_text("[]")
    with pytest.raises(PipelineError, match=r"predictions.json: is not of predict.py; rename it"):
        again(tmp_path, ["two/a.png"])
    assert (tmp_path / "out" / "predictions.json").read_text() == "[]"


def test_what_cannot_be_drawn_stops_nothing_and_a_full_disk_does(tmp_path, monkeypatch):
    draw = predictions.panels.write_panel

    def fail(error):
        def write_panel(path, *what):
            if path.endswith("b_panel.png"):
                raise error
            draw(path, *what)

        monkeypatch.setattr(predictions.panels, "write_panel", write_panel)
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
        "import resource, signal, sys\nimport numpy as np\nfrom densedepth.inference import prediction_files\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try:\n    prediction_files.write_npy(sys.argv[1], np.zeros((100, 100), np.float32))\n"
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
