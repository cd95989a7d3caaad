"""Whole networks written by Keras: run by test_importer.py as a process of its own.

    python keras_models.py FOLDER

Writes, each with random weights and with images and the network's output in an .npz beside it:
deep.h5     the paper's network (full width, corners aligned, no activation between the convolutions) of DenseNet-121
            in the layout of Keras 2.2: names with slashes, nested groups, the custom layer, optimizer weights
and, with one layer in each dense block:
paper.h5    the same network
own_2.h5    the same with the UpSampling2D of Keras' own 2.3.1, which has TensorFlow 1's positions
library.h5  the port's network as the installed Keras' own `save` writes it
port/       the port's network as `tf.train.Checkpoint` writes it, with an optimizer that has made a step
Uses nothing of this project.
"""

import functools
import json
import os
import sys

import h5py
import keras_reference
import numpy as np
import tensorflow as tf

keras = tf.keras
SIZE = (64, 96)
DENSENET_121, SHALLOW = (6, 12, 24, 16), (1, 1, 1, 1)
try:
    from keras.src.applications.densenet import DenseNet
except ImportError:
    import keras_applications.densenet
    from tensorflow.python.keras.applications import keras_modules_injection

    DenseNet = keras_modules_injection(keras_applications.densenet.DenseNet)


class BilinearUpSampling2D(keras.layers.Layer):
    """The published models' layer, by its name and config."""

    align_corners = True

    def __init__(self, size=(2, 2), data_format=None, **options):
        super().__init__(**options)
        self.size = tuple(size)
        self.data_format = "channels_last"

    def build(self, shape):
        self.target = (shape[1] * 2, shape[2] * 2)
        super().build(shape)

    def call(self, inputs):
        return tf.compat.v1.image.resize_bilinear(inputs, self.target, align_corners=self.align_corners)

    def compute_output_shape(self, shape):
        return (shape[0], shape[1] * 2, shape[2] * 2, shape[3])

    def get_config(self):
        return dict(super().get_config(), size=self.size, data_format=self.data_format)


class UpSampling2D(BilinearUpSampling2D):
    """The layer of Keras' own 2.3.1 (tensorflow_backend.py, resize_images)."""

    align_corners = False

    def get_config(self):
        return dict(super().get_config(), interpolation="bilinear")


def paper_decoder(features, enlarged=BilinearUpSampling2D):
    filters = int(features[-1].shape[-1])
    x = keras.layers.Conv2D(filters, 1, padding="same", name="conv2")(features[-1])
    for level, skip in enumerate(features[-2::-1], start=1):
        up = "up{}".format(level)
        filters //= 2
        x = enlarged((2, 2), name=up + "_upsampling2d")(x)
        x = keras.layers.Concatenate(name=up + "_concat")([x, skip])
        x = keras.layers.Conv2D(filters, 3, padding="same", name=up + "_convA")(x)
        x = keras.layers.Conv2D(filters, 3, padding="same", name=up + "_convB")(x)
        x = keras.layers.LeakyReLU(0.2)(x)
    return keras.layers.Conv2D(1, 3, padding="same", name="conv3")(x)


def build(decode, blocks=SHALLOW):
    base = DenseNet(list(blocks), include_top=False, weights=None, input_shape=SIZE + (3,))
    layers = {layer.name.replace("/", "_"): layer for layer in base.layers}
    names = ("conv1_relu", "pool1", "pool2_pool", "pool3_pool", "relu")
    return keras.Model(base.input, decode([layers[name].output for name in names]))


def old_name(name):
    """Keras 2.2's name of an encoder layer."""
    return "conv1/" + name[len("conv1_") :] if name in ("conv1_conv", "conv1_bn", "conv1_relu") else name


