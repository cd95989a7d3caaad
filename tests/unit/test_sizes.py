"""No function, class or file is longer than can be read at once."""

import ast
import os

import pytest
from source_files import FILES, SCRIPTS, read

# Lines of code of a function: without its docstring, comments and empty lines; all lines of a class and of a file.
FUNCTION, CLASS, FILE = 50, 200, 400

# What is longer still, `file:name`, or the file; the list only shrinks.
LONGER = ()


def code_lines(node, lines):
    """The numbers of the lines of a function that hold code."""
    told = ()
    docstring = ast.get_docstring(node, clean=False)
    if docstring is not None:
        last = last_line(node.body[0])
        told = range(last - docstring.count("\n"), last + 1)
    every = range(node.lineno, last_line(node) + 1)
    return [n for n in every if n not in told and lines[n - 1].strip() and not lines[n - 1].lstrip().startswith("#")]


def last_line(node):
    # Python 3.7 tells only where a node begins, and of a text of several lines where it ends.
    return max(getattr(one, "end_lineno", None) or getattr(one, "lineno", 0) for one in ast.walk(node))


def too_long(name, text):
    """`file:name: 61 lines` of what is too long in a file of this text."""
    lines = text.splitlines()
    found = [(name, len(lines))] if len(lines) > FILE else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            length, most = len(code_lines(node, lines)), FUNCTION
        elif isinstance(node, ast.ClassDef):
            length, most = last_line(node) - node.lineno + 1, CLASS
        else:
            continue
        if length > most:
            found.append(("{}:{}".format(name, node.name), length))
    return {place: "{} lines".format(length) for place, length in found}


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_too_long_to_read(name):
    found = too_long(name.replace("\\", "/"), read(name))
    assert {place: length for place, length in found.items() if place not in LONGER} == {}


@pytest.mark.parametrize("folder", ["benchmarks", "docs", "envs", "profiles", "tests"])
def test_no_other_file_is_too_long_to_read(folder):
    repository = os.path.join(SCRIPTS, "..", "..")
    found = {}
    for place, _, names in os.walk(os.path.join(repository, folder)):
        for path in [os.path.join(place, name) for name in names if name.endswith(".py")]:
            with open(path, encoding="utf-8") as stream:
                found[os.path.relpath(path, repository)] = len(stream.readlines())
    assert found and {path: lines for path, lines in found.items() if lines > FILE} == {}


def test_what_is_excepted_is_too_long():
    found = {place for name in FILES for place in too_long(name, read(name))}
    assert set(LONGER) <= found, "take from the list: {}".format(", ".join(sorted(set(LONGER) - found)))


def test_what_is_too_long_is_found():
    text = 'def f():\n    """Says\n    what."""\n    # Why.\n' + "    f()\n" * FUNCTION
    assert too_long("a.py", text) == {"a.py:f": "51 lines"}
    assert too_long("a.py", text.replace("    f()\n", "", 1)) == {}
    assert too_long("a.py", "class A:\n" + "    x = 1\n" * CLASS) == {"a.py:A": "201 lines"}
    assert too_long("a.py", "x = 1\n" * (FILE + 1)) == {"a.py": "401 lines"}
