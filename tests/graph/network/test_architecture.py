"""The network's graph: counts, names, shapes, upsampling, batch statistics, gradients."""

import collections

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.network import architecture, weights
from densedepth.network.model import UPSAMPLINGS, Model
from densedepth.tf import tf

SMALL = Model(encoder="densenet121")
PAPER = Model(encoder="densenet121", width="full", upsampling="align_corners", mid_activation=False)

# (total, trainable) parameters, from the layer list; the encoder alone of 169 has 12,642,880.
COUNTS = {
    ("densenet121", "half"): (10706209, 10622561),
    ("densenet121", "full"): (19075073, 18991425),
    ("densenet169", "half"): (21523805, 21365405),
    ("densenet169", "full"): (42816089, 42657689),
    ("densenet201", "half"): (29916565, 29687509),
    ("densenet201", "full"): (58035145, 57806089),
}


# Building a graph takes seconds, so tests share them.
Built = collections.namedtuple("Built", "graph images output")
# Layers of the blocks where depth is not the point.
FEW = (1, 2, 1, 1)


def build(model, size, batch=None, training=False, blocks=None):
    with pytest.MonkeyPatch.context() as patch, tf.Graph().as_default() as graph:
        patch.setitem(architecture.BLOCKS, model.encoder, blocks or architecture.BLOCKS[model.encoder])
        images = architecture.image_placeholder(size, batch)
        return Built(graph, images, architecture.predict(images, model, training, momentum=0.9))


@pytest.fixture(scope="module")
def port():
    return build(SMALL, (96, 160), batch=1, blocks=FEW)


@pytest.fixture(scope="module")
def paper():
    return build(PAPER, (96, 160), batch=1, blocks=FEW)


@pytest.fixture(scope="module")
def training():
    """With the gradients of a loss, as `gradients` of the trainable variables."""
    built = build(SMALL, (64, 64), batch=2, training=True, blocks=FEW)
    with built.graph.as_default():
        gradients = tf.gradients(tf.reduce_mean(tf.square(built.output - 1.0)), tf.trainable_variables())
    return built, gradients


def initialised(session, seed=0):
    """Random weights for all variables."""
    session.run(tf.global_variables_initializer())
    weights.assign(session, architecture.initial_values(tf.global_variables(), seed))


def parameters(variables):
    return sum(int(np.prod(v.shape.as_list())) for v in variables)


@pytest.mark.parametrize("encoder", sorted({encoder for encoder, _ in COUNTS}))
def test_parameter_counts(encoder):
    with tf.Graph().as_default():
        features = architecture.encode(architecture.image_placeholder((32, 32)), encoder)
        in_encoder, trainable_in_encoder = tf.global_variables(), tf.trainable_variables()
        for width in ("half", "full"):
            with tf.variable_scope(width):
                architecture.decode(features, Model(encoder=encoder, width=width))
            in_decoder = [v for v in tf.global_variables() if v.op.name.startswith(width + "/")]
            # Ten convolutions with bias.
            assert len(in_decoder) == 20
            total = parameters(in_encoder) + parameters(in_decoder)
            assert (total, parameters(trainable_in_encoder) + parameters(in_decoder)) == COUNTS[encoder, width]
        assert not tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        if encoder == "densenet169":
            assert (parameters(in_encoder), parameters(trainable_in_encoder)) == (12642880, 12484480)
            assert sum(v.op.name.endswith("/kernel") for v in in_encoder) == 168
            assert sum(v.op.name.endswith("/gamma") for v in in_encoder) == 169


