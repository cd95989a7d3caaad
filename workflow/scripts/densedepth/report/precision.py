"""The report's precision tables: every checkpoint and graph, by every protocol, and the images at both ends."""

from ..evaluation.metric_table import DECIDING, METRICS
from . import published_results, wording
from .findings import Findings
from .inputs import NYU, data_kind
from .page import BLANK, Page, code


def add(page: Page, findings: Findings) -> None:
    """Add the table of the metrics of all evaluations."""
    page.add("## Precision")
    comparable = data_kind(findings) == NYU
    rows = _published_rows() if comparable else []
    rows.append(("constant median depth",) + wording.scores(findings.baseline))
    for run in findings.imported:
        rows.append((run.label,) + wording.scores(run.last()))
        rows += [("{}, {}".format(run.label, name),) + wording.scores(graph) for name, graph in run.graphs()]
    for run in findings.runs:
        for epoch, evaluation in sorted(run.evaluations.items()):
            row = ("{}, epoch {}".format(run.name, epoch),) + wording.scores(evaluation)
            if epoch == run.exported_epoch():
                row = ("{} ({})".format(row[0], wording.role(findings, run)),) + row[1:]
                row = tuple("**{}**".format(cell) for cell in row)
            rows.append(row)
        for name, graph in run.graphs():
            rows.append(("{}, {}{}".format(run.name, name, wording.of_epoch(graph)),) + wording.scores(graph))
    titles = tuple(m.heading for m in METRICS)
    page.add_table(rows, ("",) + titles, numbers=titles)
    page.add(
        "↑ higher is better, ↓ lower is better; RMSE in metres. The constant depth is the median depth of these very "
        "test images.",
    )
    best = wording.best_checkpoint(findings)
    if best:
        page.add(_BEST, DECIDING.title, *best)
    if comparable:
        sources = "; ".join("[{}] {}".format(n, row.source) for n, row in enumerate(published_results.ROWS, 1))
        page.add("Published rows, with a dash where nothing is: {}.", sources)
        add_conventions(page)
    _other_protocols(page, findings)
    _extremes(page, findings)


_BEST = (
    "The checkpoint with the highest {} is that of {}, epoch {}. Looked up by the test images, it is optimistic as an "
    "estimate for other images."
)


def _published_rows():
    return [
        ("{} [{}]".format(row.name, number),) + tuple(row.scores.get(m.key, BLANK) for m in METRICS)
        for number, row in enumerate(published_results.ROWS, 1)
    ]


def add_conventions(page: Page) -> None:
    """Why figures under the same name are not the same measure."""
    page.add(
        "Why RMSE 0.465 and 0.5445 are not one measure: the paper takes the root for each image and averages these;\n"
        "the port takes one root over all pixels of all images, which is never smaller. The paper's own weights give\n"
        "0.5485 when pooled, so 0.5445 and 0.5595 compare with 0.5485, and 0.465 with the per-image column."
    )
    page.add(
        "In the same way AbsRel divides the absolute error by the ground truth in the paper, by the prediction in the "
        "port."
    )


def _other_protocols(page, findings):
    """The last checkpoints by the protocols beside `port`."""
    metrics = [m for m in METRICS if m.key not in ("rms_pooled", "rel_prediction")]
    rows = []
    for checkpoint, evaluation in wording.exported_of_runs(findings) + wording.elsewhere(findings):
        for name, block in sorted(evaluation.get("protocols", default={}).items()):
            scores = tuple(wording.score(block["metrics"][m.key]) for m in metrics)
            rows.append((checkpoint, code(name)) + scores)
    if rows:
        titles = tuple(m.heading for m in metrics)
        page.add("The table above is by the protocol `port`. The same predictions by others (`docs/metrics.md`):")
        page.add_table(rows, ("checkpoint", "protocol") + titles, numbers=titles)


def _extremes(page, findings):
    """The test images that the last checkpoints do best and worst."""
    rows = []
    for checkpoint, evaluation in wording.exported_of_runs(findings) + wording.elsewhere(findings):
        ranked = sorted(evaluation.get("per_image"), key=lambda image: (image["rms"], image["index"]))
        for word, chosen in (("smallest", ranked[:3]), ("largest", ranked[::-1][:3])):
            listed = ", ".join("{} ({:.3f} m)".format(wording.called(image, "{}"), image["rms"]) for image in chosen)
            rows.append((checkpoint, word, listed or BLANK))
    if rows:
        page.add_table(rows, ("checkpoint", "RMSE", "test images"))
