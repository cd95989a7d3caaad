"""How certain the report's figures are: intervals over the test images, and one network against another."""

import itertools

from ..evaluation import scoring, statistics
from ..evaluation.metric_table import BY_KEY, DECIDING
from . import wording
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
        (name, scoring.blocks(evaluation.content)["port"])
        for name, evaluation in wording.last_of_runs(findings) + wording.elsewhere(findings)
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
    _add_comparisons(page, blocks)


def _with_intervals(block):
    found = statistics.intervals(block)
    return tuple(
        "{} [{}, {}]".format(*map(wording.score, (block["metrics"][metric.key],) + found[metric.key]))
        if metric.key in found
        else BLANK
        for metric in _METRICS
    )


def _add_comparisons(page, blocks):
    compared = [
        (one, other, metric, figure)
        for (one, first), (other, second) in _pairs(blocks)
        if statistics.comparable(first, second)
        for metric, figure in _compared(first, second)
    ]
    if not compared:
        return
    chances = statistics.holm([figure["p"] for _, _, _, figure in compared])
    rows = [
        (one, other, metric.title)
        + ("{:+.4f}".format(figure["difference"]), "[{:+.4f}, {:+.4f}]".format(figure["low"], figure["high"]))
        + ("{:.4f}".format(chance), _verdict(metric, figure, chance))
        for (one, other, metric, figure), chance in zip(compared, chances)
    ]
    page.add("### One network against another")
    page.add(
        "B minus A on the same images: interval of the paired bootstrap, p of the paired permutation test, corrected "
        "for the {} comparisons of this table (Holm). A verdict needs p below {}.",
        *(len(rows), _SIGNIFICANT),
    )
    columns = ("A", "B", "metric", "difference", "95 % interval", "p", "verdict")
    page.add_table(rows, columns, numbers=("difference", "95 % interval", "p"))


def _pairs(blocks):
    if len(blocks) <= _MOST_FOR_ALL_PAIRS:
        return itertools.combinations(blocks, 2)
    best = max(blocks, key=lambda named: named[1]["metrics"][DECIDING.key])
    return ((best, other) for other in blocks if other is not best)


def _compared(first, second):
    found = statistics.compare(first, second)
    return [(metric, found[metric.key]) for metric in _METRICS if metric.key in found]


def _verdict(metric, figure, chance):
    if chance >= _SIGNIFICANT:
        return "no difference shown"
    return "B is better" if (figure["difference"] > 0) == metric.higher_is_better else "A is better"
