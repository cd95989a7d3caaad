"""Functions for the rules. What the settings of a run are, and which of its epochs are kept."""

import functools
import operator
import re

from densedepth import run_settings


@functools.lru_cache(maxsize=None)
def settings_of(run):
    """The complete settings of a run; of a pretrained network, those that all runs share."""
    return run_settings.of_run(config, run)


def of_run(path):
    """Function of the wildcards: the setting at `path`, such as `train/learning_rate`, of their run."""
    return lambda wildcards: functools.reduce(operator.getitem, path.split("/"), settings_of(wildcards.run))


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
