"""Rank tables and the environment of a rank."""

import copy
import json

import make_rank_table
import pytest
from densedepth import files
from densedepth.errors import PipelineError
from densedepth.platforms import ascend_chips, ascend_rank_table


def addresses(devices):
    return {device: "192.168.{}.101".format(100 + device) for device in devices}


@pytest.fixture
def table():
    return ascend_rank_table.build("10.0.0.1", addresses(range(4)))


@pytest.mark.parametrize("devices", [[0], [5], [0, 1], [6, 7], [2, 0], [0, 1, 2, 3], [4, 5, 6, 7], list(range(8))])
def test_legal_sets_of_devices(devices):
    ranks = ascend_rank_table.check(ascend_rank_table.build("10.0.0.1", addresses(devices)), "t")
    assert [r.rank for r in ranks] == list(range(len(devices)))
    assert [r.device for r in ranks] == sorted(devices)
    assert [r.address for r in ranks] == [addresses(devices)[device] for device in sorted(devices)]


@pytest.mark.parametrize("devices", [[0, 4], [3, 4], [0, 1, 4, 5], [1, 2, 3, 4]])
def test_two_and_four_lie_in_one_ring(devices):
    with pytest.raises(PipelineError, match=r"lie in both rings; . devices must be among 0 1 2 3 or among 4 5 6 7"):
        ascend_rank_table.build("10.0.0.1", addresses(devices))


@pytest.mark.parametrize("devices", [[0, 1, 2], range(5), range(7)])
def test_other_numbers_of_devices_are_refused(devices):
    with pytest.raises(PipelineError, match="1, 2, 4 or 8 are legal"):
        ascend_rank_table.build("10.0.0.1", addresses(devices))


def first(table):
    return table["server_list"][0]["device"][0]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda t: t.update(status="initializing"), "status is 'initializing'"),
        (lambda t: t.update(version="2.0"), "expected version 1.0 or 1.2, got '2.0'"),
        (lambda t: t.pop("server_count"), "the table has no server_count"),
        (lambda t: t.update(server_count=1), "server_count of the table is 1; all values are strings, write '1'"),
        (lambda t: t.update(server_count="2"), "server_count is 2 but server_list has 1"),
        (lambda t: t.update(server_list=[]), "no list server_list"),
        (lambda t: t.update(group_list=[]), "of the older kind"),
        (lambda t: t["server_list"][0].update(server_id="x" * 65), "has 65 characters"),
        (lambda t: t["server_list"][0].update(device=[]), "server 0|no list device"),
        (lambda t: first(t).update(device_ip="192.168.1"), "device_ip of device entry 0 of 10.0.0.1 is '192.168.1'"),
        (lambda t: first(t).update(device_ip="192.168.101.101"), "device_ip 192.168.101.101 occurs twice"),
        (lambda t: first(t).update(rank_id=0), "rank_id of device entry 0 of 10.0.0.1 is 0; all values are strings"),
        (lambda t: first(t).update(rank_id="one"), "'one', not a whole number"),
        (lambda t: first(t).update(rank_id="5"), "rank_id are 5 1 2 3; they must count from 0"),
        (lambda t: first(t).update(device_id="1"), "device_id of server 10.0.0.1 are 1 1 2 3"),
        (lambda t: t["server_list"][0]["device"][3].update(device_id="16"), "0 to 15"),
    ],
)
def test_faults_are_named(table, change, message):
    change(table)
    with pytest.raises(PipelineError, match="^given.json: .*({})".format(message)):
        ascend_rank_table.check(table, "given.json")


def test_a_server_of_a3_has_sixteen_devices_and_no_rings(tmp_path, capsys):
    for devices in ([0, 4], [3, 4, 5], range(16)):
        built = ascend_rank_table.build("10.0.0.1", addresses(devices), ascend_chips.A3)
        assert len(ascend_rank_table.check(dict(built, version="1.2"), "t")) == len(devices)
    with pytest.raises(PipelineError, match="1, 2, 4 or 8 are legal"):
        ascend_rank_table.build("10.0.0.1", addresses([0, 1, 2]), ascend_chips.A1)
    words = ["--count", "16", "--chip", "A3", "--server_id", "a", "--out", str(tmp_path / "16p.json"), "--addresses"]
    assert make_rank_table.main(words + [addresses([n])[n] for n in range(16)]) == 0
    assert "rank 15: device 15 of a" in capsys.readouterr().out


def test_servers_follow_each_other(table):
    second = copy.deepcopy(table["server_list"][0])
    second["server_id"] = "10.0.0.2"
    for place, device in enumerate(second["device"]):
        device.update(rank_id=str(4 + place), device_ip="192.168.200.{}".format(place + 1))
    table["server_list"].append(second)
    table["server_count"] = "2"
    ranks = ascend_rank_table.check(table, "t")
    assert [(r.rank, r.server, r.device) for r in ranks][3:5] == [(3, "10.0.0.1", 3), (4, "10.0.0.2", 0)]
    second["server_id"] = "10.0.0.1"
    with pytest.raises(PipelineError, match=r"server_id 10.0.0.1 occurs twice"):
        ascend_rank_table.check(table, "t")


def test_the_ports_one_device_table_is_refused_for_its_comma(tmp_path):
    path = tmp_path / "1p.json"
    path.write_text('{"status": "completed", "version": "1.0", }')
    with pytest.raises(PipelineError, match=r"1p.json: not a JSON file"):
        ascend_rank_table.load(str(path))


HCCN = "address_0=192.168.100.101\nnetmask_0=255.255.255.0\n address_1 = 192.168.101.101\nnetdetect_0=192.168.100.1\n"


