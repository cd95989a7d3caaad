"""The graph that the platform ascend makes of a training step: loss scaling, exchange, loops, checkpoints."""

import numpy as np
import pytest
from ascend_steps import names, options, small_step, started
from densedepth import platforms
from densedepth.errors import PipelineError
from densedepth.network import checkpoints
from densedepth.tf import tf
from densedepth.training import optimizers


def test_loss_scale_outside_distributed_inside(eight, graph):
    small_step(started())
    assert names(eight)[:4] == [
        "keep_dtype_scope",
        "NPUDistributedOptimizer",
        "ExponentialUpdateLossScaleManager",
        "NPULossScaleOptimizer",
    ]
    (inner,), (outer,) = eight.called("NPUDistributedOptimizer"), eight.called("NPULossScaleOptimizer")
    assert isinstance(inner["optimizer"], optimizers.Adam) and inner["is_weight_update_sharding"] is False
    assert type(outer["opt"]).__name__ == "NPUDistributedOptimizer" and outer["is_distributed"] is True
    assert eight.called("ExponentialUpdateLossScaleManager") == [
        dict(init_loss_scale=65536.0, incr_every_n_steps=1000, decr_every_n_nan_or_inf=1, incr_ratio=2, decr_ratio=0.5)
    ]
    assert not set(names(eight)) & {"get_rank_size", "get_rank_id", "initialize_system", "import npu_init"}


def test_one_rank_is_not_distributed(bridge, graph):
    small_step(started())
    (outer,) = bridge.called("NPULossScaleOptimizer")
    assert isinstance(outer["opt"], optimizers.Adam) and outer["is_distributed"] is False
    assert not bridge.called("NPUDistributedOptimizer") and not bridge.called("allreduce")


def test_without_loss_scale_the_optimizer_is_plain(bridge, graph):
    platform = started(is_loss_scale=False)
    _, _, variables = small_step(platform)
    # For the loss, and for the norm of the gradients.
    assert names(bridge) == ["keep_dtype_scope", "keep_dtype_scope"]
    assert platform.figures() == {}
    assert "loss_scale" not in variables


def test_a_fixed_loss_scale(bridge, graph):
    platform = started(loss_scale="1024")
    _, _, variables = small_step(platform)
    assert bridge.called("FixedLossScaleManager") == [dict(loss_scale=1024.0, enable_overflow_check=True)]
    assert "loss_scale" not in variables
    assert sorted(platform.figures()) == ["loss_scale", "skipped"]


def test_one_allreduce_a_variable_and_one_for_the_flag(eight, graph):
    small_step(started())
    calls = eight.called("allreduce")
    assert [(c["reduction"], c["fusion"], c["fusion_id"], c["group"]) for c in calls] == [
        ("sum", 1, -1, "hccl_world_group"),
        ("sum", 1, -1, "hccl_world_group"),
        ("sum", 0, -1, "hccl_world_group"),
    ]
    found = [op.name for op in graph.get_operations() if "HcomAllReduce" in op.name]
    assert found == ["DistributedAdam_Allreduce/HcomAllReduce", "DistributedAdam_Allreduce/HcomAllReduce_1"] + [
        "HcomAllReduce"
    ]


def test_the_loss_keeps_its_type_and_the_rest_does_not(bridge, graph):
    small_step(started())
    kept = {op.name for op in graph.get_operations() if "_keep_dtype" in op.node_def.attr}
    assert "the_loss" in kept and not [name for name in kept if name.startswith(("x", "y", "gradients"))]


@pytest.mark.parametrize("scaled", [True, False])
def test_names_of_the_state_are_the_same_with_and_without_loss_scale(eight, graph, scaled):
    _, _, variables = small_step(started(is_loss_scale=scaled))
    plain = {"x", "y", "x/Adam", "x/Adam_1", "y/Adam", "y/Adam_1", "beta1_power", "beta2_power", "global_step"}
    assert set(variables) == plain | (set(checkpoints.LOSS_SCALE) if scaled else set())


def test_scaled_steps_equal_plain_ones(eight):
    results = []
    for platform in (started(), platforms.create("cpu_gpu", options())):
        with tf.Graph().as_default(), tf.Session() as session:
            step, norm, variables = small_step(platform)
            session.run(tf.global_variables_initializer())
            norms = [session.run([step, norm])[1] for _ in range(5)]
            results.append((norms, session.run({n: variables[n] for n in ("x", "y", "beta1_power", "global_step")})))
    (norms, scaled), (plain_norms, plain) = results
    np.testing.assert_allclose(norms, plain_norms, rtol=1e-5)
    for name in plain:
        np.testing.assert_allclose(scaled[name], plain[name], rtol=1e-5, err_msg=name)


