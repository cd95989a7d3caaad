"""What speed and memory hang on, counted: operations, session runs, bytes. No clock.

A bound that is passed is either a fault or a decision; then it changes here, with the benchmarks' figures in hand.
"""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import tiny
import trainings
from densedepth import platforms
from densedepth.data.order import Order
from densedepth.data.records import RecordIndex
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import scoring
from densedepth.inference import filter_variables, freeze, lean_graph, predictors
from densedepth.network import architecture, convolution, model
from densedepth.platforms import collective, ranks, shared_memory
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import loss, optimizers
from scenes import write_records

PICTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts")


@pytest.fixture
def sessions(monkeypatch):
    """A list that grows by one with each run of a session."""
    runs = []
    run = tf.Session.run

    def counted(self, *words, **named):
        runs.append(1)
        return run(self, *words, **named)

    monkeypatch.setattr(tf.Session, "run", counted)
    return runs


def operations(graph, ends):
    """The operations that a run of `ends` walks, without constants and reads of variables."""
    needed, waiting = set(), [end.op if isinstance(end, tf.Tensor) else end for end in ends]
    while waiting:
        op = waiting.pop()
        if op not in needed:
            needed.add(op)
            waiting += [tensor.op for tensor in op.inputs] + list(op.control_inputs)
    return [op for op in needed if op.type not in ("Const", "Identity", "VariableV2", "ReadVariableOp", "VarHandleOp")]


def of_all_layers(monkeypatch, count, encoder):
    """What `count()` gives for all layers of `encoder`, each of which adds as much: from two networks of few."""
    every, found = sum(architecture.BLOCKS[encoder]), []
    for layers in (2, 3):
        # The first layer of a block has no joined features before it.
        monkeypatch.setitem(architecture.BLOCKS, encoder, (2, 2, layers, 2))
        found.append(np.array(count()))
    return found[0] + (found[1] - found[0]) * (every - 8)


def operations_of_a_training_step():
    """Of the forward pass, of it with the loss, of the whole step."""
    with tf.Graph().as_default() as graph:
        platform = platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", False, False))
        platform.start()
        images, targets = tf.zeros((2, 64, 96, 3)), tf.ones((2, 32, 48, 1))
        output = architecture.predict(images, model.Model(), training=True, lean=platform.lean)
        total = loss.depth_loss(output, targets)["total"]
        train, _ = optimizers.training_step(total, tf.constant(1e-4), platform)
        return [len(operations(graph, [end])) for end in (output, total, train)]


def test_operations_of_a_training_step(monkeypatch):
    forward, whole, step = of_all_layers(monkeypatch, operations_of_a_training_step, model.Model().encoder)
    # Of these, 250 put the batch statistics of joined features together, and their moving averages.
    assert forward <= 1200
    assert whole - forward <= 80
    # Without oneDNN, 250 turn filters for the gradients of convolutions.
    assert step <= (6000 if convolution.has_onednn() else 6300)


