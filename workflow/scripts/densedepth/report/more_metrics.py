"""The report's tables of the metrics that `evaluate.metrics` asked for, apart from the usual ones."""

from typing import Any, Dict, List, Sequence, Tuple

from ..evaluation import alignment
from ..evaluation.metric_table import MORE, Metric
from . import external, wording
from .findings import Document, Findings
from .page import BLANK, Page, code

_Side = Tuple[Any, Document]


def add(page: Page, findings: Findings) -> None:
    """Add a table for each part of them and each alignment; nothing where none was measured."""
    sides: Dict[str, List[_Side]] = {name: [] for name in alignment.ALIGNMENTS}
    sides["none"] = wording.exported_of_runs(findings) + wording.elsewhere(findings)
    for name, document in sorted(findings.external.items()):
        sides[document.get("protocol", "alignment")].append((code(name), document))
    measured = [metric for metric in MORE if any(_has(metric, one) for both in sides.values() for _, one in both)]
    if not measured:
        return
    page.add("## More metrics")
    page.add(
        "By the protocol `port`, of the exported checkpoints. Formulas and sources are in `docs/metrics.md`; surfaces "
        "are seen with the camera of NYU Depth v2, whatever camera took the images."
    )
    for name, documents in sides.items():
        shown = [(one, document) for one, document in documents if any(_has(metric, document) for metric in measured)]
        if not shown:
            continue
        if any(sides[other] for other in alignment.ALIGNMENTS if other != "none"):
            page.add("### {} (alignment `{}`)", external.TITLES[name], name)
        for part in dict.fromkeys(metric.part for metric in measured):
            _add_part(page, part, [metric for metric in measured if metric.part == part], shown)


def _has(metric: Metric, document: Document) -> bool:
    return document.get("metrics", metric.key, default=None) is not None


def _add_part(page: Page, part: str, metrics: Sequence[Metric], shown: Sequence[_Side]) -> None:
    metrics = [metric for metric in metrics if any(_has(metric, document) for _, document in shown)]
    if not metrics:
        return
    titles = tuple(metric.heading + (" [{}]".format(metric.unit) if metric.unit else "") for metric in metrics)
    rows = [
        (name, *(wording.score(one.number("metrics", m.key)) if _has(m, one) else BLANK for m in metrics))
        for name, one in shown
    ]
    page.add_table(rows, (part, *titles), numbers=titles)
