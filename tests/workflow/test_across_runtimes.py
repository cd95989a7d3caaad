"""What one runtime writes, the other takes up: checkpoints, states of a run that was cut, frozen graphs, SavedModels.

Both runtimes train from the same weights, as long as it takes to have all of these; then each takes up the other's.
"""

import json
import shutil
import subprocess
import types

import numpy as np
import pytest
from conftest import REPOSITORY, copy, runtime_python

RUNTIMES = ("tf1", "tf2")
OTHER = {"tf1": "tf2", "tf2": "tf1"}
SIZE = (64, 96)
STEPS = 3
CUT = 4
START = ("--weights", "weights")

# Weights to start from, of which the depths lie well within their range.
WEIGHTS_PROGRAM = """
import sys
sys.path[:0] = sys.argv[1:3]
import tiny
tiny.write_checkpoint(sys.argv[3], size=({}, {}))
""".format(*SIZE)

# argv: scripts, folder to work in, a list of [program, words] to run one after the other, names of networks, and a file
# for their outputs for images.npy. The program "watched" is train.py, whose files after so many steps, as a power cut
# would leave them, are kept in the folder `cut` beside them.
PROGRAM = """
import importlib, json, os, shutil, sys
sys.path.insert(0, sys.argv[1])
os.chdir(sys.argv[2])
import numpy as np
from densedepth.inference import predictors
from densedepth.training import loop

step = loop._Loop._step

def watched_step(self):
    if self._position == {}:
        folder, name = os.path.split(self._segment.folder)
        shutil.copytree(self._segment.folder, os.path.join(folder, "cut", name))
    return step(self)

for program, words in json.loads(sys.argv[3]):
    loop._Loop._step = watched_step if program == "watched" else step
    if importlib.import_module("train" if program == "watched" else program).main(words):
        sys.exit(1)

outputs = {{}}
for name in json.loads(sys.argv[4]):
    with predictors.load(name) as predictor:
        outputs[name] = predictor.run(np.load("images.npy"))
np.savez(sys.argv[5], **outputs)
""".format(CUT)

# TensorFlow alone, as who deploys a SavedModel would use it.
SAVED_MODEL_PROGRAM = """
import sys
import numpy as np
import tensorflow as tf

images = np.load(sys.argv[1])
for folder, target in zip(sys.argv[2::2], sys.argv[3::2]):
    if tf.__version__.startswith("1."):
        with tf.Session(graph=tf.Graph()) as session:
            signature = tf.saved_model.load(session, ["serve"], folder).signature_def["serving_default"]
            output = session.run(signature.outputs["conv3"].name, {signature.inputs["input_1"].name: images})
    else:
        output = tf.saved_model.load(folder).signatures["serving_default"](input_1=tf.constant(images))["conv3"].numpy()
    np.save(target, output)
"""


def run(*command):
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def training(folder, *more):
    """The words for train.py that train two epochs to `folder`."""
    words = "--train_tfrecords train.tfrecords --encoder densenet121 --bs 2 --lr 1e-4 --seed 3 --log_every 1"
    words += " --size {} {} --steps {} --epochs 2 --keep_epochs 1 2".format(*SIZE, STEPS)
    return [*words.split(), "--ckptdir", folder + "/checkpoints", *more]


def artefacts(runtime):
    """The networks that a runtime leaves behind."""
    return [runtime + name for name in ("/checkpoints/epoch1", "/export/folded.pb", "/export/plain.pb")]


def history(folder):
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def made(shared, walked, quick):
    """The folder in which both runtimes have worked, each in a folder of its own name; and what they printed."""
    for runtime in RUNTIMES:
        if not runtime_python(runtime).exists():
            pytest.skip("this needs both runtimes, and {} is not in .venv".format(runtime))
    python = {runtime: quick(runtime_python(runtime)) for runtime in RUNTIMES}
    folder = shared("runtimes", lambda folder: work(folder, walked.path("results/sample/nyu_data.zip"), python))
    printed = {runtime: (folder / runtime / "printed").read_text() for runtime in RUNTIMES}
    return types.SimpleNamespace(folder=folder, printed=printed)


