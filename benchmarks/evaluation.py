"""Measure memory and time of evaluating a frozen graph or a checkpoint on a test set of any number of images.

    python benchmarks/evaluation.py --model_path results/1p/export/model.pb --images 654

The test set is made for it: random pictures of 480x640 in the form of nyu_test.zip, removed afterwards. The figures are
the peak memory of the process, 2 GB at most being wanted, and the wall time from the first image to the last figure by
the time that the network alone takes for as many passes, at most 1.15. It is taken half before and half after the
evaluation, with nothing beside it, since the time in the network during the evaluation has the metrics' load in it.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth.data import test_archive_writer
from densedepth.data.test_archive import open_test_set
from densedepth.evaluation import scoring
from densedepth.inference import networks
from densedepth.progress import Progress

SIZE = (480, 640)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model_path", required=True)
    arguments.add_argument("--images", type=int, default=654)
    arguments.add_argument("--bs", type=int, default=2)
    arguments.add_argument("--metrics", nargs="*", default=[], help="metrics besides the usual ones, or all: at most 2")
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "nyu_test.zip")
        test_archive_writer.write(path, pairs(args.images), args.images, SIZE, (20, 459, 24, 615))
        with open_test_set(path) as test_set, networks.load(args.model_path) as predictor:
            batches = -(-args.images // args.bs)
            # The first batch settles kernels and memory; it is the network's own start, not the evaluation's.
            alone(predictor, args.bs, 1)
            network = alone(predictor, args.bs, batches)
            before = time.perf_counter()
            report = Progress(test_set.count, "images")
            protocols = ["port", "paper", "bts"]
            document = scoring.evaluate(predictor, test_set, args.bs, None, report, protocols, more=args.metrics)
            wall = time.perf_counter() - before
            network += alone(predictor, args.bs, batches)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        "{} images: {:.1f} s, the network alone {:.1f} s, ratio {:.3f}".format(
            args.images, wall, network, wall / network
        )
    )
    print("time in the network during the evaluation {:.1f} s".format(document["speed"]["network_seconds"]))
    print("peak memory {:.0f} MB".format(peak / 1e6))
    if args.json:
        with open(args.json, "w") as stream:
            facts = {"images": args.images, "seconds": wall, "network_seconds": network, "ratio": wall / network}
            json.dump(dict(facts, peak_memory_bytes=peak), stream)


def alone(predictor, batch_size, batches):
    """Seconds that the network takes for so many batches."""
    images = np.random.RandomState(1).rand(*(predictor.batch or batch_size,) + predictor.size + (3,))
    images = images.astype(np.float32)
    before = time.perf_counter()
    for _ in range(batches):
        predictor.run(images)
    return time.perf_counter() - before


def pairs(count):
    """Random pictures with random depth, one at a time."""
    random = np.random.RandomState(0)
    for _ in range(count):
        rgb = random.randint(0, 256, SIZE + (3,)).astype(np.uint8)
        yield rgb, (random.rand(*SIZE) * 9 + 0.5).astype(np.float32)


if __name__ == "__main__":
    main()
