"""Export of a checkpoint as one file with its weights inside (a frozen graph) and as a SavedModel."""

import os
import warnings
from typing import Any, Dict, Optional

from .. import files, outputs, runtime
from ..errors import PipelineError
from ..network import architecture, checkpoints, weights
from ..tf import tf
from . import predictors

FORMAT = 1

# Names in the SavedModel: those that Keras would give.
SIGNATURE = predictors.SIGNATURE
SIGNATURE_INPUT = "input_1"
SIGNATURE_OUTPUT = "conv3"

# Attributes that TensorFlow 1.15 does not know. They have their default values in our networks; without them a file
# frozen by a current release loads in 1.15, which the Ascend runtime needs. All other defaults stay written out, since
# converters that are not TensorFlow may not know them.
_NEWER_ATTRIBUTES = {"FusedBatchNormV3": ["exponential_avg_factor"], "MaxPool": ["explicit_paddings"]}
# Below the folder of a SavedModel, those that a current TensorFlow writes included.
_SAVED_MODEL_FILES = r"saved_model\.pb(\.json)?|fingerprint\.pb|variables/variables\..*"


def freeze(
    checkpoint_path: str,
    output_name: str,
    path: str,
    batch: Optional[int] = None,
    fold: bool = True,
    saved_model: Optional[str] = None,
) -> Dict[str, Any]:
    """Write the network of the checkpoint to the GraphDef file `path` and what is known of it to `path`.json.

    `output_name` is the operation to end at; `batch` fixes the batch size (default: any). The graph holds inference
    only: the placeholder `input_1` (batch, height, width, 3), RGB in 0..1, constants, and what the output needs. With
    `fold`, normalisation is part of the convolutions where it can be (see `architecture.fold`): fewer operations, and
    results that differ by rounding; without, on a processor, `predictors.load` gives those of the checkpoint bit for
    bit (in other programs' sessions TensorFlow may rewrite the graph, and round otherwise). `saved_model` is a folder
    for the same graph as a SavedModel, which is replaced when it is one. The bytes depend on the checkpoint, the
    options and the TensorFlow release alone. Returns the metadata file's content. Raises PipelineError when the graph
    has no such operation.
    """
    checkpoint = checkpoints.find(checkpoint_path)
    if saved_model:
        outputs.check_folder(saved_model, _SAVED_MODEL_FILES, predictors.SAVED_MODEL)
    with tf.Graph().as_default() as graph:
        images, prediction = predictors.inference_graph(checkpoint, batch, fold)
        if output_name not in {op.name for op in graph.get_operations()}:
            raise PipelineError(
                "--output_node_names {}: no such operation in the network; its output is {}".format(
                    output_name, prediction.op.name
                )
            )
        output = graph.get_operation_by_name(output_name).outputs[0]
        with _session(graph) as session:
            if fold:
                weights.assign(session, architecture.fold(_values(checkpoint)))
            else:
                checkpoints.restore(session, checkpoint)
            definition = _constants_only(session, graph, output_name)

    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(definition.SerializeToString(deterministic=True))
    known = _known(checkpoint, images, output, output is prediction, fold)
    side = dict(
        known,
        saved_model=saved_model and write_saved_model(definition, images.name, output.name, saved_model, known),
        sha256=files.sha256(path),
        nodes=len(definition.node),
        bytes=os.path.getsize(path),
    )
    files.write_json(path + ".json", side)
    return side


def _known(checkpoint, images, output, whole, fold):
    """What the metadata files of the frozen graph and of the SavedModel have in common."""
    # What the last layer was divided by, where calibrate.py did.
    calibration = checkpoint.side.get("calibration")
    return {
        **({"calibration": calibration} if calibration else {}),
        "format": FORMAT,
        "folded": fold,
        "input": {"name": images.name, "shape": images.shape.as_list(), "range": [0, 1], "layout": "NHWC, RGB"},
        "output": {
            "name": output.name,
            "shape": output.shape.as_list(),
            "unit": "1000 / depth in centimetres" if whole else None,
        },
        "model": checkpoint.side["model"],
        "size": checkpoint.side["size"],
        # Centimetres; None for checkpoints that do not tell.
        "depth_range": checkpoint.side.get("training", {}).get("depth_range"),
        "source": {
            "path": checkpoint.folder,
            "epoch": checkpoint.side["epoch"],
            "global_step": checkpoint.side["global_step"],
            "sha256": checkpoint.side["files"],
        },
        "runtime": runtime.describe(),
    }


def _session(graph):
    return tf.Session(graph=graph, config=tf.ConfigProto(device_count={"GPU": 0}))


def _values(checkpoint):
    """{variable name: array} of the checkpoint's network as it was trained."""
    with tf.Graph().as_default() as graph, _session(graph) as session:
        predictors.inference_graph(checkpoint)
        checkpoints.restore(session, checkpoint)
        return session.run({variable.op.name: variable for variable in tf.global_variables()})


def write_saved_model(
    definition: Any, input_name: str, output_name: str, folder: str, known: Dict[str, Any]
) -> Dict[str, Any]:
    """The graph of constants as a SavedModel: tag `serve`, signature `serving_default`; complete or not there.

    What is `known` of the network goes into `saved_model.pb.json` in it, so that the folder can be used by itself.
    Returns how to use it.
    """
    with files.atomic_folder(folder) as temporary, tf.Graph().as_default() as graph, warnings.catch_warnings():
        # Deprecated in favour of a class that needs version 2 behaviour.
        warnings.simplefilter("ignore")
        tf.import_graph_def(definition, name="")
        builder = tf.saved_model.builder.SavedModelBuilder(temporary)
        signature = tf.saved_model.predict_signature_def(
            {SIGNATURE_INPUT: graph.get_tensor_by_name(input_name)},
            {SIGNATURE_OUTPUT: graph.get_tensor_by_name(output_name)},
        )
        with _session(graph) as session:
            builder.add_meta_graph_and_variables(
                session, [tf.saved_model.tag_constants.SERVING], signature_def_map={SIGNATURE: signature}
            )
        builder.save()
        sha256 = files.sha256(os.path.join(temporary, predictors.SAVED_MODEL))
        files.write_json(os.path.join(temporary, predictors.SAVED_MODEL + ".json"), dict(known, sha256=sha256))
    return {
        "path": folder,
        "signature": SIGNATURE,
        "input": SIGNATURE_INPUT,
        "output": SIGNATURE_OUTPUT,
        "sha256": sha256,
    }


def _constants_only(session, graph, output_name):
    original = graph.as_graph_def()
    with warnings.catch_warnings():
        # Deprecated in favour of SavedModel, which the programs that read frozen files do not know.
        warnings.simplefilter("ignore")
        definition = tf.graph_util.convert_variables_to_constants(session, original, [output_name])
        definition = tf.graph_util.remove_training_nodes(definition, protected_nodes=[output_name])
    for node in definition.node:
        # Names of variables that are no more, to be placed beside.
        node.attr.pop("_class", None)
        for name in _NEWER_ATTRIBUTES.get(node.op, ()):
            node.attr.pop(name, None)
    definition.versions.CopyFrom(original.versions)
    return definition