def test_hccn_conf(tmp_path):
    path = tmp_path / "hccn.conf"
    path.write_text(HCCN)
    assert ascend_rank_table.read_hccn(str(path)) == {0: "192.168.100.101", 1: "192.168.101.101"}
    path.write_text("netmask_0=255.255.255.0\n")
    with pytest.raises(PipelineError, match="no line address_N=IP"):
        ascend_rank_table.read_hccn(str(path))
    with pytest.raises(PipelineError, match=r"nowhere: No such file.*mount it from the host"):
        ascend_rank_table.read_hccn("nowhere")


def test_the_program_writes_a_table(tmp_path, capsys):
    conf, out = tmp_path / "hccn.conf", tmp_path / "2p.json"
    conf.write_text(HCCN)
    words = ["--count", "2", "--hccn", str(conf), "--server_id", "10.0.0.1", "--out", str(out)]
    assert make_rank_table.main(words) == 0
    assert json.loads(out.read_text()) == {
        "status": "completed",
        "version": "1.0",
        "server_count": "1",
        "server_list": [
            {
                "server_id": "10.0.0.1",
                "device": [
                    {"device_id": "0", "device_ip": "192.168.100.101", "rank_id": "0"},
                    {"device_id": "1", "device_ip": "192.168.101.101", "rank_id": "1"},
                ],
            }
        ],
    }
    assert make_rank_table.main(["--check", str(out)]) == 0
    assert "rank 1: device 1 of 10.0.0.1, 192.168.101.101" in capsys.readouterr().out


def test_the_program_takes_addresses(tmp_path):
    out = tmp_path / "2p.json"
    words = ["--devices", "5", "4", "--addresses", "10.1.1.5", "10.1.1.4", "--server_id", "a", "--out", str(out)]
    assert make_rank_table.main(words) == 0
    assert [(r.device, r.address) for r in ascend_rank_table.load(str(out))] == [(4, "10.1.1.4"), (5, "10.1.1.5")]


@pytest.mark.parametrize(
    "words, message",
    [
        (["--count", "4"], "no address_2; it has devices [0, 1]"),
        (["--devices", "0", "0"], "a device is named twice"),
        (["--devices", "0", "--addresses", "1.1.1.1", "1.1.1.2"], "2 for 1 devices"),
        (["--devices", "0", "1", "--addresses", "1.1.1.1", "1.1.1"], "'1.1.1', not an IP address"),
    ],
)
def test_the_program_refuses(tmp_path, capsys, words, message):
    conf, out = tmp_path / "hccn.conf", tmp_path / "x.json"
    conf.write_text(HCCN)
    assert make_rank_table.main(words + ["--hccn", str(conf), "--server_id", "a", "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


@pytest.fixture
def path(tmp_path, table):
    files.write_json(str(tmp_path / "4p.json"), table)
    return str(tmp_path / "4p.json")


def test_the_environment_of_a_rank(path):
    assert ascend_rank_table.ascend_environment(2, 4, path) == {
        "RANK_TABLE_FILE": path,
        "RANK_ID": "2",
        "RANK_SIZE": "4",
        "JOB_ID": "densedepth",
        "DEVICE_ID": "2",
        "ASCEND_DEVICE_ID": "2",
        "HCCL_CONNECT_TIMEOUT": "600",
        "ENABLE_FORCE_V2_CONTROL": "1",
    }


def test_one_device_has_no_table():
    environment = ascend_rank_table.ascend_environment(0, 1)
    assert "RANK_TABLE_FILE" not in environment
    assert (environment["RANK_SIZE"], environment["DEVICE_ID"]) == ("1", "0")


def test_impossible_ranks_are_refused(path):
    for rank, size, table, message in [
        (4, 4, path, "rank 4 of 4"),
        (0, 2, path, "4p.json: has 4 devices where 2 ranks are started"),
        (0, 2, None, "2 devices need a rank table"),
    ]:
        with pytest.raises(PipelineError, match=message):
            ascend_rank_table.ascend_environment(rank, size, table)
    with pytest.raises(PipelineError, match="JOB_ID 'a b'"):
        ascend_rank_table.ascend_environment(0, 4, path, job="a b")
    with pytest.raises(PipelineError, match="HCCL_CONNECT_TIMEOUT 60"):
        ascend_rank_table.ascend_environment(0, 4, path, connect_timeout=60)


def test_placement_reads_what_the_environment_says(path):
    assert ascend_rank_table.placement({}) == (0, 1)
    for rank in range(4):
        assert ascend_rank_table.placement(ascend_rank_table.ascend_environment(rank, 4, path)) == (rank, 4)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"RANK_ID": None}, "RANK_SIZE is 4 but RANK_ID is not set"),
        ({"RANK_ID": "4"}, "RANK_ID = 4: must be below RANK_SIZE = 4"),
        ({"RANK_SIZE": "four"}, "RANK_SIZE = 'four'"),
        ({"RANK_SIZE": "0"}, "RANK_SIZE = 0"),
        ({"RANK_SIZE": "8"}, "has 4 devices where 8 ranks"),
        ({"RANK_TABLE_FILE": None}, "RANK_TABLE_FILE is not set"),
        ({"POD_NAME": "p"}, "POD_NAME is set"),
        ({"JOB_ID": "a/b"}, "JOB_ID = 'a/b'"),
        ({"DEVICE_ID": "-1"}, "DEVICE_ID = '-1'"),
        ({"HCCL_CONNECT_TIMEOUT": "10"}, "HCCL_CONNECT_TIMEOUT = 10"),
    ],
)
def test_placement_names_the_variable(path, changes, message):
    environment = dict(ascend_rank_table.ascend_environment(0, 4, path), **changes)
    with pytest.raises(PipelineError, match=message):
        ascend_rank_table.placement({name: value for name, value in environment.items() if value is not None})
