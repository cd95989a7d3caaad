"""The platform ascend on the stand-in for its bridge, in tests/doubles."""

import pytest
from ascend_steps import DOUBLES
from densedepth import files, runtime
from densedepth.network import architecture
from densedepth.platforms import ascend_rank_table
from densedepth.tf import tf
from scenes import write_records

# The bridge exists for TensorFlow 1.15 only and rests on its tf.contrib, so there is nothing to test on another.
if runtime.describe()["runtime"] != "tf1":
    collect_ignore_glob = ["test_*.py"]

_VARIABLES = (
    "RANK_ID RANK_SIZE RANK_TABLE_FILE JOB_ID POD_NAME DEVICE_ID ASCEND_DEVICE_ID HCCL_CONNECT_TIMEOUT "
    "ENABLE_FORCE_V2_CONTROL DENSEDEPTH_ASCEND_CHIP CM_CHIEF_IP CM_CHIEF_PORT CM_CHIEF_DEVICE CM_WORKER_SIZE "
    "CM_WORKER_IP"
)


@pytest.fixture
def bridge(monkeypatch):
    """The stand-in with an empty record, in an environment of one rank."""
    monkeypatch.syspath_prepend(DOUBLES)
    for name in _VARIABLES.split():
        monkeypatch.delenv(name, raising=False)
    # What the platform sets itself is taken back as well.
    monkeypatch.setenv("JOB_ID", "test")
    monkeypatch.setenv("ENABLE_FORCE_V2_CONTROL", "1")
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "600")
    import npu_bridge

    del npu_bridge.calls[:]
    yield npu_bridge
    del npu_bridge.calls[:]


@pytest.fixture
def eight(bridge, monkeypatch, tmp_path):
    """The same as rank 3 of 8."""
    path = str(tmp_path / "table.json")
    files.write_json(path, ascend_rank_table.build("10.0.0.1", {n: "192.168.{}.101".format(100 + n) for n in range(8)}))
    for name, value in ascend_rank_table.ascend_environment(3, 8, path).items():
        monkeypatch.setenv(name, value)
    return bridge


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """DenseNet-121 with one layer a block: the same code, quick to build."""
    monkeypatch.setitem(architecture.BLOCKS, "densenet121", (1, 1, 1, 1))


@pytest.fixture
def graph():
    with tf.Graph().as_default() as graph:
        yield graph


@pytest.fixture
def records(tmp_path):
    path = tmp_path / "x.tfrecords"
    write_records(path, 8)
    return str(path)
