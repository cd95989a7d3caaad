"""Metrics that are measured where they are asked for, by figures that are computed by hand."""

import importlib.util
import math
import os
import re

import numpy as np
import pytest
from densedepth.errors import PipelineError
from densedepth.evaluation import edges, geometry, more_metrics
from densedepth.evaluation.metric_table import METRICS, MORE
from densedepth.imaging.camera import Intrinsics

# What the edges, and the points of a cloud, are found with.
scipy = pytest.mark.skipif(importlib.util.find_spec("scipy") is None, reason="no SciPy; make setup")

# One metre away, neighbouring pixels are 1 cm apart.
CAMERA = Intrinsics(100.0, 100.0, 0.0, 0.0, "made up")


def measured(names, truth, prediction, mask=None, planes=None, farthest=9.0):
    truth, prediction = np.array(truth, np.float64), np.array(prediction, np.float64)
    mask = np.ones(truth.shape, bool) if mask is None else mask
    maps = more_metrics.Maps(truth, prediction, mask, CAMERA, farthest, planes)
    return more_metrics.measure(more_metrics.chosen(names.split()), maps)


def test_single_pixels():
    # Errors of 1 m at 1 m and at 4 m; ratios 2 and 1.25.
    found = measured("sq_rel mae rms_log silog delta_105 delta_110", [[1.0, 4.0]], [[2.0, 5.0]])
    two, quarter = math.log(2), math.log(1.25)
    assert found == pytest.approx(
        {
            "sq_rel": (1 + 1 / 4) / 2,
            "mae": 1.0,
            "rms_log": math.sqrt((two**2 + quarter**2) / 2),
            "silog": 100 * (two - quarter) / 2,
            "delta_105": 0.0,
            "delta_110": 0.0,
        }
    )
    near = measured("delta_105 delta_110", [[1.0, 1.0, 1.0, 1.0]], [[1.04, 1.06, 1 / 1.09, 1.11]])
    assert (near["delta_105"], near["delta_110"]) == (0.25, 0.75)


def test_one_factor_throughout_is_no_error_to_silog():
    assert measured("silog", [[1.0, 2.0, 7.0]], [[3.0, 6.0, 21.0]])["silog"] == pytest.approx(0, abs=1e-6)


def test_ranges_are_thirds_of_the_root_of_the_depth():
    # Of 9 m: below 1 m, below 4 m, beyond.
    found = measured(
        "rel_near rel_mid rel_far rms_near rms_mid rms_far", [[0.5, 1.0, 2.0, 8.0]], [[1.0, 1.5, 2.0, 4.0]]
    )
    assert found == pytest.approx(
        {
            "rel_near": 1.0,
            "rel_mid": 0.25,
            "rel_far": 0.5,
            "rms_near": 0.5,
            "rms_mid": math.sqrt(0.25 / 2),
            "rms_far": 4.0,
        }
    )
    assert measured("rel_near", [[5.0]], [[4.0]])["rel_near"] is None


STEP = np.repeat([[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]], 4, axis=0)


def test_boundaries_of_the_right_place_and_side():
    whole = np.ones(STEP.shape, bool)
    # One of the four sides has a boundary, the other three have none.
    assert edges.boundary_f1(STEP, STEP * 7, whole) == pytest.approx(0.25)
    assert edges.boundary_f1(STEP, STEP[:, ::-1], whole) == 0
    assert edges.boundary_f1(STEP, np.ones(STEP.shape), whole) == 0
    # A ratio of 1.2 is a boundary for seven of the ten thresholds.
    ratios = np.linspace(1.05, 1.25, 10)
    expected = 0.25 * ratios[ratios < 1.2].sum() / ratios.sum()
    assert edges.boundary_f1(STEP, np.where(STEP > 1, 1.2, 1.0), whole) == pytest.approx(expected)
    # The pairs across the step do not count.
    assert edges.boundary_f1(STEP, STEP, STEP < 2) == 0


def blocks(column, size=(30, 40)):
    depth = np.full(size, 2.0)
    depth[:, column:] = 4.0
    return depth


@scipy
def test_edges_that_are_three_pixels_off():
    # Both pixels beside a step are its edge: 14 and 15, 17 and 18.
    found = edges.boundary_errors(blocks(15), blocks(18), np.ones((30, 40), bool))
    assert found == {"edge_accuracy": 2.5, "edge_completeness": 2.5}
    same = edges.boundary_errors(blocks(15), 5 * blocks(15), np.ones((30, 40), bool))
    assert same == {"edge_accuracy": 0.0, "edge_completeness": 0.0}


