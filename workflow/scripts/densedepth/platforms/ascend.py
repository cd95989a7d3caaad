"""Ascend 910 through npu_bridge on TensorFlow 1.15; the only module that knows npu_bridge, imported when it starts.

No more than one platform of this kind may be used in a graph.
"""

import collections
import importlib
import json
import os
from typing import Any, ContextManager, Dict, List, Optional, Sequence, Tuple

from .. import files, progress
from ..errors import PipelineError
from ..tf import Tensor, tf
from . import ascend_chips, ascend_graph_cache, ascend_rank_table, ascend_ranks, loss_scale
from .ascend_options import NUMBERS, OWN, PARAMETERS, checked, refuse
from .base import Options, Platform, checked_modes
from .heartbeat import Peers

# Modes in which gradients may be too small for what they are computed in.
_WITH_FLOAT16 = ("allow_mix_precision", "allow_mix_precision_fp16", "fp16", "mixed_float16")
# Formats of precision_mode_v2 that not every chip has.
_FORMATS = {"mixed_bfloat16": "bfloat16", "mixed_hif8": "hif8"}
_DUMP_STEPS = 100  # entries of dump_step


def session_parameters(options: Options, chip: Optional[ascend_chips.Chip] = None) -> Dict[str, Tuple[str, Any]]:
    """{name: (field, value)} for the NpuOptimizer from a `base.Options`; defaults that matter are spelt out.

    chip: that of this host; None for an unknown one, which is taken for a first 910. Raises PipelineError naming the
    first parameter that the engine would not take.
    """
    given = checked(options.extra)
    checked_modes(options)
    values: Dict[str, Tuple[str, Any]] = {
        "use_off_line": ("b", True),
        "graph_run_mode": ("i", 1),
        "precision_mode": ("s", options.precision_mode),
        "op_select_implmode": ("s", options.op_select_implmode),
        "hcom_parallel": ("b", bool(options.hcom_parallel)),
        "is_tailing_optimization": ("b", False),
        "iterations_per_loop": ("i", 1),
        "mix_compile_mode": ("b", False),
        # Each segment of a training is a session of its own, which would build its operators for minutes.
        "op_compiler_cache_mode": ("s", "enable"),
    }
    values.update((name, given[name]) for name in given if name in PARAMETERS)
    if "precision_mode_v2" in given:
        if options.precision_mode != "must_keep_origin_dtype":
            refuse("precision_mode_v2", given["precision_mode_v2"][1], "leave --precision_mode out then")
        del values["precision_mode"]
    if "session_device_id" in given and options.ranks is not None and options.ranks.size > 1:
        refuse("session_device_id", given["session_device_id"][1], "several ranks each have their own device")
    # A loop on the device needs its input there too.
    loops = values["iterations_per_loop"][1] > 1
    values.setdefault("enable_data_pre_proc", ("b", loops))
    plain = {name: value for name, (_, value) in values.items()}
    _check_together(plain, loops)
    _check_chip(plain, chip)
    return values


def _check_together(values, loops):
    if loops and values["mix_compile_mode"]:
        refuse("iterations_per_loop", values["iterations_per_loop"], "must be 1 with mix_compile_mode true")
    if loops and not values["enable_data_pre_proc"]:
        refuse("enable_data_pre_proc", "false", "must be true with iterations_per_loop above 1")
    if "modify_mixlist" in values:
        if values.get("precision_mode") != "allow_mix_precision":
            refuse("modify_mixlist", values["modify_mixlist"], "needs --precision_mode allow_mix_precision")
        files.read_json(values["modify_mixlist"])
    if loops and "graph_compiler_cache_dir" in values:
        refuse("graph_compiler_cache_dir", values["graph_compiler_cache_dir"], "the loop has resource variables")
    if "work_path" in values and "aoe_mode" not in values:
        refuse("work_path", values["work_path"], "needs aoe_mode")
    if values.get("profiling_mode"):
        if "profiling_options" not in values:
            refuse("profiling_mode", "true", "needs profiling_options")
        try:
            json.loads(values["profiling_options"])
        except ValueError as error:
            refuse("profiling_options", values["profiling_options"], "not JSON ({})".format(error))
    for name in ("enable_dump", "enable_dump_debug"):
        if values.get(name) and "dump_path" not in values:
            refuse(name, "true", "needs dump_path")
    _check_dump_steps(values.get("dump_step", "0"))
    if values.get("op_compiler_cache_mode") == "disable" and "op_compiler_cache_dir" in values:
        refuse("op_compiler_cache_dir", values["op_compiler_cache_dir"], "the cache is disabled")


