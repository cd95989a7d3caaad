"""Programs started by an interpreter without what they need."""

import os
import subprocess
import sys

import pytest

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SCRIPTS = os.path.join(ROOT, "workflow", "scripts")
PROGRAMS = sorted(name for name in os.listdir(SCRIPTS) if name.endswith(".py") and name != "cli.py")
# These need the standard library alone, or tell of their one package themselves once they look for it.
PLAIN = ("ascend_check.py", "download.py", "make_rank_table.py", "log_mlflow.py", "join_history.py")


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in PLAIN])
def test_a_wrong_interpreter_is_told_of_the_right_one(name):
    """-S, -E, -s: no package of the interpreter that runs the tests is found."""
    command = [sys.executable, "-S", "-E", "-s", os.path.join("workflow", "scripts", name)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = done.stdout.decode()
    assert done.returncode == 1 and len(said.splitlines()) == 1, said
    assert said.startswith(name + ": error: ") and "has no package" in said and ".venv/" in said
    assert "/bin/python workflow/scripts/" + name in said
