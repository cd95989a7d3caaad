"""The report's section on worse images: figures by severity; what a network's disagreement with itself says."""

from . import wording
from .findings import Findings, Run
from .page import BLANK, Page, code

_DISAGREEMENT = {"flip": "the mirrored image", "scale": "the image at 0.75 and 1.25 times its size"}


def add(page: Page, findings: Findings) -> None:
    """Add the tables of the runs whose robustness was measured; nothing without any."""
    runs = [run for run in findings.runs if run.robustness is not None]
    if not runs:
        return
    page.add("## Worse images")
    page.add(
        "AbsRel (by ground truth) of the exported network on test images that were made worse, in five severities "
        "(`docs/metrics.md`); *clean* are the same images as they are."
    )
    for run in runs:
        _add_severities(page, run)
    page.add(
        "Does a network's disagreement with itself say where it errs? Its pixels by rising disagreement, in ten equal "
        "parts, with the AbsRel of each; the rank correlation is 1 where more disagreement always means more error, 0 "
        "where it means nothing."
    )
    rows = [row for run in runs for row in _curves(run)]
    parts = tuple(str(part) for part in range(1, max(len(row) for row in rows) - 2))
    rows = [(*row[:3], *row[3:], *[BLANK] * (len(parts) - len(row[3:]))) for row in rows]
    page.add_table(rows, ("run", "disagreement with", "rank correlation", *parts), numbers=("rank correlation", *parts))


def _add_severities(page: Page, run: Run) -> None:
    document = run.robustness
    assert document is not None
    clean = wording.score(document.number("clean", "rel_truth"))
    columns = tuple("severity {}".format(severity) for severity in range(1, 6))
    rows = []
    for name, found in sorted(document.get("corruptions").items()):
        by_severity = {one["severity"]: wording.score(one["rel_truth"]) for one in found["severities"]}
        rows.append((code(name), clean, *(by_severity.get(severity, BLANK) for severity in range(1, 6))))
    page.add("### {}", run.label)
    page.add("On {} test images.", document.get("test_data", "images"))
    page.add_table(rows, ("made worse by", "clean", *columns), numbers=("clean", *columns))


def _curves(run):
    found = []
    for kind, title in _DISAGREEMENT.items():
        curve = run.robustness.get("disagreement", kind)
        correlation = curve["rank_correlation"]
        shown = BLANK if correlation is None else "{:.2f}".format(correlation)
        found.append((run.label, title, shown, *(wording.score(part["error"]) for part in curve["parts"])))
    return found
