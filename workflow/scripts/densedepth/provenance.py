"""Whether what the settings start from is there, or else what was made from just that.

Snakemake finds no fault with a missing source where a file that was made from it exists, whatever it was made from: a
mistyped path would bring the results of before as those of the settings of now.
"""

import os
import re
from typing import Any, Dict, List

from . import file_names, files, run_settings
from .data_settings import downloads_of, mixture_inputs, picture_inputs
from .errors import PipelineError

# Where rules make files; that these have what they need, Snakemake sees.
_MADE = "results" + os.sep

_REBUILT = os.path.join("results", "data", "nyu_test.zip")
_REBUILT_FROM = ("dataset/nyu_depth_v2_labeled.mat", "dataset/splits.mat")


def missing(config: Dict[str, Any]) -> List[str]:
    """Lines such as `config: data.train_archive = dataset/x.zip: no such file; ...`; none where all is there.

    A source that is not there is no fault where an address for it is given, and where its first result is there and
    says that it was made from this source with these settings. Sections that `config` lacks are not looked at.
    """
    found: List[str] = []
    for lost_of, needed in (
        (_data, {"data", "downloads", "seed"}),
        (_weights, {"runs", "train", "model", "downloads"}),
        (_networks, {"pretrained", "downloads"}),
    ):
        found += lost_of(config) if needed <= set(config) else []
    return found


def pictures_facts(data: Dict[str, Any], seed: int) -> Dict[str, Any]:
    """What a list of custom RGB-D pairs must say of itself to have been made by the settings `data` and `seed`."""
    pictures, sets = data["custom"], data.get("mixture", {})
    mixture = {name: {"weight": entry.get("weight", 1)} for name, entry in sets.items()} or None
    if data.get("dataset"):
        return {
            "mixture": mixture,
            "source": picture_inputs(data),
            "dataset": data["dataset"],
            "size": [data["height"], data["width"]],
            "max_depth_m": pictures["max_depth"],
            "test_share": pictures["test_share"],
            "test_size": data.get("test_size", "network"),
            "time_tolerance": pictures.get("time_tolerance", 0.02),
            "seed": seed,
        }
    return {
        "mixture": mixture,
        "source": picture_inputs(data),
        "size": [data["height"], data["width"]],
        "metres_per_unit": pictures["metres_per_unit"],
        "max_depth_m": pictures["max_depth"],
        "hole": pictures["invalid"],
        "test_share": pictures["test_share"],
        "test_size": "own" if data.get("test_size") == "own" else None,
        "seed": seed,
    }


def _data(config):
    found = _pictures(config) if picture_inputs(config["data"]) else _archives(config)
    for index, path in enumerate(config["data"]["examples"]):
        if not _can_be_had(config, path):
            found.append(_line("data.examples[{}]".format(index), path, "give images that are there, or []"))
    return found + _validation(config)


def _pictures(config):
    data = config["data"]
    if _says("results/data/pictures.json", pictures_facts(data, config["seed"])):
        return []
    lost = [path for path in mixture_inputs(data) if not os.path.exists(path)]
    if lost:
        return [_line("data.mixture", lost[0], "is the path right, the disk mounted?")]
    if data.get("dataset"):
        advice = "is the path right, the disk mounted?"
        advice = "get it: {}".format(data["obtain"]) if data.get("obtain") else advice
        there = os.path.exists(data["path"]) or downloads_of(config) or _can_be_had(config, data["path"])
        return [] if there else [_line("data.path", data["path"], advice)]
    return [
        _line("data.custom." + key, path, "is the path right, the disk mounted?")
        for key, path in data["custom"].items()
        if key in ("csv", "rgb", "depth") and path and not os.path.exists(path)
    ]


def _validation(config):
    path = config["data"]["validation"]["csv"]
    if not path or os.path.exists(path) or os.path.exists("results/data/validation.zip"):
        return []
    return [_line("data.validation.csv", path, "it must list the validation pairs")]


def _archives(config):
    train, test = config["data"]["train_archive"], config["data"]["test_archive"]
    advice = "put it there, or give addresses under downloads"
    found = []
    converted = {"archive": {"path": train}, "seed": config["seed"]}
    if not _can_be_had(config, train) and not _says("results/data/nyu_train.json", converted):
        found.append(_line("data.train_archive", train, advice))
    if _says("results/baseline.json", {"test_data": {"path": test}}):
        return found
    if not _can_be_had(config, test):
        found.append(_line("data.test_archive", test, advice))
    if os.path.normpath(test) == _REBUILT and not os.path.exists(test):
        words = "it is rebuilt from {}, which is not there; put it there, or add config/nyu_more.yaml for its address"
        lost = [path for path in _REBUILT_FROM if not _can_be_had(config, path)]
        found += ["config: data.test_archive = {}: {}".format(test, words.format(path)) for path in lost]
    return found


def _weights(config):
    found = []
    for encoder, path in run_settings.encoder_files(config).items():
        made = _says("results/weights/{}/weights.json".format(encoder), {"source": {"path": path}})
        if not made and not _can_be_had(config, path):
            key = run_settings.weights_key(config, path)
            found.append(_line(key, path, "put it there, give addresses under downloads, or leave it empty"))
    return found


def _networks(config):
    """Pretrained networks of which there is an import, of another file. Others are not for all targets."""
    found = []
    for name, entry in sorted(config["pretrained"].items()):
        path = entry["file"] if isinstance(entry, dict) else entry
        side = "results/published/{}/checkpoints/epoch0/model.json".format(name)
        if os.path.exists(side) and not _can_be_had(config, path) and not imported_from(side, path):
            found.append(_line("pretrained." + name, path, "what was imported is another file"))
    return found


def imported_from(side: str, path: str) -> bool:
    """Whether the metadata file says that the network is that of `path`; a checkpoint by its first file."""
    values = re.escape(path)
    if path.endswith(".index"):
        values = re.escape(path[: -len(".index")]) + r"\.data-00000-of-\d{5}"
    try:
        found = files.read_json(side)["weights"]["path"]
    except (PipelineError, KeyError, TypeError):
        return False
    return isinstance(found, str) and re.match(values + "$", found) is not None


def _can_be_had(config, path):
    """Whether the file is there, or a rule can fetch or make it."""
    path = os.path.normpath(path)
    return os.path.exists(path) or path in config["downloads"] or path.startswith(_MADE)


def _says(path, facts):
    """Whether the JSON file `path` is there and holds the `facts`."""
    try:
        return _holds(files.read_json(path), facts)
    except PipelineError:
        return False


def _holds(found, wanted):
    if not isinstance(wanted, dict):
        return found == wanted
    return isinstance(found, dict) and all(_holds(found.get(key), value) for key, value in wanted.items())


def _line(key, path, advice):
    hint = file_names.hint(path)
    return "config: {} = {}: no such file or folder{}; {}".format(key, path, hint, advice)
