"""Compare training on two processes of one thread with training on one process of one thread.

    python benchmarks/scaling.py --records results/data/nyu_train*.tfrecords

Both train the same network, by default the recipe's at its size, with the same batch per process; rounds alternate. The
figure is the ratio of images per second, whose ideal is 2. One thread is enforced: a process alone gets one processor
core, and of two each gets one. More --processes than 2 share the two cores, which shows what the exchange between them
costs.

Two more sides say what a figure can be at best: `--sides apart` are two trainings at once, of one process on a core
each, that have nothing to do with one another (what the cores share, memory and its cache, slows them as well), and
`--sides whole` is one process with a thread on each of both cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from frame import figure

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
    arguments.add_argument("--sides", nargs="*", choices=("apart", "whole"), default=[], help="besides those")
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    sides = trainings(args, sorted(os.sched_getaffinity(0))[:2])
    rounds = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, found in rounds.items():
            found.append(measure(args, sides[name]))
            print("{}: {images_per_second:.2f} images/s".format(name, **found[-1]), flush=True)
    first = next(iter(rounds.values()))
    ratios = {
        name: [one["images_per_second"] / alone["images_per_second"] for one, alone in zip(found, first)]
        for name, found in rounds.items()
    }
    for name, found in ratios.items():
        words = "{} by {}: median {:.2f}, {:.2f} to {:.2f}"
        print(words.format(name, args.processes[0], statistics.median(found), min(found), max(found)))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump({"rounds": rounds, "ratios": ratios}, stream)


def trainings(args, cores):
    """{side: [(processes, cores) of each training that runs at the same time]}."""
    found = {str(count): [(count, cores[:count])] for count in args.processes}
    others = {"apart": [(1, [core]) for core in cores], "whole": [(1, cores)]}
    found.update((name, others[name]) for name in args.sides)
    return found


def measure(args, side):
    """Speed of all processes together, by the median step after warm-up; seconds a step and rank 0's memory."""
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for number, (processes, cores) in enumerate(side):
            figures = os.path.join(folder, str(number), "performance.json")
            os.mkdir(os.path.dirname(figures))
            started.append((start(args, processes, cores, figures), figures))
        found = []
        for process, figures in started:
            if process.wait():
                raise SystemExit("{} failed".format(" ".join(process.args)))
            with open(figures) as stream:
                found.append(json.load(stream)["performance"])
    return dict(found[0], images_per_second=sum(one["images_per_second"] for one in found))


def start(args, processes, cores, figures):
    """A training on these cores that writes its figures there."""
    words = ["--train_tfrecords", *args.records, "--size", *map(str, args.size), "--encoder", args.encoder]
    words += ["--bs", str(args.bs), "--steps", str(args.steps), "--steps_per_device", "true", "--epochs", "1"]
    words += ["--devices", str(processes), "--performance", figures]
    return subprocess.Popen(
        [sys.executable, TRAIN, *words],
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def figures(runtime, large, small):
    """Rows for the table, of the `ratios` at the recipe's size and at 96x128."""
    apart, steps = "two trainings at once that have nothing to do with one another", "steps of 4 images of 96x128, "
    eight = [many / one for many, one in zip(small["8"], small["whole"])]
    return [
        figure("training by 2 processes of 1 thread: images/s by those of 1", runtime, large["2"], 1.9),
        figure(apart + ": images/s by those of one alone", runtime, large["apart"], None),
        figure(steps + "2 processes: images/s by those of 1", runtime, small["2"], None),
        figure(steps + apart, runtime, small["apart"], None),
        figure(steps + "8 processes on 2 cores: images/s by those of one on both", runtime, eight, 0.9),
    ]


def points(rounds):
    """[count, seconds of a step, MB] of each number of processes, medians of the rounds."""
    keys = ("step_ms", "peak_memory_mb")
    found = {count: [statistics.median(one[key] for one in rounds[count]) for key in keys] for count in rounds}
    return [[int(count), step / 1000, memory] for count, (step, memory) in found.items() if count.isdigit()]


if __name__ == "__main__":
    main()
