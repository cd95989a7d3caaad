"""Whole trainings on the platform ascend: every rank, from and to other platforms, through the launcher."""

import os
import re
import subprocess
import sys

import pytest
import trainings
from ascend_steps import DOUBLES, SCRIPTS, options, started
from densedepth import files, platforms
from densedepth.data.augmentation import Augmentation
from densedepth.data.records import RecordIndex
from densedepth.errors import PipelineError
from densedepth.network import checkpoints
from densedepth.platforms import ascend_rank_table
from densedepth.tf import tf
from densedepth.training import checks, step_graph
from densedepth.training.settings import Recipe
from device_graph import assert_one_step, assert_supported


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


def test_ranks_0_to_7_build_one_graph_that_the_device_takes(eight, records, monkeypatch):
    """As in the trainings above, but without a session, so that each rank's graph can be had."""
    first = None
    with RecordIndex([records]) as index:
        for rank in range(8):
            monkeypatch.setenv("RANK_ID", str(rank))
            platform = started()
            assert (platform.rank, platform.size) == (rank, 8)
            with tf.Graph().as_default() as graph:
                step = step_graph.StepGraph(trainings.settings(batch_size=1), index, platform)
                variables = tf.trainable_variables()
            definition = graph.as_graph_def().SerializeToString(deterministic=True)
            if first is None:
                first = definition
                fetches = step._kinds[False]
                names = [fetch.name for fetch in tf.nest.flatten(fetches)]
                assert_supported(graph, names)
                step_names = (fetches["train"].name, fetches["gradient_norm"].name)
                assert_one_step(graph, *step_names, variables, 8)
                with pytest.raises(AssertionError, match="HcomAllReduce"):
                    assert_one_step(graph, *step_names, variables, 4)
            assert definition == first, "rank {}".format(rank)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(loss="silog", clip_norm=1.0, weight_decay=0.1, encoder_rate_factor=0.1),
        Recipe(loss="berhu", frozen_encoder_epochs=1, ema_decay=0.9),
    ],
    ids=lambda recipe: recipe.loss,
)
def test_other_recipes_have_graphs_that_the_device_takes(eight, records, recipe):
    """With rotations, which leave targets without depth."""
    changes = dict(batch_size=1, recipe=recipe, augmentation=Augmentation(max_rotation=5.0))
    with RecordIndex([records]) as index, tf.Graph().as_default() as graph:
        step = step_graph.StepGraph(trainings.settings(**changes), index, started())
        assert len(step._kinds) == 1 + bool(recipe.frozen_encoder_epochs)
        for fetches in step._kinds.values():
            assert_supported(graph, [fetch.name for fetch in tf.nest.flatten(fetches)])


@pytest.mark.parametrize(
    "build, named",
    [
        (lambda: tf.cast(tf.Variable(1.0), tf.float64), "Cast:0"),
        (lambda: tf.as_string(tf.Variable(1.0)), "AsString AsString"),
        (lambda: tf.placeholder_with_default([1.0], (None,)) * tf.Variable(2.0), "PlaceholderWithDefault "),
        (lambda: tf.placeholder(tf.float32, (None,)) * tf.Variable(2.0), r"mul:0 \(\?,\)"),
        (lambda: tf.where(tf.Variable([True])), "Where Where"),
    ],
    ids=["float64", "string", "default of an input", "unknown shape", "shape by values"],
)
def test_what_the_device_does_not_take_is_found(build, named):
    with tf.Graph().as_default() as graph:
        fetched = build().name
        with pytest.raises(AssertionError, match="^" + named):
            assert_supported(graph, [fetched])


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
    assert_supported(graph, [name for _, name in fetches])
    with graph.as_default():
        assert_one_step(graph, dict(fetches)["train"], dict(fetches)["gradient_norm"], tf.trainable_variables(), 8)
    sent = {call["tensor"][0].op.name for call in eight.called("broadcast")}
    with graph.as_default():
        floats = {v.op.name for v in tf.global_variables() if v.dtype.base_dtype.is_floating}
    assert floats <= sent
    stored = tf.train.load_checkpoint(os.path.join(two, "model.ckpt")).get_variable_to_shape_map()
    assert set(checkpoints.LOSS_SCALE) | {"beta1_power", "beta2_power"} <= set(stored)
    assert not [name for name in stored if name.startswith("cond")]
    three = train(records, tmp_path / "c", platforms.create("cpu_gpu", options()), 2, 3, start=two)
    assert files.read_json(os.path.join(three, "model.json"))["epoch"] == 3


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
    told = capsys.readouterr().out
    # As the reference port and its scripts print them.
    assert "Batch size: 1 iters/epoch: 2\n" in told
    assert re.search(r"\nPerformance {5,}\d+\.\d{3} sec/iter {2,}\d+\.\d{3} images/sec\n", told)
    assert re.search(r"\nFinal Performance images/sec : [\d.]+\nE2E Training Duration sec : \d+\n", told)
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
