"""What the bridge requires of a training step, asserted operation by operation on a graph that TensorFlow 1.15 built.

The operations of the exchange and of the overflow flag are those of the stand-in in tests/doubles: their names, number,
order and place in the graph are the bridge's, what a device would compute is not. What an engine would say of the graph
only an engine can say.
"""

from densedepth.tf import tf

# Operations that stay on the host, or are folded to a constant where shapes are constant.
_HOST = ("IteratorV2", "IteratorGetNext", "Placeholder", "BroadcastGradientArgs")
# What training steps are made of, but for the exchange and the flag. Before another kind of operation goes in here,
# look it up in the vendor's list of TensorFlow 1.15's operators (CANN's documentation, "operator list"); its guide
# excludes strings, float64, queues, code of Python, and results whose shape depends on values, as of `tf.where`.
_TAKEN = """
Abs AddN AddV2 All Any ApplyAdam Assign AssignAdd AssignSub AvgPool AvgPoolGrad BiasAdd BiasAddGrad Cast
ConcatOffset ConcatV2 Const Conv2D Conv2DBackpropFilter Conv2DBackpropInput DepthwiseConv2dNative
DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Equal Fill FloorMod FusedBatchNormGradV3
FusedBatchNormV3 Greater GreaterEqual Identity IsFinite L2Loss LeakyRelu LeakyReluGrad LessEqual Log LogicalNot Max
MaxPool MaxPoolGrad Maximum Mean Merge Minimum Mul Neg NoOp Pack Pad Range RealDiv Reciprocal RefSwitch Relu
ReluGrad Reshape ResizeBilinear ResizeBilinearGrad Select ShapeN Sign Slice Split Sqrt SqrtGrad StopGradient
StridedSlice StridedSliceGrad Sub Sum Switch Tile VariableV2
"""
_TYPES = (tf.float64, tf.string, tf.variant, tf.complex64, tf.complex128)


def reached(operations):
    """All operations that `operations` depend on, themselves included."""
    waiting, seen = list(operations), set()
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen.add(operation)
            waiting.extend([tensor.op for tensor in operation.inputs] + list(operation.control_inputs))
    return seen


def _operation(graph, name):
    element = graph.as_graph_element(name)
    return element if isinstance(element, tf.Operation) else element.op


def assert_supported(graph, fetched):
    """Every operation between variables, input and what is fetched is one that the device takes, of a known shape."""
    seen = reached(_operation(graph, name) for name in fetched)
    # In the order they were built, so that the first one at fault is named, the same in every process.
    for operation in [operation for operation in graph.get_operations() if operation in seen]:
        if operation.type in _HOST:
            continue
        assert operation.type in _TAKEN.split(), "{} {}".format(operation.type, operation.name)
        # The sixth output of this one is a GPU's working space, which TensorFlow 1.15 never gives a shape.
        outputs = operation.outputs[:5] if operation.type == "FusedBatchNormV3" else operation.outputs
        for output in outputs:
            assert output.shape.is_fully_defined(), "{} {}".format(output.name, output.shape)
            assert output.dtype.base_dtype not in _TYPES, output.name
    inputs = {operation.type for operation in seen if operation.type.startswith("Iterator")}
    assert inputs == {"IteratorV2", "IteratorGetNext"}
    assert len(seen) > 500


def assert_one_step(graph, train, norm, variables, ranks):
    """The step is that of section "loss scaling" of the bridge's guide: exchanged, unscaled, flagged, then applied.

    train, norm: names of what is fetched. variables: the trainable ones. ranks: their number.
    """
    step, norm = _operation(graph, train), _operation(graph, norm)
    exchanged = [op for op in reached([step, norm]) if op.name.split("/")[-1].startswith("HcomAllReduce")]
    gradients = [op for op in exchanged if op.name.startswith("DistributedAdam_Allreduce/")]
    flags = [op for op in exchanged if op.outputs[0].dtype == tf.int32]
    assert len(gradients) == len(variables) and len(flags) == 1
    assert sorted(tuple(op.outputs[0].shape.as_list()) for op in gradients) == sorted(
        tuple(variable.shape.as_list()) for variable in variables
    )
    for op in gradients:
        (divided,) = op.outputs[0].consumers()
        assert divided.type == "RealDiv" and _divisor(divided) == ranks, op.name
    # Read once all gradients are there; the norm, by which they are clipped, is that of the exchanged ones.
    assert set(gradients) <= reached(flags) and set(gradients) <= reached([norm])
    finite = _operation(graph, "overflow_status_reduce_all")
    assert set(flags) <= reached([finite])
    _assert_applied_behind(finite, step, variables)


def _divisor(division):
    value = division.inputs[1].op
    while value.type in ("Cast", "Identity"):
        value = value.inputs[0].op
    return int(tf.make_ndarray(value.node_def.attr["value"].tensor))


def _assert_applied_behind(finite, step, variables):
    """Each trainable variable is written once, in the branch of `finite`; only the loss scale is written otherwise."""
    written = {}
    for op in reached([step]):
        if op.type.startswith(("Assign", "Apply", "ResourceApply", "ScatterUpdate")):
            written.setdefault(_variable(op), []).append(op)
    for variable in variables:
        (op,) = written[variable.op.name]
        before = reached([op])
        assert finite in before and any(other.type == "Switch" and finite in reached([other]) for other in before), (
            op.name
        )
    free = {name for name, ops in written.items() if not any(finite in reached([op]) for op in ops)}
    # Averages of batch normalization are updated in every step.
    assert all("moving_" in name for name in free), free


def _variable(op):
    target = op.inputs[0].op
    while target.type in ("Switch", "RefSwitch", "Identity"):
        target = target.inputs[0].op
    return target.name