def _check_chip(values, chip):
    known = chip or ascend_chips.A1
    note = "" if chip else " (npu-smi names no chip; {}=A3 would)".format(ascend_chips.CHIP)
    if not known.trains:
        raise PipelineError("platform ascend: {} do not train".format(known.products))
    mode = values.get("precision_mode_v2")
    if mode in _FORMATS and _FORMATS[mode] not in known.formats:
        refuse("precision_mode_v2", mode, "{} have no {}{}".format(known.products, _FORMATS[mode], note))
    memory = ("variable_memory_max_size", "graph_memory_max_size")
    if known.usable and sum(int(values.get(name, "0")) for name in memory) > known.usable << 30:
        raise PipelineError("npu_option {} and {}: together more than {} GiB{}".format(*memory, known.usable, note))
    device = values.get("session_device_id", 0)
    if device >= known.devices:
        refuse("session_device_id", device, "{} have devices 0 to {}{}".format(known.products, known.devices - 1, note))


def _check_dump_steps(text):
    parts = [part.split("-") for part in text.split("|")]
    if len(parts) > _DUMP_STEPS or any(int(part[0]) >= int(part[-1]) for part in parts if len(part) > 1):
        refuse("dump_step", text, "at most {} entries, ranges from a lower to a higher step".format(_DUMP_STEPS))


