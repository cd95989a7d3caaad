"""Networks that are ready to run: checkpoints of this project, any frozen graph or SavedModel."""

import os
import re
import warnings
from typing import Any, Dict, Optional, Sequence, Set, Tuple

import numpy as np

from .. import file_kinds, files, memory, metadata
from ..errors import PipelineError
from ..network import architecture, checkpoints, model
from ..tf import Tensor, tf
from . import filter_variables, lean_graph

INPUT_TENSOR = architecture.INPUT + ":0"
OUTPUT_TENSOR = architecture.OUTPUT + ":0"

# The file of a SavedModel and the signature of one that we write or read.
SAVED_MODEL = "saved_model.pb"
SIGNATURE = "serving_default"

_MADE = (
    "a checkpoint is made by train.py, a frozen graph (.pb) of it by ckpt2pb.py or "
    "`snakemake results/<run>/export/model.pb`"
)


class Predictor:
    """A network in a session of its own; a context manager that closes the session.

    size: (height, width) of its input, or None when any will do. batch: its one batch size, or None when any will do.
    starts, feeds: operations of the graph that give its variables their values, and what they are to be fed.
    """

    def __init__(
        self,
        graph: Any,
        input_tensor: Tensor,
        output_tensor: Tensor,
        source: Dict[str, Any],
        starts: Sequence[Tensor] = (),
        feeds: Optional[Dict[Tensor, np.ndarray]] = None,
    ) -> None:
        # A graph as it was written, with its normalisations, is to give the checkpoint's results bit for bit.
        exact = not starts and any(op.type.startswith("FusedBatchNorm") for op in graph.get_operations())
        self._session = tf.Session(graph=graph, config=_session_config(exact))
        if starts:
            self._session.run(starts, feeds)
        self._input = input_tensor
        self._output = output_tensor
        self._source = source
        # Batch sizes that were run.
        self._settled: Set[int] = set()
        shape = input_tensor.shape.as_list()
        self.batch = shape[0]
        self.size = tuple(shape[1:3]) if None not in shape[1:3] else None

    def __enter__(self) -> "Predictor":
        return self

    def __exit__(self, *exception: Any) -> None:
        self._session.close()

    def run(self, images: np.ndarray) -> np.ndarray:
        """The output, as it is, for float32 `images` (n, height, width, 3), RGB in 0..1.

        For the networks of this package that is (n, height / 2, width / 2, 1), 1000 / depth in centimetres. Raises
        PipelineError for images of another shape than the network takes, and when the device's memory does not suffice.
        """
        images = np.asarray(images, np.float32)
        if not self._input.shape.is_compatible_with(images.shape):
            raise PipelineError(
                "{}: images of shape {} for an input of shape {}".format(
                    self._source["path"], images.shape, tuple(self._input.shape.as_list())
                )
            )
        try:
            output = self._session.run(self._output, {self._input: images})
        except tf.errors.ResourceExhaustedError:
            raise PipelineError(
                "{}: no memory for {} images of {}x{} at once; take a smaller --bs".format(
                    self._source["path"], *images.shape[:3]
                )
            ) from None
        except tf.errors.OpError as error:
            # Such as a graph whose layers do not fit each other, or one that needs a device that is not there.
            raise PipelineError(
                "{}: TensorFlow {} cannot run it on {} images of {}x{} ({})".format(
                    *(self._source["path"], tf.__version__) + images.shape[:3] + (checkpoints.reason(error)[:300],)
                )
            ) from None
        if len(images) not in self._settled:
            # Programs for this batch size were compiled; what that took is free.
            self._settled.add(len(images))
            memory.give_back()
        return output

    def describe(self) -> Dict[str, Any]:
        """What this is: kind ("checkpoint", "frozen" or "saved_model"), path, epoch, global_step, model, size,
        depth_range and sha256.

        What a file does not tell is None. `depth_range`: nearest and farthest of the training, in centimetres.
        `sha256` is that of the frozen file or of the checkpoint's weights.
        """
        return dict(self._source)


def load(path: str, *tensors: str, images: int = 1) -> Predictor:
    """The `Predictor` for `path`: a SavedModel (its folder or `saved_model.pb`), a frozen graph (another file) or a
    checkpoint (see `checkpoints.find`). `tensors`: names of a frozen graph's input and output, if not ours. `images`:
    as in `load_frozen`.
    """
    if not os.path.exists(path) and not checkpoints.is_part(path):
        raise PipelineError("{}: no such file or folder; {}".format(path, _MADE))
    if os.path.basename(path) == SAVED_MODEL or os.path.isfile(os.path.join(path, SAVED_MODEL)):
        return load_saved_model(os.path.dirname(path) or "." if os.path.isfile(path) else path, images)
    frozen = os.path.isfile(path) and not checkpoints.is_part(path)
    if not frozen:
        return load_checkpoint(path)
    begin, end = tensors + (INPUT_TENSOR, OUTPUT_TENSOR)[len(tensors) :]
    return load_frozen(path, begin, end, images=images)


