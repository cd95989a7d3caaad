"""The report's section on the validation: which checkpoint it chose, and why a run ended."""

import pytest
from result_files import Results, row_of, rows_of

SCORES = {1: 0.5, 2: 0.7, 3: 0.6}


def validated(tmp_path, export, frozen, patience=0):
    """A run of three epochs of ten, with a validation."""
    results = Results(tmp_path)
    results.flags["validation"] = []
    for epoch, score in SCORES.items():
        source = {"epoch": epoch, "global_step": 60 * epoch}
        document = results.evaluation(dict(results.scores(epoch), delta1=score), source)
        document["loss"] = {"loss": 2.0 - score}
        document["protocol"]["images"] = 12
        results.add("validation", "results/1p/validation/epoch{}.json".format(epoch), document)
    results.edit(results.flags["frozen"][0], lambda one: one["source"].update(epoch=frozen, global_step=60 * frozen))
    train = {"patience": patience, "min_delta": 0, "epochs": 10}
    results.runs = {
        "1p": {"devices": 1, "export": export, "train": train, "data": {"validation": {"metric": "delta1"}}}
    }
    return results.make()


def test_the_best_by_validation_is_what_the_page_shows(tmp_path):
    text = validated(tmp_path, "best", 2)
    words = (
        "Run 1p: epoch 2 is exported (`export: best`), the best by validation δ1, 0.7000 against 0.6000 of the last, "
    )
    assert words + "epoch 3." in text
    assert "12 pairs were taken out of the training pairs" in text
    assert row_of(text, "Validation", "1p, epoch 2")[1] == "**1.3000**"
    assert "**Run 1p, checkpoint best by validation δ1 (epoch 2): δ1 0.8480 against" in text
    assert row_of(text, "Precision", "1p, epoch 2 (best by validation δ1)")
    assert row_of(text, "Verdicts", "1p, epoch 2 (best by validation δ1)")[3] == "passed"


@pytest.mark.parametrize(
    "export, frozen, words",
    [
        ("last", 3, "epoch 3 is exported (`export: last`), the last; the best by validation δ1 is epoch 2."),
        (1, 1, "epoch 1 is exported (`export: 1`), as set; the best by validation δ1 is epoch 2."),
    ],
)
def test_other_choices_say_which_one_was_better(tmp_path, export, frozen, words):
    assert words in validated(tmp_path, export, frozen)


def test_an_early_end_is_told(tmp_path):
    words = "Training stopped early after epoch 3 of 10: no better δ1 for 1 epochs or more (`train.patience`)."
    assert words in validated(tmp_path, "best", 2, patience=1)


def test_without_a_validation_there_is_no_section(tmp_path):
    text = Results(tmp_path).make()
    assert "Validation" not in text and rows_of(text, "Verdicts")
