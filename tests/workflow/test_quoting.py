"""Names and settings that a shell would take for commands."""

import csv
import re
import shutil

import numpy as np
import pytest
import yaml
from conftest import FEW, REPOSITORY, TINY, copy
from PIL import Image

SCHEMA = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
# Everything that means something to a shell; `{` and `}` mean something to Snakemake, and are refused by the schema.
HOSTILE = """it's "so" $(touch pwned) `touch pwned`; touch pwned & * \\ 'ü\n> pwned"""

# Placeholders that hold no free text: wildcards have the form that `wildcard_constraints` allows, others are made here.
HARMLESS = {
    "wildcards.run",
    "wildcards.epoch",
    "wildcards.encoder",
    "threads",
    "resources.launcher",
    "resources.is_distributed",
    # Quoted where it is made.
    "resources.besides",
    "params.initial_epoch",
    "params.node",
    "params.fold",
}


def leaf(path):
    schema = SCHEMA
    for key in path.split("/"):
        schema = schema["properties"][key]
    return schema


def rules():
    """(rule, its text) of all rule files."""
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        for text in re.split(r"^(?=rule )", path.read_text(), flags=re.MULTILINE)[1:]:
            yield re.match(r"rule (\w+)", text).group(1), text


@pytest.mark.parametrize("rule, text", list(rules()), ids=[name for name, _ in rules()])
def test_no_free_text_of_the_settings_reaches_a_shell_unquoted(rule, text):
    shell = re.search(r'shell:\s+"""(.*?)"""', text, re.DOTALL)
    for placeholder in re.findall(r"{([^}:]+)}", shell.group(1) if shell else ""):
        if placeholder in HARMLESS:
            continue
        name = placeholder.split(".")[1]
        path = re.search(r"\b{}=(?:lookup\(dpath=|of_run\()\"([^\"]+)\"".format(name), text)
        assert path, "{}: {{{}}} must be {{{}:q}}".format(rule, placeholder, placeholder)
        schema = leaf(path.group(1))
        harmless = "enum" in schema or schema["type"] in ("integer", "number", "boolean")
        assert harmless, "{}: {{{}}} holds free text".format(rule, placeholder)


def test_hostile_names_pass_through_every_rule(tmp_path, quick_python):
    project = copy(REPOSITORY, tmp_path / "a {} project".format(HOSTILE.replace("/", "")))
    project.simplify()
    python = project.path("bin {}".format(HOSTILE))
    python.write_text('#!/bin/sh\nexec "{}" "$@"\n'.format(quick_python))
    python.chmod(0o755)
    project.snakemake("--cores", "1", "results/sample/nyu_data.zip", *project.configure(FEW))
    project.path("dataset").mkdir()
    names = {}
    for made in ("nyu_data.zip", "nyu_test.zip", "examples/1.png"):
        stem, _, end = made.rpartition("/")[2].partition(".")
        names[stem] = "dataset/{} {}.{}".format(stem, HOSTILE, end)
        shutil.move(project.path("results/sample") / made, project.path(names[stem]))
    data = {"train_archive": names["nyu_data"], "test_archive": names["nyu_test"], "examples": [names["1"]]}
    project.snakemake(
        "--cores", "1", *project.configure(dict(FEW, data=dict(TINY["data"], **data), python=str(python)))
    )
    assert project.path("results/1p/inference/examples.png").stat().st_size > 0

    # The stages that are not part of `all`: pictures, downloads, weights and networks of such names.
    mine = project.path("mine {}".format(HOSTILE))
    mine.mkdir()
    for number, split in enumerate(("train", "train", "test")):
        name = "{} {}".format(number, HOSTILE.replace("\n", " "))
        Image.new("RGB", (96, 64), (50 * number, 90, 9)).save(mine / (name + ".png"))
        np.save(mine / (name + ".npy"), np.full((64, 96), 2.0 + number))
        with open(mine / "pairs.csv", "a") as stream:
            csv.writer(stream).writerow([name + ".png", name + ".npy", split])
    pictures = {"csv": str(mine / "pairs.csv"), "metres_per_unit": 1, "max_depth": 10}
    weights = "weights {}.h5".format(HOSTILE.replace("\n", " "))
    project.path(weights).write_text("no weights")
    settings = {
        "data": dict(TINY["data"], shards=1, custom=pictures, examples=[]),
        "evaluate": {"protocols": ["port"]},
        "downloads": {"dataset/a.zip": {"urls": [names["nyu_test"]]}},
        "download_cache": "cache {}".format(HOSTILE),
        "predictions": {"mine": {"input": [str(mine)], "intrinsics": [90, 90, 48, 32]}},
        "pretrained": {"theirs": weights},
        "report": {"gallery": 1},
        "python": str(python),
    }
    arguments = project.configure(settings)
    project.snakemake(
        "--cores",
        "1",
        "downloads",
        "check_data",
        "results/baseline.json",
        "results/data/nyu_train.json",
        *arguments,
        "--config",
        "replace_results=true",
    )
    assert project.path("dataset/a.zip").read_bytes() == project.path(names["nyu_test"]).read_bytes()
    project.snakemake("results/predictions/mine", "--allowed-rules", "predict_pictures", *arguments)
    assert len(list(project.path("results/predictions/mine").glob("*_depth.*"))) >= 3
    settings["train"] = {"weights": weights}
    arguments = project.configure(settings)
    for target in (
        "results/published/theirs/checkpoints/epoch0/model.json",
        "results/weights/densenet121/weights.json",
    ):
        # That far it must come.
        assert "{}: not a readable HDF5 file".format(weights) in project.snakemake(target, *arguments, fails=True)
    assert [path for path in tmp_path.rglob("*") if path.name == "pwned"] == []
