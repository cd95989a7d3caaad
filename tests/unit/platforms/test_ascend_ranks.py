"""Ranks of an Ascend job by CM_*, in place of a rank table."""

import types

import pytest
from densedepth.errors import PipelineError
from densedepth.platforms import ascend_ranks, ranks

CM = {
    "CM_CHIEF_IP": "10.0.0.1",
    "CM_CHIEF_PORT": "6000",
    "CM_CHIEF_DEVICE": "0",
    "CM_WORKER_SIZE": "16",
    "CM_WORKER_IP": "10.0.0.2",
}


def place(environ, rank=3, size=16):
    return ascend_ranks.place(environ, types.SimpleNamespace(rank=rank, size=size), None)


def test_the_engine_sees_one_way_only():
    environ = dict(CM, RANK_ID="3", RANK_SIZE="16", ASCEND_DEVICE_ID="3", JOB_ID="a")
    assert place(environ) == (3, 16)
    assert environ == dict(CM, ASCEND_DEVICE_ID="3", JOB_ID="a")


def test_one_device_trains_alone(capsys):
    environ = dict(CM, PATH="/bin")
    assert ascend_ranks.place(environ, None, None) == (0, 1)
    assert environ == {"PATH": "/bin"} and "CM_CHIEF_IP is ignored" in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"RANK_TABLE_FILE": "x.json"}, "CM_CHIEF_IP and RANK_TABLE_FILE are both set"),
        ({"CM_WORKER_IP": ""}, "CM_CHIEF_IP is set but not CM_WORKER_IP; the five CM_[*] go together"),
        ({"CM_CHIEF_IP": "master"}, "CM_CHIEF_IP = 'master': must be an IP address"),
        ({"CM_CHIEF_PORT": "65521"}, "CM_CHIEF_PORT = '65521': must be 0 to 65520"),
        ({"CM_CHIEF_DEVICE": "one"}, "CM_CHIEF_DEVICE = 'one'"),
        ({"CM_WORKER_SIZE": "0"}, "CM_WORKER_SIZE = 0"),
        ({"CM_WORKER_SIZE": "8"}, "CM_WORKER_SIZE = 8, the launcher says 16 ranks"),
    ],
)
def test_what_the_engine_would_trip_on(changes, message):
    with pytest.raises(PipelineError, match=message):
        place(dict(CM, **changes))


def test_devices_of_this_machine():
    assert ascend_ranks.local(5, 16, CM) == {"ASCEND_DEVICE_ID": "5", "DEVICE_ID": "5"}
    with pytest.raises(PipelineError, match="CM_WORKER_SIZE = 16 for 8 devices: for several machines"):
        ascend_ranks.local(5, 8, CM)


def test_ranks_of_several_servers():
    pod = dict(CM, CM_RANK="1", CM_LOCAL_WORKER="8", ASCEND_DEVICE_ID="2")
    found = ranks.find(pod, 60)
    assert (found.rank, found.size, found.master) == (10, 16, None)
    # RANK_ID, which a launcher of this project sets, goes first.
    assert ranks.find(dict(pod, RANK_ID="0", RANK_SIZE="16", DENSEDEPTH_MASTER="a:1"), 60).rank == 0
    for changes in ({"ASCEND_DEVICE_ID": "8"}, {"CM_RANK": "2"}):
        with pytest.raises(PipelineError, match=r"ASCEND_DEVICE_ID = 8: the server has 8|rank 18 of 16"):
            ranks.find(dict(pod, **changes), 60)
