"""Every public function of the package says of what types its arguments and its result are."""

import ast

import pytest
from source_files import PACKAGE, read

# Modules still without, as paths or folders; the list only shrinks.
NOT_YET = ()


def public(body, owner=""):
    """(name, definition) of the functions of a module or class, special methods among them, that others may call."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public(node.body, node.name + ".")
        elif isinstance(node, ast.FunctionDef) and (node.name.startswith("__") or not node.name.startswith("_")):
            yield owner + node.name, node


def lacking(text):
    """What has no annotation in a module of this text, e.g. `Page.add: text, the result`."""
    for name, node in public(ast.parse(text).body):
        every = node.args.args + node.args.kwonlyargs + [node.args.vararg, node.args.kwarg]
        bare = [one.arg for one in every if one and not one.annotation and one.arg not in ("self", "cls")]
        bare += [] if node.returns else ["the result"]
        if bare:
            yield "{}: {}".format(name, ", ".join(bare))


@pytest.mark.parametrize("name", [one for one in PACKAGE if not one[len("densedepth/") :].startswith(NOT_YET)])
def test_every_public_function_is_annotated(name):
    assert list(lacking(read(name))) == []


def test_what_is_still_to_be_annotated_lacks_something():
    for start in NOT_YET:
        below = [one for one in PACKAGE if one[len("densedepth/") :].startswith(start)]
        assert any(list(lacking(read(one))) for one in below), "take {} from the list".format(start)


def test_a_missing_annotation_is_found():
    text = "class A:\n def f(self, x: int, *y): pass\n def _g(self, x): pass\ndef h(x, *, y: int = 1) -> None: pass\n"
    assert list(lacking(text)) == ["A.f: y, the result", "h: x"]
