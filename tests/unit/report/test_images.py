"""The report's section on errors: by distance, over the images, image by image; and the gallery of several networks."""

import filecmp

import numpy
import pytest
import report as program
from densedepth.report import images, overlays
from result_files import Results, row_of


def html(results):
    path = results.out.replace(".md", ".html")
    assert program.main([*results.command(), "--html", path]) == 0
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def test_errors_are_shown_by_side_distance_and_image(tmp_path):
    results = Results(tmp_path, epochs=(1,))
    results.measure_by_distance()
    page = html(results)
    with open(results.out, encoding="utf-8") as stream:
        text = stream.read()
    # Three of the images lean to the near side, one to none.
    assert row_of(text, "Errors", "1p, epoch 1")[1:4] == ["+0.000", "3", "8"]
    assert "report/errors.png" in text and "The HTML page lists 12 test images" in text
    assert page.count('class="thumbnail sheet2"') == 11 and "All test images (12)" in page
    assert "Thumbnails are of 11 of the 12 images." in page


def test_a_page_without_figures_by_distance_has_no_such_section(sample):
    assert "## Errors" not in sample.make()


def test_thumbnails_end_where_the_page_would_grow_too_large(tmp_path, monkeypatch):
    results = Results(tmp_path, runs=("1p", "b"), epochs=(1,))
    results.measure_by_distance()
    assert "no thumbnails of" not in html(results)
    with open(results.flags["thumbnails"][0], "rb") as stream:
        size = len(numpy.load(stream)["input"])
    monkeypatch.setattr(images, "_MOST_BYTES", 5 * size)
    page = html(results)
    assert "no thumbnails of 1p." in page
    assert page.count(">b: prediction<") == 1 and page.count(">1p: prediction<") == 0


def test_the_same_scenes_stand_side_by_side(tmp_path):
    """Of both runs one figure for each scene in HTML; of five runs the four best."""
    page = html(Results(tmp_path / "two", runs=("1p", "b"), epochs=(1,)))
    assert page.count('<figure class="scene several">') == 2 and page.count('<figure class="scene">') == 0
    assert page.count("b: predicted depth") == 2
    results = Results(tmp_path / "five", runs=("a", "b", "c", "d", "e"), epochs=(1,))
    results.edit(results.flags["evaluation"][1], lambda one: one["metrics"].update(delta1=0.1))
    page = html(results)
    assert page.count("e: predicted depth") == 2 and "b: predicted depth" not in page
    assert "Shown are the 4 of 5 networks with the best δ1." in page


@pytest.mark.curves
def test_errors_are_drawn_the_same_every_time(tmp_path):
    distance = {"edges_m": [0, 1, 2, 3], "rms": [None, 0.2, 0.5], "bias_m": [None, -0.1, 0.1]}
    of_images = list(zip(numpy.linspace(0.1, 0.9, 20).tolist(), numpy.linspace(-0.3, 0.2, 20).tolist()))
    paths = [str(tmp_path / name) for name in ("a.png", "b.png")]
    for path in paths:
        overlays.draw_errors(path, [("1p", distance, of_images), ("b", distance, of_images[::2])])
    assert filecmp.cmp(*paths, shallow=False)
