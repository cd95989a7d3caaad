"""The workflow used from elsewhere: another working directory, a module, what snakedeploy writes, a site's profile."""

import os
import subprocess

import pytest
import yaml
from conftest import FEW, REPOSITORY, TINY, Project, copy
from densedepth import configuration

# What `snakedeploy deploy-workflow` 0.17.1 writes as workflow/Snakefile, but for the version that it asks for.
DEPLOYED = """
configfile: "config/config.yaml"


module densedepth:
    snakefile:
        {}
    config:
        config


use rule * from densedepth
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The workflow with a small network, in a folder that nothing is to be made in."""
    project = copy(REPOSITORY, tmp_path_factory.mktemp("reuse") / "the workflow")
    project.simplify()
    return project.folder


def settled(folder, quick_python, **more):
    """A working directory with settings of its own, but for those that the workflow comes with."""
    folder.mkdir()
    project = Project(folder)
    return project, project.configure(dict(FEW, python=quick_python, **more))


# Of custom pairs, for a job that takes no time: what is listed of them is looked at later.
PAIRS = {
    "data": {"custom": {"csv": "pairs.csv"}, "examples": []},
    "evaluate": {"protocols": ["port"]},
    "report": {"gallery": 2},
}
LISTED = "results/data/pictures.json"


def with_pairs(project):
    for number, split in enumerate(("train", "train", "test", "test")):
        for name in ("{}.png".format(number), "{}.npy".format(number)):
            project.path(name).touch()
        with open(project.path("pairs.csv"), "a") as rows:
            rows.write("{0}.png,{0}.npy,{1}\n".format(number, split))


def deployed(folder, snakefile, quick_python, **more):
    """A working directory as snakedeploy makes it, with the settings of a small run, and `more`."""
    (folder / "config").mkdir(parents=True)
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").write_text(DEPLOYED.format(snakefile))
    settings = configuration.read(str(REPOSITORY / "config/config.yaml"))
    for changes in (dict(FEW, python=quick_python), more):
        settings = configuration.merge(settings, changes)
    (folder / "config/config.yaml").write_text(yaml.safe_dump(settings))
    return Project(folder)


def is_whole(project, *arguments):
    """Whether the report is there, all is up to date."""
    report = project.path("results/report.md").read_text(encoding="utf-8")
    return "δ1" in report and project.planned(*arguments) == {}


def test_results_in_another_directory(home, tmp_path, quick_python):
    project, settings = settled(tmp_path / "some where", quick_python, train=TINY["train"])
    call = ["--snakefile", str(home / "Snakefile"), "--directory", str(project.folder), *settings, "--cores", "1"]
    project.snakemake("all", *call)
    assert is_whole(project, "all", *call)
    assert not (home / "results").exists() and not (home / ".snakemake").exists()


def test_a_module_of_a_repository_as_snakedeploy_writes_it(home, tmp_path, quick_python, monkeypatch):
    origin = copy(home, tmp_path / "origin").folder
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "all"], ["tag", "v1"]):
        subprocess.run(["git", *words], cwd=str(origin), check=True)
    # Git reads the address of GitHub as that of the folder; all else is as with GitHub.
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "url.file://{}.insteadOf".format(origin))
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/owner/densedepth")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    source = 'github("owner/densedepth", path="Snakefile", tag="v1")'
    project = deployed(tmp_path / "deployed", source, quick_python)
    project.snakemake("all", "--cores", "1")
    assert is_whole(project, "all")


def test_a_module_in_a_folder(home, tmp_path, quick_python):
    project = deployed(tmp_path / "mine", repr(str(home / "Snakefile")), quick_python)
    assert project.planned("all")["train_model"] == 1
    project = deployed(tmp_path / "pairs", repr(str(home / "Snakefile")), quick_python, **PAIRS)
    with_pairs(project)
    project.snakemake(LISTED, "--cores", "1")
    assert project.path(LISTED).exists() and not (home / "results").exists()


def test_a_module_is_stopped_before_it_replaces_what_is_made_from_another_source(home, tmp_path, quick_python):
    project = deployed(tmp_path / "mine", repr(str(home / "Snakefile")), quick_python)
    snakefile = project.path("workflow/Snakefile")
    snakefile.write_text(snakefile.read_text().replace("from densedepth", "from densedepth as dd_*"))
    project.path("results/data").mkdir(parents=True)
    project.path("results/data/nyu_train.json").write_text('{"archive": {"path": "dataset/mine.zip"}}')
    for how in ("--dry-run", "--cores=1"):
        output = project.snakemake("dd_all", how, fails=True)
        assert "made from dataset/mine.zip, but the settings name results/sample/nyu_data.zip" in output


def test_cores_are_all_of_this_machine_where_no_number_is_named(project):
    with_pairs(project)
    output = project.snakemake(LISTED, *project.configure(PAIRS))
    assert "Provided cores: {}".format(len(os.sched_getaffinity(0))) in output


@pytest.mark.parametrize("how", ["--profile", "SNAKEMAKE_PROFILE"])
def test_threads_of_a_cluster_are_not_cut_to_the_cores_of_this_machine(project, tmp_path, monkeypatch, how):
    profile = tmp_path / "site"
    profile.mkdir()
    (profile / "submit.sh").write_text('echo threads=$1 >>"$2"; bash "$3" >&2; echo 1\n')
    submit = "bash {} {{threads}} {}".format(profile / "submit.sh", tmp_path / "submitted")
    settings = {
        "executor": "cluster-generic",
        "jobs": 5,
        "cluster-generic-submit-cmd": submit,
        "cluster-generic-status-cmd": "echo success #",
        "set-threads": {"list_pictures": 64},
    }
    (profile / "config.yaml").write_text(yaml.safe_dump(settings))
    arguments = ["--profile", str(profile)] if how == "--profile" else []
    monkeypatch.setenv("SNAKEMAKE_PROFILE", str(profile) if not arguments else "none")
    with_pairs(project)
    project.snakemake(LISTED, *arguments, *project.configure(PAIRS))
    assert (tmp_path / "submitted").read_text() == "threads=64\n"
