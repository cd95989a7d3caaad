"""Dynamic loss scale."""

import numpy as np
import pytest
from densedepth import platforms
from densedepth.platforms import loss_scale
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import optimizers


def platform(scaled):
    return platforms.create("cpu_gpu", Options("allow_mix_precision", "high_precision", scaled, False))


class Steps:
    """A weight w, trained on the loss x * w by a platform with or without loss scale."""

    def __init__(self, scaled):
        self.platform = platform(scaled)
        with tf.Graph().as_default():
            self.x = tf.placeholder(tf.float32, ())
            w = tf.get_variable("w", (), initializer=tf.constant_initializer(1.0))
            train, _ = optimizers.training_step(self.x * w, tf.constant(0.1), self.platform)
            self.fetches = dict(self.platform.figures(), train=train)
            self.variables = {v.op.name: v for v in tf.global_variables()}
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())

    def __call__(self, x):
        return self.session.run(self.fetches, {self.x: x})

    def state(self):
        return self.session.run(self.variables)


@pytest.fixture
def steps():
    made = Steps(True)
    yield made
    made.session.close()


def test_scaled_steps_equal_plain_ones(steps):
    plain = Steps(False)
    for x in (1.0, -3.0, 1e-3):
        steps(x), plain(x)
    state = steps.state()
    assert state.pop("loss_scale") == loss_scale.INITIAL and state.pop("good_steps") == 3
    assert state == plain.state()


def test_an_overflow_skips_the_step_and_halves_the_scale(steps):
    steps(1.0)
    before = steps.state()
    figures = steps(1e36)
    assert figures["skipped"] == 1 and figures["loss_scale"] == loss_scale.INITIAL
    assert steps.state() == dict(before, loss_scale=loss_scale.INITIAL / 2, good_steps=0)
    figures = steps(1.0)
    assert figures["skipped"] == 0 and figures["loss_scale"] == loss_scale.INITIAL / 2
    assert steps.state()["global_step"] == 2


def test_the_scale_never_falls_below_one(steps):
    for _ in range(20):
        steps(np.nan)
    assert steps.state()["loss_scale"] == 1


def test_the_scale_doubles_after_enough_good_steps(monkeypatch):
    monkeypatch.setattr(loss_scale, "GROWTH_STEPS", 2)
    steps = Steps(True)
    assert [steps(1.0)["loss_scale"] / loss_scale.INITIAL for _ in range(5)] == [1, 1, 2, 2, 4]
