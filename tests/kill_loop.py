"""Kill the pipeline at random moments, in every stage, and see that it ends with the results of an undisturbed run.

    .venv/workflow/bin/python tests/kill_loop.py /tmp/kills --python .venv/tf1/bin/python --kills 3

Runs the pipeline on a tiny sample twice in copies of the workflow. The first run is left alone. The second is killed
with SIGKILL `--kills` times in each stage, in turn: the program alone, Snakemake alone, everything at once as a power
cut does. After each kill come the two commands that the docs name: `snakemake --unlock` and the command again.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "workflow"))
import conftest

# Program of a stage -> a target that it makes last, in the order of the pipeline.
STAGES = {
    "make_sample.py": "results/sample/nyu_data.zip",
    "dataset_tool_tf.py": "results/data/nyu_train.json",
    "evaluate_baseline.py": "results/baseline.json",
    "train.py": "results/1p/checkpoints/epoch1/model.json",
    "evaluate.py": "results/1p/evaluation/epoch1.json",
    "ckpt2pb.py": "results/1p/export/model.pb",
    "infer_from_pb.py": "results/1p/inference/frozen.json",
    "test.py": "results/1p/inference/examples.png",
    "draw_gallery.py": "results/1p/gallery/gallery.json",
    "report.py": "results/report.md",
}
KINDS = ("program", "snakemake", "power")
# What differs between two runs that were left alone: times, paths of settings, where the state of a training was last
# saved, and the order of the maps in a SavedModel.
_TIMED = (
    "logs",
    "benchmarks",
    "tensorboard",
    "state",
    "report",
    "report.md",
    "report.html",
    "evaluate.log",
    "sources.json",
)
_TIMED += ("history.jsonl", "saved_model")
_MEASURED = ("speed", "performance", "files", "sha256", "runtime", "checkpoint_sha256")


def made(folder, python):
    """A copy of the workflow in `folder` with the settings of the tests, ready to run."""
    shutil.rmtree(folder, ignore_errors=True)
    project = conftest.copy(conftest.REPOSITORY, Path(folder).resolve())
    project.simplify()
    project.configure(dict(conftest.TINY, python=str(Path(python).absolute())))
    return Run(project)


class Run:
    """A project, and the processes in it. quick: an interpreter for where nothing is killed, None: that of all."""

    def __init__(self, project, quick=None):
        self.project = project
        self.folder = project.folder.resolve()
        self._after = ["--configfile", "mine.yaml"]
        if quick:
            self._after += project.configure({"python": quick}, "quick.yaml")[1:]

    def start(self, *arguments):
        """Snakemake, as the leader of a session of its own."""
        log = self.folder / "snakemake.log"
        log.touch()
        return self.project.start("--configfile", "mine.yaml", "--cores", "2", *arguments, log=log)

    def programs(self, name=None):
        """{process: the program it runs} of the jobs of this copy, without their helpers and ranks."""
        found, parents = {}, {}
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = entry.joinpath("cmdline").read_text().split("\0")
                program = os.path.basename(words[1]) if words[1:2] and words[1].startswith("workflow/") else ""
                if program in STAGES and entry.joinpath("cwd").resolve() == self.folder:
                    found[int(entry.name)] = program
                    parents[int(entry.name)] = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
        # A process that has just forked is there twice for a moment.
        return {pid: found[pid] for pid in parents if parents[pid] not in found and name in (None, found[pid])}

    def unlock(self):
        self.project.snakemake("--unlock", "--configfile", "mine.yaml")

    def recover(self, target):
        """The two commands of the docs."""
        self.unlock()
        # Nothing is killed here, so that it may be one that is loaded already.
        self.project.snakemake(*self._after, "--cores", "2", target)

    def tail(self):
        return (self.folder / "snakemake.log").read_text()[-3000:]


def lifetimes(run):
    """Make everything undisturbed; returns {program: seconds that a job of it took}."""
    process, begun, took = run.start("all"), {}, {}
    while process.poll() is None:
        alive = run.programs()
        for pid, name in alive.items():
            begun.setdefault(pid, (name, time.monotonic()))
        for pid in [pid for pid in begun if pid not in alive]:
            name, start = begun.pop(pid)
            took[name] = time.monotonic() - start
        time.sleep(0.05)
    if process.returncode != 0:
        raise SystemExit("the undisturbed run failed:\n" + run.tail())
    return took


def strike(run, name, target, kind, delay):
    """Start the target, wait for the program, wait `delay` seconds, kill; returns whether it was still there."""
    run.unlock()
    forced = ["--forcerun", target] if run.project.path(target).exists() else []
    process = run.start(target, *forced)
    while process.poll() is None and not run.programs(name):
        time.sleep(0.02)
    time.sleep(delay)
    victims = run.programs(name)
    hit = bool(victims) and process.poll() is None
    if hit and kind == "program":
        for pid in victims:
            _kill(pid)
        process.wait()
    elif hit and kind == "snakemake":
        process.kill()
        process.wait()
    elif hit:
        for pid in _session(process.pid):
            _kill(pid)
        process.wait()
    else:
        process.wait()
    return hit


def _kill(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _session(leader):
    """Everything that `leader` has started, itself first."""
    found = [leader]
    for pid in found:
        with contextlib.suppress(OSError):
            children = Path("/proc/{0}/task/{0}/children".format(pid))
            if children.exists():
                found += [int(child) for child in children.read_text().split()]
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            if int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(entry.name))
    return dict.fromkeys(found)


def differences(left, right):
    """Names of results that are not the same in both folders."""
    names = {path.relative_to(folder) for folder in (left, right) for path in folder.rglob("*") if path.is_file()}
    found = []
    for name in sorted(names):
        if set(name.parts) & set(_TIMED) or name.name.startswith("."):
            continue
        a, b = left / name, right / name
        if not (a.exists() and b.exists()) or not _equal(a, b):
            found.append(str(name))
    return found


def _equal(a, b):
    if a.suffix == ".json":
        return _facts(json.loads(a.read_text())) == _facts(json.loads(b.read_text()))
    return a.read_bytes() == b.read_bytes()


def _facts(value):
    """`value` without what is measured, numbers to six digits."""
    if isinstance(value, dict):
        return {key: _facts(below) for key, below in value.items() if key not in _MEASURED}
    if isinstance(value, list):
        return [_facts(below) for below in value]
    return float("{:.6g}".format(value)) if isinstance(value, float) else value


def left_over(results):
    """Temporary files that nobody will ever remove."""
    return sorted(str(path.relative_to(results)) for path in results.rglob("*.tmp-*"))


def torture(run, took, kills, stages=tuple(STAGES), seed=0, say=print):
    """Kill `kills` jobs of each of `stages`, which live `took` seconds; returns how many. `all` is to be made then."""
    chance = random.Random(seed)
    count = 0
    for name in stages:
        done = tries = 0
        while done < kills and tries < 10 * kills:
            kind, tries = KINDS[count % len(KINDS)], tries + 1
            delay = chance.uniform(0, took[name])
            hit = strike(run, name, STAGES[name], kind, delay)
            done, count = done + hit, count + hit
            end = "killed" if hit else "too late"
            say("{}: {} after {:.2f} s of {:.2f}: {}".format(name, kind, delay, took[name], end))
            if not hit:
                # The machine is quicker now than it was in the undisturbed run.
                took[name] *= 0.7
        run.recover(STAGES[name])
    return count


def problems(undisturbed, run):
    """What is not as in the undisturbed run, a line each."""
    folders = [each.folder / "results" for each in (undisturbed, run)]
    found = ["{}: differs".format(name) for name in differences(*folders)]
    return found + ["{}: left over".format(name) for name in left_over(folders[1])]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", help="for the two copies of the workflow; what is there is removed")
    arguments.add_argument("--python", required=True, help="interpreter with TensorFlow")
    arguments.add_argument("--kills", type=int, default=3, help="in each stage")
    arguments.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES, help="where to kill")
    arguments.add_argument("--seed", type=int, default=0, help="of the moments")
    args = arguments.parse_args()
    undisturbed, run = (made(Path(args.folder) / name, args.python) for name in ("undisturbed", "killed"))
    count = torture(run, lifetimes(undisturbed), args.kills, args.stages, args.seed)
    run.recover("all")
    found = problems(undisturbed, run)
    print("{} kills, {} problems".format(count, len(found)))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
