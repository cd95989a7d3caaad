"""The report's section on the validation: figures of each checkpoint, and which one it chose for the export."""

from typing import Any, Dict, Optional

from .. import run_settings
from ..evaluation import selection
from ..evaluation.metric_table import BY_KEY
from . import wording
from .findings import Findings, Run
from .page import Page, code

_COLUMNS = ("rel_truth", "rms_pooled", "delta1")


def add(page: Page, findings: Findings) -> None:
    """Add the section; none where no run has been validated."""
    runs = [run for run in findings.runs if run.validations]
    if not runs:
        return
    page.add("## Validation")
    images = next(iter(runs[0].validations.values())).get("protocol", "images")
    page.add(
        "{} pairs were taken out of the training pairs, whole scenes where they are drawn. The loss is that of the "
        "training without augmentation; the other figures are measured like those on the test images, which decide "
        "nothing here.",
        images,
    )
    rows = []
    for run in runs:
        for epoch, document in sorted(run.validations.items()):
            figures = [document.number("loss", "loss")] + [document.number("metrics", key) for key in _COLUMNS]
            row = ("{}, epoch {}".format(run.name, epoch), *map(wording.score, figures))
            shown = epoch == run.exported_epoch()
            rows.append(tuple("**{}**".format(cell) for cell in row) if shown else row)
    titles = ("loss ↓", *(BY_KEY[key].heading for key in _COLUMNS))
    page.add_table(rows, ("", *titles), numbers=titles)
    for run in runs:
        page.add("{}", _chosen(run, run_settings.of_run(findings.settings, run.name)))


def _chosen(run: Run, settings: Dict[str, Any]) -> str:
    """What is exported of the run, by what, and why it ended early if it did."""
    metric = settings["data"]["validation"]["metric"]
    scores = {epoch: selection.score(document.path, metric) for epoch, document in run.validations.items()}
    best, last, shown = selection.best(scores, metric), max(run.evaluations), run.exported_epoch()
    why = {"best": "the best by validation {}".format(selection.title(metric)), "last": "the last"}
    words = "Run {}: epoch {} is exported ({}), {}".format(
        run.name, shown, code("export: {}".format(settings["export"])), why.get(settings["export"], "as set")
    )
    if best != shown:
        words += "; the best by validation {} is epoch {}".format(selection.title(metric), best)
    if settings["export"] == "best" and shown != last:
        figures = [wording.score(scores[epoch]) for epoch in (shown, last)]
        words += ", {} against {} of the last, epoch {}".format(*figures, last)
    return words + "." + (_stopped(scores, metric, settings["train"]) or "")


def _stopped(scores: Dict[int, float], metric: str, train: Dict[str, Any]) -> Optional[str]:
    """The sentence on an early end."""
    epoch = selection.stopped_after(scores, metric, train["patience"], train["min_delta"])
    if epoch is None or epoch >= train["epochs"]:
        return None
    words = " Training stopped early after epoch {} of {}: no better {} for {} epochs or more ({})."
    return words.format(epoch, train["epochs"], selection.title(metric), train["patience"], code("train.patience"))
