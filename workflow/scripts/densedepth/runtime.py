"""The interpreter and package versions that a result was made with."""

import os
import platform
import re
import sys
from typing import Dict

_PACKAGES = ("tensorflow", "tensorflow_cpu", "numpy", "h5py", "pillow", "pandas", "npu_bridge")


def describe() -> Dict[str, str]:
    """Runtime name and versions as a flat dict of strings, without importing any of the packages.

    `runtime` is `tf1` or `tf2` by the TensorFlow version of this interpreter, or `none` without TensorFlow.
    """
    versions = _installed()
    tensorflow = versions.pop("tensorflow_cpu", None) or versions.get("tensorflow")
    facts = {"runtime": "none", "python": platform.python_version(), "machine": platform.machine()}
    if tensorflow:
        versions["tensorflow"] = tensorflow
        facts["runtime"] = "tf1" if tensorflow.startswith("1.") else "tf2"
    facts.update(versions)
    return facts


def summary() -> str:
    """`describe()` as one line for logs: `runtime tf1, python 3.7.16, tensorflow 1.15.0, ...`."""
    facts = describe()
    order = ["runtime", "python", "tensorflow"]
    order += sorted(name for name in facts if name not in order)
    return ", ".join("{} {}".format(name, facts[name]) for name in order if name in facts)


def _installed():
    """Versions of the packages of interest, read from the names of the installed distributions' folders."""
    found: Dict[str, str] = {}
    for folder in sys.path:
        if not os.path.isdir(folder):
            continue
        for entry in os.listdir(folder):
            match = re.match(r"(.+?)-(\d[^-]*?)\.(?:dist|egg)-info$", entry)
            if match and match.group(1).lower() in _PACKAGES:
                found.setdefault(match.group(1).lower(), match.group(2))
    return found
