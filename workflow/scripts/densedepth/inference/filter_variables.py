"""The filters of a frozen graph's convolutions as variables, so that their values are in memory once.

Constants are copied by whatever handles a graph: its description, the import, the session's own graph, each pass of the
optimizer, the graph that runs. The graphs here have placeholders instead, of which `load` makes variables.
"""

import collections
import functools
from typing import Any, Dict, List, Tuple

import numpy as np

from ..network import convolution
from ..tf import Tensor, kernels, tf

# Bytes. Smaller ones stay constants: the first layer's, which TensorFlow joins with the padding before it, is one.
_LARGE = 1 << 16
# Where the variables are in the graph: no part of a name in a graph to load.
_SCOPE = "densedepth_filters"

# TensorFlow's convolutions by oneDNN, which it puts in place of its own before it runs a graph. Told that a filter
# stays as it is, they keep it in oneDNN's layout; but TensorFlow tells them so of constants only.
_ALONE, _FUSED = "_MklNativeConv2D", "_MklNativeFusedConv2D"
_LABEL = "MklNameChangeOp"
# Their attributes that have no default, by which other releases than those that we know are left alone.
_NEEDED = {"T", "TArgs", "num_args", "strides", "padding"}
# What the second computes along, one operation of each row; the others only with the bias.
_BEHIND = (("BiasAdd",), ("AddN",), ("Relu", "LeakyRelu"))


def take_out(definition: Any) -> Tuple[Any, Dict[str, np.ndarray]]:
    """(the GraphDef with placeholders for the large filters of its convolutions, {their names: float32 arrays})."""
    readers = collections.Counter(name for node in definition.node for name in node.input)
    filters = collections.Counter(name for node in definition.node if node.op == "Conv2D" for name in node.input[1:2])
    rest = tf.GraphDef(versions=definition.versions)
    values = {}
    for node in definition.node:
        value = _value(node) if 0 < readers[node.name] == filters[node.name] else None
        if value is None or not is_large(value):
            rest.node.add().CopyFrom(node)
            continue
        values[node.name] = value
        placeholder = rest.node.add(name=node.name, op="Placeholder")
        placeholder.attr["dtype"].CopyFrom(node.attr["dtype"])
        placeholder.attr["shape"].shape.CopyFrom(node.attr["value"].tensor.tensor_shape)
    return rest, values


def _value(node):
    """The array of a float32 constant, else None."""
    if node.op == "Const" and node.attr["dtype"].type == tf.float32.as_datatype_enum:
        return tf.make_ndarray(node.attr["value"].tensor)
    return None


def is_large(value: np.ndarray) -> bool:
    """Whether it is worth a variable."""
    return value.nbytes >= _LARGE


def load(definition: Any, values: Dict[str, np.ndarray]) -> Tuple[List[Tensor], Dict[Tensor, np.ndarray]]:
    """Import the GraphDef into the current graph, with variables for the placeholders that `values` names.

    Returns (operations that a session has to run once, what to feed them).
    """
    variables, starts, feeds = {}, [], {}
    with tf.name_scope(_SCOPE):
        for name, value in sorted(values.items()):
            handle = tf.raw_ops.VarHandleOp(dtype=tf.float32, shape=value.shape, shared_name=name)
            initial = tf.placeholder(tf.float32, value.shape)
            starts.append(tf.raw_ops.AssignVariableOp(resource=handle, value=initial))
            variables[name] = tf.raw_ops.ReadVariableOp(resource=handle, dtype=tf.float32)
            feeds[initial] = value
    if values and by_onednn():
        definition = _keeping(definition, values)
    tf.import_graph_def(definition, input_map=variables, name="")
    return starts, feeds


def by_onednn() -> bool:
    """Whether TensorFlow computes by oneDNN, with convolutions as we know them."""
    return convolution.has_onednn() and all(
        "is_filter_const" in names and _NEEDED.issuperset(name for name, default in names.items() if not default)
        for names in map(_attributes, (_ALONE, _FUSED))
    )


@functools.lru_cache(maxsize=None)
def _attributes(kind):
    """{name: whether it has a default} of an operation by oneDNN; empty where this TensorFlow cannot run it."""
    found = kernels.get_registered_kernels_for_op(kind).kernel
    if not any(kernel.label == _LABEL for kernel in found):
        return {}
    return {one.name: one.HasField("default_value") for one in tf.Graph().op_def_for_type(kind).attr}


def _keeping(definition, values):
    """The GraphDef with convolutions by oneDNN where the filter is one of `values`."""
    readers = collections.defaultdict(list)
    for node in definition.node:
        for name in node.input:
            readers[_operation(name)].append(node)
    chains = [
        _chain(node, readers) for node in definition.node if node.op == "Conv2D" and set(node.input[1:2]) & set(values)
    ]
    gone = {node.name for chain in chains for node in chain}
    rest = tf.GraphDef(versions=definition.versions)
    rest.node.extend(node for node in definition.node if node.name not in gone)
    rest.node.extend(map(_joined, chains))
    return rest


def _chain(node, readers):
    """The convolution and the operations behind it that can be computed along."""
    chain = [node]
    for kinds in _BEHIND:
        following = readers[chain[-1].name]
        if len(following) == 1 and following[0].op in kinds and (kinds == _BEHIND[0] or len(chain) > 1):
            chain += following
    return chain


def _joined(chain):
    """One operation instead of the chain."""
    convolution, behind = chain[0], chain[1:]
    node = tf.NodeDef(name=chain[-1].name, op=_FUSED if behind else _ALONE, input=convolution.input)
    for name in ("T", "strides", "padding", "explicit_paddings", "data_format", "dilations"):
        if name in convolution.attr:
            node.attr[name].CopyFrom(convolution.attr[name])
    node.attr["is_filter_const"].b = True
    node.attr["_kernel"].s = _LABEL.encode()
    for before, link in zip(chain, behind):
        node.input.extend(name for name in link.input if _operation(name) != before.name)
        node.attr["fused_ops"].list.s.append(b"Add" if link.op == "AddN" else link.op.encode())
        if "alpha" in link.attr:
            node.attr["leakyrelu_alpha"].CopyFrom(link.attr["alpha"])
    if behind:
        node.attr["num_args"].i = len(node.input) - 2
        if "TArgs" in _attributes(_FUSED):
            node.attr["TArgs"].list.type.extend([convolution.attr["T"].type] * (len(node.input) - 2))
    return node


def _operation(name):
    return name.lstrip("^").split(":")[0]