def work(folder, archive, python):
    """Let both runtimes work in `folder`, on pairs of the archive; `python`: {runtime: interpreter}."""
    project = copy(REPOSITORY, folder / "project")
    project.simplify()
    scripts = project.path("workflow/scripts")
    records = ("--input_dir", archive, "--out", folder / "train.tfrecords")
    run(python["tf1"], scripts / "dataset_tool_tf.py", *records)
    for name, text in (("weights.py", WEIGHTS_PROGRAM), ("work.py", PROGRAM), ("saved_model.py", SAVED_MODEL_PROGRAM)):
        (folder / name).write_text(text)
    run(python["tf2"], folder / "weights.py", scripts, REPOSITORY / "tests/graph", folder / "weights")
    # Of little contrast, so that all depths lie well within their range.
    images = np.random.RandomState(0).uniform(0.4, 0.6, (3, 8, 12, 3)).repeat(8, axis=1).repeat(8, axis=2)
    np.save(folder / "images.npy", images.astype(np.float32))

    def done(runtime, jobs, networks, target):
        words = (scripts, folder, json.dumps(jobs), json.dumps(networks), target)
        return run(python[runtime], folder / "work.py", *words)

    for runtime in RUNTIMES:
        freeze = ["--ckptdir", runtime + "/checkpoints/epoch1", "--pbdir", runtime + "/export", "--pb_name"]
        jobs = [
            ("watched", training(runtime, *START, "--state_minutes", "0")),
            ("ckpt2pb", [*freeze, "folded", "--saved_model", "true"]),
            ("ckpt2pb", [*freeze, "plain", "--fold", "false"]),
        ]
        done(runtime, jobs, artefacts(runtime), "{}/own.npz".format(runtime))
    for runtime, other in OTHER.items():
        shutil.copytree(folder / other / "cut", folder / runtime / "taken")
        start = ("--initial_epoch", "1", "--checkpoint", other + "/checkpoints/epoch1")
        jobs = [("train", training(runtime + "/resumed", *start)), ("train", training(runtime + "/taken", *START))]
        printed = done(runtime, jobs, artefacts(other), "{}/others.npz".format(runtime))
        (folder / runtime / "printed").write_text(printed)
        words = [w for r in RUNTIMES for w in (folder / r / "export/saved_model", folder / runtime / (r + ".npy"))]
        # The interpreter itself, whose TensorFlow has nothing of ours.
        run(runtime_python(runtime), folder / "saved_model.py", folder / "images.npy", *words)


def depths(outputs):
    """In metres, of outputs of which none is near zero, where a depth jumps from one end of the range to the other."""
    assert outputs.min() > 0.5
    return np.clip(10 / outputs, 0.1, 10)


both = pytest.mark.parametrize("writer, reader", sorted(OTHER.items()))


@both
def test_networks_give_the_same(made, writer, reader):
    """A checkpoint and both kinds of frozen graph."""
    with np.load(made.folder / writer / "own.npz") as own, np.load(made.folder / reader / "others.npz") as others:
        assert sorted(own) == sorted(others) == sorted(artefacts(writer))
        checkpoint, folded, plain = artefacts(writer)
        for name in own:
            assert np.ptp(own[name]) > 0.1
            np.testing.assert_allclose(others[name], own[name], rtol=1e-4, err_msg=name)
            np.testing.assert_allclose(depths(others[name]), depths(own[name]), rtol=1e-4, err_msg=name)
            np.testing.assert_allclose(others[name], own[checkpoint], rtol=1e-4, err_msg=name)
        # Unfolded, a graph is its checkpoint bit for bit, wherever it was frozen.
        assert (own[plain] == own[checkpoint]).all() and (others[plain] == others[checkpoint]).all()
        assert (own[folded] != own[checkpoint]).any()


@both
def test_saved_models_give_the_same(made, writer, reader):
    with np.load(made.folder / writer / "own.npz") as own:
        expected = own[artefacts(writer)[0]]
    found = np.load(made.folder / reader / (writer + ".npy"))
    np.testing.assert_allclose(depths(found), depths(expected), rtol=1e-4)
    # And the writer reads its own.
    found = np.load(made.folder / writer / (writer + ".npy"))
    np.testing.assert_allclose(depths(found), depths(expected), rtol=1e-4)


@both
@pytest.mark.parametrize("name", ["resumed", "taken"])
def test_training_goes_on(made, writer, reader, name):
    """From a checkpoint and from the saved state of a run that was cut: as the writer itself went on."""
    told = {
        "resumed": "starting from {}/checkpoints/epoch1".format(writer),
        "taken": "resuming from step {}".format(CUT),
    }
    assert told[name] in made.printed[reader]
    folder = made.folder / reader / name / "checkpoints/epoch2"
    side = json.loads((folder / "model.json").read_text())
    assert (side["epoch"], side["global_step"], side["runtime"]["runtime"]) == (2, 2 * STEPS, reader)
    whole, entries = history(made.folder / writer / "checkpoints/epoch2"), history(folder)
    assert [entry["global_step"] for entry in entries] == [entry["global_step"] for entry in whole] == [4, 5, 6]
    # Up to the first step that the reader itself took; in those after it differences of rounding grow.
    exact = {"resumed": 1, "taken": CUT - STEPS + 1}[name]
    for number, (one, other) in enumerate(zip(entries, whole, strict=True)):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4 if number < exact else 3e-4)
    # Far less than a step changes.
    assert abs(whole[0]["loss"] / whole[1]["loss"] - 1) > 1e-2


def test_both_train_the_same_from_the_start(made):
    one, other = ([entry["loss"] for entry in history(made.folder / r / "checkpoints/epoch1")] for r in RUNTIMES)
    assert one[0] == pytest.approx(other[0], rel=1e-4)
    assert one == pytest.approx(other, rel=3e-4)
