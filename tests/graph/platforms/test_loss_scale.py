"""Dynamic loss scale and the rewrite to float16, the latter on the graph that TensorFlow makes for a GPU."""

import collections
import os

import numpy as np
import pytest
from densedepth import platforms
from densedepth.errors import PipelineError
from densedepth.network import architecture
from densedepth.network.model import Model
from densedepth.platforms import loss_scale
from densedepth.platforms.base import Options
from densedepth.platforms.cpu_gpu import rewrite_to_float16
from densedepth.tf import tf
from densedepth.training import loss, optimizers
from tensorflow.core.protobuf import device_properties_pb2, rewriter_config_pb2
from tensorflow.python.grappler import cluster, tf_optimizer

HALF = tf.float16.as_datatype_enum


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


def test_a_gpu_gets_convolutions_in_float16_and_the_loss_in_float32(monkeypatch):
    """TensorFlow's own optimizer, told of a GPU, rewrites the graph of a training step."""
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
    for name in ("ALLOWLIST_REMOVE", "INFERLIST_REMOVE", "DENYLIST_ADD", "IGNORE_PERFORMANCE"):
        # Set first, so that what is set later is taken back.
        monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_" + name, "")
    # Without it TensorFlow asks the GPU itself whether float16 is quick there.
    monkeypatch.setenv("TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_IGNORE_PERFORMANCE", "1")
    nodes = _rewritten(_training_graph())
    kinds = collections.Counter((node.op, node.attr["T"].type == HALF) for node in nodes)
    for op in ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"):
        assert kinds[op, True] > 15 and not kinds[op, False], op
    in_loss = [node for node in nodes if "the_loss/" in node.name]
    assert len(in_loss) > 100
    assert not [node.name for node in in_loss if node.attr["T"].type == HALF]
    assert not [node.name for node in nodes if node.op.startswith("Assign") and node.attr["T"].type == HALF]


def _training_graph():
    with tf.Graph().as_default() as graph:
        with tf.device("/gpu:0"):
            images, targets = (tf.placeholder(tf.float32, shape) for shape in ((2, 64, 96, 3), (2, 32, 48, 1)))
            output = architecture.predict(images, Model("densenet121"), training=True, momentum=0.9)
            with tf.name_scope("the_loss"):
                total = loss.depth_loss(output, targets)["total"]
            train, _ = optimizers.training_step(total, tf.constant(1e-4), platform(True))
        # The optimizer keeps what leads here.
        tf.add_to_collection(tf.GraphKeys.TRAIN_OP, train)
        return tf.train.export_meta_graph(graph=graph)


def _rewritten(meta_graph):
    config = tf.ConfigProto()
    rewrite_to_float16(config)
    assert os.environ["TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_DENYLIST_ADD"]
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.meta_optimizer_iterations = rewriter_config_pb2.RewriterConfig.ONE
    options.optimizers.append("auto_mixed_precision")
    devices = [_device("CPU"), _device("GPU", environment={"architecture": "7.5", "cuda": "11000", "cudnn": "8000"})]
    return tf_optimizer.OptimizeGraph(config, meta_graph, cluster=cluster.Cluster(devices=devices)).node


def _device(kind, **properties):
    return device_properties_pb2.NamedDevice(
        name="/job:localhost/replica:0/task:0/device:{}:0".format(kind),
        properties=device_properties_pb2.DeviceProperties(
            type=kind, vendor="NVIDIA", frequency=1000, num_cores=8, memory_size=1 << 34, **properties
        ),
    )
