"""Where the results come from: settings, versions, and checksums of what went in."""

import json
import os
from typing import Any, Dict

from ..data.order import samples
from ..errors import PipelineError
from ..run_settings import leaves
from . import wording
from .findings import Findings
from .page import BLANK, Page, code, plain


def add_settings(page: Page, findings: Findings) -> None:
    """Add the settings of the pipeline, and those stored in checkpoints."""
    page.add("## Settings")
    rows = [(code(key), code(value)) for key, value in leaves(findings.settings)]
    page.add_folded("{} setting(s) of the pipeline".format(len(rows)), rows, ("key", "value"))
    trained = []
    for run in findings.runs:
        side = wording.last_checkpoint(run)
        trained += [(run.name, code(key), code(value)) for key, value in leaves(side.get("training"))]
    if findings.runs:
        page.add_folded("Training settings stored in the last checkpoint of each run", trained, ("run", "key", "value"))


def add_versions(page: Page, findings: Findings) -> None:
    """Add with which versions each result was made."""
    page.add("## Versions")
    uses = [("records", findings.data)] if findings.data else []
    uses.append(("constant depth", findings.baseline))
    for run in findings.runs + findings.imported:
        uses += [("training of " + run.label, side) for _, side in sorted(run.checkpoints.items())]
        uses += [("evaluation of " + run.label, evaluation) for _, evaluation in sorted(run.evaluations.items())]
        uses += [("{} of {}".format(name, run.label), graph) for name, graph in run.graphs()]
    groups: Dict[Any, Any] = {}
    for use, document in uses:
        groups.setdefault(json.dumps(document.get("runtime"), sort_keys=True), []).append(use)
    first = ["runtime", "python", "tensorflow", "numpy"]
    for facts, made in groups.items():
        facts = json.loads(facts)
        names = first + sorted(set(facts) - set(first))
        page.add_table([tuple(plain(facts.get(name, "none")) for name in names)], names)
        times = ["{} ({} epochs)".format(use, made.count(use)) if made.count(use) > 1 else use for use in made]
        page.add("Made with this: {}.", ", ".join(dict.fromkeys(times)))


def add_checksums(page: Page, findings: Findings) -> None:
    """Add the checksums of archives, records and weights."""
    page.add("## Inputs and checkpoints")
    rows = [_input(findings.data.get("archive"))] if findings.data else []
    rows.append(_input(findings.baseline.get("test_data")))
    rows += _shards(findings.data) if findings.data else []
    for weights in findings.weights:
        # Of an encoder, or of a whole network.
        source = weights.get("source", default=None) or weights.get("weights")
        folder, name = os.path.split(source["path"])
        sums = source.get("files", {name: source["sha256"]})
        rows += [(code(os.path.join(folder, n)), BLANK, code(s)) for n, s in sorted(sums.items())]
    page.add_table(rows, ("input", "size", "SHA-256"), numbers=("size",))
    if findings.data and findings.data.get("sets", default=[]):
        _mixture(page, findings)
    if findings.data:
        _left_out(page, "training", findings.data.get("skipped", default=[]))
    _left_out(page, "test", findings.baseline.get("test_data", "skipped", default=[]))
    if findings.runs:
        _checkpoints(page, findings)
    graphs = [graph for run in findings.imported + findings.runs for _, graph in run.graphs()]
    imported = [run.last() for run in findings.imported]
    for title, found in (("graph", graphs), ("pretrained network", imported)):
        rows = [(code(d.get("source", "path")), code(d.get("source", "sha256"))) for d in found]
        if rows:
            page.add_table(rows, (title, "SHA-256"))


def _mixture(page, findings):
    """What the training saw of each set of a mixture, and how often."""
    sets = [(one["records"], one["weight"]) for one in findings.data.get("sets")]
    whole = samples(sum(records for records, _ in sets), sets)
    rows = []
    for one in findings.data.get("sets"):
        share = samples(one["records"], [(one["records"], one["weight"])]) / whole
        seen = [_seen(run) * share / one["records"] if one["records"] else 0 for run in findings.runs]
        figures = ("{:.4g}".format(one["weight"]), "{:.1%}".format(share), *map("{:.3g}".format, seen))
        rows.append((plain(one["name"]), one["records"], *figures))
    titles = (
        "training set",
        "pairs",
        "weight",
        "share of samples",
        *("each pair seen, " + r.name for r in findings.runs),
    )
    page.add_table(rows, titles, numbers=titles[1:])


def _seen(run):
    """The number of samples that a run has seen."""
    side = wording.last_checkpoint(run)
    return side.get("global_step") * side.get("performance", "batch_size") * side.get("performance", "world_size")


def _left_out(page, kind, faults):
    if faults:
        rows = [(fault["row"], code(fault["rgb"]), plain(fault["problem"])) for fault in faults]
        words = "{} faulty {} pair{} left out".format(len(rows), kind, " was" if len(rows) == 1 else "s were")
        page.add_folded(words, rows, ("row", "picture", "problem"))


def _shards(data):
    sums, counts = data.get("sha256"), data.get("shard_records", default=[])
    rows = []
    for number, shard in enumerate(data.get("shards")):
        if shard not in sums:
            raise PipelineError("{}: no key sha256.{}".format(data.path, shard))
        records = "{} records".format(counts[number]) if number < len(counts) else BLANK
        rows.append((code(shard), records, code(sums[shard])))
    return rows


def _checkpoints(page, findings):
    page.add("Weights before the first step: {}.", "; ".join(_beginning(run) for run in findings.runs))
    rows = [
        (run.name, epoch, side.get("global_step"), code(name), code(checksum))
        for run in findings.runs
        for epoch, side in sorted(run.checkpoints.items())
        for name, checksum in sorted(side.get("files").items())
        if name.startswith("model.ckpt")
    ]
    title = "Checksums of {} checkpoint files".format(len(rows))
    page.add_folded(title, rows, ("run", "epoch", "step", "file", "SHA-256"))


def _input(facts):
    checksum = BLANK
    if facts.get("sha256"):
        checksum = code(facts["sha256"])
    elif facts.get("members_sha256"):
        checksum = code(facts["members_sha256"]) + " (of names, sizes and CRC-32 of its members)"
    return code(facts["path"]), "{:,} bytes".format(facts["size_bytes"]), checksum


def _beginning(run):
    first = run.checkpoints[min(run.checkpoints)]
    weights, start = first.get("weights", default=None), first.get("start", default=None)
    if weights is None and start is None:
        return "{} random".format(run.name)
    return "{} from {}".format(run.name, code(weights or start))