def test_interface_of_the_graph():
    graph, images, output = build(Model(), (64, 96), batch=2)
    assert (images.name, images.dtype, images.shape.as_list()) == ("input_1:0", tf.float32, [2, 64, 96, 3])
    assert (output.name, output.dtype, output.shape.as_list()) == ("conv3/BiasAdd:0", tf.float32, [2, 32, 48, 1])
    for name, shape in (
        ("conv1/relu", [2, 32, 48, 64]),
        ("pool1", [2, 16, 24, 64]),
        ("pool2_conv/Conv2D", [2, 8, 12, 128]),
        ("pool3_conv/Conv2D", [2, 4, 6, 256]),
        ("relu", [2, 2, 3, 1664]),
        ("conv2/BiasAdd", [2, 2, 3, 832]),
        ("up4_convB/LeakyRelu", [2, 32, 48, 52]),
    ):
        assert graph.get_tensor_by_name(name + ":0").shape.as_list() == shape, name
    variables = {v.op.name for v in graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    for name in (
        "conv1/conv/kernel",
        "conv1/bn/moving_variance",
        "conv2_block1_0_bn/gamma",
        "conv5_block32_2_conv/kernel",
        "pool2_bn/beta",
        "bn/moving_mean",
        "conv2/kernel",
        "up1_convA/bias",
        "conv3/bias",
    ):
        assert name in variables


def test_graph_suits_whole_graph_compilers(training):
    (graph, _, output), gradients = training
    updates = graph.get_collection(tf.GraphKeys.UPDATE_OPS)
    ends = [node.op.name for node in [output] + gradients + updates]
    needed = {node.name for node in tf.graph_util.extract_sub_graph(graph.as_graph_def(), ends).node}
    operations = [op for op in graph.get_operations() if op.name in needed]
    assert not {op.type for op in operations} & {"Assert", "Print", "Switch", "If", "While", "PyFunc"}
    tensors = [tensor for op in operations for tensor in op.outputs]
    assert {t.dtype.base_dtype.name for t in tensors} <= {"float32", "int32", "bool"}
    # Reserve outputs of the fused normalisation have no fixed shape.
    assert not [t.name for t in tensors if not t.shape.is_fully_defined() and "FusedBatchNorm" not in t.name]


@pytest.mark.parametrize(
    "size, pattern", [((480, 650), "width 650.*640 and 672"), ((16, 64), "height 16.*32"), ((0, 32), "height 0")]
)
def test_size_not_a_multiple_of_32_is_refused(size, pattern):
    with tf.Graph().as_default():
        with pytest.raises(PipelineError, match=pattern):
            architecture.image_placeholder(size)
        with pytest.raises(PipelineError, match=pattern):
            architecture.predict(tf.zeros((1,) + size + (3,)), SMALL)


def resize_reference(x, upsampling):
    """Bilinear x2 of (H, W, C) by sampling positions; float64."""
    for axis in (0, 1):
        length = x.shape[axis]
        target = np.arange(2 * length)
        position = {
            "align_corners": target * (length - 1) / (2 * length - 1.0),
            "half_pixel": np.clip((target + 0.5) / 2 - 0.5, 0, length - 1),
            "asymmetric": np.clip(target / 2.0, 0, length - 1),
        }[upsampling]
        low = np.floor(position).astype(int)
        high = np.minimum(low + 1, length - 1)
        share = (position - low).reshape([-1 if a == axis else 1 for a in range(3)])
        x = np.take(x, low, axis) * (1 - share) + np.take(x, high, axis) * share
    return x


@pytest.mark.parametrize("upsampling", UPSAMPLINGS)
def test_upsampling_equals_its_definition(one_layer, upsampling):
    with tf.Graph().as_default() as graph:
        architecture.predict(architecture.image_placeholder((64, 96), 1), Model("densenet121", upsampling=upsampling))
    before, after = (graph.get_tensor_by_name(n + ":0") for n in ("conv2/BiasAdd", "up1_upsampling2d"))
    x = np.random.RandomState(0).uniform(-1, 1, before.shape.as_list()).astype(np.float32)
    with tf.Session(graph=graph) as session:
        ours = session.run(after, {before: x})
    np.testing.assert_allclose(ours[0], resize_reference(x[0], upsampling), atol=1e-6)


def activations(built):
    return sorted(op.name for op in built.graph.get_operations() if op.type == "LeakyRelu")


def test_activations_of_the_port(port):
    names = sorted("up{}_conv{}/LeakyRelu".format(level, half) for level in range(1, 5) for half in "AB")
    assert activations(port) == names
    for name in names:
        assert abs(port.graph.get_operation_by_name(name).get_attr("alpha") - 0.2) < 1e-7


def test_paper_has_no_activation_inside_its_blocks(paper):
    assert activations(paper) == ["up{}_convB/LeakyRelu".format(level) for level in range(1, 5)]
    assert paper.graph.get_operation_by_name("up1_convB/Conv2D").inputs[0].name == "up1_convA/BiasAdd:0"


def test_training_moves_averages_and_reaches_every_variable(training):
    (graph, images, _), gradients = training
    assert None not in gradients
    batch = np.random.RandomState(1).uniform(0, 1, (2, 64, 64, 3))
    with graph.as_default(), tf.Session() as session:
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        # Two normalisations in each layer, and before the blocks, between and after them.
        assert len(updates) == 2 * (2 * sum(FEW) + 5)
        convolved = graph.get_tensor_by_name("conv1/conv/Conv2D:0")
        moving = {v.op.name: v for v in tf.global_variables() if v.op.name.startswith("conv1/bn/moving")}
        initialised(session)
        x, values, _ = session.run([convolved, gradients, updates], {images: batch})
        moved = session.run(moving)
        for variable, value in zip(tf.trainable_variables(), values):
            assert np.isfinite(value).all(), variable.op.name
            assert np.any(value != 0), variable.op.name
    x = x.reshape(-1, 64).astype(np.float64)
    np.testing.assert_allclose(moved["conv1/bn/moving_mean"], 0.1 * x.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(moved["conv1/bn/moving_variance"], 0.9 + 0.1 * x.var(axis=0, ddof=1), rtol=1e-5)


def test_builds_with_size_given_and_not_agree(one_layer):
    early, late = build(SMALL, (96, 160), batch=1), build(SMALL, None)
    assert late.output.shape.as_list() == [None, None, None, 1]
    batch = np.random.RandomState(3).uniform(0, 1, (1, 96, 160, 3))
    results = []
    for built, seeds in ((early, (5, 6)), (late, (5,))):
        with built.graph.as_default(), tf.Session() as session:
            for seed in seeds:
                initialised(session, seed)
                results.append(session.run(built.output, {built.images: batch}))
    assert results[0].shape == (1, 48, 80, 1)
    assert np.abs(results[0] - results[1]).max() > 0.01 * np.abs(results[0]).max() > 0
    np.testing.assert_allclose(results[2], results[0], rtol=0, atol=1e-5 * np.abs(results[0]).max())


def test_a_second_call_shares_the_variables(one_layer):
    with tf.Graph().as_default():
        images = architecture.image_placeholder((32, 32))
        architecture.predict(images, SMALL, training=True)
        variables = [v.op.name for v in tf.global_variables()]
        again = architecture.predict(images, SMALL, training=False)
        assert [v.op.name for v in tf.global_variables()] == variables
        assert again.name == "conv3/BiasAdd_1:0"


def test_initial_values_are_keras_defaults_and_the_same_everywhere(port):
    variables = port.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)
    values = architecture.initial_values(variables, 0)
    assert set(values) == {v.op.name for v in variables}
    assert all(value.dtype == np.float32 for value in values.values())
    for name, value in values.items():
        kind = name.rpartition("/")[2]
        if kind == "kernel":
            limit = np.float32(np.sqrt(6.0 / (np.prod(value.shape[:2]) * sum(value.shape[2:]))))
            assert 0.9 * limit < np.abs(value).max() <= limit, name
        else:
            assert np.all(value == (1 if kind in ("gamma", "moving_variance") else 0)), name
    # Written down: another stream would change every run from random weights.
    np.testing.assert_allclose(values["conv1/conv/kernel"][0, 0, 0, :3], [0.025629, -0.02462, 0.010796], atol=1e-6)
    # A value depends on its own name and the seed only.
    kernels = [v for v in variables if v.op.name in ("conv2/kernel", "conv3/kernel")]
    np.testing.assert_array_equal(architecture.initial_values(kernels[:1], 0)["conv2/kernel"], values["conv2/kernel"])
    assert np.any(architecture.initial_values(kernels, 1)["conv3/kernel"] != values["conv3/kernel"])
