"""Where the time of this project's training step goes: seconds, FLOP and bytes of each kind of operation.

    .venv/tf2/bin/python benchmarks/step_profile.py --bs 4 --json profile.json

Operations run one at a time, each on all threads, so that their seconds add up; those of a kind are the median of the
traced steps. The bytes are those of inputs and first outputs, once each; FLOP are counted for convolutions and matrix
products alone, a multiplication and an addition as two. `at peak` is the time that both would take at the best that
this machine does in the same TensorFlow: the faster of a matrix product and a 3x3 convolution, and an addition of
arrays that no cache holds. What is left of a convolution's arithmetic by algorithms that multiply less is not in the
FLOP.
"""

import argparse
import collections
import json
import statistics
import time

import numpy as np

import training_step

# The operations of each kind, by the name without what TensorFlow puts before fused and oneDNN kernels.
KINDS = {
    "concatenation": ("Concat", "ConcatV2"),
    "slices of gradients": ("Slice", "StridedSlice", "StridedSliceGrad", "Split", "SplitV", "ConcatOffset"),
    "batch normalization's gradient": ("BatchNormGrad", "BatchNormGradV2", "BatchNormGradV3"),
    "ReLU": ("Relu", "LeakyRelu"),
    "ReLU's gradient": ("ReluGrad", "LeakyReluGrad"),
    "sums": ("AddN", "AddV2", "Add"),
    "bias and its gradient": ("BiasAdd", "BiasAddGrad"),
    "pooling and its gradient": ("AvgPool", "MaxPool", "AvgPoolGrad", "MaxPoolGrad"),
    "Adam": ("ApplyAdam", "ResourceApplyAdam"),
    "gradient norm": ("L2Loss",),
    "padding": ("Pad", "PadV2", "MirrorPad", "MirrorPadGrad"),
    # Of a function that XLA has compiled, on current TensorFlow and on 1.15: all such are `winograd`'s.
    "sums of rows": ("PartitionedCall", "XlaLaunch"),
    "copies in another order": ("Transpose", "ReverseV2"),
}
CONVOLUTIONS = {"Conv2D": "", "Conv2DBackpropInput": ", gradient by input", "Conv2DBackpropFilter": ", by filter"}

# The side of the network's largest filter; larger ones are maps.
LARGEST = 7

Operation = collections.namedtuple("Operation", "name type kind seconds flop bytes")


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bs", type=int, default=4)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--steps", type=int, default=3, help="traced, after as many that are not")
    parser.add_argument("--slowest", type=int, default=0, metavar="N", help="list so many operations, too")
    parser.add_argument("--json", help="file for the figures")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    args.weights = None
    batch = training_step.batch_of(args.bs, args.size)
    session, fetches, version = training_step.our_session(args, *batch, one_at_a_time=True)
    seconds = []
    for _ in range(args.steps):
        before = time.perf_counter()
        session.run(fetches)
        seconds.append(time.perf_counter() - before)
    traces = [traced(session, fetches) for _ in range(args.steps)]
    session.close()
    found = {
        "version": version,
        "batch_size": args.bs,
        "seconds": min(seconds),
        "peaks": peaks(),
        "kinds": kinds(traces),
    }
    show(found)
    for op in sorted(traces[-1], key=lambda op: -op.seconds)[: args.slowest]:
        print(
            "{:.4f} s {:7.2f} GFLOP {:.3f} GB {} {}".format(op.seconds, op.flop / 1e9, op.bytes / 1e9, op.type, op.name)
        )
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(found, stream, indent=1)
            stream.write("\n")


def traced(session, fetches):
    """The operations of one step, as TensorFlow runs them after its optimizations."""
    import tensorflow.compat.v1 as tf

    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE, output_partition_graphs=True)
    found = tf.RunMetadata()
    session.run(fetches, options=options, run_metadata=found)
    nodes = {node.name: node for graph in found.partition_graphs for node in graph.node}
    seconds, shapes = collections.Counter(), Shapes(session.graph)
    for device in found.step_stats.dev_stats:
        for node in device.node_stats:
            seconds[node.node_name] += (node.op_end_rel_micros - node.op_start_rel_micros) / 1e6
            for output in node.output:
                shapes.take(node.node_name, output)
    return [operation(nodes[name], value, shapes) for name, value in seconds.items() if name in nodes]


class Shapes:
    """Shapes and bytes of tensors by (operation, number of the output): as traced, else as the graph has them."""

    def __init__(self, graph):
        self._graph = graph
        self._found = {}

    def take(self, name, output):
        description = output.tensor_description
        self._found[name, output.slot] = [dim.size for dim in description.shape.dim]

    def of(self, place):
        if place not in self._found:
            try:
                shape = self._graph.get_tensor_by_name("{}:{}".format(*place)).shape
                self._found[place] = shape.as_list() if shape.is_fully_defined() else []
            except (KeyError, ValueError):
                self._found[place] = []
        return self._found[place]

    def size(self, place):
        # All but sizes and places is float32, and those are small.
        return 4 * count(self.of(place))


