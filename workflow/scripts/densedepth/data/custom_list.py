"""The list of custom RGB-D pairs: made once of a csv or of two folders, for `custom_pairs` to read pair by pair."""

import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from .. import file_names, files
from ..errors import PipelineError
from . import array_files, pair_lists, scene_split
from .custom_pairs import FORMAT, TEST, TRAIN, VALIDATION
from .pair_files import words


class Pair(NamedTuple):
    """A row, its image and depth, what they are for, their scene, mask and unit; None where it does not say."""

    row: int
    rgb: str
    depth: str
    split: Optional[str] = None
    scene: Optional[str] = None
    mask: Optional[str] = None
    metres_per_unit: Optional[float] = None


# Names of folders, in lower case, by which somebody means a split.
_SPLIT_FOLDERS = {TRAIN, TEST, "training", "testing", "val", "valid", "validation"}

RGB_SUFFIXES = (".jpg", ".jpeg", ".png", ".npy")
DEPTH_SUFFIXES = array_files.SUFFIXES

# Faulty rows of a csv, or files without a partner, that are named one by one.
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
    validation: scene_split.Choice = scene_split.NONE,
    test_size: str = "network",
) -> Dict[str, Any]:
    """The content of a list: of the csv `table`, or of the folders `rgb` and `depth`.

    size: (height, width) that the images are brought to. metres_per_unit: metres per unit of stored depth.
    max_depth: metres; this depth and greater ones are invalid. hole: stored value that means none was measured; values
    that are not finite or not above zero always do. test_metres_per_unit: of the test pairs, 0 for the same. stored:
    what else the stored depth means, as `stored_depth.SCHEMA`. test_size: of `custom_pairs.TEST_SIZES`.

    The split is given by the third column of the csv, or by folders `train` and `test` in which all images of the two
    folders lie; else `test_share` of the pairs, at least one, is drawn by `seed`. What `validation` chooses is taken
    out of the pairs to train on. Raises PipelineError with file and row for what is not there or not unique, for a file
    that is for two splits, and for folders that only look like a split; and for a number that cannot be.
    """
    _check_numbers(metres_per_unit, max_depth, hole)
    rows = _csv_rows(table, _is_table(validation.csv, table)) if table else _folder_rows(rgb, depth)
    where = table or rgb
    given = {row.split for row in rows} != {None}
    if not given:
        drawn = _drawn(len(rows), test_share, seed, where)
        rows = [row._replace(split=TEST if place in drawn else TRAIN) for place, row in enumerate(rows)]
    rows = _validated(rows, table, where, validation) if validation else rows
    for split in (TRAIN, TEST):
        if not any(row[3] == split for row in rows):
            raise PipelineError("{}: no pair is for {}; both train and test are needed".format(where, split))
    _check_leaks(rows, where, TRAIN, TEST)
    if validation:
        _check_leaks(rows, where, TRAIN, VALIDATION)
        _check_leaks(rows, where, VALIDATION, TEST)
    units = {TEST: test_metres_per_unit or None}
    more: Dict[str, Any] = {"depth": dict(stored, invalid=[hole, *stored.get("invalid", ())])} if stored else {}
    more.update({"test_size": test_size} if test_size == "own" else {})
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
        "rows": [_entry(row, row.metres_per_unit or units.get(row.split)) for row in rows],
    }


def _entry(row, unit):
    """A row as the list has it; `unit` of its own, or None."""
    more = {"mask": row.mask, "metres_per_unit": unit}
    entry = {"row": row.row, "rgb": row.rgb, "depth": row.depth, "split": row.split}
    return dict(entry, **{key: value for key, value in more.items() if value})


def _validated(rows, table, where, choice):
    """The rows with those for the validation marked, or added."""
    if not choice.csv:
        train = [row for row in rows if row.split == TRAIN]
        taken = scene_split.chosen([row.scene or scene_split.scene_of(row.rgb) for row in train], choice, where)
        chosen = {train[place] for place in taken}
        return [row._replace(split=VALIDATION) if row in chosen else row for row in rows]
    rows = rows if _is_table(choice.csv, table) else _with_list(rows, _csv_rows(choice.csv, True), choice.csv)
    if not any(row.split == VALIDATION for row in rows):
        raise PipelineError("{}: data.validation.csv: no row is for validation".format(choice.csv))
    named = [row for row in rows if row.scene and row.split != TEST]
    scene_split.check_apart(((row.row, row.scene, row.split == VALIDATION) for row in named), choice.csv)
    return rows


def _is_table(path, table):
    return bool(path and table) and os.path.realpath(path) == os.path.realpath(table)


def _with_list(rows, listed, path):
    """The rows without those of the csv `path`, which follow, for validation."""
    odd = next((row for row in listed if row.split not in (None, VALIDATION)), None)
    if odd:
        words_ = "{}: row {}: is for {}, but the file lists the validation"
        raise PipelineError(words_.format(path, odd.row, odd.split))
    pairs = {(_which(row.rgb), _which(row.depth)) for row in listed}
    kept = [row for row in rows if row.split == TEST or (_which(row.rgb), _which(row.depth)) not in pairs]
    return kept + [row._replace(split=VALIDATION) for row in listed]


