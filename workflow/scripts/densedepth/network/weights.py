"""Initial weights: DenseNet files of Keras or PyTorch for the encoder, checkpoints for the whole network.

Values travel as plain dicts {variable name: float32 array}.
"""

import os
import re
from typing import Any, Dict, Iterable, List, Tuple

import numpy as np

from .. import files, metadata, runtime
from ..data import hdf5
from ..errors import PipelineError
from ..tf import tf
from . import architecture, checkpoints, torch_files, torch_names
from .model import BLOCKS, Model, model_from_dict

PREFIX = "model.ckpt"
SIDE_FILE = "weights.json"
FORMAT = 1
SCHEMA = {"encoder": metadata.OneOf(*sorted(BLOCKS)), "source": {"path": str, "sha256": metadata.SHA256}}

# MD5 of the published densenet*_weights_tf_dim_ordering_tf_kernels_notop.h5: those that keras-applications 1.0.8 and
# later name, and those of an older generation under the same file names (deep-learning-models v0.8, Keras 2.1).
CURRENT = "keras-applications"
OLD = "keras-2.1"
UNKNOWN = "unknown"
_PUBLISHED = {
    "30ee3e1110167f948a6b9946edeeb738": CURRENT,
    "b8c4d4c20dd625c148057b9ff1c1176b": CURRENT,
    "c13680b51ded0fb44dff2d8f86ac8bb1": CURRENT,
    "4912a53fbd2a69346e7f2c0b5ec8c6d3": OLD,
    "50662582284e4cf834ce40ab4dfa58c6": OLD,
    "1c2de60ee40562448dbac34a0737e798": OLD,
}


def load(path: str, model: Model) -> Dict[str, np.ndarray]:
    """The values that `path` has for the network `model`: those of a file of Keras or PyTorch, or of an imported
    folder, for the encoder (see `import_encoder`), those of a checkpoint of ours for all of it.

    Raises PipelineError when the file or folder is missing, damaged or of another network.
    """
    if _is_checkpoint(path):
        checkpoint = checkpoints.find(path)
        found = model_from_dict(checkpoint.side["model"])
        if found != model:
            raise PipelineError(
                "{}: of another network; to start from it, set {}".format(path, found.settings_unlike(model))
            )
        return trained(checkpoint)
    if os.path.isdir(path):
        return _imported(path, model.encoder)
    return encoder_of(path, model.encoder)


def identity(path: str) -> Any:
    """What tells these weights from others: SHA-256 sums of a checkpoint's files, or that of the file that `path` is or
    was imported from."""
    if _is_checkpoint(path):
        return checkpoints.find(path).side["files"]
    if os.path.isdir(path):
        return metadata.read(os.path.join(path, SIDE_FILE), SCHEMA, FORMAT)["source"]["sha256"]
    return files.sha256(path)


def _is_checkpoint(path):
    return os.path.isdir(path) and not os.path.exists(os.path.join(path, SIDE_FILE))


def trained(checkpoint: checkpoints.Checkpoint) -> Dict[str, np.ndarray]:
    """{variable name: array} of the network in a checkpoint of ours, without what only its training needs.

    Raises PipelineError when it is damaged.
    """
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(), model_from_dict(checkpoint.side["model"]))
        shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    values = _stored(checkpoint.prefix, "copy it again or take another epoch")
    values = {name: value for name, value in values.items() if name in shapes}
    check(checkpoint.folder, shapes, values, complete=True)
    return {name: values[name] for name in shapes}


def _stored(prefix, advice):
    """All values in the TensorFlow checkpoint of this prefix."""
    try:
        reader = tf.train.load_checkpoint(prefix)
        return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (tf.errors.OpError, IndexError, RuntimeError, ValueError) as error:
        message = str(getattr(error, "message", error)).split("\n")[0]
        raise PipelineError(
            "{}: damaged checkpoint ({}); {}".format(os.path.dirname(prefix), message, advice)
        ) from None


def assign(session: Any, values: Dict[str, np.ndarray]) -> None:
    """Give the variables of the session's graph that `values` names their values; the others stay as they are.

    Call it after the initialisers have run. No operation is added, so the graph may be final. Raises PipelineError for
    a name that the graph lacks or a shape that differs.
    """
    variables = {v.op.name: v for v in session.graph.get_collection(tf.GraphKeys.GLOBAL_VARIABLES)}
    check("the network", {name: v.shape.as_list() for name, v in variables.items() if name in values}, values)
    initializers = [variables[name].initializer for name in values]
    # The initialiser's second input is the initial value.
    feeds = {op.inputs[1]: value for op, value in zip(initializers, values.values())}
    session.run(initializers, feeds)


