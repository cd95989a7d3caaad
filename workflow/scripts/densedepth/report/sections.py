"""The report: all results of the pipeline on one page, as Markdown with links to images and as HTML with them inside.

Nothing in it depends on the time or the machine it is written on. Its parts are modules of their own: `experiments`,
`precision`, `comparison`, `certainty`, `images`, `external`, `more_metrics`, `robust`, `speeds`, `galleries`,
`origins`.
"""

import glob
import os
from typing import List, Optional

from .. import files
from ..evaluation import metrics
from ..evaluation.metric_table import DECIDING, METRICS
from . import (
    certainty,
    comparison,
    curves,
    experiments,
    external,
    galleries,
    images,
    more_metrics,
    origins,
    precision,
    published_results,
    render,
    robust,
    speeds,
    validated,
    wording,
)
from .findings import Findings
from .inputs import NYU, SAMPLE, data_kind
from .page import BLANK, Page, code

# What is shown of more runs is that of so many of the best.
_MOST_HEADLINES, _MOST_CURVES = 5, 10


def write(findings: Findings, out: str, figures: str, html: Optional[str] = None) -> None:
    """Write the page to `out` and its curves to the folder `figures`; `findings` as made by `inputs.gather`.

    `html` is a file for the same page in HTML that needs no other file.
    """
    _remove_curves(figures)
    _draw_curves(findings, figures)
    if findings.runs:
        experiments.draw(findings, figures)
        images.draw(findings, figures)
    if figures:
        os.makedirs(figures, exist_ok=True)
        robust.draw(findings, figures)
    page = _page(findings, figures)
    texts = {out: render.markdown(page, os.path.dirname(os.path.abspath(out)))}
    if html:
        texts[html] = render.html(page, "DenseDepth: results")
    for path, text in texts.items():
        files.write_text(path, text)


def _remove_curves(figures):
    """Those of runs that are no longer there would stay."""
    for name in ("loss_*", "metrics_*", "runs", "settings", "worse*", "disagreement*") if figures else ():
        for path in glob.glob(os.path.join(glob.escape(figures), name + ".png")):
            os.remove(path)


def _page(findings, figures):
    page = Page()
    _introduction(page, findings)
    experiments.add(page, findings, figures)
    precision.add(page, findings)
    validated.add(page, findings)
    comparison.add_verdicts(page, findings)
    certainty.add(page, findings)
    images.add(page, findings, figures)
    external.add(page, findings)
    more_metrics.add(page, findings)
    robust.add(page, findings, figures)
    # Where the runs have a place among them, that is news; else the published results are only for orientation.
    nyu = data_kind(findings) == NYU
    if nyu:
        comparison.add_published(page, findings)
    speeds.add(page, findings)
    if findings.runs:
        _curves(page, findings, figures)
    galleries.add(page, findings)
    if not nyu:
        comparison.add_published(page, findings)
    origins.add_settings(page, findings)
    origins.add_versions(page, findings)
    origins.add_checksums(page, findings)
    return page


def results(findings: Findings) -> List[str]:
    """Lines with the figures of the last checkpoint of each run, the best of all, and pretrained networks."""
    lines = [
        "run {} epoch {} ({}): {}".format(
            run.name, run.exported_epoch(), wording.role(findings, run).replace("δ", "delta"), _line(run.exported())
        )
        for run in findings.runs
    ]
    best = wording.best_checkpoint(findings)
    if best:
        evaluation = next(run for run in findings.runs if run.name == best[0]).evaluations[best[1]]
        lines.append("run {} epoch {} (best, chosen on the test images): {}".format(*best, _line(evaluation)))
    return lines + ["{}: {}".format(name, _line(one)) for name, one in wording.elsewhere(findings)]


def _line(evaluation):
    return metrics.line(evaluation.get("metrics"))


