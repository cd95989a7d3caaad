"""The report from generated JSON files: complete, the same bytes every time."""

import os
import re

import pytest
import report as program
from result_files import PNG, Results, rows_of


def test_the_last_lines_are_the_figures_and_the_page(sample, capsys):
    sample.make()
    lines = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    assert lines == [
        "run 1p epoch 3 (last): delta1 0.798, AbsRel 0.173, RMSE 0.59 m",
        "run 1p epoch 2 (best, chosen on the test images): delta1 0.848, AbsRel 0.123, RMSE 0.54 m",
        "report: " + sample.out,
    ]


@pytest.mark.curves
def test_all_links_are_relative_and_lead_to_pictures(sample):
    text = sample.make()
    links = re.findall(r"!\[[^]]*\]\(([^)]*)\)", text)
    expected = ["report/loss_1p.png", "report/metrics_1p.png", "1p/gallery/scene_1.png", "1p/gallery/scene_2.png"]
    assert links == expected
    for link in links:
        with open(os.path.join(os.path.dirname(sample.out), link), "rb") as stream:
            assert stream.read(8) == PNG[:8]
    assert "Test image 7: RMSE 0.412 m, δ1 0.700" in text


def test_curves_of_runs_that_are_no_longer_there_are_removed(sample):
    os.makedirs(sample.figures)
    for name in ("loss_2p.png", "metrics_2p.png", "runs.png", "mine.png"):
        open(os.path.join(sample.figures, name), "w").close()
    sample.make()
    assert sorted(os.listdir(sample.figures)) == ["loss_1p.png", "metrics_1p.png", "mine.png"]


@pytest.mark.curves
def test_equal_inputs_in_any_order_give_equal_bytes(tmp_path):
    results = Results(tmp_path, runs=("2p", "10p"))

    def contents():
        names = [os.path.join(results.figures, name) for name in sorted(os.listdir(results.figures))] + [results.out]
        found = {}
        for name in names:
            with open(name, "rb") as stream:
                found[name] = stream.read()
        return found

    results.make()
    first = contents()
    for paths in results.flags.values():
        paths.reverse()
    results.make()
    assert contents() == first
    assert len(first) == 6
    assert all(b"Software" not in content for content in first.values())
    names = [row[0].split(",")[0] for row in rows_of(first[results.out].decode("utf-8"), "Precision")]
    assert names.index("**2p") < names.index("10p")


def test_pictures_are_called_by_their_names(sample):
    named = [{"index": i, "rms": rms, "name": "a_*{}|`.jpg".format(i)} for i, rms in enumerate((0.5, 0.2, 0.9))]
    for path in sample.flags["evaluation"]:
        sample.edit(path, lambda content: content.update(per_image=named))
    sample.edit(sample.flags["gallery"][0], lambda content: content["scenes"][1].update(name="kitchen_01.jpg"))
    text = sample.make()
    assert "| smallest | ``a_*1\\|`.jpg`` (0.200 m), ``a_*0\\|`.jpg`` (0.500 m), ``a_*2" in text
    assert "*`kitchen_01.jpg`: RMSE 0.412 m, δ1 0.700*" in text and "Test image 7" not in text
    assert "Test image 0: RMSE 0.412 m" in text


def test_no_tensorflow_is_imported():
    """Reports are written where no TensorFlow is installed."""
    import subprocess
    import sys

    code = "import sys; sys.path.insert(0, {!r}); import report; sys.exit('tensorflow' in sys.modules)"
    folder = os.path.dirname(os.path.abspath(program.__file__))
    assert subprocess.call([sys.executable, "-c", code.format(folder)]) == 0
