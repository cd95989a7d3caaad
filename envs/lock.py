"""Write the SHA-256 sums of all published files of each pin into envs/*.txt, and the pins into envs/*.yaml.

    .venv/workflow/bin/python envs/lock.py            all of them
    .venv/workflow/bin/python envs/lock.py tf2        one of them, and the .yaml files

Change, add or take out a line NAME==VERSION first; its sums may stay, they are written anew. Nothing is resolved: a
file holds all that an environment needs, and `pip check` tells what is missing. The package index is uv's own default
or the one in UV_DEFAULT_INDEX; no address gets into a file.
"""

import os
import re
import subprocess
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
# The oldest Python that a file is for. bench.txt and agree.txt have no sums: see there.
PYTHONS = {
    "pip": "3.7.1",
    "workflow": "3.11",
    "dev": "3.11",
    "tf1": "3.7.1",
    "tf2": "3.11",
    "onnx": "3.11",
    "exports": "3.11",
    "formats": "3.11",
    "mlflow": "3.11",
    "corruptions": "3.11",
}
CONDA = {
    "tf1": ["tf1"],
    "tf2": ["tf2"],
    "onnx": ["tf2", "onnx"],
    "exports": ["tf2", "onnx", "exports"],
    "mlflow": ["mlflow"],
}
OPTIONS = ["--no-deps", "--universal", "--generate-hashes", "--no-header", "--no-annotate", "--no-config", "--quiet"]


def path(name):
    return os.path.join(FOLDER, name)


def read(name):
    """(comment lines of the head, pins without sums) of a requirement file."""
    with open(path(name + ".txt")) as stream:
        lines = stream.read().splitlines()
    pins = [re.sub(r"\s*\\$", "", line) for line in lines if re.match(r"[A-Za-z0-9]", line)]
    return [line for line in lines if line.startswith("#")], pins


def lock(name):
    comments, pins = read(name)
    uv = os.path.join(os.path.dirname(sys.executable), "uv")
    command = [uv, "pip", "compile", "-", "--python-version", PYTHONS[name]] + OPTIONS
    run = subprocess.run(command, input="\n".join(pins), stdout=subprocess.PIPE, text=True, check=True)
    with open(path(name + ".txt"), "w") as stream:
        stream.write("\n".join(comments) + "\n" + run.stdout)
    print("lock: {}.txt: {} pins, {} sums".format(name, len(pins), run.stdout.count("--hash=")))


def write_conda(name):
    """The pins of its requirement files into a conda file; what stands before them stays."""
    with open(path(name + ".yaml")) as stream:
        head = stream.read().partition("  - pip:\n")[0]
    pins = [pin for part in CONDA[name] for pin in read(part)[1]]
    with open(path(name + ".yaml"), "w") as stream:
        stream.write(head + "  - pip:\n")
        stream.writelines("      - {}\n".format('"{}"'.format(pin) if " " in pin else pin) for pin in pins)


def main():
    for name in sys.argv[1:] or PYTHONS:
        lock(name)
    for name in CONDA:
        write_conda(name)


if __name__ == "__main__":
    main()