def import_encoder(path: str, encoder: str, folder: str) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """Write the encoder in the file `path` as a TensorFlow checkpoint with `weights.json` to `folder`; complete or not
    there.

    Returns (side, values): the content of `weights.json` and the encoder's values. An existing `folder` is replaced
    when it holds imported weights or nothing, and refused otherwise.
    """
    if os.path.exists(folder) and not (os.path.isdir(folder) and set(os.listdir(folder)) <= _FILES):
        raise PipelineError("{}: exists and is not a folder of imported weights; choose another".format(folder))
    values = encoder_of(path, encoder)
    md5 = files.md5(path)
    side = {
        "format": FORMAT,
        "encoder": encoder,
        "source": {"path": path, "sha256": files.sha256(path), "md5": md5},
        "generation": _PUBLISHED.get(md5, UNKNOWN),
        "variables": len(values),
        "parameters": sum(int(value.size) for value in values.values()),
        "runtime": runtime.describe(),
    }
    with files.atomic_folder(folder) as temporary:
        with _encoder_graph(encoder), tf.Session() as session:
            assign(session, values)
            saver = tf.train.Saver(save_relative_paths=True)
            saver.save(session, os.path.join(temporary, PREFIX), write_meta_graph=False)
        files.write_json(os.path.join(temporary, SIDE_FILE), side)
    return side, values


_FILES = {SIDE_FILE, "checkpoint", PREFIX + ".index", PREFIX + ".data-00000-of-00001"}


def groups(values: Dict[str, np.ndarray]) -> List[Tuple[str, int, int]]:
    """(group, tensors, parameters) of `values` in order: one group for each stage and transition of the encoder."""
    counts: Dict[str, Tuple[int, int]] = {}
    for name, value in values.items():
        group = re.split("[/_]", name, maxsplit=1)[0]
        tensors, parameters = counts.get(group, (0, 0))
        counts[group] = (tensors + 1, parameters + int(value.size))
    return [(group, tensors, parameters) for group, (tensors, parameters) in counts.items()]


def encoder_of(path: str, encoder: str) -> Dict[str, np.ndarray]:
    """The encoder's values {variable name: float32 array} from the weight file `path`.

    Of Keras' files (HDF5, without top), understood is the layout of the published ones, written by Keras 2 and by
    `save_weights` of tf.keras: attributes `layer_names` and `weight_names`; also a whole saved model with it. Layers
    are matched by name, whose spelling changed over the years (`conv1/conv`, `conv1_conv`). Of PyTorch's (see
    `torch_files`), those of torchvision's DenseNets, whose classifier is left out. Every variable must be there, in its
    shape and finite, and every tensor of the file must be used.

    Raises PipelineError when that is not so, saying what was found and what was expected.
    """
    stored = torch_names.values(path)[0] if torch_files.kind(path) else read_keras(path)
    _check_depth(path, stored, encoder)
    with _encoder_graph(encoder):
        shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    names = {key_of(*name.rsplit("/", 1)): name for name in shapes}
    values = {names.get(key, key): value for key, value in stored.items()}
    check(path, shapes, values, complete=True)
    return {name: values[name] for name in shapes}


def read_keras(path: str) -> Dict[str, np.ndarray]:
    """{layer/kind: float32 array} of all tensors in the Keras file `path`, as in `conv1_conv/kernel` (no other slash).

    Raises PipelineError for a file that is not there, is damaged, or is no weights of Keras.
    """
    if not os.path.isfile(path):
        raise PipelineError("{}: no such weight file".format(path))
    found = {}
    try:
        with hdf5.open_file(path) as root:
            group = root.get("model_weights", root)
            layers = _names(path, group, "layer_names")
            if not layers:
                raise PipelineError(
                    "{}: an HDF5 file without Keras' layer_names; expected the layout of the published "
                    "densenet*_notop.h5 (Keras 3 writes another one to .weights.h5)".format(path)
                )
            for layer in layers:
                below = _named(path, group, layer)
                for weight in _names(path, below, "weight_names"):
                    kind = weight.rpartition("/")[2].partition(":")[0]
                    found[key_of(layer, kind)] = _named(path, below, weight)
            return hdf5.arrays(path, found)
    except hdf5.DAMAGE as error:
        raise hdf5.unreadable(path, error) from None


