"""Curves are drawn by the tests that look at them; the others need only the files."""

import pytest
from densedepth import files
from densedepth.report import curves
from PIL import Image


def _blank(path, *data):
    with files.atomic_path(path) as temporary:
        Image.new("RGB", (8, 8)).save(temporary, "PNG")


@pytest.fixture(autouse=True)
def blank_curves(request, monkeypatch):
    """A blank picture for each curve, which takes most of the time of a report; `pytest.mark.curves` draws them."""
    if not request.node.get_closest_marker("curves"):
        monkeypatch.setattr(curves, "draw_loss", _blank)
        monkeypatch.setattr(curves, "draw_metrics", _blank)
