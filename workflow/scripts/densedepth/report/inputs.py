"""What the report is made from: the JSON files of the other stages, read, checked and put together by run."""

import json
import os
import re
from typing import Dict, List, Optional, Sequence, Tuple

import pandas

from .. import metadata
from ..errors import PipelineError
from ..evaluation.metric_table import METRICS
from ..metadata import COUNT, NAME, Map, Null, Number
from . import histories as recorded
from . import published_results
from .findings import DEPLOYED, ELSEWHERE, HISTORY_KEYS, Document, Findings, Run

FORMAT = 1

_FIGURE = Number()
_SCORES = [
    {"index": COUNT, "rms": Null(_FIGURE), "delta1?": Null(_FIGURE), "rel_truth?": Null(_FIGURE), "pixels?": COUNT}
]
_PROTOCOL = {"crop": (COUNT,) * 4, "images": COUNT}
_SKIPPED = [{"row": Null(COUNT), "rgb": str, "problem": str}]
_SOURCE = {"epoch?": Null(COUNT), "global_step?": Null(COUNT), "model?": Null({}), "size?": Null((COUNT, COUNT))}
_BLOCK = {"protocol?": _PROTOCOL, "metrics": Map(Null(_FIGURE)), "per_image?": _SCORES}
# Of the files that the report reads, what it relies on beyond the keys that `Document.get` names.
_EVALUATION = {
    "source?": _SOURCE,
    "protocol?": {"crop?": (COUNT,) * 4, "images?": COUNT},
    "metrics?": Map(Null(_FIGURE)),
    "per_image?": _SCORES,
    "protocols?": Map(_BLOCK),
    "test_data?": {"path?": str, "size_bytes?": COUNT, "skipped?": _SKIPPED},
    "speed?": Null({}),
    "runtime?": {},
}
_CHECKPOINT = {
    "epoch?": COUNT,
    "global_step?": COUNT,
    "model?": {},
    "size?": (COUNT, COUNT),
    "files?": Map(str),
    "training?": {},
    "performance?": Null({}),
    "runtime?": {},
}
_RECORDS = {
    "records?": COUNT,
    "shards?": [NAME],
    "shard_records?": [COUNT],
    "sha256?": Map(str),
    "skipped?": _SKIPPED,
    "sets?": [{"name": str, "weight": Number(0), "records": COUNT}],
    "archive?": {"path?": str, "size_bytes?": COUNT},
    "runtime?": {},
}
_PART = {"disagreement": Number(0), "error": Number(0)}
_CURVE = {"parts": [_PART], "rank_correlation": Null(Number(-1, 1))}
_ROBUSTNESS = {
    "alignment?": str,
    "test_data": {"images": COUNT},
    "clean": {"rel_truth": _FIGURE},
    "corruptions": Map({"severities": [{"severity": COUNT, "rel_truth": _FIGURE}]}),
    "disagreement": {"flip": _CURVE, "scale": _CURVE},
}
_GALLERY = {"scenes?": [{"picture?": NAME, "data?": NAME}]}
_ORIGIN = Null({"path": str, "sha256": Null(str), "files?": Map(str)})
_SETTINGS = {"runs?": Map({}), **{section + "?": {} for section in ("model", "train", "data", "evaluate")}}
_WEIGHTS = {"source?": _ORIGIN, "weights?": _ORIGIN}

# What two evaluations must have in common to stand in one table.
_COMMON = (
    ("protocol", "crop"),
    ("protocol", "depth_limits_m"),
    ("protocol", "images"),
    ("protocol", "pixels_per_image"),
    ("test_data", "size_bytes"),
)

SAMPLE, NYU, OWN = "sample", "nyu", "own"

# The folder of what other programs predicted.
_EXTERNAL = "external"


