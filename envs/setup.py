"""Create the environments under .venv that are missing or out of date; say in one line what was done or what is wrong.

    python3 envs/setup.py workflow runtime          what `make all` needs
    python3 envs/setup.py --runtime tf2 runtime     the current TensorFlow, whatever Python 3.7 is there
    python3 envs/setup.py workflow dev tf1? tf2     what `make test` needs; tf1? means: only where a Python 3.7 is found
    python3 envs/setup.py onnx                      what the ONNX stages need, added to tf2
    python3 envs/setup.py onnx exports              what other exports need besides, added to tf2
    python3 envs/setup.py formats                   what reads parquet and OpenEXR, added to tf2
    python3 envs/setup.py mlflow                    what writes runs into a store of MLflow
    python3 envs/setup.py corruptions               what makes the common corruptions of ImageNet-C
    python3 envs/setup.py bench                     PyTorch and OpenVINO, which the benchmarks compare with
    python3 envs/setup.py agree                     programs that measure depth, which the metrics are compared with

Only the standard library is used, and any Python from 3.6 on runs this file.
"""

import argparse
import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)
VENVS = os.path.join(ROOT, ".venv")

# Versions of Python that the pinned packages are published for, best first.
NEWER = ((3, 11), (3, 12), (3, 13))
NAMES = ("workflow", "tf2", "bench", "agree", "mlflow", "corruptions")
PYTHONS = {"tf1": ((3, 7),), **dict.fromkeys(NAMES, NEWER)}
# Megabytes to download where pip holds nothing, and on the disk: measured on Linux on x86-64, but those of bench and
# what agree downloads, which are estimated; agree holds PyTorch as its index has it, with NVIDIA's libraries.
SIZES = {
    "workflow": (81, 400),
    "dev": (112, 345),
    "tf1": (516, 1774),
    "tf2": (420, 2025),
    "onnx": (36, 150),
    "exports": (140, 500),
    "formats": (57, 176),
    "bench": (300, 1500),
    "agree": (3000, 6600),
    "mlflow": (25, 95),
    "corruptions": (200, 690),
}
# Room wanted for each of these megabytes: pip holds what it unpacks twice for a while.
SPARE = 1.4
INSTALL = ["install", "--disable-pip-version-check", "--retries", "2", "--progress-bar", "off"]
# The environment that a requirement file goes into, where it is not one of the same name.
LAYERS = {"dev": "workflow", "onnx": "tf2", "exports": "tf2", "formats": "tf2"}


class SetupError(Exception):
    """A problem told to the user in one line."""


def say(message):
    print("setup: {}".format(message), flush=True)


