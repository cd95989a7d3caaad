"""What the report is made from, as objects: the content of a file, the files of a run, and all of them."""

import collections
import dataclasses
import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pandas

from ..errors import PipelineError
from ..evaluation.metric_table import METRICS

HISTORY_KEYS = ("epoch", "global_step", "steps", "loss", "l1", "gradient", "ssim", "learning_rate")

# What the name of a pretrained network begins with.
ELSEWHERE = "published/"

# Kinds of files that a frozen graph becomes for other runtimes -> what the report calls them.
DEPLOYED = collections.OrderedDict([("onnx", "ONNX file"), ("om", "OM file")])


class Document:
    """The content of one JSON file that knows the file's name, for messages."""

    def __init__(self, path: str, content: Any) -> None:
        self.path = path
        if not isinstance(content, dict):
            raise PipelineError("{}: holds no JSON object".format(path))
        self.content = content

    def get(self, *keys: str, **default: Any) -> Any:
        """The value below `keys`; PipelineError without it, unless a `default` is given (also taken for null)."""
        value = self.content
        for depth, key in enumerate(keys):
            if not isinstance(value, dict) or value.get(key) is None:
                if "default" in default:
                    return default["default"]
                name = ".".join(keys[: depth + 1])
                raise PipelineError("{}: no key {}; make the file again with its program".format(self.path, name))
            value = value[key]
        return value

    def number(self, *keys: str) -> float:
        """The finite number below `keys`."""
        return _finite(self.path, ".".join(keys), self.get(*keys))


class Run:
    """The files of one run. checkpoints, evaluations, validations: {epoch: Document}; history: DataFrame, maybe empty;
    frozen, robustness, speed (as measured by itself): Document or None; deployed: {kind in DEPLOYED: Document}; scenes:
    [(path of the image, path of the data, scene as in gallery.json)]; thumbnails: path of those of the frozen graph.

    A pretrained network is one too, without checkpoints, history and speed, and with a single evaluation.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.checkpoints: Dict[int, Document] = {}
        self.evaluations: Dict[int, Document] = {}
        self.validations: Dict[int, Document] = {}
        self.history = pandas.DataFrame(columns=list(HISTORY_KEYS))
        self.frozen: Optional[Document] = None
        self.deployed: Dict[str, Document] = {}
        self.speed: Optional[Document] = None
        self.robustness: Optional[Document] = None
        self.thumbnails: Optional[str] = None
        self.scenes: List[Tuple[str, str, Dict[str, Any]]] = []

    @property
    def elsewhere(self) -> bool:
        """Whether this is a pretrained network."""
        return self.name.startswith(ELSEWHERE)

    @property
    def label(self) -> str:
        """What the report calls it."""
        return "{} (pretrained)".format(self.name[len(ELSEWHERE) :]) if self.elsewhere else self.name

    def last(self) -> Document:
        """The evaluation of the last epoch."""
        return self.evaluations[max(self.evaluations)]

    def exported_epoch(self) -> int:
        """The epoch whose checkpoint was frozen; the last one where the files do not say."""
        epoch = None if self.frozen is None else self.frozen.get("source", "epoch", default=None)
        return epoch if epoch in self.evaluations else max(self.evaluations)

    def exported(self) -> Document:
        """The evaluation of the exported checkpoint."""
        return self.evaluations[self.exported_epoch()]

    def graphs(self) -> List[Tuple[str, Document]]:
        """[(what it is called, its evaluation)] of the frozen graph and of what it became for other runtimes."""
        named: List[Tuple[str, Document]] = [("frozen graph", self.frozen)] if self.frozen is not None else []
        return named + [(DEPLOYED[kind], self.deployed[kind]) for kind in DEPLOYED if kind in self.deployed]

    def validation_losses(self) -> Dict[int, float]:
        """{optimiser step: loss on the validation images}."""
        validations = self.validations.values()
        return {one.get("source", "global_step"): one.number("loss", "loss") for one in validations}

    def scores(self) -> pandas.DataFrame:
        """A row for each evaluated epoch, in order: `epoch` and the metrics."""
        rows = [
            dict(((m.key, document.number("metrics", m.key)) for m in METRICS), epoch=epoch)
            for epoch, document in sorted(self.evaluations.items())
        ]
        return pandas.DataFrame(rows)


@dataclasses.dataclass(frozen=True)
class Findings:
    """All that the report is made from."""

    # In natural order of their names.
    runs: List[Run]
    baseline: Document
    # Of the training records; None without runs.
    data: Optional[Document]
    weights: Sequence[Document]
    settings: Dict[str, Any]
    # Pretrained networks.
    imported: List[Run]
    # {name: the evaluation} of what other programs predicted.
    external: Dict[str, Document] = dataclasses.field(default_factory=dict)
    # {name: the figures on worse images} of networks of other programs.
    external_robustness: Dict[str, Document] = dataclasses.field(default_factory=dict)


def _finite(path, name, value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PipelineError("{}: {} is {!r}, not a number".format(path, name, value))
    if not math.isfinite(value):
        raise PipelineError("{}: {} is {}; a figure that is not finite is not reported".format(path, name, value))
    return value