@scipy
def test_edges_that_are_missing():
    whole = np.ones((30, 40), bool)
    nothing = np.full((30, 40), 3.0)
    assert edges.boundary_errors(blocks(15), nothing, whole) == {"edge_accuracy": 10.0, "edge_completeness": 10.0}
    assert edges.boundary_errors(blocks(5), blocks(30), whole) == {"edge_accuracy": 10.0, "edge_completeness": 10.0}
    assert edges.boundary_errors(nothing, blocks(15), whole) == {"edge_accuracy": None, "edge_completeness": None}


def slanted(degrees, size=(12, 14)):
    """A plane through (0, 0, 2 m) that falls away to the right by so many degrees."""
    columns = np.arange(size[1]) / CAMERA.fx
    return np.repeat([2.0 / (1 - columns * math.tan(math.radians(degrees)))], size[0], axis=0)


@pytest.mark.parametrize("degrees, shares", [(10, (1, 1, 1)), (20, (0, 1, 1)), (25, (0, 0, 1)), (40, (0, 0, 0))])
def test_angles_between_normals(degrees, shares):
    flat = np.full((12, 14), 2.0)
    found = geometry.normal_errors(flat, slanted(degrees), np.ones(flat.shape, bool), CAMERA)
    assert found["normal_mean"] == pytest.approx(degrees)
    assert (found["normal_11"], found["normal_22"], found["normal_30"]) == shares


def test_a_normal_needs_all_pixels_around_it():
    flat = np.full((3, 6), 2.0)
    mask = np.ones(flat.shape, bool)
    mask[0, 5] = False
    spoilt = flat.copy()
    spoilt[:, 5] = 9.0
    assert geometry.normal_errors(flat, spoilt, mask, CAMERA)["normal_mean"] == 0
    assert geometry.normal_errors(flat[:2], flat[:2], mask[:2], CAMERA)["normal_mean"] is None


@scipy
def test_clouds_that_lie_behind_each_other():
    flat = np.full((40, 50), 1.0)
    # All points of the far wall are 7 cm from the near one, but for those that look past it.
    found = geometry.cloud_errors(flat, flat + 0.07, np.ones(flat.shape, bool), Intrinsics(1e5, 1e5, 0, 0, ""))
    assert found["cloud_chamfer"] == pytest.approx(0.07, rel=1e-4)
    assert (found["cloud_f_5"], found["cloud_f_10"]) == (0.0, 1.0)


def test_planes():
    planes = np.zeros((12, 14), int)
    planes[:, :10], planes[0, 12] = 3, 4
    whole = np.ones(planes.shape, bool)
    # Half the depth is the same plane after scaling; plane 4 is too small.
    flat = np.full((12, 14), 2.0)
    found = geometry.plane_errors(flat, slanted(20) / 2, whole, CAMERA, planes)
    assert found["plane_orientation"] == pytest.approx(20)
    assert found["plane_flatness"] == pytest.approx(0, abs=1e-6)
    bumpy = flat + 0.01 * (-1.0) ** np.arange(14)
    assert geometry.plane_errors(flat, bumpy, whole, CAMERA, planes)["plane_flatness"] == pytest.approx(1, rel=0.02)
    nothing = {"plane_flatness": None, "plane_orientation": None}
    assert geometry.plane_errors(flat, flat, whole, CAMERA, None) == nothing
    assert geometry.plane_errors(flat, flat, whole, CAMERA, planes * (planes == 4)) == nothing


def test_means_over_images():
    images = [{"mae": 1.0, "rel_near": None}, {"mae": 4.0, "rel_near": 0.5}]
    assert more_metrics.mean("mae", images, [300, 100], True) == pytest.approx(1.75)
    assert more_metrics.mean("mae", images, [300, 100], False) == pytest.approx(2.5)
    assert more_metrics.mean("rel_near", images, [300, 100], True) == 0.5
    assert more_metrics.mean("rel_near", images[:1], [300], True) is None


def test_the_table_of_the_docs_is_that_of_the_metrics():
    with open(os.path.join(os.path.dirname(__file__), "../../../docs/metrics.md"), encoding="utf-8") as stream:
        lines = stream.read().partition("| name | title |")[2].partition("\n\n")[0].splitlines()
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    assert rows == [
        ["`{}`".format(m.key), m.title, m.formula.replace("|", "\\|"), m.unit or "-"]
        + ["higher" if m.higher_is_better else "lower", m.averaging, m.part]
        for m in MORE
    ]


def test_names():
    assert more_metrics.chosen(["silog", "sq_rel"]) == ["sq_rel", "silog"]
    assert more_metrics.chosen(["all"]) == [metric.key for metric in MORE]
    assert more_metrics.chosen([]) == []
    with pytest.raises(PipelineError, match="metric ssim: unknown, legal are all, sq_rel"):
        more_metrics.chosen(["ssim"])
    assert not {metric.key for metric in MORE} & {metric.key for metric in METRICS}
