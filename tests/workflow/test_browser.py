"""The report's page in a real browser: it needs no network, complains of nothing, and shows depth under the pointer."""

import os
import re

import browser
import numpy as np
import pytest
from densedepth.report import render
from densedepth.report.page import Images, Page, Sheet, Table, Thumbnail, View
from PIL import Image


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """(path, truth, prediction) of a page with a table, a picture and two scenes; depths in millimetres."""
    folder = tmp_path_factory.mktemp("page")
    rows, columns = np.mgrid[:30, :40]
    truth = (1000 + 100 * columns + rows).astype(np.uint16)
    truth[29, 0] = 0
    prediction = (3000 + 7 * rows).astype(np.uint16)
    rgb = np.stack([6 * columns, 8 * rows, 0 * rows], axis=2).astype(np.uint8)
    for name, seen in (("scene", prediction), ("other", prediction + 500)):
        np.savez(folder / (name + ".npz"), rgb=rgb, truth=truth, prediction=seen, camera=[35.0, 19.5, 14.5])
    Image.fromarray(rgb).save(folder / "curve.png")

    made = Page()
    made.add("# Results of {}", "x < y & z")
    made.add("Some **bold**, *leaning*, `code <b>` and [a link](https://example.org/a).\nNext line.")
    made.add_table([("1p", "**0.5**")], ("run", "delta1 ↑"), numbers=("delta1 ↑",))
    made.add_folded("more", [("a", "b")], ("key", "value"))
    made.add_picture(str(folder / "curve.png"), "a curve")
    for caption in ("first", "second"):
        made.add_scene(caption, [View("1p", str(folder / "curve.png"), str(folder / "scene.npz"), caption)])
    views = [View(name, str(folder / "curve.png"), str(folder / (name + ".npz")), "") for name in ("scene", "other")]
    made.add_scene("third", views)
    Image.fromarray(np.tile(rgb, (1, 16, 1))).resize((16 * 96, 72)).save(folder / "sheet.jpg")
    sheet = Sheet((folder / "sheet.jpg").read_bytes(), (72, 96))
    table = Table(("image", "input", "RMSE"), [("a", Thumbnail(0, 0), "0.1"), ("b", Thumbnail(0, 3), "0.2")], ("RMSE",))
    made.add_images(Images("All test images", table, [sheet], "a note"))
    path = folder / "page.html"
    path.write_text(render.html(made, "a <title>"), encoding="utf-8")
    # Nothing else is needed.
    for name in ("scene.npz", "other.npz", "sheet.jpg", "curve.png"):
        (folder / name).unlink()
    return path, truth, prediction


def test_texts_are_safe_and_marked(page):
    text = page[0].read_text(encoding="utf-8")
    assert "<title>a &lt;title&gt;</title>" in text and ">Results of x &lt; y &amp; z</h1>" in text
    assert "<strong>bold</strong>, <em>leaning</em>, <code>code &lt;b&gt;</code>" in text
    assert '<a href="https://example.org/a">a link</a>' in text


def test_the_ends_of_a_scale_tell_what_is_cut_off(tmp_path):
    truth = np.full((10, 10), 2200, np.uint16)
    truth[0, 0], truth[9] = 3300, 0
    rgb = np.zeros((10, 10, 3), np.uint8)
    for pixel, value, ends in (
        ((5, 5), 2200, ("2.0 m", "3.5 m", "0.0 m", "0.5 m")),
        ((5, 5), 1900, ("≤ 2.0 m", "3.5 m", "0.0 m", "0.5 m")),
        ((5, 5), 3600, ("2.0 m", "≥ 3.5 m", "0.0 m", "≥ 0.5 m")),
        # Where no truth is known there is no error.
        ((9, 5), 1500, ("≤ 2.0 m", "3.5 m", "0.0 m", "0.5 m")),
    ):
        prediction = np.where(truth > 0, truth, 2200).astype(np.uint16)
        prediction[pixel] = value
        np.savez(tmp_path / "scene.npz", rgb=rgb, truth=truth, prediction=prediction, camera=[9, 5, 5])
        made = Page()
        made.add_scene("a", [View("1p", str(tmp_path / "scene.npz"), str(tmp_path / "scene.npz"), "a")])
        found = re.findall(r"<span>(?:\w+: )?([^<]* m)</span>", render.html(made, "a"))
        assert tuple(found) == ends


