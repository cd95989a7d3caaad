"""Runs in a store of MLflow, by the real one, which `make mlflow` installs; and the setting that asks for it."""

import json
import os
import subprocess

import pytest
from conftest import REPOSITORY

PYTHON = os.environ.get("MLFLOW_PYTHON", str(REPOSITORY / ".venv/mlflow/bin/python"))
needs_mlflow = pytest.mark.skipif(not os.path.exists(PYTHON), reason="no .venv/mlflow; make mlflow")

STORED = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
experiment = client.get_experiment_by_name("DenseDepth").experiment_id
runs = {}
for run in client.search_runs([experiment]):
    loss = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "train/loss")]
    delta = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "test/delta1")]
    files = [one.path for one in client.list_artifacts(run.info.run_id)]
    name = run.info.run_name
    assert name not in runs and run.info.status == "FINISHED"
    runs[name] = {"id": run.info.run_id, "params": run.data.params, "loss": loss, "delta1": delta, "files": files}
print(json.dumps(runs))
"""


class Finished:
    """The files of two finished runs."""

    def __init__(self, folder):
        self.folder = folder
        self.words = ["--store", "store dir", "--out", "results/tracking.json", "--settings", "settings.json"]
        settings = {"seed": 0, "train": {"steps": 2}, "runs": {"1p": {"devices": 1}, "b": {"devices": 1, "seed": 1}}}
        self.write("settings.json", json.dumps(settings))
        evaluations, histories = [], []
        for run in settings["runs"]:
            for epoch in (1, 2):
                path = "results/{}/checkpoints/epoch{}/history.jsonl".format(run, epoch)
                entry = {"global_step": 2 * epoch, "loss": 1 / epoch, "l1": 1, "gradient": 1, "ssim": 1}
                histories.append(self.write(path, json.dumps(dict(entry, learning_rate=0.1)) + "\n"))
                evaluations.append(self.score(run, epoch, epoch / 4))
        self.words += ["--evaluation", *evaluations, "--history", *histories]
        self.words += ["--report", self.write("results/report.md", "# Results"), self.write("results/report.html", "")]

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    def score(self, run, epoch, delta1):
        document = {"source": {"epoch": epoch}, "metrics": {"delta1": delta1}}
        return self.write("results/{}/evaluation/epoch{}.json".format(run, epoch), json.dumps(document))

    def log(self, python=PYTHON):
        program = str(REPOSITORY / "workflow/scripts/log_mlflow.py")
        words = [python, program, *self.words]
        return subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def stored(self):
        store = json.loads((self.folder / "results/tracking.json").read_text())["store"]
        return json.loads(subprocess.run([PYTHON, "-c", STORED, store], capture_output=True, check=True).stdout)


@needs_mlflow
def test_the_store_holds_each_run_once_whatever_is_written_again(tmp_path):
    finished = Finished(tmp_path)
    said = finished.log()
    assert said.returncode == 0, said.stdout
    first = finished.stored()
    assert sorted(first) == ["1p", "b", "report"]
    assert first["b"]["params"] == {"devices": "1", "seed": "1", "steps_per_device": "false", "train.steps": "2"}
    assert first["b"]["loss"] == [[2, 1], [4, 0.5]] and first["b"]["delta1"] == [[1, 0.25], [2, 0.5]]
    assert sorted(first["b"]["files"]) == ["epoch1", "epoch2", "evaluation"]
    assert sorted(first["report"]["files"]) == ["report.html", "report.md"]
    finished.score("b", 2, 0.75)
    assert finished.log().returncode == 0
    second = finished.stored()
    assert sorted(second) == sorted(first)
    assert second["b"]["delta1"] == [[1, 0.25], [2, 0.75]] and second["b"]["id"] != first["b"]["id"]
    # What has not changed is left as it is.
    assert {name: second[name]["id"] for name in ("1p", "report")} == {
        name: first[name]["id"] for name in ("1p", "report")
    }


def test_without_mlflow_one_line_says_so(tmp_path):
    said = Finished(tmp_path).log(str(REPOSITORY / ".venv/workflow/bin/python"))
    assert said.returncode == 1 and "run `make mlflow`" in said.stdout.splitlines()[-1]


def test_runs_are_tracked_last_and_only_where_it_is_asked_for(project):
    assert "track_runs" not in project.planned()
    said = project.snakemake("-n", *project.configure({"tracking": {"mlflow": "mlruns"}}), fails=True)
    assert "tracking.mlflow: there is no MLflow in .venv/mlflow; run `make mlflow` first" in said
    python = project.path(".venv/mlflow/bin/python")
    python.parent.mkdir(parents=True)
    python.touch()
    assert project.planned("--configfile", "mine.yaml")["track_runs"] == 1
