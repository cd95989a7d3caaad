"""What a call would replace: results of another source stop it, those of other settings are reported in a line.

A source is what results start from: the training archive or custom RGB-D pairs, the weights a run begins with, the file
of a pretrained network. Its path tells one from another, and for files of which results know a digest, their content.
Custom pairs are added to and mended; new ones under the same path are the same source.
"""

import glob
import os
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple

from . import files, run_settings
from .configuration import DOWNSAMPLING
from .data_settings import picture_inputs
from .errors import PipelineError
from .provenance import imported_from

# The rules whose results are asked about before they are replaced by those of another source.
MAKERS = ("convert_records", "list_pictures", "train_model", "import_weights", "import_published")

# All rules whose jobs matter here.
RULES = (*MAKERS, "make_sample", "evaluate_checkpoint")

# By which settings the results are made.
_RECORD = os.path.join("results", "sources.json")

# Settings of training that a checkpoint's metadata has under the same names.
_TOLD = ("learning_rate", "lr_decay", "batch_size", "mirror_probability", "batch_norm_momentum")

Jobs = Set[Tuple[str, Optional[str]]]
Settings = Dict[str, Any]


def replaced(config: Settings, jobs: Jobs, identity: Callable[[str], Dict[str, Any]]) -> List[str]:
    """A line for each result of another source than that of the settings that one of `jobs` would replace.

    jobs: (rule, run or None) of each; the import of an encoder's weights has the encoder in place of a run. identity:
    what tells the content of an archive, of its path, as its records say.
    """
    found = _data(config, jobs, identity)
    for rule, run in sorted(jobs, key=str):
        if rule == "train_model" and run:
            held, wanted = _held_start(run), _wanted_start(config, run)
            if held is not None and held != wanted:
                words = "results/{}/checkpoints/ are of a training".format(run)
                found.append(_by_path(words, [held or "random weights"], [wanted or "random weights"]))
        elif rule == "import_published" and run:
            found += _network(config, run)
        elif rule == "import_weights" and run:
            side, path = "results/weights/{}/weights.json".format(run), run_settings.encoder_files(config)[run]
            if _other_content(_read(side).get("source"), path):
                found.append(_by_content("results/weights/ and what is trained from it are", path))
    return list(dict.fromkeys(found))


def changes(config: Settings, jobs: Jobs) -> List[str]:
    """A line for each change of settings by which one of `jobs` replaces results of the same source."""
    found = []
    trained: Dict[str, List[str]] = {}
    # Which pairs are trained on.
    split = _differences(_read(_RECORD).get("validation") or {}, _split(config))
    for rule, run in sorted(jobs, key=str):
        side = _first_checkpoint(run) if rule == "train_model" and run else None
        changed = split + _differences(_trained_with(side), _wanted(config, run)) if side and run else []
        if changed and run:
            trained.setdefault(", ".join(changed), []).append(run)
        if rule == "evaluate_checkpoint" and run:
            held = (_read(_any("results/{}/evaluation/epoch*.json", run)).get("test_data") or {}).get("path")
            if held and held != _test_archive(config):
                words = "results/{}/evaluation/ is of {}; it is made again of {}"
                found.append(words.format(run, held, _test_archive(config)))
    words = "{}: trains {} again from the first epoch; to keep both, {}"
    place = "set this for a new run, runs.<name>, or a new sweep"
    if split:
        place = "work in another folder (--directory), since all runs share the pairs"
    found = [words.format(text, some(runs), place) for text, runs in trained.items()] + found
    held = _read(_RECORD).get("sample")
    if ("make_sample", None) in jobs and isinstance(held, dict):
        changed = _differences(_named("sample", held), _named("sample", config["sample"]))
        found += (
            ["{}: the sample is drawn again, and all that is made of it".format(", ".join(changed))] if changed else []
        )
    return found


def some(names: List[str]) -> str:
    """The names as text, of many the first ones."""
    return ", ".join(names if len(names) <= 4 else [*names[:3], "and {} more".format(len(names) - 3)])


def record(config: Settings, configfiles: Iterable[str]) -> None:
    """Note by which settings the results are made, for the messages of `replaced` and `changes`."""
    base = os.path.join("config", "config.yaml")
    named = [os.path.relpath(path) for path in map(str, configfiles)]
    named = [os.path.abspath(path) if path.startswith(os.pardir) else path for path in named if path != base]
    facts = {"source": _wanted_source(config), "configfiles": named, "sample": config["sample"]}
    facts["validation"] = _split(config)
    files.write_json(_RECORD, dict(facts, format=1))


def _split(config: Settings) -> Dict[str, Any]:
    """The settings of what all runs train on: of the validation pairs, which are left out, and of the records."""
    validation = config["data"]["validation"]
    found = _named("data.validation", {key: validation[key] for key in ("share", "scenes", "csv")})
    return dict(found, **_named("data", {"depth_png": config["data"]["depth_png"]}))


def _data(config: Settings, jobs: Jobs, identity: Callable[[str], Dict[str, Any]]) -> List[str]:
    """The lines for the training data."""
    rules = {rule for rule, _ in jobs}
    if not rules & {"convert_records", "list_pictures", "train_model"}:
        return []
    held, wanted = _held_source(), _wanted_source(config)
    if held and held != wanted:
        return [_by_path("results/data/ and what is trained on it are", held, wanted)]
    archive = _read("results/data/nyu_train.json").get("archive") or {}
    # What a rule makes is another one where settings are: no other source.
    path = wanted[0] if "convert_records" in rules and not picture_inputs(config["data"]) else ""
    if path and path == archive.get("path") and not path.startswith("results/") and os.path.exists(path):
        try:
            now = identity(path)
        except PipelineError:
            # The conversion says what is wrong with it.
            return []
        if any(archive.get(key) not in (None, value) for key, value in now.items()):
            return [_by_content("results/data/ and what is trained on it are", path)]
    return []


