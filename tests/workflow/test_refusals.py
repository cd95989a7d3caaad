"""What the workflow itself refuses is told in a line for each fault, without the frames that Snakemake shows."""

import re

import pytest

# What Snakemake puts around the message of an exception.
FRAMES = re.compile(r"Traceback|Exception|WorkflowError|Wildcards|^ *File \"", re.MULTILINE)

NOTHING = ("results/nothing",)

REFUSED = {
    "unknown keys": ({"bogus": 1, "tran": {}}, NOTHING, ["config: bogus: unknown key", "config: tran: unknown key"]),
    "missing source": ({"data": {"train_archive": "a.zip"}}, NOTHING, ["data.train_archive = a.zip: no such file"]),
    "faults of three kinds": (
        {
            "train": {"steps": 0},
            "external": {"a": {"predictions": "maps", "unit": "disparity"}},
            "data": {"test_archive": "b.zip"},
        },
        NOTHING,
        ["config: train.steps = 0: must be", ": disparity has no scale", "data.test_archive = b.zip: no such file"],
    ),
    "two equal runs": ({"runs": {"again": {"devices": 1}}}, NOTHING, ["config: runs.again: equal to 1p"]),
    "no split list": ({"data": {"validation": {"csv": "v.csv"}}}, NOTHING, ["validation.csv = v.csv: no such file"]),
    "empty grid": ({"sweeps": {"lr": {"grid": {}}}}, NOTHING, ["config: sweeps.lr.grid = {}: must have at least 1"]),
    "unknown epoch": ({}, ["results/1p/evaluation/epoch3.json"], ["1p has no epoch 3, only 2, 4;"]),
    "unknown run": ({}, ["results/2p/export/model.pb"], ["runs has no 2p, only 1p;"]),
    "unknown run's demo": ({}, ["results/2p/demo"], ["runs has no 2p, only 1p;"]),
    "unknown run's card": ({}, ["results/2p/MODEL_CARD.md"], ["runs has no 2p, only 1p;"]),
    "unknown sweep": ({}, ["results/sweeps/lr/report.md"], ["results/sweeps/lr: sweeps has no entry;"]),
    "unknown photos": ({}, ["results/predictions/mine"], ["results/predictions/mine: predictions has no entry;"]),
    "unknown scores": ({}, ["results/external/a/evaluation.json"], ["results/external/a: external has no entry;"]),
    "unknown run's report": ({}, ["results/2p/report.md"], ["runs has no 2p, only 1p; the report of all runs"]),
    "unknown network": ({}, ["results/published/a/report.md"], ["results/published/a: pretrained has no entry;"]),
    "other source": ({}, ["all"], ["made from dataset/mine.zip, but the settings name results/sample/nyu_data.zip"]),
    "no photos": ({"predictions": {"a": {"input": ["x*"]}}}, ["results/predictions/a"], ["config: predictions.a"]),
    "no such photo": (
        {"predictions": {"a": {"input": ["x.mp4"]}}},
        ["results/predictions/a"],
        ["config: predictions.a.input = x.mp4: no such file or folder"],
    ),
    "no such maps": (
        {"external": {"a": {"predictions": "maps/absent", "unit": "metres"}}},
        ["results/external/a/evaluation.json"],
        ["config: external.a.predictions = maps/absent: no such file or folder"],
    ),
    "worse images of stored maps": (
        {"external": {"a": {"predictions": "config", "unit": "metres"}}},
        ["results/external/a/robustness.json"],
        ["results/external/a/robustness.json: external.a has stored predictions, and worse images need the network"],
    ),
    "no MLflow": ({"tracking": {"mlflow": "runs"}}, NOTHING, ["there is no MLflow in .venv/mlflow"]),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_is_a_line_for_each_fault(project, name):
    settings, target, expected = REFUSED[name]
    project.path("results/data").mkdir(parents=True)
    if name == "other source":
        project.path("results/data/nyu_train.json").write_text('{"archive": {"path": "dataset/mine.zip"}}')
    output = project.snakemake("--cores", "1", *target, *project.configure(settings), fails=True)
    assert not FRAMES.search(output), output
    said = output.splitlines()[-len(expected) :]
    assert all(words in line for words, line in zip(expected, said)), output
    assert not list(project.path(".snakemake").glob("locks/*"))


def test_the_runtime_that_is_found_is_told_to_lack_bfloat16(project):
    """Before anything is made, not by the training."""
    python = project.path(".venv/tf1/bin/python")
    python.parent.mkdir(parents=True)
    python.write_text("")
    settings = project.configure({"train": {"precision_mode": "mixed_bfloat16"}})
    words = 'config: train.precision_mode = "mixed_bfloat16": TensorFlow 1.15 does not know it; use runtime: tf2'
    assert words in project.snakemake("-n", *settings, fails=True)
    assert project.planned(*settings, "--config", "runtime=tf2")
