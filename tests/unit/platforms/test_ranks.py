"""Which rank a process is."""

import pytest
from densedepth.errors import PipelineError
from densedepth.platforms import ranks


@pytest.mark.parametrize(
    "nodelist, expected",
    [
        ("gpu5", ["gpu5"]),
        ("n[01-03,7],gpu5", ["n01", "n02", "n03", "n7", "gpu5"]),
        ("a,b-1,c[9-10]", ["a", "b-1", "c9", "c10"]),
        ("n[01-03,07]", ["n01", "n02", "n03", "n07"]),
        ("r[1-2]n[1-2]x", ["r1n1x", "r1n2x", "r2n1x", "r2n2x"]),
    ],
)
def test_node_lists_are_expanded_in_order(nodelist, expected):
    assert ranks.hosts(nodelist) == expected


@pytest.mark.parametrize("nodelist", ["n[1", "n[a-b]", "n]1["])
def test_other_forms_of_a_node_list_are_refused(nodelist):
    with pytest.raises(PipelineError, match="not in Slurm's form"):
        ranks.hosts(nodelist)


SLURM = {
    "SLURM_PROCID": "5",
    "SLURM_NTASKS": "8",
    "SLURM_JOB_NODELIST": "node[3-4]",
    "SLURM_JOB_ID": "123",
    "SLURM_STEP_ID": "2",
    "SLURM_CPUS_PER_TASK": "1",
}


def test_ranks_of_an_srun_step():
    found = ranks.find(SLURM, 60)
    assert (found.rank, found.size, found.threads, found.launched) == (5, 8, 1, False)
    assert found.master == ("node3", 20000 + 123 * 8 + 2)


def test_ascend_ranks_of_slurm_watch_each_other_those_of_a_table_alone_cannot():
    table = {"RANK_TABLE_FILE": "table.json"}
    assert ranks.find(dict(SLURM, **table), 60).master == ("node3", 20000 + 123 * 8 + 2)
    assert ranks.find(dict(table, RANK_ID="0", RANK_SIZE="8"), 60).master is None


def test_own_variables_come_before_those_of_slurm():
    found = ranks.find(dict(SLURM, RANK_ID="1", RANK_SIZE="2", DENSEDEPTH_MASTER="10.0.0.1:4000"), 60)
    assert (found.rank, found.size, found.master) == (1, 2, ("10.0.0.1", 4000))


def test_without_variables_there_is_no_group():
    assert ranks.find({"SLURM_JOB_ID": "1"}, 60) is None


def test_one_rank_needs_no_address():
    assert ranks.find({"RANK_ID": "0", "RANK_SIZE": "1"}, 60).size == 1


@pytest.mark.parametrize(
    "environ, message",
    [
        ({"RANK_ID": "2", "RANK_SIZE": "2"}, "rank 2 of 2: ranks count from 0"),
        ({"RANK_ID": "x", "RANK_SIZE": "2"}, "RANK_ID = 'x' in the environment: must be a whole number"),
        ({"RANK_ID": "0"}, "RANK_SIZE = '' in the environment"),
        ({"RANK_ID": "0", "RANK_SIZE": "2"}, "set DENSEDEPTH_MASTER to host:port"),
        ({"RANK_ID": "0", "RANK_SIZE": "2", "DENSEDEPTH_MASTER": "here"}, "must be host:port"),
    ],
)
def test_what_cannot_be_used_is_refused(environ, message):
    with pytest.raises(PipelineError, match=message):
        ranks.find(environ, 60)
