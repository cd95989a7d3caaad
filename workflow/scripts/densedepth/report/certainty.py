"""How certain the report's figures are: intervals over the test images, and one network against another."""

import itertools
from typing import Any, Dict, List, NamedTuple, Tuple

from ..evaluation import documents, statistics
from ..evaluation.metric_table import BY_KEY, DECIDING
from . import groups, wording
from .findings import Findings
from .page import BLANK, Page

# What a comparison is about; the other figures say much the same again.
_METRICS = [BY_KEY[key] for key in ("delta1", "rel_truth", "rms_pooled")]

# More networks are each compared with the best alone: all pairs would be a table that nobody reads.
_MOST_FOR_ALL_PAIRS = 4

_SIGNIFICANT = 0.05


def add(page: Page, findings: Findings) -> None:
    """Add the section on the last checkpoints; none where too few images were measured."""
    blocks = [
        (name, documents.blocks(evaluation.content)["port"])
        for name, evaluation in wording.exported_of_runs(findings) + wording.elsewhere(findings)
    ]
    blocks = [(name, block) for name, block in blocks if len(block["per_image"]) >= statistics.FEWEST]
    if not blocks:
        return
    page.add("## Certainty")
    page.add(
        "95 % bootstrap intervals over the test images (BCa, {} resamples): how far a figure would move with other "
        "images of the same kind. What another training of the same network would give is not in them.",
        statistics.RESAMPLES,
    )
    titles = tuple(metric.title for metric in _METRICS)
    rows = [(name,) + _with_intervals(block) for name, block in blocks]
    page.add_table(rows, ("",) + titles, numbers=titles)
    _add_comparisons(page, _sides(findings))


class _Side(NamedTuple):
    """A network, or a group of runs, that is compared with another."""

    name: str
    blocks: List[Dict[str, Any]]

    def mean(self, metric):
        return statistics.spread([block["metrics"][metric.key] for block in self.blocks])[0]


def _sides(findings):
    sides = []
    for group in groups.of(findings):
        name = group.label if len(group.runs) > 1 else wording.exported_of_run(group.runs[0])[0]
        sides.append(_Side(name, group.blocks()))
    sides += [_Side(name, [documents.blocks(one.content)["port"]]) for name, one in wording.elsewhere(findings)]
    return [side for side in sides if all(len(block["per_image"]) >= statistics.FEWEST for block in side.blocks)]


def _with_intervals(block):
    found = statistics.intervals(block)
    return tuple(
        "{} [{}, {}]".format(*map(wording.score, (block["metrics"][metric.key],) + found[metric.key]))
        if metric.key in found
        else BLANK
        for metric in _METRICS
    )


def _add_comparisons(page, sides):
    compared = [
        (one, other, metric, figure)
        for one, other in _pairs(sides)
        if all(statistics.comparable(one.blocks[0], block) for block in [*one.blocks, *other.blocks])
        for metric, figure in _compared(one, other)
    ]
    if not compared:
        return
    chances = statistics.holm([figure["p"] for _, _, _, figure in compared])
    of_seeds = _of_seeds(compared)
    rows = []
    for (one, other, metric, figure), chance, seeds in zip(compared, chances, of_seeds):
        row = [one.name, other.name, metric.title, "{:+.4f}".format(figure["difference"]), _interval(figure)]
        row.append("{:.4f}".format(chance))
        if any(of_seeds):
            row += [_interval(seeds), "{:.4f}".format(seeds["p"])] if seeds else [BLANK, BLANK]
        rows.append((*row, _verdict(metric, figure, chance, seeds)))
    page.add("### One network against another")
    page.add(
        "B minus A on the same images: interval of the paired bootstrap, p of the paired permutation test, corrected "
        "for the {} comparisons of this table (Holm). A verdict needs p below {}.",
        *(len(rows), _SIGNIFICANT),
    )
    columns: Tuple[str, ...] = ("A", "B", "metric", "difference", "95 % interval", "p")
    if any(of_seeds):
        page.add(
            "A group of seeds counts with the mean of its runs. Between two groups, interval and p over seeds (Welch's "
            "t test, Holm) are for other trainings on these images; a verdict needs both."
        )
        columns += ("95 % interval over seeds", "p over seeds")
    page.add_sortable(rows, columns + ("verdict",), numbers=columns[3:])


def _pairs(sides):
    if len(sides) <= _MOST_FOR_ALL_PAIRS:
        return itertools.combinations(sides, 2)
    best = max(sides, key=lambda side: side.mean(DECIDING))
    return ((best, other) for other in sides if other is not best)


def _compared(one, other):
    found = statistics.compare_groups(one.blocks, other.blocks)
    return [(metric, found[metric.key]) for metric in _METRICS if metric.key in found]


def _of_seeds(compared):
    """For each comparison what the spread of both groups tells, with its p corrected; None where one has none."""
    found = [
        statistics.welch(*([block["metrics"][metric.key] for block in side.blocks] for side in (one, other)))
        if min(len(one.blocks), len(other.blocks)) > 1
        else None
        for one, other, metric, _ in compared
    ]
    chances = iter(statistics.holm([seeds["p"] for seeds in found if seeds]))
    return [dict(seeds, p=next(chances)) if seeds else None for seeds in found]


def _interval(figure):
    return "[{:+.4f}, {:+.4f}]".format(figure["low"], figure["high"])


def _verdict(metric, figure, chance, seeds):
    if chance >= _SIGNIFICANT:
        return "no difference shown"
    if seeds and seeds["p"] >= _SIGNIFICANT:
        return "no more than seeds differ"
    return "B is better" if (figure["difference"] > 0) == metric.higher_is_better else "A is better"
