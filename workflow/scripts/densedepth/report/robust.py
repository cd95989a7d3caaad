"""The report's section on worse images: figures by severity; what a network's disagreement with itself says."""

import os
from typing import Dict, List, Optional, Tuple

from ..evaluation import alignment
from . import overlays, wording
from .findings import Document, Findings
from .page import BLANK, Page, code

_DISAGREEMENT = {"flip": "the mirrored image", "scale": "the image at 0.75 and 1.25 times its size"}

# Networks by their names.
_Named = List[Tuple[str, Document]]


def draw(findings: Findings, figures: str) -> None:
    """Draw, in the folder `figures`, worse.png and disagreement.png of the networks that were measured.

    Those of another alignment have images of their own, whose names end with it.
    """
    for name, measured in _by_alignment(findings).items():
        found = [
            (label, one.number("clean", "rel_truth"), {key: _points(one, key) for key in one.get("corruptions")})
            for label, one in measured
        ]
        overlays.draw_severities(_path(figures, "worse", name), found)
        curves = [
            (label, {kind: one.get("disagreement", kind, "parts") for kind in _DISAGREEMENT}) for label, one in measured
        ]
        overlays.draw_disagreement(_path(figures, "disagreement", name), curves)


def add(page: Page, findings: Findings, figures: Optional[str]) -> None:
    """Add tables of the networks whose robustness was measured, with the images of `draw` in the folder `figures`;
    nothing without any."""
    groups = _by_alignment(findings)
    if not groups:
        return
    page.add("## Worse images")
    page.add(
        "AbsRel (by ground truth) of networks on test images that were made worse, in five severities "
        "(`docs/metrics.md`); *clean* are the same images as they are."
    )
    if len(groups) > 1:
        page.add("Only figures of one alignment with the ground truth compare.")
    for name, measured in groups.items():
        for label, document in measured:
            page.add(*(("### {}", label) if name == "none" else ("### {} (alignment `{}`)", label, name)))
            _add_severities(page, document)
        if figures:
            words = "AbsRel (by ground truth) by severity; 0 is the images as they are."
            page.add_picture(_path(figures, "worse", name), words)
        _add_disagreement(page, measured)
        if figures:
            words = "AbsRel (by ground truth) of pixels by how far a network disagrees with itself there."
            page.add_picture(_path(figures, "disagreement", name), words)


def _by_alignment(findings) -> Dict[str, _Named]:
    """{alignment: the measured networks} in the order of `ALIGNMENTS`, without those that none has."""
    ours = findings.runs + findings.imported
    every: _Named = [(run.label, run.robustness) for run in ours if run.robustness is not None]
    every += sorted(findings.external_robustness.items())
    groups = {
        name: [pair for pair in every if pair[1].get("alignment", default="none") == name]
        for name in alignment.ALIGNMENTS
    }
    return {name: measured for name, measured in groups.items() if measured}


def _path(figures, kind, name):
    return os.path.join(figures, "{}{}.png".format(kind, "" if name == "none" else "_" + name))


def _points(document, corruption) -> List[Tuple[int, float]]:
    """[(severity, AbsRel)]."""
    return [(one["severity"], one["rel_truth"]) for one in document.get("corruptions", corruption, "severities")]


def _add_severities(page: Page, document: Document) -> None:
    clean = wording.score(document.number("clean", "rel_truth"))
    columns = tuple("severity {}".format(severity) for severity in range(1, 6))
    rows = []
    for name in sorted(document.get("corruptions")):
        by_severity = {severity: wording.score(value) for severity, value in _points(document, name)}
        rows.append((code(name), clean, *(by_severity.get(severity, BLANK) for severity in range(1, 6))))
    page.add("On {} test images.", document.get("test_data", "images"))
    page.add_table(rows, ("made worse by", "clean", *columns), numbers=("clean", *columns))


def _add_disagreement(page: Page, measured: _Named) -> None:
    page.add(
        "Does a network's disagreement with itself say where it errs? Its pixels by rising disagreement, in ten equal "
        "parts, with the AbsRel of each; the rank correlation is 1 where more disagreement always means more error, 0 "
        "where it means nothing."
    )
    rows = [row for label, document in measured for row in _curves(label, document)]
    parts = tuple(str(part) for part in range(1, max(len(row) for row in rows) - 2))
    rows = [(*row, *[BLANK] * (len(parts) - len(row[3:]))) for row in rows]
    page.add_table(
        rows, ("network", "disagreement with", "rank correlation", *parts), numbers=("rank correlation", *parts)
    )


def _curves(label, document):
    found = []
    for kind, title in _DISAGREEMENT.items():
        curve = document.get("disagreement", kind)
        correlation = curve["rank_correlation"]
        shown = BLANK if correlation is None else "{:.2f}".format(correlation)
        found.append((label, title, shown, *(wording.score(part["error"]) for part in curve["parts"])))
    return found
