"""The files below workflow/scripts, for tests that read them."""

import ast
import functools
import os
import sys

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "workflow", "scripts")
FILES = sorted(
    os.path.relpath(os.path.join(folder, name), SCRIPTS)
    for folder, _, names in os.walk(SCRIPTS)
    for name in names
    if name.endswith(".py")
)
PACKAGE = [name for name in FILES if name.startswith("densedepth" + os.sep)]
PROGRAMS = [name for name in FILES if os.sep not in name and name != "cli.py"]


def read(name):
    with open(os.path.join(SCRIPTS, name), encoding="utf-8") as stream:
        return stream.read()


@functools.lru_cache(maxsize=None)
def tree(name):
    """Parsed once for all tests, which leave it as it is."""
    # Under Python 3.7 itself, what parses is Python 3.7.
    options = {} if sys.version_info < (3, 8) else {"feature_version": (3, 7)}
    return ast.parse(read(name), name, **options)


@functools.lru_cache(maxsize=None)
def imported(name):
    """First words of the absolute imports, and the relative ones with their dots, e.g. `.network`."""
    return list(_imported(name))


def _imported(name):
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.level:
            for word in [node.module] if node.module else [alias.name for alias in node.names]:
                yield "." * node.level + word
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]
