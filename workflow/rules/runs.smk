"""Functions for the rules. What the settings of a run are, and which of its epochs are kept."""

import functools
import operator
import re

from densedepth import run_settings, sweeps


@functools.lru_cache(maxsize=None)
def settings_of(run):
    """The complete settings of a run; of a pretrained network, those that all runs share."""
    return run_settings.of_run(config, run)


@functools.lru_cache(maxsize=None)
def members(sweep):
    """The runs of a sweep."""
    return list(sweeps.members(config, sweep))


@functools.lru_cache(maxsize=None)
def named_runs():
    """The runs that are none of a sweep's own."""
    made = sweeps.origins(config)
    return [run for run in config["runs"] if run not in made]


def reported_runs(wildcards):
    """The runs that the report with these wildcards is of: those of a sweep, or all named ones."""
    return members(wildcards.sweep) if hasattr(wildcards, "sweep") else named_runs()


def of_run(path):
    """Function of the wildcards: the setting at `path`, such as `train/learning_rate`, of their run."""
    return lambda wildcards: functools.reduce(operator.getitem, path.split("/"), settings_of(wildcards.run))


# Settings of `train` that are flags of train.py by the same names.
RECIPE = (
    "loss",
    "schedule",
    "warmup_steps",
    "weight_decay",
    "clip_norm",
    "encoder_rate_factor",
    "frozen_encoder_epochs",
    "max_zoom",
    "max_rotation",
    "brightness",
    "contrast",
    "saturation",
    "hue",
)


def recipe_flags(wildcards):
    """Flags of train.py for how its steps are taken; the length of the run where the learning rate depends on it."""
    train = settings_of(wildcards.run)["train"]
    whole = [("schedule_epochs", train["epochs"])] if train["schedule"] == "cosine" else []
    return ["--{}={}".format(name, value) for name, value in [(name, train[name]) for name in RECIPE] + whole]


@functools.lru_cache(maxsize=None)
def kept_epochs(run):
    """Epochs of a run with a checkpoint, ascending; the last epoch is always one. A pretrained network has epoch 0."""
    train = settings_of(run)["train"]
    kept = {epoch for epoch in train["keep_epochs"] if epoch < train["epochs"]} | {train["epochs"]}
    return [0] if run in published() else sorted(kept)


def every_epoch():
    """The epochs that any run, or pretrained network, has."""
    return map(str, sorted({0, *(epoch for run in config["runs"] for epoch in kept_epochs(run))}))


def with_epochs(runs):
    """A pattern for these runs where one of their own epochs follows in a path, which another run may lack."""
    places = "(?=/(?:checkpoints|evaluation)/epoch(?:{})[/.])"
    return "|".join(re.escape(run) + places.format(one_of(map(str, kept_epochs(run)))) for run in runs)


def compared(runs):
    """Names of the images that a report has of all its runs together."""
    names = ["errors"] + (["runs"] if len(runs) > 1 else [])
    return names + (["settings"] if run_settings.swept(config, runs) else [])


def of_reported(pattern, chosen=list):
    """Input function: the paths that `pattern` stands for of the runs of a report, those of them that are `chosen`."""
    return lambda wildcards: chosen(of_runs(pattern, reported_runs(wildcards)))


def networks_beside(wildcards):
    """The pretrained networks that the report with these wildcards shows: the report of a sweep is of its runs alone."""
    return [] if hasattr(wildcards, "sweep") else evaluated_networks()


def scores_beside(wildcards):
    """Input function: the scores of predictions of other programs that the report with these wildcards shows."""
    external = () if hasattr(wildcards, "sweep") else config["external"]
    return expand("results/external/{external}/evaluation.json", external=external)
