"""What a run's folder holds is of one training: when another one begins, what is left of the earlier is moved aside.

results/<run>/checkpoints/training.json     says which training the folder is of
results/<run>/replaced/<n>/                 what the run held of another training, under the same names
"""

import os
import re
import shutil
from typing import Callable, List, Optional

from .. import files
from ..errors import PipelineError

_MARKER = "training.json"
_REPLACED = "replaced"

# The folder of checkpoints in that of a run, and its neighbours, all of which are made from the checkpoints. By hand,
# checkpoints may lie anywhere: neighbours of a folder of another name are the user's own.
_CHECKPOINTS = "checkpoints"
_MADE_OF_THEM = ("evaluation", "export", "gallery", "inference", "tensorboard", "validation")


def claim(folder: str, fingerprint: str, report: Callable[[str], None]) -> None:
    """Make `folder` of checkpoints that of the training `fingerprint`, whose first segment begins or is resumed.

    What is there of another training, and was made from it, moves to the run's `replaced/<n>`; a line for `report` says
    so. An end in between harms nothing: the next call moves the rest.
    """
    if fingerprint not in _held(folder):
        _set_aside(folder, report)
    files.write_json(os.path.join(folder, _MARKER), {"format": 1, "fingerprint": fingerprint})


def _set_aside(folder: str, report: Callable[[str], None]) -> None:
    is_run = os.path.basename(os.path.abspath(folder)) == _CHECKPOINTS
    root = os.path.dirname(os.path.abspath(folder)) if is_run else os.path.abspath(folder)
    remains = [os.path.join(os.path.abspath(folder), name) for name in _epochs(folder)]
    remains += [os.path.join(root, name) for name in _MADE_OF_THEM] if is_run else []
    remains = [path for path in remains if _has_files(path)]
    if remains:
        report(_move(remains, root))


def _held(folder: str) -> List[Optional[str]]:
    """The fingerprints of the training that the folder is of; without its own word, those of its checkpoints."""
    marker = os.path.join(folder, _MARKER)
    if os.path.exists(marker):
        return [_fingerprint(marker)]
    return [_fingerprint(os.path.join(folder, name, "model.json")) for name in _epochs(folder)]


def _fingerprint(path: str) -> Optional[str]:
    try:
        found = files.read_json(path)
    except PipelineError:
        return None
    return found.get("fingerprint") if isinstance(found, dict) else None


def _epochs(folder: str) -> List[str]:
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return sorted((name for name in names if re.match(r"epoch\d+$", name)), key=lambda name: int(name[len("epoch") :]))


def _has_files(path: str) -> bool:
    """Whether there is any file below: Snakemake makes the folders of a job's outputs before it starts."""
    return any(names for _, _, names in os.walk(path))


def _move(paths: List[str], root: str) -> str:
    """Move what lies below `root` to a new folder there; returns the line that says so."""
    aside = os.path.join(root, _REPLACED)
    taken = [int(name) for name in (os.listdir(aside) if os.path.isdir(aside) else []) if name.isdigit()]
    aside = os.path.join(aside, str(max(taken, default=0) + 1))
    names = [os.path.relpath(path, root) for path in paths]
    for path, name in zip(paths, names):
        os.makedirs(os.path.dirname(os.path.join(aside, name)), exist_ok=True)
        shutil.move(path, os.path.join(aside, name))
    return "{}: the run held this of another training: {}; delete it when it is no longer needed".format(
        os.path.relpath(aside), ", ".join(names)
    )
