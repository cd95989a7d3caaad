"""Mixed precision on the graph that TensorFlow makes: float16 for a GPU, bfloat16 for a processor."""

import collections
import functools
import os

import numpy as np
import pytest
from densedepth import platforms, processors
from densedepth.errors import PipelineError
from densedepth.network import architecture, weights
from densedepth.network.model import Model
from densedepth.platforms import base, cpu_gpu
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import loss, optimizers
from tensorflow.core.protobuf import device_properties_pb2, rewriter_config_pb2
from tensorflow.python.grappler import cluster, tf_optimizer

HALF, BFLOAT16, FLOAT32 = (kind.as_datatype_enum for kind in (tf.float16, tf.bfloat16, tf.float32))
CONVOLUTIONS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")

current = pytest.mark.skipif(tf.VERSION.startswith("1."), reason="TensorFlow 1.15 has no rewrite to bfloat16")


def platform(scaled, mode="allow_mix_precision"):
    return platforms.create("cpu_gpu", Options(mode, "high_precision", scaled, False))


@pytest.fixture(autouse=True)
def lists(monkeypatch):
    for name in ("ALLOWLIST_REMOVE", "INFERLIST_REMOVE", "DENYLIST_ADD", "IGNORE_PERFORMANCE"):
        # Set first, so that what is set later is taken back.
        monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_" + name, "")


@pytest.fixture
def bfloat16(monkeypatch):
    """A platform for bfloat16, whatever the processor."""
    monkeypatch.setattr(processors, "has_bfloat16", lambda: True)
    return platform(False, "mixed_bfloat16")


def test_processors_say_that_they_compute_in_float32():
    assert platform(False).notes() == [
        "training on the processor",
        "precision_mode allow_mix_precision: no GPU here, computing in float32",
    ]
    assert platform(True).notes()[2:] == ["dynamic loss scale"]
    assert platform(True).precision == "float32"
    rewrite = platform(True).session_config().graph_options.rewrite_options
    assert rewrite.auto_mixed_precision == rewriter_config_pb2.RewriterConfig.DEFAULT


def test_words_that_no_platform_knows_are_refused():
    with pytest.raises(PipelineError, match="precision_mode = 'mixed': must be one of allow_mix_precision, "):
        platforms.create("cpu_gpu", Options("mixed", "high_precision", False, False))
    # A word for processors alone.
    with pytest.raises(PipelineError, match="precision_mode = 'mixed_bfloat16': must be one of allow_mix_precision, "):
        base.checked_modes(Options("mixed_bfloat16", "high_precision", False, False))


@pytest.mark.parametrize(
    "gpu, instructions, onednn, reason",
    [
        (True, True, "1", "is for processors; a GPU has allow_mix_precision"),
        (False, False, "1", "this processor has no instructions for bfloat16 (amx_bf16 or avx512_bf16); leave it out"),
        (False, True, "false", "TF_ENABLE_ONEDNN_OPTS = false turns off what computes it; unset it"),
    ],
)
@current
def test_bfloat16_is_refused_where_there_is_none(monkeypatch, gpu, instructions, onednn, reason):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    monkeypatch.setattr(processors, "has_bfloat16", lambda: instructions)
    monkeypatch.setattr(tf.config.experimental, "list_physical_devices", lambda kind: [kind] * gpu)
    with pytest.raises(PipelineError) as caught:
        platform(False, "mixed_bfloat16")
    assert str(caught.value) == "precision_mode = mixed_bfloat16: " + reason


@pytest.mark.skipif(not tf.VERSION.startswith("1."), reason="current TensorFlow has it")
def test_bfloat16_is_refused_on_the_old_tensorflow():
    with pytest.raises(PipelineError, match=r"mixed_bfloat16: TensorFlow .* has no such rewrite; use the current"):
        platform(False, "mixed_bfloat16")


def test_a_gpu_gets_convolutions_in_float16_and_the_loss_in_float32(monkeypatch):
    """TensorFlow's own optimizer, told of a GPU, rewrites the graph of a training step."""
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
    # Without it TensorFlow asks the GPU itself whether float16 is quick there.
    monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_IGNORE_PERFORMANCE", "1")
    nodes = _rewritten(_training_graph(platform(True), "/gpu:0"), cpu_gpu.rewrite_to_float16, "auto_mixed_precision")
    _check(nodes, HALF)


