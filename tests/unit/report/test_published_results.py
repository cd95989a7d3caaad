"""Published figures and networks trained elsewhere: each among those that are measured alike."""

import json
import os
import re

import report as program
from densedepth.evaluation.metric_table import METRICS
from densedepth.report import published_results
from result_files import PORT, digest, row_of, rows_of


def test_a_network_trained_elsewhere_has_a_row_and_a_place(nyu):
    path = nyu.add_elsewhere()
    text = nyu.make()
    assert ["nyu (pretrained)", "0.8469", "0.9730"] in [row[:3] for row in rows_of(text, "Precision")]
    form = ["nyu (pretrained)", "densenet169, full, align_corners, no mid activation", "480x640"]
    assert form in [row[:3] for row in rows_of(text, "# DenseDepth")]
    assert "| **nyu (pretrained)** | **0.8469** |" in text.split("## Among published results")[1]
    assert "evaluation of nyu (pretrained)" in text
    assert [digest("nyu") in cell for row in rows_of(text, "Inputs") for cell in row].count(True) == 1
    nyu.edit(path, lambda e: e["protocol"].update(images=20))
    assert program.main(nyu.command()) == 1


def test_a_network_trained_elsewhere_is_shown_with_its_graphs_and_scenes(nyu):
    elsewhere = nyu.add_elsewhere()
    words = ["--published", elsewhere]
    for kind, flag in (("frozen", "--frozen"), ("onnx", "--deployed")):
        with open(elsewhere, encoding="utf-8") as stream:
            document = json.load(stream)
        document["source"]["kind"] = kind
        document["speed"] = {"batch_size": 1, "images": 9, "images_per_second": 25.0, "ms_per_image": 40.0}
        words += [flag, nyu.write("results/published/nyu/inference/{}.json".format(kind), document)]
    nyu.write_scene("results/published/nyu/gallery/best.npz")
    nyu.write_bytes("results/published/nyu/gallery/best.png", b"")
    scene = {"picture": "best.png", "data": "best.npz", "index": 3, "rms": 0.1, "delta1": 0.9}
    gallery = {"format": 1, "scenes": [scene]}
    words += ["--gallery", nyu.write("results/published/nyu/gallery/gallery.json", gallery)]
    words += ["--out", nyu.out, "--baseline", nyu.baseline, "--settings", nyu.write("settings.json", {})]
    assert program.main(words) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    names = [row[0] for row in rows_of(text, "Precision")]
    for graph in ("frozen graph", "ONNX file"):
        assert "nyu (pretrained), " + graph in names
        assert [graph, "25.00"] in [[row[1], row[-2]] for row in rows_of(text, "Performance")]
    check = row_of(text, "Verdicts", "nyu (pretrained): frozen graph against its checkpoint, largest")
    assert check[-1] == "passed"
    assert "### nyu (pretrained), the frozen graph" in text and "Best by RMSE. Test image 3" in text


def test_a_calibrated_network_says_so(nyu):
    facts = {"scale": 1.25, "images": 4, "measured_by": "tape_a.csv", "rel_before": 0.2, "rel_after": 0.05}
    nyu.edit(nyu.add_elsewhere(), lambda e: e["source"].update(calibration=facts))
    assert (
        "The depth of nyu (pretrained) is multiplied by 1.2500, calibrated on 4 images (`tape_a.csv`): AbsRel 0.0500 "
        "instead of 0.2000 on images that the factor was not taken from." in nyu.make()
    )


def test_a_network_trained_elsewhere_needs_no_run(nyu):
    for path in (nyu.baseline, nyu.add_elsewhere()):
        nyu.edit(path, lambda e: e["test_data"].update(path="dataset/nyu_test.zip"))
    page = os.path.join(nyu.root, "results", "report.html")
    words = ["--out", nyu.out, "--html", page, "--baseline", nyu.baseline, "--published", *nyu.flags["published"]]
    settings = nyu.write("settings.json", {"published": {"nyu": {"file": "dataset/nyu.h5"}}})
    assert program.main([*words, "--settings", settings]) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    assert "**nyu (pretrained): δ1 0.8469 against 0.3100 of one constant depth**" in text
    headings = re.findall("^## (.*)$", text, re.MULTILINE)
    expected = ["Precision", "Verdicts", "Among published results", "Settings", "Versions", "Inputs and checkpoints"]
    assert headings == expected and "Best" not in text
    verdicts = [row for row in rows_of(text, "Verdicts") if len(row) == 6]
    assert len(verdicts) == 2 + len(METRICS)
    assert ["`published.nyu.file`", '`"dataset/nyu.h5"`'] in rows_of(text, "Settings")
    with open(page, encoding="utf-8") as stream:
        assert "0.8469" in stream.read()


