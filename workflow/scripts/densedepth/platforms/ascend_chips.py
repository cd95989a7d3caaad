"""What differs between Ascend chips: memory, devices of a server, legal groups of devices, number formats.

Sources: the vendor's pages of `--precision_mode_v2` (ATC 8.0, 8.5, 9.1) and of rank tables (HCCL guide 9.0), and
outputs of `npu-smi info` in public bug reports. Nothing here has been compared with hardware.
"""

import os
import re
import subprocess
from typing import List, Mapping, NamedTuple, Optional, Tuple

from ..errors import PipelineError

# By this variable a launcher tells its ranks the chip: npu-smi must not run several times at once.
CHIP = "DENSEDEPTH_ASCEND_CHIP"
# Seconds for npu-smi to answer.
_PATIENCE = 60


class Chip(NamedTuple):
    """A generation of chips."""

    name: str
    # What the vendor calls the servers and cards.
    products: str
    # Devices of a server at most; legal numbers of devices of a server in a group; devices of a ring, 0 without rings.
    devices: int
    counts: Tuple[int, ...]
    ring: int
    # Memory of a device in GiB, of the smallest variant; what variables and the graph may take of it, in GiB.
    memory: int
    usable: int
    # Whether TensorFlow 1.15 can train on it.
    trains: bool
    # Formats that this generation has beyond float16 and float32.
    formats: Tuple[str, ...] = ()


A1 = Chip("910", "Atlas training products", 8, (1, 2, 4, 8), 4, 32, 31, True)
A2 = Chip("A2", "Atlas A2 training products (910B1 to 910B4)", 8, tuple(range(1, 9)), 0, 32, 31, True, ("bfloat16",))
A3 = Chip("A3", "Atlas A3 training products", 16, tuple(range(1, 17)), 0, 64, 63, True, ("bfloat16",))
A5 = Chip("950", "Atlas 350", 8, tuple(range(1, 9)), 0, 0, 0, True, ("bfloat16", "hif8"))
INFERENCE = Chip("310", "Atlas inference products", 16, (1,), 0, 8, 8, False)
CHIPS = {chip.name: chip for chip in (A1, A2, A3, A5, INFERENCE)}

# Names as npu-smi or `--soc_version` write them, without "Ascend", blanks and underscores, in this order.
_NAMES = (
    (r"910B[1-4](-\d|C)?", A2),
    (r"910_?93\d\d", A3),
    (r"950.*", A5),
    (r"310.*", INFERENCE),
    (r"910(A|B|Pro[AB]|Premium ?A)?", A1),
)


class Device(NamedTuple):
    """A device in the table of `npu-smi info`."""

    number: int
    name: str
    health: str
    # Bytes x 2**20 of high-bandwidth memory; 0 where the table has none.
    memory: int


def chip(name: str) -> Optional[Chip]:
    """The `Chip` called `name`, by npu-smi, by `--soc_version` or in `CHIPS`; None for an unknown name."""
    if name in CHIPS:
        return CHIPS[name]
    plain = re.sub(r"^Ascend\s*(?=\d)", "", name.strip())
    found = [chip for pattern, chip in _NAMES if re.match("(?:{})$".format(pattern), plain)]
    return found[0] if found else None


def parse(text: str) -> Tuple[str, List[Device]]:
    """(version of the driver, devices) of an output of `npu-smi info`; ("", []) where it has no such table.

    A device takes two rows: NPU, name, health, power, temperature; and chip, bus, use of memory. Where an NPU is two
    devices, the second has the physical number (Phy-ID).
    """
    version = re.search(r"npu-smi\s+\S+\s+Version:\s*(\S+)", text)
    devices = []
    above: List[str] = []
    physical = "Phy-ID" in text
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.strip().startswith("|") or len(cells) != 3:
            above = []
        elif not above and re.match(r"\d+\s+\S", cells[0]):
            above = cells
        elif above:
            numbers = cells[0].split()
            number, name = above[0].split(None, 1)
            place = int(numbers[1]) if physical and len(numbers) > 1 else int(number)
            devices.append(Device(place, name, above[1], _last_total(cells[2])))
            above = []
    return version.group(1) if version else "", devices


def _last_total(cell):
    totals = re.findall(r"/\s*(\d+)", cell)
    return int(totals[-1]) if totals else 0


def of_devices(devices: List[Device]) -> Optional[Chip]:
    """The `Chip` of a server's devices; None without devices and for an unknown name.

    An A3 calls itself Ascend910, as a first 910 may: it has 64 GiB or more than 8 devices.
    """
    if not devices:
        return None
    known = chip(devices[0].name)
    memory = min(device.memory for device in devices)
    if known is A1 and (len(devices) > A1.devices or memory >= 60000):
        known = A3
    return _with_memory(known, memory) if known and known.trains else known


def of_host(environ: Optional[Mapping[str, str]] = None) -> Optional[Chip]:
    """The `Chip` of this host, by the variable `CHIP` or by `npu-smi info`; None where neither tells one."""
    environ = os.environ if environ is None else environ
    if CHIP not in environ:
        return of_devices(parse(npu_smi())[1])
    name, _, memory = environ[CHIP].partition(":")
    known = chip(name)
    if known is None or not re.match(r"\d*$", memory):
        raise PipelineError("{} = {!r}: must be one of {}".format(CHIP, environ[CHIP], ", ".join(sorted(CHIPS))))
    return _with_memory(known, int(memory) << 10) if memory else known


def told(known: Chip) -> str:
    """What `CHIP` is for the ranks of a launcher: the name and the memory in GiB."""
    return "{0.name}:{0.memory}".format(known)


def _with_memory(known, memory):
    return known._replace(memory=memory >> 10, usable=(memory >> 10) - 1) if memory else known


def npu_smi() -> str:
    """The output of `npu-smi info`; empty where it is not installed or does not answer."""
    try:
        run = subprocess.run(["npu-smi", "info"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return run.stdout.decode("utf-8", "replace")
