"""Keras' full-model files: what is read from their config, and that any other network is refused."""

import json
import zipfile

import import_model
import import_weights
import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.network import importer, keras_model


def with_config(change):
    """For `changed`: apply `change` to {layer name: entry of model_config}."""

    def apply(root):
        text = root.attrs["model_config"]
        config = json.loads(text.decode("utf-8") if isinstance(text, bytes) else text)
        change({layer["name"]: layer for layer in config["config"]["layers"]})
        root.attrs["model_config"] = json.dumps(config).encode("utf-8")

    return apply


def set_version(version):
    def change(root):
        root.attrs["keras_version"] = version.encode()

    return change


def test_upsampling_is_asked_for_where_the_file_leaves_it_open(changed):
    path = changed(set_version("2.4.0"), values=False)
    with pytest.raises(PipelineError, match=r"Keras 2.4.0 does not say how pixels are aligned.* --upsampling half_p"):
        importer.read(path)
    assert keras_model.recognise(path, "half_pixel")[0].upsampling == "half_pixel"


def test_what_a_file_is_taken_for_is_told_and_can_be_said_otherwise(keras_networks):
    path = str(keras_networks / "deep.h5")
    assert keras_model.recognise(path)[1]["upsampling"] == (
        "BilinearUpSampling2D of Keras 2.2.4, taken for the authors' code before September 2020 "
        "(else say --upsampling asymmetric)"
    )
    model, decided = keras_model.recognise(path, "asymmetric")
    assert model.upsampling == "asymmetric"
    assert decided["upsampling"].startswith("--upsampling; BilinearUpSampling2D of Keras 2.2.4 leaves it open")


@pytest.mark.parametrize(
    "version, expected",
    [
        ("2.2.4", "asymmetric"),
        ("2.3.1", "asymmetric"),
        # TensorFlow 1.15, but 1.13 and 1.14 too.
        ("2.2.4-tf", "half_pixel"),
        ("2.3.0-tf", "half_pixel"),
        ("2.4.0", "half_pixel"),
        ("2.15.0", "half_pixel"),
        ("3.12.0", "half_pixel"),
    ],
)
def test_positions_of_a_keras_by_its_release(changed, version, expected):
    def change(root):
        set_version(version)(root)
        with_config(bilinear)(root)

    path = changed(change, values=False)
    model, decided = keras_model.recognise(path)
    assert model.upsampling == expected
    assert ("else say --upsampling asymmetric" in decided["upsampling"]) == (version == "2.2.4-tf")
    other = "asymmetric" if expected == "half_pixel" else "half_pixel"
    if version == "2.2.4-tf":
        assert keras_model.recognise(path, other)[0].upsampling == other
    else:
        with pytest.raises(PipelineError, match="--upsampling {} contradicts the file, which says".format(other)):
            importer.read(path, other)


def test_a_layer_that_says_it_aligns_corners_is_believed(changed):
    def change(root):
        set_version("2.4.0")(root)
        with_config(lambda layers: [v["config"].update(align_corners=True) for k, v in layers.items() if "_up" in k])(
            root
        )

    assert keras_model.recognise(changed(change, values=False))[0].upsampling == "align_corners"


def interpolating(interpolation):
    def change(layers):
        for name, layer in layers.items():
            if name.endswith("_upsampling2d"):
                layer["class_name"] = "UpSampling2D"
                layer["config"]["interpolation"] = interpolation

    return change


def within(layers):
    layers["conv2"].update(class_name="Model", name="model_1")


bilinear, nearest = interpolating("bilinear"), interpolating("nearest")


def without_slope(layers):
    for layer in layers.values():
        if layer["class_name"] == "LeakyReLU":
            layer["config"] = {"name": layer["config"]["name"]}


def setting(name, **values):
    return with_config(lambda layers: layers[name]["config"].update(values))


def reading(name, *sources):
    return with_config(lambda layers: layers[name].update(inbound_nodes=[[[one, 0, 0, {}] for one in sources]]))


def called_in_training(layers):
    layers["conv3_block2_1_bn"]["inbound_nodes"][0][0][3]["training"] = True


def first_pool_averages(layers):
    layers["pool1"]["class_name"] = "AveragePooling2D"


def with_dropout(layers):
    layers["pool3_relu"].update(class_name="Dropout")


