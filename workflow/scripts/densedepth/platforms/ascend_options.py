"""The options of an Ascend session that a user may set: names, legal values, effects.

What the engine reads wrong it either ignores or answers by aborting the process without a Python exception. So every
value is checked before the session starts.
"""

import os
import re
from typing import Any, Callable, Dict, Mapping, NamedTuple, NoReturn, Tuple

from ..errors import PipelineError


class Parameter(NamedTuple):
    """A session parameter.

    A value in the wrong field is read as zero without a word, hence the field stands beside the name.
    """

    # Of its protobuf value: b, i or s.
    field: str
    # What the text must be, as a regular expression, and the same in words.
    pattern: str
    legal: str


_FLAG = Parameter("b", r"true|false", "true or false")
_BYTES = Parameter("s", r"\d+( *\* *\d+)*", "a number of bytes")
_SWITCH = Parameter("i", r"[01]", "0 or 1")
_FOLDER = Parameter("s", r".+", "an existing folder")
_JSON_FILE = Parameter("s", r".+\.json", "a JSON file")
_CFG_FILE = Parameter("s", r".+\.cfg", "an existing .cfg file")
_INI_FILE = Parameter("s", r".+\.ini", "an existing .ini file")
_COUNT = Parameter("i", r"[1-9]\d*", "a whole number of at least 1")
# By which parallel streams are numbered, 1 to 64.
_STREAMS = r"([1-9]|[1-5]\d|6[0-4])"


def _words(words):
    return Parameter("s", "|".join(words), "one of {}".format(", ".join(words)))


# What --npu_option may set beside the flags. Names, fields and legal values are those of the bridge's own source of
# 2023 (tf_adapter/util/npu_attrs.cc), and of its guide for TensorFlow 1.15 where they came later.
PARAMETERS = {
    "enable_data_pre_proc": _FLAG,
    "iterations_per_loop": _COUNT,
    "mix_compile_mode": _FLAG,
    "session_device_id": Parameter("i", r"\d|1[0-5]", "0 to 15"),
    "precision_mode_v2": _words(
        ("fp16", "origin", "cube_fp16in_fp32out", "mixed_float16", "mixed_bfloat16", "mixed_hif8")
    ),
    "modify_mixlist": _JSON_FILE,
    "optypelist_for_implmode": Parameter("s", r"\w+(,\w+)*", "names of operators with commas between them"),
    "variable_memory_max_size": _BYTES,
    "graph_memory_max_size": _BYTES,
    "op_compiler_cache_mode": _words(("enable", "disable")),
    "op_compiler_cache_dir": _FOLDER,
    "deterministic": _SWITCH,
    "profiling_mode": _FLAG,
    "profiling_options": Parameter("s", r"\{.*\}", "a JSON object"),
    "enable_dump": _FLAG,
    "dump_path": _FOLDER,
    "dump_step": Parameter("s", r"\d+(-\d+)?(\|\d+(-\d+)?)*", r"steps such as 0|5|10-20"),
    "dump_mode": _words(("input", "output", "all")),
    "enable_dump_debug": _FLAG,
    "dump_debug_mode": _words(("aicore_overflow", "atomic_overflow", "all")),
    "enable_exception_dump": _SWITCH,
    "op_debug_level": Parameter("i", r"[012]", "0, 1 or 2"),
    "op_precision_mode": _INI_FILE,
    "customize_dtypes": _CFG_FILE,
    "fusion_switch_file": _CFG_FILE,
    "static_memory_policy": Parameter("i", r"[0-4]", "0 to 4"),
    "external_weight": _FLAG,
    "topo_sorting_mode": Parameter("i", r"[0-3]", "0 (breadth first), 1 (depth first), 2 or 3"),
    "stream_max_parallel_num": Parameter("s", r"\w+:\d+(,\w+:\d+)*", "engines and numbers such as DNN_VM_TF:10"),
    "hccl_timeout": _COUNT,
    "op_wait_timeout": _COUNT,
    "op_execute_timeout": _COUNT,
    "graph_compiler_cache_dir": _FOLDER,
    "ac_parallel_enable": Parameter("s", r"[01]", "0 or 1"),
    "aoe_mode": Parameter("s", r"[1-4]", "1, 2, 3 or 4"),
    "work_path": _FOLDER,
    "debug_dir": _FOLDER,
    "op_debug_config": _CFG_FILE,
    "atomic_clean_policy": _SWITCH,
    "enable_small_channel": _SWITCH,
    "HCCL_algorithm": Parameter("s", r"level\d:[\w-]+(;level\d:[\w-]+)*", "levels such as level0:NA;level1:H-D_R"),
    "auto_multistream_parallel_mode": Parameter(
        "s", "cv|LoadBalance(:{0})?|MainStream:{0}".format(_STREAMS), "cv, LoadBalance:n or MainStream:n, n 1 to 64"
    ),
}
# Options of `platforms.ascend` that are no session parameters.
OWN = {
    "loss_scale": Parameter("s", r"dynamic|[1-9]\d*(\.\d+)?", "dynamic, or a number of at least 1"),
    "initial_loss_scale": Parameter("s", r"[1-9]\d*(\.\d+)?", "a number of at least 1"),
    "loss_scale_growth_steps": _COUNT,
}
ELSEWHERE = {
    "use_off_line": "is always true",
    "graph_run_mode": "is always 1, training",
    "precision_mode": "is set by --precision_mode",
    "op_select_implmode": "is set by --op_select_implmode",
    "hcom_parallel": "is set by --hcom_parallel",
    "is_tailing_optimization": "is always false: it needs the bridge's combined optimizer, which is not used here",
    "jit_compile": "is left at its default: its field differs by version, and it is for recommendation networks",
}
# Those that change what is computed; the others change how fast, or what is reported of it.
NUMBERS = (
    *("deterministic", "initial_loss_scale", "loss_scale", "loss_scale_growth_steps", "mix_compile_mode"),
    *("modify_mixlist", "optypelist_for_implmode", "precision_mode_v2", "op_precision_mode", "customize_dtypes"),
    *("fusion_switch_file", "HCCL_algorithm", "enable_small_channel"),
)


