"""Compare a frozen graph in TensorFlow with the same network in ONNX Runtime, in one process, in alternating rounds.

    cd results/1p/export && ../../../.venv/tf2/bin/python ../../../benchmarks/inference.py --model_path model.pb \\
        --onnx model.onnx

The figure is the ratio of images per second, TensorFlow's by ONNX Runtime's: at least 1 is wanted. Each round is so
many batches of each after a warm-up batch; latencies are those of a batch. The files must be of one network.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth import networks


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model_path", required=True)
    arguments.add_argument("--onnx", required=True)
    arguments.add_argument("--bs", type=int, default=1)
    arguments.add_argument("--batches", type=int, default=20, help="batches of each in a round")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    times = {"tensorflow": [], "onnxruntime": []}
    with networks.load(args.model_path) as graph, networks.load(args.onnx) as onnx:
        images = np.random.RandomState(0).uniform(0, 1, (args.bs,) + graph.size + (3,)).astype(np.float32)
        apart = float(np.abs(graph.run(images) - onnx.run(images)).max())
        if not apart < 1e-2:
            raise SystemExit("the two files are not of one network: their outputs are {:.3g} apart".format(apart))
        for _ in range(args.rounds):
            for name, network in (("tensorflow", graph), ("onnxruntime", onnx)):
                times[name].append(measure(network, images, args.batches))
                rate = args.bs / statistics.mean(times[name][-1])
                print("{:12s} {:7.2f} images/s".format(name, rate), flush=True)
    rates = {name: [args.bs / statistics.mean(one) for one in rounds] for name, rounds in times.items()}
    ratios = [tf / ort for tf, ort in zip(rates["tensorflow"], rates["onnxruntime"])]
    for name, rounds in times.items():
        batches = 1000 * np.concatenate(rounds)
        p50, p90, p99 = np.percentile(batches, (50, 90, 99))
        print("{:12s} batch of {}: p50 {:.1f}, p90 {:.1f}, p99 {:.1f} ms".format(name, args.bs, p50, p90, p99))
    print("ratio: median {:.2f}, {:.2f} to {:.2f}".format(statistics.median(ratios), min(ratios), max(ratios)))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump({"images_per_second": rates, "ratios": ratios, "ratio": statistics.median(ratios)}, stream)


def measure(network, images, batches):
    """Seconds of each of so many batches, after one that does not count."""
    network.run(images)
    found = []
    for _ in range(batches):
        before = time.perf_counter()
        network.run(images)
        found.append(time.perf_counter() - before)
    return found


if __name__ == "__main__":
    main()
