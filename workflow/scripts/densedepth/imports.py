"""The project files that a program depends on, found by walking its imports without running it."""

import ast
import functools
import glob
import os
from typing import Iterable, List, Set


def sources(program: str, loaded: Iterable[str] = ()) -> List[str]:
    """`program` and every module of its folder that it imports, directly or through others, sorted, `program` first.

    Counted are `import a.b`, `from a import b` and relative imports at any depth of the code, functions included,
    where the module is a file or a package below the program's folder; but none below `if TYPE_CHECKING`. The
    `__init__.py` of each package passed on the way counts as well, since Python runs it, and so does every file in a
    folder `templates` beside a module. `loaded` are the dotted names of more modules, which are imported by name while
    it runs. A program that does not exist stands alone.
    """
    root = os.path.dirname(program)
    found: Set[str] = set()
    names: Set[str] = set()
    waiting = [program] + [path for name in loaded for path in _files(name, root)]
    while waiting:
        path = waiting.pop()
        if path in found or not os.path.isfile(path):
            continue
        found.add(path)
        if not path.endswith(".py"):
            continue
        waiting.extend(glob.glob(os.path.join(glob.escape(os.path.dirname(path)), "templates", "*")))
        imported = _imported(path, _package(path, root), os.stat(path).st_mtime_ns)
        waiting.extend(file for name in imported - names for file in _files(name, root))
        names |= imported
    return [program] + sorted(found - {program})


def _package(path, root):
    """Dotted name of the package that relative imports in `path` start from."""
    folder = os.path.relpath(os.path.dirname(path) or ".", root or ".")
    return "" if folder == "." else folder.replace(os.sep, ".")


@functools.lru_cache(maxsize=None)
def _imported(path, package, changed):
    """Absolute dotted names that the file may import; `from a import b` gives a and a.b, whichever b is.

    Reading the same modules for each program would take most of the time of a dry run; `changed` is the file's time.
    """
    return frozenset(_names(path, package))


def _names(path, package):
    with open(path, encoding="utf-8") as stream:
        tree = ast.parse(stream.read(), path)
    for node in _running(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([part for part in above if part] + ([base] if base else []))
            yield base
            for alias in node.names:
                yield "{}.{}".format(base, alias.name) if base else alias.name


# Where a statement has others in it; expressions, most of a tree, import nothing.
_BODIES = ("body", "orelse", "handlers", "finalbody")


def _running(tree):
    """The statements that run: what stands below `if TYPE_CHECKING` is for the type checker alone."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING":
            waiting.extend(node.orelse)
            continue
        yield node
        for body in _BODIES:
            waiting.extend(getattr(node, body, ()))


def _files(name, root):
    """The files below `root` that importing the dotted `name` runs."""
    parts = name.split(".") if name else []
    for end in range(1, len(parts) + 1):
        stem = os.path.join(root, *parts[:end])
        for path in (stem + ".py", os.path.join(stem, "__init__.py")):
            if os.path.isfile(path):
                yield path
