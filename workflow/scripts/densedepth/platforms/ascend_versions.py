"""Which versions of Ascend software are installed on this host, and whether they fit together.

Read are the files that the installers write, and the table of `npu-smi info`; nothing is imported. Which versions fit
is in `ascend_pairings.json`, with the source of each row; the files of driver and firmware name themselves which of the
other they go with.
"""

import glob
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .. import files
from . import ascend_chips

PAIRINGS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "ascend_pairings.json")

OK, WRONG, UNKNOWN = "ok", "wrong", "unknown"

_TOOLKITS = (
    # CANN 8.5 and later; before.
    "cann/*-linux/ascend_toolkit_install.info",
    "ascend-toolkit/latest/*-linux/ascend_toolkit_install.info",
    "ascend-toolkit/latest/ascend_toolkit_install.info",
    "nnae/latest/ascend_nnae_install.info",
    "nnae/latest/*-linux/ascend_nnae_install.info",
    # The folder that the installer's own file names.
    "*-linux/ascend_toolkit_install.info",
)
_GUIDE = "the CANN installation guide of your version on hiascend.com (Software Installation)"
_HDK = "hiascend.com, Ascend HDK (driver and firmware) of your server"
_ADAPTER = "the releases of gitcode.com/cann/tensorflow, tag tfa_<tag>_<version of CANN>"


class Installed(NamedTuple):
    """What is installed; versions are "" where they were not found."""

    cann: str
    # Where it is, and what it says of itself: {key: text}.
    cann_folder: str
    cann_info: Dict[str, str]
    driver: Dict[str, str]
    firmware: Dict[str, str]
    # Of TF Adapter: "" for the wheel, which does not tell, and where there is none.
    adapter: str
    has_bridge: bool
    python: str
    tensorflow: str
    smi_version: str
    devices: Tuple[ascend_chips.Device, ...]


class Line(NamedTuple):
    """A line of the report."""

    part: str
    found: str
    verdict: str
    # What is wrong and where to get what fits; empty for OK.
    advice: str