def probe(command):
    """(major, minor) of the Python that `command` really starts, or None."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [command, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, timeout=60
        )
        major, minor = answer.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return int(major), int(minor)


def candidates(versions):
    """Commands that may be a Python of one of `versions`, likeliest first."""
    names = ["{}.{}".format(*version) for version in versions]
    yield "python3"
    for name in names:
        yield "python" + name
    roots = [os.environ.get("PYENV_ROOT"), "~/.pyenv", os.environ.get("CONDA_ROOT"), "~/miniconda3", "~/miniforge3"]
    roots += ["~/mambaforge", "~/anaconda3", "/opt/conda", os.environ.get("CONDA_PREFIX")]
    roots = [os.path.expanduser(root) for root in roots if root]
    for name in names:
        for root in roots:
            for pattern in ("versions/{}.*/bin/python", "envs/*/bin/python{}", "bin/python{}"):
                yield from sorted(glob.glob(os.path.join(root, pattern.format(name))), reverse=True)
    for name in names:
        yield uv_python(name)


def uv_python(name):
    """The interpreter that uv knows for this version, without downloading one."""
    command = ["uv", "python", "find", "--no-python-downloads", "--no-project", name]
    try:
        answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode().strip() if answer.returncode == 0 else None


def find_python(name):
    """A command that runs a Python fit for environment `name`, or None."""
    for command in candidates(PYTHONS[name]):
        if command and probe(command) in PYTHONS[name]:
            return command
    return None


def choose_runtime(wanted):
    """`tf1` or `tf2` for `wanted` (tf1, tf2 or auto); says so where auto has to take tf2."""
    if wanted != "auto":
        return wanted
    if usable("tf1"):
        return "tf1"
    say("tf2 is the runtime: {}".format(why_no_tf1()))
    return "tf2"


def usable(name):
    if name == "tf1" and platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    return sound(name) or find_python(name) is not None


def why_no_tf1():
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return "TensorFlow 1.15.0 is published for x86-64 only and this machine is {}".format(platform.machine())
    return "no Python 3.7 found (python3.7 on PATH, pyenv, conda, uv), which TensorFlow 1.15.0 needs"


def requirements(layer):
    return os.path.join(FOLDER, layer + ".txt")


def stamp(layer):
    """The file that says that `layer` is installed completely: it holds the sum of the requirements."""
    return os.path.join(VENVS, LAYERS.get(layer, layer), ".installed-" + layer)


def fingerprint(layer):
    """What an installed layer was made from, and where: programs in an environment hold its path."""
    digest = hashlib.sha256()
    for path in (requirements("pip"), requirements(layer)):
        with open(path, "rb") as stream:
            digest.update(stream.read())
    return "{} {}\n".format(digest.hexdigest(), os.path.realpath(VENVS))


def sound(layer):
    """Whether `layer` is installed as its requirement file says and its interpreter still starts."""
    name = LAYERS.get(layer, layer)
    try:
        with open(stamp(layer)) as stream:
            if stream.read() != fingerprint(layer):
                return False
    except OSError:
        return False
    return probe(interpreter(name)) in PYTHONS[name]


def interpreter(name):
    return os.path.join(VENVS, name, "bin", "python")


def ensure(layer):
    """Install `layer` unless it is there."""
    name = LAYERS.get(layer, layer)
    if sound(layer):
        say("{} is up to date".format(layer))
        return
    if layer == name:
        create(name)
    elif not sound(name):
        ensure(name)
    if layer != name:
        need_space(layer)
    install(layer, interpreter(name))
    with open(stamp(layer), "w") as stream:
        stream.write(fingerprint(layer))
    say("{} is ready: {}".format(layer, os.path.relpath(os.path.join(VENVS, name), ROOT)))


def create(name):
    """An empty environment `name`, in place of a broken or outdated one."""
    python = find_python(name)
    if python is None and name == "tf1":
        raise SetupError("tf1: " + why_no_tf1() + "; install one, or use RUNTIME=tf2")
    if python is None:
        found = probe("python3")
        raise SetupError(
            "{}: no Python {} found ({}); install one, or put it on PATH".format(
                name,
                ", ".join("{}.{}".format(*version) for version in PYTHONS[name]),
                "python3 is {}.{}".format(*found) if found else "there is no working python3",
            )
        )
    target = os.path.join(VENVS, name)
    shutil.rmtree(target, ignore_errors=True)
    need_space(name)
    log = log_file(name)
    with open(log, "w") as stream:
        say("{}: creating .venv/{} with {}".format(name, name, python))
        if call([python, "-m", "venv", target], stream) == 0:
            return
        # Some systems ship Python without the part of venv that brings pip; the system's pip can install one.
        shutil.rmtree(target, ignore_errors=True)
        steps = (
            [python, "-m", "venv", "--without-pip", target],
            [python, "-m", "pip", "--python", interpreter(name)] + INSTALL + ["--no-deps", "-r", requirements("pip")],
        )
        for step in steps:
            if call(step, stream) != 0:
                stream.flush()
                raise SetupError("{}: {}".format(name, diagnosis(log, "could not create the environment")))


def install(layer, python):
    """Install the pins of `layer`: each file has a known sum, and what is built is built by what pip.txt pins."""
    megabytes, _ = SIZES[layer]
    say(
        "{}: installing {}: {} packages, up to {} MB to download".format(
            layer, os.path.relpath(requirements(layer), ROOT), count(layer), megabytes
        )
    )
    log = log_file(layer)
    command = [python, "-m", "pip"] + INSTALL
    with open(log, "w") as stream:
        status = call(command + ["--no-deps", "-r", requirements("pip")], stream)
        if status == 0:
            progress = Progress(layer, count(layer))
            status = call(command + ["--no-build-isolation", "-r", requirements(layer)], stream, progress.line)
            progress.end()
    if status != 0:
        raise SetupError("{}: {}".format(layer, diagnosis(log, "pip failed")))


def count(layer):
    """The number of packages in a requirement file."""
    with open(requirements(layer)) as stream:
        return len(re.findall(r"(?m)^[A-Za-z0-9][A-Za-z0-9._-]*==", stream.read()))


class Progress:
    """What pip is at: on a terminal a line that is written over, elsewhere a line for each long step."""

    LONG = 20.0

    def __init__(self, layer, packages):
        self.layer, self.packages, self.seen = layer, packages, 0
        self.terminal = sys.stdout.isatty()

    def line(self, text):
        """Look at a line of pip's output."""
        text = text.strip()
        self.seen += text.startswith("Collecting ")
        size = re.search(r"^Downloading .*\(([0-9.]+) MB", text)
        if self.terminal and text.startswith(("Collecting ", "Downloading ", "Building wheel")):
            self.show("{} of {} packages: {}".format(min(self.seen, self.packages), self.packages, text))
        elif size and float(size.group(1)) >= self.LONG:
            say("{}: {}".format(self.layer, text))
        elif text.startswith("Installing collected packages"):
            self.show("unpacking {} packages, which takes a minute or two".format(self.packages))

    def show(self, text):
        if not self.terminal:
            say("{}: {}".format(self.layer, text))
            return
        width = shutil.get_terminal_size().columns - 1
        print("\r\033[K" + "setup: {}: {}".format(self.layer, text)[:width], end="", flush=True)

    def end(self):
        if self.terminal:
            print("\r\033[K", end="", flush=True)


