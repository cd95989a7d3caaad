"""The list of custom RGB-D pairs: made once of a csv or of two folders, for `custom_pairs` to read pair by pair."""

import os
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from .. import file_names, files
from ..errors import PipelineError
from . import array_files, pair_lists
from .custom_pairs import FORMAT, TEST, TRAIN
from .pair_files import words

# (number, picture, depth, split or None).
Pair = Tuple[int, str, str, Optional[str]]

# Names of folders, in lower case, by which somebody means a split.
_SPLIT_FOLDERS = {TRAIN, TEST, "training", "testing", "val", "valid", "validation"}

RGB_SUFFIXES = (".jpg", ".jpeg", ".png", ".npy")
DEPTH_SUFFIXES = array_files.SUFFIXES

# Faulty rows of a csv that are named one by one.
_NAMED = 100


def listed(
    size: Tuple[int, int],
    metres_per_unit: float,
    max_depth: float,
    hole: int = 0,
    table: Optional[str] = None,
    rgb: Optional[str] = None,
    depth: Optional[str] = None,
    test_share: float = 0.1,
    seed: int = 0,
    test_metres_per_unit: float = 0,
    stored: Optional[Dict[str, Any]] = None,
) -> Dict[str, Any]:
    """The content of a list: of the csv `table`, or of the folders `rgb` and `depth`.

    size: (height, width) that the pictures are brought to. metres_per_unit: metres per unit of stored depth.
    max_depth: metres; this depth and greater ones are invalid. hole: stored value that means none was measured; values
    that are not finite or not above zero always do. test_metres_per_unit: of the test pairs, 0 for the same. stored:
    what else the stored depth means, as `stored_depth.SCHEMA`.

    The split is given by the third column of the csv, or by folders `train` and `test` in which all pictures of the two
    folders lie; else `test_share` of the pairs, at least one, is drawn by `seed`. Raises PipelineError with file and
    row for what is not there or not unique, for a file that is for both train and test, and for folders that only look
    like a split; and for a number that cannot be.
    """
    _check_numbers(metres_per_unit, max_depth, hole)
    rows = _csv_rows(table) if table else _folder_rows(rgb, depth)
    where = table or rgb
    given = {split for _, _, _, split in rows} != {None}
    if not given:
        drawn = _drawn(len(rows), test_share, seed, where)
        rows = [(number, a, b, TEST if place in drawn else TRAIN) for place, (number, a, b, _) in enumerate(rows)]
    for split in (TRAIN, TEST):
        if not any(row[3] == split for row in rows):
            raise PipelineError("{}: no pair is for {}; both train and test are needed".format(where, split))
    _check_leaks(rows, where)
    unit = {TEST: {"metres_per_unit": test_metres_per_unit}} if test_metres_per_unit else {}
    more = {"depth": dict(stored, invalid=[hole, *stored.get("invalid", ())])} if stored else {}
    return {
        **more,
        "format": FORMAT,
        "source": [table] if table else [rgb, depth],
        "split": "given" if given else "drawn",
        "size": list(size),
        "metres_per_unit": metres_per_unit,
        "max_depth_m": max_depth,
        "hole": hole,
        "test_share": test_share,
        "seed": seed,
        "rows": [
            dict({"row": number, "rgb": a, "depth": b, "split": split}, **unit.get(split, {}))
            for number, a, b, split in rows
        ],
    }


def _check_numbers(metres_per_unit, max_depth, hole):
    for key, value in (("metres_per_unit", metres_per_unit), ("max_depth", max_depth)):
        if not 0 < value < np.inf:
            raise PipelineError("{} {}: must be a finite number above 0".format(key, value))
    if not np.isfinite(hole):
        raise PipelineError(
            "invalid {}: must be a finite number; values that are not finite are always invalid".format(hole)
        )


