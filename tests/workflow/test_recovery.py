"""After kills, a full disk and the like, the same commands end with the results of an undisturbed run."""

import contextlib
import os
import shutil
import subprocess
import sys
import time

import pytest
from conftest import REPOSITORY, SETTINGS, TINY, Project, overlay

sys.path.insert(0, str(REPOSITORY / "tests"))
import kill_loop


def test_kills_at_random_moments_change_no_result(walked, killable, quick_python):
    # A few stages; `tests/kill_loop.py` by itself kills in all of them.
    run = kill_loop.Run(killable, quick_python)
    killable.snakemake(*SETTINGS, "--delete-all-output", "all")
    shutil.copytree(walked.path("results/sample"), killable.path("results/sample"), dirs_exist_ok=True)
    stages = {"dataset_tool_tf.py": 2.0, "train.py": 6.0, "report.py": 1.0}
    count = kill_loop.torture(run, stages, 2, tuple(stages))
    assert count == 2 * len(stages)
    run.recover("all")
    assert kill_loop.problems(kill_loop.Run(Project(walked.folder)), run) == []


def test_a_second_snakemake_does_not_disturb_the_first(finished, quick_python):
    waiting = finished.path("waiting python")
    waiting.write_text(
        '#!/bin/sh\ntouch begun\nwhile [ ! -e end ]; do sleep 0.05; done\nexec "{}" "$@"\n'.format(quick_python)
    )
    waiting.chmod(0o755)
    finished.configure(dict(TINY, python=str(waiting)))
    target = "results/1p/export/model.pb"
    finished.path(target).unlink()
    first = finished.start(target, *SETTINGS)
    while not finished.path("begun").exists():
        assert first.poll() is None
        time.sleep(0.05)
    output = finished.snakemake(target, *SETTINGS, fails=True)
    finished.path("end").touch()
    assert "LockException" in output
    assert first.wait() == 0
    assert finished.planned(target, *SETTINGS) == {}


@contextlib.contextmanager
def small_disk(folder, megabytes):
    """A file system of its own at `folder`; yields a function that mounts it anew with other options."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")

    def mount(*words):
        return subprocess.run(["mount", "-t", "tmpfs", *words, "tmpfs", str(folder)], capture_output=True, text=True)

    made = mount("-o", "size={}m".format(megabytes))
    if made.returncode != 0:
        pytest.skip("cannot mount a small disk here: " + made.stderr.strip())
    try:
        yield lambda options: subprocess.run(["mount", "-o", "remount," + options, str(folder)], check=True)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize(
    "target, megabytes, log",
    [
        ("results/sample/nyu_data.zip", 1, "results/logs/make_sample.log"),
        ("results/1p/checkpoints/epoch1/model.json", 14, "results/logs/1p/train_epoch1.log"),
    ],
)
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing_half(finished, target, megabytes, log):
    undisturbed = finished.path("undisturbed")
    finished.path("results").rename(undisturbed)
    finished.path("results").mkdir()
    with small_disk(finished.path("results"), megabytes) as remount:
        output = finished.snakemake(target, *SETTINGS, fails=True)
        told = finished.path(log).read_text()
        assert "No space left on device" in told or "disk" in told, told + output
        assert "Traceback" not in told
        assert not finished.path(target).exists()
        remount("size=2g")
        finished.snakemake(target, *SETTINGS)
        assert kill_loop.left_over(finished.path("results")) == []
        made = (finished.path(target).parent / name for name in os.listdir(finished.path(target).parent))
        for path in made:
            same = undisturbed / path.relative_to(finished.path("results"))
            assert path.is_dir() or path.suffix in (".json", ".jsonl") or path.read_bytes() == same.read_bytes(), path


def test_read_only_results_are_told(finished):
    results = str(finished.path("results"))
    finished.path("results/report.md").unlink()
    bound = subprocess.run(["mount", "--bind", results, results], capture_output=True, text=True)
    if bound.returncode != 0:
        pytest.skip("cannot mount here: " + bound.stderr.strip())
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", results], check=True)
        output = finished.snakemake("results/report.md", *SETTINGS, fails=True)
        assert "Write-protected output files for rule write_report" in output
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)
    finished.snakemake("results/report.md", *SETTINGS)


def test_a_read_only_folder_of_results_is_told(finished):
    finished.path("results/report.md").unlink()
    with small_disk(finished.path("results/report"), 1) as remount:
        remount("ro")
        output = finished.snakemake("results/report.md", *SETTINGS, fails=True)
        assert "Read-only file system" in output
        remount("rw")
        finished.snakemake("results/report.md", *SETTINGS)


def test_an_unwritable_folder_for_temporary_files_is_no_obstacle(finished, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/proc/nowhere")
    settings = overlay(finished, evaluate={"batch_size": 1})
    finished.snakemake("results/1p/evaluation/epoch1.json", *settings)
    assert finished.planned("results/1p/evaluation/epoch1.json", *settings) == {}
