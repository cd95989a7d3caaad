"""Which checkpoint of a run its validation chooses, and after which one training stops early; from JSON files alone."""

import math
from typing import Any, Dict, List, Mapping, Optional

from .. import files
from ..errors import PipelineError
from .metric_table import BY_KEY

LOSS = "loss"


def score(path: str, metric: str) -> float:
    """The figure `metric`, a key of the metrics or `LOSS`, in the validation file `path`.

    Raises PipelineError for a file without it.
    """
    document: Dict[str, Any] = files.read_json(path)
    found = document.get("loss" if metric == LOSS else "metrics")
    value = found.get(metric) if isinstance(found, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PipelineError("{}: has no {}; validate the checkpoint again".format(path, metric))
    return float(value)


def title(metric: str) -> str:
    """What readers know the figure by."""
    return "loss" if metric == LOSS else BY_KEY[metric].title


def gain(metric: str, new: float, old: float) -> float:
    """How much better `new` is than `old`; negative when it is worse."""
    return new - old if metric != LOSS and BY_KEY[metric].higher_is_better else old - new


def best(scores: Mapping[int, float], metric: str) -> int:
    """The epoch with the best of `scores` {epoch: figure}; the earliest among equals."""
    chosen = min(scores)
    for epoch in sorted(scores):
        if gain(metric, scores[epoch], scores[chosen]) > 0:
            chosen = epoch
    return chosen


def stopped_after(scores: Mapping[int, float], metric: str, patience: int, min_delta: float = 0) -> Optional[int]:
    """The epoch of `scores` after which training stops, or None while it goes on.

    It is the first one that is `patience` epochs or more after the last that was better by more than `min_delta` than
    the best before. With a `patience` of 0 training never stops.
    """
    epochs: List[int] = sorted(scores)
    if not patience or not epochs:
        return None
    reference = epochs[0]
    for epoch in epochs:
        if gain(metric, scores[epoch], scores[reference]) > min_delta:
            reference = epoch
        if epoch - reference >= patience:
            return epoch
    return None
