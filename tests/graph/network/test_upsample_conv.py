"""The lean form of the network against the plain one: values and gradients, at every place of the border."""

import numpy as np
import pytest
from densedepth.network import architecture, recompute, upsample_conv, weights, winograd
from densedepth.network.model import Model
from densedepth.tf import tf


def plain(x, skip, kernel):
    height, width = x.shape.as_list()[1:3]
    x = tf.image.resize_bilinear(x, [2 * height, 2 * width], half_pixel_centers=True)
    return tf.nn.conv2d(tf.concat([x, skip], 3), kernel, [1, 1, 1, 1], "SAME")


def lean(x, skip, kernel):
    return upsample_conv.of_upsampled(x, skip, kernel, "convolved")


@pytest.mark.parametrize("batch, height, width", [(1, 1, 1), (2, 1, 4), (3, 5, 1), (1, 2, 2), (2, 7, 5), (1, 15, 20)])
def test_convolution_of_an_upsampled_map(batch, height, width):
    stream = np.random.RandomState(height)
    shapes = [(batch, height, width, 6), (batch, 2 * height, 2 * width, 3), (3, 3, 9, 4)]
    values = [stream.normal(0, 1, shape).astype(np.float32) for shape in shapes]
    weight = stream.normal(0, 1, (batch, 2 * height, 2 * width, 4)).astype(np.float32)
    results = []
    for form in (plain, lean):
        with tf.Graph().as_default(), tf.Session() as session:
            inputs = [tf.constant(value) for value in values]
            output = form(*inputs)
            assert output.shape.as_list() == list(weight.shape)
            results.append(session.run([output] + tf.gradients(output, inputs, weight)))
    for ours, reference in zip(results[1], results[0]):
        assert ours.shape == reference.shape
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-5 * np.abs(reference).max())


# The smallest input makes maps of one pixel, the other has maps with an odd number of rows. With the statistics of two
# pixels normalisation is plus or minus one, and gradients are rounding alone.
@pytest.mark.parametrize("many", [winograd._MANY, 0], ids=["", "by sums"])
@pytest.mark.parametrize("size, training", [((32, 32), False), ((96, 64), False), ((96, 64), True)])
def test_the_lean_network_is_the_plain_one(monkeypatch, size, training, many):
    monkeypatch.setattr(winograd, "_MANY", many)
    if not many:
        monkeypatch.setattr(winograd, "_CHANNELS", 1)
    # Of two layers, the second has joined features before it.
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 2, 1, 2))
    batch = np.random.RandomState(4).uniform(0, 1, (2,) + size + (3,))
    found = []
    for form in (False, True):
        with tf.Graph().as_default(), tf.Session() as session:
            images = architecture.image_placeholder(size, 2)
            # Half of a moving average is that of the batch, so that it is compared and not the initial values.
            output = architecture.predict(images, Model(encoder="densenet121"), training, lean=form, momentum=0.5)
            gradients = tf.gradients(tf.reduce_mean(tf.square(output - 1.0)), tf.trainable_variables())
            assert ("up1_concat" in [op.name for op in tf.get_default_graph().get_operations()]) != form
            assert output.name == "conv3/BiasAdd:0"
            names = [v.op.name for v in tf.global_variables()]
            session.run(tf.global_variables_initializer())
            weights.assign(session, _scattered(architecture.initial_values(tf.global_variables(), 3)))
            values = session.run([output] + gradients, {images: batch})
            session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS), {images: batch})
            found.append((names, values + session.run(tf.global_variables())))
    assert found[0][0] == found[1][0]
    for ours, reference in zip(found[1][1], found[0][1]):
        np.testing.assert_allclose(ours, reference, rtol=1e-3, atol=1e-4 * np.abs(reference).max())


def _scattered(values):
    """The values with scales and offsets of normalisation as after a training; some scales are 0, some below."""
    stream = np.random.RandomState(11)
    for name in sorted(values):
        if name.endswith(("gamma", "beta")):
            values[name] = stream.normal(name.endswith("gamma"), 0.7, values[name].shape).astype(np.float32)
        if name.endswith("gamma"):
            values[name][::7] = 0.0
    return values


