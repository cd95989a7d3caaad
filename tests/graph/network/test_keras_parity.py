"""Keras' own DenseNet and decoder, with random weights and statistics, give the figures that ours give.

Keras writes the weights as the published files are laid out; our importer reads them.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.network import architecture, weights
from densedepth.network.model import Model
from densedepth.tf import tf

# Both widths; the encoder does not depend on it.
WIDTHS = {"densenet121": "full", "densenet169": "half", "densenet201": "half"}
# What tells the encoders apart is how many layers their blocks have, which is compared as such; one has them all.
LAYERS = {"densenet169": (2, 3, 4, 2), "densenet201": (3, 2, 1, 3)}
# Keras' layers and our operations; in a transition ours averages before the convolution.
FEATURES = {
    "conv1_relu": "conv1/relu",
    "pool1": "pool1",
    "pool2_pool": "pool2_conv/Conv2D",
    "pool3_pool": "pool3_conv/Conv2D",
    "relu": "relu",
    "output": "conv3/BiasAdd",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("keras")
    program = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "keras_reference.py")
    jobs = ["{}={}".format(encoder, width) for encoder, width in sorted(WIDTHS.items())]
    jobs = [job + "=" + ",".join(str(n) for n in LAYERS.get(job.partition("=")[0], ())) for job in jobs]
    done = subprocess.run(
        [sys.executable, program, str(path)] + jobs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-4000:]
    return path


def relative_error(ours, theirs):
    """Largest difference beside the mean magnitude: stricter than beside the largest value."""
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).mean()


@pytest.mark.parametrize("encoder", sorted(WIDTHS))
def test_features_and_output_agree(folder, monkeypatch, encoder):
    theirs = np.load(str(folder / (encoder + ".npz")))
    assert architecture.BLOCKS[encoder] == tuple(theirs["blocks"])
    monkeypatch.setitem(architecture.BLOCKS, encoder, LAYERS.get(encoder, architecture.BLOCKS[encoder]))
    values = weights.encoder_of(str(folder / (encoder + ".h5")), encoder)
    decoder = np.load(str(folder / (encoder + "-decoder.npz")))
    model = Model(encoder=encoder, width=WIDTHS[encoder])
    with tf.Graph().as_default() as graph, tf.Session() as session:
        images = architecture.image_placeholder((64, 96))
        architecture.predict(images, model)
        variables = {v.op.name for v in tf.global_variables()}
        # Every variable is accounted for, once.
        assert variables == set(values) | set(decoder.files)
        assert len(variables) == len(values) + len(decoder.files)
        weights.assign(session, values)
        weights.assign(session, {name: decoder[name] for name in decoder.files})
        tensors = {name: graph.get_tensor_by_name(op + ":0") for name, op in FEATURES.items()}
        ours = session.run(tensors, {images: theirs["images"]})
    errors = {name: relative_error(ours[name], theirs[name]) for name in FEATURES}
    print(encoder, errors)
    assert max(errors.values()) < 1e-4, errors


def test_file_of_another_depth_is_refused(folder):
    with pytest.raises(PipelineError, match=r"expected the weights of densenet169 .* found densenet121"):
        weights.encoder_of(str(folder / "densenet121.h5"), "densenet169")
