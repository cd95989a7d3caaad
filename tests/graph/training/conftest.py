import pytest
from scenes import write_records


@pytest.fixture(scope="session")
def records(tmp_path_factory):
    """The path of a record file of eight pairs."""
    path = tmp_path_factory.mktemp("records") / "x.tfrecords"
    write_records(path, 8)
    return str(path)
