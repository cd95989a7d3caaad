"""What the platform ascend asks of the bridge, in which order, and the graph that comes of it."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import trainings
from densedepth import files, platforms
from densedepth.errors import PipelineError
from densedepth.network import architecture, checkpoints
from densedepth.platforms import ascend_rank_table, ranks
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import checks, loop, optimizers
from scenes import write_records

SCRIPTS = os.path.dirname(os.path.dirname(os.path.dirname(loop.__file__)))
DOUBLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "doubles")
# The stages that compute on the host.
HOST = sorted(
    name[: -len(".py")]
    for name in os.listdir(SCRIPTS)
    # The settings are checked by the interpreter of Snakemake.
    if name.endswith(".py") and name not in ("train.py", "cli.py", "check_config.py")
)


def options(is_loss_scale=True, **extra):
    return Options("allow_mix_precision", "high_precision", is_loss_scale, True, extra=extra)


def started(is_loss_scale=True, **extra):
    here = ranks.find(os.environ, 60)
    platform = platforms.create("ascend", dataclasses.replace(options(is_loss_scale, **extra), ranks=here))
    platform.start()
    return platform


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """DenseNet-121 with one layer a block: the same code, quick to build."""
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


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


# --- start ---


def test_nothing_is_imported_before_the_start(bridge):
    for name in [name for name in sys.modules if name.startswith("npu_bridge.")]:
        del sys.modules[name]
    platform = platforms.create("ascend", options())
    platform.notes(), platform.session_config()
    assert not [name for name in sys.modules if name.startswith("npu_bridge.")]
    platform.start()
    assert "npu_bridge.hccl.hccl_ops" in sys.modules
    assert "npu_bridge.npu_init" not in sys.modules
    assert bridge.calls == []


@pytest.mark.parametrize("program", ["train"] + HOST)
def test_programs_do_not_import_the_bridge(program):
    """In a process of its own, with a bridge on the path that could be imported."""
    code = "import sys, {}; sys.exit(any(name.split('.')[0] in ('npu_bridge', 'hccl') for name in sys.modules))"
    path = os.pathsep.join([SCRIPTS, DOUBLES])
    subprocess.check_call([sys.executable, "-c", code.format(program)], env=dict(os.environ, PYTHONPATH=path))


def test_only_training_rests_on_the_platform():
    from densedepth.imports import sources

    for program in HOST:
        used = [os.path.relpath(path, SCRIPTS) for path in sources(os.path.join(SCRIPTS, program + ".py"))]
        platform_files = {os.path.basename(path) for path in used if os.sep + "platforms" + os.sep in path}
        expected = {"__init__.py", "ascend_rank_table.py"} if program == "make_rank_table" else set()
        assert platform_files == expected, program


def test_without_the_bridge_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "npu_bridge", None)
    for name in [name for name in sys.modules if name.startswith("npu_bridge.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(PipelineError, match=r"npu_bridge.* cannot be imported .*set_env.sh"):
        started()


def test_another_tensorflow_is_refused(bridge, monkeypatch):
    monkeypatch.setattr(tf, "VERSION", "2.21.0")
    with pytest.raises(PipelineError, match=r"needs TensorFlow 1.15, this is 2.21.0"):
        started()


def test_the_rank_comes_from_the_environment(eight):
    platform = started()
    assert (platform.rank, platform.size) == (3, 8)


def test_a_launcher_and_an_environment_that_disagree_are_refused(eight):
    class Ranks:
        rank, size = 2, 8

    platform = platforms.create("ascend", dataclasses.replace(options(), ranks=Ranks))
    with pytest.raises(PipelineError, match="say rank 3 of 8, the launcher says 2 of 8"):
        platform.start()


def test_a_rank_of_slurm_gets_the_names_that_the_engine_reads(eight, monkeypatch):
    for name in ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "ASCEND_DEVICE_ID", "HCCL_CONNECT_TIMEOUT"):
        monkeypatch.delenv(name)

    class Ranks:
        rank, size, master = 5, 8, None

    platform = platforms.create("ascend", dataclasses.replace(options(), ranks=Ranks))
    platform.start()
    assert (platform.rank, platform.size) == (5, 8)
    found = [os.environ[name] for name in ("RANK_ID", "RANK_SIZE", "ASCEND_DEVICE_ID", "HCCL_CONNECT_TIMEOUT")]
    assert found == ["5", "8", "5", "600"]


def test_one_device_leaves_a_rank_table_aside(eight, monkeypatch, capsys):
    for name in ("RANK_ID", "RANK_SIZE"):
        monkeypatch.delenv(name)
    platform = started()
    assert (platform.rank, platform.size) == (0, 1) and "RANK_TABLE_FILE" not in os.environ
    assert "RANK_TABLE_FILE is ignored" in capsys.readouterr().out


def test_what_the_user_has_set_of_the_environment_stays(bridge, monkeypatch, tmp_path):
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "1800")
    monkeypatch.setenv("JOB_ID", "mine")
    addresses = ["192.168.{}.101".format(100 + n) for n in range(4)]
    found = platforms.kind("ascend").environments(2, str(tmp_path), addresses)
    assert [(e["RANK_ID"], e["JOB_ID"], e["HCCL_CONNECT_TIMEOUT"]) for e in found] == [
        ("0", "mine", "1800"),
        ("1", "mine", "1800"),
    ]
    devices = ascend_rank_table.load(found[0]["RANK_TABLE_FILE"])
    assert [(device.device, device.address) for device in devices] == [(0, addresses[0]), (1, addresses[1])]
    with pytest.raises(PipelineError, match="4 addresses of Ascend devices for 8 devices"):
        platforms.kind("ascend").environments(8, str(tmp_path), addresses)


def test_what_the_engine_reads_is_set(bridge, monkeypatch):
    for name in ("JOB_ID", "ENABLE_FORCE_V2_CONTROL", "HCCL_CONNECT_TIMEOUT"):
        monkeypatch.delenv(name)
    started()
    assert (os.environ["JOB_ID"], os.environ["ENABLE_FORCE_V2_CONTROL"]) == ("densedepth", "1")
    assert os.environ["HCCL_CONNECT_TIMEOUT"] == "600"


# --- the session ---


def test_the_whole_session_proto(bridge, tmp_path):
    platform = started(session_device_id="3", op_compiler_cache_mode="enable", op_compiler_cache_dir=str(tmp_path))
    expected = tf.ConfigProto(allow_soft_placement=True)
    rewrite = expected.graph_options.rewrite_options
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

    rewrite.remapping = RewriterConfig.OFF
    rewrite.memory_optimization = RewriterConfig.OFF
    optimizer = rewrite.custom_optimizers.add()
    optimizer.name = "NpuOptimizer"
    for name in ("use_off_line", "hcom_parallel"):
        optimizer.parameter_map[name].b = True
    for name in ("is_tailing_optimization", "mix_compile_mode", "enable_data_pre_proc"):
        optimizer.parameter_map[name].b = False
    for name, value in dict(graph_run_mode=1, iterations_per_loop=1, session_device_id=3).items():
        optimizer.parameter_map[name].i = value
    words = dict(
        precision_mode=b"allow_mix_precision",
        op_select_implmode=b"high_precision",
        op_compiler_cache_mode=b"enable",
        op_compiler_cache_dir=str(tmp_path).encode(),
    )
    for name, value in words.items():
        optimizer.parameter_map[name].s = value
    assert platform.session_config() == expected
    for value in platform.session_config().graph_options.rewrite_options.custom_optimizers[0].parameter_map.values():
        assert value.WhichOneof("value") in ("b", "i", "s")


# --- the optimizer ---


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


# --- state of all ranks ---


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


# --- iterations per loop ---


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


# --- one checkpoint format ---


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


# --- the training itself ---


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "x.tfrecords"
    write_records(path, 8)
    return str(path)


def train(records, folder, platform, first, last, start=None, log_every=1, steps=2):
    changes = dict(batch_size=1, steps=steps, learning_rate=1e-4, log_every=log_every)
    trainings.train(records, folder, first, last, start=start, on=platform, **changes)
    return str(folder / "epoch{}".format(last))


def watch(monkeypatch):
    """Records (graph, fetches, feeds) of each session.run that trains."""
    seen = []
    run = tf.Session.run

    def watched(self, fetches, feed_dict=None, **rest):
        if isinstance(fetches, dict) and "train" in fetches:
            flat = dict(fetches, **fetches["figures"])
            del flat["figures"]
            found = tuple(sorted((name, fetch.name) for name, fetch in flat.items()))
            seen.append((self.graph, found, tuple(sorted(feed.name for feed in feed_dict))))
        return run(self, fetches, feed_dict=feed_dict, **rest)

    monkeypatch.setattr(tf.Session, "run", watched)
    return seen


def _as_rank(rank, records, folder, monkeypatch, start=None):
    """A training by `rank` of eight: its graph, and the names of what its session runs until the first step's end."""
    monkeypatch.setenv("RANK_ID", str(rank))
    first = 1 if start else 0
    ran, graphs = [], []
    run = tf.Session.run

    def watched(self, fetches, feed_dict=None, **rest):
        if not graphs:
            flat = tf.nest.flatten(fetches)
            ran.append(
                (
                    [getattr(fetch, "name", fetch) for fetch in flat],
                    sorted(getattr(feed, "name", feed) for feed in feed_dict or {}),
                )
            )
        if isinstance(fetches, dict) and "train" in fetches:
            assert self._config == platform.session_config()
            graphs.append(self.graph.as_graph_def())
        return run(self, fetches, feed_dict=feed_dict, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(tf.Session, "run", watched)
        platform = started()
        train(records, folder, platform, first, first + 1, start=start)
    return graphs[0], ran


@pytest.mark.parametrize("begun", [False, True], ids=["new", "from a checkpoint"])
def test_every_rank_has_the_same_graph_and_makes_the_same_calls(eight, records, tmp_path, monkeypatch, begun):
    start = train(records, tmp_path / "start", platforms.create("cpu_gpu", options()), 0, 1) if begun else None
    (first, calls), (other, other_calls) = (
        _as_rank(rank, records, tmp_path / str(rank), monkeypatch, start) for rank in (0, 5)
    )
    assert calls == other_calls and len(calls) > 3
    assert [node.name for node in first.node] == [node.name for node in other.node]
    # The input's functions are registered under running numbers, which a process of its own would count alike.
    assert not [a.name for a, b in zip(first.node, other.node) if a != b and "Dataset" not in a.op]
    _assert_in_training(first, calls)


def _assert_in_training(graph, calls):
    """What the tests above show of the platform, in the graph of a training and in what its session runs."""
    nodes = {node.name: node for node in graph.node}
    kept = {name for name, node in nodes.items() if "_keep_dtype" in node.attr}
    # The loss, and the figures of all ranks.
    shared = [name for name in nodes if name.startswith("HcomAllReduce") and name in kept]
    assert len(kept) > 50 and len(shared) == 1
    assert not [name for name in kept if name.startswith("gradients")]
    run = [name for names, _ in calls for name in names if name in nodes]
    broadcasts = [name for name in run if any(i.startswith("^HcomBroadcast") for i in nodes[name].input)]
    assert len(broadcasts) == 1
    variables = [name for name, node in nodes.items() if node.op in ("VariableV2", "Variable")]
    assigned = {nodes[i[1:]].input[0] for i in nodes[broadcasts[0]].input if nodes[i[1:]].op == "Assign"}
    assert len(variables) > 30 and assigned == set(variables)


# Operations that stay on the host.
_INPUT_AND_FILES = ("Iterator", "Dataset", "OneShot", "Save", "Restore", "MergeV2", "Placeholder")


def test_a_run_of_several_ranks_from_cpu_to_ascend_and_back(eight, records, tmp_path, monkeypatch):
    cpu = platforms.create("cpu_gpu", options())
    one = train(records, tmp_path / "a", cpu, 0, 1)
    seen = watch(monkeypatch)
    platform = started()
    # The stand-in has no other ranks, so this one saves.
    platform.rank = 0
    two = train(records, tmp_path / "b", platform, 1, 2, start=one)
    assert len(seen) == 2 and len(set(seen)) == 1, "one fetch set, one graph"
    graph, fetches, _ = seen[0]
    assert {"loss_scale", "skipped"} <= {name for name, _ in fetches}
    _assert_static(graph, [name for _, name in fetches])
    sent = {call["tensor"][0].op.name for call in eight.called("broadcast")}
    with graph.as_default():
        floats = {v.op.name for v in tf.global_variables() if v.dtype.base_dtype.is_floating}
    assert floats <= sent
    stored = tf.train.load_checkpoint(os.path.join(two, "model.ckpt")).get_variable_to_shape_map()
    assert set(checkpoints.LOSS_SCALE) | {"beta1_power", "beta2_power"} <= set(stored)
    assert not [name for name in stored if name.startswith("cond")]
    three = train(records, tmp_path / "c", platforms.create("cpu_gpu", options()), 2, 3, start=two)
    assert files.read_json(os.path.join(three, "model.json"))["epoch"] == 3


def _assert_static(graph, fetched):
    """All shapes between the variables, the input and what is fetched are known, and no operation is foreign."""
    waiting = [graph.as_graph_element(name) for name in fetched]
    seen = set()
    while waiting:
        element = waiting.pop()
        operation = element if isinstance(element, tf.Operation) else element.op
        if operation in seen:
            continue
        seen.add(operation)
        waiting.extend(list(operation.inputs) + list(operation.control_inputs))
        # BroadcastGradientArgs of constant shapes is itself folded to a constant.
        if operation.type.startswith(_INPUT_AND_FILES) or operation.type == "BroadcastGradientArgs":
            continue
        assert operation.type not in ("Assert", "Print", "StringFormat"), operation.name
        # The sixth output of this one is a GPU's working space, which TensorFlow 1.15 never gives a shape.
        outputs = operation.outputs[:5] if operation.type == "FusedBatchNormV3" else operation.outputs
        for output in outputs:
            assert output.shape.is_fully_defined(), "{} {}".format(output.name, output.shape)
            assert output.dtype.base_dtype not in (tf.float64, tf.string, tf.variant), output.name
    assert len(seen) > 500


def test_the_launcher_starts_each_rank_with_its_device_and_folder(bridge, records, tmp_path):
    table = str(tmp_path / "table.json")
    files.write_json(table, ascend_rank_table.build("10.0.0.1", {4: "192.168.0.4", 5: "192.168.0.5"}))
    program = os.path.join(os.path.dirname(DOUBLES), "graph", "shallow_train.py")
    words = (
        "--platform ascend --devices 2 --epochs 1 --steps 4 --bs 1 --size 64 96 --encoder densenet121 --ckptdir run/c"
    )
    process = subprocess.run(
        [sys.executable, program, "--train_tfrecords", records] + words.split(),
        env=dict(os.environ, PYTHONPATH=DOUBLES, RANK_TABLE_FILE=table),
        cwd=str(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.returncode == 0, process.stdout
    side = files.read_json(str(tmp_path / "run" / "c" / "epoch1" / "model.json"))
    assert side["performance"]["world_size"] == 2 and side["global_step"] == 2
    assert sorted(os.listdir(str(tmp_path / "run" / "ranks"))) == ["rank0", "rank1"]
    assert "train" in (tmp_path / "run" / "ranks" / "rank1" / "log").read_text()


def test_training_in_loops_counts_their_steps(bridge, records, tmp_path, monkeypatch):
    seen = watch(monkeypatch)
    folder = train(records, tmp_path / "a", started(iterations_per_loop="4"), 0, 1, steps=12, log_every=4)
    assert {name for _, fetches, _ in seen for key, name in fetches if key == "train"} == {"IterationOp"}
    with open(os.path.join(folder, "history.jsonl")) as stream:
        assert stream.read().count('"steps": 4') == 3
    side = files.read_json(os.path.join(folder, "model.json"))
    assert side["global_step"] == 12
    # The first run, in which the device compiles, is not timed.
    assert side["performance"]["timed_steps"] == 8


def test_overflows_without_end_are_told(bridge, records, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_MOST_SKIPPED", 2)
    platform = started(loss_scale="4")
    monkeypatch.setattr(platform, "figures", lambda: {"loss_scale": tf.constant(4.0), "skipped": tf.constant(1.0)})
    with pytest.raises(PipelineError, match="2 steps in a row overflowed at a loss scale of 4"):
        train(records, tmp_path / "a", platform, 0, 1, steps=3)
    assert not os.path.exists(str(tmp_path / "a" / "epoch1"))


def test_another_precision_does_not_go_on_from_what_is_there(bridge, records, tmp_path, capsys):
    train(records, tmp_path / "a", started(), 0, 1)
    capsys.readouterr()
    train(records, tmp_path / "a", started(), 0, 1)
    assert "kept by an earlier call" in capsys.readouterr().out
    train(records, tmp_path / "a", started(is_loss_scale=False), 0, 1)
    assert "starting from random weights" in capsys.readouterr().out


def test_ranks_of_another_launcher_must_be_asked_for(bridge, records, tmp_path):
    command = [sys.executable, os.path.join(SCRIPTS, "train.py"), "--train_tfrecords", records, "--platform", "ascend"]
    process = subprocess.run(
        command,
        env=dict(os.environ, RANK_ID="1", RANK_SIZE="8"),
        cwd=str(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.returncode == 1
    assert "RANK_SIZE = 8 in the environment: give --is_distributed true" in process.stderr


def test_the_evaluation_is_found_from_the_folder_of_a_rank(tmp_path):
    code = "import os, sys; sys.path.insert(0, 'scripts'); from densedepth.training import evaluations; "
    code += "os.chdir(sys.argv[1]); print(os.path.isfile(evaluations._PROGRAM))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.check_output(command, cwd=os.path.dirname(SCRIPTS), text=True).split()[-1] == "True"


@pytest.mark.parametrize("changes", [dict(steps=3, log_every=2), dict(steps=4, log_every=1)])
def test_steps_and_log_lines_lie_at_ends_of_loops(bridge, records, tmp_path, changes):
    with pytest.raises(PipelineError, match="must be a multiple of the 2 steps"):
        train(records, tmp_path / "a", started(iterations_per_loop="2"), 0, 1, **changes)