class Ascend(Platform):
    """One process for one device; several form a group over HCCL.

    They find each other by RANK_ID, RANK_SIZE and RANK_TABLE_FILE, or by CM_* where these are set (`ascend_ranks`).
    """

    # A graph that only some ranks run makes them count their exchanges differently, and HCCL hangs.
    same_calls = True
    port_lines = True
    saturates = True

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._chip = ascend_chips.of_host()
        self._parameters = session_parameters(options, self._chip)
        self._own = {name: value for name, (_, value) in checked(options.extra).items() if name in OWN}
        if self._own and not options.is_loss_scale:
            name = min(self._own)
            refuse(name, self._own[name], "needs --is_loss_scale true")
        self.steps_per_run = self._parameters["iterations_per_loop"][1]
        newer = "precision_mode" not in self._parameters
        mode = self._parameters["precision_mode_v2" if newer else "precision_mode"][1]
        self.precision = {"must_keep_origin_dtype": "float32", "origin": "float32"}.get(mode, mode)
        self._bridge: Any = None
        self._loss_scale: Optional[Tensor] = None
        self._skipped: Optional[Tensor] = None
        self._peers: Optional[Peers] = None

    def numbers(self) -> Dict[str, str]:
        return {name: str(value) for name, value in self.options.extra.items() if name in NUMBERS}

    def notes(self) -> List[str]:
        shown = ("{} {}".format(name, value) for name, (_, value) in sorted(self._parameters.items()))
        lines = ["Ascend session: {}".format(", ".join(shown))]
        if self._chip:
            lines.append("{}, {} GiB".format(self._chip.products, self._chip.memory))
        if self.precision in _WITH_FLOAT16 and not self.options.is_loss_scale:
            lines.append("mixed precision without --is_loss_scale true: small gradients become zero")
        if self.options.is_loss_scale:
            lines.append("loss scale {}".format(self._own.get("loss_scale", "dynamic")))
        return lines

    def start(self) -> None:
        """Read the rank from the environment and import npu_bridge. Raises PipelineError where either cannot work."""
        ranks = self.options.ranks
        self.rank, self.size = ascend_ranks.place(os.environ, ranks, _environment)
        if not tf.VERSION.startswith("1.15"):
            raise PipelineError(
                "platform ascend needs TensorFlow 1.15, this is {}; set `python` to the interpreter of the Ascend "
                "image".format(tf.VERSION)
            )
        # Without it the bridge cannot find the rank size (an AttributeError in its all-reduce).
        os.environ.setdefault("JOB_ID", ascend_rank_table.JOB)
        # The engine's own 120 are too few where compile times differ.
        os.environ.setdefault("HCCL_CONNECT_TIMEOUT", str(ascend_rank_table.CONNECT_TIMEOUT))
        # The device takes the branches of tf.cond as functions only.
        os.environ.setdefault("ENABLE_FORCE_V2_CONTROL", "1")
        self._bridge = _import_bridge()
        if ranks is not None and ranks.master is not None:
            # HCCL itself would wait its timeout of half an hour for a rank that has died.
            self._peers = Peers(ranks, 0, self.precision)

    def close(self) -> None:
        if self._peers:
            self._peers.finish()

    @staticmethod
    def environments(size: int, folder: str, addresses: Sequence[str] = ()) -> List[Dict[str, str]]:
        """Reads the rank table of RANK_TABLE_FILE; without one, makes it in `folder`.

        addresses: those of the devices 0, 1, ...; without any, this host's hccn.conf has them.
        """
        chip = ascend_chips.of_host()
        # The ranks do not ask npu-smi themselves, which must not run several times at once.
        told = {ascend_chips.CHIP: ascend_chips.told(chip)} if chip else {}
        if ascend_ranks.chief(os.environ) is not None:
            return [dict(told, **ascend_ranks.local(rank, size, os.environ)) for rank in range(size)]
        table = os.environ.get("RANK_TABLE_FILE")
        if not table:
            table = os.path.join(folder, "rank_table.json")
            files.write_json(table, _table(size, addresses, chip))
        return [dict(told, **_environment(rank, size, table)) for rank in range(size)]

    def session_config(self) -> Any:
        config = tf.ConfigProto(allow_soft_placement=True)
        rewrite = config.graph_options.rewrite_options
        # These passes put in operations that the engine's parser does not know.
        rewrite.remapping = _OFF
        rewrite.memory_optimization = _OFF
        optimizer = rewrite.custom_optimizers.add()
        optimizer.name = "NpuOptimizer"
        for name, (field, value) in self._parameters.items():
            if name == "graph_compiler_cache_dir":
                value = ascend_graph_cache.folder(value, self.rank, tf.get_default_graph(), self._parameters)
            setattr(optimizer.parameter_map[name], field, value.encode() if field == "s" else value)
        return config

    def device(self, session: Any) -> str:
        return "Ascend"

    def loss_scope(self) -> ContextManager[Any]:
        return self._bridge.npu_scope.keep_dtype_scope()

    def wrap_optimizer(self, optimizer: Any) -> Any:
        """Gradients averaged over the ranks inside, loss scale outside: so the overflow of one rank is all ranks'.

        Call it outside tf.control_dependencies: the loss scale is a variable. Clip after `compute_gradients`.
        """
        # Nothing happens in it where there is one rank, but the graph has one more name scope.
        if self.size > 1:
            optimizer = self._bridge.npu_optimizer.NPUDistributedOptimizer(optimizer)
        if not self.options.is_loss_scale:
            return optimizer
        manager = self._manager()
        self._loss_scale = tf.identity(manager.get_loss_scale(), name="current_scale")
        return self._bridge.npu_loss_scale_optimizer.NPULossScaleOptimizer(
            optimizer, manager, is_distributed=self.size > 1
        )

    def _manager(self):
        kinds = self._bridge.npu_loss_scale_manager
        scale = self._own.get("loss_scale", "dynamic")
        if scale != "dynamic":
            return kinds.FixedLossScaleManager(loss_scale=float(scale))
        # The engine's own habit is two overflows and a factor of 0.8; each overflow is a lost step, so fewer of them.
        return kinds.ExponentialUpdateLossScaleManager(
            init_loss_scale=float(self._own.get("initial_loss_scale", loss_scale.INITIAL)),
            incr_every_n_steps=self._own.get("loss_scale_growth_steps", loss_scale.GROWTH_STEPS),
            decr_every_n_nan_or_inf=1,
            incr_ratio=2,
            decr_ratio=0.5,
        )

    def prepare(self, session: Any, train_op: Tensor) -> Tensor:
        prepared = self._bridge.util.set_iteration_per_loop(session, train_op, self.steps_per_run)
        # The engine finds the loop by exactly this name; under another one it would do one step and say nothing.
        if self.steps_per_run > 1 and prepared.name != "IterationOp":
            raise PipelineError("iterations_per_loop: the operation is named {}, not IterationOp".format(prepared.name))
        return prepared

    def broadcast(self, variables: Sequence[Tensor]) -> Optional[Tensor]:
        """Rank 0's values of all `variables` in every rank; None for one rank.

        Integers, which count steps, travel as int32, since not every version broadcasts int64, and are not fused: that
        types may be mixed in one exchange is not documented.
        """
        if self.size == 1:
            return None
        assigned = []
        for variable in variables:
            dtype = variable.dtype.base_dtype
            if dtype.is_floating:
                received = self._bridge.hccl_ops.broadcast([variable], 0)
            else:
                received = self._bridge.hccl_ops.broadcast([tf.cast(variable, tf.int32)], 0, fusion=0)
            assigned += [received[0].op, tf.assign(variable, tf.cast(received[0], dtype)).op]
        return tf.group(*assigned)

    def total(self, vector: Tensor) -> Tensor:
        if self.size == 1:
            return vector
        # Not fused with the gradients, so that it does not wait for them.
        return self._bridge.hccl_ops.allreduce(vector, "sum", fusion=0)

    def figures(self) -> Dict[str, Tensor]:
        """`loss_scale`, and `skipped` (1.0 in a step that was not applied), where there is loss scaling.

        Call it after the gradients are applied. The device computes in saturation: an overflow gives neither inf nor
        nan, so only this tells of it.
        """
        if self._loss_scale is None:
            return {}
        found = [
            operation.outputs[0]
            for operation in tf.get_default_graph().get_operations()
            if operation.name.rpartition("/")[2] == "overflow_status_reduce_all"
        ]
        figures = {"loss_scale": self._loss_scale}
        if len(found) != 1:
            # Its name is that of the bridge's code, which another version may change.
            progress.line("{} operations overflow_status_reduce_all: skipped steps are not counted".format(len(found)))
        else:
            if self._skipped is None:
                self._skipped = tf.cast(tf.logical_not(found[0]), tf.float32, name="skipped_step")
            figures["skipped"] = self._skipped
        return figures


