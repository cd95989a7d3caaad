"""The launcher and the ranks' watch over each other, with real processes that only wait."""

import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "..", "..", "workflow", "scripts")

# A rank says its process id, then works until the file `end` is there.
RANK = """
import os, sys, time
sys.path.insert(0, {scripts!r})
from densedepth.platforms import launcher, heartbeat, ranks
from densedepth.errors import PipelineError
launcher.end_with_launcher()
here = ranks.find(os.environ, float(os.environ.get("TIMEOUT", "60")))
open("log{{}}".format(here.rank), "w").write(str(os.getpid()))
if here.memory is not None:
    os.pwrite(here.memory, b"x", here.rank)
try:
    group = heartbeat.Peers(here, 1000 + here.rank, os.environ.get("KIND{{}}".format(here.rank), "alike"))
except PipelineError as error:
    sys.exit(str(error))
written = os.pread(here.memory, 3, 0).decode() if here.memory is not None else ""
open("ready{{}}".format(here.rank), "w").write(" ".join([*group.addresses, written]))
while not os.path.exists("end"):
    if os.path.exists("raise{{}}".format(here.rank)):
        sys.exit("out of luck")
    time.sleep(0.05)
group.finish()
"""

LAUNCH = """
import os, sys
sys.path.insert(0, {scripts!r})
from densedepth.platforms import launcher
from densedepth.errors import PipelineError
try:
    sys.exit(launcher.run([sys.executable, "rank.py"], [{{}}] * 3, float(os.environ.get("TIMEOUT", "60")), "ranks"))
except PipelineError as error:
    sys.exit("error: {{}}".format(error))
"""

TWO = """
import sys
sys.path.insert(0, {!r})
from densedepth.platforms import launcher
launcher.run({!r}, [{{}}] * 2, {!r}, {!r})
"""


@pytest.fixture
def start(tmp_path):
    """A function that starts the launcher with three ranks and returns it with their process ids."""
    (tmp_path / "rank.py").write_text(RANK.format(scripts=SCRIPTS))
    (tmp_path / "launch.py").write_text(LAUNCH.format(scripts=SCRIPTS))
    started = []

    def begin(timeout="60"):
        environ = dict(os.environ, TIMEOUT=timeout)
        process = subprocess.Popen(
            [sys.executable, "launch.py"], cwd=str(tmp_path), env=environ, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        wait(lambda: all((tmp_path / "ready{}".format(rank)).exists() for rank in range(3)), process)
        return process, [int((tmp_path / "log{}".format(rank)).read_text()) for rank in range(3)]

    yield begin
    for process in started:
        process.kill()
        process.wait()


def wait(condition, process=None):
    while not condition():
        assert process is None or process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def gone(pid):
    """Whether the process has ended, its parent having noticed or not."""
    try:
        with open("/proc/{}/stat".format(pid)) as stream:
            return stream.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_ranks_find_each_other_share_memory_and_end_together(start, tmp_path):
    process, _ = start()
    found = [(tmp_path / "ready{}".format(rank)).read_text() for rank in range(3)]
    assert found == ["127.0.0.1:1000 127.0.0.1:1001 127.0.0.1:1002 xxx"] * 3
    (tmp_path / "end").touch()
    assert process.wait() == 0


@pytest.mark.parametrize("rank", [0, 2])
def test_a_killed_rank_ends_all(start, rank):
    process, pids = start()
    os.kill(pids[rank], signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors == "error: rank {} was ended by SIGKILL; all ranks have ended. Repeat the command to resume\n".format(
        rank
    )
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_stopped_rank_ends_all(start, rank):
    process, pids = start(timeout="2")
    os.kill(pids[rank], signal.SIGSTOP)
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.startswith("error: rank {} sent no heartbeat for 2 s; all ranks have ended.".format(rank))
    assert all(gone(pid) for pid in pids)


def test_a_failing_rank_speaks_with_its_number(start, tmp_path):
    process, pids = start()
    (tmp_path / "raise1").touch()
    _, errors = process.communicate()
    assert process.returncode == 1
    assert errors.splitlines()[0] == "[1] out of luck"
    assert errors.splitlines()[1].startswith("error: rank 1 ended with status 1, see its message above")
    assert all(gone(pid) for pid in pids)


def test_ranks_end_with_a_killed_launcher(start):
    process, pids = start()
    process.kill()
    process.wait()
    wait(lambda: all(gone(pid) for pid in pids))


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_ranks_that_compute_otherwise_are_refused(tmp_path):
    (tmp_path / "rank.py").write_text(RANK.format(scripts=SCRIPTS))
    (tmp_path / "launch.py").write_text(LAUNCH.format(scripts=SCRIPTS))
    environ = dict(os.environ, KIND2="another")
    command = [sys.executable, "launch.py"]
    run = subprocess.run(command, cwd=str(tmp_path), env=environ, stderr=subprocess.PIPE, text=True)
    assert "rank 2 computes with another, rank 0 with alike; all must be alike" in run.stderr
    assert "all ranks have ended" in run.stderr


def alone(tmp_path, rank, port, timeout="1"):
    """A rank that nobody launches, run to its end; returns what it says."""
    (tmp_path / "rank.py").write_text(RANK.format(scripts=SCRIPTS))
    environ = dict(os.environ, RANK_ID=str(rank), RANK_SIZE="3", TIMEOUT=timeout)
    environ["DENSEDEPTH_MASTER"] = "127.0.0.1:{}".format(port)
    run = subprocess.run([sys.executable, "rank.py"], cwd=str(tmp_path), env=environ, stderr=subprocess.PIPE, text=True)
    assert run.returncode == 1
    return run.stderr


def test_a_peer_that_never_comes_is_named(tmp_path):
    assert alone(tmp_path, 0, free_port()) == "rank 1, 2 did not connect within 5 s\n"
    assert re.match(r"rank 0 at 127.0.0.1:\d+ did not answer within 5 s", alone(tmp_path, 2, free_port()))


def test_a_port_that_is_taken_is_named(tmp_path):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen(1)
        port = other.getsockname()[1]
        assert "port {} of this machine".format(port) in alone(tmp_path, 0, port)


def test_what_a_rank_prints_is_kept(tmp_path):
    rank = "import os, sys; print('of', os.environ['RANK_ID']); sys.exit(3 * (os.environ['RANK_ID'] == '1'))"
    command = TWO.format(SCRIPTS, [sys.executable, "-c", rank], 60, str(tmp_path))
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert done.stdout == "of 0\n"
    assert (tmp_path / "rank1" / "log").read_text() == "of 1\n"
    assert "rank 1 ended with status 3, see its message above" in done.stderr


def test_a_rank_that_is_stopped_after_the_others_have_ended_is_not_waited_for(tmp_path):
    rank = "import os, signal; os.environ['RANK_ID'] == '1' and os.kill(os.getpid(), signal.SIGSTOP)"
    command = TWO.format(SCRIPTS, [sys.executable, "-c", rank], 0.5, str(tmp_path))
    done = subprocess.run([sys.executable, "-c", command], stderr=subprocess.PIPE, text=True)
    assert "rank 1 sent no heartbeat for 0.5 s; all ranks have ended" in done.stderr