def old_config(model):
    """`model_config` as Keras 2.2 wrote it."""

    def names_of(tensors):
        tensors = tensors if isinstance(tensors, (list, tuple)) else [tensors]
        histories = [getattr(tensor, "_keras_history", None) for tensor in tensors]
        return [old_name((history.layer if hasattr(history, "layer") else history[0]).name) for history in histories]

    layers = []
    for layer in model.layers:
        config = dict(layer.get_config(), name=old_name(layer.name))
        for key in ("dtype", "kernel_initializer", "bias_initializer", "registered_name"):
            config.pop(key, None)
        if "negative_slope" in config:
            config["alpha"] = config.pop("negative_slope")
        kind = type(layer).__name__
        sources = [] if kind == "InputLayer" else names_of(layer.input)
        nodes = [[[name, 0, 0, {}] for name in sources]] if sources else []
        layers.append({"name": config["name"], "class_name": kind, "config": config, "inbound_nodes": nodes})
    top = {"name": "model_1", "layers": layers}
    top["input_layers"] = [[layers[0]["name"], 0, 0]]
    top["output_layers"] = [[layers[-1]["name"], 0, 0]]
    return {"class_name": "Model", "config": top}


def save_as_keras_2(path, model, version):
    with h5py.File(path, "w") as root:
        root.attrs["keras_version"] = version.encode()
        root.attrs["backend"] = b"tensorflow"
        root.attrs["model_config"] = json.dumps(old_config(model), default=str).encode("utf-8")
        root.attrs["training_config"] = json.dumps({"loss": "depth_loss_function"}).encode("utf-8")
        root.create_group("optimizer_weights").create_dataset("iterations", data=3)
        group = root.create_group("model_weights")
        group.attrs["layer_names"] = [old_name(layer.name).encode() for layer in model.layers]
        for layer in model.layers:
            below = group.create_group(old_name(layer.name))
            kinds = [weight.name.split("/")[-1].split(":")[0] for weight in layer.weights]
            names = ["{}/{}:0".format(old_name(layer.name), kind) for kind in kinds]
            below.attrs["weight_names"] = [name.encode() for name in names]
            for name, weight in zip(names, layer.weights):
                below.create_dataset(name, data=np.asarray(weight.numpy()))


def save_as_checkpoint(folder, model):
    """As the port does, with all of Adam's slots."""
    optimizer = tf.compat.v1.train.AdamOptimizer(1e-12)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(np.zeros((1,) + SIZE + (3,), np.float32)))
    variables = [getattr(v, "value", v) if not isinstance(v, tf.Variable) else v for v in model.trainable_variables]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
    tf.train.Checkpoint(model=model, optimizer=optimizer).save(os.path.join(folder, "ckpt"))


def scale_output(model, images):
    """Change the last layer so that outputs are those of depths of some metres, 1000 / depth in centimetres."""
    output = np.asarray(model(tf.constant(images), training=False))
    layer = model.get_layer("conv3")
    kernel, bias = layer.get_weights()
    factor = 1 / np.abs(output - output.mean()).max()
    layer.set_weights([kernel * factor, (bias - output.mean()) * factor + 2.5])


def write(folder):
    stream = np.random.RandomState(11)
    images = stream.uniform(0, 1, (2,) + SIZE + (3,)).astype(np.float32)

    def finish(name, model):
        output = np.asarray(model(tf.constant(images), training=False))
        np.savez(os.path.join(folder, name + ".npz"), images=images, output=output)

    own = functools.partial(paper_decoder, enlarged=UpSampling2D)
    for name, decoder, blocks, version in (
        ("deep", paper_decoder, DENSENET_121, "2.2.4"),
        ("paper", paper_decoder, SHALLOW, "2.2.4"),
        ("own_2", own, SHALLOW, "2.3.1"),
    ):
        model = build(decoder, blocks)
        keras_reference.randomise(model, stream)
        scale_output(model, images)
        save_as_keras_2(os.path.join(folder, name + ".h5"), model, version)
        finish(name, model)
    port = build(lambda features: keras_reference.decode(features, "half"))
    keras_reference.randomise(port, stream)
    scale_output(port, images)
    port.save(os.path.join(folder, "library.h5"), include_optimizer=False)
    finish("library", port)
    os.makedirs(os.path.join(folder, "port"))
    save_as_checkpoint(os.path.join(folder, "port"), port)
    finish("port", port)


if __name__ == "__main__":
    write(sys.argv[1])
