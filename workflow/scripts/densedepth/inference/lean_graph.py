"""A folded frozen graph rewritten to run faster on a CPU, with the same results up to rounding.

Four patterns are replaced, whatever the graph's names:

- 3x3 convolution of concat(x upsampled bilinearly by 2, skip): without the upsampled map, see `convolution`.
- relu(x * scale + shift) before a 1x1 convolution, with or without an average pool between: the sum and the product
  become part of the convolution. Where scale > 0, relu(x * scale + shift) = max(x, -shift / scale) * scale + shift;
  where scale < 0, the same with min. oneDNN has the whole in one pass, as a normalisation, which is faster on large
  maps, and where both max and min would be needed.
- 3x3 convolution to one channel: libraries compute several channels at a time anyway, so each of the nine weights gets
  a channel of its own by a 1x1 convolution, and a small 3x3 one puts them together.
- Other 3x3 convolutions of large maps, and the skip's part of the first ones: with half of the multiplications, and
  what is added and the activation in the pass that makes the map of the products; see `winograd`.

The files keep the plain form: it is that of the reference port, which Ascend's and other compilers take.
"""

import contextlib
from typing import Any, Dict, Tuple

import numpy as np

from .. import multiplications
from ..network import upsample_conv, winograd
from ..tf import tf
from . import filter_variables

_ONE = [1, 1, 1, 1]
_LARGEST = float(np.finfo(np.float32).max)
# Pixels from which on oneDNN's normalisation is faster than a maximum; the smallest epsilon that TensorFlow takes.
_MANY = 4000
_EPSILON = 1.001e-5
# Images of 480x640 in which half of the decoder's multiplications save the two to three seconds of compilation.
_ENOUGH = 100
# What a folded network of this project is made of.
_KINDS = frozenset(
    [
        "Placeholder",
        "Const",
        "Identity",
        "Pad",
        "Conv2D",
        "BiasAdd",
        "Relu",
        "LeakyRelu",
        "MaxPool",
        "AvgPool",
        "Mul",
        "ConcatV2",
        "ResizeBilinear",
        "Shape",
        "StridedSlice",
    ]
)
_TYPES = (tf.float32.as_datatype_enum, tf.int32.as_datatype_enum)


def applies(definition: Any, ends: Tuple[str, str]) -> bool:
    """Whether `rewrite` is for the GraphDef: it is made of what this project's folded graphs are, and nothing else.

    ends: the operations that are to be fed and read. A graph with FusedBatchNorm was frozen for equality bit by bit,
    and what other programs wrote may rest on anything: control edges, functions, other layouts and types.
    """
    kinds = {node.name: node.op for node in definition.node}
    known = not definition.library.function and all(node.op in _KINDS and _usual(node) for node in definition.node)
    return known and kinds.get(ends[0]) == "Placeholder" and ends[1] in kinds


def _usual(node):
    # To ask for an attribute by [] alone would add it.
    found = {name: node.attr[name] for name in ("T", "data_format", "padding") if name in node.attr}
    return (
        not any(name.startswith("^") or ":" in name for name in node.input)
        and "_class" not in node.attr
        and ("T" not in found or found["T"].type in _TYPES)
        and ("data_format" not in found or found["data_format"].s == b"NHWC")
        and ("padding" not in found or found["padding"].s in (b"SAME", b"VALID"))
    )


def rewrite(definition: Any, filters: Dict[str, np.ndarray], output: str, images: int = 1) -> Any:
    """The GraphDef with the patterns replaced, cut down to what the operation named `output` needs.

    images: on how many the graph is to be run, about; the last pattern is for many.

    filters: the values of its placeholders for filters (see `filter_variables`); changed to those of the result. Where
    there is none of the patterns, both are left as they are.
    """
    with tf.Graph().as_default() as original:
        tf.import_graph_def(definition, name="")
    made: Dict[str, np.ndarray] = {}
    with tf.Graph().as_default() as pieces, _sums_for(images):
        wires = {}
        for op in original.get_operations():
            found = op.type == "Conv2D" and _pattern(op, filters)
            if found:
                end, inputs, build = found
                with tf.name_scope("lean/" + op.name + "/"):
                    taps = [tf.placeholder(tensor.dtype, tensor.shape) for tensor in inputs]
                    wires.update({tap.op.name: _name(tensor) for tap, tensor in zip(taps, inputs)})
                    wires[end.name] = _name(build(*taps, hold=lambda value: _held(value, made)))
    if not wires:
        return definition
    result = _joined(definition, pieces.as_graph_def(), wires)
    if output in wires:
        end = result.node.add(name=output, op="Identity", input=[wires[output]])
        end.attr["T"].type = tf.float32.as_datatype_enum
    result = tf.graph_util.extract_sub_graph(result, [output])
    filters.update(made)
    for name in set(filters) - {node.name for node in result.node}:
        del filters[name]
    return result


