"""A test set for maps that are stored."""

import pytest
from map_files import write


@pytest.fixture
def archive(tmp_path):
    """The path of a test archive of `map_files`."""
    return write(str(tmp_path / "test.zip"))
