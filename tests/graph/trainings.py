"""Trainings for the tests: small settings, in this process or by the program, and what is left of them."""

import json
import os
import sys

import numpy as np
from densedepth import platforms
from densedepth.data.records import RecordIndex
from densedepth.network import model
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import loop
from densedepth.training.settings import Segment, Settings

import warm

STEPS = 3
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shallow_train.py")


def settings(**changes):
    values = dict(
        model=model.Model(encoder="densenet121"),
        size=(64, 96),
        batch_size=2,
        steps=STEPS,
        learning_rate=1e-3,
        lr_decay=0.5,
        halving="mean",
        mirror_probability=0.5,
        swap_probability=0.5,
        batch_norm_momentum=0.9,
        seed=3,
        depth_range=(10, 1000),
    )
    values.update(changes)
    return Settings(**values)


def cpu():
    return platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", False, False))


def train(
    records, folder, first, last, start=None, kept=(), state_seconds=1e9, log_every=2, on=None, callback=None, **changes
):
    """Train on the platform `on` (default: `cpu`) by `settings(**changes)`; checkpoints go to `folder`."""
    segment = Segment(
        first=first,
        last=last,
        kept=kept,
        start=start,
        weights=None,
        folder=str(folder),
        events=os.path.join(str(folder), os.pardir, "tensorboard"),
        log_every=log_every,
        state_seconds=state_seconds,
    )
    with RecordIndex([records]) as index:
        loop.train(settings(**changes), segment, index, on or cpu(), callback or (lambda checkpoint: None))


def command(records, folder, options, *extra, first=()):
    """The words that train below `folder` by the program, with the `options` in a line of text."""
    words = [sys.executable, PROGRAM, *first, *options.split(), "--size", "64", "96", "--encoder", "densenet121"]
    words += ["--lr", "1e-3", "--seed", "3", "--log-every", "1", "--train_tfrecords", records]
    return words + ["--ckptdir", os.path.join(str(folder), "checkpoints"), *extra]


_program = warm.Warm("shallow_train", PROGRAM, os.path.dirname(PROGRAM))


def run(command, folder):
    """What `command` gives does in `folder`, in processes that need not load TensorFlow: exit status and output."""
    return _program(["--forked"] + command[2:], folder)


def values(folder):
    """{name: array} of all variables in a checkpoint."""
    reader = tf.train.load_checkpoint(os.path.join(str(folder), "model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def assert_same(folder, other, tolerance=1e-5):
    """Two checkpoints hold the same values, to `tolerance` of the largest of each variable."""
    one, two = values(folder), values(other)
    assert sorted(one) == sorted(two)
    for name in one:
        scale = np.abs(one[name]).max() + 1e-6
        np.testing.assert_allclose(one[name] / scale, two[name] / scale, atol=tolerance, err_msg=name)


def history(folder):
    with open(os.path.join(str(folder), "history.jsonl")) as stream:
        return [json.loads(line) for line in stream]


def side(folder):
    with open(os.path.join(str(folder), "model.json")) as stream:
        return json.load(stream)