@current
def test_a_processor_gets_convolutions_in_bfloat16_and_the_loss_in_float32(monkeypatch, bfloat16):
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
    graph = _training_graph(bfloat16, "/cpu:0")
    rewrite = functools.partial(cpu_gpu.rewrite_to_bfloat16, shared=False)
    _check(_rewritten(graph, rewrite, "auto_mixed_precision_onednn_bfloat16"), BFLOAT16)
    options = bfloat16.session_config().graph_options.rewrite_options
    assert options.auto_mixed_precision_onednn_bfloat16 == rewriter_config_pb2.RewriterConfig.ON
    assert (bfloat16.precision, bfloat16.notes()[1]) == (
        "mixed bfloat16",
        "precision_mode mixed_bfloat16: bfloat16 by TensorFlow's graph rewrite",
    )


def _check(nodes, kind):
    """Convolutions are in `kind`, the loss and what is assigned to variables are not."""
    kinds = collections.Counter((node.op, node.attr["T"].type == kind) for node in nodes)
    for op in CONVOLUTIONS:
        assert kinds[op, True] > 15 and not kinds[op, False], op
    in_loss = [node for node in nodes if "the_loss/" in node.name]
    assert len(in_loss) > 100
    assert not [node.name for node in in_loss if node.attr["T"].type == kind]
    assert not [node.name for node in nodes if node.op.startswith("Assign") and node.attr["T"].type == kind]


@current
@pytest.mark.skipif(not processors.has_bfloat16(), reason="this processor has no bfloat16")
def test_steps_in_bfloat16_are_near_those_in_float32(one_layer):
    images, targets = (
        np.random.RandomState(n).uniform(1, 9, shape).astype(np.float32)
        for n, shape in enumerate(((2, 64, 96, 3), (2, 32, 48, 1)))
    )
    losses = []
    for mode in ("must_keep_origin_dtype", "mixed_bfloat16"):
        one = platform(False, mode)
        with tf.Graph().as_default(), tf.Session(config=one.session_config()) as session:
            feeds = [tf.placeholder(tf.float32, array.shape) for array in (images, targets)]
            output = architecture.predict(feeds[0] / 9, Model("densenet121"), training=True, lean=one.lean)
            total = loss.depth_loss(output, feeds[1])["total"]
            train, _ = optimizers.training_step(total, tf.constant(1e-3), one)
            session.run(tf.global_variables_initializer())
            weights.assign(session, architecture.initial_values(tf.global_variables(), 0))
            run = {"loss": total, "train": train}
            losses.append([session.run(run, dict(zip(feeds, (images, targets))))["loss"] for _ in range(4)])
    plain, mixed = np.array(losses)
    assert plain[-1] < 0.97 * plain[0]
    # bfloat16 has 8 bits: the losses differ, by little.
    assert not np.array_equal(plain, mixed)
    np.testing.assert_allclose(mixed, plain, rtol=0.02)


def _training_graph(platform, device):
    with tf.Graph().as_default() as graph:
        with tf.device(device):
            images, targets = (tf.placeholder(tf.float32, shape) for shape in ((2, 64, 96, 3), (2, 32, 48, 1)))
            lean = platform.lean and device == "/cpu:0"
            output = architecture.predict(images, Model("densenet121"), training=True, momentum=0.9, lean=lean)
            with tf.name_scope("the_loss"):
                total = loss.depth_loss(output, targets)["total"]
            train, _ = optimizers.training_step(total, tf.constant(1e-4), platform)
        # The optimizer keeps what leads here.
        tf.add_to_collection(tf.GraphKeys.TRAIN_OP, train)
        return tf.train.export_meta_graph(graph=graph)


def _rewritten(meta_graph, rewrite, optimizer):
    config = tf.ConfigProto()
    rewrite(config)
    assert os.environ["TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_DENYLIST_ADD"]
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    options.optimizers.append(optimizer)
    devices = [_device("CPU"), _device("GPU", environment={"architecture": "7.5", "cuda": "11000", "cudnn": "8000"})]
    return tf_optimizer.OptimizeGraph(config, meta_graph, cluster=cluster.Cluster(devices=devices)).node


def _device(kind, **properties):
    return device_properties_pb2.NamedDevice(
        name="/job:localhost/replica:0/task:0/device:{}:0".format(kind),
        properties=device_properties_pb2.DeviceProperties(
            type=kind, vendor="NVIDIA", frequency=1000, num_cores=8, memory_size=1 << 34, **properties
        ),
    )
