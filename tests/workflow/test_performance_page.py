"""The page of measured figures is made from JSON files alone, the same bytes each time."""

import json
import sys

import pytest
from conftest import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "benchmarks"))

import bench
import frame
import growth
import performance_page
import training_step


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "docs" / "performance.md"
    path.parent.mkdir()
    path.write_text("# Before\n\n{}\nold\n{}\n\nafter\n".format(performance_page.BEGIN, performance_page.END))
    return path


def results(folder, name="inference", values=(1.5, 0.9, 1.25)):
    folder.mkdir(exist_ok=True)
    figures = [
        frame.figure("images/s by those of X", "tf2", list(values), 1.0),
        frame.figure("peak", "tf1", 1234.5, 1000, "MB", least=False),
        frame.figure("for information", "tf1", 0.5, None),
    ]
    found = {
        "figures": figures,
        "curves": [frame.curve("Cost", "images", {"tf2": [[10, 1.0, 100], [100, 9.0, 120]]})],
        "machine": {"processor": "Some CPU", "cores": 2, "memory_gb": 16},
        "versions": {"tf2": {"tensorflow-cpu": "2.21.0", "numpy": "2.4"}},
        "full": False,
        "seconds": 61.0,
    }
    (folder / (name + ".json")).write_text(json.dumps(found))


def test_rows_say_median_spread_and_verdict(page, tmp_path):
    results(tmp_path / "results")
    performance_page.write(str(tmp_path / "results"), str(page))
    text = page.read_text()
    assert "| images/s by those of X | tf2 | 1.25 (0.9 to 1.5) | ≥ 1 | yes |" in text
    assert "| peak | tf1 | 1234 MB | ≤ 1000 MB | **no** |" in text
    assert "| for information | tf1 | 0.5 |  |  |" in text
    assert "Some CPU, 2 cores, 16 GB; TensorFlow 2.21.0; reduced sizes, 1 min" in text
    assert text.startswith("# Before") and text.endswith("after\n") and "old" not in text


def test_the_same_figures_give_the_same_bytes(page, tmp_path):
    results(tmp_path / "results")
    results(tmp_path / "results", "dry_run")
    made = []
    for _ in range(2):
        performance_page.write(str(tmp_path / "results"), str(page))
        pictures = sorted(page.parent.glob("images/performance/*.png"))
        made.append([page.read_bytes()] + [picture.read_bytes() for picture in pictures])
    assert [picture.name for picture in pictures] == ["dry_run.png", "inference.png"]
    assert made[0] == made[1]
    text = page.read_text()
    assert text.index("### Inference") < text.index("### Dry run")


def test_a_benchmark_that_was_not_run_keeps_its_section(page, tmp_path):
    results(tmp_path / "first")
    results(tmp_path / "first", "dry_run")
    performance_page.write(str(tmp_path / "first"), str(page))
    results(tmp_path / "second", "dry_run", values=(3.0,))
    performance_page.write(str(tmp_path / "second"), str(page))
    text = page.read_text()
    kept, again = text.split("### Dry run")
    assert kept.count("1.25 (0.9 to 1.5)") == 1 and "images/performance/inference.png" in kept
    assert "| images/s by those of X | tf2 | 3 | ≥ 1 | yes |" in again and "1.25" not in again
    assert text.endswith("{}\n\nafter\n".format(performance_page.END))


def test_tables_and_scattered_points_stand_below_the_figures(page, tmp_path):
    results(tmp_path / "results", "peers")
    path = tmp_path / "results" / "peers.json"
    found = json.loads(path.read_text())
    points = {"one way": [["A", 10.0, 0.8]], "another": [["B", 90.0, 0.9]]}
    found["curves"] = [
        frame.table(["network", "GFLOP"], [["A", "10.0"], ["B", "90.0"]]),
        frame.scatter("Cost and `accuracy`", "GFLOP", "delta1", points),
    ]
    path.write_text(json.dumps(found))
    performance_page.write(str(tmp_path / "results"), str(page))
    text = page.read_text()
    assert "| network | GFLOP |\n| --- | --- |\n| A | 10.0 |\n| B | 90.0 |\n" in text
    assert "![Cost and accuracy](images/performance/peers.png)" in text
    assert [one.name for one in page.parent.glob("images/performance/*")] == ["peers.png"]


def test_each_network_of_others_has_its_published_accuracy_and_convention():
    assert bench.published("DenseDepth") == ("metric depth, trained on NYU", "0.846")
    assert bench.published("Depth Anything V2 Small") == ("metric depth, fine-tuned on NYU", "0.961")
    assert bench.published("YOLO26x-depth") == ("each prediction scaled by its median", "0.843")


def test_every_benchmark_has_its_place_on_the_page():
    assert set(bench.BENCHMARKS) == set(performance_page.ORDER)
    with pytest.raises(SystemExit):
        bench.main(["nonsense"])


# Memory is looked at fifty times a second.
HOLDS = "import time; x = bytearray(200_000_000); x[::4096] = x[::4096]; time.sleep(0.5)"


def test_a_failed_program_is_told_with_its_last_lines():
    with pytest.raises(SystemExit, match="no such thing"):
        frame.followed([sys.executable, "-c", "import sys; sys.exit('no such thing')"])
    seconds, memory = frame.followed([sys.executable, "-c", HOLDS])
    assert seconds > 0 and memory > 190


KILLED = 'print("answer 1", flush=True); import os, signal; input(); os.kill(os.getpid(), signal.SIGKILL)'


def test_a_side_that_the_system_killed_is_told_as_that():
    worker = frame.Worker([sys.executable, "-c", KILLED])
    for _ in range(2):
        with pytest.raises(SystemExit, match="status -9, killed: is there memory enough for all sides at once"):
            worker.ask(1)
    worker.end()


def test_a_step_is_compared_with_few_others_at_once():
    for runtime in ("tf1", "tf2"):
        for sides in training_step.sides(runtime):
            assert sides[0] == "ours" and len(sides) <= 4


def test_growth_is_1_where_one_more_costs_as_much_as_the_first_ones():
    linear = [[count, 5 + 0.02 * count, 300] for count in (100, 1000, 10000)]
    seconds, memory = growth.figures("images", "evaluation", "tf2", linear)
    assert (seconds["median"], memory["median"]) == (pytest.approx(1), 1) and seconds["reached"]
    square = [[count, 5 + 0.02 * count**2, count] for count in (100, 1000, 10000)]
    seconds, memory = growth.figures("images", "evaluation", "tf2", square)
    assert seconds["median"] == pytest.approx(10) and not seconds["reached"] and not memory["reached"]
