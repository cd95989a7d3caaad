"""predict.py on a network: what it writes for pictures of every shape, and what it says."""

import json
import os
import shutil

import numpy as np
import predict
import pytest
from densedepth import files
from densedepth.imaging import depth
from densedepth.inference import exported, forward, prediction_files, predictors
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
    arguments = ["--model_path", frozen, "--out", str(folder / "out"), "--bs", "2", "--points", "500"]
    arguments += ["--write", *prediction_files.KINDS, "--input"]
    assert predict.main(arguments + words) == 0
    return folder, made, json.loads((folder / "out" / "predictions.json").read_text())


def test_every_picture_has_its_files(predicted):
    folder, _, summary = predicted
    names = ["a", "b.bmp", "b.png", "x/000001", "x/000002", "more/a"]
    assert [entry["name"] for entry in summary["pictures"]] == names
    expected = {"predictions.json"}
    for name in names:
        expected |= {name + end for end in list(prediction_files.KINDS.values()) + [".json"]}
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
    assert "error: no file could be used: " + bad in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    flags = ["--model_path", frozen, "--out", str(tmp_path / "out"), "--input", bad, str(folder / "in" / "a.png")]
    assert predict.main(flags) == 0 and "\n1 of 2 files could not be used:\n" in capsys.readouterr().out


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
    assert forward.limits(exported.source("onnx", path)) == ((0.1, 80), "the training's depth range")


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


def test_the_program_says_what_it_has_taken_over(frozen, predicted, tmp_path, capsys):
    out = tmp_path / "out"
    words = ["--model_path", frozen, "--out", str(out), "--write", "npy", "--scale", "1", "9"]
    words += ["--intrinsics", "60", "60", "32", "16", "--input", str(predicted[0] / "in" / "a.png")]
    assert predict.main(words) == 0
    assert "were there" not in capsys.readouterr().out
    times = [os.stat(str(out / name)).st_mtime_ns for name in ("a.json", "a_depth.npy")]
    assert predict.main(words) == 0
    assert "1 of them are from an earlier run with the same options; give another --out " in capsys.readouterr().out
    assert times == [os.stat(str(out / name)).st_mtime_ns for name in ("a.json", "a_depth.npy")]


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
    assert capsys.readouterr().out.count("lies outside the image of 64x32 pixels") == warned


def test_results_among_the_images_are_not_taken_for_images(frozen, predicted, tmp_path, capsys):
    folder = tmp_path / "my photos"
    folder.mkdir()
    shutil.copy(str(predicted[0] / "in" / "a.png"), str(folder))
    shutil.copy(str(predicted[0] / "in" / "a.png"), str(folder / "b_panel.png"))
    words = ["--model_path", frozen, "--out", str(folder), "--write", "png", "panel", "colour"]
    told, names = [], []
    for word in (folder, folder, folder / "*.png"):
        assert predict.main([*words, "--input", str(word)]) == 0
        told.append(capsys.readouterr().out)
        names.append(sorted(os.listdir(str(folder))))
    assert names[0] == names[1] == names[2] and len(names[0]) == 11
    assert "2 images of 2 files" in told[0] and "2 images of 2 files" in told[2]
    assert "left out are 8 results of predict.py" in told[1] and "remove" not in told[1]
    # One that is named is what was asked for.
    assert predict.main([*words, "--input", str(folder / "a_panel.png")]) == 0
    said = capsys.readouterr().out
    assert "warning: {}: is itself a result of predict.py".format(folder / "a_panel.png") in said
    assert "1 images of 1 files" in said and (folder / "a_panel_depth_mm.png").exists()


@pytest.mark.parametrize(
    "out, words",
    [
        ("file.txt", "--out {0}/file.txt: is a file; give another folder"),
        ("file.txt/x", "--out {0}/file.txt/x: {0}/file.txt is a file; give another folder"),
        ("link", "--out {0}/link: is a link to what is not there; give another folder"),
    ],
)
def test_an_out_that_cannot_be_a_folder_is_told_before_the_network_is_loaded(predicted, tmp_path, capsys, out, words):
    (tmp_path / "file.txt").write_text("mine")
    os.symlink("nowhere", str(tmp_path / "link"))
    photo = str(predicted[0] / "in" / "a.png")
    assert predict.main(["--model_path", "no.pb", "--input", photo, "--out", str(tmp_path / out)]) == 1
    assert capsys.readouterr().err.endswith(words.format(tmp_path) + "\n")
