"""A copy of the workflow in a folder of its own, and a way to call Snakemake there."""

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml

import warm_python
from warm import Warm

# Jobs share the processor with those of other tests; more threads than processors only spin. NumPy, which the forked
# jobs find loaded, has as many as Snakemake gives to an evaluation: the last digits of sums depend on it.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "2")

REPOSITORY = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config", "envs", "profiles", "workflow")

# The whole pipeline in the smallest form that still uses all of it.
TINY = {
    "sample": {"train_scenes": 4, "test_scenes": 4},
    "data": {"shards": 2, "height": 64, "width": 96},
    "train": {"batch_size": 2, "steps": 2, "epochs": 2, "keep_epochs": [1, 2], "log_every": 1},
    "report": {"gallery": 2},
}
# After a few steps, averages that move slowly would give depths at the end of the range.
TINY["train"]["batch_norm_momentum"] = 0.9

# The same with fewer scenes, which take longer to render than most stages, and one checkpoint.
FEW = dict(TINY, sample={"train_scenes": 2, "test_scenes": 2})
FEW["train"] = dict(TINY["train"], epochs=1, keep_epochs=[1])

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

# What many programs load; and what those do that need no TensorFlow.
DRAWING = ("PIL.Image", "matplotlib.backends.backend_agg", "matplotlib.figure", "matplotlib.font_manager")
PLAIN = ("jinja2", "jsonschema", "pandas", "yaml")


@functools.lru_cache(maxsize=None)
def quick_plain():
    """In place of this interpreter, for jobs that nothing kills: it need not load NumPy and more for each of them."""
    ending = contextlib.ExitStack()
    atexit.register(ending.close)
    return ending.enter_context(warm_python.forking(sys.executable, *DRAWING, *PLAIN))


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

    def simplify(self, layers=(0, 0, 0, 1)):
        """Give the blocks of the network so many layers: the same in all else, and quick."""
        with open(self.path("workflow/scripts/densedepth/network/architecture.py"), "a") as stream:
            stream.write('\n\nBLOCKS["densenet121"] = {}\n'.format(layers))

    def command(self, *arguments):
        return [sys.executable, "-m", "snakemake", *arguments]

    def start(self, *arguments, log=os.devnull):
        """Snakemake, as the leader of a session of its own, whose output goes to `log`; its jobs are its children."""
        return warm_snakemake.start(arguments, self.folder, log)

    def snakemake(self, *arguments, fails=False):
        """Run Snakemake; returns its output. The test fails when it ends otherwise than expected."""
        status, said = warm_snakemake(arguments, self.folder, quick_plain())
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


def pytest_collection_modifyitems(items):
    """What waits for minutes begins first."""
    items.sort(key=lambda item: item.path.name != "test_slurm.py")


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


def runtime_python(name):
    """The path of the interpreter of a runtime, which need not be there."""
    return REPOSITORY / ".venv" / name / "bin" / "python"


@pytest.fixture(scope="session")
def tensorflow_python():
    """The interpreter of a runtime of this repository."""
    for python in map(runtime_python, ("tf1", "tf2")):
        if python.exists():
            return str(python)
    pytest.fail("no runtime in .venv; `make setup` creates one")


@pytest.fixture(scope="session")
def quick():
    """A function: in place of an interpreter with TensorFlow, for jobs that need not load it each, as nothing kills
    them or follows their parents.
    """
    with contextlib.ExitStack() as ending:

        @functools.lru_cache(maxsize=None)
        def of(python):
            return ending.enter_context(warm_python.forking(str(python), "densedepth.tf", *DRAWING))

        yield of


@pytest.fixture(scope="session")
def quick_python(quick, tensorflow_python):
    """That of the runtime that `tensorflow_python` is of."""
    return quick(tensorflow_python)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """A function: the folder of a name, one for all workers of pytest-xdist, which `make(folder)` fills once."""
    above = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        above = above.parent

    def made(name, make):
        with open(above / (name + ".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (above / (name + ".whole")).exists():
                shutil.rmtree(above / name, ignore_errors=True)
                make(above / name)
                (above / (name + ".whole")).touch()
        return above / name

    return made


@pytest.fixture(scope="session")
def walked(shared, tensorflow_python, quick_python):
    """A project in which the whole pipeline has run, with what Snakemake said in `said`; not to be changed."""

    def make(folder):
        project = copy(REPOSITORY, folder)
        project.simplify((1, 1, 1, 1))
        project.configure(dict(TINY, python=quick_python))
        project.path("said").write_text(project.snakemake(*SETTINGS))
        # The quick one is gone with this worker, which others may outlive.
        project.configure(dict(TINY, python=tensorflow_python))

    return Project(shared("walked", make))


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
def conda(tmp_path, monkeypatch, quick_python):
    """A command that stands in for conda: each environment that it makes has the interpreter of a runtime."""
    folder = tmp_path / "conda" / "bin"
    folder.mkdir(parents=True)
    (folder / "conda").write_text(CONDA.format(folder.parent, quick_python))
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