def gather(
    baseline: str,
    evaluations: Sequence[str],
    checkpoints: Sequence[str],
    histories: Sequence[str],
    frozen: Sequence[str],
    galleries: Sequence[str],
    data: Optional[str],
    weights: Sequence[str],
    settings: str,
    speeds: Sequence[str] = (),
    imported: Sequence[str] = (),
    deployed: Sequence[str] = (),
    thumbnails: Sequence[str] = (),
    external: Sequence[str] = (),
    validations: Sequence[str] = (),
    robustness: Sequence[str] = (),
) -> Findings:
    """Read all files into `Findings`. Paths, lists of paths, and `settings` as JSON text.

    Without any file of a run, `data` may be None, and the report is of `imported` and `external`. Raises PipelineError,
    with file and key, for a file that is missing, lacks a key or holds a number that is not finite; for evaluations of
    different test sets or protocols; and for files of one run that do not belong together.
    """
    runs = _by_name([*evaluations, *imported], checkpoints, histories, frozen, galleries, speeds, deployed)
    for path in thumbnails:
        runs.setdefault(run_name(path), Run(run_name(path))).thumbnails = path
    theirs = _measured_on_worse(robustness, runs)
    for path in validations:
        document = _evaluation(path)
        document.number("loss", "loss")
        if run_name(path) in runs:
            _once(runs[run_name(path)].validations, document.get("source", "epoch"), document)
    found = [runs[name] for name in sorted(runs, key=natural)]
    trained = [one for one in found if not one.elsewhere]
    if trained and data is None:
        raise PipelineError("--data: missing; runs are reported with their training records")
    findings = Findings(
        runs=trained,
        baseline=_evaluation(baseline),
        data=_read(data, _RECORDS) if trained else None,
        weights=[Document(path, metadata.read(path, _WEIGHTS)) for path in sorted(weights)],
        settings=_settings(settings),
        imported=[one for one in found if one.elsewhere],
        external={_folder(path): _evaluation(path) for path in external},
        external_robustness=theirs,
    )
    if not findings.runs and not findings.imported and not findings.external:
        words = "nothing to report: no evaluation of a run, none of a pretrained network, and no scored predictions"
        raise PipelineError(words)
    for one in found:
        _check_run(one)
    _check_protocols(findings)
    return findings


def _measured_on_worse(paths, runs):
    """Give the runs their figures on worse images; returns {name: those} of networks of other programs."""
    theirs: Dict[str, Document] = {}
    for path in paths:
        document = Document(path, metadata.read(path, _ROBUSTNESS))
        if run_name(path) == _EXTERNAL:
            theirs[_folder(path)] = document
        else:
            runs.setdefault(run_name(path), Run(run_name(path))).robustness = document
    return theirs


def _by_name(evaluations, checkpoints, histories, frozen, galleries, speeds, deployed):
    """{name: Run} with all that these files hold of each."""
    runs: Dict[str, Run] = {}

    def run(path):
        name = run_name(path)
        return runs.setdefault(name, Run(name))

    for path in checkpoints:
        document = _read(path, _CHECKPOINT)
        _once(run(path).checkpoints, document.get("epoch"), document)
    for path in evaluations:
        document = _evaluation(path)
        _once(run(path).evaluations, document.get("source", "epoch"), document)
    for path in frozen:
        if run(path).frozen is not None:
            raise PipelineError("{}: second frozen graph of run {}".format(path, run_name(path)))
        run(path).frozen = _evaluation(path)
    for path in deployed:
        _deploy(run(path), _evaluation(path))
    for path in speeds:
        run(path).speed = _read(path, _CHECKPOINT)
    for path in galleries:
        run(path).scenes.extend(_scenes(_read(path, _GALLERY)))
    for name, paths in _by_run(histories).items():
        run(paths[0]).history = _history(paths)
        _check_history(runs[name], paths)
    return runs


def run_name(path: str) -> str:
    """The run a file belongs to: the folder after the last `results` in its path, or that and the one below for a
    pretrained network."""
    parts = os.path.normpath(path).split(os.sep)
    places = [i for i, part in enumerate(parts[:-2]) if part == "results"]
    if not places:
        raise PipelineError("{}: is of no known run; the path must go through results/<run>/".format(path))
    name = parts[places[-1] + 1]
    return name if name + "/" != ELSEWHERE else ELSEWHERE + parts[places[-1] + 2]


def _folder(path):
    """The name of the folder that a file lies in."""
    return os.path.basename(os.path.dirname(os.path.abspath(path)))


_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?)")


def natural(text: str) -> List[Tuple[float, str]]:
    """A sort key that puts 2p before 10p, and rate_1e-05 before rate_0.0001."""
    return [(float(part), "") if _NUMBER.fullmatch(part) else (0, part) for part in _NUMBER.split(text) if part]


def data_kind(findings: Findings) -> str:
    """`kind_of` the data of the report."""
    return kind_of(findings.data, findings.baseline)


def kind_of(trained: Optional[Document], tested: Document) -> str:
    """SAMPLE for the embedded sample, NYU for the official test split with its crop and its filled truth, OWN for
    anything else; from the metadata of the training records, if any, and an evaluation."""
    path = trained.get("archive", "path") if trained else tested.get("test_data", "path")
    parts = os.path.normpath(path).split(os.sep)
    if ("results", "sample") in zip(parts, parts[1:]):
        return SAMPLE
    protocol = tested.get("protocol")
    official = protocol["images"] == published_results.TEST_IMAGES and tuple(protocol["crop"]) == published_results.CROP
    # A truth with holes is not the filled one, whatever its crop.
    return NYU if official and "truth_m" not in protocol else OWN


