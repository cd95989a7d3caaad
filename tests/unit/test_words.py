"""Pages, help texts and messages use the field's terms, and one word for one thing."""

import ast
import os
import re

import pytest
from source_files import FILES, PROGRAMS, SCRIPTS, read

REPOSITORY = os.path.join(SCRIPTS, "..", "..")

# What is not said, and what is said instead.
TERMS = {
    r"pictures?": "image",
    r"(your |one's )own (images|photos)|(images|photos) of your own": "custom data, custom RGB-D pairs, your images",
    r"holes?": "invalid depth",
    r"true depth|(?<!ground )(?<!ground-)truths?": "ground truth",
    r"side files?": "metadata file",
    r"lean": "memory-efficient",
    r"drawn rooms": "synthetic rooms",
    r"goes on from|going on from|go on from": "resumes from",
    r"where \w+ belongs": "expected X, got Y",
    r"is told|are told": "is reported",
    r"trained elsewhere": "pretrained",
    r"doubts?|doubted": "warning",
}


def spoken(name):
    """(line, text) of the strings of a source file that are sentences; of a program, its help text too."""
    tree = ast.parse(read(name))
    help_text = tree.body[0] if name in PROGRAMS else None
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and node is not help_text}
    for node in ast.walk(tree):
        # Python 3.7 has another class for texts than later ones.
        value = getattr(node, "value", getattr(node, "s", None))
        if isinstance(value, str) and " " in value.strip() and id(node) not in docstrings:
            # Not flags, file names, code, or what `format` fills in.
            yield (
                node.lineno,
                re.sub(r"--\w+|[\w/<>]*\.\w+|`[^`]*`|\{[^}]*\}", " ", value.replace("ground-truth", "ground truth")),
            )


def pages():
    for folder, ends in (("", "README.md"), ("config", "README.md"), ("docs", ".md"), ("workflow/report", ".rst")):
        for name in sorted(os.listdir(os.path.join(REPOSITORY, folder))):
            if name.endswith(ends):
                yield os.path.join(folder, name)


def prose(page):
    """(line, text) of a page without its code."""
    with open(os.path.join(REPOSITORY, page), encoding="utf-8") as stream:
        text = stream.read()
    text = re.sub(r"```.*?```", lambda code: "\n" * code.group().count("\n"), text, flags=re.DOTALL)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.startswith("    "):
            yield number, re.sub(r"`[^`]*`|\]\([^)]*\)|\{\{.*?\}\}", " ", line)


def found(name, lines):
    return [
        "{}:{}: {!r}: say {}".format(name, number, match.group(), instead)
        for number, text in lines
        for term, instead in TERMS.items()
        for match in re.finditer(r"\b(?:{})\b".format(term), text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", list(pages()))
def test_pages_use_the_terms_of_the_field(page):
    assert found(page, prose(page)) == []


@pytest.mark.parametrize("name", FILES)
def test_programs_use_the_terms_of_the_field(name):
    assert found(name, spoken(name)) == []
