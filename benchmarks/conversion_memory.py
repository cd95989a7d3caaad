"""Peak memory and speed of the conversion of a large archive, in one run.

    python benchmarks/make_archive.py --source results/sample/nyu_data.zip --out /tmp/large.zip
    python benchmarks/conversion_memory.py --archive /tmp/large.zip --out /tmp/large/x.tfrecords --workers 2

Starts dataset_tool_tf.py with the interpreter that runs this, and follows the processes in /proc (Linux). Compared are,
each a whole program from start to end: reading all members with zipfile in the order of the csv, the conversion by one
worker and by several, in --rounds alternating rounds, the ratios being those of a round; one that is killed (SIGKILL)
when a quarter of the shards is there, and the same command again.
All must give the same bytes. Writing 4 GB may be limited by the disk, which --out on a RAM disk leaves out.
"""

import argparse
import glob
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import time

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts", "dataset_tool_tf.py")
# What every process of the conversion imports, and the memory that this takes.
IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
from densedepth import runtime
from densedepth.data import conversion
assert "tensorflow" not in sys.modules
print(runtime.describe()["tensorflow"])
print(open("/proc/self/status").read())
"""
READ = """
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    for line in archive.read("data/nyu2_train.csv").decode().split():
        for member in line.split(","):
            archive.read(member)
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--archive", required=True)
    arguments.add_argument("--out", required=True)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--shards", type=int, default=16)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--json", help="file for the figures")
    args = arguments.parse_args()
    command = [sys.executable, "-c", IMPORT, os.path.dirname(PROGRAM)]
    version, status = subprocess.check_output(command, universal_newlines=True).split("\n", 1)
    alone = peak(status)
    print("environment of TensorFlow {}: the imports alone {} MB".format(version, alone), flush=True)

    rounds = []
    for _ in range(args.rounds):
        found = {"reading": read(args.archive)}
        for name, workers in (("one", 1), ("several", args.workers)):
            clear(args.out)
            found[name] = convert(args, workers, alone)
        rounds.append(found)
        print(", ".join("{} {seconds:.1f} s".format(name, **one) for name, one in found.items()), flush=True)
    clear(args.out)
    killed = killed_and_repeated(args, alone)
    print("killed and repeated: {taken_over} of {0} shards taken over".format(args.shards, **killed))
    written = [one[name] for one in rounds for name in ("one", "several")] + [killed]
    figures = {
        "tensorflow": version,
        "python": platform.python_version(),
        "archive_bytes": os.path.getsize(args.archive),
        "import_mb": alone,
        "workers": args.workers,
        "shards": args.shards,
        "rounds": rounds,
        "killed": killed,
        "same_bytes": all(one["sha256"] == killed["sha256"] for one in written),
        "several_to_one": [one["one"]["seconds"] / one["several"]["seconds"] for one in rounds],
        "one_to_reading": [one["reading"]["seconds"] / one["one"]["seconds"] for one in rounds],
        "one_to_reading_cpu": [one["reading"]["cpu_seconds"] / one["one"]["cpu_seconds"] for one in rounds],
        "largest_above_import_mb": max(value for one in written for value in one["above_import_mb"].values()),
    }
    for name in ("several_to_one", "one_to_reading", "one_to_reading_cpu"):
        values = sorted(figures[name])
        print("{}: {:.2f} ({:.2f} to {:.2f})".format(name, statistics.median(values), values[0], values[-1]))
    for name in ("same_bytes", "largest_above_import_mb"):
        print("{}: {}".format(name, figures[name]))
    if args.json:
        with open(args.json, "w") as stream:
            json.dump(figures, stream, indent=2, sort_keys=True)


def read(archive):
    """How long reading the members alone takes."""
    begin, cpu = time.perf_counter(), children_cpu()
    subprocess.check_call([sys.executable, "-c", READ, archive])
    return {"seconds": time.perf_counter() - begin, "cpu_seconds": children_cpu() - cpu}


def start(args, workers):
    command = [sys.executable, PROGRAM, "--input_dir", args.archive, "--out", args.out]
    command += ["--shards", str(args.shards), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, universal_newlines=True)


def convert(args, workers, alone):
    """Convert, and say how long it took, what the processes needed, and what came of it."""
    begin, cpu = time.perf_counter(), children_cpu()
    process = start(args, workers)
    peaks = {}
    while process.poll() is None:
        for pid in [process.pid] + children(process.pid):
            try:
                with open("/proc/{}/status".format(pid)) as stream:
                    peaks[pid] = max(peaks.get(pid, 0), peak(stream.read()))
            except (OSError, ValueError, StopIteration):
                continue
        time.sleep(0.1)
    seconds = time.perf_counter() - begin
    output = process.stdout.read()
    if process.returncode:
        sys.exit("the conversion failed:\n" + output)
    above = {"parent": peaks.pop(process.pid) - alone}
    above.update(("worker {}".format(i), peaks[pid] - alone) for i, pid in enumerate(sorted(peaks)) if peaks[pid] > 50)
    with open(os.path.splitext(args.out)[0] + ".json") as stream:
        sums = json.load(stream)["sha256"]
    cpu = children_cpu() - cpu
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "above_import_mb": above,
        "sha256": sums,
        "output": output.splitlines()[-14:],
    }


def killed_and_repeated(args, alone):
    process = start(args, args.workers)
    partial = os.path.join(os.path.dirname(args.out), "." + os.path.basename(args.out) + ".partial")
    while len(glob.glob(os.path.join(glob.escape(partial), "*.json"))) < args.shards // 4:
        if process.poll() is not None:
            sys.exit("the conversion ended before it could be killed")
        time.sleep(0.05)
    workers = children(process.pid)
    process.kill()
    process.wait()
    while any(os.path.exists("/proc/{}".format(pid)) for pid in workers):
        time.sleep(0.1)
    taken_over = len(glob.glob(os.path.join(glob.escape(partial), "*.json")))
    return dict(convert(args, args.workers, alone), taken_over=taken_over)


def clear(out):
    """Remove what a conversion makes, and nothing else."""
    folder, name = os.path.split(os.path.abspath(out))
    stem = os.path.join(glob.escape(folder), glob.escape(os.path.splitext(name)[0]))
    for path in glob.glob(stem + "*.tfrecords") + glob.glob(stem + ".json"):
        os.remove(path)
    shutil.rmtree(os.path.join(folder, ".{}.partial".format(name)), ignore_errors=True)


def peak(status):
    """The largest resident size so far, MB, by the text of /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def children_cpu():
    """Processor time of all processes that were started from here and have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def children(pid):
    found = []
    for path in glob.glob("/proc/{}/task/*/children".format(pid)):
        try:
            with open(path) as stream:
                found += [int(word) for word in stream.read().split()]
        except OSError:
            continue
    return found


if __name__ == "__main__":
    main()
