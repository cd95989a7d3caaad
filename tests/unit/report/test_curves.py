"""The curves of a training."""

import numpy
import pytest
from densedepth.report import curves, inputs
from PIL import Image


@pytest.mark.curves
def test_pictures_and_history_may_be_missing_together(sample):
    for flag in ("history", "frozen", "gallery"):
        sample.flags[flag] = []
    text = sample.make()
    assert "loss_1p.png" not in text
    assert "## Gallery" not in text
    assert "metrics_1p.png" in text


def test_long_history_is_thinned_by_weighted_means():
    frame = inputs.pandas.DataFrame(
        {"global_step": [10, 20, 25, 35], "steps": [10, 10, 5, 10], "loss": [4.0, 2.0, 9.0, 3.0]}
    )
    assert curves.thin(frame, 4) is frame
    thinned = curves.thin(frame, 2)
    assert thinned["global_step"].tolist() == [20, 35]
    assert thinned["loss"].tolist() == [3.0, 5.0]


@pytest.mark.curves
def test_checkpoints_are_seen_on_the_lines_of_the_grid(tmp_path):
    steps = numpy.arange(20, 6001, 20)
    columns = dict.fromkeys(("loss", "l1", "gradient", "ssim", "learning_rate"), 0.1 + 1.0 / steps)
    history = inputs.pandas.DataFrame(dict(columns, global_step=steps, steps=20))
    dark = []
    for ends in ([], [1000, 2000, 3000, 4000, 5000]):
        curves.draw_loss(str(tmp_path / "loss.png"), history, ends)
        with Image.open(str(tmp_path / "loss.png")) as picture:
            dark.append((numpy.asarray(picture.convert("L")) < 110).sum(axis=0))
    # Five columns of dots from top to bottom, where the grid's lines were.
    assert ((dark[1] - dark[0]) > 200).sum() >= 5


@pytest.mark.curves
def test_the_loss_of_the_validation_is_a_curve_of_its_own(tmp_path):
    columns = {name: [0.5, 0.4] for name in ("loss", "l1", "gradient", "ssim", "learning_rate")}
    history = inputs.pandas.DataFrame(dict(columns, global_step=[10, 20], steps=10))
    dark = []
    for validated in ({}, {10: 0.7, 20: 0.6}):
        curves.draw_loss(str(tmp_path / "loss.png"), history, [], validated)
        with Image.open(str(tmp_path / "loss.png")) as picture:
            # That of `_DARK`, which is also that of no text.
            dark.append((numpy.asarray(picture.convert("RGB")) == 0x40).all(axis=2).sum())
    assert dark[1] > dark[0] + 1000
