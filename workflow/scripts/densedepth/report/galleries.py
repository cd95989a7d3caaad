"""The report's galleries: the same scenes as every network sees them, and the best and the worst of each."""

import os

from ..evaluation.metric_table import DECIDING
from . import wording
from .findings import Findings
from .page import Page, View

# More networks would make the page too large, and a scene too wide.
MOST = 4


def add(page: Page, findings: Findings) -> None:
    """Add the section; nothing without a gallery."""
    every = [run for run in findings.imported + findings.runs if run.scenes]
    if not every:
        return
    runs = wording.best_runs(every, MOST)
    page.add("## Gallery")
    page.add("Test images the network has not seen in training: input, ground truth, predicted depth, error.")
    if len(runs) < len(every):
        page.add("Shown are the {} of {} networks with the best {}.", len(runs), len(every), DECIDING.title)
    common = _common(runs)
    if common:
        page.add("### The same scenes by each network")
    for index in common:
        views = [_view(run, next(one for one in run.scenes if one[2]["index"] == index)) for run in runs]
        page.add_scene(views[0].caption.partition(": ")[0], views)
    for run in runs:
        own = [one for one in run.scenes if one[2]["index"] not in common or _rank(one)]
        epoch = "" if run.elsewhere or run.frozen is None else wording.of_epoch(run.frozen)
        if own:
            page.add("### {}{}, the frozen graph{}", "" if run.elsewhere else "Run ", run.label, epoch)
        for one in own:
            view = _view(run, one)
            page.add_scene(_rank(one) + view.caption, [view])


def _common(runs):
    """Indices of the scenes that all of several networks show, in the first one's order."""
    if len(runs) < 2:
        return []
    shown = [{scene["index"] for _, _, scene in run.scenes} for run in runs]
    indices = [one[2]["index"] for one in runs[0].scenes if not _rank(one)]
    return [index for index in dict.fromkeys(indices) if all(index in one for one in shown)]


def _rank(one):
    place = os.path.splitext(os.path.basename(one[0]))[0]
    return "{} by RMSE. ".format(place.capitalize()) if place in ("best", "worst") else ""


def _view(run, one):
    picture, data, scene = one
    called = wording.called(scene, "Test image {}")
    caption = "{}: RMSE {:.3f} m, {} {:.3f}".format(called, scene["rms"], DECIDING.title, scene["delta1"])
    return View(run.label, picture, data, caption)
