"""What the benchmark programs are run and reported with: programs followed to their end, machine, figures."""

import contextlib
import glob
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import threading
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)
SCRIPTS = os.path.join(ROOT, "workflow", "scripts")


def python(environment):
    """The interpreter of an environment below .venv."""
    return os.path.join(ROOT, ".venv", environment, "bin", "python")


def runtimes():
    """The runtimes that are there, tf1 first."""
    return [name for name in ("tf1", "tf2") if os.path.exists(python(name))]


def benchmark(environment, program, *words, out):
    """Run a program of this folder to its end, its lines shown; returns what it writes with --json, a dict."""
    words = [str(word) for word in words] + ["--json", out]
    print("\n{} {} {}".format(environment, program, " ".join(words)), flush=True)
    subprocess.run([python(environment), os.path.join(FOLDER, program), *words], check=True, cwd=ROOT)
    with open(out) as stream:
        return json.load(stream)


def followed(command, cwd=ROOT):
    """Run a command to its end, silently; returns (seconds, largest resident size of one of its processes in MB)."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines, largest = [], 0
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    while process.poll() is None:
        largest = max([largest] + [peak(pid) for pid in family(process.pid)])
        time.sleep(0.02)
    seconds = time.perf_counter() - begin
    reader.join()
    if process.returncode:
        sys.exit("{} failed:\n{}".format(" ".join(command), "".join(lines[-20:])))
    return seconds, largest


def family(pid):
    """The process and all that it has started."""
    found = [pid]
    for path in glob.glob("/proc/{}/task/*/children".format(pid)):
        try:
            with open(path) as stream:
                for child in stream.read().split():
                    found += family(int(child))
        except OSError:
            continue
    return found


def peak(pid):
    """The largest resident size of a process so far, MB; 0 when it is gone."""
    try:
        with open("/proc/{}/status".format(pid)) as stream:
            return next((int(line.split()[1]) // 1024 for line in stream if line.startswith("VmHWM")), 0)
    except OSError:
        return 0


class Worker:
    """A side of a comparison in a process of its own, past its warm-up: it reads numbers, and replies by `answer`.

    facts: its first answer. quiet: without what it says on stderr.
    """

    def __init__(self, command, quiet=False):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        pipes["stderr"] = subprocess.DEVNULL if quiet else None
        self.process = subprocess.Popen(command, universal_newlines=True, bufsize=1, **pipes)
        self.facts = self._answer()

    def ask(self, number):
        """Its answer to the number."""
        # One that has ended is told of by its answer.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write("{}\n".format(number))
            self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        for line in self.process.stdout:
            if line.startswith(_ANSWER):
                return json.loads(line[len(_ANSWER) :])
        words = "{}: ended by itself with status {}{}; run the command to see why"
        status = self.process.wait()
        killed = ", killed: is there memory enough for all sides at once?" if status == -signal.SIGKILL else ""
        raise SystemExit(words.format(" ".join(self.process.args), status, killed))

    def end(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


# Libraries may print lines of their own.
_ANSWER = "answer "


def answer(value):
    """Reply to the `Worker` that started this process."""
    print(_ANSWER + json.dumps(value), flush=True)


def figure(what, runtime, values, target, unit="x", least=True):
    """A row of the table: the median of `values` with lowest and highest, and whether it reaches the target.

    `least`: the target is the least that is wanted, otherwise the most; None where there is none.
    """
    values = values if isinstance(values, list) else [values]
    median = statistics.median(values)
    row = {"what": what, "runtime": runtime, "unit": unit, "median": median, "low": min(values), "high": max(values)}
    reached = None if target is None else bool(median >= target if least else median <= target)
    return dict(row, rounds=len(values), target=target, least=least, reached=reached)


def curve(title, items, points):
    """A curve of cost: `items` names what is counted, `points` {line: [[count, seconds, MB], ...]}."""
    return {"title": title, "items": items, "points": points}


def scatter(title, x, y, points):
    """A picture of points: `x`, `y` name the axes (x is logarithmic), `points` {group: [[name, x, y], ...]}."""
    return {"kind": "scatter", "title": title, "x": x, "y": y, "points": points}


def table(head, rows):
    """A table of its own: texts."""
    return {"kind": "table", "head": list(head), "rows": [list(row) for row in rows]}


def machine():
    with open("/proc/cpuinfo") as stream:
        facts = stream.read()
    models = [line.split(":")[1].strip() for line in facts.splitlines() if line.startswith("model name")]
    vector = "AVX-512" if "avx512f" in facts else "without AVX-512"
    with open("/proc/meminfo") as stream:
        kilobytes = int(stream.readline().split()[1])
    return {
        "processor": "{}, {}".format(models[0] if models else platform.machine(), vector),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(kilobytes / 1e6),
    }


def versions():
    """{environment: {package: version}} of what is compared."""
    code = (
        "import importlib.metadata as m, json, sys\n"
        "names = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
        "print(json.dumps(names))"
    )
    older = "import json, pkg_resources as p\nprint(json.dumps({d.key: d.version for d in p.working_set}))"
    wanted = ("tensorflow", "tensorflow-cpu", "numpy", "onnxruntime", "openvino", "torch", "snakemake", "keras")
    found = {}
    for name in ("tf1", "tf2", "bench", "workflow"):
        if os.path.exists(python(name)):
            text = subprocess.check_output(
                [python(name), "-c", older if name == "tf1" else code], stderr=subprocess.DEVNULL
            )
            packages = json.loads(text.decode())
            found[name] = {key: packages[key] for key in wanted if key in packages}
    return found
