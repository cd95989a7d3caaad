"""The history of a run with its validations, and what of it goes to MLflow."""

import json

import pytest
from densedepth.errors import PipelineError
from densedepth.report import histories, tracking

TERMS = {"l1": 1.0, "gradient": 0.5, "ssim": 0.25}


def written(folder):
    """(histories, validations): the paths of two checkpoints of two entries each, the first of which is validated."""
    paths = []
    for epoch in (2, 1):
        path = folder / "results/1p/checkpoints/epoch{}/history.jsonl".format(epoch)
        path.parent.mkdir(parents=True)
        facts = dict(TERMS, epoch=epoch, loss=1.0, learning_rate=0.1)
        entries = [dict(facts, global_step=4 * epoch + step) for step in (-2, 0)]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
        paths.append(str(path))
    document = {"source": {"epoch": 1, "global_step": 4}, "metrics": {"delta1": 0.5}, "loss": dict(TERMS, loss=2.0)}
    validation = folder / "results/1p/validation/epoch1.json"
    validation.parent.mkdir()
    validation.write_text(json.dumps(document))
    return paths, [str(validation)]


def test_a_validation_follows_the_last_entry_of_its_epoch(tmp_path):
    found = histories.joined(*written(tmp_path))
    assert [entry["global_step"] for entry in found] == [2, 4, 4, 6, 8]
    assert found[2] == {"epoch": 1, "global_step": 4, "validation": dict(TERMS, loss=2.0, delta1=0.5)}


def test_what_does_not_go_together_is_refused(tmp_path):
    paths, (validation,) = written(tmp_path)
    with pytest.raises(PipelineError, match="line 1: global_step 6 again; these are of different trainings"):
        histories.joined([paths[0], paths[0]], [])
    for text, words in (("[]", "has no loss or no metrics"), ('{"loss": {}, "metrics": {}}', "epoch is missing")):
        with open(validation, "w") as stream:
            stream.write(text)
        with pytest.raises(PipelineError, match="epoch1.json: " + words):
            histories.joined(paths, [validation])
    with open(paths[0], "w") as stream:
        stream.write("{")
    with pytest.raises(PipelineError, match=r"history.jsonl: line 1: not JSON"):
        histories.joined(paths, [])


def test_a_validation_goes_to_mlflow_by_its_epoch(tmp_path):
    paths, validations = written(tmp_path)
    run, _ = tracking.gather({"runs": {"1p": {}}}, [], paths, [], validations)
    assert ("validation/loss", 2.0, 1) in run.figures and ("validation/delta1", 0.5, 1) in run.figures
    assert run.artefacts == [*validations, *paths]
