"""The parameters of an Ascend session, checked before the engine sees them."""

import dataclasses

import pytest
from densedepth import platforms
from densedepth.errors import PipelineError
from densedepth.platforms import ascend_chips
from densedepth.platforms.ascend import PARAMETERS, session_parameters
from densedepth.platforms.base import Options

PLAIN = {
    "use_off_line": ("b", True),
    "graph_run_mode": ("i", 1),
    "precision_mode": ("s", "allow_mix_precision"),
    "op_select_implmode": ("s", "high_precision"),
    "hcom_parallel": ("b", True),
    "is_tailing_optimization": ("b", False),
    "iterations_per_loop": ("i", 1),
    "mix_compile_mode": ("b", False),
    "op_compiler_cache_mode": ("s", "enable"),
    "enable_data_pre_proc": ("b", False),
}


def options(precision_mode="allow_mix_precision", implementation="high_precision", scaled=True, **extra):
    return Options(precision_mode, implementation, scaled, True, extra=extra)


def test_the_flags_of_the_port_and_what_is_always_set():
    assert session_parameters(options()) == PLAIN


def test_each_option_goes_into_its_field(tmp_path):
    mixlist = tmp_path / "mix.json"
    mixlist.write_text("{}")
    cfg, ini = tmp_path / "x.cfg", tmp_path / "x.ini"
    cfg.write_text("")
    ini.write_text("")
    given = {
        "enable_data_pre_proc": ("True", ("b", True)),
        "iterations_per_loop": ("10", ("i", 10)),
        "mix_compile_mode": ("false", ("b", False)),
        "session_device_id": ("3", ("i", 3)),
        "modify_mixlist": (str(mixlist), ("s", str(mixlist))),
        "optypelist_for_implmode": ("Pooling,SoftmaxV2", ("s", "Pooling,SoftmaxV2")),
        "variable_memory_max_size": ("5*1024*1024*1024", ("s", "5368709120")),
        "graph_memory_max_size": ("27917287424", ("s", "27917287424")),
        "op_compiler_cache_mode": ("enable", ("s", "enable")),
        "op_compiler_cache_dir": (str(tmp_path), ("s", str(tmp_path))),
        "deterministic": ("1", ("i", 1)),
        "profiling_mode": ("true", ("b", True)),
        "profiling_options": ('{"output":"/tmp","task_trace":"on"}', ("s", '{"output":"/tmp","task_trace":"on"}')),
        "enable_dump": ("true", ("b", True)),
        "dump_path": (str(tmp_path), ("s", str(tmp_path))),
        "dump_step": ("0|5|10-20", ("s", "0|5|10-20")),
        "dump_mode": ("all", ("s", "all")),
        "enable_dump_debug": ("true", ("b", True)),
        "dump_debug_mode": ("aicore_overflow", ("s", "aicore_overflow")),
        "enable_exception_dump": ("1", ("i", 1)),
        "op_debug_level": ("2", ("i", 2)),
        "op_precision_mode": (str(ini), ("s", str(ini))),
        "customize_dtypes": (str(cfg), ("s", str(cfg))),
        "fusion_switch_file": (str(cfg), ("s", str(cfg))),
        "static_memory_policy": ("2", ("i", 2)),
        "external_weight": ("true", ("b", True)),
        "topo_sorting_mode": ("1", ("i", 1)),
        "stream_max_parallel_num": ("DNN_VM_TF:10,DNN_V100:1", ("s", "DNN_VM_TF:10,DNN_V100:1")),
        "hccl_timeout": ("1800", ("i", 1800)),
        "op_wait_timeout": ("120", ("i", 120)),
        "op_execute_timeout": ("90", ("i", 90)),
        "ac_parallel_enable": ("1", ("s", "1")),
        "aoe_mode": ("2", ("s", "2")),
        "work_path": (str(tmp_path), ("s", str(tmp_path))),
        "debug_dir": (str(tmp_path), ("s", str(tmp_path))),
        "op_debug_config": (str(cfg), ("s", str(cfg))),
        "atomic_clean_policy": ("1", ("i", 1)),
        "enable_small_channel": ("1", ("i", 1)),
        "HCCL_algorithm": ("level0:NA;level1:H-D_R", ("s", "level0:NA;level1:H-D_R")),
        "auto_multistream_parallel_mode": ("LoadBalance:8", ("s", "LoadBalance:8")),
    }
    assert set(PARAMETERS) == set(given) | {"precision_mode_v2", "graph_compiler_cache_dir"}
    parameters = session_parameters(options(**{name: text for name, (text, _) in given.items()}))
    assert parameters == dict(PLAIN, **{name: value for name, (_, value) in given.items()})


def test_the_newer_word_for_precision_replaces_the_older():
    parameters = session_parameters(options("must_keep_origin_dtype", precision_mode_v2="mixed_float16"))
    assert parameters["precision_mode_v2"] == ("s", "mixed_float16")
    assert "precision_mode" not in parameters
    with pytest.raises(PipelineError, match="leave --precision_mode out"):
        session_parameters(options(precision_mode_v2="mixed_float16"))


@pytest.mark.parametrize(
    "chip, mode, legal",
    [
        (None, "mixed_bfloat16", False),
        (ascend_chips.A1, "mixed_float16", True),
        (ascend_chips.A2, "mixed_bfloat16", True),
        (ascend_chips.A3, "mixed_hif8", False),
        (ascend_chips.A5, "mixed_hif8", True),
    ],
)
def test_formats_that_only_some_chips_have(chip, mode, legal):
    wanted = options("must_keep_origin_dtype", precision_mode_v2=mode)
    if legal:
        assert session_parameters(wanted, chip)["precision_mode_v2"] == ("s", mode)
        return
    with pytest.raises(PipelineError, match="precision_mode_v2 = {}: Atlas .* have no ".format(mode)):
        session_parameters(wanted, chip)


