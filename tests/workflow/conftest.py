"""A copy of the workflow in a folder of its own, and a way to call Snakemake there."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

import warm_python
from warm import Warm

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config", "envs", "profiles", "workflow")

# The whole pipeline in the smallest form that still uses all of it.
TINY = {
    "sample": {"train_scenes": 12, "test_scenes": 4},
    "data": {"shards": 2, "height": 64, "width": 96},
    "train": {"batch_size": 2, "steps": 2, "epochs": 2, "keep_epochs": [1, 2], "log_every": 1},
    "report": {"gallery": 2},
}

# The same with few scenes, for runs that render them anew, which takes longer than the stages that follow.
FEW = dict(TINY, sample={"train_scenes": 3, "test_scenes": 3})

SETTINGS = ("--configfile", "mine.yaml")

# What Snakemake and the rules load while they plan.
PLANNING = ("snakemake.report.html_reporter", "snakemake.profiles", "snakemake.storage", "snakemake.assets")
PLANNING += (
    "jsonschema",
    "smart_open",
    "docutils.core",
    "yte",
    "dpath",
    "requests",
    "PIL.Image",
    "jinja2",
    "platformdirs",
)

# Of the tests themselves.
PLANNING += ("parsed",)

warm_snakemake = Warm("snakemake.cli", "snakemake", also=PLANNING)


class Project:
    """A folder with a copy of the workflow."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return self.folder / name

    def configure(self, settings, name="mine.yaml"):
        """Write `settings` as an overlay; returns the arguments for Snakemake that use it."""
        self.path(name).write_text(yaml.safe_dump(settings))
        return ["--configfile", name]

    def simplify(self):
        """Give the network one layer a block: the same in all else, and quick."""
        with open(self.path("workflow/scripts/densedepth/network/architecture.py"), "a") as stream:
            stream.write('\n\nBLOCKS["densenet121"] = (1, 1, 1, 1)\n')

    def command(self, *arguments):
        return [sys.executable, "-m", "snakemake", *arguments]

    def snakemake(self, *arguments, fails=False):
        """Run Snakemake; returns its output. The test fails when it ends otherwise than expected."""
        status, said = warm_snakemake(arguments, self.folder)
        assert (status != 0) == fails, said
        return said

    def planned(self, *arguments):
        """The jobs that a dry run lists: {rule: how many}."""
        return self.jobs(self.snakemake("--dry-run", *arguments))

    @staticmethod
    def jobs(output):
        """The jobs in the output of a dry run."""
        if "Job stats:" not in output:
            assert "Nothing to be done" in output, output
            return {}
        table = output.split("Job stats:")[1].splitlines()[3:]
        rows = [line.split() for line in table[: table.index("")]]
        return {rule: int(count) for rule, count in rows if rule != "total"}


def copy(source, target):
    target.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", ".ruff_cache")
    for name in PARTS:
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, ignore=ignore)
        else:
            shutil.copy2(source / name, target / name)
    return Project(target)


@pytest.fixture
def project(tmp_path):
    """A fresh copy of the workflow, in a folder whose name has a blank."""
    return copy(REPOSITORY, tmp_path / "a project")


@pytest.fixture(scope="session")
def tensorflow_python():
    """The interpreter of a runtime of this repository."""
    for name in ("tf1", "tf2"):
        python = REPOSITORY / ".venv" / name / "bin" / "python"
        if python.exists():
            return str(python)
    pytest.fail("no runtime in .venv; `make setup` creates one")


@pytest.fixture(scope="session")
def quick_python(tensorflow_python):
    """In place of that interpreter, for jobs that nothing kills: it need not load TensorFlow for each of them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        address, path = os.path.join(folder, "socket"), Path(folder) / "python"
        words = [tensorflow_python, warm_python.__file__, address]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout.readline() == "ready\n"
            warm_python.written(path, address, sys.executable, tensorflow_python)
            yield str(path)
            server.stdin.close()


@pytest.fixture(scope="session")
def walked(tmp_path_factory, tensorflow_python, quick_python):
    """A project in which the whole pipeline has run; not to be changed. It is one for all workers of pytest-xdist."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with open(folder / "walked.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        project = Project(folder / "walked")
        if not (folder / "walked.whole").exists():
            shutil.rmtree(project.folder, ignore_errors=True)
            copy(REPOSITORY, project.folder)
            project.simplify()
            project.configure(dict(TINY, python=quick_python))
            project.snakemake(*SETTINGS)
            # The quick one is gone with this worker, which others may outlive.
            project.configure(dict(TINY, python=tensorflow_python))
            (folder / "walked.whole").touch()
    return project


@pytest.fixture
def finished(walked, tmp_path, quick_python):
    """A copy of the finished project, to change at will."""
    shutil.copytree(walked.folder, tmp_path / "project")
    project = Project(tmp_path / "project")
    project.configure(dict(TINY, python=quick_python))
    return project


@pytest.fixture
def killable(finished, tensorflow_python):
    """The same, whose jobs are children of Snakemake, as they are for users."""
    finished.configure(dict(TINY, python=tensorflow_python))
    return finished


CONDA = """#!/bin/sh
case "$1 $2" in
  "info --json") echo '{{"conda_version": "24.7.1", "conda_prefix": "{0}", "root_prefix": "{0}",
    "platform": "linux-64"}}' ;;
  "config "*) echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  "env create")
    while [ "$1" != --prefix ]; do shift; done
    mkdir -p "$2/bin" "$2/conda-meta"
    printf '#!/bin/sh\\nexec "{1}" "$@"\\n' >"$2/bin/python"
    chmod +x "$2/bin/python" ;;
  *) echo "conda 24.7.1" ;;
esac
"""


@pytest.fixture
def conda(tmp_path, monkeypatch, tensorflow_python):
    """A command that stands in for conda: each environment that it makes has the interpreter of a runtime."""
    folder = tmp_path / "conda" / "bin"
    folder.mkdir(parents=True)
    (folder / "conda").write_text(CONDA.format(folder.parent, tensorflow_python))
    (folder / "conda").chmod(0o755)
    (folder / "activate").write_text('export PATH="$1/bin:$PATH"\n')
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def edit(project, name):
    """A change of a source file that matters to nothing but its checksum."""
    with open(project.path("workflow/scripts") / name, "a") as stream:
        stream.write("\n# An edit.\n")


def overlay(project, **settings):
    """The arguments that lay `settings` over those the project was made with."""
    project.configure(settings, "over.yaml")
    return (*SETTINGS, "over.yaml")
