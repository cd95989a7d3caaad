"""3x3 convolutions by sums of rows: TensorFlow's own values and gradients, where and only where they are to be used."""

import numpy as np
import pytest
from densedepth import multiplications, platforms, processors
from densedepth.network import architecture, convolution, recompute, winograd
from densedepth.network.model import Model
from densedepth.platforms.base import Options
from densedepth.tf import tf


def plain(x, kernel):
    return tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def by_sums(x, kernel):
    return winograd.conv2d(x, kernel, convolution.convolve)


def results(convolve, values, dy):
    """Of the convolution, and its gradients by all values."""
    with tf.Graph().as_default(), tf.Session() as session:
        inputs = [tf.constant(value) for value in values]
        y = convolve(*inputs)
        assert y.shape.as_list() == list(dy.shape)
        return session.run([y] + tf.gradients(y, inputs, tf.constant(dy)))


def drawn(*shapes):
    random = np.random.RandomState(len(shapes[0]) + shapes[0][1])
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def close(found, wanted):
    for one, other in zip(found, wanted):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=5e-6 * np.abs(other).max())


def test_the_sums_are_a_convolution():
    before, filters, after = winograd._matrices()
    rows, kernel = np.random.RandomState(0).normal(size=6), np.array([0.3, -1.1, 0.7])
    found = after @ ((filters @ kernel) * (before @ rows))
    np.testing.assert_allclose(found, [rows[row : row + 3] @ kernel for row in range(4)], rtol=0, atol=1e-13)


@pytest.mark.parametrize("onednn", [True, False], ids=["onednn", "without"])
@pytest.mark.parametrize("height, width", [(1, 1), (2, 5), (3, 1), (4, 3), (5, 4), (8, 8), (13, 9), (15, 20)])
def test_values_and_gradients_are_those_of_tensorflow(monkeypatch, height, width, onednn):
    if not onednn:
        monkeypatch.setattr(convolution, "has_onednn", lambda: False)
        monkeypatch.setattr(convolution, "_SMALL", 0)
    *values, dy = drawn((2, height, width, 7), (3, 3, 7, 5), (2, height, width, 5))
    close(results(by_sums, values, dy), results(plain, values, dy))


def test_rounding_is_not_much_more_than_of_the_convolution_itself():
    x, kernel = drawn((1, 9, 11, 416), (3, 3, 416, 16))
    x = np.maximum(x, 0)
    padded = np.pad(x.astype(np.float64), [(0, 0), (1, 1), (1, 1), (0, 0)], "constant")
    exact = sum(padded[:, i : i + 9, j : j + 11] @ kernel[i, j].astype(np.float64) for i in range(3) for j in range(3))
    dy = np.ones((1, 9, 11, 16), np.float32)
    own, found = (np.abs(results(form, [x, kernel], dy)[0] - exact).max() for form in (plain, by_sums))
    assert found < 4 * max(own, 2e-7 * np.abs(exact).max())


def with_normalisation(x, gamma, beta, kernel):
    return recompute.norm_relu_conv(x, gamma, beta, kernel, 1e-3)[0]


@pytest.mark.parametrize("height", [4, 7, 16])
def test_layers_with_normalisation(monkeypatch, height):
    x, kernel, dy, gamma, beta = drawn((2, height, 6, 40), (3, 3, 40, 32), (2, height, 6, 32), (40,), (40,))
    found = []
    for many in (10**18, 0):
        monkeypatch.setattr(winograd, "_MANY", many)
        found.append(results(with_normalisation, [x, gamma, beta, kernel], dy))
    close(found[1], found[0])


def clusters(graph):
    """What compiled pieces give: on 1.15 each as an operation of its own."""
    ops = graph.get_operations()
    calls = [op for op in ops if op.type == "PartitionedCall" and op.get_attr("_XlaMustCompile")]
    return sum(len(op.outputs) for op in calls) + sum(op.type == "XlaClusterOutput" for op in ops)


def pieces(build):
    """How many compiled pieces a graph has, without and with its gradients."""
    with tf.Graph().as_default() as graph:
        output = build()
        forward = clusters(graph)
        tf.gradients(output, tf.trainable_variables())
        return forward, clusters(graph) - forward


