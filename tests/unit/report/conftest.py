"""Curves are drawn by the tests that look at them; the others need only the files."""

import pytest
from densedepth import files
from densedepth.report import curves, overlays
from PIL import Image
from result_files import Results


def _blank(path, *data):
    with files.atomic_path(path) as temporary:
        Image.new("RGB", (8, 8)).save(temporary, "PNG")


@pytest.fixture(autouse=True)
def blank_curves(request, monkeypatch):
    """A blank picture for each curve, which takes most of the time of a report; `pytest.mark.curves` draws them."""
    if not request.node.get_closest_marker("curves"):
        monkeypatch.setattr(curves, "draw_loss", _blank)
        monkeypatch.setattr(curves, "draw_metrics", _blank)
        monkeypatch.setattr(overlays, "draw_errors", _blank)
        monkeypatch.setattr(overlays, "draw_runs", _blank)
        monkeypatch.setattr(overlays, "draw_settings", _blank)
        monkeypatch.setattr(overlays, "draw_severities", _blank)
        monkeypatch.setattr(overlays, "draw_disagreement", _blank)


@pytest.fixture
def sample(tmp_path):
    return Results(tmp_path)


@pytest.fixture
def nyu(tmp_path):
    return Results(tmp_path, runs=("8p", "1p"), images=654, archive="dataset/nyu_data.zip")
