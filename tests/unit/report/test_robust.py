"""The figures on worse images, where `snakemake results/<run>/robustness.json` has measured them."""

import os

import pytest
import report as program
from densedepth import files
from densedepth.report import overlays
from PIL import Image
from result_files import rows_of


def curve(first, last, correlation):
    step = (last - first) / 9
    parts = [{"disagreement": 0.01 * part, "error": first + part * step} for part in range(10)]
    return {"pixels": 4000, "parts": parts, "rank_correlation": correlation}


def document(**more):
    jpeg = [
        {"severity": severity, "amount": 30 - severity, "rel_truth": 0.2 + 0.1 * severity} for severity in (1, 2, 4)
    ]
    return {
        "test_data": {"images": 32},
        "clean": {"rel_truth": 0.2},
        "corruptions": {"jpeg": {"unit": "quality", "severities": jpeg}},
        "disagreement": {"flip": curve(0.1, 0.4, 0.35), "scale": curve(0.05, 0.5, None)},
        **more,
    }


def test_without_any_the_page_does_not_speak_of_them(sample):
    assert "Worse images" not in sample.make()


def test_severities_and_disagreement(sample):
    sample.flags["robustness"] = []
    sample.add("robustness", "results/1p/robustness.json", document())
    rows = [row for row in rows_of(sample.make(), "Worse images") if not row[0].startswith("-")]
    assert rows[1] == ["`jpeg`", "0.2000", "0.3000", "0.4000", "-", "0.6000", "-"]
    assert [row[:4] for row in rows[3:]] == [
        ["1p", "the mirrored image", "0.35", "0.1000"],
        ["1p", "the image at 0.75 and 1.25 times its size", "-", "0.0500"],
    ]
    assert rows[3][-1] == "0.4000" and rows[2][-1] == "10"


def images_of(sample):
    """Names of the images of worse images that the page shows, all of which are there."""
    text = sample.make()
    shown = [name for name in os.listdir(sample.figures) if name.startswith(("worse", "disagreement"))]
    assert all("report/{}".format(name) in text for name in shown)
    return sorted(shown)


def test_figures_and_calibration_are_drawn_for_each_alignment(nyu):
    nyu.flags["robustness"] = []
    assert images_of(nyu) == []
    for run in ("1p", "8p"):
        nyu.add("robustness", "results/{}/robustness.json".format(run), document())
    for name, aligned in (("metric", "none"), ("relative", "median")):
        nyu.add_external(name, aligned)
        nyu.add("robustness", "results/external/{}/robustness.json".format(name), document(alignment=aligned))
    assert images_of(nyu) == ["disagreement.png", "disagreement_median.png", "worse.png", "worse_median.png"]
    rows = rows_of(nyu.make(), "Worse images")
    assert [row[0] for row in rows if row[1] == "the mirrored image"] == ["1p", "8p", "metric", "relative"]
    # What is no longer measured is no longer there.
    nyu.flags["robustness"] = []
    assert images_of(nyu) == []


def test_a_page_of_other_programs_has_them_too(nyu):
    nyu.add_external("theirs")
    path = nyu.write("results/external/theirs/robustness.json", document())
    words = ["--out", nyu.out, "--baseline", nyu.baseline, "--external", *nyu.flags["external"], "--robustness", path]
    words += ["--settings", nyu.write("settings.json", {"evaluate": {}}), "--figures", nyu.figures]
    assert program.main(words) == 0
    with open(nyu.out, encoding="utf-8") as stream:
        text = stream.read()
    assert "### theirs" in text and "report/worse.png" in text and "report/disagreement.png" in text


@pytest.mark.curves
def test_each_way_to_make_images_worse_has_a_panel(tmp_path):
    """Of more kinds the image is higher; equal figures give equal bytes."""
    heights = []
    for count in (3, 9):
        found = [("a", 0.1, {"kind_{}".format(kind): [(1, 0.2), (5, 0.4)] for kind in range(count)})]
        paths = [str(tmp_path / "{}.png".format(place)) for place in range(2)]
        for path in paths:
            overlays.draw_severities(path, found)
        assert len({files.sha256(path) for path in paths}) == 1
        with Image.open(paths[0]) as image:
            heights.append(image.height)
    assert heights[1] > 1.5 * heights[0]
    parts = {kind: one["parts"] for kind, one in document()["disagreement"].items()}
    overlays.draw_disagreement(str(tmp_path / "disagreement.png"), [("a", parts), ("b", parts)])
    with Image.open(str(tmp_path / "disagreement.png")) as image:
        assert image.width > image.height > 0