def decoder(scope, height, width):
    """Of the usual network, from features as its encoder gives them."""
    shapes = {
        "relu": (32, 1664),
        "pool3_pool": (16, 256),
        "pool2_pool": (8, 128),
        "pool1": (4, 64),
        "conv1/relu": (2, 64),
    }

    def build():
        with scope:
            features = {
                name: tf.zeros((2, height // size, width // size, channels))
                for name, (size, channels) in shapes.items()
            }
            return architecture.decode(features, Model(), lean=True)

    return pieces(build)


def encoder(monkeypatch, scope, height, width):
    """Of two layers in each block."""
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (2, 2, 2, 2))

    def build():
        with scope:
            return architecture.encode(tf.zeros((2, height, width, 3)), "densenet121", training=True, lean=True)["relu"]

    return pieces(build)


def options(mode):
    return Options(mode, "high_precision", False, False)


# Of a layer: six sums of rows and the result; six sums again, six gradients of them, and that by the map.
FORWARD, BACKWARD = 6 + 1, 6 + 6 + 1


def test_large_layers_of_a_training_are_made_so(monkeypatch):
    platform = platforms.create("cpu_gpu", options("must_keep_origin_dtype"))
    assert decoder(platform.network_scope(), 480, 640) == (8 * FORWARD, 8 * BACKWARD)
    # Those of the first two blocks.
    assert encoder(monkeypatch, platform.network_scope(), 480, 640) == (4 * FORWARD, 4 * BACKWARD)


@pytest.mark.skipif(tf.VERSION.startswith("1."), reason="TensorFlow 1.15 compiles each for itself")
def test_equal_layers_are_compiled_once():
    with tf.Graph().as_default() as graph:
        x, kernel = tf.zeros((1, 8, 6, 3)), tf.zeros((3, 3, 3, 3))
        y = by_sums(by_sums(x, kernel), kernel)
        tf.gradients(by_sums(y, kernel[..., :2]), kernel)
        # For three channels all four, for two what makes the result and takes its gradient apart.
        assert len(graph.as_graph_def().library.function) == 4 + 2


def test_large_maps_are_compiled_like_small_ones():
    """TensorFlow has large sums of known shape computed in place, also in functions that are to be compiled."""
    config = tf.ConfigProto()
    # With the passes over a graph that a program has.
    config.graph_options.rewrite_options.constant_folding = config.graph_options.rewrite_options.ON
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        x, kernel = tf.get_variable("x", (4, 240, 320, 52)), tf.get_variable("kernel", (3, 3, 52, 52))
        y = by_sums(tf.nn.relu(x), kernel)
        found = tf.gradients(tf.reduce_sum(tf.square(y)), [x, kernel])
        session.run(tf.global_variables_initializer())
        assert np.isfinite(session.run([tf.reduce_max(one) for one in found])).all()


def test_small_layers_are_not(monkeypatch):
    platform = platforms.create("cpu_gpu", options("must_keep_origin_dtype"))
    assert decoder(platform.network_scope(), 96, 128) == (0, 0)
    assert encoder(monkeypatch, platform.network_scope(), 96, 128) == (0, 0)


@pytest.mark.skipif(not processors.has_bfloat16(), reason="this processor has no bfloat16")
@pytest.mark.skipif(tf.VERSION.startswith("1."), reason="TensorFlow 1.15 does not compute in bfloat16")
def test_in_bfloat16_none_is(monkeypatch):
    platform = platforms.create("cpu_gpu", options("mixed_bfloat16"))
    assert decoder(platform.network_scope(), 480, 640) == (0, 0)
    assert encoder(monkeypatch, platform.network_scope(), 480, 640) == (0, 0)


def test_it_is_for_3x3_convolutions_with_many_multiplications_of_maps_of_known_size(monkeypatch):
    def applies(x, kernel, *channels):
        return winograd.applies(tf.placeholder(tf.float32, x), kernel, *channels)

    assert applies((4, 240, 320, 52), (3, 3, 52, 52)) and applies((None, 30, 40, 416), (3, 3, 416, 416))
    assert not applies((4, 480, 640, 416), (1, 1, 416, 416))
    assert not applies((4, 240, 320, 128), (3, 3, 128, 32))
    assert applies((4, 240, 320, 128), (3, 3, 128, 32), 32)
    assert not applies((4, 15, 20, 104), (3, 3, 104, 104))
    assert not applies((4, None, 320, 104), (3, 3, 104, 104))
    with multiplications.every():
        assert not applies((4, 240, 320, 52), (3, 3, 52, 52))
    assert applies((4, 240, 320, 52), (3, 3, 52, 52))
    monkeypatch.setattr(winograd, "has_xla", lambda: False)
    assert not applies((4, 240, 320, 52), (3, 3, 52, 52))
