"""The commands of profiles/sge on a real Grid Engine of this machine.

Skipped where its daemons are not installed; on Debian, as root: apt-get install gridengine-master gridengine-exec
gridengine-client.
"""

import sys

import profile_jobs
import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests"))
import grid_engine_cluster

lack = grid_engine_cluster.missing()
pytestmark = pytest.mark.skipif(bool(lack), reason="no Grid Engine here: " + lack)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with grid_engine_cluster.Cluster(tmp_path_factory.mktemp("ge")) as cluster:
        yield cluster


def test_jobs_end_are_deleted_and_outlive_the_controller(cluster, tmp_path):
    def restart():
        cluster.stop_controller()
        cluster.start_controller()

    jobs = profile_jobs.Jobs("sge", tmp_path, cluster.environ)
    profile_jobs.assert_ends_are_told_and_states_saved(jobs)
    profile_jobs.assert_a_job_outlives(jobs, restart)
