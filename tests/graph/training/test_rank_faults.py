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
        self._folder, self._read = str(folder), []
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)

    def until(self, epoch, step):
        """Wait for the line of this step."""
        for line in self.process.stdout:
            self._read.append(line)
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
        return self.process.returncode, "".join(self._read) + output, errors


def read(pid, name):
    """What /proc says of a process; nothing of one that has gone."""
    try:
        with open("/proc/{}/{}".format(pid, name)) as stream:
            return stream.read()
    except OSError:
        return ""


def assert_resumed(output, folder, undisturbed):
    """The second call has resumed, and ended with the undisturbed weights, moments and loss scale."""
    assert "resuming from" in output
    assert_same(undisturbed, ended(folder), 1e-4)
    assert [entry["loss_scale"] for entry in history(ended(folder))] == SCALES
    assert side(ended(folder))["global_step"] == 8


def test_a_rank_that_cannot_write_ends_all_and_nothing_is_lost(records, tmp_path, undisturbed):
    """As with a full disk or quota, which only root can have for itself: rank 0's files may no longer grow."""
    training = Training(command(records, tmp_path, "--devices", "2", first=("--forked", *FIRST)), tmp_path)
    training.until(1, 2)
    resource.prlimit(training.ranks()[0], resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    status, _, errors = training.end()
    assert status == 1
    assert "the checkpoint cannot be written" in errors and "rank 0 ended with status 1, see its" in errors
    status, output = trainings.run(command(records, tmp_path, "--devices", "2"), tmp_path)
    assert status == 0, output
    assert_resumed(output, tmp_path, undisturbed)


def test_a_paused_launcher_and_ranks_go_on(records, tmp_path, undisturbed):
    words = command(records, tmp_path, "--devices", "2", "--rank_timeout", "5", first=("--forked", *FIRST))
    training = Training(words, tmp_path)
    training.until(1, 1)
    # The launcher alone; the ranks need it for their end only.
    training.process.send_signal(signal.SIGSTOP)
    training.until(1, 3)
    # As a suspended machine, for longer than the others wait for one rank.
    for pid in training.ranks():
        os.kill(pid, signal.SIGSTOP)
    time.sleep(6)
    for pid in [*training.ranks(), training.process.pid]:
        os.kill(pid, signal.SIGCONT)
    status, output, errors = training.end()
    assert status == 0, errors + output[-3000:]
    assert_same(undisturbed, ended(tmp_path), 1e-4)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    if slurm_cluster.missing():
        pytest.skip("no Slurm here: " + slurm_cluster.missing())
    with slurm_cluster.Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


def test_a_rank_killed_under_srun_ends_the_job_and_the_next_one_resumes(cluster, records, tmp_path, undisturbed):
    # As the rule of a training on several nodes has it.
    srun = ["srun", "--nodes=2", "--ntasks=2", "--cpus-per-task=1", "--kill-on-bad-exit=1"]
    words = srun + command(records, tmp_path, "--is_distributed", "true")
    training = Training(words, tmp_path, env=cluster.environ)
    training.until(1, 2)
    (victim,) = [pid for pid in training.processes() if "SLURM_PROCID=1\0" in read(pid, "environ")]
    os.kill(victim, signal.SIGKILL)
    status, _, errors = training.end()
    assert status != 0, errors
    cluster.wait(lambda: cluster.call("squeue", "--noheader") == "")

    training = Training(words, tmp_path, env=cluster.environ)
    training.until(1, 4)
    # A controller that does not answer while the job goes on; what it must be told at the end waits.
    cluster.pause("slurmctld")
    training.until(2, 4)
    cluster.go_on("slurmctld")
    status, output, errors = training.end()
    assert status == 0, errors
    assert_resumed(output, tmp_path, undisturbed)
