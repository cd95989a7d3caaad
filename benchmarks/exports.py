"""Compare the speed of exported networks with that of the frozen graph they are made of, in alternating rounds.

    .venv/workflow/bin/python benchmarks/exports.py results/1p/export/model.pb results/1p/exports/onnx*/model.onnx

Each file is run by its own runtime as `densedepth.load` runs it, in a process of its own with all cores. They start one
after the other; then, round by round, each runs so many batches of one image while the others wait. The figures are
images per second and the median of the rounds' ratios to the first file, which is the frozen graph.
"""

import argparse
import json
import os
import statistics
import sys
import time

from frame import Worker, answer

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "workflow", "scripts"))


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", help="the frozen graph, then its exports")
    parser.add_argument("--batches", type=int, default=5, help="of each in a round, after one that does not count")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if args.worker:
        return work(args)
    workers = {}
    seconds = {path: [] for path in args.networks}
    try:
        for path in args.networks:
            workers[path] = start(path)
        for number in range(args.rounds):
            for path in args.networks[:: 1 if number % 2 else -1]:
                seconds[path].append(statistics.median(workers[path].ask(args.batches)))
    finally:
        for worker in workers.values():
            worker.kill()
    first = seconds[args.networks[0]]
    ratios = {path: [a / b for a, b in zip(first, found)] for path, found in seconds.items()}
    for path, found in ratios.items():
        size = sum(os.path.getsize(part) for part in (path, os.path.splitext(path)[0] + ".bin") if os.path.exists(part))
        words = "{}: {:.2f} images/s, {:.2f} x ({:.2f} to {:.2f}) the first, {:.1f} MB"
        rate = 1 / statistics.median(seconds[path])
        print(words.format(path, rate, statistics.median(found), min(found), max(found), size / 1e6))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump({"seconds": seconds, "ratios": ratios}, stream, indent=1)
    return 0


def start(path):
    python = os.path.join(FOLDER, "..", ".venv", "tf2", "bin", "python")
    return Worker([python, os.path.abspath(__file__), "--worker", path], quiet=True)


def work(args):
    import numpy as np
    from densedepth.inference import networks

    with networks.load(args.networks[0]) as network:
        batch = (network.batch or 1, *(network.size or (480, 640)), 3)
        images = np.random.RandomState(0).uniform(0, 1, batch).astype(np.float32)
        network.run(images)
        answer([])
        for line in sys.stdin:
            taken = []
            for _ in range(int(line) + 1):
                before = time.perf_counter()
                network.run(images)
                taken.append(time.perf_counter() - before)
            answer(taken[1:])
    return 0


if __name__ == "__main__":
    sys.exit(main())
