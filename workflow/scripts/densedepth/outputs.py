"""Where a program may write: not over what it reads, not twice to one file, and over no file of others."""

import glob
import os
import re
from typing import Dict, Iterable

from .errors import PipelineError


def check_paths(written: Dict[str, str], read: Iterable[str]) -> None:
    """Raise PipelineError where two of the `written` paths, which are given by flag, are one, or one is `read`.

    read: paths or patterns; what is not there is none, so that other words may be among them.
    """
    seen: Dict[str, str] = {}
    for flag, path in written.items():
        real = os.path.realpath(path)
        if real in seen:
            words = "{} {}: is also what {} writes; give another name"
            raise PipelineError(words.format(flag, path, seen[real]))
        seen[real] = flag
    there = {flag: path for flag, path in written.items() if os.path.exists(path)}
    for word in read if there else ():
        # A name that exists is taken as it is, even with brackets in it.
        for path in [word] if os.path.exists(word) else glob.glob(word, recursive=True):
            for flag, target in there.items():
                if os.path.exists(path) and os.path.samefile(path, target):
                    raise PipelineError("{} {}: would replace what is read; give another name".format(flag, target))


def check_new(paths: Iterable[str]) -> None:
    """Raise PipelineError where one of the files to write is there."""
    for path in paths:
        if os.path.lexists(path):
            raise PipelineError("{}: is there already; move it elsewhere, or give another --out".format(path))


def check_place(flag: str, folder: str) -> None:
    """Raise PipelineError where `folder`, given by `flag`, neither is one nor can be made."""
    place = folder
    while not os.path.lexists(place):
        place = os.path.dirname(os.path.abspath(place))
    if not os.path.isdir(place):
        what = "a file" if os.path.exists(place) else "a link to what is not there"
        where = "" if place == folder else "{} ".format(place)
        raise PipelineError("{} {}: {}is {}; give another folder".format(flag, folder, where, what))


def check_folder(folder: str, names: str, side: str) -> None:
    """Raise PipelineError where `folder`, to be replaced whole, is there, not empty, and not of the same program.

    names: regular expression of the paths in it that the program writes, with `/`; side: the file that tells it is
    the program's.
    """
    check_place("folder", folder)
    found = []
    for place, folders, others in os.walk(folder):
        # Links to folders are not walked into: they are themselves what would be lost.
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]
        found += [os.path.relpath(os.path.join(place, name), folder) for name in others + links]
    foreign = sorted(name for name in found if not re.fullmatch(names, name))
    if found and side not in found:
        foreign = foreign or sorted(found)
    if foreign:
        words = "{}: would be replaced, and holds {}, which this program has not made; move that elsewhere, or give "
        raise PipelineError((words + "another folder").format(folder, foreign[0]))
