import contextlib
import os

# The workers of pytest-xdist share the processor; more threads than processors only spin. Before TensorFlow is loaded.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import plain_sessions
import pytest
import tiny
import two_layers
from densedepth.network import architecture

plain_sessions.use()


@contextlib.contextmanager
def one_layer_a_block():
    """DenseNet-121 with one layer in each block: the same code and operations, quick to build and to run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
        yield


@pytest.fixture(scope="module")
def shallow():
    """Such a network in all of a module, for those that load `checkpoint`."""
    with one_layer_a_block():
        yield


@pytest.fixture
def one_layer():
    """Such networks in one test."""
    with one_layer_a_block():
        yield


@pytest.fixture
def small_network():
    """That of `two_layers` in one test."""
    with two_layers.used():
        yield


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A checkpoint of a shallow network with random weights for pictures of 32x64."""
    with one_layer_a_block():
        return tiny.write_checkpoint(tmp_path_factory.mktemp("run") / "checkpoints" / "epoch3")


@pytest.fixture(scope="session")
def frozen(checkpoint, tmp_path_factory):
    """The path of that checkpoint's frozen graph."""
    from densedepth.inference import freeze

    path = str(tmp_path_factory.mktemp("export") / "model.pb")
    with one_layer_a_block():
        freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path, fold=False)
    return path


@pytest.fixture(scope="session")
def predictor(checkpoint):
    """That checkpoint, ready to run."""
    from densedepth.inference import predictors

    with one_layer_a_block():
        loaded = predictors.load(checkpoint.folder)
    with loaded as predictor:
        yield predictor


@pytest.fixture(scope="session")
def test_archive(tmp_path_factory):
    """The path of a test archive of five pictures of 64x96."""
    path = tmp_path_factory.mktemp("archive") / "nyu_test.zip"
    tiny.write_test_set(path)
    return str(path)


@pytest.fixture(scope="session")
def shallow_frozen(checkpoint, tmp_path_factory):
    """The path of that checkpoint's folded graph."""
    from densedepth.inference import freeze

    path = str(tmp_path_factory.mktemp("folded") / "model.pb")
    with one_layer_a_block():
        freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path)
    return path
