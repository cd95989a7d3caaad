"""What a long work reports of itself, in a log and on a terminal."""

import sys

import cli
import pytest
from densedepth import progress
from densedepth.errors import PipelineError
from densedepth.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """A list of one number, the seconds that are now."""
    now = [0]
    monkeypatch.setattr(progress, "_now", lambda: now[0])
    return now


def report(work, clock, *moments):
    """Call `work` at each moment (seconds, done)."""
    for seconds, done in moments:
        clock[0] = seconds
        work(done)


def test_a_log_has_rate_and_time_left_at_each_tenth(clock, capsys):
    moments = [(0, 0), (5, 0), (6, 1), (7, 5), (8, 11), (9, 15), (10, 61), (11, 100)]
    report(Progress(100, "pairs"), clock, *moments)
    assert capsys.readouterr().out.splitlines() == [
        "11/100 pairs, 5.00 pairs/s, 17s left",
        "61/100 pairs, 15 pairs/s, 2s left",
        "100/100 pairs, 20 pairs/s, 0s left",
    ]


def test_a_log_is_not_silent_for_long(clock, capsys):
    report(Progress(1000, "pairs"), clock, (0, 1), (29, 30), (30, 31), (59, 60), (61, 62))
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["31/1000", "62/1000"]


def test_the_end_is_reported(clock, capsys):
    report(Progress(3, "images"), clock, (0, 1), (2, 2), (4, 3))
    lines = ["1/3 images", "2/3 images, 0.50 images/s, 2s left", "3/3 images, 0.50 images/s, 0s left"]
    assert capsys.readouterr().out.splitlines() == lines
    report(Progress(0, "images"), clock, (5, 0))
    assert capsys.readouterr().out == ""


def test_a_work_that_goes_on_and_one_of_unknown_length(clock, capsys):
    report(Progress(8 << 20, "MB", "x.zip", 1 << 20, done=4 << 20), clock, (2, 5 << 20))
    report(Progress(None, "MB", "y.zip", 1 << 20, done=0), clock, (3, 1 << 20), (33, 62 << 20))
    lines = ["x.zip: 5/8 MB, 0.50 MB/s, 6s left", "y.zip: 62 MB, 2.00 MB/s"]
    assert capsys.readouterr().out.splitlines() == lines


def test_a_terminal_has_a_bar_that_renews_itself_and_ends_as_a_line(clock, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    report(Progress(4, "files"), clock, (1, 1), (1.01, 2), (2, 3), (3, 4))
    erase = "\r\x1b[K"
    assert capsys.readouterr().out == "".join(
        [
            erase + "[######..................] 1/4 files",
            erase + "[##################......] 3/4 files, 2.00 files/s, 0s left",
            erase + "4/4 files, 1.50 files/s, 0s left\n",
        ]
    )


def test_a_line_is_written_at_once_as_other_processes_write_beside_it(monkeypatch):
    written = []
    monkeypatch.setattr(sys.stdout, "write", written.append)
    progress.line("row 2: cannot be read")
    monkeypatch.undo()
    assert written == ["row 2: cannot be read\n"]


def test_an_error_does_not_stand_behind_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    def work(args):
        progress.bar(1, 2, "half")
        raise PipelineError("no more")

    assert cli.run(cli.parser("A program."), work, []) == 1
    captured = capsys.readouterr()
    assert captured.out.endswith("] half" + "\r\x1b[K")
    assert captured.err.endswith("error: no more\n")


def test_a_muted_process_reports_nothing(clock, monkeypatch, capsys):
    monkeypatch.setattr(progress, "_muted", True)
    report(Progress(2, "files"), clock, (0, 1), (2, 2))
    assert capsys.readouterr().out == ""
