"""The commands of profiles/htcondor on a real HTCondor of this machine.

Skipped where it is not installed; Debian 13 has it: apt-get install condor.
"""

import sys

import profile_jobs
import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tests"))
import htcondor_cluster

lack = htcondor_cluster.missing()
pytestmark = pytest.mark.skipif(bool(lack), reason="no HTCondor here: " + lack)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with htcondor_cluster.Cluster(tmp_path_factory.mktemp("c")) as cluster:
        yield cluster


def test_jobs_end_are_removed_meet_their_limit_and_outlive_the_controller(cluster, tmp_path):
    jobs = profile_jobs.Jobs("htcondor", tmp_path, cluster.environ, cluster.user)
    profile_jobs.assert_ends_are_told_and_states_saved(jobs)
    # The last line of two counts.
    limited = jobs.submit("limited", profile_jobs.SAVES, "--extra=-append allowed_job_duration=2")
    assert jobs.ended(limited) == "failed" and jobs.state("limited") == "saved\n"
    profile_jobs.assert_a_job_outlives(jobs, cluster.restart_controller)
