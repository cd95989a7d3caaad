"""What a form of a data set is: which files are its pairs, and what the stored depth means.

A form is a module with a `FORM`, and a row of `table.FORMS`. Its `find` gets the files by name and returns the pairs,
None where they are not of this form; it raises PipelineError, with the way out, for one that is incomplete.
"""

import posixpath
import re
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Optional, Pattern, Sequence, Tuple

from ...errors import PipelineError
from .. import pair_lists
from ..trees import Tree

TRAIN, TEST = pair_lists.TRAIN, pair_lists.TEST


class Pair(NamedTuple):
    """One pair: its number within the split (from 1), the locators of its files (see `trees`), and more.

    split: None where the data set has none of its own. group: what must not be in both splits, such as a scene. mask:
    the locator of its mask, if any. bits: of the stored depth, 8 or 16, where another number would be another unit.
    """

    number: int
    rgb: str
    depth: str
    split: Optional[str] = None
    group: str = ""
    mask: str = ""
    bits: Optional[int] = None


class Form(NamedTuple):
    """A form of a data set.

    words: completes "recognised as". layout: the files that make it, for messages and pages. units: metres per unit of
    stored depth, by split. depth: as `stored_depth.SCHEMA`. crop: what its test looks at, of images of a size:
    {"size": [height, width], "rows": [first, last], "columns": [first, last]}. window: the size (height, width) for
    which images are cut at the bottom in the middle, not resized, as peers do. source: of what is said here.
    """

    dataset: str
    words: str
    layout: str
    find: Callable[[Tree, float], Optional[List[Pair]]]
    units: Dict[str, float]
    unit: str
    invalid: str
    source: str
    depth: Dict[str, Any]
    crop: Optional[Dict[str, Any]] = None
    window: Optional[Tuple[int, int]] = None


def numbered(pairs: Iterable[Pair]) -> List[Pair]:
    """`pairs` with numbers from 1 in each split."""
    counts: Dict[Optional[str], int] = {}
    found = []
    for pair in pairs:
        counts[pair.split] = counts.get(pair.split, 0) + 1
        found.append(pair._replace(number=counts[pair.split]))
    return found


def by_pattern(
    tree: Tree,
    pictures: Pattern[str],
    depth: str,
    split: Callable[[Any], Optional[str]] = lambda match: None,
    group: str = "",
    mask: str = "",
) -> Optional[List[Pair]]:
    """The pairs whose images' names match `pictures`; None where there are none, or none with its depth.

    depth, mask, group: templates of the names of the pattern's groups, such as `{root}depth/{stem}.png`. split: of a
    match; an image for which it is `skip` is left out.
    """
    names, found, used = set(tree.names()), [], set()
    for name in tree.names():
        match = pictures.match(name)
        if not match:
            continue
        parts = {key: value or "" for key, value in match.groupdict().items()}
        used.add(depth.format(**parts))
        which = split(match)
        if which != SKIP:
            found.append(
                Pair(0, name, depth.format(**parts), which, group.format(**parts), mask.format(**parts) if mask else "")
            )
    if not any(pair.depth in names for pair in found):
        return None
    shape = re.compile(".*".join(map(re.escape, re.split(r"\{\w+\}", depth))))
    alone = [name for name in tree.names() if name not in used and shape.fullmatch(name)]
    if alone:
        words = "{}: {} depth files have no image, such as {}; is a part of the data set missing?"
        print(words.format(tree.path, len(alone), alone[0]), flush=True)
    return numbered(found)


SKIP = "skip"


def split_of(word: str) -> Optional[str]:
    """train or test for a folder's name in any case (val, valid and validation are the test); None for others."""
    found = pair_lists.SPLITS.get(word.lower())
    return TEST if found == pair_lists.VAL else found


def of_lists(
    tree: Tree,
    lists: Sequence[Tuple[str, str]],
    bits: Optional[int] = None,
    edited: Callable[[str], str] = lambda text: text,
) -> List[Pair]:
    """The pairs of text lists, [(name in the tree, split)]; numbers are their lines. See `pair_lists`.

    edited: makes of the text of a list the one that is read, line by line.
    Raises PipelineError for a faulty line, and where no file of a list is there.
    """
    found: List[Pair] = []
    for name, split in lists:
        where = "{}: {}".format(tree.path, name)
        parsed = pair_lists.parse(edited(pair_lists.decoded(tree.read(name), where)))
        if parsed.faults:
            number, line, words = parsed.faults[0]
            reason = "is not `rgb depth`" if words == "one" else words
            cut = "; is the list cut off? Get it again"
            raise PipelineError("{}: row {} {}: {!r}{}".format(where, number, reason, line[:80], cut))
        if not parsed.lines:
            raise PipelineError("{}: names no pairs; get it again".format(where))
        if parsed.without_depth:
            words = "{}: {} rows have no depth (None) and are left out, the first is row {}"
            print(words.format(where, len(parsed.without_depth), parsed.without_depth[0]), flush=True)
        rgb = resolved(tree, [line.rgb for line in parsed.lines], name)
        depth = resolved(tree, [line.depth for line in parsed.lines], name)
        found += [
            Pair(line.number, one, two, split, posixpath.dirname(one), "", bits)
            for line, one, two in zip(parsed.lines, rgb, depth)
        ]
    return found


def resolved(tree: Tree, listed: Sequence[str], list_name: str) -> List[str]:
    """The names in the tree of the files that the list `list_name` calls `listed`.

    A list may start from any folder: a name stands for the file whose path ends in it. Where no name of a list is
    found, the first folder of all is taken off. A file that is not there is named as if it lay where the first one
    lies, so that the reading of its pair tells. Raises PipelineError where none is there, and where a name stands for
    two files.
    """
    clean = [_clean(name) for name in listed]
    index: Dict[str, List[str]] = {}
    for name in tree.names():
        index.setdefault(posixpath.basename(name), []).append(name)
    folder = posixpath.dirname(list_name)
    for taken in range(max(name.count("/") for name in clean) + 1):
        short = [name.split("/", taken)[-1] if name.count("/") > taken else name for name in clean]
        found = [_match(tree, index, name, folder) for name in short]
        if any(found):
            before = next(one[: -len(name)] for one, name in zip(found, short) if one)
            return [one or before + name for one, name in zip(found, short)]
    words = "{}: none of the files that {} names is there, such as {}; put the list and the images into one folder"
    raise PipelineError(words.format(tree.path, list_name, listed[0]))


def _clean(name):
    name = posixpath.normpath(name.replace("\\", "/"))
    while name.startswith(("/", "../")):
        name = name.lstrip("/") if name.startswith("/") else name[3:]
    return name


def _match(tree, index, name, folder):
    """The file whose path ends in `name`; of several the one that is nearest to `folder`."""
    found = [one for one in index.get(posixpath.basename(name), ()) if one == name or one.endswith("/" + name)]
    if len(found) > 1:
        found.sort(key=lambda one: -_shared(one, folder))
        if _shared(found[0], folder) == _shared(found[1], folder):
            raise PipelineError("{}: {} may be {} or {}; take one of them out".format(tree.path, name, *found[:2]))
    return found[0] if found else None


def _shared(name, folder):
    """The number of folders from the top that `name` and `folder` have in common."""
    same = [one == other for one, other in zip(posixpath.dirname(name).split("/"), folder.split("/"))]
    return (same + [False]).index(False)


def ending(tree: Tree, pattern: str) -> List[str]:
    """The names in the tree whose last part matches `pattern`."""
    compiled = re.compile(pattern)
    return [name for name in tree.names() if compiled.fullmatch(posixpath.basename(name))]
