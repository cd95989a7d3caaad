"""What the settings say of a validation: whether there is one, which figure it goes by, and what they must not say."""

from typing import Any, Dict, Iterator, List

from .illegal import Check, Problem
from .run_settings import kept_epochs

_SPLITS = ("share", "scenes", "csv")
_NEEDED = "needs validation pairs; set share, scenes or csv of data.validation"

Settings = Dict[str, Any]


def wanted(data: Settings) -> bool:
    """Whether the settings `data` take pairs for a validation out of the training pairs."""
    return any(data["validation"][key] for key in _SPLITS)


def splits(config: Settings) -> Iterator[Problem]:
    """What is wrong with the split."""
    given = [key for key in _SPLITS if config["data"]["validation"][key]]
    if len(given) > 1:
        yield ["data", "validation"], None, "give only one of {}".format(", ".join(given))


def _kept(config):
    export = config["export"]
    if isinstance(export, int):
        kept = kept_epochs(config["train"])
        if export not in kept:
            names = ", ".join(map(str, kept))
            yield ["export"], export, "must be last, best or one of the kept epochs {}".format(names)


def _best(config):
    if config["export"] == "best" and not wanted(config["data"]):
        yield ["export"], "best", _NEEDED


def _patience(config):
    patience = config["train"]["patience"]
    if patience and not wanted(config["data"]):
        yield ["train", "patience"], patience, _NEEDED


def _end(config):
    export = config["export"]
    if isinstance(export, int) and config["train"]["patience"] and wanted(config["data"]):
        yield ["export"], export, "with train.patience the run may end before this epoch; take last or best"


# What is wrong with the settings of a run that choose a checkpoint, or an end of the training.
CHOICES: List[Check] = [_kept, _best, _patience, _end]
