"""The settings of a run: those that all runs share, with its own of `runs.<name>` laid over them.

Sources of data and what is shared besides (records, graphs, exports, report) are common to all runs.
"""

import json
from typing import Any, Dict, Iterable, Iterator, List, Tuple

from .illegal import Check, readable

Settings = Dict[str, Any]

# What weights of an encoder end in, of Keras and of PyTorch; other weights are whole networks.
_ENCODER_FILES = (".h5", ".pth", ".pt", ".safetensors")


def of_run(config: Settings, run: str) -> Settings:
    """The complete settings of a run, with its `devices` and `steps_per_device`; those of all for any other name.

    Its `weights` stand where `train.weights` does.
    """
    own = dict({"devices": 1, "steps_per_device": False}, **config.get("runs", {}).get(run, {}))
    if "weights" in own:
        own["train"] = dict(own.get("train", {}), weights=own.pop("weights"))
    settings = {key: value for key, value in config.items() if key not in ("runs", "sweeps")}
    for key, value in own.items():
        settings[key] = dict(settings.get(key, {}), **value) if isinstance(value, dict) else value
    return settings


def identity(settings: Settings) -> str:
    """A text that is the same for equal settings of runs: numbers by their value, keys in any order."""
    return json.dumps(settings, sort_keys=True)


def differing(config: Settings, runs: Iterable[str]) -> List[str]:
    """The dotted keys of the settings, such as `train.steps`, that are not the same for all these runs."""
    every = [dict(leaves(of_run(config, run))) for run in runs]
    names = sorted({name for settings in every for name in settings})
    return [name for name in names if len({settings.get(name) for settings in every}) > 1]


def swept(config: Settings, runs: Iterable[str]) -> List[str]:
    """Those of `differing` that figures are drawn by: not the seed, and none for fewer than three runs."""
    runs = list(runs)
    return [name for name in differing(config, runs) if name != "seed"] if len(runs) > 2 else []


def leaves(value: Any, name: str = "") -> Iterator[Tuple[str, str]]:
    """(dotted key, value as JSON) of all leaves of a nested dict, by key; lists are leaves."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from leaves(value[key], "{}.{}".format(name, key) if name else key)
    else:
        yield name, json.dumps(value, sort_keys=True)


def kept_epochs(train: Settings) -> List[int]:
    """The epochs with a checkpoint by the settings `train`, ascending; the last epoch is always one."""
    return sorted({epoch for epoch in train["keep_epochs"] if epoch < train["epochs"]} | {train["epochs"]})


def encoder_files(config: Settings) -> Dict[str, str]:
    """{encoder: the file of weights that its runs begin with}, for runs that begin with one."""
    found: Dict[str, str] = {}
    for _, encoder, path in _beginnings(config):
        found.setdefault(encoder, path)
    return found


def weights_key(config: Settings, path: str) -> str:
    """The key by which the weights `path` are given."""
    if config["train"]["weights"] == path:
        return "train.weights"
    return next("runs.{}.train.weights".format(run) for run, _, given in _beginnings(config) if given == path)


def _beginnings(config: Settings) -> Iterator[Tuple[str, str, str]]:
    for run in config["runs"]:
        yield from readable(_beginning(config, run))


def _beginning(config, run):
    settings = of_run(config, run)
    if settings["train"]["weights"].endswith(_ENCODER_FILES):
        yield run, settings["model"]["encoder"], settings["train"]["weights"]


def schema_with_runs(schema: Settings) -> Settings:
    """`schema` in which `runs.<name>` takes all keys that it marks `per_run: true`, by the rules of the common ones.

    None is required there. A key `common` names those that are known, but shared by all runs.
    """
    top = schema["properties"]
    own = {key: _optional(rule) for key, rule in top.items() if rule.get("per_run")}
    for key, rule in top.items():
        below = rule.get("properties", {})
        marked = {name: inner for name, inner in below.items() if inner.get("per_run")}
        if marked:
            own[key] = dict(_optional(rule), properties=marked, common=sorted(set(below) - set(marked)))
    run = top["runs"]["additionalProperties"]
    run = dict(run, properties=dict(run["properties"], **own), common=sorted(set(top) - set(own)))
    return dict(schema, properties=dict(top, runs=dict(top["runs"], additionalProperties=run)))


def with_defaults(config: Settings, schema: Settings) -> Settings:
    """`config` with the `default` of `schema` for each missing key, at every depth."""
    known = schema.get("properties", {})
    config = dict({key: rule["default"] for key, rule in known.items() if "default" in rule}, **config)
    return {
        key: with_defaults(value, known.get(key, {})) if isinstance(value, dict) else value
        for key, value in config.items()
    }


def _optional(rule: Settings) -> Settings:
    return {key: value for key, value in rule.items() if key not in ("required", "default")}


def _frozen(settings):
    train = settings["train"]
    if train["frozen_encoder_epochs"] and not train["weights"]:
        words = "an encoder of random weights cannot be left as it is; give train.weights"
        yield ["train", "frozen_encoder_epochs"], train["frozen_encoder_epochs"], words


def _accumulated(settings):
    train = settings["train"]
    if train["batch_size"] % train["accumulate"]:
        words = "must divide train.batch_size = {} into equal parts".format(train["batch_size"])
        yield ["train", "accumulate"], train["accumulate"], words


def _warmup(settings):
    train = settings["train"]
    if isinstance(train["steps"], int):
        devices = 1 if settings.get("steps_per_device") else settings.get("devices", 1)
        # As training shares them.
        whole = train["epochs"] * -(-train["steps"] // devices)
        if train["warmup_steps"] >= whole:
            words = "must be less than the {} steps of the run".format(whole)
            yield ["train", "warmup_steps"], train["warmup_steps"], words


def _weights_twice(config):
    for run, own in config["runs"].items():
        if "weights" in own and "weights" in own.get("train", {}):
            yield ["runs", run, "weights"], own["weights"], "give this or train.weights of the run, not both"


def _equal(config):
    known: Dict[str, str] = {}
    for run in config["runs"]:
        other = known.setdefault(identity(of_run(config, run)), run)
        if other != run:
            yield ["runs", run], None, "equal to {} in all settings; change one, or leave the run out".format(other)


def _encoders(config):
    """Each encoder begins with one file, which is imported once for all its runs, and each file is of one encoder."""
    file_of: Dict[str, str] = {}
    encoder_of: Dict[str, str] = {}
    for run, encoder, path in _beginnings(config):
        key = ["runs", run, "train", "weights"]
        if file_of.setdefault(encoder, path) != path:
            yield key, path, "other runs begin {} with {}; give that one".format(encoder, file_of[encoder])
        elif encoder_of.setdefault(path, encoder) != encoder:
            words = "is for {} of other runs; give the file of {}, or leave it empty"
            yield key, path, words.format(encoder_of[path], encoder)


# Each yields (path of a key, its value or None, what is wrong with it): in the recipe of one run, or the common one,
RECIPE: List[Check] = [_frozen, _accumulated, _warmup]
# and between the runs.
CHECKS: List[Check] = [_weights_twice, _encoders, _equal]
