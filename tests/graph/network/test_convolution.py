"""Gradients of convolutions by other operations: the same values as TensorFlow's own, in parts one after another."""

import sys

import numpy as np
import pytest
from densedepth.network import architecture, convolution, model
from densedepth.tf import tf
from densedepth.training import loop

HAS_ONEDNN = convolution.has_onednn

# Images, height, width, channels, filters, size of the filter.
SHAPES = [
    (2, 5, 7, 6, 4, 1),
    (2, 13, 10, 7, 5, 3),
    (3, 1, 4, 2, 3, 3),
    (1, 6, 1, 2, 1, 3),
    (2, 9, 8, 3, 2, 5),
    (2, 6, 5, 4, 70, 3),
]


@pytest.fixture(autouse=True)
def without_onednn(monkeypatch):
    monkeypatch.setattr(convolution, "has_onednn", lambda: False)
    monkeypatch.setattr(convolution, "_SMALL", 0)


def gradients(convolve, shape):
    """(operations, values) of the gradients by the map and by the filter."""
    count, height, width, channels, filters, size = shape
    random = np.random.RandomState(0)
    x, kernel, dy = (
        random.normal(size=sides).astype(np.float32)
        for sides in (
            (count, height, width, channels),
            (size, size, channels, filters),
            (count, height, width, filters),
        )
    )
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x, kernel = tf.constant(x), tf.constant(kernel)
        found = tf.gradients(convolve(x, kernel), [x, kernel], tf.constant(dy))
        return graph.get_operations(), session.run(found)


def plain(x, kernel):
    return tf.nn.conv2d(x, kernel, [1, 1, 1, 1], "SAME")


def kinds(ops):
    return {op.type for op in ops}


@pytest.mark.parametrize("patches", [1, 600, 1 << 20], ids=["by row", "by rows", "whole"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_are_those_of_tensorflow(monkeypatch, shape, patches):
    monkeypatch.setattr(convolution, "_PATCHES", patches)
    ops, found = gradients(convolution.conv2d, shape)
    wanted_ops, wanted = gradients(plain, shape)
    assert kinds(wanted_ops).issuperset(["Conv2DBackpropInput", "Conv2DBackpropFilter"])
    assert kinds(ops).isdisjoint(["Conv2DBackpropInput", "Conv2DBackpropFilter"])
    for one, other in zip(found, wanted):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=3e-6 * np.abs(other).max())


def test_with_onednn_the_gradients_are_its_own(monkeypatch):
    monkeypatch.setattr(convolution, "has_onednn", lambda: True)
    assert kinds(gradients(convolution.conv2d, SHAPES[1])[0]) == kinds(gradients(plain, SHAPES[1])[0])


def test_of_a_small_map_the_gradient_by_the_filter_is_tensorflows_own(monkeypatch):
    monkeypatch.setattr(convolution, "_SMALL", 4 * 9 * 2 * 13 * 10 * 5 + 1)
    assert "Conv2DBackpropFilter" in kinds(gradients(convolution.conv2d, SHAPES[1])[0])
    monkeypatch.setattr(convolution, "_SMALL", 4 * 9 * 2 * 13 * 10 * 5)
    assert "Conv2DBackpropFilter" not in kinds(gradients(convolution.conv2d, SHAPES[1])[0])


def test_parts_are_made_one_after_another(monkeypatch):
    monkeypatch.setattr(convolution, "_PATCHES", 4 * 9 * 10 * 5 * 4)
    ops, _ = gradients(convolution.conv2d, SHAPES[1])
    products = [op for op in ops if op.type == "MatMul"]
    # Two images in strips of 4, 4, 4 and 1 rows.
    assert len(products) == 8
    for before, product in zip(products, products[1:]):
        assert before in ancestors(product.inputs[0].op) and before in ancestors(product.inputs[1].op)


def test_parts_cover_each_row_once():
    for count, height, most in [(1, 1, 1), (3, 7, 2), (2, 8, 8), (2, 8, 16), (4, 240, 26)]:
        convolution_parts = convolution._parts([count, height, 1, convolution._PATCHES // most // 4], 1)
        rows = [
            (n, row) for images, part in convolution_parts for n in range(count)[images] for row in range(height)[part]
        ]
        assert sorted(rows) == [(n, row) for n in range(count) for row in range(height)]


def test_parts_are_of_as_many_images_as_fit():
    parts = list(convolution._parts([7, 8, 2, convolution._PATCHES // 4 // 2 // 8 // 3], 1))
    assert [images for images, _ in parts] == [slice(0, 3), slice(3, 6), slice(6, 7)]


def test_convolutions_by_onednn_are_known(monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert HAS_ONEDNN() == (not tf.VERSION.startswith("1."))
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not HAS_ONEDNN()


def test_lean_training_uses_them(monkeypatch):
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (2, 2, 2, 2))
    with tf.Graph().as_default() as graph:
        output = architecture.predict(tf.zeros((2, 64, 96, 3)), model.Model("densenet121"), training=True, lean=True)
        tf.gradients(output, tf.trainable_variables())
        backward = [op for op in graph.get_operations() if op.type == "Conv2DBackpropFilter"]
        windows = [op for op in backward if list(op.get_attr("strides")) == [1, 1, 1, 1]]
    # TensorFlow's own are left to the first layer, to transposed convolutions, and to strips along the border.
    assert len(backward) - len(windows) == 5
    assert all(1 in op.outputs[0].shape.as_list()[:2] for op in windows)
    assert not [op for op in windows if op.outputs[0].shape.as_list()[:2] == [1, 1]]


def test_a_state_made_by_other_code_of_the_network_is_not_resumed():
    waiting, found = [architecture], set()
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            for value in vars(one).values():
                name = getattr(value, "__module__", None) or getattr(value, "__name__", "")
                if str(name).startswith("densedepth.network."):
                    waiting.append(sys.modules[name])
    assert convolution in found
    assert found <= set(loop._NUMBERS), sorted(module.__name__ for module in found - set(loop._NUMBERS))


def ancestors(op):
    found, waiting = set(), [op]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [tensor.op for tensor in one.inputs] + list(one.control_inputs)
    return found
