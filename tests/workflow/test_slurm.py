"""The whole pipeline on a real Slurm of this machine, with all that happens to jobs on a cluster.

Skipped where Slurm's daemons are not installed; on Debian, as root: `make slurm` (`.ci/run` does).
"""

import collections
import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import REPOSITORY, TINY, copy
from densedepth import files

sys.path.insert(0, str(REPOSITORY / "tests"))
import slurm_cluster

pytestmark = pytest.mark.skipif(bool(slurm_cluster.missing()), reason="no Slurm here: " + slurm_cluster.missing())

STEPS = 8
SETTINGS = dict(
    TINY,
    runs={"1p": {"devices": 1}, "2p": {"devices": 2}},
    devices_per_node=1,
    train=dict(TINY["train"], steps=STEPS),
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with slurm_cluster.Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


# A gate for training: it waits where the file results/<run>/gate says until that file changes or a signal comes.
GATE = """

def _gated(self, step=_Loop._step):
    gate = os.path.join(os.path.dirname(self._segment.folder), "gate")
    while self._signal is None and os.path.exists(gate) and files.read_json(gate) <= self._position:
        time.sleep(0.1)
    return step(self)


_Loop._step = _gated
"""


class Trainings:
    """What Slurm trains of a project, one step after the other."""

    def __init__(self, project, cluster):
        self._project = project
        self._cluster = cluster

    def gate(self, run, steps):
        """Let the training of `run` make so many steps, counted from the first epoch on."""
        files.write_json(self._project.path("results/{}/gate".format(run)), steps)

    def open(self, run):
        self._project.path("results/{}/gate".format(run)).unlink()

    def start(self, *arguments):
        with open(self._project.path("snakemake.log"), "w") as log:
            command = self._project.command(*arguments)
            self.snakemake = subprocess.Popen(
                command, cwd=self._project.folder, env=self._cluster.environ, stdout=log, stderr=log
            )

    def until(self, done):
        """Wait for something while Snakemake runs."""
        while not done():
            assert self.snakemake.poll() is None, self.told()
            time.sleep(0.1)

    def told(self):
        return self._project.path("snakemake.log").read_text()

    def at(self, run, epoch, step):
        """Wait for this step; returns the number of the job that made it and the nodes where it runs."""
        log = self._project.path("results/logs/{}/train_epoch{}.log".format(run, epoch))
        self.until(lambda: log.exists() and " step {}/".format(step) in log.read_text())
        environments = [_environment(process) for process in _trainings(self._project, run)]
        (job,) = {environment["SLURM_JOB_ID"] for environment in environments}
        return job, sorted(environment["SLURMD_NODENAME"] for environment in environments)

    def urgent(self, node):
        """Submit a job of a partition that goes before the others, for half of the node; returns its number."""
        words = ("--parsable", "--nodelist=" + node, "--cpus-per-task=8", "--output=/dev/null", "--wrap=sleep 600")
        return self._cluster.call("sbatch", *words).strip()

    def state(self, job):
        return self._cluster.call("squeue", "--noheader", "--format=%T", "--states=all", "--jobs", job).strip()

    def end(self, job):
        """Wait until the job has gone from the nodes."""
        self.until(lambda: job not in self._cluster.call("squeue", "--noheader", "--format=%i").split())


def _trainings(project, run):
    """The processes of train.py for this run, without the shells around them."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = folder.joinpath("cmdline").read_text().split("\0")
            here = folder.joinpath("cwd").resolve() == project.folder.resolve()
            if here and words[1:4] == ["workflow/scripts/train.py", "--name", run]:
                yield folder


def _environment(process):
    entries = process.joinpath("environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def steps_made(project, run):
    """{(epoch, step): how often it was made}, from what all Slurm jobs of the run have printed."""
    found = collections.Counter()
    for log in project.path(".snakemake/slurm_logs/rule_train_model").glob("{}_*/*.log".format(run)):
        found.update(re.findall(r"^epoch (\d+)/\d+ step (\d+)/", log.read_text(), re.MULTILINE))
    return found


@pytest.fixture
def python(tmp_path, tensorflow_python, quick_python):
    """The interpreter for trainings, to which things happen; for all else one that need not load TensorFlow."""
    script = tmp_path / "python"
    text = '#!/bin/sh\ncase "$1" in */train.py) exec "{}" "$@" ;; esac\nexec "{}" "$@"\n'
    script.write_text(text.format(tensorflow_python, quick_python))
    script.chmod(0o755)
    return str(script)


def test_a_cluster_s_life_costs_no_step_and_repeats_none(cluster, tmp_path, python):
    project = copy(REPOSITORY, tmp_path / "a project")
    project.simplify()
    with open(project.path("workflow/scripts/densedepth/training/loop.py"), "a") as stream:
        stream.write(GATE)
    trainings = Trainings(project, cluster)
    trainings.gate("2p", 1)
    trainings.gate("1p", 2)
    trainings.start(
        "--workflow-profile",
        "profiles/slurm",
        *project.configure(dict(SETTINGS, python=python)),
        *("--slurm-status-command", "squeue", "--slurm-no-account", "--slurm-keep-successful-logs"),
        *("--slurm-init-seconds-before-status-checks", "1", "--latency-wait", "5"),
        "--set-resources",
        # The first training on two devices gets the shortest time limit that there is.
        "train_model:runtime=1 if wildcards.run + wildcards.epoch == '2p1' and attempt == 1 else 60",
        "train_model:slurm_partition='spare' if wildcards.run == '1p' else 'all'",
    )
    try:
        # On two nodes under srun, with a minute's limit that it will not keep.
        limited, nodes = trainings.at("2p", 1, 1)
        assert nodes == cluster.nodes

        # Cancelled.
        job, _ = trainings.at("1p", 1, 2)
        cluster.call("scancel", job)
        trainings.end(job)
        trainings.gate("1p", 5)

        # Driven out by a job that goes before it. Slurm lets such a job wait for minutes unless it is told otherwise.
        job, (node,) = trainings.at("1p", 1, 5)
        urgent = trainings.urgent(node)
        trainings.until(lambda: trainings.state(job) == "PENDING" and trainings.state(urgent) == "RUNNING")
        assert "Restarts=1" in cluster.call("scontrol", "show", "job", job)
        cluster.call("scancel", urgent)
        trainings.gate("1p", STEPS + 2)
        cluster.call("scontrol", "update", "JobId=" + job, "StartTime=now")

        # Evaluated while the next segment trains.
        job, (node,) = trainings.at("1p", 2, 2)
        trainings.until(project.path("results/1p/evaluation/epoch1.json").exists)
        assert trainings.state(job) == "RUNNING"

        # The node drained, and the controller gone while the job ends.
        cluster.call("scontrol", "update", "NodeName=" + node, "State=DRAIN", "Reason=test")
        cluster.stop_controller()
        trainings.open("1p")
        trainings.until(project.path("results/1p/checkpoints/epoch2/model.json").exists)
        cluster.start_controller()
        trainings.end(job)
        cluster.call("scontrol", "update", "NodeName=" + node, "State=RESUME")

        # Over its limit meanwhile; Slurm looks after limits every half minute.
        trainings.end(limited)
        trainings.open("2p")

        assert trainings.snakemake.wait() == 0, trainings.told()
    finally:
        trainings.snakemake.kill()

    told = trainings.told()
    assert "SLURM status is: 'CANCELLED'" in told
    assert "SLURM-job '{}' failed, SLURM status is: 'TIMEOUT'".format(limited) in told
    every = {(str(epoch), str(step)) for epoch in (1, 2) for step in range(1, STEPS + 1)}
    assert steps_made(project, "1p") == dict.fromkeys(every, 1)
    half = {(epoch, step) for epoch, step in every if int(step) <= STEPS / 2}
    assert steps_made(project, "2p") == dict.fromkeys(half, 1)
    side = json.loads(project.path("results/2p/checkpoints/epoch2/model.json").read_text())
    assert side["performance"]["world_size"] == 2
    assert project.planned("--configfile", "mine.yaml") == {}
