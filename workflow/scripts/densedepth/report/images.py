"""Where and how much networks err: by distance, over the test images, and image by image."""

import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np

from ..evaluation import thumbnails
from ..evaluation.metric_table import DECIDING
from . import overlays, wording
from .findings import Document, Findings, Run
from .page import BLANK, Images, Page, Sheet, Table, Thumbnail

# More networks would hide each other in an image, and make a table too wide.
_MOST = 4
# Bytes of all sheets of thumbnails on the page.
_MOST_BYTES = 6000000


def add(page: Page, findings: Findings, figures: Optional[str]) -> None:
    """Add the section, with the image of `draw` in the folder `figures`; nothing without figures by distance."""
    found = _measured(findings)
    if not found:
        return
    page.add("## Errors")
    page.add(
        "Bias is the mean of prediction minus ground truth: below zero, depth is predicted too near. The table counts "
        "the test images with a bias below and above zero, and says how RMSE is distributed over the images."
    )
    page.add_sortable(
        [(name, *_distribution(one)) for name, one in found],
        ("checkpoint", "bias (m)", "too near", "too far", "RMSE, median", "RMSE, 90 %", "RMSE, largest"),
        numbers=("bias (m)", "too near", "too far", "RMSE, median", "RMSE, 90 %", "RMSE, largest"),
    )
    if figures and findings.runs:
        page.add_picture(_path(figures), "RMSE and bias by distance, and over the test images.{}".format(_cut(found)))
    _add_images(page, findings)


def draw(findings: Findings, figures: str) -> None:
    """Draw errors.png in the folder `figures`."""
    found = _measured(findings)
    if found:
        curves = [(name, one.get("by_distance"), _of_images(one)) for name, one in _best(found)]
        overlays.draw_errors(_path(figures), curves)


def _path(figures):
    return os.path.join(figures, "errors.png")


def _measured(findings) -> List[Tuple[str, Document]]:
    """[(name, evaluation)] of what was measured by distance, which earlier versions did not."""
    every = wording.exported_of_runs(findings) + wording.elsewhere(findings)
    return [(name, one) for name, one in every if one.get("by_distance", default=None)]


def _best(found):
    """At most `_MOST` of them, those of the best figure, in their order."""
    ranked = sorted(found, key=lambda named: -named[1].number("metrics", DECIDING.key))[:_MOST]
    return [named for named in found if named in ranked]


def _cut(found):
    if len(found) <= _MOST:
        return ""
    return " Shown are the {} of {} checkpoints with the best {}.".format(_MOST, len(found), DECIDING.title)


def _of_images(one):
    """[(rms, bias)] of the images, in metres."""
    return [(image["rms"], image["bias"]) for image in one.get("per_image")]


def _distribution(one):
    rms, bias = (np.array(values) for values in zip(*_of_images(one)))
    by_distance = one.get("by_distance")
    total = sum((value or 0) * count for value, count in zip(by_distance["bias_m"], by_distance["pixels"]))
    percentiles = ("{:.3f}".format(value) for value in np.percentile(rms, (50, 90, 100)))
    return ("{:+.3f}".format(total / sum(by_distance["pixels"])), int((bias < 0).sum()), int((bias > 0).sum())) + tuple(
        percentiles
    )


class _Shown(NamedTuple):
    """A network of the table of images: its evaluation, and where its sheets are; None without."""

    name: str
    images: Dict[int, Dict[str, Any]]
    sheets: Optional[Tuple[int, int]]


def _add_images(page, findings):
    """The table of all test images with their thumbnails; for readers of the HTML page."""
    runs = [run for run in findings.runs + findings.imported if run.thumbnails and run.frozen]
    ranked = sorted(runs, key=lambda run: -run.frozen.number("metrics", DECIDING.key))[:_MOST]
    if not ranked:
        return
    sheets: List[Sheet] = []
    shown: List[_Shown] = []
    small: Dict[int, int] = {}
    left = _MOST_BYTES
    for run in ranked:
        found = thumbnails.read(run.thumbnails)
        wanted = (() if sheets else ("input", "truth")) + ("prediction", "error")
        size = sum(len(found.jpegs[name]) for name in wanted)
        images = {image["index"]: image for image in run.frozen.get("per_image")}
        place = None
        if size <= left and (not sheets or found.indices == list(small)):
            left -= size
            small = {index: number for number, index in enumerate(found.indices)}
            place = len(sheets) + len(wanted) - 2, len(sheets) + len(wanted) - 1
            sheets += [Sheet(found.jpegs[name], found.size) for name in wanted]
        shown.append(_Shown(run.label, images, place))
    page.add_images(Images("All test images", _table(shown, small), sheets, _notes(runs, shown, small)))


def _table(shown, small):
    columns, numbers = ["image", "input", "ground truth"] if small else ["image"], []
    for one in shown:
        figures = ["{}: {}".format(one.name, words) for words in ("RMSE", DECIDING.title, "bias")]
        columns += ["{}: {}".format(one.name, words) for words in ("prediction", "error") if one.sheets] + figures
        numbers += figures
    rows = []
    for index, image in shown[0].images.items():
        row = [wording.called(image, "{}")]
        if small:
            row += _thumbnails(small, index, (0, 1))
        for one in shown:
            row += _thumbnails(small, index, one.sheets) if one.sheets else []
            row += _figures(one.images.get(index))
        rows.append(row)
    return Table(columns, rows, numbers, sortable=True)


def _thumbnails(small, index, sheets):
    return [Thumbnail(sheet, small[index]) if index in small else BLANK for sheet in sheets]


def _figures(image):
    if image is None:
        return [BLANK] * 3
    bias = image.get("bias")
    return [
        "{:.3f}".format(image["rms"]),
        wording.score(image["delta1"]),
        BLANK if bias is None else "{:+.3f}".format(bias),
    ]


def _notes(runs: List[Run], shown, small):
    words = (
        "RMSE and bias in metres, of the frozen graph. Error: blue is too near, red too far; full at half the depth."
    )
    count = len(shown[0].images)
    if len(small) < count:
        words += " Thumbnails are of {} of the {} images.".format(len(small), count)
    if len(shown) < len(runs):
        words += " Shown are the {} of {} networks with the best {}.".format(len(shown), len(runs), DECIDING.title)
    without = [one.name for one in shown if not one.sheets]
    if without:
        words += " To keep this page small, there are no thumbnails of {}.".format(", ".join(without))
    return words
