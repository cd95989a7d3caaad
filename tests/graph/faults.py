"""A training of several ranks, struck at random moments until it has survived so many blows. Also a program:

    python tests/graph/faults.py --blows 20 --devices 2

A blow is a signal to one rank or to the launcher at a moment drawn from a seed, from the start of the ranks on.
After each, all processes must be gone within a bounded time; then the same command is given again. At the end the
weights must be those of a training that nobody struck.
"""

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "unit"), os.path.join(HERE, "..", "..", "workflow", "scripts")]

OPTIONS = "--epochs 2 --steps 24 --bs 1 --size 64 96 --encoder densenet121 --lr 1e-3 --seed 3 --log-every 1"
# Seconds after which a rank that gives no sign counts as lost, and within which all must be gone after a blow.
TIMEOUT, BOUND = 5, 60
# A stopped launcher is no fault: it goes on when it is continued.
BLOWS = [("rank", signal.SIGKILL), ("rank", signal.SIGSTOP), ("rank", signal.SIGTERM)]
BLOWS += [("launcher", signal.SIGKILL), ("launcher", signal.SIGTERM)]


def survive(records, folder, devices, blows, seed, say=print):
    """Strike a training in `folder` `blows` times, then let it end; returns the number of trainings that ended.

    A training that ends before a blow falls counts, and the next begins in a folder of its own.
    """
    drawn = random.Random(seed)
    ended = [os.path.join(folder, "0")]
    dealt = 0
    while dealt < blows:
        target, number = drawn.choice(BLOWS)
        delay, rank = drawn.uniform(0, 12), drawn.randrange(devices)
        status, last = _strike(records, ended[-1], devices, target, number, delay, rank)
        if status == 0:
            say("ended before the blow at {:.1f} s".format(delay))
            ended.append(os.path.join(folder, str(len(ended))))
            continue
        dealt += 1
        name = "rank {}".format(rank) if target == "rank" else "the launcher"
        say("{:2d}  {} to {} after {:.1f} s: status {} {}".format(dealt, number.name, name, delay, status, last))
    subprocess.run(command(records, ended[-1], devices), check=True, stdout=subprocess.DEVNULL)
    return ended


def command(records, folder, devices):
    """The command line of the training."""
    words = [sys.executable, os.path.join(HERE, "shallow_train.py"), *OPTIONS.split(), "--devices", str(devices)]
    words += ["--state_minutes", "0", "--rank_timeout", str(TIMEOUT), "--train_tfrecords", records]
    return [*words, "--ckptdir", os.path.join(folder, "checkpoints")]


def _strike(records, folder, devices, target, number, delay, rank):
    """One start and one blow; (status, last line of the errors). AssertionError when a process is left."""
    process = subprocess.Popen(
        command(records, folder, devices), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and len(children(process.pid)) < devices:
        time.sleep(0.02)
    struck = children(process.pid)
    time.sleep(delay)
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(struck[rank] if target == "rank" else process.pid, number)
    _, errors = process.communicate(timeout=300)
    for pid in struck:
        _wait_gone(pid)
    return process.returncode, (errors.strip().splitlines() or [""])[-1]


def children(pid):
    try:
        with open("/proc/{0}/task/{0}/children".format(pid)) as stream:
            return [int(word) for word in stream.read().split()]
    except FileNotFoundError:
        return []


def _wait_gone(pid):
    for _ in range(10 * BOUND):
        if not os.path.exists("/proc/{}".format(pid)):
            return
        time.sleep(0.1)
    raise AssertionError("process {} is left after {} s".format(pid, BOUND))


def weights(folder):
    from densedepth.tf import tf

    reader = tf.train.load_checkpoint(os.path.join(folder, "checkpoints", "epoch2", "model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def difference(folder, other):
    """The largest difference of any variable of two trainings, relative to the variable's largest value."""
    one, two = weights(folder), weights(other)
    assert sorted(one) == sorted(two)
    return max(np.abs(one[name] - two[name]).max() / (np.abs(one[name]).max() + 1e-6) for name in one)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--blows", type=int, default=20)
    arguments.add_argument("--devices", type=int, default=2)
    arguments.add_argument("--seed", type=int, default=0)
    args = arguments.parse_args()
    from scenes import write_records

    with tempfile.TemporaryDirectory() as folder:
        records = os.path.join(folder, "x.tfrecords")
        write_records(records, 8)
        undisturbed = os.path.join(folder, "undisturbed")
        subprocess.run(command(records, undisturbed, args.devices), check=True, stdout=subprocess.DEVNULL)
        for ended in survive(records, os.path.join(folder, "struck"), args.devices, args.blows, args.seed):
            print("difference to the undisturbed weights: {:.1e}".format(difference(undisturbed, ended)))
            assert difference(undisturbed, ended) < 1e-4


if __name__ == "__main__":
    main()
