"""A program ends when the Snakemake that started it is killed."""

import os
import subprocess
import sys

PROGRAM = """
import signal, sys, time
from densedepth import orphans
signal.signal(signal.SIGTERM, lambda *_: (print("asked to end", flush=True), sys.exit(0)))
orphans._SECONDS = 0.05
orphans.end_with_snakemake()
print("started", flush=True)
signal.pause()
"""
# What stands for Snakemake: a process of that name that starts a job in a shell.
SNAKEMAKE = "import subprocess, sys; subprocess.call(['sh', '-c', {!r} + ' -c \"$0\"; true', sys.argv[1]])"


def start(folder, name, program):
    path = folder / name
    path.write_text(SNAKEMAKE.format(sys.executable))
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    return subprocess.Popen(
        [sys.executable, str(path), program], env=environment, stdout=subprocess.PIPE, universal_newlines=True
    )


def test_a_program_ends_after_its_snakemake(tmp_path):
    process = start(tmp_path, "snakemake", PROGRAM)
    assert process.stdout.readline() == "started\n"
    process.kill()
    assert process.stdout.read() == "asked to end\n"
    process.wait()


def test_a_program_that_something_else_started_watches_nothing(tmp_path):
    program = "from densedepth import orphans; print(orphans._snakemake())"
    assert start(tmp_path, "my_script", program).communicate()[0] == "None\n"
    assert start(tmp_path, "snakemake", program).communicate()[0] != "None\n"