def _check_leaks(rows, where):
    """Raise PipelineError for a file that is for train and for test, whatever links or paths lead to it."""
    trained = {_which(path): (row[0], path) for row in rows if row[3] == TRAIN for path in (row[1], row[2])}
    for row in rows:
        for path in (row[1], row[2]) if row[3] == TEST else ():
            number, other = trained.get(_which(path), (None, None))
            if number is not None:
                raise PipelineError(
                    "{}: row {}: {} is for test, and in row {} for train{}; the test must be on images that were not "
                    "trained on: take one of the rows out, or have both for the same".format(
                        *(where, row[0], path, number, "" if other == path else " as {}".format(other))
                    )
                )


def _which(path):
    """What tells a file from others: its number on the disk, else its path without links.

    A file that is not there has no number, nor have those of some file systems of networks.
    """
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(path)


def _csv_rows(table):
    try:
        with open(table, "rb") as stream:
            found = pair_lists.parse(pair_lists.decoded(stream.read(), table))
    except OSError as error:
        raise PipelineError("{}: cannot be read ({})".format(table, words(error))) from None
    rows, faults = [], [(fault[0], _csv_fault(table, *fault)) for fault in found.faults]
    for line in found.lines:
        try:
            rows.append(_csv_row(table, line))
        except PipelineError as error:
            faults.append((line.number, str(error)))
    _refuse([fault for _, fault in sorted(faults)])
    if not rows:
        raise PipelineError("{}: has no rows{}".format(table, " with a depth" if found.without_depth else ""))
    if found.without_depth:
        words_ = "{}: {} rows have no depth (None), the first is row {}; they are left out"
        print(words_.format(table, len(found.without_depth), found.without_depth[0]), flush=True)
    for row in rows:
        if (row[3] is None) != (rows[0][3] is None):
            raise PipelineError("{}: row {}: some rows name a split and some do not".format(table, row[0]))
    if not any(os.path.exists(row[1]) for row in rows):
        hint = file_names.hint(rows[0][1], os.path.dirname(table))
        hint += "; folders are separated by /" if "\\" in rows[0][1] else ""
        raise PipelineError(
            "{}: none of its images is there, such as {}; paths start from the csv's folder{}".format(
                table, rows[0][1], hint
            )
        )
    return without_validation(rows, table)


def without_validation(rows: List[Pair], where: str) -> List[Pair]:
    """`rows` with those of the split val for the test where none is; else without them, which is said."""
    if not any(row[3] == pair_lists.VAL for row in rows):
        return rows
    if not any(row[3] == TEST for row in rows):
        return [row[:3] + (TEST if row[3] == pair_lists.VAL else row[3],) for row in rows]
    kept = [row for row in rows if row[3] != pair_lists.VAL]
    print("{}: {} pairs of the split val are left out".format(where, len(rows) - len(kept)), flush=True)
    return kept


def _csv_fault(table, number, line, reason):
    where = "{}: row {}".format(table, number)
    if reason != "one":
        return "{}: {}".format(where, reason)
    parted = "; fields must be separated by commas, tabs or spaces" if ";" in line else ""
    words_ = "{}: {!r} is not `rgb file,depth file` or `rgb file,depth file,train|test`{}"
    return words_.format(where, line[:80], parted)


def _csv_row(table, line):
    """(number, picture, depth, split or None) of a line of the csv."""
    where, folder = "{}: row {}".format(table, line.number), os.path.dirname(table)
    rgb, depth = (_found(folder, os.path.expanduser(name)) for name in (line.rgb, line.depth))
    _check_suffix(rgb, RGB_SUFFIXES, where)
    _check_suffix(depth, DEPTH_SUFFIXES, where)
    return line.number, rgb, depth, line.split


def _found(folder, name):
    """The path of `name` from `folder`; one with a leading / that is not there counts from the folder as well."""
    inside = os.path.join(folder, name.lstrip("/"))
    if name.startswith("/") and not os.path.exists(name) and os.path.exists(inside):
        return inside
    return os.path.join(folder, name)


def _refuse(faults):
    """Raise PipelineError with the first of `faults`; of several each is named in a line before."""
    if len(faults) > 1:
        print("\n".join(faults[:_NAMED]), flush=True)
        more = "" if len(faults) <= _NAMED else "the first {} ".format(_NAMED)
        raise PipelineError("{}; {} rows are faulty, {}named above".format(faults[0], len(faults), more))
    if faults:
        raise PipelineError(faults[0])


