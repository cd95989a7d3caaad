"""A program ends when the Snakemake that started it is killed."""

import fcntl
import os
import subprocess
import sys

import pytest
from densedepth import orphans
from densedepth.errors import PipelineError

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


def test_a_program_waits_for_the_one_that_still_writes_its_log(tmp_path):
    log = tmp_path / "log"
    program = "import sys, time; print('first', flush=True); sys.stdin.read(); print('last', flush=True)"
    with open(str(log), "a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        first = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=stream)
    with open(str(log), "a") as stream:
        second = subprocess.Popen(
            [sys.executable, "-c", "from densedepth import orphans; orphans._wait_for_predecessor(1); print('second')"],
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
            stdout=stream,
        )
    first.stdin.close()
    assert (first.wait(), second.wait()) == (0, 0)
    assert log.read_text().split() == ["first", "last", "second"]


def test_a_predecessor_that_stays_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(orphans, "_PATIENCE", 0)
    with open(str(tmp_path / "log"), "a") as first, open(str(tmp_path / "log"), "a") as second:
        orphans._wait_for_predecessor(first.fileno())
        with pytest.raises(PipelineError, match="another process still writes this log"):
            orphans._wait_for_predecessor(second.fileno())
