"""What was recorded while a run trained: entries of its checkpoints' history.jsonl, and its validations among them."""

from typing import Any, Dict, Iterable, Iterator, List, Tuple

from .. import files
from ..errors import PipelineError

Entry = Dict[str, Any]


def read(path: str) -> Iterator[Tuple[str, Entry]]:
    """(`<path>: line <n>`, entry) of each line of a history. Raises PipelineError for a file that is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except FileNotFoundError:
        raise PipelineError("{}: no such file".format(path)) from None
    except OSError as error:
        raise PipelineError("{}: cannot be read ({})".format(path, error.strerror)) from None
    for number, line in enumerate(lines, 1):
        where = "{}: line {}".format(path, number)
        try:
            yield where, files.parse_json(line, where)
        except ValueError as error:
            raise PipelineError("{}: not JSON ({})".format(where, error)) from None


def joined(histories: Iterable[str], validations: Iterable[str]) -> List[Entry]:
    """All entries of a run by their steps; behind the last of an epoch the entry of its validation, if it has one.

    That has `epoch`, `global_step` and `validation`, in which are the `loss` and its terms, and all metrics. Raises
    PipelineError for files that lack these, and for a step that two histories have.
    """
    found: Dict[Tuple[int, bool], Entry] = {}
    for path in histories:
        for where, entry in read(path):
            step = _whole(where, entry, "global_step")
            if (step, False) in found:
                raise PipelineError("{}: global_step {} again; these are of different trainings".format(where, step))
            found[step, False] = entry
    for path in validations:
        measured = figures(path)
        place = {key: _whole(path, files.read_json(path).get("source"), key) for key in ("epoch", "global_step")}
        found[place["global_step"], True] = dict(place, validation=measured)
    return [found[place] for place in sorted(found)]


def figures(path: str) -> Dict[str, float]:
    """{name: figure} of a validation: the `loss` and its terms, and all metrics. Raises PipelineError without them."""
    document = files.read_json(path)
    loss, metrics = (document.get(key) if isinstance(document, dict) else None for key in ("loss", "metrics"))
    if not isinstance(loss, dict) or not isinstance(metrics, dict):
        raise PipelineError("{}: has no loss or no metrics; validate the checkpoint again".format(path))
    return dict(metrics, **loss)


def _whole(where, entry, key):
    value = entry.get(key) if isinstance(entry, dict) else None
    if isinstance(value, bool) or not isinstance(value, int):
        raise PipelineError("{}: {} is missing or no whole number".format(where, key))
    return value