def are_many(images: int) -> bool:
    """Whether the graph for so many images is compiled in part."""
    return images >= _ENOUGH


def _sums_for(images):
    return contextlib.nullcontext() if are_many(images) else multiplications.every()


def _held(value, filters):
    """The array as a tensor: a large one as a placeholder whose value joins `filters`."""
    if not filter_variables.is_large(value):
        return tf.constant(value)
    tensor = tf.placeholder(tf.float32, value.shape)
    # A copy where it is a part of another array, which it would hold.
    filters[tensor.op.name] = np.ascontiguousarray(value)
    return tensor


def _static(tensor, filters):
    """The value of a filter or of a constant; None for others."""
    value = filters.get(tensor.op.name)
    return tf.get_static_value(tensor) if value is None else value


def _joined(definition, pieces, wires):
    """Both graphs in one: what read a placeholder of the pieces or a replaced operation reads what `wires` names."""
    joined = tf.GraphDef()
    joined.versions.CopyFrom(definition.versions)
    for node in list(definition.node) + list(pieces.node):
        if node.name in wires:
            continue
        joined.node.add().CopyFrom(node)
        names = joined.node[-1].input
        for place, name in enumerate(names):
            while name in wires:
                name = wires[name]
            names[place] = name
    return joined


def _name(tensor):
    return tensor.op.name if tensor.name.endswith(":0") else tensor.name


def _pattern(op, filters):
    """What is found of a convolution: (what to replace, tensors, what builds the other from them), or None."""
    kernel = _static(op.inputs[1], filters)
    if kernel is None or op.inputs[0].shape[3] != kernel.shape[2]:
        return None
    return _upsampled(op, kernel) or _normalised(op, kernel) or _to_one_channel(op, kernel) or _by_halves(op, kernel)


def _upsampled(op, kernel):
    """A convolution of an upsampled map and a skip."""
    joined = op.inputs[0].op
    if joined.type != "ConcatV2" or len(joined.inputs) != 3 or tf.get_static_value(joined.inputs[2]) not in (3, -1):
        return None
    upsampled, skip = joined.inputs[:2]
    if kernel.shape[:2] != (3, 3) or not _plain(op, b"SAME") or not _doubles(upsampled.op):
        return None
    small = upsampled.op.inputs[0]
    above, below = np.split(kernel, [small.shape.as_list()[3]], axis=2)
    bias, replaced = _bias_behind(op)
    if winograd.applies(skip, below.shape):
        activation, replaced = _activation_behind(replaced)
        return replaced, (small, skip), _upsampled_and_halved(above, below, lambda y: activation(y + bias))

    def build(x, skip, hold):
        # In this order TensorFlow makes one operation of convolution, bias, sum and activation.
        y = tf.nn.conv2d(skip, hold(below), _ONE, "SAME")
        if replaced is not op:
            y = tf.nn.bias_add(y, bias)
        mirrored, edges = upsample_conv.parts(above)
        return tf.add_n([y, upsample_conv.of_parts(x, hold(mirrored), [hold(edge) for edge in edges])])

    return replaced, (small, skip), build


def _upsampled_and_halved(above, below, finish):
    """What builds finish(the convolution), the skip's part with half of the multiplications."""

    def build(x, skip, hold):
        mirrored, edges = upsample_conv.parts(above)
        padded = upsample_conv.with_edge(x)
        others = upsample_conv.unfiltered(x, padded, hold(mirrored), [hold(edge) for edge in edges])
        # Not before the rest is there: the products take more memory than the skip, which is ready early.
        with tf.control_dependencies(others[:1]):
            skip = tf.identity(skip)
        return _halved(skip, below, hold, lambda y, *rest: finish(y + upsample_conv.filtered(*rest)), *others)

    return build


def _doubles(op):
    if op.type != "ResizeBilinear" or not op.get_attr("half_pixel_centers"):
        return False
    before, after = op.inputs[0].shape.as_list(), op.outputs[0].shape.as_list()
    return None not in before[1:] + after[1:] and after[1:3] == [2 * side for side in before[1:3]]


def _plain(op, padding):
    strides, dilations = op.get_attr("strides"), op.get_attr("dilations")
    return list(strides) == _ONE and list(dilations) == _ONE and op.get_attr("padding") in (padding, padding.decode())


