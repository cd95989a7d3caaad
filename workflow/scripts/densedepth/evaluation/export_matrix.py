"""A frozen graph beside its exports: depth, metrics, size and speed of each in one run, and a verdict.

An export is written where it is the same network by the limits, and refused otherwise: nothing of it remains.
"""

import os
import shutil
import statistics
import time
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import numpy as np

from .. import files, outputs, runtime
from ..data.test_archive import TestSet
from ..errors import PipelineError
from ..imaging import depth
from ..inference import exported, exporters, networks
from . import documents, export_table, scoring

FORMAT = 1

# Test images whose depth is compared pixel by pixel, and batches of one image in a round of the measured speed.
_COMPARED, _ROUNDS, _BATCHES = 8, 5, 4
# In the folder of a kind of export.
_FILES = r"model[./].*|trtexec\.sh"


class Limits(NamedTuple):
    """What an export may differ by: of exact ones the largest difference of depth in metres, anywhere; of others how
    much lower delta1 may be, by any protocol."""

    metres: float
    delta1: float


class _Reference(NamedTuple):
    """The frozen graph, ready to run, and what exports are compared with: the images, its depth of them, and its
    {protocol: {metric: figure}} on the test set."""

    network: networks.Network
    pictures: List[np.ndarray]
    expected: np.ndarray
    test_set: TestSet
    metrics: Dict[str, Dict[str, float]]


def make(
    graph: str,
    test_set: TestSet,
    kinds: Sequence[str],
    source: exporters.Source,
    limits: Limits,
    out: str,
    names: Sequence[str] = ("port",),
) -> Dict[str, Any]:
    """Write each of `kinds` (see `exporters.KINDS`) of the frozen `graph` into a folder of its name below `out`, where
    it passes; returns what was found, as JSON-like values, and a line for each on the terminal.

    `names` are those of the protocols that all are scored by. Raises PipelineError for kinds that are not known.
    """
    unknown = [kind for kind in kinds if kind not in exporters.KINDS]
    if unknown:
        raise PipelineError("exports: {!r} is unknown, known are {}".format(unknown[0], ", ".join(exporters.KINDS)))
    for kind in kinds:
        outputs.check_folder(os.path.join(out, kind), _FILES, exporters.KINDS[kind].file + ".json")
    with networks.load(graph, images=2 * test_set.count) as frozen:
        pictures = _pictures(test_set, frozen.size)
        expected = depth.metres(_outputs(frozen, pictures))
        reference = _Reference(frozen, pictures, expected, test_set, _scored(frozen, test_set, names))
        rows: Dict[str, Any] = {}
        passed: Dict[str, Any] = {"frozen": frozen}
        for kind in kinds:
            rows[kind], network = _made(kind, source, reference, limits, out)
            if network:
                passed[kind] = network
            print("{}: {}".format(kind, export_table.verdict(rows[kind])), flush=True)
        rates = _rates(passed, pictures)
        for kind, network in passed.items():
            if kind != "frozen":
                rows[kind]["images_per_second"] = rates[kind]
                network.close()
        described = frozen.describe()
    facts = {"metrics": reference.metrics, "images_per_second": rates["frozen"], "bytes": os.path.getsize(graph)}
    return {
        "format": FORMAT,
        "source": described,
        "frozen": facts,
        "exports": rows,
        "limits": dict(limits._asdict()),
        "images": {"compared": len(pictures), "scored": test_set.count, "calibration": len(source.images)},
        "runtime": runtime.describe(),
    }


def _made(kind, source, reference, limits, out):
    """(row of the table, the network if it passes) of an export, whose folder is there only then."""
    made = exporters.KINDS[kind]
    row: Dict[str, Any] = {"numbers": made.numbers, "versions": exporters.versions(made.versions)}
    network: Optional[networks.Network] = None
    folder = os.path.join(out, kind)
    try:
        with files.atomic_folder(folder) as temporary:
            path = os.path.join(temporary, made.file)
            exporters.write(kind, source, path)
            row["bytes"] = exporters.size_of(temporary)
            if made.runs:
                row["sha256"] = files.sha256(path)
                # What is loaded stays so when its folder gets its name, and is measured later.
                network = networks.load(path, images=2 * reference.test_set.count)
                _compare(row, network, reference)
                _judge(row, made.exact, reference.metrics, limits)
            side = exported.facts(reference.network.describe(), row.get("sha256"))
            files.write_json(path + ".json", dict(side, format=FORMAT, bytes=row["bytes"]))
            if kind == "onnx" and reference.network.size:
                command = exporters.tensorrt_command(made.file, reference.network.size)
                files.write_text(os.path.join(temporary, "trtexec.sh"), command)
        row["file"] = os.path.join(kind, made.file)
    except PipelineError as error:
        row["refused"] = str(error)
        if network:
            network.close()
            network = None
        # Of an earlier run: it is not the network that this one exports.
        shutil.rmtree(folder, ignore_errors=True)
    return row, network


def _compare(row, network, reference):
    """Put into the row how far the export's depth is off, and its figures."""
    off = np.abs(depth.metres(_outputs(network, reference.pictures)) - reference.expected)
    row["difference_m"] = {"largest": float(off.max()), "mean": float(off.mean())}
    row["metrics"] = _scored(network, reference.test_set, list(reference.metrics))


def _judge(row, exact, before, limits):
    """Raise PipelineError unless the export is the same network."""
    largest = row["difference_m"]["largest"]
    if exact and not largest <= limits.metres:
        raise PipelineError("its depth is up to {:.2g} m off, more than {:g} m".format(largest, limits.metres))
    for protocol, figures in row["metrics"].items():
        lost = before[protocol]["delta1"] - figures["delta1"]
        if not lost <= limits.delta1:
            words = "delta1 ({}) falls from {:.4f} to {:.4f}, by more than {:g}"
            raise PipelineError(words.format(protocol, before[protocol]["delta1"], figures["delta1"], limits.delta1))


def _pictures(test_set, size):
    """The images that are compared, evenly taken from the test set, as the network reads them."""
    step = max(1, test_set.count // _COMPARED)
    return [depth.fit(test_set.image(index)[0], size)[0] for index in range(0, test_set.count, step)[:_COMPARED]]


def _outputs(network, pictures):
    batch = network.batch or 1
    return np.stack([network.run(np.stack([picture] * batch))[0] for picture in pictures])


def _scored(network, test_set, names):
    """{protocol: {metric: figure}} of a network on the test set."""
    document = scoring.evaluate(network, test_set, network.batch or 1, names=names)
    return {name: block["metrics"] for name, block in documents.blocks(document).items()}


def _rates(found: Dict[str, Any], pictures: Sequence[np.ndarray]) -> Dict[str, float]:
    """{name: images/s} of networks that are measured in turns, so that what else the machine does counts for all."""
    times: Dict[str, List[float]] = {name: [] for name in found}
    for number in range(_ROUNDS + 1):
        for name in list(found)[:: 1 if number % 2 else -1]:
            network = found[name]
            batch = np.stack([pictures[0]] * (network.batch or 1))
            network.run(batch)
            before = time.perf_counter()
            for _ in range(_BATCHES):
                network.run(batch)
            # The first round settles memory and caches.
            if number:
                times[name].append((time.perf_counter() - before) / (_BATCHES * len(batch)))
    return {name: 1 / statistics.median(found_times) for name, found_times in times.items()}