def load_checkpoint(path: str) -> Predictor:
    """The `Predictor` of the checkpoint that `path` names, of the input size it was trained with."""
    checkpoint = checkpoints.find(path)
    with tf.Graph().as_default() as graph:
        images, output = inference_graph(checkpoint)
        predictor = Predictor(graph, images, output, _checkpoint_source(checkpoint))
        checkpoints.restore(predictor._session, checkpoint)
    return predictor


def inference_graph(
    checkpoint: checkpoints.Checkpoint, batch: Optional[int] = None, folded: bool = False
) -> Tuple[Tensor, Tensor]:
    """Build the network of `checkpoint` in the current graph, for inference: its input and output tensor.

    `folded`: with the variables that `architecture.fold` makes.
    """
    network = model.model_from_dict(checkpoint.side["model"])
    images = architecture.image_placeholder(tuple(checkpoint.side["size"]), batch)
    return images, architecture.predict(images, network, folded=folded)


def _checkpoint_source(checkpoint):
    side = checkpoint.side
    weights = [name for name in sorted(side["files"]) if ".data-" in name]
    calibrated = {"calibration": side["calibration"]} if "calibration" in side else {}
    return {
        **calibrated,
        "kind": "checkpoint",
        "path": checkpoint.folder,
        "epoch": side["epoch"],
        "global_step": side["global_step"],
        "model": side["model"],
        "size": side["size"],
        "depth_range": side.get("training", {}).get("depth_range"),
        "sha256": side["files"][weights[0]] if weights else None,
    }


def load_frozen(
    path: str,
    input_tensor_name: str = INPUT_TENSOR,
    output_tensor_name: str = OUTPUT_TENSOR,
    as_written: bool = False,
    images: int = 1,
) -> Predictor:
    """The `Predictor` of the frozen graph in file `path`.

    On a processor a folded graph is run in the form that `lean_graph` gives it for so many `images`, unless it shall
    run `as_written`. The tensor names may lack the `:0`. Model and epoch are taken from `path`.json if it is of this
    file. Raises PipelineError when the file is no frozen graph, or has no such tensor: then with the likely names.
    """
    holder = [_read_graph(path)]
    return _of_graph(holder, _source("frozen", path), input_tensor_name, output_tensor_name, images, as_written)


def load_saved_model(folder: str, images: int = 1) -> Predictor:
    """The `Predictor` of the SavedModel in `folder`: signature `serving_default`, one input and one output.

    Model, epoch and range of depth are taken from `saved_model.pb.json` in it if it is of this file. Raises
    PipelineError when TensorFlow cannot load it, or it has no such signature.
    """
    with tf.Graph().as_default() as graph, tf.Session(graph=graph) as session, warnings.catch_warnings():
        # Version 2 deprecates what reads SavedModels in graph mode.
        warnings.simplefilter("ignore")
        try:
            meta = tf.saved_model.load(session, [tf.saved_model.tag_constants.SERVING], folder)
            signature = meta.signature_def[SIGNATURE]
            (read,), (made,) = signature.inputs.values(), signature.outputs.values()
            end = made.name.split(":")[0]
            definition = tf.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), [end])
        except (OSError, RuntimeError, ValueError, KeyError, AssertionError, tf.errors.OpError) as error:
            _refuse_unknown_operation(folder, error)
            raise PipelineError(
                "{}: no SavedModel with the tag serve and a signature {} of one input and one output ({})".format(
                    folder, SIGNATURE, str(error).split("\n")[0]
                )
            ) from None
    holder = [definition]
    del definition, meta
    source = dict(_source("saved_model", os.path.join(folder, SAVED_MODEL)), path=folder)
    return _of_graph(holder, source, read.name, made.name, images)


def _of_graph(holder, source, input_tensor_name, output_tensor_name, images, as_written=False):
    """The `Predictor` of the GraphDef in the list `holder`, which is emptied so that nothing else holds the weights."""
    path = source["path"]
    begin, end = (name.split(":")[0] for name in (input_tensor_name, output_tensor_name))
    definition, filters = holder.pop(), {}  # type: Any, Dict[str, np.ndarray]
    with tf.Graph().as_default() as graph:
        try:
            on_processor = not tf.config.experimental.list_physical_devices("GPU")
            if not as_written and on_processor and lean_graph.applies(definition, (begin, end)):
                if lean_graph.are_many(images) and filter_variables.by_onednn():
                    # 40 MB less after some images, in as much time. Without oneDNN an image takes a tenth longer by it.
                    memory.keep_little()
                definition = tf.graph_util.extract_sub_graph(definition, [end])
                definition, filters = filter_variables.take_out(definition)
                definition = lean_graph.rewrite(definition, filters, end, images)
            starts, feeds = filter_variables.load(definition, filters)
        except (tf.errors.OpError, ValueError, TypeError) as error:
            _refuse_unknown_operation(path, error)
            reason = str(getattr(error, "message", error)).split("\n")[0][:300]
            raise PipelineError("{}: TensorFlow {} cannot load it ({})".format(path, tf.__version__, reason)) from None
    ours = {tensor.op.name for tensor in feeds}.union(filters)
    inputs = [op for op in graph.get_operations() if op.type == "Placeholder" and op.name not in ours]
    read = {tensor.op.name for op in graph.get_operations() for tensor in op.inputs}
    ends = [op for op in graph.get_operations() if op.outputs and op.inputs and op.name not in read]
    fed = _tensor(graph, path, "input", input_tensor_name, inputs)
    output = _tensor(graph, path, "output", output_tensor_name, ends)
    if fed.shape.ndims != 4 or fed.shape.as_list()[3] != 3 or fed.dtype != tf.float32:
        raise PipelineError(
            "{}: input {}: expected float32 (images, height, width, 3), got {} of shape {}".format(
                path, fed.name, fed.dtype.name, fed.shape
            )
        )
    if output.dtype != tf.float32 or not output.shape.is_compatible_with([None, None, None, 1]):
        raise PipelineError(
            "{}: output {}: expected float32 (images, height, width, 1), got {} of shape {}: this is no network from "
            "image to depth".format(path, output.name, output.dtype.name, output.shape)
        )
    if None not in fed.shape.as_list()[1:3]:
        source["size"] = fed.shape.as_list()[1:3]
    predictor = Predictor(graph, fed, output, source, starts, feeds)
    del definition, filters, feeds
    memory.give_back()
    return predictor


