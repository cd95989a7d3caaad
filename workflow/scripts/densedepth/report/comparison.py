"""What the figures are held against: the constant depth, the graph's checkpoint, and published results."""

from typing import Mapping

from ..evaluation.metric_table import DECIDING, METRICS, Metric
from . import precision, published_results, wording
from .findings import Findings
from .inputs import NYU, data_kind
from .page import BLANK, Page


def verdict(
    metric: Metric, value: float, references: Mapping[str, published_results.Reference] = published_results.REFERENCES
) -> str:
    """How `value` of `metric` stands to its published reference, in words."""
    reference = references[metric.key]
    excess = value - float(reference.row.scores[metric.key])
    excess = -excess if metric.higher_is_better else excess
    # Half of the last digit shown more: what is printed as equal to the tolerance is within it.
    tolerance = float(reference.tolerance) + 5e-5
    if excess > tolerance:
        return "not reproduced"
    return "better" if excess < -tolerance else "reproduced"


def add_published(page: Page, findings: Findings) -> None:
    """Published results in tables, one for each way to measure, and the exported checkpoints among them."""
    nyu = data_kind(findings) == NYU
    page.add("## Among published results" if nyu else "## Published results")
    if not nyu:
        page.fold("Figures for NYU Depth v2, for orientation only")
    page.add("NYU Depth v2, the official 654 test images. Only figures within one table are measured alike.")
    own = []
    if nyu:
        own = [("**{}**".format(name), one, "evaluated here") for name, one in wording.elsewhere(findings)]
        own += [("**{}**".format(name), one, "this run") for name, one in wording.exported_of_runs(findings)]
    else:
        page.add(
            "For orientation only: the networks of this page have no place here, since their test images are others."
        )
        precision.add_conventions(page)
    for group in published_results.GROUPS:
        page.add("### {}", group.title)
        page.add("{}", group.how)
        titles = tuple(m.heading for m in group.metrics)
        rows = [
            (row.name,) + tuple(row.scores.get(m.key, BLANK) for m in group.metrics) + (row.source,)
            for row in group.rows
        ]
        for name, evaluation, source in own:
            scores = _scores_by(evaluation, group.protocol)
            if scores:
                rows.append(
                    (name,) + tuple("**{}**".format(wording.score(scores[m.key])) for m in group.metrics) + (source,)
                )
        rows.sort(key=lambda row: row[1].strip("*"), reverse=True)
        page.add_table(rows, ("",) + titles + ("source",), numbers=titles)
    if not nyu:
        page.end_fold()


def _scores_by(evaluation, protocol):
    """The metrics of an evaluation by the protocol of this name; None where it was not scored so."""
    if protocol is None:
        return None
    if protocol == "port":
        return evaluation.get("metrics")
    return evaluation.get("protocols", protocol, "metrics", default=None)


def add_verdicts(page: Page, findings: Findings) -> None:
    """Add the checks: against the constant depth, published figures, and the frozen graph's checkpoint.

    There is nothing to check where other programs alone predicted.
    """
    if not findings.runs and not findings.imported:
        return
    page.add("## Verdicts")
    if data_kind(findings) == NYU:
        _reproductions(page, findings)
    constant = findings.baseline.number("metrics", DECIDING.key)
    rows = []
    exported = [
        ("{} ({})".format(name, wording.role(findings, run)), evaluation)
        for run, (name, evaluation) in zip(findings.runs, wording.exported_of_runs(findings))
    ]
    for name, evaluation in exported + wording.elsewhere(findings):
        margin = evaluation.number("metrics", DECIDING.key) - constant
        rows.append(
            (
                "{}: {} above the constant depth".format(name, DECIDING.title),
                "{:+.4f}".format(margin),
                "at least {:.2f}".format(published_results.BASELINE_MARGIN),
                "passed" if margin >= published_results.BASELINE_MARGIN else "not passed",
            )
        )
    networks = findings.imported + findings.runs
    rows += [_frozen_check(run) for run in networks if _frozen_epoch(run) in run.evaluations]
    page.add_table(rows, ("check", "value", "threshold", "verdict"), numbers=("value",))


def _reproductions(page, findings):
    """The exported checkpoint of each run, and pretrained networks, beside their published figures."""
    rows, unknown = [], []
    for run in findings.runs:
        name = "{}, epoch {}".format(run.name, run.exported_epoch())
        rows += _reproduction(name, run.exported(), published_results.REFERENCES)
    for name, one in wording.elsewhere(findings):
        form = (one.get("source", "model", default={}), one.get("source", "size", default=()))
        references = published_results.references_of(*form)
        if references:
            rows += _reproduction(name, one, references)
        else:
            unknown.append(name)
    if rows:
        page.add(
            "{} beside the published figure. *Reproduced*: worse or better than the reference by no more than the "
            "tolerance; *better*: better by more than the tolerance.",
            "Each run's last checkpoint" if findings.runs else "What was evaluated",
        )
        columns = ("checkpoint", "metric", "value", "reference", "tolerance", "verdict")
        page.add_table(rows, columns, numbers=("value", "tolerance"))
    if findings.imported:
        page.add(
            "Pretrained networks are judged by their form and input size: like `nyu.h5`, by the figures of the "
            "paper's weights; like the reference port, by its own. Of the same weights, *better* says the same as "
            "*not reproduced*: something is computed otherwise."
        )
    if unknown:
        page.add("Of another form or input size, so without a verdict here: {}.", ", ".join(unknown))


def _reproduction(name, evaluation, references):
    rows = []
    for metric in METRICS:
        reference = references[metric.key]
        value = evaluation.number("metrics", metric.key)
        source = "{} ({})".format(reference.row.scores[metric.key], reference.row.name)
        found = verdict(metric, value, references)
        rows.append((name, metric.title, wording.score(value), source, "± " + reference.tolerance, found))
    return rows


def _frozen_epoch(run):
    return run.frozen and run.frozen.get("source", "epoch", default=None)


def _frozen_check(run):
    epoch = _frozen_epoch(run)
    folded = run.frozen.get("source", "folded", default=False)
    tolerance = published_results.FOLDED_TOLERANCE if folded else published_results.FROZEN_TOLERANCE
    apart = max(
        abs(run.frozen.number("metrics", m.key) - run.evaluations[epoch].number("metrics", m.key)) for m in METRICS
    )
    return (
        "{}: frozen graph against its checkpoint{}, largest difference".format(
            run.label, "" if run.elsewhere else " of epoch {}".format(epoch)
        ),
        "{:.1e}".format(apart),
        "at most {:.0e}{}".format(tolerance, " (folded)" if folded else ""),
        "passed" if apart <= tolerance else "not passed",
    )
