"""The settings of the data: what the pairs are read from, and what contradicts."""

import os
from typing import Any, Dict, List

from .errors import PipelineError
from .illegal import Check, readable

# The archives that the pipeline draws itself.
SAMPLE_FOLDER = "results/sample/"


def picture_inputs(data: Dict[str, Any]) -> List[str]:
    """The files or folders of RGB-D pairs that are listed first, of custom data or of a data set by name.

    data: the settings of that name. None where the archives are used.
    """
    if data.get("dataset"):
        return [data["path"]]
    return [data["custom"][key] for key in ("csv", "rgb", "depth") if data["custom"][key]]


def mixture_inputs(data: Dict[str, Any]) -> List[str]:
    """The files or folders of the further sets to train on."""
    entries = [entry for _, entry in sorted(data.get("mixture", {}).items())]
    return [entry[key] for entry in entries for key in ("path", "csv", "rgb", "depth") if entry.get(key)]


def downloads_of(config: Dict[str, Any]) -> List[str]:
    """The files at or below `data.path` that `downloads` lists, where they are all of a data set by name.

    They are not where `data.obtain` says how to get the rest.
    """
    data = config["data"]
    if not data.get("dataset") or data.get("obtain"):
        return []
    path = os.path.normpath(data["path"])
    return [name for name in config["downloads"] if name == path or name.startswith(path + "/")]


def at_own_size(data: Dict[str, Any]) -> bool:
    """Whether test pairs are scored at the size of their ground truth."""
    return bool(picture_inputs(data)) and data.get("test_size") == "own"


def check_gallery(path: str, found: str, count: int, least: int, drawn: bool = True) -> None:
    """Raise PipelineError where `count` test pairs of `path` are fewer than the `least` that a gallery needs.

    found: what there is, in words; drawn: whether a larger `data.custom.test_share` gives more.
    """
    if count < least:
        words = "{}: {}, but report.gallery needs at least {}; lower report.gallery, or give more test pairs{}"
        raise PipelineError(words.format(path, found, least, " (data.custom.test_share)" if drawn else ""))


def _custom(data):
    return [key for key in ("csv", "rgb", "depth") if data["custom"][key]]


def _main(config):
    data = config["data"]
    custom = _custom(data)
    if data.get("dataset"):
        if not data.get("path"):
            yield ["data", "path"], None, "missing; give the folder or archive of {}".format(data["dataset"])
        if custom:
            words = "not together with data.custom.{}; set one of them to empty".format(custom[0])
            yield ["data", "dataset"], data["dataset"], words
    elif data.get("path"):
        yield ["data", "dataset"], None, "missing; say which data set is at data.path"
    elif custom and custom not in (["csv"], ["rgb", "depth"]):
        yield ["data", "custom"], None, "give either csv, or rgb and depth"


def _distance(config):
    pictures = config["data"]["custom"]
    if pictures.get("distance") == "ray" and len(pictures.get("intrinsics", ())) != 6 and _custom(config["data"]):
        yield ["data", "custom", "distance"], "ray", "needs data.custom.intrinsics: fx, fy, cx, cy, width, height"


def _mixture(config):
    data = config["data"]
    if data.get("mixture") and not picture_inputs(data):
        yield ["data", "mixture"], None, "needs a main set, for the test: data.dataset or data.custom"
        return
    for name, entry in sorted(data.get("mixture", {}).items()):
        yield from readable(_further(["data", "mixture", name], entry))


def _further(path, entry):
    given = [key for key in ("dataset", "path", "csv", "rgb", "depth") if entry.get(key)]
    if given not in (["dataset", "path"], ["csv"], ["rgb", "depth"]):
        yield path, None, "give dataset and path, or csv, or rgb and depth"
    elif given != ["dataset", "path"] and not entry.get("metres_per_unit"):
        yield [*path, "metres_per_unit"], None, "missing; it says what a stored depth means"


def _examples(config):
    data = config["data"]
    if picture_inputs(data) and any(path.startswith(SAMPLE_FOLDER) for path in data["examples"]):
        yield ["data", "examples"], None, "contains images of the embedded sample; give your own, or []"


# Each yields (path of a key, its value or None, what is wrong with it) of RGB-D pairs.
CHECKS: List[Check] = [
    _main,
    _distance,
    _mixture,
    _examples,
]