# By the field of a parameter's value.
_READERS: Dict[str, Callable[[str], Any]] = {"b": lambda text: text == "true", "i": int, "s": str}


def checked(extra: Mapping[str, str]) -> Dict[str, Tuple[str, Any]]:
    """{name: (field, value)} of the options given as {name: text}. Raises PipelineError for the first illegal one."""
    known = dict(PARAMETERS, **OWN)
    found = {}
    for name, value in sorted(dict(extra).items()):
        if name in ELSEWHERE:
            raise PipelineError("npu_option {}: {}".format(name, ELSEWHERE[name]))
        if name not in known:
            raise PipelineError("npu_option {}: unknown; known are {}".format(name, ", ".join(sorted(known))))
        field, pattern, legal = known[name]
        text = str(value).lower() if field == "b" else str(value)
        if not re.match("(?:{})$".format(pattern), text):
            refuse(name, value, "must be {}".format(legal))
        if known[name] is _BYTES:
            text = str(_product(text))
        if known[name] in (_FOLDER, _JSON_FILE, _CFG_FILE, _INI_FILE):
            # Each rank works in a folder of its own.
            text = os.path.abspath(text)
        if known[name] is _FOLDER and not (os.path.isdir(text) and os.access(text, os.R_OK | os.W_OK)):
            refuse(name, value, "no such folder, or not one to read and write in")
        if known[name] in (_CFG_FILE, _INI_FILE) and not os.path.isfile(text):
            refuse(name, value, "no such file")
        found[name] = (field, _READERS[field](text))
    return found


def _product(text):
    result = 1
    for factor in text.split("*"):
        result *= int(factor)
    return result


def refuse(name: str, value: Any, message: str) -> NoReturn:
    """Raise the PipelineError that `value` of the option `name` is not to be used."""
    raise PipelineError("npu_option {} = {}: {}".format(name, value, message))
