"""Rank tables of Ascend hosts, and the environment that each rank of a job gets.

A rank table is a JSON file that tells HCCL which device of which server is which rank:

    {"status": "completed", "version": "1.0", "server_count": "1", "server_list": [
      {"server_id": "10.0.0.1", "device": [{"device_id": "0", "device_ip": "192.168.100.101", "rank_id": "0"}, ...]}]}

All values are strings. A server of first 910s takes part with 1, 2, 4 or 8 devices. Its devices 0-3 and 4-7 are two
rings, so 2 and 4 devices must lie inside one of them (CANN's guide to distributed training, precautions). A2 and A3
have no rings; a server of A3 has 16 devices, and its table may be of version 1.2, with more fields.
"""

import ipaddress
import os
import re
import socket
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple

from .. import files
from ..errors import PipelineError
from .ascend_chips import A1, A3, Chip

HCCN_CONF = "/etc/hccn.conf"

# JOB_ID and HCCL_CONNECT_TIMEOUT (seconds) where nobody has set them. The ranks compile their graphs in different
# times, so HCCL's own 120 s to wait for the others is short.
JOB = "densedepth"
CONNECT_TIMEOUT = 600

_JOB = re.compile(r"[A-Za-z0-9_-]+$")


class Device(NamedTuple):
    """One rank of a table."""

    rank: int
    server: str
    # The physical number: N of /dev/davinciN.
    device: int
    # The IP address of the device's own network port.
    address: str