def call(command, stream, look=None):
    """Run `command`, its output into the open file `stream`; `look` sees each line. Returns the exit status."""
    environment = dict(os.environ, PYTHONNOUSERSITE="1")
    environment.pop("PYTHONPATH", None)
    stream.flush()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=environment,
        universal_newlines=True,
        errors="replace",
    )
    with process:
        for line in process.stdout:
            stream.write(line)
            stream.flush()
            if look:
                look(line)
    return process.returncode


def need_space(name):
    os.makedirs(VENVS, exist_ok=True)
    free = shutil.disk_usage(VENVS).free // 1000000
    needed = SIZES[name][1]
    if free < needed * SPARE:
        raise SetupError(
            "{}: the disk of {} is full: {} MB free, {:.0f} MB needed".format(name, VENVS, free, needed * SPARE)
        )
    say("{}: takes about {} MB of {} MB free".format(name, needed, free))


def log_file(name):
    return os.path.join(VENVS, name + ".log")


def diagnosis(log, otherwise):
    """One line on why the command that wrote `log` failed."""
    with open(log, errors="replace") as stream:
        text = stream.read()
    where = "the whole story is in {}".format(os.path.relpath(log, ROOT))
    if re.search(r"No space left on device|Errno 28|Disk quota exceeded", text):
        return "the disk is full (.venv or the temporary folder); make room and start again; {}".format(where)
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in text:
        return "files of the package index do not match the known sums; look at which in {}".format(
            os.path.relpath(log, ROOT)
        )
    unreachable = (
        r"Connection ?Error|connection error|NewConnection|Max retries|Temporary failure|timed out|ProxyError|SSLError"
    )
    if re.search(unreachable, text, re.IGNORECASE):
        return "the package index cannot be reached; check the network and pip's settings; {}".format(where)
    errors = [line.strip() for line in text.splitlines() if re.match(r"\s*ERROR|.*Error:", line)]
    return "{}: {}; {}".format(otherwise, errors[-1] if errors else "no message", where)


@contextlib.contextmanager
def only_one():
    """Wait until no other set-up works in this folder."""
    os.makedirs(VENVS, exist_ok=True)
    with open(os.path.join(VENVS, ".lock"), "w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("waiting for another set-up in this folder")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def set_up(parts, runtime):
    for part in parts:
        if part == "runtime":
            ensure(choose_runtime(runtime))
        elif part.endswith("?") and not usable(part[:-1]):
            say("{} is left out: {}".format(part[:-1], why_no_tf1()))
        else:
            ensure(part.rstrip("?"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ", ".join([*sorted(SIZES), "tf1?"])
    parser.add_argument("parts", nargs="+", metavar="PART", help=names + " or runtime")
    parser.add_argument("--runtime", choices=("auto", "tf1", "tf2"), default="auto", help="what `runtime` stands for")
    args = parser.parse_args()
    unknown = sorted(set(args.parts) - {*SIZES, "tf1?", "runtime"})
    if unknown:
        parser.error("unknown part: {}".format(" ".join(unknown)))
    try:
        with only_one():
            set_up(args.parts, args.runtime)
    except SetupError as error:
        print("setup: error: {}".format(error), file=sys.stderr)
        return 1
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        print("setup: error: {}: {}".format(error.filename or VENVS, error.strerror), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; start it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