def _table(size, addresses, chip):
    if not addresses:
        return ascend_rank_table.of_host(range(size), chip=chip)
    if len(addresses) < size:
        raise PipelineError("{} addresses of Ascend devices for {} devices".format(len(addresses), size))
    return ascend_rank_table.build(ascend_rank_table.own_address(), dict(enumerate(addresses[:size])), chip)


def _environment(rank, size, table):
    """`ascend_rank_table.ascend_environment` with what the user has set of it."""
    job = os.environ.get("JOB_ID", ascend_rank_table.JOB)
    timeout = os.environ.get("HCCL_CONNECT_TIMEOUT", str(ascend_rank_table.CONNECT_TIMEOUT))
    if not timeout.isdigit():
        raise PipelineError("HCCL_CONNECT_TIMEOUT = {!r}: must be a whole number".format(timeout))
    return ascend_rank_table.ascend_environment(rank, size, table, job=job, connect_timeout=int(timeout))


# RewriterConfig.OFF of tensorflow.core.protobuf.rewriter_config_pb2.
_OFF = 2

_MODULES = (
    "estimator.npu.npu_optimizer",
    "estimator.npu.npu_loss_scale_optimizer",
    "estimator.npu.npu_loss_scale_manager",
    "estimator.npu.npu_scope",
    "estimator.npu.util",
    "hccl.hccl_ops",
)


def _import_bridge():
    """A namespace of the bridge's modules by their last names.

    Not `npu_init`, the usual single import: since 2022 it changes tf.Session for the whole process.
    """
    modules = {}
    for name in _MODULES:
        try:
            modules[name.rpartition(".")[2]] = importlib.import_module("npu_bridge." + name)
        except (ImportError, OSError, AttributeError) as error:
            raise PipelineError(
                "npu_bridge.{}: cannot be imported ({}); run `source /usr/local/Ascend/cann/set_env.sh` (before CANN "
                "8.5: ascend-toolkit/set_env.sh) and put the folder of the bridge, $TFPLUGIN_INSTALL_PATH, on "
                "PYTHONPATH; `make ascend-check` looks at all of it".format(name, str(error).split("\n")[0])
            ) from None
    return collections.namedtuple("Bridge", sorted(modules))(**modules)
