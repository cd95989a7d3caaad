"""What a change makes again: the table of docs/workflow.md, row by row, in dry runs of a finished project."""

import os
import re
import shutil

import pytest
from conftest import FEW, PARTS, REPOSITORY, SETTINGS, Project, edit, overlay

GALLERY_AND_PANEL = {"predict_examples": 1, "draw_gallery": 1}
FROM_GRAPH = {"infer_frozen_graph": 1, **GALLERY_AND_PANEL}
FROM_TRAINING = {"evaluate_checkpoint": 2, "freeze_graph": 1, **FROM_GRAPH}
REPORT = {"write_report": 1, "all": 1}


def touch(project):
    for name in PARTS:
        for path in [project.path(name), *project.path(name).rglob("*")]:
            os.utime(path)
    return SETTINGS


def clone(project):
    """A new copy of the sources in the place of the old one, as of another clone."""
    for name in PARTS:
        old, new = project.path(name), project.path(name + ".new")
        if old.is_dir():
            shutil.copytree(old, new, copy_function=shutil.copyfile)
            shutil.rmtree(old)
        else:
            shutil.copyfile(old, new)
        new.replace(old)
    return SETTINGS


def edited(name):
    def change(project):
        edit(project, name)
        return SETTINGS

    return change


def replaced(old, new, name):
    def change(project):
        text = project.path(name).read_text()
        assert old in text
        project.path(name).write_text(text.replace(old, new))
        return SETTINGS

    return change


def archive(project):
    with open(project.path("results/sample/nyu_test.zip"), "ab") as stream:
        stream.write(b"x")
    return SETTINGS


def downloads(project):
    """A sum for a file that lies there already, made with another one."""
    project.path("dataset").mkdir()
    project.path("dataset/a.zip").write_text("by hand")
    return overlay(project, downloads={"dataset/a.zip": {"urls": ["https://a.b/a.zip"], "md5": "0" * 32}})


def set_to(**settings):
    return lambda project: overlay(project, **settings)


# The first column of the table -> a change of that kind, and the jobs that it brings.
ROWS = {
    "a program": (edited("evaluate.py"), {"evaluate_checkpoint": 2, **REPORT}),
    "a module of the package": (edited("densedepth/training/loss.py"), {"train_model": 2, **FROM_TRAINING, **REPORT}),
    "the reader of archives": (
        edited("densedepth/data/train_archive.py"),
        {"convert_records": 1, "train_model": 2, **FROM_TRAINING, **REPORT},
    ),
    "how a network is used from Python": (
        edited("densedepth/inference/networks.py"),
        {"infer_frozen_graph": 1, "predict_examples": 1, "draw_gallery": 1, **REPORT},
    ),
    "the module of another kind of device": (edited("densedepth/platforms/ascend.py"), {}),
    "how a training reports": (edited("densedepth/training/history.py"), {}),
    "a comment in a module": (
        replaced("# Written so that", "# Made so that", "workflow/scripts/densedepth/evaluation/blocks.py"),
        {"evaluate_checkpoint": 2, "evaluate_baseline": 1, "infer_frozen_graph": 1, "draw_gallery": 1, **REPORT},
    ),
    "a protocol of the evaluation": (
        edited("densedepth/evaluation/protocols.py"),
        {"evaluate_checkpoint": 2, "evaluate_baseline": 1, "infer_frozen_graph": 1, "draw_gallery": 1, **REPORT},
    ),
    "the command of a rule": (
        replaced("--pb_name model", "--pb_name  model", "workflow/rules/frozen_graph.smk"),
        {"freeze_graph": 1, **FROM_GRAPH, **REPORT},
    ),
    "only the times of sources": (touch, {}),
    "the clone": (clone, {}),
    "a setting": (set_to(evaluate={"batch_size": 1}), {"evaluate_checkpoint": 2, **REPORT}),
    "a setting of training": (
        set_to(train={"learning_rate": 0.001}),
        {"train_model": 2, **FROM_TRAINING, **REPORT},
    ),
    "a setting of the conversion": (
        set_to(data={"depth_png": "unfiltered"}),
        {"convert_records": 1, "train_model": 2, **FROM_TRAINING, **REPORT},
    ),
    "an archive": (
        archive,
        {"evaluate_checkpoint": 2, "evaluate_baseline": 1, "infer_frozen_graph": 1, "draw_gallery": 1, **REPORT},
    ),
    "an address or sum of a file in `dataset/`": (downloads, {}),
    "an environment file": (replaced("dependencies:", "dependencies: # new", "envs/tf1.yaml"), {}),
    "`train.epochs` raised": (
        set_to(train={"epochs": 3}),
        {"train_model": 1, "evaluate_checkpoint": 1, "freeze_graph": 1, **FROM_GRAPH, **REPORT},
    ),
    "a run added": (
        set_to(runs={"second": {"devices": 1, "train": {"learning_rate": 0.001}}}),
        {"train_model": 2, **FROM_TRAINING, **REPORT},
    ),
    "the interpreter, the devices": (
        set_to(
            python="/opt/other/python",
            gpus=True,
            devices_per_node=1,
            train={"state_minutes": 9, "hcom_parallel": True},
        ),
        {},
    ),
    "cores, profile": (
        lambda project: (*SETTINGS, "--cores", "1", "--workflow-profile", "profiles/cluster-generic"),
        {},
    ),
}


