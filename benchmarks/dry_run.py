"""How long `snakemake -n all` takes when there is nothing to do, beside the start of Snakemake alone.

    .venv/workflow/bin/python benchmarks/dry_run.py /tmp/dry_run --configfile config/nyu.yaml

Copies the workflow into the folder, puts an empty file in the place of every result and download, tells Snakemake that
they are right, and times both in turn. The last line gives the medians and their ratio.
"""

import argparse
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time

REPOSITORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PARTS = ("Snakefile", "config", "envs", "profiles", "workflow")


def build_parser():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", help="is made, and must not be there yet")
    arguments.add_argument("--configfile", default="config/nyu.yaml")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--json", help="file for the figures")
    return arguments


def main():
    args = build_parser().parse_args()
    prepare(args.folder, args.configfile)
    commands = {"alone": ["--version"], "nothing to do": ["-n", "all", "--configfile", args.configfile]}
    took = {name: [] for name in commands}
    for _ in range(args.rounds):
        for name, words in commands.items():
            begin = time.perf_counter()
            output = snakemake(args.folder, *words)
            took[name].append(time.perf_counter() - begin)
    if "Nothing to be done" not in output:
        sys.exit("there is something to do:\n" + output)
    alone, dry = (statistics.median(took[name]) for name in commands)
    print("snakemake --version {:.2f} s, snakemake -n all {:.2f} s, ratio {:.2f}".format(alone, dry, dry / alone))
    if args.json:
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        with open(args.json, "w") as stream:
            json.dump({"seconds": took, "peak_mb": peak}, stream, indent=1, sort_keys=True)


def prepare(folder, configfile):
    """A copy of the workflow in which everything seems to be made."""
    os.makedirs(folder)
    for name in PARTS:
        source, target = os.path.join(REPOSITORY, name), os.path.join(folder, name)
        (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)
    words = ("--configfile", configfile)
    # Downloads first: what is not there would be an output.
    for targets in (("downloads",), ("all",)):
        table = snakemake(folder, *targets, "--summary", *words)
        rows = csv.DictReader(table[table.index("output_file\t") :].splitlines(), delimiter="\t")
        for path in (os.path.join(folder, row["output_file"]) for row in rows):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if path.endswith("saved_model"):
                os.makedirs(path)
            else:
                open(path, "w").close()
    snakemake(folder, "--touch", "all", *words)


def snakemake(folder, *words):
    """The output of Snakemake in the folder."""
    command = [sys.executable, "-m", "snakemake", *words]
    return subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


if __name__ == "__main__":
    main()
