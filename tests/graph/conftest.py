import pytest
import tiny


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """A checkpoint of DenseNet-121 with random weights for pictures of 32x64."""
    return tiny.write_checkpoint(tmp_path_factory.mktemp("run") / "checkpoints" / "epoch3")


@pytest.fixture(scope="session")
def frozen(checkpoint, tmp_path_factory):
    """The path of that checkpoint's frozen graph."""
    from densedepth.inference import freeze

    path = str(tmp_path_factory.mktemp("export") / "model.pb")
    freeze.freeze(checkpoint.folder, "conv3/BiasAdd", path, fold=False)
    return path


@pytest.fixture(scope="session")
def predictor(checkpoint):
    """That checkpoint, ready to run."""
    from densedepth.inference import predictors

    with predictors.load(checkpoint.folder) as predictor:
        yield predictor


@pytest.fixture(scope="session")
def test_archive(tmp_path_factory):
    """The path of a test archive of five pictures of 64x96."""
    path = tmp_path_factory.mktemp("archive") / "nyu_test.zip"
    tiny.write_test_set(path)
    return str(path)


@pytest.fixture(scope="session")
def shallow_frozen(tmp_path_factory):
    """The path of a frozen graph with one layer a block: quick to convert and to start, of the same operations."""
    from densedepth.inference import freeze
    from densedepth.network import architecture

    folder = tmp_path_factory.mktemp("shallow")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
        checkpoint = tiny.write_checkpoint(folder / "epoch3")
        freeze.freeze(checkpoint.folder, "conv3/BiasAdd", str(folder / "model.pb"))
    return str(folder / "model.pb")
