"""A training of several ranks, struck at random moments until it has survived so many blows. Also a program:

    python tests/graph/faults.py --blows 24 --devices 2

Each kind of blow falls in turn: signals to a rank, to the launcher or to all of them at once, a rank that raises, a
power cut that leaves the newest state damaged, a disk that fills up (as root, who may mount a small one), a port that
is taken, a rank that never comes. After each, within a bounded time, all processes must be gone and an error must name
the rank and the cause; then the same command is given again. At the end the weights must be those of a training that
nobody struck.
"""

import argparse
import collections
import contextlib
import glob
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "unit"), os.path.join(HERE, "..", "..", "workflow", "scripts")]

OPTIONS = "--epochs 2 --steps 24 --bs 2 --accumulate 2 --ema_decay 0.9 --size 64 96"
OPTIONS += " --encoder densenet121 --lr 1e-3 --seed 3 --log-every 1"
# Seconds after which a rank without a heartbeat counts as lost, and within which all must be gone after a blow.
TIMEOUT, BOUND = 5, 120
# Enough for the states of a training, little enough to fill.
DISK = "100m"

# What is struck and how; `told` is what the errors must match, `{}` being the rank, and `status` the exit status. A
# blow may fall before the ranks have found each other, or before they handle signals.
Blow = collections.namedtuple("Blow", "name target signal told status")
_LOST = r"rank {0} (sent no heartbeat for 5|was ended by)|rank {0} did not connect within|rank {0} at .* did not answer"
_ASKED = r"interrupted by SIGTERM; the state is saved|rank \d was ended by SIGTERM|^$"
BLOWS = [
    Blow("a rank is killed", "rank", signal.SIGKILL, r"error: rank {} was ended by SIGKILL", [1]),
    Blow("a rank is stopped", "rank", signal.SIGSTOP, _LOST, [1]),
    Blow("a rank raises", "rank", signal.SIGUSR1, r"rank {} (ended with status 1|was ended by SIGUSR1)", [1]),
    Blow("a rank is asked to end", "rank", signal.SIGTERM, _ASKED, [1, 143]),
    Blow("the launcher is killed", "launcher", signal.SIGKILL, "", [-9]),
    Blow("the launcher is asked to end", "launcher", signal.SIGTERM, _ASKED, [143]),
    Blow("all are asked to end", "all", signal.SIGTERM, _ASKED, [1, 143]),
    Blow("power cut, newest state damaged", "all", signal.SIGKILL, "", [-9]),
    Blow("port taken", "start", None, r"port \d+ of this machine, where the other ranks look for rank 0", [1]),
    Blow("rank 1 never comes", "start", None, r"rank 1 did not connect within 25 s", [1]),
]
FULL = Blow("the disk is full", "disk", None, r"No space left on device|RESOURCE_EXHAUSTED|cannot be written", [1])


def survive(records, folder, devices, blows, seed, lifetime, say=print):
    """Strike a training in `folder` `blows` times, then let it end; returns the folders of all trainings.

    lifetime: seconds that the ranks of a training live that nobody strikes. One that ends before a blow falls counts,
    too, and the next begins in a folder of its own.
    """
    drawn = random.Random(seed)
    kinds = BLOWS + ([FULL] if os.path.ismount(folder) else [])
    trainings = [os.path.join(folder, "0")]
    dealt = 0
    turns = []
    while dealt < blows:
        turns = turns or drawn.sample(kinds, len(kinds))
        blow = turns.pop()
        delay, rank = drawn.uniform(0, lifetime), drawn.randrange(devices)
        if blow.target == "start":
            took, last = _strike_start(records, trainings[-1], devices, blow)
        else:
            took, last = _strike(records, trainings[-1], devices, blow, delay, rank)
        if took is None:
            trainings.append(os.path.join(folder, str(len(trainings))))
            turns.append(blow)
            continue
        dealt += 1
        say("{:2d}  {} (rank {}, {:.1f} s): gone after {:.1f} s. {}".format(dealt, blow.name, rank, delay, took, last))
    subprocess.run(command(records, trainings[-1], devices), check=True, stdout=subprocess.DEVNULL)
    return trainings


def command(records, folder, devices):
    """The command line of the training."""
    program = os.path.join(HERE, "shallow_train.py")
    words = [sys.executable, program, "--forked", "--two-layers", *OPTIONS.split(), "--devices", str(devices)]
    words += ["--state_minutes", "0", "--rank_timeout", str(TIMEOUT), "--train_tfrecords", records]
    return [*words, "--ckptdir", os.path.join(folder, "checkpoints")]


def _strike(records, folder, devices, blow, delay, rank):
    """One start and one blow; (seconds until all were gone, last line of the errors), (None, "") when it came late."""
    states = _states(folder)
    damaged = os.path.exists(os.path.join(folder, "damaged"))
    process, ranks = _training(records, folder, devices)
    time.sleep(delay)
    begun = time.monotonic()
    late = process.poll() is not None
    if blow.target == "disk":
        _fill(os.path.join(folder, "filler"))
    else:
        struck = {"rank": ranks[rank : rank + 1], "launcher": [process.pid], "all": [process.pid, *ranks]}
        for pid in struck[blow.target]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, blow.signal)
    output, errors = process.communicate(timeout=BOUND)
    took = _all_gone(folder, begun)
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(folder, "filler"))
    if states and re.search(r"^epoch \d", output, re.MULTILINE):
        assert "resuming from" in output, output
        assert not damaged or "skipping a snapshot" in output, output
        if damaged:
            os.remove(os.path.join(folder, "damaged"))
    if late or process.returncode == 0 or _complete(folder):
        assert not late or process.returncode == 0, errors
        return None, ""
    _check(blow, process.returncode, errors, rank)
    if blow.name.startswith("power cut"):
        _damage(folder)
    return took, (errors.strip().splitlines() or [""])[-1]


