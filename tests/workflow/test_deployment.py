"""What describes this repository to others, the container's recipe and the entry of the catalogue, is true of it."""

import re
import runpy
import shlex

import pytest
import yaml
from conftest import PARTS, REPOSITORY
from snakemake.cli import get_argument_parser

RECIPE = REPOSITORY / "envs/Dockerfile"
RULES = "".join(path.read_text() for path in sorted(REPOSITORY.glob("workflow/rules/*.smk")))
USAGE = yaml.safe_load((REPOSITORY / ".snakemake-workflow-catalog.yml").read_text())["usage"]


def instructions():
    """(word, rest) of each instruction of the recipe."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", RECIPE.read_text())).splitlines()
    return [tuple(line.split(" ", 1)) for line in lines if line]


def copied():
    return {source for word, rest in instructions() if word == "COPY" for source in rest.split()[:-1]}


def test_the_container_holds_the_whole_workflow():
    assert set(PARTS) <= copied()
    assert [source for source in copied() if not list(REPOSITORY.glob(source))] == []


def test_the_container_is_of_debian_and_of_what_the_setup_installs():
    setup = runpy.run_path(str(REPOSITORY / "envs/setup.py"))
    (base,) = (rest for word, rest in instructions() if word == "FROM")
    # The release whose own Python is one that the pins are for.
    assert base == "debian:bookworm-slim" and setup["PYTHONS"]["workflow"][0] == (3, 11)
    (parts,) = re.findall(r"envs/setup\.py (.*)", "\n".join(rest for word, rest in instructions() if word == "RUN"))
    assert parts.split() == ["workflow", "tf2", "onnx"] and set(parts.split()) <= set(setup["SIZES"])


def test_the_container_starts_snakemake_with_flags_that_it_has():
    given = {word: yaml.safe_load(rest) for word, rest in instructions() if word in ("ENTRYPOINT", "CMD")}
    program, *words = given["ENTRYPOINT"]
    assert program.endswith("/.venv/workflow/bin/snakemake")
    args = get_argument_parser().parse_args(words + given["CMD"])
    assert str(args.snakefile) == "/opt/densedepth/Snakefile" and args.cores
    # Snakemake wants to know who calls it, and a folder for caches, also of a user that Debian does not know.
    (environment,) = (rest for word, rest in instructions() if word == "ENV")
    assert dict(pair.split("=") for pair in environment.split()) == {"HOME": "/tmp", "USER": "densedepth"}


def test_nothing_of_gigabytes_goes_into_the_context_of_a_build():
    left_out = (REPOSITORY / ".dockerignore").read_text().split()
    ignored = [line.strip("/") for line in (REPOSITORY / ".gitignore").read_text().split() if line.startswith("/")]
    assert set(ignored) <= set(left_out)


def test_the_catalogue_s_entry_has_the_keys_that_it_reads():
    assert set(USAGE) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(USAGE["mandatory-flags"]) == {"desc", "flags"}
    assert set(USAGE["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda"}
    # What it wants of any repository besides.
    assert {"snakemake", "workflow"} <= set(re.findall(r"\w+", (REPOSITORY / "README.md").read_text().lower()))
    assert (REPOSITORY / "config/README.md").is_file() and RULES


@pytest.mark.parametrize("words", [USAGE["mandatory-flags"]["flags"], *re.findall("`snakemake (.*?)`", str(USAGE))])
def test_the_catalogue_s_flags_are_snakemake_s(words):
    get_argument_parser().parse_args(shlex.split(words))


def test_the_catalogue_names_the_ways_that_the_rules_have():
    ways = USAGE["software-stack-deployment"]
    assert ways["conda"] == bool(re.search(r"(?m)^    conda:", RULES))
    assert ways["apptainer"] == ways["apptainer+conda"] == bool(re.search(r"(?m)^ *container:", RULES))
    assert USAGE["report"] == ("report(" in RULES)
