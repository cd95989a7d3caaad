"""Further sets to train on beside the main one: their lists of pairs, kept in the main list under `mixture`.

Each has a unit, invalid values and a greatest depth of its own; no set trains beyond the greatest depth of the main
one, which is the network's. What a set keeps for its test is left out here, so that its own recipe can score on it.
"""

import os
from typing import Any, Dict

from ..errors import PipelineError
from . import custom_list, datasets, scene_split
from .custom_pairs import TRAIN

# Settings of a set, with what they are where they are left out.
DEFAULTS: Dict[str, Any] = {
    "weight": 1.0,
    **dict.fromkeys(("dataset", "path", "csv", "rgb", "depth"), ""),
    "metres_per_unit": 0.0,
    "max_depth": 0.0,
    "invalid": 0,
    "test_share": 0.1,
}


def listed(entries: Dict[str, Dict[str, Any]], main: Dict[str, Any]) -> Dict[str, Any]:
    """{name: content of its list, with `weight`} of the sets `entries` (see `DEFAULTS`), beside the list `main`.

    Raises PipelineError, led by the set's name, for one that cannot be listed or holds test images of `main`.
    """
    tested = {_file(main, row["rgb"]) for row in main["rows"] if row["split"] != TRAIN}
    found = {}
    for name, entry in sorted(entries.items()):
        try:
            content = _listed(dict(DEFAULTS, **entry), main)
        except PipelineError as error:
            raise PipelineError("mixture.{}: {}".format(name, error)) from None
        rows = [row for row in content["rows"] if row["split"] == TRAIN]
        twice = next((row["rgb"] for row in rows if _file(content, row["rgb"]) in tested), None)
        if twice:
            words = "mixture.{}: {} is a test or validation image of the main data; take it out of one of them"
            raise PipelineError(words.format(name, twice))
        left = len(content["rows"]) - len(rows)
        words = "mixture.{}: {} pairs to train on, weight {:g}; {} of its test are left out"
        print(words.format(name, len(rows), content["weight"], left), flush=True)
        found[name] = dict(content, rows=rows)
    return found


def _listed(entry, main):
    size, seed = tuple(main["size"]), main["seed"]
    farthest = min(entry["max_depth"] or main["max_depth_m"], main["max_depth_m"])
    if entry["dataset"]:
        found = datasets.listed(entry["dataset"], entry["path"], size, farthest, entry["test_share"], seed)
    else:
        files = (entry["csv"], entry["rgb"], entry["depth"])
        facts = (entry["metres_per_unit"], farthest, entry["invalid"], *files, entry["test_share"], seed)
        found = custom_list.listed(size, *facts, 0, None, scene_split.NONE)
    return dict(found, weight=entry["weight"], range_m=main["max_depth_m"])


def _file(content, name):
    return os.path.realpath(os.path.join(content.get("tree", ""), name))