def _strike_start(records, folder, devices, blow):
    """Start ranks without the launcher, where one of them cannot work."""
    words = command(records, folder, 1) + ["--is_distributed", "true"]
    with socket.socket() as other:
        other.bind(("", 0))
        port = other.getsockname()[1]
        if blow.name == "port taken":
            other.listen(1)
        else:
            other.close()
        begun = time.monotonic()
        environ = dict(os.environ, RANK_SIZE=str(devices), DENSEDEPTH_MASTER="127.0.0.1:{}".format(port), RANK_ID="0")
        process = _start(words, env=environ)
        _, errors = process.communicate(timeout=BOUND)
    _check(blow, process.returncode, errors, 0)
    return _all_gone(folder, begun), errors.strip().splitlines()[-1]


def _training(records, folder, devices):
    """Start the training; the launcher and its ranks, once they are there."""
    process = _start(command(records, folder, devices))
    while process.poll() is None and len(children(process.pid)) < devices:
        time.sleep(0.02)
    return process, children(process.pid)


def _start(words, **options):
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def _check(blow, status, errors, rank):
    assert status in blow.status, "{}: status {}\n{}".format(blow.name, status, errors)
    assert re.search(blow.told.format(rank), errors, re.MULTILINE), "{}:\n{}".format(blow.name, errors)


def _all_gone(folder, begun):
    """Wait until no process has `folder` in its command line; the seconds since `begun`."""
    while time.monotonic() < begun + BOUND:
        if not [pid for pid in os.listdir("/proc") if pid.isdigit() and folder in _words(pid)]:
            return time.monotonic() - begun
        time.sleep(0.1)
    raise AssertionError("a process is left after {} s".format(BOUND))


def _words(pid):
    try:
        with open("/proc/{}/cmdline".format(pid)) as stream:
            return stream.read() if int(pid) != os.getpid() else ""
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _fill(path):
    with contextlib.suppress(OSError), open(path, "wb", 0) as stream:
        while True:
            stream.write(bytes(1 << 20))


def _states(folder):
    """The data files of the saved states, the newest last."""
    return sorted(glob.glob(os.path.join(folder, "checkpoints", "state", "*", "step*", "model.ckpt.data*")))


def _complete(folder):
    """Whether all is written; what ends the launcher while it leaves is no blow to the training."""
    return os.path.exists(os.path.join(folder, "checkpoints", "epoch2", "model.json"))


def _damage(folder):
    """Cut the newest state in half, where there is one before it, as a file system may that did not keep its word."""
    states = _states(folder)
    if len(states) > 1:
        os.truncate(states[-1], os.path.getsize(states[-1]) // 2)
        open(os.path.join(folder, "damaged"), "w").close()


def children(pid):
    try:
        with open("/proc/{0}/task/{0}/children".format(pid)) as stream:
            return [int(word) for word in stream.read().split()]
    except FileNotFoundError:
        return []


def weights(folder):
    from densedepth.tf import tf

    reader = tf.train.load_checkpoint(os.path.join(folder, "checkpoints", "epoch2", "model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def difference(folder, other):
    """The largest difference of any variable of two trainings, relative to the variable's largest value."""
    one, two = weights(folder), weights(other)
    assert sorted(one) == sorted(two)
    return max(np.abs(one[name] - two[name]).max() / (np.abs(one[name]).max() + 1e-6) for name in one)


def undisturbed(records, folder, devices):
    """A training that nobody strikes; the seconds that its ranks live."""
    process, _ = _training(records, folder, devices)
    begun = time.monotonic()
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return time.monotonic() - begun


@contextlib.contextmanager
def small_disk(folder):
    """`folder` on a disk of its own, where that is allowed."""
    os.makedirs(folder)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + DISK, "tmpfs", folder]).returncode == 0
    if not mounted:
        print("no small disk to fill could be mounted; that blow is left out")
    try:
        yield
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--blows", type=int, default=2 * len(BLOWS) + 2)
    arguments.add_argument("--devices", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    from scenes import write_records

    with tempfile.TemporaryDirectory() as folder, small_disk(os.path.join(folder, "struck")):
        records = os.path.join(folder, "x.tfrecords")
        write_records(records, 8)
        calm = os.path.join(folder, "undisturbed")
        lifetime = undisturbed(records, calm, args.devices)
        print("undisturbed: {:.1f} s".format(lifetime), flush=True)

        def say(line):
            print(line, flush=True)

        struck = os.path.join(folder, "struck")
        for ended in survive(records, struck, args.devices, args.blows, args.seed, lifetime, say):
            print("difference to the undisturbed weights: {:.1e}".format(difference(calm, ended)))
            assert difference(calm, ended) < 1e-4


if __name__ == "__main__":
    main()
