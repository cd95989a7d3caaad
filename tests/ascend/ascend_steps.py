"""A started platform ascend, and a training step on it."""

import dataclasses
import os

import densedepth
from densedepth import platforms
from densedepth.platforms import ranks
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import optimizers

SCRIPTS = os.path.dirname(os.path.dirname(os.path.abspath(densedepth.__file__)))
DOUBLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "doubles")


def options(is_loss_scale=True, **extra):
    return Options("allow_mix_precision", "high_precision", is_loss_scale, True, extra=extra)


def started(is_loss_scale=True, **extra):
    here = ranks.find(os.environ, 60)
    platform = platforms.create("ascend", dataclasses.replace(options(is_loss_scale, **extra), ranks=here))
    platform.start()
    return platform


def names(bridge):
    return [name for name, _ in bridge.calls]


def small_step(platform, start=1.0):
    """A training step on two variables: (operation, norm, {name: variable})."""
    x = tf.get_variable("x", (3,), initializer=tf.constant_initializer(start))
    y = tf.get_variable("y", (2, 2), initializer=tf.ones_initializer())
    with platform.loss_scope():
        loss = tf.add(tf.reduce_sum(tf.square(x)), tf.reduce_sum(tf.square(y)), name="the_loss")
    step, norm = optimizers.training_step(loss, tf.constant(0.1), platform)
    return step, norm, {v.op.name: v for v in tf.global_variables()}
