"""Validation pairs taken out of the training pairs without leaks: the frames of a scene stay on one side.

A scene is the folder of the images. The folders of NYU Depth v2 are parts of scenes, `basement_0001a_out` and
`basement_0001b_out` of `basement_0001`; the rooms of the embedded sample are named in the same way.
"""

import dataclasses
import fnmatch
import posixpath
import re
from typing import Any, Dict, Iterable, List, Sequence, Set, Tuple

import numpy as np

from ..errors import PipelineError

_PART = re.compile(r"(.+_\d{4})[a-z]?(?:_out)?$")


@dataclasses.dataclass(frozen=True)
class Choice:
    """How validation pairs are chosen, of which exactly one is given: see `data.validation` in config/README.md.

    share: of the pairs, drawn by whole scenes with `seed`. scenes: names or patterns. csv: a file that lists them.
    """

    share: float = 0
    scenes: Tuple[str, ...] = ()
    csv: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises PipelineError unless at most one way is given."""
        if sum(map(bool, (self.share, self.scenes, self.csv))) > 1:
            raise PipelineError("data.validation: give only one of share, scenes and csv")

    def __bool__(self) -> bool:
        return bool(self.share or self.scenes or self.csv)


NONE = Choice()


def scene_of(image: str) -> str:
    """The scene of the image at this path, by its folder."""
    folder = posixpath.dirname(image.replace("\\", "/"))
    part = _PART.match(posixpath.basename(folder))
    return posixpath.join(posixpath.dirname(folder), part.group(1)) if part else folder


def chosen(scenes: Sequence[str], choice: Choice, where: str) -> Set[int]:
    """The places of the validation pairs among pairs of these `scenes`, by `choice.share` or `choice.scenes`.

    Raises PipelineError, beginning with `where`, for a choice that takes no pair or leaves none to train on.
    """
    taken = _named(scenes, choice.scenes, where) if choice.scenes else _drawn(scenes, choice, where)
    places = {place for place, scene in enumerate(scenes) if scene in taken}
    if len(places) == len(scenes):
        words = "{}: data.validation takes all {} pairs, none is left to train on"
        raise PipelineError(words.format(where, len(scenes)))
    return places


def marked(rows: List[Dict[str, Any]], choice: Choice, where: str) -> List[Dict[str, Any]]:
    """The `rows` of a list of a data set, of which `choice` takes some of the split train for the validation."""
    if choice.csv:
        raise PipelineError("{}: data.validation.csv is not for data.dataset; give share or scenes".format(where))
    train = [row for row in rows if row["split"] == "train"]
    taken = chosen([scene_of(row["rgb"]) for row in train], choice, where)
    numbers = {train[place]["row"] for place in taken}
    validates = [row["split"] == "train" and row["row"] in numbers for row in rows]
    return [dict(row, split="validation") if one else row for row, one in zip(rows, validates)]


def _named(scenes, patterns, where):
    known = sorted(set(scenes))
    taken = set()
    for pattern in patterns:
        found = {scene for scene in known if any(fnmatch.fnmatchcase(name, pattern) for name in _names(scene))}
        if not found:
            listed = ", ".join(_names(scene)[0] for scene in known[:3])
            words = "{}: data.validation.scenes: {} is no scene of the training; there are {} such as {}"
            raise PipelineError(words.format(where, pattern, len(known), listed))
        taken |= found
    return taken


def _names(scene):
    """What a scene may be called: the last folder, and the whole path."""
    return posixpath.basename(scene) or scene, scene


def _drawn(scenes, choice, where):
    known = sorted(set(scenes))
    if len(known) < 2:
        words = "{}: data.validation.share: all pairs are of one scene ({}), so that a drawn split would have its "
        words += "neighbouring images on both sides; name scenes in the csv, or list the pairs (data.validation.csv)"
        raise PipelineError(words.format(where, known[0] or "one folder"))
    count = {scene: scenes.count(scene) for scene in known}
    number = max(1, round(len(scenes) * choice.share))
    taken: Set[str] = set()
    for place in np.random.RandomState(choice.seed).permutation(len(known)):
        if sum(count[scene] for scene in taken) >= number or len(taken) == len(known) - 1:
            break
        taken.add(known[place])
    return taken


def check_apart(pairs: Iterable[Tuple[int, str, bool]], where: str) -> None:
    """Raise PipelineError for a scene with pairs on both sides; pairs: (row, scene, whether it is for validation)."""
    side: dict = {}
    leaks: List[str] = []
    for row, scene, validates in pairs:
        known, first = side.setdefault(scene, (validates, row))
        if known != validates:
            rows = (row, first) if validates else (first, row)
            leaks.append("row {} is for validation, row {} of the same scene {} for training".format(*rows, scene))
    if leaks:
        more = "" if len(leaks) == 1 else " (and {} rows more)".format(len(leaks) - 1)
        words = "{}: data.validation.csv: {}{}; neighbouring images on both sides make the validation too good: have "
        raise PipelineError((words + "whole scenes on one side").format(where, leaks[0], more))