def count(shape):
    return int(np.prod(shape, dtype=np.int64)) if shape else 0


def operation(node, seconds, shapes):
    """What the traced `node` is and does."""
    sources = [name.rpartition(":") if ":" in name else (name, ":", 0) for name in node.input if name[0] != "^"]
    inputs = [(name, int(slot)) for name, _, slot in sources]
    kind, flop = kind_of(node, [shapes.of(place) for place in inputs], shapes.of((node.name, 0)))
    moved = sum(shapes.size(place) for place in inputs + [(node.name, 0)])
    return Operation(node.name, node.op, kind, seconds, flop, moved)


def kind_of(node, inputs, output):
    """(kind, FLOP)."""
    name = node.op.lstrip("_")
    for word in ("MklNative", "Mkl", "Fused"):
        name = name[len(word) :] if name.startswith(word) else name
    if "loss/" in node.name:
        return "loss and its gradient", 0
    if name in CONVOLUTIONS:
        kernel = output if name.endswith("Filter") else inputs[1]
        convolved = output if name == "Conv2D" else inputs[2]
        kind = "{}x{} convolution{}".format(kernel[0], kernel[1], CONVOLUTIONS[name])
        if kernel[0] > LARGEST:
            kind = "convolution over the images, by filter"
        return kind, 2 * count(convolved) * kernel[0] * kernel[1] * kernel[2]
    if name == "MatMul":
        inner = inputs[0][0 if node.attr["transpose_a"].b else 1]
        return "matrix product", 2 * count(output) * inner
    if name.startswith("DepthwiseConv2d"):
        return "filter of the decoder", 0
    if name.startswith("BatchNorm") and "Grad" not in name:
        return "batch normalization" + ("" if node.attr["is_training"].b else ", again"), 0
    return next((kind for kind, names in KINDS.items() if name in names), "other"), 0


def kinds(traces):
    """{kind: figures}, the slowest first."""
    found = {}
    for trace in traces:
        sums = {}
        for op in trace:
            row = sums.setdefault(op.kind, {"operations": 0, "seconds": 0.0, "gflop": 0.0, "gb": 0.0})
            row["operations"] += 1
            row["seconds"] += op.seconds
            row["gflop"] += op.flop / 1e9
            row["gb"] += op.bytes / 1e9
        for kind, row in sums.items():
            found.setdefault(kind, []).append(row)
    medians = {
        kind: dict(rows[-1], seconds=statistics.median(row["seconds"] for row in rows)) for kind, rows in found.items()
    }
    return dict(sorted(medians.items(), key=lambda item: -item[1]["seconds"]))


def peaks():
    """The best that this machine does in this TensorFlow, over several runs."""
    import tensorflow.compat.v1 as tf

    with tf.Graph().as_default(), tf.Session() as session:
        square = tf.Variable(tf.ones((2048, 2048)))
        maps, kernel = tf.Variable(tf.ones((4, 120, 160, 128))), tf.Variable(tf.ones((3, 3, 128, 128)))
        large = tf.Variable(tf.ones((1 << 26,)))
        session.run(tf.global_variables_initializer())
        work = {
            "matrix product, GFLOP/s": (tf.matmul(square, square), 2 * 2048**3),
            "3x3 convolution, GFLOP/s": (
                tf.nn.conv2d(maps, kernel, [1, 1, 1, 1], "SAME"),
                2 * 4 * 120 * 160 * 128 * 128 * 9,
            ),
            "addition, GB/s": (tf.add(large, 1.0), 2 * 4 * (1 << 26)),
        }
        return {name: amount / 1e9 / fastest(session, tensor.op) for name, (tensor, amount) in work.items()}


def fastest(session, op):
    seconds = []
    for _ in range(8):
        before = time.perf_counter()
        session.run(op)
        seconds.append(time.perf_counter() - before)
    return min(seconds)


def show(found):
    peak = found["peaks"]
    print("{}, batch {}: {:.3f} s a step".format(found["version"], found["batch_size"], found["seconds"]))
    print("peaks: " + "; ".join("{} {:.0f}".format(name, value) for name, value in peak.items()))
    whole = sum(row["seconds"] for row in found["kinds"].values())
    head = ("kind of operation", "operations", "seconds", "share", "GFLOP", "GFLOP/s", "GB", "GB/s", "at peak")
    print("| " + " | ".join(head) + " |\n| --- " + "| ---: " * (len(head) - 1) + "|")
    flop_peak = max(value for name, value in peak.items() if "GFLOP" in name)
    for kind, row in found["kinds"].items():
        seconds = max(row["seconds"], 1e-9)
        least = max(row["gflop"] / flop_peak, row["gb"] / peak["addition, GB/s"])
        cells = [kind, str(row["operations"]), "{:.3f}".format(seconds), "{:.0%}".format(seconds / whole)]
        cells += ["{:.0f}".format(row["gflop"]), "{:.0f}".format(row["gflop"] / seconds)] if row["gflop"] else ["", ""]
        cells += ["{:.2f}".format(row["gb"]), "{:.0f}".format(row["gb"] / seconds), "{:.3f}".format(least)]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
