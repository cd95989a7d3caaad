"""Compare training on two processes of one thread with training on one process of one thread.

    python benchmarks/scaling.py --records results/data/nyu_train*.tfrecords

Both train the same network, by default the recipe's at its size, with the same batch per process; rounds alternate. The
figure is the ratio of images per second, whose ideal is 2. One thread is enforced: a process alone gets one processor
core, and of two each gets one. More --processes than 2 share the two cores, which shows what the exchange between them
costs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

TRAIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts", "train.py")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", nargs="+", required=True)
    arguments.add_argument("--size", type=int, nargs=2, default=[480, 640])
    arguments.add_argument("--encoder", default="densenet169")
    arguments.add_argument("--bs", type=int, default=4)
    arguments.add_argument("--steps", type=int, default=8, help="steps of each process in a round")
    arguments.add_argument("--rounds", type=int, default=2)
    arguments.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    rounds = {processes: [] for processes in args.processes}
    for _ in range(args.rounds):
        for processes, found in rounds.items():
            found.append(measure(args, processes, cores[:processes]))
            print("{} process(es): {images_per_second:.2f} images/s".format(processes, **found[-1]), flush=True)
    first, second = (rounds[processes] for processes in args.processes[:2])
    ratios = [two["images_per_second"] / one["images_per_second"] for one, two in zip(first, second)]
    print("ratio: median {:.2f}, {:.2f} to {:.2f}".format(statistics.median(ratios), min(ratios), max(ratios)))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump({"rounds": rounds, "ratios": ratios, "ratio": statistics.median(ratios)}, stream)


def measure(args, processes, cores):
    """Speed of all processes together, by the median step after warm-up, and rank 0's memory."""
    with tempfile.TemporaryDirectory() as folder:
        figures = os.path.join(folder, "performance.json")
        words = ["--train_tfrecords", *args.records, "--size", *map(str, args.size), "--encoder", args.encoder]
        words += ["--bs", str(args.bs), "--steps", str(args.steps), "--steps_per_device", "true", "--epochs", "1"]
        words += ["--devices", str(processes), "--performance", figures]
        subprocess.run(
            [sys.executable, TRAIN, *words],
            check=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        with open(figures) as stream:
            return json.load(stream)["performance"]


if __name__ == "__main__":
    main()
