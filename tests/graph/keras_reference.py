"""Keras' side of the parity test: run by test_keras_parity.py as a process of its own.

    python keras_reference.py FOLDER ENCODER=WIDTH ENCODER=WIDTH=LAYERS,LAYERS,LAYERS,LAYERS ...

For each encoder writes FOLDER/ENCODER.h5 (the encoder's random weights as the published files are laid out),
ENCODER-decoder.npz (the decoder's weights by variable name) and ENCODER.npz (images, features, network output, and
how many layers Keras gives each block). With LAYERS, its blocks have as many instead.
Uses nothing of this project. Kept apart because our side switches TensorFlow's version 2 behaviour off.
"""

import os
import sys

import h5py
import numpy as np
import tensorflow as tf

try:
    from keras.src.applications import densenet
except ImportError:
    from keras_applications import densenet

# Without eager execution TensorFlow 1.15 takes minutes to read the variables back one by one.
tf.compat.v1.enable_eager_execution()

keras = tf.keras
APPLICATIONS = {
    "densenet121": keras.applications.DenseNet121,
    "densenet169": keras.applications.DenseNet169,
    "densenet201": keras.applications.DenseNet201,
}
# Beginnings of the names of the decoder's layers; the encoder has conv2_block... and conv3_block...
DECODER = ("up", "conv2/", "conv3/")


def random_value(kind, shape, stream):
    """Values that keep features of order one, so that a swapped or skipped tensor shows."""
    if kind == "kernel":
        return stream.normal(0.0, np.sqrt(2.0 / np.prod(shape[:3])), shape)
    if kind in ("gamma", "moving_variance"):
        return stream.uniform(0.5, 1.5, shape)
    return stream.normal(0.0, 0.3, shape)  # beta, moving_mean, bias


def randomise(model, stream):
    """Give the model random weights; returns them by layer and kind, as in `conv2/kernel`."""
    values = {}
    for layer in model.layers:
        for weight in layer.weights:
            kind = weight.name.split("/")[-1].split(":")[0]
            value = random_value(kind, tuple(int(n) for n in weight.shape), stream).astype(np.float32)
            values["{}/{}".format(layer.name, kind)] = value
            weight.assign(value)
    return values


def decode(features, width):
    filters = int(features[-1].shape[-1]) // (2 if width == "half" else 1)
    x = keras.layers.Conv2D(filters, 1, padding="same", name="conv2")(features[-1])
    for level, skip in enumerate(features[-2::-1], start=1):
        up = "up{}".format(level)
        filters //= 2
        x = keras.layers.UpSampling2D((2, 2), interpolation="bilinear", name=up + "_upsampling2d")(x)
        x = keras.layers.Concatenate(name=up + "_concat")([x, skip])
        for half in ("A", "B"):
            x = keras.layers.Conv2D(filters, 3, padding="same", name=up + "_conv" + half)(x)
            x = keras.layers.LeakyReLU(0.2, name=up + "_act" + half)(x)
    return keras.layers.Conv2D(1, 3, padding="same", name="conv3")(x)


def save_encoder(path, model):
    """Keras 2 writes the published layout itself; Keras 3 has kept the writer for whole models."""
    try:
        from keras.src.legacy.saving import legacy_h5_format
    except ImportError:
        model.save_weights(path)
        return
    with h5py.File(path, "w") as root:
        legacy_h5_format.save_weights_to_hdf5_group(root, model)


def build(encoder, layers):
    """Keras' network without top, with `layers` in its blocks where they are given; what Keras itself gives them."""
    make, own = densenet.DenseNet, []

    def made(blocks, *words, **named):
        own.extend(blocks)
        return make(layers or blocks, *words, **named)

    densenet.DenseNet = made
    try:
        return APPLICATIONS[encoder](include_top=False, weights=None, input_shape=(64, 96, 3)), own
    finally:
        densenet.DenseNet = make


def reference(folder, encoder, width, layers=""):
    stream = np.random.RandomState(7)
    model, blocks = build(encoder, [int(n) for n in layers.split(",") if n])
    layers = {layer.name.replace("/", "_"): layer for layer in model.layers}
    features = [layers[n].output for n in ("conv1_relu", "pool1", "pool2_pool", "pool3_pool", "relu")]
    whole = keras.Model(model.input, features + [decode(features, width)])
    values = randomise(whole, stream)
    save_encoder(os.path.join(folder, encoder + ".h5"), model)
    decoder = {name: value for name, value in values.items() if name.startswith(DECODER)}
    np.savez(os.path.join(folder, encoder + "-decoder.npz"), **decoder)
    images = stream.uniform(0, 1, (2, 64, 96, 3)).astype(np.float32)
    # Without `predict`, which would build a graph first, for this one call.
    results = whole(tf.constant(images), training=False)
    names = ("conv1_relu", "pool1", "pool2_pool", "pool3_pool", "relu", "output")
    np.savez(
        os.path.join(folder, encoder + ".npz"),
        images=images,
        blocks=blocks,
        **{name: np.asarray(results[i]) for i, name in enumerate(names)},
    )
    keras.backend.clear_session()


if __name__ == "__main__":
    for word in sys.argv[2:]:
        reference(sys.argv[1], *word.split("="))
