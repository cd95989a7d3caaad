"""The validation pairs of a training archive: listed once, then left out of the records and written as a test archive.

Lists of custom pairs mark theirs themselves (`custom_list`).
"""

import csv
from typing import Any, Dict, List, Set

from .. import metadata
from ..errors import PipelineError
from . import scene_split
from .pair_files import words
from .train_archive import Archive, Row

FORMAT = 1
SCHEMA = {
    "archive": metadata.Text(),
    "rows": [{"row": metadata.COUNT, "rgb": metadata.Text(), "depth": metadata.Text(), "scene": metadata.Text()}],
}


def listed(path: str, choice: scene_split.Choice) -> Dict[str, Any]:
    """The content of the list: what `choice` takes of the pairs of the archive `path`.

    Raises PipelineError, with the row, for a choice that takes none, all, or a part of a scene.
    """
    if not choice:
        raise PipelineError("{}: no validation pairs are asked for; give a share, scenes or a csv".format(path))
    with Archive(path) as archive:
        rows = archive.rows(check_members=False)
    names = [scene_split.scene_of(row.rgb) for row in rows]
    taken = _listed(rows, choice.csv, path) if choice.csv else scene_split.chosen(names, choice, path)
    if choice.csv:
        pairs = ((row.number, names[place], place in taken) for place, row in enumerate(rows))
        scene_split.check_apart(pairs, path)
    entries = [
        {"row": row.number, "rgb": row.rgb, "depth": row.depth, "scene": names[place]}
        for place, row in enumerate(rows)
        if place in taken
    ]
    return {"format": FORMAT, "archive": path, "rows": entries}


def read(path: str) -> List[Row]:
    """The rows of the list `path`."""
    return [Row(entry["row"], entry["rgb"], entry["depth"]) for entry in metadata.read(path, SCHEMA, FORMAT)["rows"]]


def _listed(rows, table, path) -> Set[int]:
    """The places of the pairs that the csv `table` lists by the member of their image, its first field."""
    place_of = {row.rgb: place for place, row in enumerate(rows)}
    try:
        with open(table, encoding="utf-8-sig", newline="") as stream:
            lines = [[field.strip() for field in line] for line in csv.reader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PipelineError("{}: cannot be read ({})".format(table, words(error))) from None
    taken = set()
    for number, fields in enumerate(lines, 1):
        if not any(fields) or (number == 1 and fields[0].lower() == "rgb"):
            continue
        if fields[0] not in place_of:
            raise PipelineError("{}: row {}: {} is no image of {}".format(table, number, fields[0], path))
        place = place_of[fields[0]]
        if len(fields) > 1 and fields[1] != rows[place].depth:
            words_ = "{}: row {}: the depth of {} is {} in {}, not {}"
            raise PipelineError(words_.format(table, number, fields[0], rows[place].depth, path, fields[1]))
        taken.add(place)
    if not taken:
        raise PipelineError("{}: has no rows; it must list the validation pairs".format(table))
    if len(taken) == len(rows):
        raise PipelineError("{}: lists all pairs of {}; none is left to train on".format(table, path))
    return taken
