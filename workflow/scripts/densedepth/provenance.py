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
from .illegal import readable

# Where rules make files; that these have what they need, Snakemake sees.
_MADE = "results" + os.sep

_LIST = "results/data/pictures.json"
_MOUNTED = "is the path right, the disk mounted?"
_PUT = "put it there, or give addresses under downloads"

_REBUILT = os.path.join("results", "data", "nyu_test.zip")
_REBUILT_FROM = ("dataset/nyu_depth_v2_labeled.mat", "dataset/splits.mat")


def missing(config: Dict[str, Any]) -> List[str]:
    """Lines such as `config: data.train_archive = dataset/x.zip: no such file; ...`; none where all is there.

    A source that is not there is no fault where an address for it is given, and where its first result is there and
    says that it was made from this source with these settings. What uses an
    `illegal.Illegal` is not looked at.
    """
    every = (_pictures, _training, _testing, _examples, _validation, _weights, _networks)
    return [line for lost_of in every for line in readable(lost_of(config))]


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


def _examples(config):
    for index, path in enumerate(config["data"]["examples"]):
        yield from readable(_example(config, "data.examples[{}]".format(index), path))


def _example(config, key, path):
    if not _can_be_had(config, path):
        yield _line(key, path, "give images that are there, or []")


def _pictures(config):
    data = config["data"]
    if not picture_inputs(data):
        return
    if os.path.exists(_LIST) and _says(_LIST, pictures_facts(data, config["seed"])):
        return
    for path in mixture_inputs(data):
        if not os.path.exists(path):
            yield _line("data.mixture", path, _MOUNTED)
    if data.get("dataset"):
        if not (os.path.exists(data["path"]) or downloads_of(config) or _can_be_had(config, data["path"])):
            advice = "get it: {}".format(data["obtain"]) if data.get("obtain") else _MOUNTED
            yield _line("data.path", data["path"], advice)
        return
    for key in ("csv", "rgb", "depth"):
        path = data["custom"][key]
        if path and not os.path.exists(path):
            yield _line("data.custom." + key, path, _MOUNTED)


def _validation(config):
    path = config["data"]["validation"]["csv"]
    if not path or os.path.exists(path) or os.path.exists("results/data/validation.zip"):
        return
    yield _line("data.validation.csv", path, "it must list the validation pairs")


def _training(config):
    train = config["data"]["train_archive"]
    converted = {"archive": {"path": train}, "seed": config["seed"]}
    if picture_inputs(config["data"]) or _can_be_had(config, train):
        return
    if not _says("results/data/nyu_train.json", converted):
        yield _line("data.train_archive", train, _PUT)


def _testing(config):
    test = config["data"]["test_archive"]
    if picture_inputs(config["data"]) or _says("results/baseline.json", {"test_data": {"path": test}}):
        return
    if not _can_be_had(config, test):
        yield _line("data.test_archive", test, _PUT)
    if os.path.normpath(test) == _REBUILT and not os.path.exists(test):
        words = "it is rebuilt from {}, which is not there; put it there, or add config/nyu_more.yaml for its address"
        lost = [path for path in _REBUILT_FROM if not _can_be_had(config, path)]
        yield from ("config: data.test_archive = {}: {}".format(test, words.format(path)) for path in lost)


def _weights(config):
    for encoder, path in run_settings.encoder_files(config).items():
        made = _says("results/weights/{}/weights.json".format(encoder), {"source": {"path": path}})
        if not made and not _can_be_had(config, path):
            key = run_settings.weights_key(config, path)
            yield _line(key, path, "put it there, give addresses under downloads, or leave it empty")


def _networks(config):
    """Pretrained networks of which there is an import, of another file. Others are not for all targets."""
    for name, entry in sorted(config["pretrained"].items()):
        yield from readable(_network(config, name, entry))


def _network(config, name, entry):
    path = entry["file"] if isinstance(entry, dict) else entry
    side = "results/published/{}/checkpoints/epoch0/model.json".format(name)
    if os.path.exists(side) and not _can_be_had(config, path) and not imported_from(side, path):
        yield _line("pretrained." + name, path, "what was imported is another file")


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
