"""Verdicts: against the published figures, a constant depth, and the checkpoint of a graph."""

import os

import pytest
import report as program
from densedepth.evaluation.metric_table import METRICS
from densedepth.report import comparison, published_results
from result_files import PORT, Results, row_of, rows_of


def test_sample_is_declared_not_comparable_and_judged_by_the_constant_depth(sample):
    text = sample.make()
    assert "**not comparable** with the published figures" in text
    assert row_of(text, "Verdicts", "1p, epoch 3 (last)")[1:] == ["+0.4880", "at least 0.15", "passed"]
    assert "reproduced" not in " ".join(" ".join(row) for row in rows_of(text, "Verdicts"))
    assert row_of(text, "Verdicts", "1p: frozen graph")[1:] == ["4.0e-09", "at most 1e-06", "passed"]


def test_a_folded_graph_may_differ_by_rounding(sample):
    def frozen(folded, apart):
        def change(content):
            content["source"]["folded"] = folded
            content["metrics"]["delta1"] = sample.scores(3)["delta1"] + apart

        sample.edit(sample.flags["frozen"][0], change)
        assert program.main(sample.command()) == 0
        with open(sample.out, encoding="utf-8") as stream:
            (line,) = [line for line in stream if "frozen graph against its checkpoint" in line]
        return line

    assert "at most 1e-04 (folded) | passed" in frozen(True, 5e-5)
    assert "at most 1e-04 (folded) | not passed" in frozen(True, 2e-4)
    assert "at most 1e-06 | not passed" in frozen(False, 5e-5)


def test_a_network_trained_elsewhere_is_judged_by_its_form(nyu):
    nyu.add_elsewhere()
    nyu.add_elsewhere("old", delta1=0.8166, rms_pooled=0.5916)
    nyu.add_elsewhere("port", published_results.PORT_NETWORK, delta1=0.8480)
    nyu.add_elsewhere("kitti", size=(384, 1280))
    nyu.add_elsewhere("other", dict(published_results.PAPER_NETWORK, mid_activation=True))
    text = nyu.make()
    found = {(row[0].split(" (")[0], row[1]): row[2:] for row in rows_of(text, "Verdicts") if len(row) == 6}
    name = "nyu.h5 (the paper's weights), re-measured"
    assert found["nyu", "δ1"] == ["0.8469", "0.8471 ({})".format(name), "± 0.002", "reproduced"]
    assert found["nyu", "RMSE (pooled)"][1:] == ["0.5485 ({})".format(name), "± 0.005", "reproduced"]
    assert found["nyu", "RMSE (per image)"][1] == "0.465 (paper)"
    assert {found["nyu", metric.title][3] for metric in METRICS} == {"reproduced"}
    # As a user measured it with code that builds another network than that of the file.
    assert found["old", "δ1"][3] == found["old", "RMSE (pooled)"][3] == "not reproduced"
    assert found["port", "δ1"][1:] == ["0.8480 (reference port, GPU)", "± 0.005", "reproduced"]
    assert not {"kitti", "other"} & {name for name, _ in found}
    assert "without a verdict here: kitti (pretrained), other (pretrained)." in text
    assert row_of(text, "Verdicts", "kitti (pretrained): δ1 above")[3] == "passed"


def test_a_truth_with_holes_is_not_the_one_of_the_published_figures(nyu):
    for path in [nyu.baseline, *nyu.flags["evaluation"], *nyu.flags["frozen"]]:
        nyu.edit(path, lambda e: e["protocol"].update(truth_m=[0.0, 10.0]))
    text = nyu.make()
    assert "**not comparable** with the published ones" in text and "## Published results" in text


def test_a_network_near_the_constant_depth_is_said_to_fail(sample):
    sample.edit(sample.flags["evaluation"][-1], lambda e: e["metrics"].update(delta1=0.45))
    sample.edit(sample.flags["frozen"][0], lambda e: e["metrics"].update(delta1=0.46))
    text = sample.make()
    assert row_of(text, "Verdicts", "1p, epoch 3 (last)")[1:] == ["+0.1400", "at least 0.15", "not passed"]
    assert row_of(text, "Verdicts", "1p: frozen graph")[3] == "not passed"


def test_nyu_figures_have_a_verdict_for_each_metric_and_run(nyu):
    for run, changed in (("1p", {}), ("8p", {"delta1": 0.8431, "delta2": 0.98, "rms_pooled": 0.5652})):
        last = [path for path in nyu.flags["evaluation"] if os.path.join(run, "evaluation", "epoch3") in path]
        nyu.edit(last[0], lambda e, changed=changed: e["metrics"].update(PORT, **changed))
    text = nyu.make()
    assert "not comparable" not in text
    verdicts = {(row[0], row[1]): row[2:] for row in rows_of(text, "Verdicts") if len(row) == 6}
    # Two rows are the head and the line below it.
    assert len(verdicts) == 2 + 2 * len(METRICS)
    assert verdicts["1p, epoch 3", "δ1"] == ["0.8480", "0.8480 (reference port, GPU)", "± 0.005", "reproduced"]
    assert verdicts["8p, epoch 3", "δ1"][3] == "reproduced"
    assert verdicts["8p, epoch 3", "δ2"][3] == "better"
    assert verdicts["8p, epoch 3", "RMSE (pooled)"][3] == "not reproduced"
    assert verdicts["8p, epoch 3", "RMSE (per image)"][1] == "0.465 (paper)"


def test_own_archives_are_not_judged_by_published_figures(tmp_path):
    text = Results(tmp_path, archive="dataset/mine.zip").make()
    assert "not the 654 of NYU Depth v2" in text
    assert "± 0.005" not in text


@pytest.mark.parametrize(
    "key, value, expected",
    [
        ("delta1", 0.8430, "reproduced"),
        ("delta1", 0.8428, "not reproduced"),
        ("delta1", 0.8535, "better"),
        ("rms_image", 0.485, "reproduced"),
        ("rms_image", 0.486, "not reproduced"),
        ("rms_image", 0.44, "better"),
        ("log10", 0.0546, "reproduced"),
        ("log10", 0.0548, "not reproduced"),
    ],
)
def test_verdict(key, value, expected):
    metric = next(m for m in METRICS if m.key == key)
    assert comparison.verdict(metric, value) == expected