def test_memory_and_devices_by_chip(monkeypatch):
    wanted = dict(graph_memory_max_size="60*1024*1024*1024", session_device_id="12")
    assert session_parameters(options(**wanted), ascend_chips.A3)["session_device_id"] == ("i", 12)
    with pytest.raises(
        PipelineError, match=r"together more than 31 GiB \(npu-smi names no chip; DENSEDEPTH_ASCEND_CHIP"
    ):
        session_parameters(options(**wanted))
    # What npu-smi, or a launcher that has asked it, tells of the memory goes before the smallest variant's.
    monkeypatch.setenv("DENSEDEPTH_ASCEND_CHIP", "A2:64")
    platform = platforms.create("ascend", options(graph_memory_max_size="60*1024*1024*1024"))
    assert "Atlas A2 training products (910B1 to 910B4), 64 GiB" in platform.notes()
    monkeypatch.setenv("DENSEDEPTH_ASCEND_CHIP", "310P3")
    with pytest.raises(PipelineError, match="Atlas inference products do not train"):
        platforms.create("ascend", options())
    monkeypatch.setenv("DENSEDEPTH_ASCEND_CHIP", "H200")
    with pytest.raises(PipelineError, match="DENSEDEPTH_ASCEND_CHIP = 'H200': must be one of"):
        platforms.create("ascend", options())


def test_a_loop_on_the_device_brings_its_input_there():
    assert session_parameters(options(iterations_per_loop="4"))["enable_data_pre_proc"] == ("b", True)


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(precision_mode="mixed"), "precision_mode = 'mixed': must be one of allow_mix_precision"),
        (dict(precision_mode="force_fp16"), "for inference only"),
        (dict(implementation="fast"), "op_select_implmode = 'fast'"),
        (dict(iterations_per_loop="0"), "iterations_per_loop = 0: must be a whole number of at least 1"),
        (dict(iterations_per_loop="2", mix_compile_mode="true"), "must be 1 with mix_compile_mode"),
        (dict(iterations_per_loop="2", enable_data_pre_proc="false"), "must be true with iterations_per_loop"),
        (dict(enable_data_pre_proc="1"), "must be true or false"),
        (dict(session_device_id="-1"), "must be 0 to 15"),
        (dict(session_device_id="8"), "session_device_id = 8: Atlas training products have devices 0 to 7"),
        (dict(fusion_switch_file="x.cfg"), "fusion_switch_file = x.cfg: no such file"),
        (dict(jit_compile="true"), "jit_compile: is left at its default"),
        (dict(auto_multistream_parallel_mode="MainStream:65"), "n 1 to 64"),
        (dict(work_path="."), "work_path = .*: needs aoe_mode"),
        (dict(iterations_per_loop="2", graph_compiler_cache_dir="."), "the loop has resource variables"),
        (dict(hcom_parallel="true"), "is set by --hcom_parallel"),
        (dict(graph_run_mode="0"), "is always 1"),
        (dict(is_tailing_optimization="true"), "is always false"),
        (dict(iteration_per_loop="2"), "iteration_per_loop: unknown; known are .*iterations_per_loop"),
        (dict(modify_mixlist="x.json"), "x.json: no such file"),
        (dict(precision_mode="force_fp32", modify_mixlist="x.json"), "needs --precision_mode allow_mix_precision"),
        (dict(variable_memory_max_size="5 GB"), "a number of bytes"),
        (dict(variable_memory_max_size="16*1024*1024*1024", graph_memory_max_size="17179869184"), "more than 31 GiB"),
        (dict(profiling_mode="true"), "needs profiling_options"),
        (dict(profiling_mode="true", profiling_options="{x}"), "not JSON"),
        (dict(enable_dump="true"), "needs dump_path"),
        (dict(enable_dump_debug="true"), "needs dump_path"),
        (dict(dump_path="/nowhere/at/all"), "no such folder"),
        (dict(dump_step="1,2"), "steps such as"),
        (dict(dump_step="0|9-9"), "ranges from a lower to a higher step"),
        (dict(dump_step="|".join(map(str, range(101)))), "at most 100 entries"),
        (dict(deterministic="2"), "must be 0 or 1"),
        (dict(loss_scale="0.5"), "dynamic, or a number of at least 1"),
        (dict(scaled=False, loss_scale="1024"), "loss_scale = 1024: needs --is_loss_scale true"),
        (dict(loss_scale="1e4"), "dynamic, or a number of at least 1"),
    ],
)
def test_what_the_engine_would_not_take_is_refused(changes, message):
    with pytest.raises(PipelineError, match=message):
        platforms.create("ascend", options(**changes))


def test_several_ranks_do_not_share_a_device():
    class Ranks:
        rank, size = 0, 2

    with pytest.raises(PipelineError, match="session_device_id = 3: several ranks each have their own device"):
        platforms.create("ascend", dataclasses.replace(options(session_device_id="3"), ranks=Ranks))


def test_paths_hold_in_the_folder_of_each_rank(tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    assert session_parameters(options(op_compiler_cache_dir="."))["op_compiler_cache_dir"] == ("s", str(tmp_path))


def test_an_unknown_platform_is_refused():
    with pytest.raises(PipelineError, match="platform = 'npu': must be one of ascend, cpu_gpu"):
        platforms.create("npu", options())
