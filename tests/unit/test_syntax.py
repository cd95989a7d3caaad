"""The rules that all files below workflow/scripts obey, read from their text."""

import ast
import os
import pathlib
import re

import pytest
from densedepth.imports import sources
from source_files import FILES, PACKAGE, PROGRAMS, SCRIPTS, imported, tree


@pytest.mark.parametrize("name", FILES)
def test_is_python_37(name):
    compile(tree(name), name, "exec")


# What `feature_version` lets through, by the version of Python that brought it.
NEWER = {"removeprefix": "3.9", "removesuffix": "3.9", "cached_property": "3.8"}


@pytest.mark.parametrize("name", FILES)
def test_uses_nothing_newer_from_the_standard_library(name):
    nodes = [node for node in ast.walk(tree(name)) if isinstance(node, ast.Attribute)]
    found = [
        "line {}: {} needs Python {}".format(node.lineno, node.attr, NEWER[node.attr])
        for node in nodes
        if node.attr in NEWER
    ]
    assert found == []


@pytest.mark.parametrize("name", PACKAGE)
def test_the_package_knows_neither_flags_nor_snakemake(name):
    assert not {"argparse", "snakemake", "cli"} & set(imported(name))


@pytest.mark.parametrize("name", FILES)
def test_only_one_module_knows_the_ascend_bridge(name):
    if name != os.path.join("densedepth", "platforms", "ascend.py"):
        assert "npu_bridge" not in set(imported(name))


@pytest.mark.parametrize("name", FILES)
def test_tensorflow_comes_through_one_module(name):
    if name != os.path.join("densedepth", "tf.py"):
        assert not {"tensorflow", "keras"} & set(imported(name))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_have_one_shape(name):
    module = tree(name)
    functions = {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    assert {"build_parser", "work", "main"} <= functions
    summary, _, details = ast.get_docstring(module).partition("\n")
    assert summary.endswith(".")
    assert "python workflow/scripts/{}".format(name) in details
    assert not set(PROGRAMS) & {word + ".py" for word in imported(name)}, "a program imports a program"


# Folders of the package, from the top down, and what lies beside them.
FOLDERS = ("report", "demo", "evaluation", "training", "inference", "network", "sample", "data", "platforms", "imaging")
FOLDERS += ("web", "")


def folder_of(dotted):
    """The folder of a module of the package, as a relative import names it from the package; "" for the flat ones."""
    first = dotted.split(".")[0]
    return first if os.path.isdir(os.path.join(SCRIPTS, "densedepth", first)) else ""


@pytest.mark.parametrize("name", PACKAGE)
def test_a_folder_uses_those_below_it(name):
    parts = name.split(os.sep)[1:-1]
    own = FOLDERS.index(parts[0] if parts else "")
    above = "." * (len(parts) + 1)
    for word in imported(name):
        if word.startswith(above):
            assert FOLDERS.index(folder_of(word[len(above) :])) >= own, "{} imports {}".format(name, word)


def test_the_page_names_every_folder_and_modules_that_are_there():
    with open(os.path.join(SCRIPTS, "..", "..", "docs", "architecture.md")) as stream:
        table = stream.read().split("### Modules")[1].split("\n| --- | --- | --- |\n")[1].split("\n\n")[0]
    rows = {row.split("|")[1].strip(" `/"): re.findall(r"`(\w+)`", row.split("|")[3]) for row in table.split("\n")}
    assert set(rows) == {folder or "beside them" for folder in FOLDERS}
    for folder, modules in rows.items():
        there = {os.path.basename(name)[:-3] for name in PACKAGE if folder_of_file(name) == folder}
        assert modules and set(modules) <= there, folder


def folder_of_file(name):
    parts = name.split(os.sep)[1:-1]
    return parts[0] if parts else "beside them"


def modules_used(name):
    """Paths of the package's modules that a module of it imports itself."""
    folder = name.split(os.sep)[:-1]
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = folder[: len(folder) - node.level + 1] + (node.module.split(".") if node.module else [])
            for path in [base] + [base + [alias.name] for alias in node.names]:
                yield os.path.join(*path) + ".py"


def test_no_modules_import_each_other():
    below = {name: set(modules_used(name)) - {name} for name in PACKAGE}
    while below:
        ready = sorted(module for module, uses in below.items() if not uses & set(below))
        assert ready, "these modules import each other: {}".format(", ".join(sorted(below)))
        for module in ready:
            del below[module]


@pytest.mark.parametrize(
    "program, foreign",
    [
        # An edit of how figures are measured or shown must not train again, and the other way round.
        ("train.py", "metrics evaluation report curves visualize freeze"),
        ("evaluate.py", "loss training optim report curves"),
        ("dataset_tool_tf.py", "network loss training metrics"),
        # These run in the interpreter of Snakemake, which has no TensorFlow.
        ("make_sample.py", "tf network"),
        ("download.py", "tf network"),
        ("evaluate_baseline.py", "tf network"),
        ("score.py", "tf network"),
        ("report.py", "tf network"),
        ("export_demo.py", "tf architecture predictors"),
    ],
)
def test_programs_rest_on_no_foreign_room(program, foreign):
    used = {os.path.basename(path)[:-3] for path in sources(os.path.join(SCRIPTS, program))}
    assert len(used) > 3
    assert not used & set(foreign.split())


def test_no_test_imports_another():
    """What tests share stands beside them, so that a test can be changed without a look at others."""
    tests = pathlib.Path(SCRIPTS, "..", "..", "tests")
    names = {path.stem for path in tests.rglob("test_*.py")}
    assert [path.name for path in sorted(tests.rglob("*.py")) if names & set(imported(str(path.resolve())))] == []
