"""envs/setup.py with environments that hold nothing, and that the environment files agree with each other."""

import hashlib
import os
import re
import runpy
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml
from conftest import REPOSITORY

CLOSED_PORT = "http://127.0.0.1:9/simple"


@pytest.fixture
def place(tmp_path):
    """A folder with setup.py and requirement files that ask for nothing."""
    (tmp_path / "envs").mkdir()
    shutil.copy(REPOSITORY / "envs/setup.py", tmp_path / "envs")
    for name in ("pip", "workflow", "dev", "tf1", "tf2"):
        (tmp_path / "envs" / (name + ".txt")).write_text("# nothing\n")
    return tmp_path


def setup(place, *arguments, **environment):
    """Run setup.py; returns (exit status, its words)."""
    run = subprocess.run(
        [sys.executable, str(place / "envs/setup.py"), *arguments],
        env=dict(os.environ, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return run.returncode, run.stdout


def test_a_second_run_installs_nothing_and_a_half_made_or_damaged_environment_is_made_again(place):
    half = place / ".venv/workflow"
    (half / "bin").mkdir(parents=True)
    (half / "rest").write_text("of an interrupted installation")
    status, words = setup(place, "workflow", "dev")
    assert status == 0 and "workflow: creating" in words and not (half / "rest").exists()
    assert "workflow is ready: .venv/workflow" in words and "dev is ready" in words
    assert setup(place, "workflow", "dev") == (0, "setup: workflow is up to date\nsetup: dev is up to date\n")

    (place / "envs/dev.txt").write_text("# nothing else\n")
    status, words = setup(place, "workflow", "dev")
    assert status == 0 and "workflow is up to date" in words and "dev: installing" in words

    # An interpreter that has gone, as after an upgrade of the system.
    (half / "bin/python").unlink()
    status, words = setup(place, "dev")
    assert status == 0 and "workflow: creating" in words and "dev is ready" in words


def test_without_a_network_one_line_says_so(place):
    (place / "envs/workflow.txt").write_text("no-such-package==1.0\n")
    status, words = setup(
        place,
        "workflow",
        PIP_CONFIG_FILE=os.devnull,
        PIP_FIND_LINKS="",
        PIP_EXTRA_INDEX_URL="",
        PIP_INDEX_URL=CLOSED_PORT,
    )
    assert status == 1
    assert words.splitlines()[-1].startswith("setup: error: workflow: the package index cannot be reached;")
    assert "Traceback" not in words


def bare(tmp_path, **programs):
    """Environment variables under which only `programs` (name -> script) are found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in programs.items():
        (folder / name.replace("_", ".")).write_text("#!/bin/sh\n" + script)
        (folder / name.replace("_", ".")).chmod(0o755)
    return {"PATH": str(folder), "HOME": str(tmp_path), "PYENV_ROOT": "", "CONDA_ROOT": "", "CONDA_PREFIX": ""}


def test_without_a_fit_python_one_line_says_which_is_needed(place, tmp_path):
    status, words = setup(place, "workflow", **bare(tmp_path, python3="echo 3 8"))
    assert status == 1
    assert words == (
        "setup: error: workflow: no Python 3.11, 3.12, 3.13 found (python3 is 3.8); install one, or put it on PATH\n"
    )


def test_a_placeholder_is_no_python_and_tf2_is_taken(place, tmp_path):
    real = 'exec "{}" "$@"\n'.format(sys.executable)
    environment = bare(tmp_path, python3=real, python3_7="echo no such version >&2; exit 127\n")
    if os.path.isdir("/opt/conda"):
        pytest.skip("a conda installation in /opt may bring a Python 3.7")
    status, words = setup(place, "runtime", **environment)
    assert status == 0
    assert words.splitlines()[0].startswith("setup: tf2 is the runtime: ")
    assert "tf2 is ready" in words
    status, words = setup(place, "--runtime", "tf1", "runtime", **environment)
    assert status == 1 and words.startswith("setup: error: tf1: ")


def entries(name):
    """The requirements of a file, each with its sums, as lists of words between backslashes."""
    text = (REPOSITORY / "envs" / name).read_text()
    lines = text.replace("\\\n", "\0").splitlines()
    return [line.split("\0") for line in lines if line and not line.startswith("#")]


def pins(name):
    return [entry[0].strip() for entry in entries(name)]


ON_TF2 = ("onnx.txt", "exports.txt", "formats.txt")
LOCKED = ["pip.txt", "workflow.txt", "dev.txt", "tf1.txt", "tf2.txt", *ON_TF2, "mlflow.txt"]
LOCKED += ["corruptions.txt"]


@pytest.mark.parametrize("name", LOCKED)
def test_every_requirement_has_the_sums_of_its_files(name):
    for pin, *sums in entries(name):
        assert sums and all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", word.strip()) for word in sums), pin


@pytest.mark.parametrize("python", ["3.7", "3.11"])
def test_what_installs_and_builds_is_pinned_for_each_python(python):
    bound = "< '3.8'" if python == "3.7" else ">= '3.11'"
    names = [pin.split("==")[0] for pin in pins("pip.txt") if bound in pin]
    assert names == ["pip", "setuptools", "wheel"]


def test_an_environment_gets_the_pinned_pip_first_and_a_file_with_another_sum_is_refused(place, tmp_path):
    wheel = tmp_path / "wheels"
    wheel.mkdir()
    for name in ("first", "second"):
        with zipfile.ZipFile(str(wheel / (name + "-1.0-py3-none-any.whl")), "w") as archive:
            info = name + "-1.0.dist-info/"
            archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: {}\nVersion: 1.0\n".format(name))
            archive.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(info + "RECORD", "")
    digest = {path.name.split("-")[0]: hashlib.sha256(path.read_bytes()).hexdigest() for path in wheel.iterdir()}
    line = "{}==1.0 \\\n    --hash=sha256:{}\n"
    (place / "envs/pip.txt").write_text(line.format("first", digest["first"]))
    (place / "envs/workflow.txt").write_text(line.format("second", digest["second"]))
    environment = dict(PIP_NO_INDEX="1", PIP_FIND_LINKS=str(wheel))
    status, words = setup(place, "workflow", **environment)
    assert status == 0 and "1 packages, up to" in words and "takes about" in words
    log = (place / ".venv/workflow.log").read_text()
    assert log.index("Successfully installed first-1.0") < log.index("Successfully installed second-1.0")
    # What builds is part of what an environment was made from.
    sound = runpy.run_path(str(place / "envs/setup.py"))["sound"]
    assert sound("workflow")
    (place / "envs/pip.txt").write_text("# nothing\n")
    assert not sound("workflow")

    (place / "envs/workflow.txt").write_text(line.format("second", digest["first"]))
    status, words = setup(place, "workflow", **environment)
    assert status == 1 and "do not match the known sums" in words.splitlines()[-1]


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_one_line_on_a_terminal_and_plain_lines_elsewhere(terminal, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(REPOSITORY / "envs"))
    import setup as program

    progress = program.Progress("tf1", 2)
    progress.terminal = terminal
    for line in (
        "Collecting small==1.0\n",
        "  Downloading small-1.0.whl (12 kB)\n",
        "Collecting large==1.0\n",
        "  Downloading large-1.0.whl (412.3 MB)\n",
        "Installing collected packages: small, large\n",
    ):
        progress.line(line)
    progress.end()
    words = capsys.readouterr().out
    if terminal:
        assert "\n" not in words and "2 of 2 packages: Downloading large-1.0.whl (412.3 MB)" in words
    else:
        assert words.splitlines() == [
            "setup: tf1: Downloading large-1.0.whl (412.3 MB)",
            "setup: tf1: unpacking 2 packages, which takes a minute or two",
        ]


@pytest.mark.parametrize("name", [*LOCKED, "bench.txt", "agree.txt"])
def test_every_requirement_is_pinned_exactly_and_by_name_only(name):
    assert [line for line in pins(name) if not re.match(r"[A-Za-z0-9_.-]+==[0-9][A-Za-z0-9.]*( ; .+)?$", line)] == []


@pytest.mark.parametrize(
    "layer, base",
    [("dev.txt", "workflow.txt"), *((layer, "tf2.txt") for layer in ON_TF2)],
)
def test_a_layer_repeats_nothing_of_what_it_lies_on(layer, base):
    both = {line.split("==")[0].lower() for line in pins(base)}
    assert both.isdisjoint(line.split("==")[0].lower() for line in pins(layer))


@pytest.mark.parametrize("name, python", [("tf1", "3.7"), ("tf2", "3.11"), ("mlflow", "3.11")])
def test_conda_gets_the_same_pins(name, python):
    environment = yaml.safe_load((REPOSITORY / "envs" / (name + ".yaml")).read_text())
    assert environment["dependencies"][:2] == ["python=" + python, "pip"]
    assert environment["dependencies"][2] == {"pip": pins(name + ".txt")}


@pytest.mark.parametrize("layers", [("tf2", "onnx"), ("tf2", "onnx", "exports")])
def test_conda_gets_the_pins_of_a_layer_with_those_it_lies_on(layers):
    environment = yaml.safe_load((REPOSITORY / "envs" / (layers[-1] + ".yaml")).read_text())
    wanted = [pin for layer in layers for pin in pins(layer + ".txt")]
    assert environment["dependencies"] == ["python=3.11", "pip", {"pip": wanted}]
