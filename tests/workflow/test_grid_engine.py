"""The commands of profiles/cluster-generic on a real Grid Engine of this machine.

Skipped where its daemons are not installed; on Debian, as root: apt-get install gridengine-master gridengine-exec
gridengine-client.
"""

import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests"))
import grid_engine_cluster

lack = grid_engine_cluster.missing()
pytestmark = pytest.mark.skipif(bool(lack), reason="no Grid Engine here: " + lack)

JOBS = REPOSITORY / "profiles/cluster-generic/jobs.py"
# A command that saves its state on SIGTERM after the shell that has started it is gone, as a training does.
SAVES = """\
(trap 'sleep 1; echo saved >{0}.state; exit' TERM; touch {0}.begun; while :; do sleep 0.1; done) | (trap '' TERM; cat)
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with grid_engine_cluster.Cluster(tmp_path_factory.mktemp("ge")) as cluster:
        yield cluster


def test_jobs_end_are_deleted_and_outlive_the_controller(cluster, tmp_path):
    def jobs(*words):
        run = subprocess.run(
            [sys.executable, JOBS, "sge", *words],
            cwd=tmp_path,
            env=cluster.environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return run.stdout.strip()

    def submit(name, script):
        (tmp_path / (name + ".sh")).write_text(script)
        size = ("--name", name, "--threads", "2", "--mem_mb", "4000", "--runtime", "5")
        return jobs("submit", *size, str(tmp_path / (name + ".sh")))

    def ended(number):
        while jobs("status", number, "--seconds", "0.5") == "running":
            time.sleep(0.2)
        return jobs("status", number)

    deleted = submit("deleted", SAVES.format(tmp_path / "deleted"))
    while not (tmp_path / "deleted.begun").exists():
        time.sleep(0.1)
    jobs("cancel", deleted)
    good, bad = submit("good", "exit 0\n"), submit("bad", "exit 99\n")
    assert (ended(good), ended(bad), ended(deleted)) == ("success", "failed", "failed")
    assert (tmp_path / "deleted.state").read_text() == "saved\n"

    outlives = submit("outlives", "touch {0}.begun; sleep 3\n".format(tmp_path / "outlives"))
    while not (tmp_path / "outlives.begun").exists():
        time.sleep(0.1)
    cluster.stop_controller()
    cluster.start_controller()
    assert ended(outlives) == "success"
