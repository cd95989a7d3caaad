"""What the platform ascend asks of the bridge before a training: imports, ranks, environment, session."""

import dataclasses
import os
import subprocess
import sys

import pytest
from ascend_steps import DOUBLES, SCRIPTS, options, small_step, started
from densedepth import platforms
from densedepth.errors import PipelineError
from densedepth.platforms import ascend_rank_table
from densedepth.tf import tf

# The stages that compute on the host.
HOST = sorted(
    name[: -len(".py")]
    for name in os.listdir(SCRIPTS)
    # The settings are checked by the interpreter of Snakemake.
    if name.endswith(".py") and name not in ("train.py", "cli.py", "check_config.py")
)


def test_nothing_is_imported_before_the_start(bridge):
    for name in [name for name in sys.modules if name.startswith("npu_bridge.")]:
        del sys.modules[name]
    platform = platforms.create("ascend", options())
    platform.notes(), platform.session_config()
    assert not [name for name in sys.modules if name.startswith("npu_bridge.")]
    platform.start()
    assert "npu_bridge.hccl.hccl_ops" in sys.modules
    assert "npu_bridge.npu_init" not in sys.modules
    assert bridge.calls == []


@pytest.mark.parametrize("program", ["train"] + HOST)
def test_programs_do_not_import_the_bridge(program):
    """In a process of its own, with a bridge on the path that could be imported."""
    code = "import sys, {}; sys.exit(any(name.split('.')[0] in ('npu_bridge', 'hccl') for name in sys.modules))"
    path = os.pathsep.join([SCRIPTS, DOUBLES])
    subprocess.check_call([sys.executable, "-c", code.format(program)], env=dict(os.environ, PYTHONPATH=path))


def test_only_training_rests_on_the_platform():
    from densedepth.imports import sources

    for program in HOST:
        used = [os.path.relpath(path, SCRIPTS) for path in sources(os.path.join(SCRIPTS, program + ".py"))]
        platform_files = {os.path.basename(path) for path in used if os.sep + "platforms" + os.sep in path}
        expected = {"make_rank_table": {"__init__.py", "ascend_rank_table.py", "ascend_chips.py"}}.get(program, set())
        if program == "ascend_check":
            expected = {"__init__.py", "ascend_chips.py", "ascend_versions.py"}
        assert platform_files == expected, program


