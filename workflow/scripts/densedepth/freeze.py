"""Freezing: a checkpoint's network as one file with its weights inside, ready for deployment."""

import os
import warnings

from . import checkpoints, files, inference, runtime
from .errors import PipelineError
from .tf import tf

FORMAT = 1

# Attributes that TensorFlow 1.15 does not know. They have their default values in our networks; without them a file
# frozen by a current release loads in 1.15, which the Ascend runtime needs. All other defaults stay written out, since
# converters that are not TensorFlow may not know them.
_NEWER_ATTRIBUTES = {"FusedBatchNormV3": ["exponential_avg_factor"], "MaxPool": ["explicit_paddings"]}


def freeze(checkpoint_path, output_name, path, batch=None):
    """Write the network of the checkpoint to the GraphDef file `path` and what is known of it to `path`.json.

    `output_name` is the operation to end at; `batch` fixes the batch size (default: any). The graph holds inference
    only: the placeholder `input_1` (batch, height, width, 3), RGB in 0..1, constants, and what the output needs. The
    bytes depend on the checkpoint, the options and the TensorFlow release alone. Returns the side file's content.
    Raises PipelineError when the graph has no such operation.
    """
    checkpoint = checkpoints.find(checkpoint_path)
    with tf.Graph().as_default() as graph:
        images, prediction = inference.inference_graph(checkpoint, batch)
        if output_name not in {op.name for op in graph.get_operations()}:
            raise PipelineError(
                "--output_node_names {}: no such operation in the network; its output is {}".format(
                    output_name, prediction.op.name
                )
            )
        output = graph.get_operation_by_name(output_name).outputs[0]
        with tf.Session(graph=graph, config=tf.ConfigProto(device_count={"GPU": 0})) as session:
            checkpoints.restore(session, checkpoint)
            definition = _constants_only(session, graph, output_name)

    content = definition.SerializeToString(deterministic=True)
    with files.atomic_path(path) as temporary, open(temporary, "wb") as stream:
        stream.write(content)
    side = {
        "format": FORMAT,
        "input": {"name": images.name, "shape": images.shape.as_list(), "range": [0, 1], "layout": "NHWC, RGB"},
        "output": {
            "name": output.name,
            "shape": output.shape.as_list(),
            "unit": "1000 / depth in centimetres" if output is prediction else None,
        },
        "model": checkpoint.side["model"],
        "size": checkpoint.side["size"],
        "source": {
            "path": checkpoint.folder,
            "epoch": checkpoint.side["epoch"],
            "global_step": checkpoint.side["global_step"],
            "sha256": checkpoint.side["files"],
        },
        "sha256": files.sha256(path),
        "nodes": len(definition.node),
        "bytes": os.path.getsize(path),
        "runtime": runtime.describe(),
    }
    files.write_json(path + ".json", side)
    return side


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