def table():
    """{first column: what `snakemake -n` says} of the table in the docs."""
    text = (REPOSITORY / "docs/workflow.md").read_text()
    lines = text.partition("| what changed |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines]
    return {row[0].split(":")[0]: row[2].strip("`") for row in rows}


def test_the_table_has_a_test_for_each_row():
    assert list(table()) == list(ROWS)


@pytest.mark.parametrize("name", ROWS)
def test_a_change_makes_again_what_uses_it_and_says_why(finished, name):
    change, expected = ROWS[name]
    arguments = change(finished)
    output = finished.snakemake("--dry-run", *arguments)
    assert finished.jobs(output) == expected
    assert table()[name] in output


def test_an_environment_file_counts_where_conda_makes_the_environments(project, conda):
    arguments = ("results/baseline.json", *project.configure(FEW), "--sdm", "conda")
    project.snakemake("--cores", "1", *arguments)
    assert project.planned(*arguments) == {}
    with open(project.path("envs/tf2.yaml"), "a") as stream:
        stream.write("# An edit.\n")
    # It counts, too, whether conda is used at all.
    for words in (arguments, arguments[:-2]):
        output = project.snakemake("--dry-run", *words)
        assert project.jobs(output) == {"make_sample": 1, "evaluate_baseline": 1}
        assert "Software environment definition has changed" in output


def test_a_cosmetic_edit_can_be_waived_once_for_all(finished):
    edit(finished, "densedepth/training/loss.py")
    assert finished.planned(*SETTINGS)["train_model"] == 2
    finished.snakemake(*SETTINGS, "--touch", "all")
    assert finished.planned(*SETTINGS) == {}
    # What comes later counts again.
    edit(finished, "densedepth/training/loss.py")
    assert finished.planned(*SETTINGS)["train_model"] == 2


def test_a_cosmetic_edit_can_be_waived_for_a_call(finished):
    edit(finished, "densedepth/training/loss.py")
    assert finished.planned(*SETTINGS, "--consider-ancient", "train_model=code") == {}
    assert finished.planned(*SETTINGS)["train_model"] == 2


def using(project, name):
    """The lists of digests, `program/kind of device`, that a file of the scripts is in."""
    lists = project.path(".snakemake/densedepth/code").glob("*/*.sha256")
    named = "  workflow/scripts/{}\n".format(name)
    return {"{}/{}".format(path.parent.name, path.stem) for path in lists if named in path.read_text()}


def with_edits(walked, folder, names):
    """A copy of the finished project in which these files are edited."""
    shutil.copytree(walked.folder, folder)
    project = Project(folder)
    for name in names:
        edit(project, name)
    return project


OF_REPORT = (
    "report.py",
    "densedepth/report/sections.py",
    "densedepth/report/published_results.py",
    "densedepth/report/templates/report.css",
    "densedepth/report/templates/report.html",
    "densedepth/report/templates/report.js",
    "densedepth/report/templates/report.md",
    "densedepth/web/templates/clouds.js",
)


@pytest.fixture(scope="module")
def report_edited(walked, tmp_path_factory):
    """Such a project, and what is planned there."""
    project = with_edits(walked, tmp_path_factory.mktemp("report") / "project", OF_REPORT)
    return project, project.planned(*SETTINGS)


@pytest.mark.parametrize("name", OF_REPORT)
def test_an_edit_of_the_report_makes_only_the_report_again(report_edited, name):
    project, planned = report_edited
    assert planned == REPORT
    # Each of them alone: all programs of the pipeline have their lists.
    assert using(project, name) == {"report/modules"} and using(project, "densedepth/errors.py") > {"report/modules"}


OF_ASCEND = ("ascend.py", "ascend_rank_table.py", "ascend_options.py")


@pytest.fixture(scope="module")
def ascend_edited(walked, tmp_path_factory):
    """Such a project, and what is planned there, also with `platform: ascend`."""
    names = ["densedepth/platforms/" + name for name in OF_ASCEND]
    project = with_edits(walked, tmp_path_factory.mktemp("ascend") / "project", names)
    return project, project.planned(*SETTINGS), project.planned(*overlay(project, platform="ascend"))


@pytest.mark.parametrize("name", OF_ASCEND)
def test_an_edit_of_another_kind_of_device_makes_nothing_again(ascend_edited, name):
    project, planned, planned_on_ascend = ascend_edited
    assert planned == {} and planned_on_ascend["train_model"] == 2
    # Each of them alone.
    kinds = {found.partition("/")[2] for found in using(project, "densedepth/platforms/" + name)}
    assert kinds == {"ascend"} and "train/ascend" in using(project, "densedepth/platforms/" + name)


def test_another_kind_of_device_makes_nothing_again(finished):
    assert finished.planned(*overlay(finished, platform="ascend")) == {}
    edit(finished, "densedepth/platforms/collective.py")
    assert finished.planned(*overlay(finished, platform="ascend")) == {}
    assert finished.planned(*SETTINGS)["train_model"] == 2


def test_an_edit_of_what_stages_report_with_makes_nothing_again(finished):
    edit(finished, "densedepth/training/history.py")
    edit(finished, "densedepth/progress.py")
    assert finished.planned(*SETTINGS) == {}
    edit(finished, "densedepth/training/checks.py")
    assert finished.planned(*SETTINGS)["train_model"] == 2


def test_old_names_of_settings_make_nothing_again(finished):
    train = {"swap_probability": 0.5}
    old = overlay(finished, data={"halving": "mean", "pictures": {"hole": 0}}, train=train, published={})
    assert finished.planned(*old) == {}


def test_an_edit_of_the_sample_draws_it_again(finished):
    edit(finished, "make_sample.py")
    assert finished.planned(*SETTINGS)["make_sample"] == 1


def test_more_epochs_train_only_the_new_ones(finished):
    output = finished.snakemake("--dry-run", *overlay(finished, train={"epochs": 3}))
    assert "training 1p from epoch 2 to 3" in output
    assert output.count("training 1p from") == 1
