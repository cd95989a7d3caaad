"""Write docs/modules.md, the modules and their docstrings: `make docs`, or with --check only compare.

    .venv/workflow/bin/python docs/module_list.py

Run it from the root of the repository.
"""

import ast
import os
import sys

PAGE, PACKAGE = "docs/modules.md", "workflow/scripts/densedepth"
HEAD = """# What is in each module?

The modules of `workflow/scripts/densedepth/`, each with the first line of its docstring; `make docs` writes this page.
Folders are in the order of [architecture.md](architecture.md#modules).
"""
FOLDERS = ("", "report", "demo", "evaluation", "training", "inference", "network", "sample", "data", "data/forms")
FOLDERS += ("platforms", "imaging", "web")


def summary(path):
    """The first line of a module's docstring."""
    with open(path, encoding="utf-8") as stream:
        text = ast.get_docstring(ast.parse(stream.read()))
    if not text:
        sys.exit("{}: has no docstring".format(path))
    return text.split("\n")[0]


def rows(folder):
    """A line for each module of a folder."""
    for name in sorted(os.listdir(os.path.join(PACKAGE, folder))):
        if name.endswith(".py") and name != "__init__.py":
            path = os.path.join(folder, name).lstrip("/")
            source = os.path.join(PACKAGE, path)
            yield "- [`{}`](../{}): {}".format(name[:-3], source, summary(source))


def page():
    """The whole page, as text."""
    found = {os.path.relpath(folder, PACKAGE) for folder, _, files in os.walk(PACKAGE) if "__init__.py" in files}
    unknown = found - {folder or "." for folder in FOLDERS}
    if unknown:
        sys.exit("docs/module_list.py: FOLDERS lacks {}".format(", ".join(sorted(unknown))))
    blocks = [HEAD]
    for folder in FOLDERS:
        blocks += ["\n## {}\n".format("`{}/`".format(folder) if folder else "Beside the folders"), *rows(folder)]
    return "\n".join(blocks) + "\n"


def main():
    made = page()
    try:
        with open(PAGE, encoding="utf-8") as stream:
            there = stream.read()
    except FileNotFoundError:
        there = None
    if made == there:
        return
    if "--check" in sys.argv:
        sys.exit("{}: not what the modules' docstrings say; `make docs` writes it".format(PAGE))
    with open(PAGE, "w", encoding="utf-8") as stream:
        stream.write(made)


if __name__ == "__main__":
    main()