@pytest.mark.parametrize("memory", [None, shared_memory.create()], ids=["sent", "shared"])
def test_gradients_are_exchanged_while_the_backward_pass_goes_on(monkeypatch, memory):
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (2, 2, 2, 2))
    piece = 1 << 17
    with tf.Graph().as_default() as graph:
        output = architecture.predict(tf.zeros((2, 64, 96, 3)), model.Model("densenet121"), training=True, lean=True)
        total = loss.depth_loss(output, tf.ones((2, 32, 48, 1)))["total"]
        gradients = tf.gradients(total, tf.trainable_variables())
        # A convolution's gradients, but not those operations by which the forward pass enlarges, nor their own.
        backward = set(operations(graph, gradients)) - set(operations(graph, [total]))
        enlarging = {op for op in backward if op.type == "Conv2D" and list(op.get_attr("strides")) != [1, 1, 1, 1]}
        backward = {op for op in backward - enlarging if op.type.startswith(("Conv2D", "MatMul"))}
        collective.Exchange(ranks.Ranks(0, 2, None, None, memory, 1, 60, True), piece).means(gradients)
        waiting, left = set(backward), []
        for number in range(len(collective.pieces(gradients, piece))):
            scope = collective.SCOPE + ("_{}".format(number) if number else "") + "/"
            exchange = [op for op in graph.get_operations() if op.name.startswith(scope)]
            # Of the whole exchange of this piece, to its means.
            waiting -= set(operations(graph, exchange))
            left.append(len(waiting))
    # For how much of the backward pass no exchange so far has waited.
    shares = [count / len(backward) for count in left]
    assert shares[0] >= 0.6 and shares[len(shares) // 2] >= 0.25 and shares[-1] == 0, str(shares)


def kept_for_the_gradients():
    """Bytes of what the encoder's forward pass in a training step keeps for the gradients."""
    with tf.Graph().as_default() as graph:
        platform = platforms.create("cpu_gpu", Options("must_keep_origin_dtype", "high_precision", False, False))
        images = tf.zeros((2, 64, 96, 3))
        output = architecture.encode(images, model.Model().encoder, training=True, lean=platform.lean)["relu"]
        gradients = tf.gradients(tf.reduce_sum(output), tf.trainable_variables())
        forward = set(operations(graph, [output]))
        kept = set()
        for op in operations(graph, gradients):
            if op not in forward and op.type not in ("Shape", "ShapeN", "ConcatOffset"):
                kept.update(original(tensor) for tensor in op.inputs)
        return sum(4 * (tensor.shape.num_elements() or 0) for tensor in kept if tensor.op in forward)


def original(tensor):
    while tensor.op.type in ("Identity", "IdentityN", "Reshape"):
        tensor = tensor.op.inputs[tensor.value_index]
    return tensor


def test_a_dense_layer_keeps_its_own_features_for_the_gradients(monkeypatch):
    found = []
    for layers in (2, 12):
        monkeypatch.setitem(architecture.BLOCKS, model.Model().encoder, (2, 2, layers, 2))
        found.append(kept_for_the_gradients())
    # 32 new channels and the 128 before them, of 2 x 4 x 6 pixels; not the joined features of all layers before.
    assert (found[1] - found[0]) / 10 <= 1.3 * 4 * 48 * (32 + 128)


def test_operations_of_the_frozen_graph(tmp_path, monkeypatch):
    def count():
        folder = tmp_path / str(sum(architecture.BLOCKS["densenet121"]))
        checkpoint = tiny.write_checkpoint(folder / "checkpoint")
        freeze.freeze(checkpoint.folder, architecture.OUTPUT, str(folder / "model.pb"))
        definition = predictors._read_graph(str(folder / "model.pb"))
        lean = lean_graph.rewrite(*filter_variables.take_out(definition), architecture.OUTPUT)
        kinds = [node.op for node in lean.node]
        found = [len([node for node in definition.node if node.op != "Const"])]
        return found + [kinds.count(kind) for kind in ("Maximum", "Mul", "Range", "Conv2DBackpropInput")]

    frozen, maxima, products, ranges, enlarging = of_all_layers(monkeypatch, count, "densenet121")
    assert frozen <= 600
    # Of the passes over joined features, the maximum and the concatenation are left.
    assert maxima == 62 and products - ranges <= 16
    assert enlarging == 4


def test_a_training_step_is_one_session_run(tmp_path, small_network, sessions):
    path = tmp_path / "x.tfrecords"
    write_records(path, 8)
    found = []
    for steps in (3, 9):
        del sessions[:]
        trainings.train(str(path), tmp_path / str(steps) / "checkpoints", 0, 1, steps=steps)
        found.append(len(sessions))
    assert found[1] - found[0] == 6


def test_an_evaluated_image_is_two_passes(checkpoint, test_archive, monkeypatch, sessions):
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
    with predictors.load(checkpoint.folder) as predictor, open_test_set(test_archive) as test_set:
        del sessions[:]
        scoring.evaluate(predictor, test_set, 1)
        # Five images, each with its mirror image, and one batch before that settles memory and kernels.
        assert len(sessions) == 2 * 5 + 1
        del sessions[:]
        scoring.evaluate(predictor, test_set, 2)
        assert len(sessions) == 2 * 3 + 1


def test_bytes_of_the_record_index_and_of_the_order(tmp_path):
    paths = []
    for number in range(2):
        paths.append(str(tmp_path / "{}.tfrecords".format(number)))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for _ in range(10000):
                writer.write(b"x")
    tracemalloc.start()
    with RecordIndex(paths) as index:
        order = Order(len(index), 4, 0, 0.5, 0.5)
        order.batch(0)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(index) == 20000
    # Place, length and shard of 8 bytes each; as much again for the permutation of a pass and what Python keeps.
    assert kept / 20000 < 64


def test_bytes_of_a_record(tmp_path):
    path = tmp_path / "x.tfrecords"
    write_records(path, 8)
    with RecordIndex([str(path)]) as index:
        records = [index.read(number) for number in range(len(index))]
    for record in records:
        features = tf.train.Example.FromString(record).features.feature
        pictures = sum(len(features[name].bytes_list.value[0]) for name in ("data_x", "data_y"))
        # The encoded pictures as they are, and names and lengths beside.
        assert len(record) - pictures < 200


EVALUATE = """
import sys
sys.path.insert(0, {scripts!r})
from densedepth.network import architecture
from densedepth.evaluation import scoring
from densedepth.inference import predictors
from densedepth.data.test_archive import open_test_set
architecture.BLOCKS["densenet121"] = (1, 1, 1, 1)
with predictors.load({folder!r}) as predictor, open_test_set({archive!r}) as test_set:
    scoring.evaluate(predictor, test_set, 2)
# Not ru_maxrss, which begins with that of the process that started this one.
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_of_an_evaluation_does_not_grow_with_the_images(checkpoint, tmp_path):
    code = EVALUATE.format(scripts=PICTURES, archive=str(tmp_path / "t.zip"), folder=checkpoint.folder)
    peaks = []
    for images in (4, 40):
        # Here: what the writing of all images takes is not what is measured.
        tiny.write_test_set(tmp_path / "t.zip", count=images, size=(480, 640), crop=(20, 459, 24, 615))
        output = subprocess.check_output([sys.executable, "-c", code], universal_newlines=True)
        peaks.append(float(output.split()[-1]))
    assert max(peaks) < 2000
    # 36 images of 480x640 more are 44 MB of pictures and 88 MB of depth in double precision alone.
    assert peaks[1] - peaks[0] < 150