def _network(config: Settings, run: str) -> List[str]:
    """The lines for a pretrained network."""
    entry = config["pretrained"][run.split("/", 1)[1]]
    path = entry["file"] if isinstance(entry, dict) else entry
    side = "results/{}/checkpoints/epoch0/model.json".format(run)
    held = _read(side).get("weights") or {}
    if held.get("path") and not imported_from(side, path):
        return [_by_path("results/{}/ is".format(run), [held["path"]], [path])]
    return [_by_content("results/{}/ is".format(run), path)] if _other_content(held, held.get("path")) else []


def _other_content(held: Any, path: Optional[str]) -> bool:
    """Whether the file `path` is there and is what `held` names ({path, sha256}), with another content."""
    if not isinstance(held, dict) or not path or held.get("path") != path or not os.path.exists(path):
        return False
    return held.get("sha256") not in (None, files.sha256(path))


def _by_path(what: str, held: List[str], wanted: List[str]) -> str:
    said = _read(_RECORD).get("configfiles") or []
    back = "--configfile " + " ".join(said) if said else "the settings that they were made with"
    words = "{} made from {}, but the settings name {}: give {}, or --directory OTHER, or --config replace_results=true"
    return words.format(what, " and ".join(held), " and ".join(wanted), back)


def _by_content(what: str, path: str) -> str:
    words = "{} made from {} as it was; it has another content now: give --directory OTHER, or --config {}"
    return words.format(what, path, "replace_results=true")


def _wanted_source(config: Settings) -> List[str]:
    """What the settings make training records of: an archive, a csv, or two folders."""
    return picture_inputs(config["data"]) or [config["data"]["train_archive"]]


def _held_source() -> Optional[List[str]]:
    """What the data in results/ were made of, in the same form; None where there are none, or they do not say.

    Records may have been deleted while what was trained on them is there.
    """
    path = (_read("results/data/nyu_train.json").get("archive") or {}).get("path")
    if path == "results/data/pictures.json":
        return _read(path).get("source")
    if path:
        return [path]
    # Of all runs, not of those of this call: what is noted is of the last that was made.
    trained = any(_first_checkpoint(run) for run in (os.listdir("results") if os.path.isdir("results") else ()))
    return _read(_RECORD).get("source") if trained else None


def _wanted_start(config: Settings, run: str) -> str:
    """The file that a run begins with, or the name of a whole network; empty for random weights."""
    return run_settings.of_run(config, run)["train"]["weights"]


def _held_start(run: str) -> Optional[str]:
    """What the first checkpoint of a run began with, in the same form; None where there is none that says so."""
    first = _first_checkpoint(run)
    if first is None:
        return None
    folder = first.get("weights") or ""
    if folder.startswith("results/published/"):
        return "/".join(folder.split("/")[1:3])
    source = _read(os.path.join(folder, "weights.json")).get("source") if folder else None
    return source.get("path", folder) if isinstance(source, dict) else folder


def _first_checkpoint(run: str) -> Optional[Dict[str, Any]]:
    """What the first checkpoint of a run says of itself; None where there is none."""
    sides = map(_read, sorted(glob.glob("results/{}/checkpoints/epoch*/model.json".format(glob.escape(run)))))
    return next((side for side in sides if "start" in side and side["start"] is None), None)


def _read(path: str) -> Dict[str, Any]:
    """The object in a JSON file; an empty one where there is none."""
    try:
        found = files.read_json(path)
    except PipelineError:
        return {}
    return found if isinstance(found, dict) else {}


def _any(pattern: str, run: str) -> str:
    return next(iter(sorted(glob.glob(pattern.format(glob.escape(run))))), "")


def _test_archive(config: Settings) -> str:
    return "results/data/test.zip" if picture_inputs(config["data"]) else config["data"]["test_archive"]


def _trained_with(side: Dict[str, Any]) -> Dict[str, Any]:
    """The settings of a training, by their keys, as its checkpoint tells them."""
    told, form = side.get("training") or {}, side.get("model") or {}
    recipe = told.get("recipe") or {}
    found = {"train." + name: told.get(name) for name in _TOLD}
    found.update(_named("train", dict(recipe, **(told.get("augmentation") or {}))))
    # No other schedule depends on the length of the run.
    found["train.epochs"] = recipe.get("schedule_epochs") if recipe.get("schedule") == "cosine" else None
    found.update({"seed": told.get("seed"), "train.channel_shuffle_probability": told.get("swap_probability")})
    found.update({"data.target_downsampling": DOWNSAMPLING.get(str(told.get("halving")))})
    found.update({"model." + name: form.get(name) for name in ("encoder", "upsampling", "mid_activation")})
    found.update({"model.decoder": form.get("width")})
    found.update(zip(("data.height", "data.width"), side.get("size") or ()))
    return found


def _wanted(config: Settings, run: str) -> Dict[str, Any]:
    settings = run_settings.of_run(config, run)
    sections = [_named(name, settings[name]) for name in ("train", "data", "model")]
    return dict({key: value for section in sections for key, value in section.items()}, seed=settings["seed"])


def _named(section: str, values: Dict[str, Any]) -> Dict[str, Any]:
    return {"{}.{}".format(section, key): value for key, value in values.items()}


def _differences(held: Dict[str, Any], wanted: Dict[str, Any]) -> List[str]:
    """`train.learning_rate 0.0001 -> 0.001` for each value that is known of both and differs."""
    both = [key for key in wanted if held.get(key) is not None and held[key] != wanted[key]]
    return ["{} {} -> {}".format(key, held[key], wanted[key]) for key in both]
