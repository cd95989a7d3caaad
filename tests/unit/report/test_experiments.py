"""The report's section on runs side by side, and its pictures."""

import filecmp
import os

import pytest
from densedepth.report import findings, groups, overlays, page
from result_files import Results, row_of, rows_of


def test_runs_stand_side_by_side_by_the_settings_that_differ(tmp_path):
    results = Results(tmp_path, runs=("1p", "fast"))
    results.runs = {"fast": {"devices": 1, "train": {"learning_rate": 0.001, "seed": 0}, "seed": 3}}
    rows = rows_of(results.make(), "Runs side by side")
    assert rows[0][:4] == ["run", "epoch", "seed", "train.learning_rate"]
    assert rows[2:] == [
        ["fast", "3", "`3`", "`0.001`", "0.7980", "0.1726", "0.5945", "0.1036"],
        ["1p", "3", page.BLANK, page.BLANK, "0.7980", "0.1726", "0.5945", "0.1036"],
    ]
    assert "Runs side by side" not in Results(tmp_path / "one").make()


def test_runs_that_differ_in_the_seed_alone_are_a_group(tmp_path):
    results = Results(tmp_path, runs=("1p", "a", "b"))
    results.runs = {"a": {"devices": 1, "seed": 1}, "b": {"devices": 2, "seed": 2}}
    results.edit(results.flags["evaluation"][5], lambda one: one["metrics"].update(delta1=0.778))
    text = results.make()
    assert text.index("Runs side by side") < text.index("## Precision")
    group = row_of(text, "Runs side by side", "a, 1p (2 seeds)")
    assert group[1:3] == ["`1`", "0.7880 ± 0.0141 (0.7780 … 0.7980)"]


@pytest.mark.curves
@pytest.mark.parametrize("swept", [1, 2, 3])
def test_swept_settings_are_drawn_against_the_figure(tmp_path, swept):
    """Each picture is drawn whole, with numbers, words and settings that a run lacks."""
    values = [["0.0001", "0.003", "0.0001"], ['"half"', '"full"', '"half"'], ["true", None, "false"]]
    rows = list(zip(*values[:swept]))
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for path in paths:
        overlays.draw_settings(path, ["train.learning_rate", "model.decoder", "c"][:swept], rows, [0.7, 0.8, 0.75])
    assert filecmp.cmp(*paths, shallow=False) and os.path.getsize(paths[0]) > 10000


def test_a_group_of_a_sweep_has_its_name_without_the_seed():
    def label(*names):
        return groups.Group([findings.Run(name) for name in names], {}).label

    assert label("lr-steps_5-seed_0", "lr-steps_5-seed_10") == "lr-steps_5 (2 seeds)"
    assert label("lr-steps_5-seed_0") == "lr-steps_5-seed_0"
    assert label("a-seed_1", "b-seed_2") == "a-seed_1, b-seed_2 (2 seeds)"
    assert label("a", "b", "c", "d") == "a … d (4 seeds)"


def test_the_page_of_many_runs_stays_readable(tmp_path):
    """Headlines and curves are those of the best; tables that would bury the rest are folded."""
    names = ["r{:02d}".format(number) for number in range(21)]
    results = Results(tmp_path, runs=names, epochs=(1, 2))
    results.edit(results.flags["evaluation"][5], lambda one: one["metrics"].update(delta1=0.9))
    text = results.make()
    assert text.count("of one constant depth**") == 5 and "Run r02, last checkpoint" in text
    assert text.count("report/loss_r") == 10 and "the 10 of 21 runs" in text
    assert "<summary>Table of 64 rows</summary>" in text.partition("## Precision")[2].partition("\n## ")[0]