@pytest.mark.parametrize("size", [1, 3])
def test_normalised_features_are_computed_again(size):
    """Values, statistics and gradients of the convolution of normalised features, and what is kept for them."""
    stream = np.random.RandomState(size)
    shapes = [(2, 5, 4, 6), (6,), (6,), (size, size, 6, 3)]
    values = [stream.normal(0.5, 1, shape).astype(np.float32) for shape in shapes]
    weight = stream.normal(0, 1, (2, 5, 4, 3)).astype(np.float32)
    found = []
    for form in (kept, recompute.norm_relu_conv):
        with tf.Graph().as_default(), tf.Session() as session:
            inputs = [tf.constant(value) for value in values]
            outputs = list(form(*inputs, epsilon=1e-3))
            found.append(session.run(outputs + tf.gradients(outputs[0], inputs, weight)))
    for ours, reference in zip(found[1], found[0]):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-5)


def kept(x, gamma, beta, kernel, epsilon):
    y, mean, variance = tf.nn.fused_batch_norm(x, gamma, beta, epsilon=epsilon, is_training=True)
    return tf.nn.conv2d(tf.nn.relu(y), kernel, [1, 1, 1, 1], "SAME"), mean, variance


def test_joined_features_normalised_once():
    """Values, statistics and gradients of layers that share the statistics; a scale below zero and one of zero."""
    stream = np.random.RandomState(7)
    gamma, beta = stream.normal(0, 1, (2, 7)).astype(np.float32)
    gamma[2] = 0.0
    values = [stream.normal(0.5, 2, shape).astype(np.float32) for shape in ((2, 5, 4, 4), (2, 5, 4, 3), (1, 1, 7, 3))]
    values += [gamma, beta]
    weights_of = [stream.normal(0, 1, (2, 5, 4, channels)).astype(np.float32) for channels in (3, 7)]
    found = []
    for form in (separate_layers, joined_layers):
        with tf.Graph().as_default(), tf.Session() as session:
            inputs = [tf.constant(value) for value in values]
            outputs = form(*inputs)
            found.append(session.run(outputs + tf.gradients(outputs[:2], inputs, weights_of)))
    for ours, reference in zip(found[1], found[0]):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-5 * np.abs(reference).max())


def separate_layers(a, b, kernel, gamma, beta):
    x = tf.concat([a, b], 3)
    y, mean, variance = kept(x, gamma, beta, kernel, 1e-3)
    return [y, tf.nn.relu(tf.nn.fused_batch_norm(x, gamma, beta, epsilon=1e-3)[0]), mean, variance]


def joined_layers(a, b, kernel, gamma, beta):
    parts, means, variances = zip(*(recompute.normalise(x, 1e-3) for x in (a, b)))
    x = tf.concat(parts, 3)
    y = recompute.scale_relu_conv(x, parts, gamma, beta, kernel)
    return [y, recompute.scale_relu(x, parts, gamma, beta), tf.concat(means, 0), tf.concat(variances, 0)]


def test_pooling_and_leaky_relu_keep_less():
    value = np.random.RandomState(8).normal(0, 1, (2, 6, 8, 3)).astype(np.float32)
    found = []
    for lean in (False, True):
        with tf.Graph().as_default(), tf.Session() as session:
            x = tf.constant(value)
            if lean:
                outputs = [recompute.padded_max_pool(x, "pool"), recompute.leaky_relu(x, 0.2, "leaky")]
            else:
                padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
                pooled = tf.nn.max_pool(padded, [1, 3, 3, 1], [1, 2, 2, 1], "VALID", name="pool")
                outputs = [pooled, tf.nn.leaky_relu(x, 0.2)]
            found.append(session.run(outputs + [tf.gradients(tf.square(output), x)[0] for output in outputs]))
    for ours, reference in zip(*found):
        np.testing.assert_array_equal(ours, reference)


@pytest.mark.parametrize("upsampling", ["align_corners", "asymmetric"])
def test_other_positions_have_the_plain_form_only(one_layer, upsampling):
    model = Model("densenet121", upsampling=upsampling)
    with tf.Graph().as_default() as graph:
        architecture.predict(architecture.image_placeholder((32, 32), 1), model, lean=True)
        assert "up1_concat" in [op.name for op in graph.get_operations()]