@browser.needs_browser
def test_the_page_needs_nothing_else_and_complains_of_nothing(page):
    with browser.browser() as chromium:
        chromium.open(page[0])
        assert chromium.requests() == ["file://" + str(page[0])]
        assert chromium.complaints() == []
        assert chromium.evaluate("document.images.length") == 4
        assert chromium.evaluate("Array.from(document.images).every(i => i.complete && i.naturalWidth > 0)")
        # Narrow windows need not be scrolled sideways.
        assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")
        chromium.call("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
        assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # Text can be read on either background.
        for scheme in ("light", "dark"):
            chromium.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            text, page_colour = chromium.evaluate(BRIGHTNESS)
            assert (text > 180 > 60 > page_colour) if scheme == "dark" else (text < 60 < 180 < page_colour)


BRIGHTNESS = """['color', 'backgroundColor'].map(function (name) {
  return Math.max(...getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3).map(Number));
})"""
PLACE = """(function (scene, map) {
  var one = document.querySelectorAll('.scene')[scene].querySelectorAll('.map')[map];
  one.scrollIntoView({block: 'center'});
  var box = one.getBoundingClientRect();
  return [box.left, box.top, box.width, box.height];
})(%d, %d)"""
READ = "document.querySelectorAll('.scene')[%d].querySelector('.read').textContent"
PIXEL = """Array.from(document.querySelectorAll('.scene')[0].querySelectorAll('canvas')[%d]
  .getContext('2d').getImageData(%d, %d, 1, 1).data)"""


@browser.needs_browser
def test_depth_shows_under_the_pointer(page):
    path, truth, prediction = page
    with browser.browser() as chromium:
        chromium.open(path)
        for scene, part, row, column in ((0, 0, 3, 5), (0, 1, 29, 39), (1, 2, 0, 0), (1, 3, 17, 20)):
            left, top, width, height = chromium.evaluate(PLACE % (scene, part))
            chromium.point(left + (column + 0.5) / 40 * width, top + (row + 0.5) / 30 * height)
            g, p = int(truth[row, column]), int(prediction[row, column])
            metres = tuple("{:.2f}".format(value / 1000) for value in (g, p, abs(g - p)))
            assert chromium.evaluate(READ % scene) == "ground truth {} m, prediction {} m, error {} m".format(*metres)
        left, top, width, height = chromium.evaluate(PLACE % (1, 3))
        chromium.point(left + 1, top + height - 1)
        assert chromium.evaluate(READ % 1) == "no valid ground truth, prediction 3.20 m"
        # Beside the maps the line is as it was.
        chromium.point(1, 1)
        assert chromium.evaluate(READ % 1).startswith("Point at a map")
        # Equal depth has equal colour in truth and prediction: 3.0 m.
        assert chromium.evaluate(PIXEL % (0, 20, 0)) == chromium.evaluate(PIXEL % (1, 7, 0))
        assert chromium.evaluate(PIXEL % (0, 0, 0)) != chromium.evaluate(PIXEL % (0, 39, 0))


CLOUD = """(function (turned) {
  var box = document.querySelectorAll('.scene')[2].querySelector('.clouds'), canvas = box.querySelector('canvas');
  if (turned) return [canvas.toDataURL(), box.querySelectorAll('canvas')[2].toDataURL()];
  canvas.scrollIntoView({block: 'center'});
  var place = canvas.getBoundingClientRect();
  return [place.left + place.width / 2, place.top + place.height / 2, box.querySelectorAll('canvas').length,
          Number(canvas.dataset.points), innerWidth >= document.documentElement.scrollWidth];
})(%s)"""


@browser.needs_browser
@pytest.mark.parametrize("width", [1280, 400])
def test_point_clouds_turn_under_the_pointer_and_the_finger(page, width):
    with browser.browser() as chromium:
        chromium.open(page[0], width=width)
        chromium.evaluate("document.querySelectorAll('.clouds')[2].open = true")
        while not chromium.evaluate("document.querySelectorAll('.clouds canvas').length"):
            pass
        x, y, canvases, points, fits = chromium.evaluate(CLOUD % "false")
        # Ground truth and both networks; the pixel without ground truth is no point.
        assert (canvases, points, fits) == (3, 30 * 40 - 1, True)
        pictures = [chromium.evaluate(CLOUD % "true")]
        for kind, place in (("mousePressed", x), ("mouseMoved", x + 40), ("mouseReleased", x + 40)):
            chromium.call("Input.dispatchMouseEvent", type=kind, x=place, y=y, button="left", buttons=1, clickCount=1)
        pictures.append(chromium.evaluate(CLOUD % "true"))
        chromium.call("Emulation.setTouchEmulationEnabled", enabled=True)
        for kind, places in (("touchStart", [x]), ("touchMove", [x + 25]), ("touchMove", [x + 50]), ("touchEnd", [])):
            chromium.call("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": at, "y": y} for at in places])
        pictures.append(chromium.evaluate(CLOUD % "true"))
        for place in (0, 1):
            assert len({one[place] for one in pictures}) == 3
        assert chromium.complaints() == []


