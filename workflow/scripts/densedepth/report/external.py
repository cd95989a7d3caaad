"""The report's tables of what other programs predicted, one for each alignment with the ground truth."""

from ..evaluation import alignment
from ..evaluation.metric_table import DECIDING, METRICS
from . import wording
from .findings import Findings
from .page import Page, code

# {alignment: what its tables are headed with}
TITLES = {
    "none": "Depth as it is",
    "median": "Scaled to the median of each image",
    "scale": "Scaled to each image by least squares",
    "affine": "Scale and shift fitted to the depth of each image",
    "affine_disparity": "Scale and shift fitted to the inverse depth of each image",
    "scale_robust": "Scaled to each image by the least sum of relative errors",
    "affine_robust": "Scale and shift fitted to each image by the least sum of relative errors",
    "affine_trimmed": "Scale and shift fitted to each image without its largest errors",
}


def add(page: Page, findings: Findings) -> None:
    """Add a table for each alignment that predictions of other programs were scored with; nothing without any.

    Our own networks stand among those that are not aligned, as they are not.
    """
    if not findings.external:
        return
    page.add("## Predictions of other programs")
    page.add(
        "Scored on the same images by the protocol `port`. Only figures within one table compare: an alignment fits "
        "what a network leaves open to the ground truth of the very image that is scored."
    )
    titles = tuple(metric.heading for metric in METRICS)
    for name in alignment.ALIGNMENTS:
        found = [(one, e) for one, e in sorted(findings.external.items()) if e.get("protocol", "alignment") == name]
        if not found:
            continue
        page.add("### {} (alignment `{}`)", TITLES[name], name)
        rows = [(code(one), e.get("source", "unit"), *wording.scores(e)) for one, e in found]
        if name == "none":
            ours = wording.exported_of_runs(findings) + wording.elsewhere(findings)
            rows += [(one, "this page", *wording.scores(e)) for one, e in ours]
        place = 2 + METRICS.index(DECIDING)
        rows.sort(key=lambda row: row[place], reverse=True)
        page.add_table(rows, ("", "unit", *titles), numbers=titles)