def test_an_overflow_skips_the_step_and_halves_the_scale(eight, graph):
    platform = started(initial_loss_scale=str(3 * 10**38))
    step, _, variables = small_step(platform, start=1e6)
    figures = platform.figures()
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        skipped = session.run([step, figures["skipped"]])[1]
        state = session.run({n: variables[n] for n in ("x", "beta1_power", "global_step", "loss_scale")})
    assert skipped == 1.0
    assert state["global_step"] == 0 and (state["x"] == 1e6).all() and state["beta1_power"] == np.float32(0.9)
    np.testing.assert_allclose(state["loss_scale"], 1.5e38, rtol=1e-6)


def graph_assigns(operation):
    return [op for op in operation.graph.get_operations() if op.type == "Assign" and op in operation.control_inputs]


def test_broadcast_covers_the_whole_state(eight, graph):
    platform = started()
    small_step(platform)
    operation = platform.broadcast(tf.global_variables())
    calls = eight.called("broadcast")
    sent = {call["tensor"][0].op.name for call in calls}
    assert all(len(call["tensor"]) == 1 and call["root_rank"] == 0 for call in calls)
    floats = {v.op.name for v in tf.global_variables() if v.dtype.base_dtype.is_floating}
    assert floats <= sent and len(calls) == len(tf.global_variables())
    # Not every version broadcasts int64; and nothing says that types may be fused.
    assert {(call["tensor"][0].dtype.base_dtype, call["fusion"]) for call in calls} == {(tf.float32, 2), (tf.int32, 0)}
    assert {op.inputs[0].op.name for op in graph_assigns(operation)} == {v.op.name for v in tf.global_variables()}
    assert {"x/Adam", "beta1_power", "loss_scale"} <= sent
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        before = session.run(tf.global_variables())
        session.run(operation)
        for one, other in zip(before, session.run(tf.global_variables())):
            np.testing.assert_array_equal(one, other)


def test_one_rank_broadcasts_nothing(bridge, graph):
    platform = started()
    small_step(platform)
    assert platform.broadcast(tf.global_variables()) is None
    assert not bridge.called("broadcast")


def test_totals_are_summed_over_the_ranks(eight, graph):
    with tf.Session() as session:
        assert session.run(started().total(tf.constant([1.0, 2.0]))).tolist() == [8.0, 16.0]
    assert [(c["reduction"], c["fusion"]) for c in eight.called("allreduce")] == [("sum", 0)]


def test_iterations_per_loop(bridge, graph):
    platform = started(iterations_per_loop="4")
    step, _, _ = small_step(platform)
    with tf.Session() as session:
        prepared = platform.prepare(session, step)
        loaded = {v.op.name: session.run(v) for v in tf.local_variables()}
    assert prepared.name == "IterationOp"
    assert loaded["npu_runconfig/iterations_per_loop"] == 3
    assert not [v for v in tf.global_variables() if "npu_runconfig" in v.op.name], "must not be saved"


def test_a_loop_under_another_name_is_refused(bridge, graph):
    platform = started(iterations_per_loop="4")
    step, _, _ = small_step(platform)
    with tf.Session() as session, tf.name_scope("somewhere"):
        with pytest.raises(PipelineError, match="named somewhere/IterationOp, not IterationOp"):
            platform.prepare(session, step)


def saved(platform, folder):
    with tf.Graph().as_default(), tf.Session() as session:
        step, _, _ = small_step(platform)
        session.run(tf.global_variables_initializer())
        session.run(step)
        checkpoint = checkpoints.write(str(folder), session, {})
        return checkpoint, session.run({v.op.name: v for v in tf.global_variables()})


def restored(platform, checkpoint):
    with tf.Graph().as_default(), tf.Session() as session:
        small_step(platform)
        checkpoints.restore(session, checkpoint, checkpoints.saver())
        return session.run({v.op.name: v for v in tf.global_variables()})


def test_checkpoints_move_between_platforms(eight, tmp_path):
    plain, scaled = (platforms.create("cpu_gpu", options(is_loss_scale=value)) for value in (False, True))
    npu = started(loss_scale_growth_steps="1")
    checkpoint, state = saved(npu, tmp_path / "npu")
    assert state["loss_scale"] == 2.0**17
    np.testing.assert_equal(restored(npu, checkpoint), state)
    without = {name: value for name, value in state.items() if name not in checkpoints.LOSS_SCALE}
    np.testing.assert_equal(restored(plain, checkpoint), without)
    del state["bad_steps"]
    np.testing.assert_equal(restored(scaled, checkpoint), state)
    checkpoint, state = saved(plain, tmp_path / "plain")
    np.testing.assert_equal(restored(npu, checkpoint), dict(state, loss_scale=2.0**16, good_steps=0, bad_steps=0))
    checkpoint, state = saved(scaled, tmp_path / "scaled")
    assert state["good_steps"] == 1
    np.testing.assert_equal(restored(npu, checkpoint), dict(state, bad_steps=0))


def test_nothing_else_may_be_missing(eight, graph, tmp_path):
    tf.get_variable("x", (3,), initializer=tf.ones_initializer())
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        checkpoint = checkpoints.write(str(tmp_path / "few"), session, {})
    with pytest.raises(PipelineError, match="variables do not fit, first"):
        restored(started(), checkpoint)