@browser.needs_browser
def test_all_images_have_their_own_thumbnails(page):
    with browser.browser() as chromium:
        chromium.open(page[0], width=400)
        chromium.evaluate("document.querySelector('.images').open = true")
        places = "Array.from(document.querySelectorAll('.thumbnail')).map(i => getComputedStyle(i).backgroundPosition)"
        assert chromium.evaluate(places) == ["0px 0px", "-288px 0px"]
        assert chromium.evaluate("getComputedStyle(document.querySelector('.thumbnail')).width") == "96px"
        assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")


EDGES = """(function (where, name) {
  var table = document.querySelector('.table');
  table.scrollLeft = where === 'end' ? table.scrollWidth : 0;
  table.scrollIntoView({block: 'start'});
  var row = table.querySelector(name).getBoundingClientRect(), box = table.getBoundingClientRect();
  return [box.left, box.right, row.top + row.height / 2];
})('%s', '%s')"""


def shadows(chromium, path, where, row):
    """(at the left, at the right): whether the frame of the first table, scrolled to an end, is darker at its edge."""
    left, right, height = chromium.evaluate(EDGES % (where, row))
    chromium.picture(path)
    with Image.open(path) as picture:
        line = np.asarray(picture.convert("L")).astype(int)[int(height)]
    inside = np.median(line[int(left) : int(right)])
    return tuple(inside - line[x] > 20 for x in (int(left) + 1, int(right) - 2))


@browser.needs_browser
@pytest.mark.parametrize("columns, wide", [(2, False), (12, True)])
def test_a_table_that_can_be_scrolled_tells_so(tmp_path, columns, wide):
    made = Page()
    made.add("# Results")
    names = ["column {}".format(number) for number in range(columns)]
    rows = [("**{}**".format(name) if name == "best" else name,) + ("0.5",) * (columns - 1) for name in ("a", "best")]
    made.add_table(rows, names, numbers=names[1:])
    (tmp_path / "page.html").write_text(render.html(made, "a"), encoding="utf-8")
    with browser.browser() as chromium:
        chromium.open(tmp_path / "page.html", width=400)
        for row in ("tbody tr", "tr.best"):
            assert shadows(chromium, tmp_path / "start.png", "start", row) == (False, wide)
            assert shadows(chromium, tmp_path / "end.png", "end", row) == (wide, False)


COLUMN = "Array.from(document.querySelectorAll('tbody td:nth-child(%d)')).map(cell => cell.textContent)"


@browser.needs_browser
def test_a_click_on_a_head_orders_the_rows(tmp_path):
    """Numbers as numbers, the greatest first; words from the first; a second click turns it, and blanks stay last."""
    made = Page()
    made.add("# Results")
    rows = [("run10", "`9e-05`", "0.5"), ("run2", "`0.001`", "-"), ("**a**", "`0.01`", "0.25 ± 0.01"), ("b", "-", "-1")]
    made.add_sortable(rows, ("run", "rate", "figure"), numbers=("figure",))
    made.add_table([("x",)], ("plain",))
    (tmp_path / "page.html").write_text(render.html(made, "a"), encoding="utf-8")
    with browser.browser() as chromium:
        chromium.open(tmp_path / "page.html", width=400)
        assert chromium.evaluate("document.querySelectorAll('th button').length") == 3
        for column, expected in (
            (3, [["0.5", "0.25 ± 0.01", "-1", "-"], ["-1", "0.25 ± 0.01", "0.5", "-"]]),
            (2, [["9e-05", "0.001", "0.01", "-"], ["0.01", "0.001", "9e-05", "-"]]),
            (1, [["a", "b", "run2", "run10", "x"], ["run10", "run2", "b", "a", "x"]]),
        ):
            for order in expected:
                chromium.evaluate("document.querySelectorAll('th button')[{}].click()".format(column - 1))
                assert chromium.evaluate(COLUMN % column) == order
        assert chromium.evaluate("document.querySelector('th').ariaSort") == "descending"


@browser.needs_browser
def test_the_browser_knows_every_declaration_of_the_style(page):
    """A misspelt property or value would be dropped without a word."""
    texts = []
    for path in (os.path.join(render.SHARED, "base.css"), os.path.join(render.FOLDER, "report.css")):
        with open(path, encoding="utf-8") as stream:
            texts.append(stream.read())
    style = "".join(texts)
    with browser.browser() as chromium:
        chromium.open(page[0])
        assert browser.unknown_declarations(chromium, style) == []
        rules = "Array.from(document.styleSheets[0].cssRules).map(r => r.cssText).join('').split('{').length"
        assert chromium.evaluate(rules) == len(style.split("{"))
