"""Runs side by side: what differs between their settings, and what came of it."""

import os

from .. import run_settings
from ..evaluation import statistics
from ..evaluation.metric_table import BY_KEY, DECIDING
from . import groups, overlays, wording
from .findings import Findings
from .page import BLANK, Page, code

# The figures that runs are told apart by; all of them are in the table of all checkpoints.
METRICS = [BY_KEY[key] for key in ("delta1", "rel_truth", "rms_pooled", "log10")]


def add(page: Page, findings: Findings, figures: str) -> None:
    """Add the section on several runs, with the images of `draw` in the folder `figures`; nothing for one run."""
    if len(findings.runs) < 2:
        return
    page.add("## Runs side by side")
    _add_table(page, findings)
    _add_groups(page, findings)
    page.add_picture(
        _path(figures, "runs"), "Training loss and {} of all runs.{}".format(DECIDING.title, _same(findings))
    )
    swept = _swept(findings)
    if swept:
        words = "{} of the exported checkpoint by {}: a point for each run."
        if len(swept) > overlays.MOST_PANELS:
            words = "{} of the exported checkpoint by {}: a line for each run."
        caption = words.format(DECIDING.title, ", ".join(code(name) for name in swept))
        page.add_picture(_path(figures, "settings"), caption)


def draw(findings: Findings, figures: str) -> None:
    """Draw the images of several runs to runs.png and settings.png in the folder `figures`."""
    if len(findings.runs) < 2:
        return
    found = groups.of(findings)
    overlays.draw_runs(
        _path(figures, "runs"), [[(run.name, run.history, run.scores()) for run in g.runs] for g in found]
    )
    swept = _swept(findings)
    if swept:
        values = [[groups.settings_of(findings, run).get(name) for name in swept] for run in findings.runs]
        scores = [run.exported().number("metrics", DECIDING.key) for run in findings.runs]
        overlays.draw_settings(_path(figures, "settings"), swept, values, scores)


def _path(figures, name):
    return os.path.join(figures, name + ".png")


def _same(findings):
    return " Runs of one group have one colour." if len(groups.of(findings)) < len(findings.runs) else ""


def _swept(findings):
    return run_settings.swept(findings.settings, _names(findings))


def _differing(findings):
    return run_settings.differing(findings.settings, _names(findings))


def _names(findings):
    return [run.name for run in findings.runs]


def _add_table(page, findings):
    names = _differing(findings)
    rows = []
    for run in findings.runs:
        settings = groups.settings_of(findings, run)
        own = tuple(code(settings[name]) if name in settings else BLANK for name in names)
        rows.append((run.name, run.exported_epoch()) + own + _scores(run.exported()))
    titles = tuple(metric.heading for metric in METRICS)
    page.add("The exported checkpoint of each run, by the settings in which runs differ{}.", "" if names else ": none")
    page.add_sortable(rows, ("run", "epoch", *names, *titles), numbers=("epoch", *titles))


def _scores(evaluation):
    return tuple(wording.score(evaluation.number("metrics", metric.key)) for metric in METRICS)


def _add_groups(page, findings):
    found = [group for group in groups.of(findings) if len(group.runs) > 1]
    if not found:
        return
    page.add(
        "Runs that differ in nothing but the seed are trainings of one kind: mean ± standard deviation over them, and "
        "from the least to the greatest."
    )
    names = [name for name in _differing(findings) if name != "seed"]
    rows = [
        (group.label, *(code(group.settings[name]) if name in group.settings else BLANK for name in names))
        + tuple(_spread(group.figures(metric)) for metric in METRICS)
        for group in found
    ]
    titles = tuple(metric.heading for metric in METRICS)
    page.add_sortable(rows, ("group", *names, *titles), numbers=titles)


def _spread(values):
    mean, deviation = statistics.spread(values)
    return "{:.4f} ± {:.4f} ({:.4f} … {:.4f})".format(mean, deviation or 0.0, min(values), max(values))
