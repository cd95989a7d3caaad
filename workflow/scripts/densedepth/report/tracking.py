"""Finished runs in a store of MLflow: settings as parameters, figures by step and epoch as metrics, files as artefacts.

The store is a folder: an SQLite file and the artefacts; no server is needed. Each run of the pipeline is one run there,
found again by its name: what has not changed stays as it is, and what has takes the old one's place, which goes to
MLflow's bin. Nothing here measures or decides anything. MLflow is imported where it is used, since its environment is
its own.
"""

import dataclasses
import hashlib
import json
import os
import time
from typing import Any, Dict, List, Sequence, Tuple

from .. import files, run_settings
from ..errors import PipelineError
from . import histories

DATABASE = "mlflow.db"
EXPERIMENT = "DenseDepth"
FORMAT = 1

# Tags by which a run is found again, and what it was written from.
_NAME, _DIGEST = "densedepth.run", "densedepth.sha256"
# What MLflow takes in one call, and how long a value may be.
_AT_ONCE, _LONGEST = 1000, 6000
_OF_TRAINING = ("loss", "l1", "gradient", "ssim", "learning_rate")

# Name, value, step.
Figure = Tuple[str, float, int]


@dataclasses.dataclass
class Tracked:
    """What is written of one run."""

    name: str
    parameters: Dict[str, str]
    figures: List[Figure]
    artefacts: List[str]

    def digest(self) -> str:
        """The SHA-256 of all of it; files count by their content."""
        content = [self.name, self.parameters, self.figures, [files.sha256(path) for path in self.artefacts]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def gather(
    settings: Dict[str, Any],
    evaluations: Sequence[str],
    recorded: Sequence[str],
    report: Sequence[str],
    validations: Sequence[str] = (),
) -> List[Tracked]:
    """All runs of `settings` by their files, results/<run>/..., and one called `report` with the files of the report.

    recorded: histories of the checkpoints. Steps of a training count optimiser steps, those of an evaluation and a
    validation epochs. Raises PipelineError for a file that cannot be read.
    """
    tracked = []
    for run in settings["runs"]:
        place = "{0}results{0}{1}{0}".format(os.sep, run)
        own_histories, own_evaluations, own_validations = (
            [path for path in paths if place in os.path.abspath(path)] for paths in (recorded, evaluations, validations)
        )
        figures = [figure for path in own_histories for figure in _of_history(path)]
        figures += [figure for path in own_evaluations for figure in _of_evaluation(path)]
        figures += [figure for path in own_validations for figure in _of_validation(path)]
        parameters = dict(run_settings.leaves(run_settings.of_run(settings, run)))
        tracked.append(Tracked(run, parameters, figures, own_evaluations + own_validations + own_histories))
    return [*tracked, Tracked("report", {}, [], list(report))]


def write(folder: str, tracked: Sequence[Tracked]) -> Dict[str, Any]:
    """Bring the store in `folder` up to date; returns {"format", "store", "runs": {name: {run_id, sha256}}}.

    Raises PipelineError where there is no MLflow.
    """
    # Else MLflow reports over the network that it is used.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise PipelineError("MLflow cannot be imported ({}); run `make mlflow`".format(error)) from None
    folder = os.path.abspath(folder)
    os.makedirs(folder, exist_ok=True)
    store = "sqlite:///" + os.path.join(folder, DATABASE)
    client = MlflowClient(store)
    found = client.get_experiment_by_name(EXPERIMENT)
    place = "file://" + os.path.join(folder, "artifacts")
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT, artifact_location=place)
    runs = {one.name: _bring_up_to_date(client, experiment, one) for one in tracked}
    return {"format": FORMAT, "store": store, "runs": runs}


def _bring_up_to_date(client, experiment, one):
    digest = one.digest()
    named = client.search_runs([experiment], "tags.`{}` = '{}'".format(_NAME, one.name))
    current = [run for run in named if run.data.tags[_DIGEST] == digest and run.info.status == "FINISHED"][:1]
    for run in named:
        if run not in current:
            client.delete_run(run.info.run_id)
    if current:
        return {"run_id": current[0].info.run_id, "sha256": digest}
    run_id = client.create_run(experiment, tags={_NAME: one.name, _DIGEST: digest}, run_name=one.name).info.run_id
    _fill(client, run_id, one)
    client.set_terminated(run_id)
    return {"run_id": run_id, "sha256": digest}


def _fill(client, run_id, one):
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    parameters = [Param(name, value[:_LONGEST]) for name, value in one.parameters.items()]
    figures = [Metric(name, value, now, step) for name, value, step in one.figures]
    # Parameters: at most 100 in a call.
    for first in range(0, len(parameters), 100):
        client.log_batch(run_id, params=parameters[first : first + 100])
    for first in range(0, len(figures), _AT_ONCE):
        client.log_batch(run_id, metrics=figures[first : first + _AT_ONCE])
    for path in one.artefacts:
        # Files of several epochs have one name: the epoch's folder keeps them apart.
        folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
        client.log_artifact(run_id, path, None if one.name == "report" else folder)


def _of_history(path):
    for where, entry in histories.read(path):
        try:
            step = int(entry["global_step"])
            yield from [("train/" + name, float(entry[name]), step) for name in _OF_TRAINING]
        except (ValueError, KeyError, TypeError) as error:
            raise PipelineError("{}: no entry of a history ({!r})".format(where, error)) from None


def _of_validation(path):
    epoch = next(epoch for _, _, epoch in _of_evaluation(path))
    return [("validation/" + name, float(value), epoch) for name, value in sorted(histories.figures(path).items())]


def _of_evaluation(path):
    try:
        document = files.read_json(path)
        epoch = int(document["source"]["epoch"])
        yield from [("test/" + name, float(value), epoch) for name, value in sorted(document["metrics"].items())]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PipelineError("{}: no evaluation of a checkpoint ({!r}); evaluate again".format(path, error)) from None