def _names(path, group, attribute):
    """The list of names in an attribute, which Keras cuts into `attribute0`, `attribute1`, ... when it is long."""
    pieces = [attribute]
    if attribute not in group.attrs:
        pieces = ["{}{}".format(attribute, number) for number in range(len(group.attrs))]
    words = [word for piece in pieces for word in np.atleast_1d(group.attrs.get(piece, ()))]
    for word in words:
        if not isinstance(word, (bytes, str)):
            raise PipelineError("{}: {} of {} holds {}, expected names".format(path, attribute, group.name, word))
    # Of some attributes h5py makes text, with other bytes as surrogates.
    stored = [word if isinstance(word, bytes) else word.encode("utf8", "surrogateescape") for word in words]
    try:
        return [word.decode("utf8") for word in stored]
    except UnicodeDecodeError as error:
        told = "{}: {} of {} holds {}, which is not text in UTF-8; save the file again by Keras"
        raise PipelineError(told.format(path, attribute, group.name, ascii(error.object)[1:80])) from None


def _named(path, group, name):
    """What `name`, from an attribute of the file, is in `group`."""
    if name not in group:
        words = "{}: lists {}, which it does not have; fetch it again, or save it again by Keras"
        raise PipelineError(words.format(path, ascii(name)[1:-1]))
    return group[name]


def key_of(layer: str, kind: str) -> str:
    """The key of a tensor in `read_keras`, from the name of its layer in any spelling."""
    return "{}/{}".format(layer.replace("/", "_"), kind)


def encoders(stored: Iterable[str]) -> Tuple[List[str], List[int]]:
    """(names, depths): the encoders, one or none, whose dense blocks have the depths that the keys of `stored` show."""
    depths = [0, 0, 0, 0]
    for key in stored:
        match = re.match(r"conv([2-5])_block(\d+)_", key)
        if match:
            stage, layer = int(match.group(1)), int(match.group(2))
            depths[stage - 2] = max(depths[stage - 2], layer)
    return [name for name, blocks in BLOCKS.items() if blocks == tuple(depths)], depths


def _check_depth(path, stored, encoder):
    """Tell the depth of the file's network first: a list of missing tensors would not explain it."""
    names, found = encoders(stored)
    if encoder in names:
        return
    raise PipelineError(
        "{}: expected the weights of {} (dense blocks of {} layers), found {} ({})".format(
            path,
            encoder,
            ", ".join(map(str, BLOCKS[encoder])),
            names[0] if names else "another network",
            ", ".join(map(str, found)) if any(found) else "{} tensors, no dense block".format(len(stored)),
        )
    )


def check(source: str, shapes: Dict[str, List[int]], values: Dict[str, np.ndarray], complete: bool = False) -> None:
    """Compare `values` with the wanted {name: shape}; `complete` asks for every name and for finite values."""
    missing = [name for name in shapes if name not in values]
    if complete and missing:
        raise PipelineError("{}: {} tensors are missing, first {}".format(source, len(missing), missing[0]))
    unused = [name for name in values if name not in shapes]
    if unused:
        raise PipelineError(
            "{}: {} tensors are not part of the network, first {}{}".format(
                source, len(unused), unused[0], _top_hint(unused)
            )
        )
    for name, value in values.items():
        if list(value.shape) != shapes[name]:
            raise PipelineError(
                "{}: {} has shape {}, expected {}".format(source, name, list(value.shape), shapes[name])
            )
        if complete and not np.isfinite(value).all():
            raise PipelineError("{}: {} holds values that are not finite".format(source, name))


def check_current(source: str, values: Dict[str, np.ndarray]) -> None:
    """Compare `values` with all variables of the current graph."""
    check(source, {v.op.name: v.shape.as_list() for v in tf.global_variables()}, values, complete=True)


def _top_hint(unused):
    if any(name.startswith(("fc1000/", "predictions/")) for name in unused):
        return " (the classifier: take the file whose name ends in _notop.h5)"
    if any(name.startswith("conv3/") for name in unused):
        return " (a whole network: import it with import_model.py and start from the folder that it writes)"
    return ""


def _imported(folder, encoder):
    side = metadata.read(os.path.join(folder, SIDE_FILE), SCHEMA, FORMAT)
    if side["encoder"] != encoder:
        raise PipelineError("{}: expected the weights of {}, found {}".format(folder, encoder, side["encoder"]))
    with _encoder_graph(encoder):
        shapes = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
    values = _stored(os.path.join(folder, PREFIX), "import the weights again")
    check(folder, shapes, values, complete=True)
    return {name: values[name] for name in shapes}


def _encoder_graph(encoder):
    """A new graph, made default, with the variables of the encoder."""
    graph = tf.Graph()
    with graph.as_default():
        architecture.encode(architecture.image_placeholder(), encoder)
    return graph.as_default()
