"""What holds for every test: the names under which cases are run, and what keeps their processes frugal."""

import gc


def pytest_collection_finish(session):
    """What is loaded by now stays: the search for garbage, which graphs of TensorFlow set off often, passes it by."""
    gc.collect()
    gc.freeze()


def pytest_make_parametrize_id(config, val, argname):
    """Bytes and long texts are named after their argument, and pytest numbers them.

    A case whose name holds the bytes of a file has another name in every process where the file holds the time, and
    pytest-xdist refuses to run tests that its processes name differently.
    """
    if isinstance(val, bytes) or (isinstance(val, str) and len(val) > 100):
        return argname
    return None