def _refuse_unknown_operation(path, error):
    """Raise PipelineError where `error` is that a graph has an operation that this TensorFlow does not have."""
    named = re.search(r"Op type not registered '(.+?)'", str(error))
    if named:
        raise PipelineError(
            "{}: TensorFlow {} does not have its operation {}; load it with the release and libraries that made it, or "
            "freeze it again without that operation".format(path, tf.__version__, named.group(1)[:100])
        ) from None


def _read_graph(path):
    if not os.path.isfile(path):
        raise PipelineError(
            "{}: no such file; ckpt2pb.py makes one of a checkpoint, the workflow calls it model.pb".format(path)
        )
    definition = tf.GraphDef()
    try:
        with open(path, "rb") as stream, warnings.catch_warnings():
            # Some releases of protobuf warn of what others refuse.
            warnings.simplefilter("ignore")
            definition.ParseFromString(stream.read())
    except Exception as error:
        # The class of a parse error differs between releases of protobuf.
        if type(error).__name__ != "DecodeError":
            raise
        definition.Clear()
    if not definition.node:
        file_kinds.refuse(path, "a frozen graph (.pb)")
        raise PipelineError("{}: not a frozen graph (no GraphDef with nodes); make one with ckpt2pb.py".format(path))
    return definition


def _tensor(graph, path, role, name, likely):
    full = name if ":" in name else name + ":0"
    try:
        return graph.get_tensor_by_name(full)
    except (KeyError, ValueError):
        names = ", ".join(op.outputs[0].name for op in likely[:5]) or "none"
        raise PipelineError(
            "{}: no {} tensor {}; by the graph's shape it may be: {}".format(path, role, full, names)
        ) from None


def _source(kind, path):
    source = {"kind": kind, "path": path, "epoch": None, "global_step": None, "model": None, "size": None}
    source["folded"] = source["depth_range"] = None
    source["sha256"] = files.sha256(path)
    if os.path.exists(path + ".json"):
        side = metadata.read(path + ".json", model.GRAPH_SCHEMA)
        if side["sha256"] == source["sha256"]:
            source["model"] = side["model"]
            source["folded"] = side.get("folded")
            source["depth_range"] = side.get("depth_range")
            source.update({key: side[key] for key in ("calibration",) if key in side})
            source["epoch"] = side["source"]["epoch"]
            source["global_step"] = side["source"]["global_step"]
    return source


def _session_config(exact=False):
    config = tf.ConfigProto(allow_soft_placement=True)
    # Otherwise TensorFlow takes all memory of every GPU for itself, also from a training run beside it.
    config.gpu_options.allow_growth = True
    gpus = tf.config.experimental.list_physical_devices("GPU")
    if len(gpus) > 1:
        # A training on this machine takes the first ones.
        config.gpu_options.visible_device_list = str(len(gpus) - 1)
    if not gpus:
        _optimize_once(config.graph_options.rewrite_options, exact)
    return config


def _optimize_once(options, exact):
    """Fold constants and join operations, and leave out the other passes, each of which copies all weights.

    On a processor they gain nothing for these networks; on TensorFlow 2.21 they cost 0.4 GB. With `exact`, neither is
    done where it would treat weights that are constants otherwise than variables: joining on TensorFlow 1.15.
    """
    kept = [] if exact else ["constant_folding"]
    if not (exact and tf.__version__.startswith("1.")):
        kept.append("remapping")
    for field in options.DESCRIPTOR.fields:
        passes = field.enum_type is not None and field.enum_type.name == "Toggle"
        if passes and field.name not in kept and "mixed_precision" not in field.name:
            setattr(options, field.name, options.OFF)
    options.memory_optimization = options.NO_MEM_OPT
    options.meta_optimizer_iterations = options.ONE
