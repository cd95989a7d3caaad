"""What the recipe changes of a step, by hand-computed figures; wherever the chain is cut, the weights are the same."""

import numpy as np
import pytest
import trainings
from densedepth import multiplications, platforms
from densedepth.data.augmentation import NONE, Augmentation
from densedepth.data.records import RecordIndex
from densedepth.errors import PipelineError
from densedepth.network import architecture, checkpoints
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import optimizers, step_graph
from densedepth.training.settings import Recipe
from trainings import assert_same, train, values

RATE = 0.1
# Of each variable, so that the expected steps can be computed.
GRADIENTS = {"conv1/conv/kernel": 3.0, "conv1/bn/beta": -4.0, "conv3/kernel": 12.0, "conv3/bias": -84.0}
ENCODER = ("conv1/conv/kernel", "conv1/bn/beta")


def taken(frozen=(False,), scaled=False, **recipe):
    """([norm of each step], {name: value after the steps}) of weights that begin at 2, each of one number."""
    platform = platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", scaled, False))
    with tf.Graph().as_default(), tf.Session() as session:
        weights = []
        for name in GRADIENTS:
            shape = (1, 1, 1, 1) if name.endswith("kernel") else (1,)
            weights.append(tf.get_variable(name, shape, initializer=tf.constant_initializer(2.0)))
        loss = tf.add_n([tf.reduce_sum(weight) * GRADIENTS[weight.op.name] for weight in weights])
        steps = optimizers.Steps(tf.constant(RATE), platform, Recipe(**recipe))
        made = {kind: steps.of(loss, kind) for kind in set(frozen)}
        session.run(tf.global_variables_initializer())
        norms = [session.run(made[kind])[1] for kind in frozen]
        found = {weight.op.name: float(session.run(weight).ravel()[0]) for weight in weights}
        found["global_step"] = session.run(tf.train.get_global_step())
    return norms, found


def adam(gradient, steps=1):
    """The way of Adam through equal gradients: the rate times their sign."""
    return -RATE * steps * np.sign(gradient)


