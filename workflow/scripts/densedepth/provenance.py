"""Whether what the settings start from is there, or else what was made from just that.

Snakemake finds no fault with a missing source where a file that was made from it exists, whatever it was made from: a
mistyped path would bring the results of before as those of the settings of now.
"""

import glob
import os
import re
from typing import Any, Dict, Iterable, List, Tuple

from . import file_names, files
from .configuration import picture_inputs
from .errors import PipelineError

# Where rules make files; that these have what they need, Snakemake sees.
_MADE = "results" + os.sep

# The rules whose results are asked about before they are replaced by those of another source.
MAKERS = ("convert_records", "list_pictures", "train_model", "import_published")

_RECORD = os.path.join("results", "sources.json")

_REBUILT = os.path.join("results", "data", "nyu_test.zip")
_REBUILT_FROM = ("dataset/nyu_depth_v2_labeled.mat", "dataset/splits.mat")


def missing(config: Dict[str, Any]) -> List[str]:
    """Lines such as `config: data.train_archive = dataset/x.zip: no such file; ...`; none where all is there.

    A source that is not there is no fault where an address for it is given, and where its first result is there and
    says that it was made from this source with these settings.
    """
    found = _pictures(config) if picture_inputs(config["data"]) else _archives(config)
    for index, path in enumerate(config["data"]["examples"]):
        if not _can_be_had(config, path):
            found.append(_line("data.examples[{}]".format(index), path, "give pictures that are there, or []"))
    return found + _weights(config) + _networks(config)


def pictures_facts(data: Dict[str, Any], seed: int) -> Dict[str, Any]:
    """What a list of custom RGB-D pairs must say of itself to have been made by the settings `data` and `seed`."""
    pictures = data["custom"]
    return {
        "source": picture_inputs(data),
        "size": [data["height"], data["width"]],
        "metres_per_unit": pictures["metres_per_unit"],
        "max_depth_m": pictures["max_depth"],
        "hole": pictures["invalid"],
        "test_share": pictures["test_share"],
        "seed": seed,
    }


def replaced(config: Dict[str, Any], jobs: Iterable[Tuple[str, Any]]) -> List[str]:
    """A line for each result of another source than that of the settings that one of `jobs` would replace.

    jobs: {(rule, run or None)}. Where settings change but not the source, results are merely updated: no line.
    """
    found = []
    rules = {rule for rule, _ in jobs}
    held, wanted = _held_source(), _wanted_source(config)
    if rules & {"convert_records", "list_pictures", "train_model"} and held and held != wanted:
        found.append(_replaced("results/data/ and what is trained on it are", held, wanted))
    for rule, run in sorted(jobs, key=str):
        if rule == "train_model":
            held, wanted = _held_start(run), _wanted_start(config, run)
            if held is not None and held != wanted:
                words = "results/{}/checkpoints/ are of a training".format(run)
                found.append(_replaced(words, [held or "random weights"], [wanted or "random weights"]))
        elif rule == "import_published":
            entry = config["pretrained"][run.split("/", 1)[1]]
            path = entry["file"] if isinstance(entry, dict) else entry
            side = "results/{}/checkpoints/epoch0/model.json".format(run)
            held = (_read(side).get("weights") or {}).get("path")
            if held and not _imported_from(side, path):
                found.append(_replaced("results/{}/ is".format(run), [held], [path]))
    return list(dict.fromkeys(found))


def record(config: Dict[str, Any], configfiles: Iterable[str]) -> None:
    """Note by which files of settings the results are made, for the message of `replaced`."""
    base = os.path.join("config", "config.yaml")
    named = [str(path) for path in configfiles if os.path.normpath(os.path.relpath(str(path))) != base]
    files.write_json(_RECORD, {"format": 1, "source": _wanted_source(config), "configfiles": named})


def _replaced(what, held, wanted):
    said = _read(_RECORD).get("configfiles") or []
    back = "--configfile " + " ".join(said) if said else "the settings that they were made with"
    words = "{} made from {}, but the settings name {}: give {}, or --directory OTHER, or --config replace_results=true"
    return words.format(what, " and ".join(held), " and ".join(wanted), back)


def _wanted_source(config):
    """What the settings make training records of: an archive, a csv, or two folders."""
    return picture_inputs(config["data"]) or [config["data"]["train_archive"]]


def _held_source():
    """What the records in results/ were made of, in the same form; none where there are none, or they do not say."""
    path = (_read("results/data/nyu_train.json").get("archive") or {}).get("path")
    if path == "results/data/pictures.json":
        return _read(path).get("source")
    return [path] if path else None


def _wanted_start(config, run):
    """The file that a run begins with, or the name of a whole network; empty for random weights."""
    return config["runs"][run].get("weights", config["train"]["weights"])


def _held_start(run):
    """What the first checkpoint of a run began with, in the same form; None where there is none that says so."""
    sides = glob.glob("results/{}/checkpoints/epoch*/model.json".format(glob.escape(run)))
    first = next((side for side in map(_read, sorted(sides)) if "start" in side and side["start"] is None), None)
    if first is None:
        return None
    folder = first.get("weights") or ""
    if folder.startswith("results/published/"):
        return "/".join(folder.split("/")[1:3])
    source = _read(os.path.join(folder, "weights.json")).get("source") if folder else None
    return source.get("path", folder) if isinstance(source, dict) else folder


def _read(path):
    """The object in a JSON file; an empty one where there is none."""
    try:
        found = files.read_json(path)
    except PipelineError:
        return {}
    return found if isinstance(found, dict) else {}


def _pictures(config):
    data = config["data"]
    if _says("results/data/pictures.json", pictures_facts(data, config["seed"])):
        return []
    return [
        _line("data.custom." + key, path, "is the path right, the disk mounted?")
        for key, path in data["custom"].items()
        if key in ("csv", "rgb", "depth") and path and not os.path.exists(path)
    ]


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
    name = config["train"]["weights"]
    used = [run.get("weights", name) for run in config["runs"].values()]
    if not name.endswith(".h5") or name not in used or _can_be_had(config, name):
        return []
    side = "results/weights/{}/weights.json".format(config["model"]["encoder"])
    if _says(side, {"source": {"path": name}}):
        return []
    return [_line("train.weights", name, "put it there, give addresses under downloads, or leave it empty")]


def _networks(config):
    """Pretrained networks of which there is an import, of another file. Others are not for all targets."""
    found = []
    for name, entry in sorted(config["pretrained"].items()):
        path = entry["file"] if isinstance(entry, dict) else entry
        side = "results/published/{}/checkpoints/epoch0/model.json".format(name)
        if os.path.exists(side) and not _can_be_had(config, path) and not _imported_from(side, path):
            found.append(_line("pretrained." + name, path, "what was imported is another file"))
    return found


def _imported_from(side, path):
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
