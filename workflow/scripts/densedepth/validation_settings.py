"""What the settings say of a validation: whether there is one, which figure it goes by, and what they must not say."""

from typing import Any, Dict, Iterator, List, Tuple

from .run_settings import kept_epochs

_SPLITS = ("share", "scenes", "csv")

Settings = Dict[str, Any]
# (path of a key, its value or None, what is wrong with it)
Problem = Tuple[List[Any], Any, str]


def wanted(data: Settings) -> bool:
    """Whether the settings `data` take pairs for a validation out of the training pairs."""
    return any(data["validation"][key] for key in _SPLITS)


def splits(config: Settings) -> Iterator[Problem]:
    """What is wrong with the split."""
    given = [key for key in _SPLITS if config["data"]["validation"][key]]
    if len(given) > 1:
        yield ["data", "validation"], None, "give only one of {}".format(", ".join(given))


def choices(config: Settings) -> Iterator[Problem]:
    """What is wrong with the settings of a run that choose a checkpoint, or an end of the training."""
    train, export = config["train"], config["export"]
    kept = kept_epochs(train)
    if isinstance(export, int) and export not in kept:
        yield ["export"], export, "must be last, best or one of the kept epochs {}".format(", ".join(map(str, kept)))
    if not wanted(config["data"]):
        words = "needs validation pairs; set share, scenes or csv of data.validation"
        if export == "best":
            yield ["export"], export, words
        if train["patience"]:
            yield ["train", "patience"], train["patience"], words
    elif train["patience"] and isinstance(export, int):
        yield ["export"], export, "with train.patience the run may end before this epoch; take last or best"