def pairs(text: str) -> Dict[str, str]:
    """{key: value} of the lines `key=value` of a version file."""
    return dict(re.findall(r"^\s*([\w.-]+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))


def installed(root: str, environ: Dict[str, str], smi: str, packages: Dict[str, str]) -> Installed:
    """What is installed below `root` ("/" for this host).

    environ: ASCEND_HOME_PATH and the like name folders, HOME that of a user's own installation. smi: the output of
    `npu-smi info`. packages: `runtime.describe()`, for Python, TensorFlow and the bridge.
    """
    folders = _bases(root, environ)
    path = _first([os.path.join(base, name) for base in folders for name in _TOOLKITS] + _homes(root, environ))
    info = pairs(_read(path)) if path else {}
    version, devices = ascend_chips.parse(smi)
    plugin = _first([os.path.join(base, "tfplugin/latest/ascend_tfplugin_install.info") for base in folders])
    return Installed(
        cann=info.get("version", ""),
        cann_folder=os.path.dirname(path) if path else "",
        cann_info=info,
        driver=pairs(_read(_first([os.path.join(base, "driver/version.info") for base in folders]))),
        firmware=pairs(_read(_first([os.path.join(base, "firmware/version.info") for base in folders]))),
        adapter=pairs(_read(plugin)).get("version", ""),
        has_bridge="npu_bridge" in packages or bool(_bridge(environ)),
        python=packages["python"],
        tensorflow=packages.get("tensorflow", ""),
        smi_version=version,
        devices=tuple(devices),
    )


def _bases(root, environ):
    """Folders that hold driver, toolkit and plugin: as the installer's own file says, and the usual ones."""
    folders = []
    for name in ("etc/Ascend/ascend_cann_install.info", "etc/ascend_install.info"):
        told = pairs(_read(os.path.join(root, name)))
        for key in ("Toolkit_InstallPath", "Install_Path", "Driver_Install_Path_Param"):
            if told.get(key):
                place = os.path.join(root, told[key].lstrip("/"))
                folders += [place, os.path.dirname(place), os.path.dirname(os.path.dirname(place))]
    folders.append(os.path.join(root, "usr/local/Ascend"))
    if environ.get("HOME"):
        folders.append(os.path.join(root, environ["HOME"].lstrip("/"), "Ascend"))
    return list(dict.fromkeys(folders))


def _homes(root, environ):
    names = ("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")
    homes = [os.path.join(root, environ[name].lstrip("/")) for name in names if environ.get(name)]
    return [os.path.join(home, end + "ascend_toolkit_install.info") for home in homes for end in ("", "*-linux/")]


def _bridge(environ):
    places = [environ.get("TFPLUGIN_INSTALL_PATH", "")] + environ.get("PYTHONPATH", "").split(os.pathsep)
    return _first([os.path.join(place, "npu_bridge/__init__.py") for place in places if place])


def _first(patterns):
    found = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    return found[0] if found else ""


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def anything(found: Installed) -> bool:
    """Whether there is any Ascend software or device at all."""
    return bool(found.cann or found.driver or found.firmware or found.has_bridge or found.devices or found.smi_version)


def check(found: Installed, table: Optional[Dict[str, Any]] = None) -> List[Line]:
    """A `Line` for each part, in the order in which they rest on each other; `table`: as the file `PAIRINGS`."""
    table = files.read_json(PAIRINGS) if table is None else table
    row = _row(found.cann, table["cann"])
    return [
        *_devices(found),
        _driver(found, row),
        _firmware(found),
        _cann(found, row),
        _python(found, table["python"]),
        _tensorflow(found),
        _adapter(found, table["adapter"]),
    ]


def matches(version: str, pattern: str) -> bool:
    """Whether `version` is `pattern` or a part of it: 25.5 covers 25.5.0 and 25.5.1.1; case does not count."""
    version, pattern = version.lower(), pattern.lower()
    return re.match(re.escape(pattern) + r"(?![0-9a-z])", version) is not None


def _row(version, rows):
    """The most exact row of the table for a version of CANN, or None."""
    found = [row for row in rows if version and matches(version, row["cann"])]
    return max(found, key=lambda row: len(row["cann"])) if found else None


def _devices(found):
    if not found.devices:
        told = "npu-smi {}".format(found.smi_version) if found.smi_version else "none"
        advice = "npu-smi info lists none: install the driver ({}), or give the container its devices".format(_HDK)
        return [Line("devices", told, WRONG, advice)]
    chip = ascend_chips.of_devices(list(found.devices))
    shown = "{} x {}".format(len(found.devices), found.devices[0].name)
    lines = []
    if chip is None:
        lines.append(Line("devices", shown, UNKNOWN, "this program knows no such chip; ascend_chips.py lists names"))
    elif not chip.trains:
        advice = "{} are for inference: convert with export_om.py, train elsewhere".format(chip.products)
        lines.append(Line("devices", shown, WRONG, advice))
    else:
        lines.append(Line("devices", "{}: {}".format(shown, chip.products), OK, ""))
    sick = ["{} {}".format(device.number, device.health) for device in found.devices if device.health != "OK"]
    if sick:
        advice = "npu-smi info -t health -i N says more; a reset or the vendor's support helps"
        lines.append(Line("health", ", ".join(sick), WRONG, advice))
    return lines


def _driver(found, row):
    version = found.driver.get("package_version") or found.driver.get("Version") or found.smi_version
    if not version:
        advice = "no driver/version.info and no npu-smi: install from {}, or mount it into the container".format(_HDK)
        return Line("driver", "none", WRONG, advice)
    if row is None:
        return Line("driver", version, UNKNOWN, "no known pairing for this CANN; compare with its release notes")
    if any(matches(version, pattern) for pattern in row["drivers"]):
        return Line("driver", version, OK, "")
    series = re.match(r"V\d+R\d+C\d+", found.driver.get("Innerversion", ""))
    if series and "[{}]".format(series.group()) in found.cann_info.get("compatible_version", ""):
        return Line("driver", version, OK, "")
    advice = "CANN {} goes with Ascend HDK {} ({}); get it from {}"
    # Another patch of a release that fits is no known pairing, but no known fault.
    same = any(_numbers(version)[:2] == _numbers(pattern)[:2] for pattern in row["drivers"])
    advice = advice.format(found.cann, ", ".join(row["drivers"]), row["source"], _HDK)
    return Line("driver", version, UNKNOWN if same else WRONG, advice)


def _firmware(found):
    version = found.firmware.get("Version", "")
    if not version:
        return Line(
            "firmware", "not told", UNKNOWN, "no firmware/version.info here; look on the host, not in a container"
        )
    limits = re.match(r"\[([\d.]+),([\d.]+)\]", found.driver.get("compatible_version_fw", ""))
    if limits is None:
        return Line("firmware", version, UNKNOWN, "the driver's version.info names no firmware that it goes with")
    low, high = (_numbers(part) for part in limits.groups())
    if low <= _numbers(version)[: len(low)] and _numbers(version)[: len(high)] <= high:
        return Line("firmware", version, OK, "")
    advice = "the driver takes firmware {} to {}; get it from {}".format(*limits.groups(), _HDK)
    return Line("firmware", version, WRONG, advice)


def _numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)]


