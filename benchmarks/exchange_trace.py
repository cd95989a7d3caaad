"""When in a training step the ranks exchange their gradients: a trace of one step, piece by piece.

    .venv/tf2/bin/python benchmarks/exchange_trace.py --records results/data/nyu_train*.tfrecords --json trace.json

Trains several ranks on this machine for a few steps, the last of which TensorFlow traces in rank 0. For each piece of
the gradients, in the order in which they leave, it says when the first operation of its exchange began and the last
ended, from the beginning of the step; beside them, when the last operation of the backward pass ended. An exchange
that ends before that has cost the step no waiting.
"""

import argparse
import functools
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth import platforms, progress
from densedepth.data import records
from densedepth.network import architecture, model, weights
from densedepth.platforms import collective, launcher, ranks, shared_memory
from densedepth.platforms.base import Options
from densedepth.tf import tf
from densedepth.training import settings, step_graph

TIMEOUT = 60


def build_parser():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--records", nargs="+", required=True)
    arguments.add_argument("--size", type=int, nargs=2, default=[480, 640], metavar=("HEIGHT", "WIDTH"))
    arguments.add_argument("--encoder", default="densenet169")
    arguments.add_argument("--bs", type=int, default=4)
    arguments.add_argument("--steps", type=int, default=4, help="the last of them is traced")
    arguments.add_argument("--processes", type=int, default=2)
    arguments.add_argument("--network", action="store_true", help="over gRPC, as between machines")
    arguments.add_argument("--json", help="file for the figures")
    return arguments


def main():
    args = build_parser().parse_args()
    if ranks.LAUNCHER not in os.environ:
        command = [sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
        if args.network:
            shared_memory.create = lambda: None
        with tempfile.TemporaryDirectory() as folder:
            sys.exit(launcher.run(command, [{}] * args.processes, TIMEOUT, folder))
    launcher.end_with_launcher()
    group = ranks.find(os.environ, TIMEOUT)
    progress.mute()
    options = Options("must_keep_origin_dtype", "high_precision", False, False, ranks=group)
    platform = platforms.create("cpu_gpu", options)
    platform.start()
    with records.RecordIndex(records.expand(args.records)) as index:
        stats = traced(args, platform, index)
    platform.close()
    if group.rank == 0:
        report(args, *times(stats))


def traced(args, platform, index):
    """What TensorFlow says of one training step of this rank: a StepStats message."""
    numbers = dict(learning_rate=1e-4, lr_decay=1.0, batch_norm_momentum=0.99, seed=0, depth_range=(10, 1000))
    samples = dict(halving="pick", mirror_probability=0.5, swap_probability=0.5)
    network = model.Model(encoder=args.encoder)
    recipe = settings.Settings(network, tuple(args.size), args.bs, args.steps, **numbers, **samples)
    options = tf.RunOptions(trace_level=tf.RunOptions.FULL_TRACE)
    found = tf.RunMetadata()
    with tf.Graph().as_default() as graph:
        step = step_graph.StepGraph(recipe, index, platform)
        with tf.Session(platform.session_target(), graph=graph, config=platform.session_config()) as session:
            step.begin(session, functools.partial(start, session, step))
            session.run(step.rewind(0, args.steps, lambda error: None))
            step.prepare(session)
            for number in range(args.steps):
                if number == args.steps - 1:
                    session.run = functools.partial(session.run, options=options, run_metadata=found)
                step.run(session, 1e-4, False, False)
    return found.step_stats


def start(session, step):
    """Random weights; returns the position to start at."""
    session.run(step.initialize)
    variables = tf.trainable_variables()
    weights.assign(session, architecture.initial_values(variables, 0))
    return 0


def times(stats):
    """(pieces, end of the backward pass, end of the step): seconds from the beginning of the step.

    pieces: (number, begin, end) of each exchange, in the order in which they were built.
    """
    nodes = [node for device in stats.dev_stats for node in device.node_stats]
    first = min(node.all_start_micros for node in nodes)
    spans = {}
    backward = last = 0
    for node in nodes:
        begin = node.all_start_micros - first
        end = begin + node.all_end_rel_micros
        last = max(last, end)
        match = re.match(collective.SCOPE + r"(?:_(\d+))?/", node.node_name)
        if match:
            number = int(match.group(1) or 0)
            old = spans.get(number, (begin, end))
            spans[number] = min(old[0], begin), max(old[1], end)
        elif node.node_name.startswith("gradients"):
            backward = max(backward, end)
    pieces = [(number, begin / 1e6, end / 1e6) for number, (begin, end) in sorted(spans.items())]
    return pieces, backward / 1e6, last / 1e6


def report(args, pieces, backward, last):
    before = [number for number, _, end in pieces if end <= backward]
    for number, begin, end in pieces:
        print("piece {:2d}: exchanged from {:6.3f} to {:6.3f} s".format(number, begin, end))
    print("backward pass ended at {:.3f} s, step at {:.3f} s".format(backward, last))
    print("{} of {} pieces were exchanged before the backward pass had ended".format(len(before), len(pieces)))
    if args.json:
        found = {"tensorflow": tf.__version__, "pieces": pieces, "backward": backward, "step": last}
        with open(args.json, "w") as stream:
            json.dump(dict(found, before=len(before)), stream, indent=1)
            stream.write("\n")


if __name__ == "__main__":
    main()