def test_without_the_bridge_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "npu_bridge", None)
    for name in [name for name in sys.modules if name.startswith("npu_bridge.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(PipelineError, match=r"npu_bridge.* cannot be imported .*set_env.sh"):
        started()


def test_another_tensorflow_is_refused(bridge, monkeypatch):
    monkeypatch.setattr(tf, "VERSION", "2.21.0")
    with pytest.raises(PipelineError, match=r"needs TensorFlow 1.15, this is 2.21.0"):
        started()


def test_the_rank_comes_from_the_environment(eight):
    platform = started()
    assert (platform.rank, platform.size) == (3, 8)


def test_a_launcher_and_an_environment_that_disagree_are_refused(eight):
    class Ranks:
        rank, size = 2, 8

    platform = platforms.create("ascend", dataclasses.replace(options(), ranks=Ranks))
    with pytest.raises(PipelineError, match="say rank 3 of 8, the launcher says 2 of 8"):
        platform.start()


def test_a_rank_of_slurm_gets_the_names_that_the_engine_reads(eight, monkeypatch):
    for name in ("RANK_ID", "RANK_SIZE", "DEVICE_ID", "ASCEND_DEVICE_ID", "HCCL_CONNECT_TIMEOUT"):
        monkeypatch.delenv(name)

    class Ranks:
        rank, size, master = 5, 8, None

    platform = platforms.create("ascend", dataclasses.replace(options(), ranks=Ranks))
    platform.start()
    assert (platform.rank, platform.size) == (5, 8)
    found = [os.environ[name] for name in ("RANK_ID", "RANK_SIZE", "ASCEND_DEVICE_ID", "HCCL_CONNECT_TIMEOUT")]
    assert found == ["5", "8", "5", "600"]


def test_one_device_leaves_a_rank_table_aside(eight, monkeypatch, capsys):
    for name in ("RANK_ID", "RANK_SIZE"):
        monkeypatch.delenv(name)
    platform = started()
    assert (platform.rank, platform.size) == (0, 1) and "RANK_TABLE_FILE" not in os.environ
    assert "RANK_TABLE_FILE is ignored" in capsys.readouterr().out


def test_what_the_user_has_set_of_the_environment_stays(bridge, monkeypatch, tmp_path):
    monkeypatch.setenv("HCCL_CONNECT_TIMEOUT", "1800")
    monkeypatch.setenv("JOB_ID", "mine")
    addresses = ["192.168.{}.101".format(100 + n) for n in range(4)]
    found = platforms.kind("ascend").environments(2, str(tmp_path), addresses)
    assert [(e["RANK_ID"], e["JOB_ID"], e["HCCL_CONNECT_TIMEOUT"]) for e in found] == [
        ("0", "mine", "1800"),
        ("1", "mine", "1800"),
    ]
    devices = ascend_rank_table.load(found[0]["RANK_TABLE_FILE"])
    assert [(device.device, device.address) for device in devices] == [(0, addresses[0]), (1, addresses[1])]
    with pytest.raises(PipelineError, match="4 addresses of Ascend devices for 8 devices"):
        platforms.kind("ascend").environments(8, str(tmp_path), addresses)


def test_what_the_engine_reads_is_set(bridge, monkeypatch):
    for name in ("JOB_ID", "ENABLE_FORCE_V2_CONTROL", "HCCL_CONNECT_TIMEOUT"):
        monkeypatch.delenv(name)
    started()
    assert (os.environ["JOB_ID"], os.environ["ENABLE_FORCE_V2_CONTROL"]) == ("densedepth", "1")
    assert os.environ["HCCL_CONNECT_TIMEOUT"] == "600"


def test_ranks_without_a_rank_table(bridge, monkeypatch, tmp_path, graph):
    values = dict(CHIEF_IP="10.0.0.1", CHIEF_PORT="6000", CHIEF_DEVICE="0", WORKER_SIZE="8", WORKER_IP="10.0.0.1")
    for name, value in values.items():
        monkeypatch.setenv("CM_" + name, value)
    monkeypatch.setenv("DENSEDEPTH_ASCEND_CHIP", "A2:64")
    found = platforms.kind("ascend").environments(8, str(tmp_path))
    assert [e["ASCEND_DEVICE_ID"] for e in found] == list("01234567") and os.listdir(str(tmp_path)) == []
    assert not [e for e in found if "RANK_TABLE_FILE" in e] and found[5]["DENSEDEPTH_ASCEND_CHIP"] == "A2:64"
    for name, value in found[5].items():
        monkeypatch.setenv(name, value)
    platform = started()
    assert (platform.rank, platform.size) == (5, 8)
    small_step(platform)
    assert len(bridge.called("allreduce")) == 3


def test_each_graph_has_a_folder_of_its_own_in_the_cache_of_graphs(eight, tmp_path):
    def folder(start=1.0, **extra):
        with tf.Graph().as_default():
            platform = started(graph_compiler_cache_dir=str(tmp_path), **extra)
            small_step(platform, start)
            (optimizer,) = platform.session_config().graph_options.rewrite_options.custom_optimizers
        return optimizer.parameter_map["graph_compiler_cache_dir"].s.decode()

    first = folder()
    assert os.path.isdir(first) and os.path.basename(first).startswith("rank3-") and folder() == first
    assert len({first, folder(2.0), folder(deterministic="1")}) == 3


def test_the_whole_session_proto(bridge, tmp_path):
    platform = started(session_device_id="3", op_compiler_cache_mode="enable", op_compiler_cache_dir=str(tmp_path))
    expected = tf.ConfigProto(allow_soft_placement=True)
    rewrite = expected.graph_options.rewrite_options
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig

    rewrite.remapping = RewriterConfig.OFF
    rewrite.memory_optimization = RewriterConfig.OFF
    optimizer = rewrite.custom_optimizers.add()
    optimizer.name = "NpuOptimizer"
    for name in ("use_off_line", "hcom_parallel"):
        optimizer.parameter_map[name].b = True
    for name in ("is_tailing_optimization", "mix_compile_mode", "enable_data_pre_proc"):
        optimizer.parameter_map[name].b = False
    optimizer.parameter_map["op_compiler_cache_mode"].s = b"enable"
    for name, value in dict(graph_run_mode=1, iterations_per_loop=1, session_device_id=3).items():
        optimizer.parameter_map[name].i = value
    words = dict(
        precision_mode=b"allow_mix_precision",
        op_select_implmode=b"high_precision",
        op_compiler_cache_mode=b"enable",
        op_compiler_cache_dir=str(tmp_path).encode(),
    )
    for name, value in words.items():
        optimizer.parameter_map[name].s = value
    assert platform.session_config() == expected
    for value in platform.session_config().graph_options.rewrite_options.custom_optimizers[0].parameter_map.values():
        assert value.WhichOneof("value") in ("b", "i", "s")
