"""TUM RGB-D: sequences with `rgb.txt` and `depth.txt`, whose files are associated by time, or a list `t rgb t depth`.

There is no split: whole sequences are drawn for the test, of one sequence its last pairs.
"""

import posixpath

from ...errors import PipelineError
from .. import pair_lists
from .base import TEST, TRAIN, Form, Pair, ending, numbered


def _find(tree, tolerance):
    pairs = []
    associated = {posixpath.dirname(name): name for name in ending(tree, r"assoc.*\.txt")}
    for name in ending(tree, r"rgb\.txt"):
        folder = posixpath.dirname(name)
        if folder in associated:
            continue
        other = posixpath.join(folder, "depth.txt")
        if other not in tree.names():
            raise PipelineError(
                "{}: has {}, but no {} beside it; get the sequence again".format(tree.path, name, other)
            )
        rgb, depth = (pair_lists.stamped(_text(tree, one), _where(tree, one)) for one in (name, other))
        matched = pair_lists.nearest_in_time(rgb, depth, tolerance)
        if not matched:
            raise PipelineError(
                "{}: no two times differ by at most {} s; set data.custom.time_tolerance".format(
                    _where(tree, name), tolerance
                )
            )
        if len(matched) < len(rgb):
            words = "{}: {} of {} images have no depth within {} s"
            print(words.format(_where(tree, name), len(rgb) - len(matched), len(rgb), tolerance), flush=True)
        pairs += [_pair(folder, *names) for names in matched]
    for name in ending(tree, r"depth\.txt"):
        other = posixpath.join(posixpath.dirname(name), "rgb.txt")
        if posixpath.dirname(name) not in associated and other not in tree.names():
            words = "{}: has {}, but no {} beside it; get the sequence again"
            raise PipelineError(words.format(tree.path, name, other))
    for folder, name in sorted(associated.items()):
        for number, line in enumerate(_text(tree, name).splitlines(), 1):
            fields = line.split()
            if fields and not line.startswith("#"):
                if len(fields) != 4:
                    words = "{}: line {} is not `time rgb time depth`: {!r}"
                    raise PipelineError(words.format(_where(tree, name), number, line[:80]))
                pairs.append(_pair(folder, fields[1], fields[3]))
    return numbered(pairs) or None


def _text(tree, name):
    return pair_lists.decoded(tree.read(name), _where(tree, name))


def _where(tree, name):
    return "{}: {}".format(tree.path, name)


def _pair(folder, rgb, depth):
    return Pair(0, posixpath.join(folder, rgb), posixpath.join(folder, depth), None, folder, "", 16)


FORM = Form(
    "tum",
    "TUM RGB-D",
    "rgb.txt, depth.txt, rgb/*.png, depth/*.png (or associations.txt) in a folder a sequence",
    _find,
    {TRAIN: 1 / 5000, TEST: 1 / 5000},
    "5000 = 1 m",
    "0",
    "cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats",
    {"invalid": [0]},
)
