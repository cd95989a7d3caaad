"""How long the first report takes, job by job: the embedded sample from nothing to results/report.html.

    .venv/workflow/bin/python benchmarks/first_report.py /tmp/first --runtime tf1
    .venv/workflow/bin/python benchmarks/first_report.py /tmp/first --runtime tf1 --other ../older --rounds 2

Each round copies the workflow into a folder below the first argument, which must not be there yet, and runs
`snakemake all` in it. With --other the workflow of another checkout takes turns with this one, with the same
interpreters; their ratio is that of the wall times. Processor seconds are those of all processes of a run; on a machine
that does something else besides they say more.
"""

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import time

import frame
from dry_run import PARTS

_STARTED = re.compile(r"Job (\d+): ")
_ENDED = re.compile(r"Finished jobid: (\d+) \(Rule: (\w+)\)")


def build_parser():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", help="is made, and must not be there yet")
    arguments.add_argument("--runtime", choices=("tf1", "tf2"), required=True)
    arguments.add_argument("--other", help="a checkout to compare with")
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--config", nargs="*", default=[], help="settings of the runs of this checkout, `seed=1`")
    arguments.add_argument("--json", help="file for the figures")
    return arguments


def main():
    args = build_parser().parse_args()
    trees = {"this": frame.ROOT}
    if args.other:
        trees["other"] = os.path.abspath(args.other)
    os.makedirs(args.folder)
    found = {name: [] for name in trees}
    for number in range(args.rounds):
        for name, tree in trees.items():
            folder = os.path.join(args.folder, "{}-{}".format(name, number))
            found[name].append(one_run(tree, folder, args.runtime, args.config if name == "this" else []))
            print(name, described(found[name][-1]), flush=True)
    for name in found:
        print("\n{}:\n{}".format(name, table(found[name])))
    if args.other:
        ratios = [a["seconds"] / b["seconds"] for a, b in zip(found["this"], found["other"])]
        print("\nwall time by that of the other: {}".format(", ".join("{:.2f}".format(ratio) for ratio in ratios)))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(dict(found, machine=frame.machine()), stream, indent=1, sort_keys=True)


def one_run(tree, folder, runtime, settings):
    """Run the workflow of `tree` in `folder` to its report; returns seconds, processor seconds, jobs, and delta1."""
    os.makedirs(folder)
    for name in PARTS:
        source, target = os.path.join(tree, name), os.path.join(folder, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    words = ["--cores", "all", "--config", "python={}".format(frame.python(runtime)), *settings, "--", "all"]
    begin, before = time.perf_counter(), used()
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started, jobs, lines = {}, [], []
    for line in process.stdout:
        lines.append(line)
        for job in _STARTED.findall(line):
            started[job] = time.perf_counter()
        for job, rule in _ENDED.findall(line):
            if job in started:
                jobs.append((rule, time.perf_counter() - started[job]))
    if process.wait():
        sys.exit("snakemake failed:\n" + "".join(lines[-30:]))
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "processor": used() - before, "jobs": jobs, "delta1": figures(folder)}


def used():
    """Processor seconds of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def figures(folder):
    """{what: delta1} of the constant depth and of each evaluated epoch."""
    results = os.path.join(folder, "results")
    paths = {"constant": os.path.join(results, "baseline.json")}
    evaluations = os.path.join(results, "1p", "evaluation")
    paths.update(
        (name[:-5], os.path.join(evaluations, name)) for name in os.listdir(evaluations) if name[-5:] == ".json"
    )
    found = {}
    for name, path in paths.items():
        with open(path) as stream:
            found[name] = json.load(stream)["metrics"]["delta1"]
    return found


def described(run):
    words = ", ".join("{} {:.4f}".format(name, value) for name, value in sorted(run["delta1"].items()))
    return "{:.0f} s, {:.0f} s of processors; delta1 {}".format(run["seconds"], run["processor"], words)


def table(runs):
    """Seconds of each rule's jobs, the median of the runs, as a Markdown table."""
    rules = list(dict.fromkeys(rule for run in runs for rule, _ in run["jobs"]))
    lines = ["| rule | jobs | seconds |", "| --- | ---: | ---: |"]
    for rule in rules:
        sums = [[seconds for name, seconds in run["jobs"] if name == rule] for run in runs]
        row = (rule, max(map(len, sums)), statistics.median(map(sum, sums)))
        lines.append("| `{}` | {} | {:.1f} |".format(*row))
    rest = statistics.median(run["seconds"] - sum(seconds for _, seconds in run["jobs"]) for run in runs)
    lines.append("| Snakemake itself, less what ran side by side | | {:.1f} |".format(rest))
    lines.append("| in all | | {:.1f} |".format(statistics.median(run["seconds"] for run in runs)))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
