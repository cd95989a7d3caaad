"""In place of DenseNet and its decoder: a convolution and a normalisation as the encoder, a convolution as the decoder.

For tests of what trains a network, whatever it is: its loop, its snapshots, its ranks. The variables have names of the
network's, so that they are initialised, averaged, frozen and saved as its own are. A fifth of the operations.
"""

import contextlib

import pytest
from densedepth.network import architecture
from densedepth.tf import tf


def predict(images, model, training=False, momentum=0.99, folded=False, lean=False):
    """As `architecture.predict`."""
    with architecture._shared_variables():
        x = architecture._conv(images, "conv1/conv", 8, size=3, stride=2, bias=False)
        x = tf.nn.relu(architecture._batch_norm(x, "conv1/bn", training, momentum))
        return architecture._conv(x, "conv3", 1, size=3)


def use():
    """For all of this process."""
    architecture.predict = predict


@contextlib.contextmanager
def used():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(architecture, "predict", predict)
        yield
