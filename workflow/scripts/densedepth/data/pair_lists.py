"""Lists of pairs as text: `rgb depth [focal] [split]` a line, as csv or separated by tabs or spaces.

Blank lines, comments (`#`), a header, an index before the names and trailing separators are skipped. A depth of `None`
means that the image has none: such a line is left out. A number after the depth is a focal length in pixels, which
the training does not use. A split is train, val or test, in any case. A word after it, or after an
empty third field, is the scene. A header may name the columns `mask` (the file of a pair's mask) and `metres_per_unit`
(of its depth), anywhere behind the depth.
"""

import csv
import math
import re
from typing import Dict, Iterable, List, NamedTuple, Optional, Tuple

from .. import file_kinds
from ..errors import PipelineError

TRAIN, VAL, TEST = "train", "val", "test"
SPLITS = {
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("val", "valid", "validation"), VAL),
    **dict.fromkeys(("test", "testing"), TEST),
}
# Columns that a header may name.
_NAMED = ("mask", "metres_per_unit")
# First fields of a header.
_HEADERS = ("rgb", "image", "img", "picture", "color", "colour", "filename", "file", "index", "id", "")
_DEPTHS = re.compile(r"depth|gt|truth", re.IGNORECASE)
_COMMENT = "#"


class Line(NamedTuple):
    """One pair: the number of its line (from 1), the names of its files, its split, focal length, scene, mask and
    metres per unit of stored depth, each None where the line does not say."""

    number: int
    rgb: str
    depth: str
    split: Optional[str]
    focal: Optional[float]
    scene: Optional[str] = None
    mask: Optional[str] = None
    metres_per_unit: Optional[float] = None


class Parsed(NamedTuple):
    """The lines of a list; numbers of those without depth; what is wrong with others, (number, line, words)."""

    lines: List[Line]
    without_depth: List[int]
    faults: List[Tuple[int, str, str]]


def parse(text: str) -> Parsed:
    """The pairs of the list `text`."""
    found = Parsed([], [], [])
    first = True
    named: Dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith(_COMMENT):
            continue
        fields = _fields(line)
        was_first, first = first, False
        if was_first and _is_header(fields):
            columns = [field.lower() for field in fields]
            named = {name: columns.index(name) for name in _NAMED if name in columns}
            continue
        try:
            pair = _with_named(_line(number, _without(fields, named.values())), fields, named)
        except ValueError as error:
            found.faults.append((number, line, str(error)))
            continue
        if pair is None:
            found.without_depth.append(number)
        else:
            found.lines.append(pair)
    return found


def decoded(data: bytes, where: str) -> str:
    """The text of a list. Raises PipelineError for another kind of file, and for what is not UTF-8."""
    kind = file_kinds.of(data[:1024])
    if kind:
        raise PipelineError("{}: is {}, expected a list as text; get it again".format(where, kind))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PipelineError(
            '{}: is not text in UTF-8; save it as UTF-8 (a spreadsheet calls it "CSV UTF-8")'.format(where)
        ) from None


def _fields(line):
    if "," in line and "\0" not in line:
        # A line that csv cannot take apart has a quote that does not end.
        fields = next(csv.reader([line], strict=False))
    else:
        fields = line.split("\t") if "\t" in line else line.split()
    fields = [field.strip() for field in fields]
    while len(fields) > 1 and not fields[-1]:
        fields.pop()
    return fields


def _without(fields, places):
    """The fields that are at none of `places`, without empty ones at the end."""
    kept = [field for place, field in enumerate(fields) if place not in places]
    while len(kept) > 1 and not kept[-1]:
        kept.pop()
    return kept


def _with_named(pair, fields, named):
    """`pair` with what is in the columns `named`."""
    found = {name: fields[place] for name, place in named.items() if place < len(fields) and fields[place]}
    if pair is None or not found:
        return pair
    unit = _number(found["metres_per_unit"]) if "metres_per_unit" in found else None
    if "metres_per_unit" in found and not 0 < (unit or 0) < math.inf:
        raise ValueError("metres_per_unit {!r} is not a number above 0".format(found["metres_per_unit"][:40]))
    return pair._replace(mask=found.get("mask"), metres_per_unit=unit)


def _is_header(fields):
    return len(fields) > 1 and (
        (fields[0].lower() in _HEADERS and any(_DEPTHS.search(field) and "." not in field for field in fields[1:]))
        or [field.lower() for field in fields[:2]] == ["rgb", "depth"]
    )


def _line(number, fields):
    if "\0" in "".join(fields):
        raise ValueError("holds a NUL byte; save the list as text in UTF-8")
    if len(fields) > 2 and _number(fields[0]) is not None and "." in fields[2]:
        # An index, as pandas writes it before the names.
        fields = fields[1:]
    if len(fields) < 2 or not all(fields[:2]):
        raise ValueError("one")
    split = focal = scene = None
    for place, field in enumerate(fields[2:]):
        value = _number(field)
        if field.lower() in SPLITS and split is None:
            split = SPLITS[field.lower()]
        elif value is not None and focal is None:
            focal = value
        elif field and place and scene is None and field.lower() not in SPLITS:
            scene = field
        elif field:
            raise ValueError("split {!r} is none of train, val, test".format(field) if len(fields) == 3 else "one")
    if fields[1].lower() == "none":
        return None
    return Line(number, fields[0], fields[1], split, focal, scene)


def _number(word):
    try:
        return float(word)
    except ValueError:
        return None


def nearest_in_time(
    first: Iterable[Tuple[float, str]], second: Iterable[Tuple[float, str]], tolerance: float
) -> List[Tuple[str, str]]:
    """Pairs of names whose times (s) are nearest to one another, at most `tolerance` apart, in the order of time.

    As the tools of TUM RGB-D do it: of all possible pairs the nearest in time is taken first, each file once.
    """
    left, right = sorted(first), sorted(second)
    near, start = [], 0
    for i, (time, _) in enumerate(left):
        while start < len(right) and right[start][0] < time - tolerance:
            start += 1
        j = start
        while j < len(right) and right[j][0] <= time + tolerance:
            near.append((abs(right[j][0] - time), i, j))
            j += 1
    used_left, used_right, pairs = set(), set(), []
    for _, i, j in sorted(near):
        if i not in used_left and j not in used_right:
            used_left.add(i)
            used_right.add(j)
            pairs.append((i, j))
    return [(left[i][1], right[j][1]) for i, j in sorted(pairs)]


def stamped(text: str, where: str) -> List[Tuple[float, str]]:
    """[(time in s, name)] of a file `timestamp name` such as TUM's rgb.txt. Raises PipelineError with the line."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if not fields or line.lstrip().startswith(_COMMENT):
            continue
        time = _number(fields[0])
        if time is None or len(fields) < 2:
            raise PipelineError("{}: line {} is not `timestamp file`: {!r}".format(where, number, line[:80]))
        found.append((time, fields[1]))
    if not found:
        raise PipelineError("{}: names no files; get it again".format(where))
    return found
