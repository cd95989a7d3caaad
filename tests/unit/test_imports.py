"""Which files a program is made of."""

import os
from pathlib import Path

import pytest
from densedepth.imports import sources
from source_files import FILES

SCRIPTS = Path(__file__).parents[2] / "workflow/scripts"


@pytest.fixture
def tree(tmp_path):
    """Write files from {path: text}; returns the relative names that `sources` finds for a program."""

    def build(program, **texts):
        for name, text in texts.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for folder in ("house", "house/attic"):
            if (tmp_path / folder).is_dir():
                (tmp_path / folder / "__init__.py").touch()
        found = sources(str(tmp_path / program))
        return [os.path.relpath(path, str(tmp_path)) for path in found]

    return build


@pytest.mark.parametrize(
    "statement",
    [
        "import house.room",
        "import house.room as r",
        "from house import room",
        "from house.room import door",
        "def later():\n    from house import room",
        "try:\n    import house.room\nexcept ImportError:\n    pass",
    ],
)
def test_ways_to_import(tree, statement):
    found = tree("run.py", run=statement, house__room="door = 1", house__cellar="")
    assert found == ["run.py", "house/__init__.py", "house/room.py"]


def test_modules_are_followed_and_each_counts_once(tree):
    found = tree(
        "run.py",
        run="import help\nfrom house import room",
        help="import os, json",
        house__room="from . import hall\nfrom .attic import box",
        house__hall="from .room import door",
        house__attic__box="from ..stairs import up\nfrom ... import nothing",
        house__stairs="up = 1",
        house__cellar="",
    )
    assert found == [
        "run.py",
        "help.py",
        "house/__init__.py",
        "house/attic/__init__.py",
        "house/attic/box.py",
        "house/hall.py",
        "house/room.py",
        "house/stairs.py",
    ]


def test_a_package_brings_what_its_init_imports(tree, tmp_path):
    tree("run.py", run="import house", house__room="", house__hall="")
    (tmp_path / "house" / "__init__.py").write_text("from .hall import x")
    assert tree("run.py") == ["run.py", "house/__init__.py", "house/hall.py"]


def test_templates_beside_a_module_count(tree, tmp_path):
    tree("run.py", run="import house.attic.box", house__room="", house__attic__box="")
    for folder in ("house", "house/attic"):
        (tmp_path / folder / "templates").mkdir()
    (tmp_path / "house/attic/templates/page.css").write_text("not { python }")
    found = ["house/__init__.py", "house/attic/__init__.py", "house/attic/box.py", "house/attic/templates/page.css"]
    assert tree("run.py") == ["run.py", *found]


def test_modules_that_are_loaded_by_name(tree, tmp_path):
    tree("run.py", run="", house__room="from . import hall", house__hall="")
    found = sources(str(tmp_path / "run.py"), ("house.room",))
    assert [os.path.relpath(path, str(tmp_path)) for path in found] == [
        "run.py",
        "house/__init__.py",
        "house/hall.py",
        "house/room.py",
    ]


def test_what_only_the_type_checker_reads_is_no_code(tree):
    text = "if TYPE_CHECKING:\n    from house import cellar\nelse:\n    from house import room"
    found = tree("run.py", run=text, house__room="", house__cellar="")
    assert found == ["run.py", "house/__init__.py", "house/room.py"]


def test_a_missing_program_stands_alone(tree):
    assert tree("gone.py") == ["gone.py"]


def test_importing_the_package_runs_nothing_of_it(tmp_path):
    """An edit of the inference code, which the package hands on, concerns no program that does not use it."""
    package = str(SCRIPTS / "densedepth")
    (tmp_path / "program.py").write_text("import densedepth")
    os.symlink(package, str(tmp_path / "densedepth"))
    found = [os.path.relpath(path, str(tmp_path)) for path in sources(str(tmp_path / "program.py"))]
    assert found == ["program.py", "densedepth/__init__.py"]


# What a program must not import, so that an edit there does not make its results again.
@pytest.mark.parametrize(
    "program, modules",
    [
        ("predict.py", {"scoring", "metrics", "protocols"}),
        ("test.py", {"scoring", "metrics", "protocols", "train_archive"}),
        ("import_weights.py", {"train_archive"}),
        ("import_model.py", {"train_archive"}),
        ("evaluate.py", {"train_archive"}),
        ("train.py", {"ascend", "ascend_rank_table", "ascend_options", "cpu_gpu", "networks", "predictors", "forward"}),
        ("ckpt2pb.py", {"networks", "forward"}),
    ],
)
def test_a_program_is_apart_from_what_it_does_not_use(program, modules):
    found = {os.path.splitext(os.path.basename(path))[0] for path in sources(str(SCRIPTS / program))}
    assert "errors" in found
    assert modules <= {os.path.splitext(os.path.basename(path))[0] for path in FILES}, "no such module"
    assert not found & modules