@pytest.mark.parametrize(
    "change, expected",
    [
        (setting("conv1/relu", activation="tanh"), "first difference: conv1_relu has activation tanh, expected relu"),
        (setting("conv4_block9_0_relu", activation="elu"), "conv4_block9_0_relu has activation elu, expected relu"),
        (with_config(first_pool_averages), "AveragePooling2D pool1, expected MaxPooling2D$"),
        (setting("pool1", strides=[1, 1]), r"pool1 has strides \[1, 1\], expected \[2, 2\]"),
        (setting("conv1/conv", strides=[1, 1]), r"conv1_conv has strides \[1, 1\], expected \[2, 2\]"),
        (setting("conv1/conv", padding="same"), "conv1_conv has padding same, expected valid"),
        (setting("zero_padding2d", padding=[[2, 3], [3, 3]]), r"zero_padding2d\w* has padding \[\[2, 3\], \[3, 3\]\]"),
        (setting("conv2_block1_2_conv", kernel_size=[1, 1]), r"conv2_block1_2_conv has kernel_size \[1, 1\]"),
        (setting("conv2_block1_2_conv", dilation_rate=[2, 2]), r"conv2_block1_2_conv has dilation_rate \[2, 2\]"),
        (
            setting("conv5_block2_1_conv", data_format="channels_first"),
            "conv5_block2_1_conv has data_format channels_f",
        ),
        (setting("pool3_conv", use_bias=True), "pool3_conv has use_bias True, expected False"),
        (setting("conv3_block1_concat", axis=1), "conv3_block1_concat has axis 1, expected -1"),
        (setting("up2_upsampling2d", size=[4, 4]), r"up2_upsampling2d has size \[4, 4\], expected \[2, 2\]"),
        (with_config(called_in_training), "conv3_block2_1_bn has training True, expected False"),
        (with_config(with_dropout), "Dropout pool3_relu, expected Activation"),
        (
            reading("conv4_block3_0_bn", "conv4_block1_concat"),
            "BatchNormalization conv4_block3_0_bn reads conv4_block1_concat, expected conv4_block2_concat",
        ),
        (
            reading("conv2_block2_concat", "conv2_block2_2_conv", "conv2_block1_concat"),
            "Concatenate conv2_block2_concat reads conv2_block2_2_conv and conv2_block1_concat, expected",
        ),
        (reading("up1_concat", "up1_upsampling2d", "pool2_pool"), "up1_concat reads .* expected .* and pool3_pool"),
        (reading("conv3", "up4_convB"), "Conv2D conv3 reads up4_convB, expected leaky"),
        (with_config(nearest), "UpSampling2D up1_upsampling2d does not upsample bilinearly"),
        (setting("up2_convA", activation="relu"), "up2_convA has activation relu, expected linear"),
        (setting("bn", epsilon=0.002), "bn has epsilon 0.002, expected"),
        (
            with_config(lambda layers: layers["bn"]["config"].pop("epsilon")),
            r"bn has epsilon 0.001 \(Keras' default, as the file says none\), expected 1.001e-05",
        ),
        (setting("bn", epsilon="small"), "bn has epsilon small, expected"),
        (with_config(without_slope), r" has alpha 0.3 \(Keras' default, as the file says none\), expected 0.2"),
        (
            reading("conv2", "bn"),
            "conv2 reads bn, expected relu; networks of Keras-Applications before 1.0.6 lack this",
        ),
        (
            with_config(lambda layers: layers["conv2"].update(class_name=None)),
            "model_config is not that of a Keras",
        ),
        (with_config(lambda layers: layers["conv2"]["config"].pop("filters")), "conv2 has filters None"),
        (reading("up4_convA", "gone"), r"model_config is not that of a Keras model \(the layer gone is there nowhere"),
        (with_config(within), r"within the layer conv2, .* model.get_layer\('conv2'\).save"),
        (lambda root: root.attrs.pop("model_config"), "weights without model_config, .* import_weights.py"),
        (
            lambda root: root.attrs.modify("model_config", b'{"config": ' + b"[" * 10000 + b"]" * 10000 + b"}"),
            "model_config: nested too deeply|model_config: .* nested more than",
        ),
        (lambda root: root.attrs.modify("model_config", b"[1, 2"), "model_config is not that of a Keras model"),
    ],
)
def test_another_network_is_refused(changed, change, expected):
    with pytest.raises(PipelineError, match=expected) as caught:
        importer.read(changed(change, values=False))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_values_that_are_missing_are_told(changed):
    with pytest.raises(PipelineError, match="lists conv3/bias:0, which it does not have"):
        importer.read(changed(lambda root: root["model_weights/conv3/conv3"].pop("bias:0")))


def test_values_that_are_not_finite_are_refused(changed):
    def change(root):
        root["model_weights/up1_convA/up1_convA/bias:0"].write_direct(np.full(34, np.nan, "f"))

    with pytest.raises(PipelineError, match="up1_convA/bias holds values that are not finite"):
        importer.read(changed(change))


def test_a_wrong_shape_is_refused(changed):
    def change(root):
        group = root["model_weights/up4_convB/up4_convB"]
        del group["kernel:0"]
        group["kernel:0"] = np.zeros((3, 3, 4, 3), np.float32)

    with pytest.raises(PipelineError, match=r"up4_convB/kernel has shape \[3, 3, 4, 3\], expected \[3, 3, 4, 4\]"):
        importer.read(changed(change))


@pytest.mark.parametrize("program", [import_model, import_weights])
def test_another_kind_of_file_is_named(tmp_path, capsys, program):
    with zipfile.ZipFile(str(tmp_path / "a.h5"), "w") as archive:
        archive.writestr("metadata.json", "{}")
    assert program.main(["--input", str(tmp_path / "a.h5"), "--out", str(tmp_path / "out")]) == 1
    assert "a.h5: is a .keras file of Keras 3, expected an HDF5 file; save it" in capsys.readouterr().err
