"""The learning rate and the frozen encoder are functions of the position in the run."""

import numpy as np
import pytest
import trainings
from densedepth.errors import PipelineError
from densedepth.training import schedules
from densedepth.training.settings import Recipe


def settings(**recipe):
    return trainings.settings(steps=10, learning_rate=0.1, lr_decay=0.5, recipe=Recipe(**recipe))


def rates(settings, steps=40):
    return [schedules.learning_rate(settings, position) for position in range(steps)]


def test_the_reference_recipe_has_one_rate_an_epoch():
    assert rates(settings()) == [0.1 * 0.5 ** (step // 10) for step in range(40)]


def test_a_cosine_falls_from_the_first_rate_to_none_after_the_warm_up():
    found = rates(settings(schedule="cosine", schedule_epochs=4, warmup_steps=8))
    np.testing.assert_allclose(found[:8], np.arange(1, 9) / 80)
    np.testing.assert_allclose(found[8:], 0.05 * (1 + np.cos(np.pi * np.arange(32) / 32)))
    assert schedules.learning_rate(settings(schedule="cosine", schedule_epochs=4), 40) == 0


def test_a_warm_up_multiplies_the_rate_of_each_epoch():
    found = rates(settings(warmup_steps=15))
    np.testing.assert_allclose(found[9:11], [0.1 * 10 / 15, 0.05 * 11 / 15])
    assert found[14:] == rates(settings())[14:]


def test_the_encoder_is_frozen_for_whole_epochs():
    frozen = [schedules.encoder_frozen(settings(frozen_encoder_epochs=2), position) for position in range(40)]
    assert frozen == [True] * 20 + [False] * 20


def test_an_average_keeps_less_at_first():
    shares = [schedules.average_share(settings(ema_decay=0.5), position) for position in (0, 1, 2, 100)]
    np.testing.assert_allclose(shares, [2 / 11, 3 / 12, 4 / 13, 0.5])


@pytest.mark.parametrize(
    "recipe, words",
    [
        ({"schedule_epochs": 2}, "--schedule_epochs 2: must be at least --epochs 3"),
        ({"schedule_epochs": 3, "warmup_steps": 30}, "--warmup_steps 30: must be less than the 30 steps of the run"),
    ],
)
def test_a_schedule_that_does_not_fit_the_run_is_refused(recipe, words):
    with pytest.raises(PipelineError, match=words):
        schedules.check(settings(schedule="cosine", **recipe), 3)
