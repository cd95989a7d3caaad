"""The report's section on intervals and on one network against another."""

import math

import numpy as np
import pytest
from densedepth.evaluation import statistics
from densedepth.report import certainty
from densedepth.report.inputs import Document, Findings, Run
from densedepth.report.page import Page


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 300)
    for name in ("intervals", "compare_groups"):
        whole = getattr(statistics, name)
        monkeypatch.setattr(statistics, name, lambda *blocks, whole=whole: whole(*blocks, resamples=300))


def evaluation(rms, delta1=0.6):
    """Images of these errors; the other scores are alike."""
    images = [
        {"index": index, "delta1": delta1, "rel_truth": 0.2, "rms": float(error)} for index, error in enumerate(rms)
    ]
    pooled = math.sqrt(np.mean(np.square(rms)))
    content = {
        "protocol": {"name": "port", "crop": [0, 9, 0, 9], "depth_limits_m": [0.1, 10.0]},
        "metrics": {"delta1": delta1, "rel_truth": 0.2, "rms_pooled": pooled, "rms_image": float(np.mean(rms))},
        "per_image": images,
    }
    return Document("e.json", content)


def findings(settings=None, **networks):
    runs = []
    for name, document in networks.items():
        runs.append(Run(name))
        runs[-1].evaluations = {1: None, 2: document}
    return Findings(runs=runs, baseline=None, data=None, weights=[], settings={"runs": settings or {}}, imported=[])


def tables(settings=None, **networks):
    page = Page()
    certainty.add(page, findings(settings, **networks))
    return [block.rows for block in page.blocks if block.kind == "table"]


ERRORS = np.random.RandomState(0).lognormal(-1, 0.5, 40)


def test_each_last_checkpoint_has_its_intervals():
    ((row,),) = tables(a=evaluation(ERRORS))
    assert row[0] == "a, epoch 2"
    low, high = statistics.intervals(evaluation(ERRORS).content)["rms_pooled"]
    assert row[3] == "{:.4f} [{:.4f}, {:.4f}]".format(evaluation(ERRORS).get("metrics", "rms_pooled"), low, high)


def test_a_verdict_is_of_the_corrected_chance():
    _, rows = tables(a=evaluation(ERRORS), b=evaluation(ERRORS * 0.9, 0.7), c=evaluation(ERRORS))
    found = {row[:3]: (row[3], row[6]) for row in rows}
    assert len(rows) == 9
    a, b, c = ("{}, epoch 2".format(name) for name in "abc")
    assert found[(a, b, "RMSE (pooled)")][0].startswith("-") and found[(a, b, "RMSE (pooled)")][1] == "B is better"
    assert found[(b, c, "RMSE (pooled)")][1] == "A is better"
    assert found[(a, b, next(row[2] for row in rows))] == ("+0.1000", "B is better")
    assert found[(a, c, "RMSE (pooled)")] == ("+0.0000", "no difference shown")
    # Nine comparisons: 1/301 becomes 9/301 for the smallest, and none is shown smaller.
    assert min(float(row[5]) for row in rows) == pytest.approx(9 / 301, abs=1e-4)


def test_many_networks_are_each_compared_with_the_best():
    networks = {name: evaluation(ERRORS, 0.5 + 0.01 * place) for place, name in enumerate("abcdef")}
    _, rows = tables(**networks)
    assert {row[0] for row in rows} == {"f, epoch 2"} and {row[1][0] for row in rows} == set("abcde")


def test_groups_of_seeds_are_compared_by_images_and_by_seeds():
    """0.50 and 0.70 against 0.61 and 0.79: more than images differ by, and no more than seeds do."""
    networks = {name: evaluation(ERRORS, share) for name, share in zip("abcd", (0.5, 0.7, 0.61, 0.79))}
    settings = {name: {"seed": seed, "devices": 1 + seed // 2} for seed, name in enumerate("abcd")}
    settings["b"]["devices"], settings["d"]["devices"] = 1, 2
    intervals, rows = tables(settings, **networks)
    assert len(intervals) == 4 and len(rows) == 3
    assert rows[0][:4] == ("a, b (2 seeds)", "c, d (2 seeds)", "δ1", "+0.1000")
    assert float(rows[0][5]) < 0.05 < float(rows[0][7]) and rows[0][8] == "no more than seeds differ"
    # Close seeds; and a run that stands alone has no spread, so images alone decide.
    networks.update(b=evaluation(ERRORS, 0.501), d=evaluation(ERRORS, 0.611), e=evaluation(ERRORS, 0.9))
    _, rows = tables(settings, **networks)
    assert rows[0][8] == "B is better" and rows[3][:2] == ("a, b (2 seeds)", "e, epoch 2")
    assert rows[3][6:] == ("-", "-", "B is better")


def test_few_images_and_other_images_are_not_compared():
    assert tables(a=evaluation(ERRORS[:9])) == []
    assert len(tables(a=evaluation(ERRORS), b=evaluation(ERRORS[:20]))) == 1


def test_a_score_that_was_not_finite_leaves_its_cell_blank():
    document = evaluation(ERRORS)
    document.content["per_image"][3]["rel_truth"] = None
    ((row,),) = tables(a=document)
    assert row[2] == "-" and "[" in row[3]
