"""Time ONNX files of several networks for one image, in ONNX Runtime and in alternating rounds.

    .venv/tf2/bin/python benchmarks/peers.py --networks ours=model.onnx yolo=/tmp/peers/yolo26n-depth.onnx

One process holds all of them, with as many threads as there are cores. In each round each runs once without being
counted, then --runs times; the figure of a round is the median of these. Inputs are random.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np
import onnxruntime

# What stands for a free dimension: one image of this size.
IMAGE = {1: 480, 2: 640, 3: 3}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    made = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = made.get_inputs()[0]
    shape = [one if isinstance(one, int) else IMAGE.get(place, 1) for place, one in enumerate(given.shape)]
    images = np.random.RandomState(0).uniform(0, 1, shape).astype(np.float32)
    return lambda: made.run(None, {given.name: images})


def seconds(run, runs):
    found = []
    for _ in range(runs + 1):
        before = time.perf_counter()
        run()
        found.append(time.perf_counter() - before)
    return statistics.median(found[1:])


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--networks", nargs="+", required=True, metavar="NAME=FILE")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--runs", type=int, default=3)
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    sessions = {name: session(path) for name, path in (word.split("=", 1) for word in args.networks)}
    found = {name: [] for name in sessions}
    for number in range(args.rounds):
        for name in list(sessions)[:: -1 if number % 2 else 1]:
            found[name].append(seconds(sessions[name], args.runs))
        print("  ".join("{} {:.3f} s".format(name, found[name][-1]) for name in found), flush=True)
    if args.json:
        with open(args.json, "w") as stream:
            json.dump({"seconds": found, "onnxruntime": onnxruntime.__version__}, stream, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
