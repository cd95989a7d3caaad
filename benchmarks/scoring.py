"""Measure how fast depth maps are scored, beside euler-eval and Ultralytics, on the same maps with the same figures.

    .venv/agree/bin/python benchmarks/scoring.py --images 24

Maps of 480x640 in memory, float32, no pixel left out. The other programs measure what they do by default of single
pixels: Ultralytics δ1 to δ3, AbsRel, RMSE and SILog, euler-eval these, SqRel, MAE, RMSE log and log10. `usual` is our
usual figures, `like Ultralytics` and `like euler-eval` with them what that program measures, `standard` what every
evaluation measures, that is the usual ones and those by distance; `all` is everything that `evaluate.metrics: all`
adds, of one protocol. Sides alternate, with one thread each; a figure is the median over rounds, in milliseconds of
processor time.
"""

import argparse
import json
import os
import resource
import sys
import time

import numpy as np
import torch
from euler_eval.metrics.depth_standard import compute_standard_depth_metrics
from ultralytics.utils.metrics import DepthMetrics

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts"))

from densedepth.evaluation import distances, metrics, more_metrics

SIZE, FARTHEST = (480, 640), 10.0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--images", type=int, default=24)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    torch.set_num_threads(1)
    pairs = [pair(seed) for seed in range(args.images)]
    sides = {"usual": usual, "like Ultralytics": like_ultralytics, "like euler-eval": like_euler_eval}
    sides.update({"standard": standard, "all": everything})
    sides.update({"euler-eval": euler_eval, "Ultralytics": ultralytics})
    times = {name: [] for name in sides}
    for _ in range(args.rounds):
        for name, side in sides.items():
            before = time.process_time()
            side(pairs)
            times[name].append(1000 * (time.process_time() - before) / args.images)
    for name, found in times.items():
        print("{:<16} {:.2f} ms an image".format(name, np.median(found)))
    if args.json:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        with open(args.json, "w") as stream:
            json.dump({"ms": times, "images": args.images, "peak_memory_bytes": peak}, stream)


def pair(seed):
    """A scene of boxes, and a prediction with noise."""
    random = np.random.RandomState(seed)
    truth = np.full(SIZE, 7.0)
    for _ in range(20):
        top, left = random.randint(0, 440), random.randint(0, 600)
        truth[top : top + random.randint(20, 200), left : left + random.randint(20, 200)] = random.uniform(1, 9)
    predicted = np.clip(truth * np.exp(0.1 * random.standard_normal(SIZE)), 0.1, 9.99)
    return truth.astype(np.float32), predicted.astype(np.float32)


def measured(pairs, names, by_distance=True):
    """As an evaluation does it: one pass over the pixels, then edges and surfaces where they are asked for."""
    total, camera = metrics.Accumulator(), more_metrics.camera_of(SIZE, (0, 0, 0, 0))
    for truth, prediction in pairs:

        def maps(both=(truth, prediction)):
            return more_metrics.Maps(*(one.astype(np.float64) for one in both), np.ones(SIZE, bool), camera, FARTHEST)

        sums = more_metrics.summed(names, FARTHEST)
        also = [distances.Sums(FARTHEST), *sums] if by_distance else sums
        total.add_sums(metrics.measure(truth=truth, prediction=prediction, also=also))
        more_metrics.figures(names, sums, maps)
    return total.result()


def usual(pairs):
    measured(pairs, [], by_distance=False)


def like_ultralytics(pairs):
    measured(pairs, more_metrics.chosen(["silog"]), by_distance=False)


def like_euler_eval(pairs):
    measured(pairs, more_metrics.chosen(["sq_rel", "mae", "rms_log", "silog"]), by_distance=False)


def standard(pairs):
    measured(pairs, [])


def everything(pairs):
    measured(pairs, more_metrics.chosen(["all"]))


def euler_eval(pairs):
    for truth, prediction in pairs:
        compute_standard_depth_metrics(prediction, truth)


def ultralytics(pairs):
    found = DepthMetrics(max_depth=FARTHEST, align="none")
    for truth, prediction in pairs:
        found.update_stats(torch.from_numpy(prediction)[None], torch.from_numpy(truth)[None])
    found.process()


if __name__ == "__main__":
    main()