def _normalised(op, kernel):
    """A 1x1 convolution of normalised features."""
    x = op.inputs[0]
    if kernel.shape[:2] != (1, 1) or list(op.get_attr("strides")) != _ONE:
        return None
    pool = x.op if x.op.type == "AvgPool" and x.op.get_attr("padding") in (b"VALID", "VALID") else None
    relu = pool.inputs[0].op if pool else x.op
    shifted = relu.inputs[0].op if relu.type == "Relu" else None
    if shifted is None or shifted.type != "BiasAdd":
        return None
    scaled = shifted.inputs[0].op
    if scaled.type != "Mul":
        return None
    scale, shift = (tf.get_static_value(tensor) for tensor in (scaled.inputs[1], shifted.inputs[1]))
    if scale is None or shift is None or not scale.shape == shift.shape == kernel.shape[2:3]:
        return None

    bias, replaced = _bias_behind(op)
    features = scaled.inputs[0]
    limits, weights, offset = _folded(scale, shift, kernel)
    one_pass = filter_variables.by_onednn() and (len(limits) > 1 or _pixels(features) >= _MANY)
    if one_pass:
        weights, offset = kernel, np.zeros_like(offset)

    def build(x, hold):
        if one_pass:
            x = tf.nn.relu(_scaled(x, scale, shift))
        else:
            for operation, limit in limits:
                x = operation(x, limit)
        if pool:
            x = tf.nn.avg_pool(x, pool.get_attr("ksize"), pool.get_attr("strides"), "VALID")
        return tf.nn.bias_add(tf.nn.conv2d(x, hold(weights), _ONE, "SAME"), (offset + bias).astype(np.float32))

    return replaced, (features,), build


def _pixels(x):
    """Of a map; infinite where its size is not known."""
    return x.shape[1:3].num_elements() or float("inf")


def _scaled(x, scale, shift):
    """x * scale + shift as the normalisation that TensorFlow computes by oneDNN together with its activation."""
    mean, variance = np.zeros_like(scale), np.ones_like(scale) - np.float32(_EPSILON)
    return tf.nn.fused_batch_norm(x, scale, shift, mean, variance, epsilon=_EPSILON, is_training=False)[0]


def _to_one_channel(op, kernel):
    """A 3x3 convolution with one output channel."""
    if kernel.shape[:2] + kernel.shape[3:] != (3, 3, 1) or not _plain(op, b"SAME"):
        return None
    bias, replaced = _bias_behind(op)

    def build(x, hold):
        y = tf.nn.conv2d(x, hold(kernel.transpose(2, 0, 1, 3).reshape(1, 1, -1, 9)), _ONE, "SAME")
        y = tf.nn.conv2d(y, np.eye(9, dtype=np.float32).reshape(3, 3, 9, 1), _ONE, "SAME")
        return tf.nn.bias_add(y, np.zeros(1, np.float32) + bias)

    return replaced, (op.inputs[0],), build


def _by_halves(op, kernel):
    """Another 3x3 convolution of a large map."""
    if not winograd.applies(op.inputs[0], kernel.shape) or not _plain(op, b"SAME"):
        return None
    bias, biased = _bias_behind(op)
    activation, replaced = _activation_behind(biased)

    def build(x, hold):
        return _halved(x, kernel, hold, lambda y: activation(y + bias))

    return replaced, (op.inputs[0],), build


def _halved(x, kernel, hold, finish, *others):
    """finish(the 3x3 convolution of x, *others)."""
    filters = [hold(part) for part in winograd.fixed_filters(kernel)]
    return winograd.fixed_conv2d(x, filters, lambda x, part: tf.nn.conv2d(x, part, _ONE, "SAME"), finish, others)


def _activation_behind(op):
    """(activation, operation) of the activation that alone reads the output; else (nothing, the operation itself)."""
    readers = op.outputs[0].consumers()
    if len(readers) == 1 and readers[0].type == "LeakyRelu":
        slope = readers[0].get_attr("alpha")
        return lambda x: tf.nn.leaky_relu(x, slope), readers[0]
    if len(readers) == 1 and readers[0].type == "Relu":
        return tf.nn.relu, readers[0]
    return tf.identity, op


def _bias_behind(op):
    """(bias, operation) of the constant bias that alone reads the output; else (0, the operation itself)."""
    readers = op.outputs[0].consumers()
    if len(readers) == 1 and readers[0].type == "BiasAdd":
        bias = tf.get_static_value(readers[0].inputs[1])
        if bias is not None:
            return bias, readers[0]
    return 0, op


def _folded(scale, shift, kernel):
    """([(tf.maximum or tf.minimum, limits)], kernel, offset) instead of relu(x * scale + shift) and the kernel."""
    scale, shift, kernel = (array.astype(np.float64) for array in (scale, shift, kernel))
    bend = np.clip(-shift / np.where(scale == 0, 1, scale), -_LARGEST, _LARGEST)
    limits = [
        (operation, np.where(chosen, bend, none).astype(np.float32))
        for operation, chosen, none in ((tf.maximum, scale > 0, -_LARGEST), (tf.minimum, scale < 0, _LARGEST))
        if chosen.any()
    ]
    offset = np.where(scale == 0, np.maximum(shift, 0), shift) @ kernel[0, 0]
    return limits, (kernel * scale[:, np.newaxis]).astype(np.float32), offset
