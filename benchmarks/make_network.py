"""Make the network that the benchmarks run: that of the reference recipe with random weights, frozen at 480x640.

    .venv/tf2/bin/python benchmarks/make_network.py --out /tmp/network

Writes a checkpoint, model.pb and, with --onnx, model.onnx. Statistics and offsets are such as training leaves behind,
neither zero nor one: what is zero, TensorFlow takes out of the graph, and the time would be too short.
"""

import argparse
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth.inference import freeze, onnx_export
from densedepth.network import architecture, checkpoints, weights
from densedepth.network.model import Model
from densedepth.tf import tf


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--size", type=int, nargs=2, default=[480, 640])
    arguments.add_argument("--encoder", default="densenet169")
    arguments.add_argument("--onnx", action="store_true", help="the ONNX file as well")
    args = arguments.parse_args()
    model = Model(encoder=args.encoder)
    with tf.Graph().as_default():
        architecture.predict(architecture.image_placeholder(tuple(args.size)), model)
        variables = tf.global_variables()
        values = as_trained(architecture.initial_values(variables, 0))
        with tf.Session() as session:
            weights.assign(session, values)
            side = {"epoch": 1, "global_step": 1, "model": model.as_dict(), "size": list(args.size)}
            folder = os.path.join(args.out, "checkpoint")
            checkpoints.write(folder, session, side)
    graph = os.path.join(args.out, "model.pb")
    freeze.freeze(folder, architecture.OUTPUT, graph)
    if args.onnx:
        onnx_export.export(graph, os.path.join(args.out, "model.onnx"), 13)


def as_trained(values):
    random = np.random.RandomState(0)
    for name in sorted(values):
        kind = name.rpartition("/")[2]
        if kind in ("bias", "beta", "moving_mean"):
            values[name] = random.normal(0, 0.1, values[name].shape)
        if kind in ("gamma", "moving_variance"):
            values[name] = random.uniform(0.5, 1.5, values[name].shape)
    values["conv3/kernel"] = values["conv3/kernel"] * 20
    values["conv3/bias"] = values["conv3/bias"] + 3
    return values


if __name__ == "__main__":
    main()