def _read(path, schema):
    return Document(path, metadata.read(path, schema, FORMAT))


def _evaluation(path):
    document = _read(path, _EVALUATION)
    for keys in _COMMON:
        document.get(*keys)
    for metric in METRICS:
        document.number("metrics", metric.key)
    return document


def _deploy(run, document):
    kind = document.get("source", "kind")
    if kind not in DEPLOYED:
        raise PipelineError("{}: source.kind is {!r}, none of {}".format(document.path, kind, ", ".join(DEPLOYED)))
    if kind in run.deployed:
        raise PipelineError("{}: second {} of run {}".format(document.path, DEPLOYED[kind], run.name))
    run.deployed[kind] = document


def _once(documents, epoch, document):
    if epoch in documents:
        raise PipelineError("{}: epoch {} again, it is in {}".format(document.path, epoch, documents[epoch].path))
    documents[epoch] = document


def _by_run(paths):
    groups: Dict[str, List[str]] = {}
    for path in paths:
        groups.setdefault(run_name(path), []).append(path)
    return groups


def _history(paths):
    found = (Document(where, entry) for path in paths for where, entry in recorded.read(path))
    entries = [{key: entry.number(key) for key in HISTORY_KEYS} for entry in found]
    frame = pandas.DataFrame(entries, columns=list(HISTORY_KEYS))
    return frame.sort_values("global_step", kind="mergesort").reset_index(drop=True)


def _check_history(run, paths):
    twice = run.history["global_step"][run.history["global_step"].duplicated()]
    if len(twice):
        raise PipelineError(
            "{}: global_step {} occurs twice in the history of run {}; its files are of different trainings".format(
                paths[0], int(twice.iloc[0]), run.name
            )
        )


def _scenes(gallery):
    folder = os.path.dirname(gallery.path)
    scenes = []
    for number, content in enumerate(gallery.get("scenes")):
        scene = Document("{}: scenes[{}]".format(gallery.path, number), content)
        picture = os.path.join(folder, scene.get("picture"))
        data = os.path.join(folder, scene.get("data"))
        for path in (picture, data):
            if not os.path.isfile(path):
                raise PipelineError("{}: no such file, though {} lists it".format(path, gallery.path))
        figures = {key: scene.number(key) for key in ("index", "rms", "delta1")}
        scenes.append((picture, data, dict(figures, name=scene.get("name", default=None))))
    return scenes


def _settings(text):
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise PipelineError("--settings: not JSON ({})".format(error)) from None
    if not isinstance(settings, dict):
        raise PipelineError("--settings: holds no JSON object")
    metadata.check("--settings", settings, _SETTINGS)
    return settings


def _check_run(run):
    if not run.evaluations:
        raise PipelineError(
            "run {}: has no evaluation among the files given; add it or leave the run out".format(run.name)
        )
    if run.elsewhere:
        return
    for epoch, evaluation in sorted(run.evaluations.items()):
        checkpoint = run.checkpoints.get(epoch)
        if checkpoint is None:
            raise PipelineError("{}: no model.json of run {} epoch {} given".format(evaluation.path, run.name, epoch))
        _same_weights(evaluation, checkpoint)
    for epoch, document in sorted(run.validations.items()):
        if epoch in run.checkpoints:
            _same_weights(document, run.checkpoints[epoch])
    for _, graph in run.graphs():
        epoch = graph.get("source", "epoch", default=None)
        if epoch in run.evaluations:
            _same_step(graph, run.checkpoints[epoch])


def _same_weights(evaluation, checkpoint):
    _same_step(evaluation, checkpoint)
    checksum = evaluation.get("source", "sha256", default=None)
    if checksum is not None and checksum not in checkpoint.get("files").values():
        raise PipelineError(
            "{}: source.sha256 is of other weights than those of {}; evaluate again".format(
                evaluation.path, checkpoint.path
            )
        )


def _same_step(evaluation, checkpoint):
    step, trained = evaluation.get("source", "global_step"), checkpoint.get("global_step")
    if step != trained:
        raise PipelineError(
            "{}: source.global_step is {}, but {} is of step {}; evaluate again".format(
                evaluation.path, step, checkpoint.path, trained
            )
        )


def _check_protocols(findings):
    baseline, documents = findings.baseline, list(findings.external.values())
    for run in findings.runs + findings.imported:
        documents += list(run.evaluations.values()) + [graph for _, graph in run.graphs()]
    for document in documents:
        for keys in _COMMON:
            if document.get(*keys) != baseline.get(*keys):
                raise PipelineError(
                    "{}: {} is {}, but {} in {}; figures of different tests do not compare".format(
                        document.path, ".".join(keys), document.get(*keys), baseline.get(*keys), baseline.path
                    )
                )