@pytest.mark.parametrize("scaled", [False, True])
def test_weight_decay_takes_its_share_of_the_kernels_beside_adams_step(scaled):
    _, found = taken(weight_decay=0.5, scaled=scaled)
    for name, gradient in GRADIENTS.items():
        kept = 1 - RATE * 0.5 if name.endswith("kernel") else 1
        np.testing.assert_allclose(found[name], 2 * kept + adam(gradient), rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("scaled", [False, True])
def test_gradients_are_clipped_together_without_the_loss_scale(scaled):
    # The epsilon of Adam shows how large a gradient is: of size e, the step is half the rate.
    share = optimizers.EPSILON / np.sqrt(1 - 0.999)
    norms, found = taken(clip_norm=85.0429 * share / 84, scaled=scaled)
    np.testing.assert_allclose(norms, [np.linalg.norm(list(GRADIENTS.values()))], rtol=1e-5)
    np.testing.assert_allclose(found["conv3/bias"], 2 + RATE / 2, rtol=2e-3)
    assert abs(found["conv1/conv/kernel"] - 2) < RATE / 10
    # Above the norm, nothing changes.
    assert taken(clip_norm=86.0, scaled=scaled) == taken(scaled=scaled)


def in_parts(factors, scaled):
    """([norm, skipped] of each step), [value of a weight after it]) where the parts of a step have these factors."""
    platform = platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", scaled, False))
    found = []
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("conv3/bias", (1,), initializer=tf.constant_initializer(2.0))
        factor = tf.placeholder(tf.float32, ())
        steps = optimizers.Steps(tf.constant(RATE), platform, Recipe(accumulate=len(factors[0])))
        last = steps.of(tf.reduce_sum(weight) * factor)
        fetches = dict(platform.figures(), last=last)
        session.run(tf.global_variables_initializer())
        for parts in factors:
            for place, value in enumerate(parts[:-1]):
                session.run(steps.before[min(place, 1)], {factor: value})
            values = session.run(fetches, {factor: parts[-1]})
            found.append((values["last"][1], values.get("skipped", 0.0), float(session.run(weight)[0])))
    return found


@pytest.mark.parametrize("scaled", [False, True])
def test_a_step_takes_the_mean_gradient_of_the_parts_of_its_batch(scaled):
    # The second step shows that nothing is left of the first.
    one, two = in_parts([(1.0, 2.0, 6.0), (-3.0, 0.0, -6.0)], scaled)
    np.testing.assert_allclose([one[0], two[0]], [3.0, 3.0], rtol=1e-6)
    np.testing.assert_allclose(one[2], 2 - RATE, rtol=1e-5)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_overflow_of_any_part_skips_the_step_and_no_other(place):
    bad = [1.0, 2.0, 6.0]
    bad[place] = 3e38
    (_, skipped, same), (norm, again, moved) = in_parts([bad, (1.0, 2.0, 6.0)], True)
    assert (skipped, same, again) == (1.0, 2.0, 0.0)
    np.testing.assert_allclose([norm, moved], [3.0, 2 - RATE], rtol=1e-5)


def test_parts_that_do_not_fit_are_refused(records, tmp_path):
    with pytest.raises(PipelineError, match=r"--accumulate 2: must divide --bs 3 \(train.batch_size\)"):
        trainings.settings(batch_size=3, recipe=Recipe(accumulate=2))
    # As on a device that computes in saturation.
    platform = platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", True, False))
    platform.saturates = True
    with pytest.raises(PipelineError, match="--accumulate 2: cannot be used with --is_loss_scale here"):
        train(records, tmp_path, 0, 1, on=platform, recipe=Recipe(accumulate=2))


def test_a_frozen_encoder_stays_and_then_begins_as_adam_does():
    norms, found = taken(frozen=(True, True, False), encoder_rate_factor=0.5, frozen_encoder_epochs=2)
    np.testing.assert_allclose(norms[0], np.hypot(12, 84), rtol=1e-5)
    np.testing.assert_allclose(norms[2], np.linalg.norm(list(GRADIENTS.values())), rtol=1e-5)
    for name, gradient in GRADIENTS.items():
        moved = 0.5 * adam(gradient) if name in ENCODER else adam(gradient, 3)
        np.testing.assert_allclose(found[name], 2 + moved, rtol=1e-5, err_msg=name)
    assert found["global_step"] == 3


def test_an_average_keeps_its_share_and_stands_in_a_checkpoint_for_what_it_follows(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("conv3/bias", (2,), initializer=tf.zeros_initializer())
        averages = optimizers.Averages()
        saver = checkpoints.saver()
        session.run(tf.global_variables_initializer())
        for value, share in (([2.0, 4.0], 0.25), ([4.0, 8.0], 0.5)):
            session.run(weight.initializer, {weight.initializer.inputs[1]: value})
            session.run(averages.step, {averages.share: share})
        checkpoint = checkpoints.write(str(tmp_path / "epoch1"), session, {"epoch": 1}, saver)
    stored = values(checkpoint.folder)
    np.testing.assert_allclose(stored["conv3/bias"], [2.75, 5.5])
    np.testing.assert_allclose(stored["conv3/bias/trained"], [4.0, 8.0])


RECIPES = {
    "schedule": dict(
        schedule="cosine", schedule_epochs=2, warmup_steps=2, weight_decay=0.1, clip_norm=0.5, loss="silog"
    ),
    "parts": dict(encoder_rate_factor=0.5, frozen_encoder_epochs=1, loss="berhu", ema_decay=0.9, accumulate=2),
}


VIEWS = Augmentation(max_zoom=1.5, max_rotation=10.0, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_chain_of_segments_equals_one_call(records, tmp_path, small_network, name):
    changes = {"recipe": Recipe(**RECIPES[name]), "augmentation": VIEWS if name == "schedule" else NONE}
    whole, chain = tmp_path / "whole" / "checkpoints", tmp_path / "chain" / "checkpoints"
    train(records, whole, 0, 2, kept=(1,), **changes)
    train(records, chain, 0, 1, **changes)
    train(records, chain, 1, 2, start=str(chain / "epoch1"), **changes)
    assert_same(whole / "epoch2", chain / "epoch2")
    one, two = (
        [entry for epoch in (1, 2) for entry in trainings.history(run / "epoch{}".format(epoch))]
        for run in (whole, chain)
    )
    for key in ("learning_rate", "loss"):
        np.testing.assert_allclose([entry[key] for entry in one], [entry[key] for entry in two], rtol=1e-5)
    if name == "parts":
        first, second = values(chain / "epoch1"), values(chain / "epoch2")
        assert np.all(first["conv1/conv/kernel/Adam"] == 0) and np.any(second["conv1/conv/kernel/Adam"] != 0)
        assert np.any(first["conv1/bn/moving_mean"] != 0)
        # The encoder's average has not moved from where it began, and only it is the network's.
        np.testing.assert_allclose(first["conv1/conv/kernel"], first["conv1/conv/kernel/trained"], rtol=1e-5)
        assert np.any(np.abs(second["conv3/kernel"] - second["conv3/kernel/trained"]) > 1e-6)


class PowerCut(Exception):
    pass


def test_a_step_that_is_cut_between_its_parts_or_before_its_average_is_taken_again(
    records, tmp_path, small_network, monkeypatch, capsys
):
    recipe = Recipe(ema_decay=0.9, accumulate=2)
    whole, cut = tmp_path / "whole" / "checkpoints", tmp_path / "cut" / "checkpoints"
    train(records, whole, 0, 2, recipe=recipe)
    average = step_graph.StepGraph.average
    taken = []

    def before_the_average(graph, session, share):
        taken.append(share)
        if len(taken) == 2:
            raise PowerCut
        average(graph, session, share)

    def between_parts(graph, session, rate, frozen, asked):
        session.run(graph._before[frozen][0])
        raise PowerCut

    for name, function in (("average", before_the_average), ("run", between_parts)):
        with monkeypatch.context() as patch, pytest.raises(PowerCut):
            patch.setattr(step_graph.StepGraph, name, function)
            train(records, cut, 0, 2, state_seconds=0, recipe=recipe)
    train(records, cut, 0, 2, recipe=recipe)
    told = [line for line in capsys.readouterr().out.splitlines() if "resuming" in line]
    assert [line.partition("step ")[2].split()[0] for line in told] == ["1", "1"]
    assert_same(whole / "epoch2", cut / "epoch2")


def test_the_network_of_a_step_is_built_in_the_scope_of_the_platform(records, monkeypatch):
    """In bfloat16 that is where every multiplication is asked for."""
    platform = platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", False, False))
    monkeypatch.setattr(platform, "network_scope", multiplications.every)

    def network(*args, **kwargs):
        assert multiplications.are_all_wanted()
        raise PowerCut

    monkeypatch.setattr(architecture, "predict", network)
    with RecordIndex([records]) as index, tf.Graph().as_default(), pytest.raises(PowerCut):
        step_graph.StepGraph(trainings.settings(batch_size=1), index, platform)
