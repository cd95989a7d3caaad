"""How the report calls things: runs, images, networks, devices; and how it writes figures."""

from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from .. import run_settings
from ..evaluation import selection
from ..evaluation.metric_table import DECIDING, METRICS
from ..file_names import of_image
from .findings import Document, Findings, Run
from .page import code, plain


def best_checkpoint(findings: Findings) -> Optional[Tuple[str, int]]:
    """(run name, epoch) of the one checkpoint with the highest `DECIDING` metric; None without runs, and on a tie."""
    scores = {
        (run.name, epoch): evaluation.number("metrics", DECIDING.key)
        for run in findings.runs
        for epoch, evaluation in run.evaluations.items()
    }
    best = [place for place, score in scores.items() if score == max(scores.values())]
    return best[0] if len(best) == 1 else None


def best_runs(runs: Sequence[Run], most: int) -> List[Run]:
    """At most so many of the runs, those of the best exported checkpoints, in the order given."""
    best = sorted(runs, key=lambda run: -run.exported().number("metrics", DECIDING.key))[:most]
    return [run for run in runs if run in best]


def exported_of_run(run: Run) -> Tuple[str, Document]:
    """(name, evaluation) of the exported checkpoint of a run."""
    return "{}, epoch {}".format(run.name, run.exported_epoch()), run.exported()


def exported_of_runs(findings: Findings) -> List[Tuple[str, Document]]:
    """[(name, evaluation)] of the exported checkpoint of each run."""
    return [exported_of_run(run) for run in findings.runs]


def role(findings: Findings, run: Run) -> str:
    """Why the exported checkpoint of the run is that one: `last`, `best by validation δ1` or `chosen`."""
    settings = run_settings.of_run(findings.settings, run.name)
    chosen = settings.get("export", "last")
    if chosen == "best":
        return "best by validation {}".format(selection.title(settings["data"]["validation"]["metric"]))
    return "last" if run.exported_epoch() == max(run.evaluations) else "chosen"


def elsewhere(findings: Findings) -> List[Tuple[str, Document]]:
    """[(name, evaluation)] of the pretrained networks."""
    return [(run.label, run.last()) for run in findings.imported]


def called(image: Dict[str, Any], otherwise: str) -> str:
    """The image's name, which may hold any signs, as code; or its number."""
    name = of_image(image, otherwise)
    return code(name) if image.get("name") else name


def last_checkpoint(run: Run) -> Document:
    """The metadata of the run's last checkpoint."""
    return run.checkpoints[max(run.checkpoints)]


def scores(evaluation: Document) -> Tuple[str, ...]:
    """All metrics of an evaluation, as text in the order of `METRICS`."""
    return tuple(score(evaluation.number("metrics", metric.key)) for metric in METRICS)


def score(value: float) -> str:
    """A metric with four digits."""
    return "{:.4f}".format(value)


def of_epoch(document: Document) -> str:
    """` of epoch 5`, or nothing where the file does not say."""
    epoch = document.get("source", "epoch", default=None)
    return "" if epoch is None else " of epoch {}".format(epoch)


def network(model: Mapping[str, Any]) -> str:
    """`densenet169, half` and what differs from the reference port."""
    words = [model["encoder"], model["width"]]
    if model["upsampling"] != "half_pixel":
        words.append(model["upsampling"])
    if not model["mid_activation"]:
        words.append("no mid activation")
    return ", ".join(words)


def size(size: Optional[Sequence[int]]) -> str:
    """Such as `480x640`, the height first; `any` for None."""
    return "any" if size is None else "{}x{}".format(*size)


def numbers(values: Iterable[Any]) -> str:
    """The values in order, with commas."""
    return ", ".join(str(value) for value in sorted(values))


def runtime(facts: Mapping[str, str]) -> str:
    """Interpreter and TensorFlow of a result, from its `runtime`."""
    return "{}: Python {}, TensorFlow {}".format(
        facts.get("runtime", "none"), facts.get("python", "?"), facts.get("tensorflow", "none")
    )


def device(document: Document) -> str:
    """The device where it is recorded, else the kind of machine."""
    recorded = document.get("performance", "device", default=None)
    return plain(recorded or "{} machine".format(document.get("runtime").get("machine", "unknown")))
