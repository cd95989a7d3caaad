"""Which checkpoint a validation chooses, and after which one training stops."""

import json

import pytest
from densedepth.errors import PipelineError
from densedepth.evaluation import selection


def test_the_best_is_by_the_direction_of_the_figure_and_the_earliest_among_equals():
    scores = {2: 0.5, 4: 0.7, 6: 0.7, 10: 0.4}
    assert selection.best(scores, "delta1") == 4
    assert selection.best(scores, "rms_pooled") == selection.best(scores, "loss") == 10


@pytest.mark.parametrize(
    "scores, patience, min_delta, stopped",
    [
        ({1: 0.5, 2: 0.6, 3: 0.6, 4: 0.7}, 0, 0, None),
        ({1: 0.5, 2: 0.6, 3: 0.6, 4: 0.7}, 1, 0, 3),
        ({1: 0.5, 2: 0.6, 3: 0.6, 4: 0.7}, 2, 0, None),
        # Small gains count from the last that was large enough, all together.
        ({1: 0.5, 2: 0.52, 3: 0.54, 4: 0.56}, 3, 0.05, None),
        ({1: 0.5, 2: 0.52, 3: 0.54, 4: 0.54}, 3, 0.05, 4),
        # In epochs, not in checkpoints; what comes after the stop says nothing.
        ({5: 0.5, 10: 0.4}, 5, 0, 10),
        ({5: 0.5, 10: 0.4, 15: 0.9}, 6, 0, None),
        ({5: 0.5, 10: 0.4, 15: 0.9}, 5, 0, 10),
        ({}, 1, 0, None),
    ],
)
def test_when_training_stops(scores, patience, min_delta, stopped):
    assert selection.stopped_after(scores, "delta1", patience, min_delta) == stopped
    # The same of a figure whose lower values are better.
    mirrored = {epoch: -score for epoch, score in scores.items()}
    assert selection.stopped_after(mirrored, "loss", patience, min_delta) == stopped


def test_a_validation_without_the_figure_is_told(tmp_path):
    path = tmp_path / "epoch1.json"
    path.write_text(json.dumps({"metrics": {"delta1": 0.5}, "loss": {"loss": 2}}))
    assert selection.score(str(path), "delta1") == 0.5
    assert selection.score(str(path), "loss") == 2
    with pytest.raises(PipelineError, match=r"epoch1\.json: has no log10; validate the checkpoint again"):
        selection.score(str(path), "log10")
