"""The model card: what the results know, in the form that Hugging Face's hub reads."""

import json
import os

import model_card as program
import pytest
from result_files import RUNTIME, Results, digest


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes the card of a made-up run, after its evaluation has been changed: the card's text."""
    monkeypatch.chdir(tmp_path)
    results = Results(tmp_path)
    side = {"sha256": digest("pb"), "bytes": 42_000_000, "parity": {"metres": 2.5e-6}}
    results.write("results/1p/export/model.pb.json", side)

    def make(change=None, *flags):
        frozen = json.loads((tmp_path / "results/1p/inference/frozen.json").read_text())
        scores = [dict(index=i, pixels=1, **frozen["metrics"], rms=0.4 + 0.01 * i) for i in range(48)]
        frozen.update(per_image=scores)
        if change:
            change(frozen)
        results.write("frozen.json", frozen)
        words = ["--name", "1p", "--out", "results/1p/MODEL_CARD.md", "--frozen", "frozen.json"]
        words += ["--baseline", "results/baseline.json", "--data", "results/data/nyu_train.json"]
        words += ["--checkpoint", "results/1p/checkpoints/epoch3/model.json"]
        assert program.main([*words, "--export", "results/1p/export/model.pb.json", *flags]) == 0
        return (tmp_path / "results/1p/MODEL_CARD.md").read_text()

    return make


def test_the_metadata_are_those_of_the_hub(write):
    card = write(None, "--license", "apache-2.0", "--data_license", "CC BY 4.0: *mine*")
    head = card.split("---\n")[1]
    for line in ('license: "apache-2.0"', "pipeline_tag: depth-estimation", '- name: "1p"', '      type: "synthetic"'):
        assert line in head.splitlines()
    assert '    - type: delta1\n      name: "δ1 (port)"\n      value: 0.798\n' in head
    assert head.count("      value: ") == 8 and "CC BY 4.0: \\*mine\\*" in card


def test_the_text_says_what_the_results_know(write):
    card = write()
    assert 'license: "unknown"' in card and "Not a usable depth model" in card
    assert "Depth from 0.1 to 10 m" in card and "63 degrees wide" in card
    assert "`export/model.pb` | 42.0 MB | 2.5e-06 m" in card
    row = next(line for line in card.splitlines() if line.startswith("| RMSE (pooled)"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    low, high = map(float, cells[2].split(" to "))
    assert low < high and cells[3] == "1.2100"
    assert card == write()


def test_exports_for_other_runtimes_are_named_with_their_verdicts(write, tmp_path):
    assert "exports.md" not in write()
    row = {"numbers": "int8", "versions": {"openvino": "1"}, "bytes": 9_000_000, "metrics": {"port": {"delta1": 0.797}}}
    row.update(images_per_second=30, difference_m={"largest": 0.5, "mean": 0.01})
    found = {
        "source": {"path": "model.pb"},
        "frozen": {"metrics": {"port": {"delta1": 0.798}}, "images_per_second": 20, "bytes": 42_000_000},
        "exports": {"openvino_int8": row, "coreml": dict(numbers="float32", versions={}, refused="not installed")},
        "limits": {"metres": 0.001, "delta1": 0.005},
        "images": {"compared": 8, "scored": 48, "calibration": 64},
    }
    (tmp_path / "exports.json").write_text(json.dumps(found))
    card = write(None, "--exports", "exports.json")
    line = "| openvino_int8 | int8 | 5.0e-01, 1.0e-02 | 0.0010 | 9.0 | 30.0 (1.50 x) | openvino 1 | the same network |"
    assert line in card and "| coreml | float32 |  |  |  |  |  | **refused**: not installed |" in card


def test_names_change_nothing_in_the_card(write):
    card = write(None, "--data_name", 'mine: "x" | <b>', "--license", "a: b")
    assert '      name: "mine: \\"x\\" | <b>"\n' in card
    assert 'license: "a: b"\n' in card and "\\<b\\>" in card


def test_without_images_there_are_no_intervals(write):
    card = write(lambda frozen: frozen.update(per_image=[], speed=None))
    assert "| δ1\N{NO-BREAK SPACE}↑ | 0.7980 | - |" in card and "Speed" not in card
    assert os.path.exists("results/1p/MODEL_CARD.md") and RUNTIME["python"] in card