def read_hccn(path: str) -> Dict[int, str]:
    """{device number: address} from the lines `address_N=IP` of an hccn.conf; PipelineError when there is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except OSError as error:
        raise PipelineError(
            "{}: {}; inside a container mount it from the host, or give --addresses".format(path, error.strerror)
        ) from None
    found = {int(n): ip for n, ip in re.findall(r"^\s*address_(\d+)\s*=\s*(\S+)", text, re.MULTILINE)}
    if not found:
        raise PipelineError("{}: no line address_N=IP; `hccn_tool -i 0 -ip -g` shows what device 0 has".format(path))
    return found


def build(server: str, addresses: Dict[int, str], chip: Optional[Chip] = None) -> Dict[str, Any]:
    """The rank table of one server for {device number: address}; ranks follow their order. `chip`: see `check`."""
    devices = [
        {"device_id": str(device), "device_ip": addresses[device], "rank_id": str(rank)}
        for rank, device in enumerate(sorted(addresses))
    ]
    table = {
        "status": "completed",
        "version": "1.0",
        "server_count": "1",
        "server_list": [{"server_id": server, "device": devices}],
    }
    check(table, "rank table", chip)
    return table


def of_host(
    devices: Iterable[int], hccn: str = HCCN_CONF, server: Optional[str] = None, chip: Optional[Chip] = None
) -> Dict[str, Any]:
    """The rank table of this host for the physical numbers `devices`, with addresses from an hccn.conf.

    server: the host's name in the table; default: its own IP address. Raises PipelineError for what is not known.
    """
    known = read_hccn(hccn)
    missing = [device for device in devices if device not in known]
    if missing:
        raise PipelineError("{}: no address_{}; it has devices {}".format(hccn, missing[0], sorted(known)))
    return build(server or own_address(), {device: known[device] for device in devices}, chip)


def own_address() -> str:
    """The IP address of this host by its own name. Raises PipelineError where there is none."""
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:
        raise PipelineError("this host does not know its own address; give --server_id") from None


def load(path: str) -> List[Device]:
    """The `Device` of each rank in the file `path`. Raises PipelineError when the file is no usable rank table."""
    return check(files.read_json(path), path)


def check(table: Dict[str, Any], name: str, chip: Optional[Chip] = None) -> List[Device]:
    """The `Device` of each rank in `table`, by rank. Raises PipelineError, led by `name`, for the first fault.

    chip: of the servers; None for an A3 where the table is of version 1.2 or has a device above 7, else a first 910.
    """
    fields = _Fields(name)
    fail = fields.fail
    if isinstance(table, dict) and "group_list" in table:
        fail("is of the older kind with group_list; make one with make_rank_table.py")
    if fields.text(table, "status", "the table") != "completed":
        fail("status is {!r}; only a table that is completed can be used", table["status"])
    if fields.text(table, "version", "the table") not in ("1.0", "1.2"):
        fail("expected version 1.0 or 1.2, got {!r}", table["version"])
    newer = chip is None and table["version"] == "1.2"
    servers = fields.entries(table, "server_list", "the table")
    if fields.number(table, "server_count", "the table") != len(servers):
        fail("server_count is {} but server_list has {}", table["server_count"], len(servers))
    ranks: List[Device] = []
    for index, server in enumerate(servers):
        devices = fields.devices(server, "server {}".format(index))
        if devices[0].server in {device.server for device in ranks}:
            fail("server_id {} occurs twice", devices[0].server)
        many = chip is None and max(device.device for device in devices) >= A1.devices
        _check_server(devices, devices[0].server, A3 if newer or many else chip or A1, fail)
        ranks += devices
    if [device.rank for device in ranks] != list(range(len(ranks))):
        fail(
            "rank_id are {}; they must count from 0 in the order of servers and devices",
            " ".join(str(device.rank) for device in ranks),
        )
    addresses = [device.address for device in ranks]
    for address in addresses:
        if addresses.count(address) > 1:
            fail("device_ip {} occurs twice", address)
    return ranks


class _Fields:
    """What the fields of the rank table `name` hold; each method raises PipelineError for what is not there."""

    def __init__(self, name):
        self._name = name

    def fail(self, message, *values):
        raise PipelineError("{}: {}".format(self._name, message.format(*values)))

    def text(self, mapping, key, where):
        if not isinstance(mapping, dict) or key not in mapping:
            self.fail("{} has no {}", where, key)
        value = mapping[key]
        if not isinstance(value, str):
            self.fail("{} of {} is {!r}; all values are strings, write {!r}", key, where, value, str(value))
        return value

    def number(self, mapping, key, where):
        value = self.text(mapping, key, where)
        if not re.match(r"\d+$", value):
            self.fail("{} of {} is {!r}, not a whole number", key, where, value)
        return int(value)

    def entries(self, mapping, key, where):
        value = mapping.get(key)
        if not isinstance(value, list) or not value:
            self.fail("{} has no list {}", where, key)
        return value

    def devices(self, server, where):
        """The `Device`s of an entry of the server list."""
        identity = self.text(server, "server_id", where)
        if not 0 < len(identity) <= 64:
            self.fail("server_id of {} has {} characters; 1 to 64 are legal", where, len(identity))
        found = []
        for place, device in enumerate(self.entries(server, "device", where)):
            of = "device entry {} of {}".format(place, identity)
            address = self.text(device, "device_ip", of)
            try:
                ipaddress.ip_address(address)
            except ValueError:
                self.fail("device_ip of {} is {!r}, not an IP address", of, address)
            rank, number = self.number(device, "rank_id", of), self.number(device, "device_id", of)
            found.append(Device(rank, identity, number, address))
        return found


def _check_server(devices, identity, chip, fail):
    numbers = [device.device for device in devices]
    shown = " ".join(str(n) for n in numbers)
    if len(numbers) not in chip.counts:
        legal = "1, 2, 4 or 8" if chip.ring else "1 to {}".format(chip.counts[-1])
        fail("server {} has {} devices; {} are legal", identity, len(numbers), legal)
    if numbers != sorted(set(numbers)):
        fail("device_id of server {} are {}; each must occur once, in rising order", identity, shown)
    if numbers[-1] >= chip.devices:
        fail("device_id {} of server {}: the devices of a server are 0 to {}", numbers[-1], identity, chip.devices - 1)
    if chip.ring and len(numbers) in (2, chip.ring) and len({n // chip.ring for n in numbers}) > 1:
        fail(
            "devices {} of server {} lie in both rings; {} devices must be among 0 1 2 3 or among 4 5 6 7",
            shown,
            identity,
            len(numbers),
        )


def ascend_environment(
    rank: int, size: int, table: Optional[str] = None, job: str = JOB, connect_timeout: int = CONNECT_TIMEOUT
) -> Dict[str, str]:
    """The environment variables of process `rank` among `size` on Ascend, as {name: text}; add them to the parent's.

    table: path of the rank table, which must have `size` devices; None for one device. job: letters, digits, - and _.
    connect_timeout: seconds to wait for the others at the first exchange (120..7200). The container must see the
    devices from number 0 on: the engine takes ASCEND_DEVICE_ID as a place among those that it sees.
    """
    if not 0 <= rank < size:
        raise PipelineError("rank {} of {}: ranks count from 0 to {}".format(rank, size, size - 1))
    if not _JOB.match(job):
        raise PipelineError("JOB_ID {!r}: only letters, digits, - and _ are legal".format(job))
    if not 120 <= connect_timeout <= 7200:
        raise PipelineError("HCCL_CONNECT_TIMEOUT {}: 120 to 7200 seconds are legal".format(connect_timeout))
    variables = {
        "RANK_ID": str(rank),
        "RANK_SIZE": str(size),
        "JOB_ID": job,
        "HCCL_CONNECT_TIMEOUT": str(connect_timeout),
        "ENABLE_FORCE_V2_CONTROL": "1",
    }
    device = 0
    if table is not None:
        device = _placed(rank, size, table).device
        # Without a table the engine leaves HCCL off, which is right for one device.
        if size > 1:
            variables["RANK_TABLE_FILE"] = os.path.abspath(table)
    elif size > 1:
        raise PipelineError("{} devices need a rank table; make_rank_table.py makes one".format(size))
    return dict(variables, DEVICE_ID=str(device), ASCEND_DEVICE_ID=str(device))


def _placed(rank, size, table):
    devices = load(table)
    if len(devices) != size:
        raise PipelineError("{}: has {} devices where {} ranks are started".format(table, len(devices), size))
    return devices[rank]


def placement(environment: Mapping[str, str]) -> Tuple[int, int]:
    """(rank, size) of this process from the mapping `environment`.

    Raises PipelineError naming the first variable that the engine would trip on.
    """

    def whole(name, default=None):
        text = environment.get(name, default)
        if text is None:
            raise PipelineError("RANK_SIZE is {} but {} is not set".format(environment.get("RANK_SIZE"), name))
        if not re.match(r"\d+$", text):
            raise PipelineError("{} = {!r}: must be a whole number".format(name, text))
        return int(text)

    size = whole("RANK_SIZE", "1")
    if size < 1:
        raise PipelineError("RANK_SIZE = 0: must be at least 1")
    rank = whole("RANK_ID", "0" if size == 1 else None)
    if rank >= size:
        raise PipelineError("RANK_ID = {}: must be below RANK_SIZE = {}".format(rank, size))
    if environment.get("POD_NAME"):
        raise PipelineError("POD_NAME is set and would replace RANK_ID; unset it")
    job = environment.get("JOB_ID")
    if job is not None and not _JOB.match(job):
        raise PipelineError("JOB_ID = {!r}: only letters, digits, - and _ are legal".format(job))
    for name in ("ASCEND_DEVICE_ID", "DEVICE_ID"):
        whole(name, "0")
    if not 120 <= whole("HCCL_CONNECT_TIMEOUT", "120") <= 7200:
        raise PipelineError("HCCL_CONNECT_TIMEOUT = {HCCL_CONNECT_TIMEOUT}: 120 to 7200 seconds".format(**environment))
    table = environment.get("RANK_TABLE_FILE")
    if table:
        _placed(rank, size, table)
    elif size > 1:
        raise PipelineError(
            "RANK_SIZE = {} but RANK_TABLE_FILE is not set; make a table with make_rank_table.py".format(size)
        )
    return rank, size