# As printed, of works whose rms is pooled or of which nothing says how it was averaged.
NOT_PER_IMAGE = ("0.5485", "0.5445", "0.5595", "0.5479", "0.573", "0.641", "0.586", "0.555", "0.509", "0.416")


def test_no_rms_that_is_pooled_or_unstated_stands_among_those_per_image():
    rows = [(group, row) for group in published_results.GROUPS for row in group.rows] + [
        (None, row) for row in published_results.ROWS
    ]
    for group, row in rows:
        kinds = [key for key in row.scores if key.startswith("rms")]
        assert len(kinds) <= 1, row.name
        assert row.scores.get("rms_image") not in NOT_PER_IMAGE, row.name
        assert group is None or set(row.scores) <= {metric.key for metric in group.metrics} | {"rel_truth"}, row.name
    printed = [row for _, row in rows if "rms_printed" in row.scores]
    kinds = {row.name.split()[0]: row.scores["rms_printed"].split(", ")[1] for row in printed}
    assert set(kinds.values()) <= {"pooled", "per image", "not stated"}
    assert kinds["FCRN"] == kinds["DenseNet-161"] == "pooled"
    assert {kinds[name] for name in ("MS-CRF", "Hao", "DORN")} == {"not stated"}


def test_rel_stands_under_what_it_is_divided_by():
    rows = [row for group in published_results.GROUPS for row in group.rows if "WaveletMonodepth" in row.name]
    assert [row.scores.get("rel_truth") for row in rows] == ["0.1277"] and "rel_prediction" not in rows[0].scores
    assert rows[0] in next(group for group in published_results.GROUPS if "different" in group.title).rows


def test_a_run_is_placed_among_results_that_are_measured_alike(nyu):
    def change(content):
        content["protocols"] = {
            "paper": {"metrics": dict(PORT, delta1=0.8481, rms_image=0.4633)},
            "bts": {"metrics": dict(PORT, delta1=0.8777, rms_image=0.4011)},
        }
        content["per_image"] = [{"index": i, "rms": rms} for i, rms in enumerate((0.5, 0.2, 0.9))]

    for path in nyu.flags["evaluation"]:
        nyu.edit(path, change)
    assert program.main(nyu.command()) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    groups = text.split("## Among published results")[1].split("\n## ")[0].split("\n### ")[1:]
    assert len(groups) == len(published_results.GROUPS)
    own = [[line for line in group.splitlines() if line.startswith("| **1p, epoch 3**")] for group in groups]
    assert [len(lines) for lines in own] == [1, 1, 1, 0, 0, 0, 0]
    assert "**0.7980**" in own[0][0] and "**0.5945**" in own[0][0] and "0.465" not in groups[0]
    assert "**0.8481**" in own[1][0] and "**0.4633**" in own[1][0] and "0.465" in groups[1]
    # The crop of AdaBins' figures on the filled truth is that of `bts`, not that of the paper.
    assert "**0.8777**" in own[2][0] and "**0.4011**" in own[2][0] and "issue 4 of AdaBins" in groups[2]
    assert groups[2].startswith("Filled ground truth, crop 45:471 x 41:601") and "AdaBins" not in groups[1]
    # Each figure has its source, and rows are in order.
    for group, lines in zip(published_results.GROUPS, groups):
        assert all(row.source in lines for row in group.rows)
        table = lines.split("| δ1\N{NO-BREAK SPACE}↑ |")[1].split("\n\n")[0]
        scores = [float(score) for score in re.findall(r"^\| [^|]+ \| \**(\d\.\d+)", table, re.MULTILINE)]
        assert scores == sorted(scores, reverse=True) and len(scores) >= len(group.rows)
    assert "| 1p, epoch 3 | smallest | 1 (0.200 m), 0 (0.500 m), 2 (0.900 m) |" in text
