"""What other programs predicted: a table for each alignment, since figures of two alignments do not compare."""

import re

import report as program
from result_files import rows_of


def test_a_table_for_each_alignment_and_ours_among_what_is_not_aligned(nyu):
    nyu.add_external("theirs", delta1=0.91)
    nyu.add_external("worse", delta1=0.11)
    nyu.add_external("relative", "affine_disparity", delta1=0.97)
    nyu.add_external("other", "median", delta1=0.95)
    text = nyu.make()
    rows = [row[:3] for row in rows_of(text, "Predictions of other programs") if row[1] in ("metres", "this page")]
    ours = ["1p, epoch 3", "8p, epoch 3"]
    assert [row[0] for row in rows] == ["`theirs`", *ours, "`worse`", "`other`", "`relative`"]
    assert rows[0][1:] == ["metres", "0.9100"] and rows[1][1] == "this page"
    found = re.findall("^### .* \\(alignment `(.*)`\\)$", text, re.M)
    assert found == ["none", "median", "affine_disparity"]


def test_without_any_the_page_does_not_speak_of_it(nyu):
    assert "other programs" not in nyu.make()


def test_a_page_of_nothing_else(nyu):
    """No run, no pretrained network: the constant depth, and the tables."""
    nyu.add_external("theirs", delta1=0.91, silog=9.5)
    nyu.add_external("relative", "median", delta1=0.97)
    words = ["--out", nyu.out, "--html", nyu.out + ".html", "--baseline", nyu.baseline]
    words += ["--external", *nyu.flags["external"], "--settings", nyu.write("settings.json", {"evaluate": {}})]
    assert program.main(words) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    assert "Depth that other programs predicted, scored on the 654 images" in text
    rows = rows_of(text, "Predictions of other programs")
    assert [row[:3] for row in rows if row[1] == "metres"] == [
        ["`theirs`", "metres", "0.9100"],
        ["`relative`", "metres", "0.9700"],
    ]
    assert "9.5000" in text.partition("## More metrics")[2]
    # No table is empty.
    assert "Verdicts" not in text and not re.search(r"^\| -[-: |]*\n(?!\|)", text, re.M)


def test_predictions_of_another_test_set_are_refused(nyu, capsys):
    nyu.edit(nyu.add_external("theirs"), lambda e: e["test_data"].update(size_bytes=1))
    assert program.main(nyu.command()) == 1
    assert "results/external/theirs/evaluation.json: test_data.size_bytes is 1" in capsys.readouterr().err