def _cann(found, row):
    if not found.cann:
        return Line("CANN", "none", WRONG, "install the toolkit: {}; then source its set_env.sh".format(_GUIDE))
    shown = "{} in {}".format(found.cann, found.cann_folder)
    if row is None:
        return Line("CANN", shown, UNKNOWN, "no row of ascend_pairings.json has this version")
    return Line("CANN", shown, OK, "")


def _python(found, rule):
    low, high = rule["lowest"], rule["highest"]
    if _numbers(low) <= _numbers(found.python) <= _numbers(high):
        return Line("Python", found.python, OK, "")
    advice = "the bridge for TensorFlow 1.15 takes {} to {} ({}); PYTHON=... tells another interpreter"
    return Line("Python", found.python, WRONG, advice.format(low, high, rule["source"]))


def _tensorflow(found):
    if found.tensorflow.startswith("1.15"):
        return Line("TensorFlow", found.tensorflow, OK, "")
    advice = "platform ascend needs 1.15: take the image of Ascend Hub, or install tensorflow 1.15 in Python 3.7"
    return Line("TensorFlow", found.tensorflow or "none", WRONG, advice)


def _adapter(found, rows):
    if not found.has_bridge and not found.adapter:
        advice = (
            "no npu_bridge: install the wheel of {} by pip install -t $TFPLUGIN_INSTALL_PATH and put that folder on "
            "PYTHONPATH".format(_ADAPTER)
        )
        return Line("TF Adapter", "none", WRONG, advice)
    if not found.adapter:
        advice = "the wheel does not tell; it must be the one for CANN {} of {}".format(found.cann or "X", _ADAPTER)
        return Line("TF Adapter", "npu_bridge", UNKNOWN, advice)
    exact = [row for row in rows if matches(found.adapter, row["adapter"])]
    good = exact[0]["cann"] if exact else [found.adapter]
    if not found.cann:
        return Line("TF Adapter", found.adapter, UNKNOWN, "no CANN to compare it with")
    if any(matches(found.cann, pattern) for pattern in good):
        return Line("TF Adapter", found.adapter, OK, "")
    source = exact[0]["source"] if exact else rows[0]["source"]
    advice = "goes with CANN {}, not {} ({}); get the one for your CANN from {}"
    return Line("TF Adapter", found.adapter, WRONG, advice.format(", ".join(good), found.cann, source, _ADAPTER))
