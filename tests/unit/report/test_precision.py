"""The table of metrics."""

from densedepth.evaluation.metric_table import METRICS
from result_files import PORT, digest, row_of, rows_of


def test_precision_table_has_every_row_under_its_convention(nyu):
    text = nyu.make()
    header = rows_of(text, "Precision")[0]
    assert [cell.rstrip("\N{NO-BREAK SPACE}↑↓") for cell in header[1:]] == [metric.title for metric in METRICS]
    assert row_of(text, "Precision", "paper [1]")[1:] == [
        "0.846",
        "0.974",
        "0.994",
        "0.123",
        "-",
        "-",
        "0.465",
        "0.053",
    ]
    gpu = ["0.8480", "0.9721", "0.9937", "-", "0.1265", "0.5445", "-", "0.0536"]
    assert row_of(text, "Precision", "reference port, GPU")[1:] == gpu
    ascend = ["0.8465", "0.9699", "0.9926", "-", "0.1273", "0.5595", "-", "0.0539"]
    assert row_of(text, "Precision", "reference port, Ascend 910")[1:] == ascend
    assert row_of(text, "Precision", "nyu.h5")[4:8] == ["0.1234", "0.1274", "0.5485", "-"]
    assert row_of(text, "Precision", "constant median depth")[1] == "0.3100"
    assert row_of(text, "Precision", "1p, epoch 1")[1] == "0.7980"
    assert row_of(text, "Precision", "1p, frozen graph of epoch 3")[1] == "0.7980"


def test_everything_shows_the_last_checkpoint_and_the_best_is_said_to_be_chosen_on_the_test_images(sample):
    text = sample.make()
    marked = [row for row in rows_of(text, "Precision") if row[0].startswith("**")]
    assert [row[0] for row in marked] == ["**1p, epoch 3 (last)**"]
    assert all(cell.startswith("**") for cell in marked[0])
    words = "**Run 1p, last checkpoint (epoch 3): δ1 0.7980 against 0.3100 of one constant depth**"
    assert words in text.split("## Precision")[0] and "est checkpoint" not in text.replace(words, "")
    assert "The checkpoint with the highest δ1 is that of 1p, epoch 2. Looked up by the test images" in text
    assert "### Run 1p, the frozen graph of epoch 3" in text and "after each kept epoch; the last is epoch 3." in text


def test_no_checkpoint_is_the_best_of_equal_ones(sample):
    for path in sample.flags["evaluation"]:
        sample.edit(path, lambda e: e["metrics"].update(delta1=0.5))
    assert "with the highest δ1" not in sample.make()


def test_other_images_stand_in_no_table_with_published_figures(sample):
    for path in sample.flags["evaluation"]:
        sample.edit(path, lambda e: e.update(protocols={"bts": {"metrics": dict(PORT, delta1=0.8777)}}))
    text = sample.make()
    names = [row[0].strip("*") for row in rows_of(text, "Precision")]
    assert "constant median depth" in names and "1p, epoch 3 (last)" in names
    assert not [name for name in names if name.startswith(("paper", "nyu.h5", "reference port"))]
    assert ["1p, epoch 3", "`bts`", "0.8777"] in [row[:3] for row in rows_of(text, "Precision")]
    places = [row[0] for row in rows_of(text, "Published results")]
    # Behind a title to click on: these figures are of other images.
    assert "<details><summary>Figures for NYU Depth v2" in text.split("## Published results")[1].split("### ")[0]
    assert text.count("<details>") == text.count("</details>")
    assert "VPD 2023" in places and not [name for name in places if "epoch" in name]
    assert "Why RMSE 0.465 and 0.5445 are not one measure" in text


def test_what_a_frozen_graph_became_stands_beside_it(sample):
    sample.add_deployed("1p", "om", soc_version="Ascend310P3", precision_mode="force_fp16", size=[96, 128])
    sample.add_deployed("1p", "onnx")
    text = sample.make()
    rows = rows_of(text, "Precision")
    names = [row[0] for row in rows]
    first = names.index("1p, frozen graph of epoch 3")
    assert names[first + 1 : first + 3] == ["1p, ONNX file of epoch 3", "1p, OM file of epoch 3"]
    assert rows[first + 1][1] == rows[first + 2][1] == "0.7654"
    speeds = [row[1:] for row in rows_of(text, "Performance") if row[0] == "1p"][1:]
    assert [row[0] for row in speeds] == ["frozen graph", "ONNX file", "OM file"]
    assert speeds[1][2:] == ["any", "1", "96", "40.0", "41.0", "43.5", "50.0", "25.00", "12.50"]
    assert speeds[2][1:] == ["Ascend310P3", "96x128"] + ["-"] * 8
    assert "An OM file that msame has run has no speed here" in text
    assert ["`results/1p/export/model.onnx`", "`{}`".format(digest("onnx"))] in rows_of(text, "Inputs")
    assert "OM file of 1p" in text.split("## Versions")[1]
