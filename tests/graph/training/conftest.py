import pytest
from densedepth.network import architecture
from scenes import write_records


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """The path of a record file of eight pairs."""
    path = tmp_path_factory.mktemp("records") / "x.tfrecords"
    write_records(path, 8)
    return str(path)


@pytest.fixture(scope="module")
def shallow():
    """DenseNet-121 with one layer a block: the same code, quick to build."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))
        yield