def _check_suffix(path, suffixes, where):
    if not path.lower().endswith(suffixes):
        header = "; a header must be `rgb,depth` or `rgb,depth,split`" if where.endswith("row 1") else ""
        raise PipelineError("{}: {} does not end in {}{}".format(where, path, ", ".join(suffixes), header))


def _folder_rows(rgb, depth):
    if os.path.realpath(rgb) == os.path.realpath(depth):
        raise PipelineError("{}: rgb and depth lie in one folder; give two folders, or a csv".format(rgb))
    pictures, depths = _by_name(rgb, RGB_SUFFIXES), _by_name(depth, DEPTH_SUFFIXES)
    for here, there, folder, other in ((pictures, depths, rgb, depth), (depths, pictures, depth, rgb)):
        alone = sorted(set(here) - set(there))
        if alone:
            near = file_names.nearest(alone[0], there)
            hint = "; did you mean {}?{}".format(there[near], file_names.form_hint(alone[0], near)) if near else ""
            raise PipelineError(
                "{}: {} has no partner of the same name in {} ({} of {} files have none){}".format(
                    folder, here[alone[0]], other, len(alone), len(here), hint
                )
            )
    given = _given_by_folders(rgb, pictures)
    return [
        (number, pictures[name], depths[name], name.partition("/")[0] if given else None)
        for number, name in enumerate(sorted(pictures), 1)
    ]


def _given_by_folders(folder, pictures):
    """Whether all `pictures` ({path below `folder` without suffix: path}) lie in its folders `train` and `test`.

    Raises PipelineError where others stand beside such folders: a drawn split would mix what is kept apart.
    """
    tops, odd = set(), set()
    for name, path in pictures.items():
        top, below, _ = name.partition("/")
        tops.update([top] if below else [])
        if not below or top not in (TRAIN, TEST):
            odd.add(top + "/" if below else os.path.basename(path))
    if odd and any(top.lower() in _SPLIT_FOLDERS for top in tops):
        named = ", ".join(sorted(odd)[:5]) + (", ..." if len(odd) > 5 else "")
        raise PipelineError(
            "{}: a split by folders needs all images in `train` and `test`, but there is {}; rename or take it out, "
            "here and in the folder of the depths, or give a csv with a third column".format(folder, named)
        )
    return not odd


def _by_name(folder, suffixes):
    """{path below the folder, without its suffix: path} of the files with one of `suffixes`."""
    if not os.path.isdir(folder):
        raise PipelineError("{}: no such folder{}".format(folder, file_names.hint(folder)))
    found: Dict[str, str] = {}
    others = file_names.left_out(folder, suffixes)
    for path in file_names.files_below(folder):
        stem, suffix = os.path.splitext(path)
        if suffix.lower() not in suffixes:
            continue
        _check_name(path)
        key = os.path.relpath(stem, folder).replace(os.sep, "/")
        if key in found:
            raise PipelineError(
                "{}: {} and {} have one name; rename one, or, where they are image and depth in one folder, give two "
                "folders or a csv".format(folder, found[key], path)
            )
        found[key] = path
    if not found:
        more = "; {}".format(others) if others else ""
        raise PipelineError("{}: has no file that ends in {}{}".format(folder, ", ".join(suffixes), more))
    if others:
        print(files.printable(others), flush=True)
    return found


def _check_name(path):
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        raise PipelineError(
            "{}: a name that is not UTF-8; rename the file or folder".format(files.printable(path))
        ) from None


def _drawn(count, share, seed, where):
    """The places of the pairs that are kept for the test."""
    if not 0 < share < 1:
        raise PipelineError("test_share {}: must lie between 0 and 1".format(share))
    number = max(1, round(count * share))
    if number >= count:
        raise PipelineError("{}: {} pairs leave none to train on".format(where, count))
    return set(np.random.RandomState(seed).permutation(count)[:number].tolist())