def _check_numbers(metres_per_unit, max_depth, hole):
    for key, value in (("metres_per_unit", metres_per_unit), ("max_depth", max_depth)):
        if not 0 < value < np.inf:
            raise PipelineError("{} {}: must be a finite number above 0".format(key, value))
    if not np.isfinite(hole):
        raise PipelineError(
            "invalid {}: must be a finite number; values that are not finite are always invalid".format(hole)
        )


def _check_leaks(rows, where, here, there):
    """Raise PipelineError for a file that is for the splits `here` and `there`, whatever links or paths lead to it."""
    known = {_which(path): (row.row, path) for row in rows if row.split == here for path in (row.rgb, row.depth)}
    for row in rows:
        for path in (row.rgb, row.depth) if row.split == there else ():
            number, other = known.get(_which(path), (None, None))
            if number is not None:
                raise PipelineError(
                    "{}: row {}: {} is for {}, and in row {} for {}{}; the {} must be on images that were not "
                    "{} on: take one of the rows out, or have both for the same".format(
                        *(where, row.row, path, there, number, here, "" if other == path else " as {}".format(other)),
                        *(there, "trained" if here == TRAIN else "validated"),
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


def _csv_rows(table, validates=False):
    """The pairs of the csv; validates: whether those of the split val are for the validation."""
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
        if (row.split is None) != (rows[0].split is None):
            raise PipelineError("{}: row {}: some rows name a split and some do not".format(table, row.row))
    if not any(os.path.exists(row.rgb) for row in rows):
        hint = file_names.hint(rows[0].rgb, os.path.dirname(table))
        hint += "; folders are separated by /" if "\\" in rows[0].rgb else ""
        raise PipelineError(
            "{}: none of its images is there, such as {}; paths start from the csv's folder{}".format(
                table, rows[0].rgb, hint
            )
        )
    if validates:
        return [row._replace(split=VALIDATION) if row.split == pair_lists.VAL else row for row in rows]
    return without_validation(rows, table)


def without_validation(rows: List[Pair], where: str) -> List[Pair]:
    """`rows` with those of the split val for the test where none is; else without them, which is said."""
    if not any(row.split == pair_lists.VAL for row in rows):
        return rows
    if not any(row.split == TEST for row in rows):
        return [row._replace(split=TEST) if row.split == pair_lists.VAL else row for row in rows]
    kept = [row for row in rows if row.split != pair_lists.VAL]
    words_ = "{}: {} pairs of the split val are left out; data.validation.csv set to this file validates by them"
    print(words_.format(where, len(rows) - len(kept)), flush=True)
    return kept


def _csv_fault(table, number, line, reason):
    where = "{}: row {}".format(table, number)
    if reason != "one":
        return "{}: {}".format(where, reason)
    parted = "; fields must be separated by commas, tabs or spaces" if ";" in line else ""
    words_ = "{}: {!r} is not `rgb file,depth file` or `rgb file,depth file,train|test`{}"
    return words_.format(where, line[:80], parted)


def _csv_row(table, line):
    """The pair in a line of the csv."""
    where, folder = "{}: row {}".format(table, line.number), os.path.dirname(table)
    rgb, depth = (_found(folder, os.path.expanduser(name)) for name in (line.rgb, line.depth))
    _check_suffix(rgb, RGB_SUFFIXES, where)
    _check_suffix(depth, DEPTH_SUFFIXES, where)
    mask = _found(folder, os.path.expanduser(line.mask)) if line.mask else None
    if mask:
        _check_suffix(mask, DEPTH_SUFFIXES, where)
    return Pair(line.number, rgb, depth, line.split, line.scene, mask, line.metres_per_unit)


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
        _refuse_alone(here, there, folder, other)
    given = _given_by_folders(rgb, pictures)
    return [
        Pair(number, pictures[name], depths[name], name.partition("/")[0] if given else None)
        for number, name in enumerate(sorted(pictures), 1)
    ]


def _refuse_alone(here, there, folder, other):
    """Raise PipelineError for the files `here` ({name: path}) of `folder` without one `there`, in `other`."""
    alone, lines = sorted(set(here) - set(there)), []
    for name in alone[:_NAMED]:
        near = file_names.nearest(name, there)
        hint = "; did you mean {}?{}".format(there[near], file_names.form_hint(name, near)) if near else ""
        lines.append("{}: {} has no partner of the same name in {}{}".format(folder, here[name], other, hint))
    if not alone:
        return
    named = ""
    if len(alone) > 1:
        print("\n".join(lines), flush=True)
        named = ", {}named above".format("" if len(alone) <= _NAMED else "the first {} ".format(_NAMED))
    words_ = "{}; {} of {} files have none{}; add what is missing, or list the pairs in a csv (data.custom.csv)"
    raise PipelineError(words_.format(lines[0], len(alone), len(here), named))


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
