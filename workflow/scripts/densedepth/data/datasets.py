"""The list of pairs of a data set by name, in whichever of its forms it lies there; `custom_pairs` reads the pairs."""

from typing import Any, Dict, List, Tuple

import numpy as np

from ..errors import PipelineError
from .custom_pairs import FORMAT
from .forms.base import TEST, TRAIN, Form, Pair, numbered
from .forms.table import DATASETS
from .trees import Tree, open_tree, packed_advice


def listed(
    dataset: str,
    path: str,
    size: Tuple[int, int],
    max_depth: float,
    test_share: float = 0.1,
    seed: int = 0,
    tolerance: float = 0.02,
    test_size: str = "network",
) -> Dict[str, Any]:
    """The content of the list of the data set `dataset` (of `forms.table`) whose files are at `path`.

    Prints one line: which form it is, how many pairs, which unit, what is invalid. size, max_depth: as in
    `custom_list.listed`. test_share, seed: of the scenes that are kept for the test where the data set has no split.
    tolerance: seconds between the two files of a pair that are associated by time. test_size: of
    `custom_pairs.TEST_SIZES`. Raises PipelineError for a path that holds no known form, and for a form that is
    incomplete.
    """
    if dataset not in DATASETS:
        raise PipelineError("data.dataset {}: unknown; known are {}".format(dataset, ", ".join(sorted(DATASETS))))
    with open_tree(path) as tree:
        form, pairs = _recognised(dataset, tree, tolerance)
        given = any(pair.split for pair in pairs)
        if not given and pairs:
            pairs = _drawn(pairs, test_share, seed, path)
        _check(pairs, path)
        print(_told(form, tree, pairs), flush=True)
    content = {
        "format": FORMAT,
        "source": [path],
        "tree": path,
        "dataset": dataset,
        "form": form.words,
        "time_tolerance": tolerance,
        "split": "given" if given else "drawn",
        "size": list(size),
        "metres_per_unit": form.units[TRAIN],
        "max_depth_m": max_depth,
        "hole": 0,
        "depth": form.depth,
        "crop": form.crop,
        "test_size": test_size,
        "window": tuple(size) == form.window,
        "test_share": test_share,
        "seed": seed,
        "rows": [_entry(form, pair) for pair in pairs],
    }
    return content


def _entry(form: Form, pair: Pair) -> Dict[str, Any]:
    split = pair.split or TRAIN
    entry = {"row": pair.number, "rgb": pair.rgb, "depth": pair.depth, "split": split}
    more: Dict[str, Any] = {"mask": pair.mask, "bits": pair.bits}
    if form.units[split] != form.units[TRAIN]:
        more["metres_per_unit"] = form.units[split]
    return dict(entry, **{key: value for key, value in more.items() if value})


def _recognised(dataset: str, tree: Tree, tolerance: float) -> Tuple[Form, List[Pair]]:
    forms = DATASETS[dataset]
    for form in forms:
        pairs = form.find(tree, tolerance)
        if pairs:
            return form, pairs
    names = tree.names()
    raise PipelineError(
        "{}: not recognised as {}; it has {}; expected one of: {}{}".format(
            tree.path,
            dataset,
            ", ".join(names[:3]) + (", ..." if len(names) > 3 else "") if names else "no files",
            "; ".join("{} ({})".format(form.words, form.layout) for form in forms),
            packed_advice(tree.path),
        )
    )


def _told(form: Form, tree: Tree, pairs: List[Pair]) -> str:
    counts = ", ".join(
        "{} to {}".format(sum(pair.split == split for pair in pairs), words)
        for split, words in ((TRAIN, "train"), (TEST, "test"))
    )
    return "{}: recognised as {} in {}: {} pairs ({}), unit: {}, invalid = {}".format(
        tree.path, form.words, tree.words, len(pairs), counts, form.unit, form.invalid
    )


def _check(pairs: List[Pair], path: str) -> None:
    """Raise PipelineError where there is nothing to test on, or a file is in both splits."""
    if not any(pair.split == TEST for pair in pairs):
        raise PipelineError("{}: no pair is for the test; is a part of the data set missing?".format(path))
    trained = {pair.rgb for pair in pairs if pair.split == TRAIN}
    for pair in pairs:
        if pair.split == TEST and pair.rgb in trained:
            raise PipelineError(
                "{}: {} is for train and for test; the lists do not fit together: get them again".format(path, pair.rgb)
            )


def _drawn(pairs: List[Pair], share: float, seed: int, path: str) -> List[Pair]:
    """`pairs` with whole groups, about `share` of the pairs, for the test; of one group alone its last pairs."""
    wanted = max(1, round(len(pairs) * share))
    if wanted >= len(pairs):
        raise PipelineError("{}: {} pairs leave none to train on".format(path, len(pairs)))
    groups = sorted({pair.group for pair in pairs})
    if len(groups) == 1:
        return numbered(
            pair._replace(split=TEST if place >= len(pairs) - wanted else TRAIN) for place, pair in enumerate(pairs)
        )
    sizes = {group: sum(pair.group == group for pair in pairs) for group in groups}
    chosen, count = set(), 0
    for place in np.random.RandomState(seed).permutation(len(groups))[:-1]:
        if count >= wanted:
            break
        chosen.add(groups[place])
        count += sizes[groups[place]]
    return numbered(pair._replace(split=TEST if pair.group in chosen else TRAIN) for pair in pairs)
