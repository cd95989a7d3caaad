"""Faults of a training of several ranks with loss scaling: nothing is lost, none is left, the weights stay the same."""

import os
import resource
import signal
import subprocess
import sys
import time

import faults
import pytest
import trainings
from trainings import assert_same, history, side

sys.path.insert(0, os.path.join(os.path.dirname(trainings.__file__), ".."))
import slurm_cluster

# A scale that doubles after every third step: where the count of good steps was lost, it doubles later.
FIRST = ("--quick-scale",)
OPTIONS = "--epochs 2 --steps 8 --bs 1 --batch_norm_momentum 0.9 --is_loss_scale true --state_minutes 0"
SCALES = [2.0**16] * 3 + [2.0**17] * 3 + [2.0**18] * 2


def command(records, folder, *extra, first=FIRST):
    return trainings.command(records, folder, OPTIONS, *extra, first=first)


def ended(folder):
    return os.path.join(str(folder), "checkpoints", "epoch2")


@pytest.fixture(scope="module")
def undisturbed(records, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    status, output = trainings.run(command(records, folder, "--devices", "2"), folder)
    assert status == 0, output
    return ended(folder)


class Training:
    """A training of two devices in `folder`; `until` and `end` follow its output."""

    def __init__(self, words, folder, **options):
        self._folder = str(folder)
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def until(self, epoch, step):
        """Wait for the line of this step."""
        for line in self.process.stdout:
            if "epoch {}/2 step {}/".format(epoch, step) in line:
                return
        raise AssertionError("ended before: {}".format(self.process.communicate()[1]))

    def ranks(self):
        """The processes of the ranks that the launcher has started, in order."""
        return sorted(faults.children(self.process.pid))

    def processes(self):
        """All processes of this training, whoever has started them."""
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and self._folder in read(pid, "cmdline")]

    def end(self):
        """Exit status, output and errors; by then no process may be left."""
        output, errors = self.process.communicate()
        assert self.processes() == []
        return self.process.returncode, output, errors


def read(pid, name):
    """What /proc says of a process; nothing of one that has gone."""
    try:
        with open("/proc/{}/{}".format(pid, name)) as stream:
            return stream.read()
    except OSError:
        return ""


def test_paused_ranks_go_on_and_one_that_cannot_write_ends_all(records, tmp_path):
    words = command(records, tmp_path, "--devices", "2", "--rank_timeout", "5", first=("--forked", *FIRST))
    training = Training(words, tmp_path)
    training.until(1, 1)
    # The launcher alone; the ranks need it for their end only.
    training.process.send_signal(signal.SIGSTOP)
    training.until(1, 2)
    # As a suspended machine, for longer than the others wait for one rank.
    ranks = training.ranks()
    for pid in ranks:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)
    for pid in [*ranks, training.process.pid]:
        os.kill(pid, signal.SIGCONT)
    training.until(1, 4)
    # As with a full disk or quota, which only root can have for itself: rank 0's files may no longer grow.
    resource.prlimit(ranks[0], resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    status, _, errors = training.end()
    assert status == 1
    assert "the checkpoint cannot be written" in errors and "rank 0 ended with status 1, see its" in errors
    # A whole state from before is there.
    assert [path for path in tmp_path.glob("checkpoints/state/*/step*") if ".tmp" not in path.name]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if slurm_cluster.missing():
        pytest.skip("no Slurm here: " + slurm_cluster.missing())
    with slurm_cluster.Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def test_a_rank_killed_under_srun_ends_the_job_though_the_controller_is_paused(cluster, records, tmp_path, undisturbed):
    # As the rule of a training on several nodes has it.
    srun = ["srun", "--nodes=2", "--ntasks=2", "--cpus-per-task=1", "--kill-on-bad-exit=1"]
    training = Training(srun + command(records, tmp_path, "--is_distributed", "true"), tmp_path, env=cluster.environ)
    training.until(1, 2)
    cluster.pause("slurmctld")
    training.until(1, 3)
    (victim,) = [pid for pid in training.processes() if "SLURM_PROCID=1\0" in read(pid, "environ")]
    os.kill(victim, signal.SIGKILL)
    # What the controller must be told waits for it, and srun with that.
    while any(read(pid, "cmdline").startswith(sys.executable) for pid in training.processes()):
        time.sleep(0.1)
    cluster.go_on("slurmctld")
    status, _, errors = training.end()
    assert status != 0, errors
    cluster.wait(lambda: cluster.call("squeue", "--noheader") == "")

    # The state is that of any launcher. The next call goes on from it: the same weights, moments and loss scale.
    status, output = trainings.run(command(records, tmp_path, "--devices", "2"), tmp_path)
    assert status == 0, output
    assert "resuming from" in output
    assert_same(undisturbed, ended(tmp_path), 1e-4)
    assert [entry["loss_scale"] for entry in history(ended(tmp_path))] == SCALES
    assert side(ended(tmp_path))["global_step"] == 8