def _introduction(page, findings):
    baseline, kind = findings.baseline, data_kind(findings)
    page.add("# DenseDepth: results")
    tested = (baseline.get("protocol", "images"), code(baseline.get("test_data", "path")))
    if findings.runs:
        page.add(
            "Monocular depth networks trained on {} image and depth pairs of {} and evaluated on the {} images of {}.",
            *(findings.data.get("records"), _archive(findings), *tested),
        )
        shown = wording.best_runs(findings.runs, _MOST_HEADLINES)
        for run in shown:
            role = wording.role(findings, run)
            which = "last checkpoint" if role == "last" else "checkpoint " + role
            words = "Run {}, {} (epoch {}):".format(run.name, which, run.exported_epoch())
            page.add(_HEADLINE, words, *_against(run.exported(), baseline))
        if len(shown) < len(findings.runs):
            page.add("These are the {} of {} runs with the best {}.", len(shown), len(findings.runs), DECIDING.title)
        all_last = all(run.exported_epoch() == max(run.evaluations) for run in findings.runs)
        which = "last" if all_last else "exported"
        page.add("Gallery, verdicts, examples and exported graphs are those of the {} checkpoint of each run.", which)
    elif findings.imported:
        page.add("Pretrained monocular depth networks, evaluated on the {} images of {}.", *tested)
        for name, one in wording.elsewhere(findings):
            page.add(_HEADLINE, name + ":", *_against(one, baseline))
    else:
        page.add("Depth that other programs predicted, scored on the {} images of {}.", *tested)
    if kind == SAMPLE:
        page.add(
            "> The figures of the embedded sample are **not comparable** with the published figures for NYU Depth v2: "
            "other images, other training, usually a smaller network input. They show that the pipeline works."
        )
    elif kind != NYU:
        page.add(
            "> The test images are not the {} of NYU Depth v2 with their crop and their filled ground truth, so the "
            "figures here are **not comparable** with the published ones.",
            published_results.TEST_IMAGES,
        )
    if findings.runs:
        _trained_here(page, findings.runs)
    if findings.imported:
        _trained_elsewhere(page, findings.imported)


_HEADLINE = (
    "**{} {} {} against {} of one constant depth** (the share of pixels whose depth is within 25 % of the ground "
    "truth)."
)


def _against(evaluation, baseline):
    scores = [wording.score(one.number("metrics", DECIDING.key)) for one in (evaluation, baseline)]
    return [DECIDING.title] + scores


def _archive(findings):
    path = code(findings.data.get("archive", "path"))
    return "the embedded sample, synthetic rooms in " + path if data_kind(findings) == SAMPLE else path


def _trained_here(page, runs):
    rows = []
    for run in runs:
        side = wording.last_checkpoint(run)
        rows.append(
            (
                run.name,
                wording.network(side.get("model")),
                wording.size(side.get("size")),
                side.get("performance", "batch_size"),
                side.get("performance", "world_size"),
                wording.numbers(run.evaluations),
                side.get("global_step"),
                wording.runtime(side.get("runtime")),
            )
        )
    columns = ("run", "network", "input", "batch per device", "devices", "evaluated epochs", "steps", "trained with")
    page.add_table(rows, columns, numbers=("batch per device", "devices", "steps"))


def _trained_elsewhere(page, imported):
    rows = []
    for run in imported:
        one = run.last()
        model = one.get("source", "model", default=None)
        network = wording.network(model) if model else BLANK
        size = wording.size(one.get("source", "size", default=None))
        rows.append((run.label, network, size, wording.runtime(one.get("runtime"))))
    page.add_table(rows, ("network", "form", "input", "evaluated with"))
    for run in imported:
        found = run.last().get("source", "calibration", default=None)
        if found:
            words = (
                "The depth of {} is multiplied by {:.4f}, calibrated on {} images ({}): AbsRel {:.4f} instead of "
                "{:.4f} on images that the factor was not taken from."
            )
            facts = found["images"], code(found["measured_by"]), found["rel_after"], found["rel_before"]
            page.add(words, run.label, found["scale"], *facts)


def _draw_curves(findings, figures):
    for run in findings.runs:
        if len(run.history):
            path = os.path.join(figures, "loss_{}.png".format(run.name))
            ends = sorted(side.get("global_step") for side in run.checkpoints.values())
            curves.draw_loss(path, run.history, ends, run.validation_losses())
        path = os.path.join(figures, "metrics_{}.png".format(run.name))
        baseline = {m.key: findings.baseline.number("metrics", m.key) for m in METRICS}
        curves.draw_metrics(path, run.scores(), baseline)


def _curves(page, findings, figures):
    page.add("## Curves")
    shown = wording.best_runs(findings.runs, _MOST_CURVES)
    if len(shown) < len(findings.runs):
        words = "Of the {} of {} runs with the best {}; those of the others are files beside these."
        page.add(words, len(shown), len(findings.runs), DECIDING.title)
    for run in shown:
        if len(run.history):
            path = os.path.join(figures, "loss_{}.png".format(run.name))
            thinned = " Each point is the mean of neighbouring log entries." if len(run.history) > curves.POINTS else ""
            page.add_picture(
                path, "Run {}: training loss, its terms, and the learning rate.{}".format(run.name, thinned)
            )
        path = os.path.join(figures, "metrics_{}.png".format(run.name))
        words = "Run {}: metrics on the test images after each kept epoch; the last is epoch {}."
        page.add_picture(path, words.format(run.name, max(run.evaluations)))
