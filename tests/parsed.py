"""Python files are parsed once for all plans: those of each copy of the workflow are mostly those of the repository."""

import ast
import functools
from pathlib import Path

_parse = ast.parse


@functools.lru_cache(maxsize=None)
def _kept(text):
    return _parse(text)


def parse(source, filename="<unknown>", mode="exec", **options):
    """As `ast.parse`, whose trees are not changed by who reads imports."""
    if options or mode != "exec" or source not in KNOWN:
        return _parse(source, filename, mode, **options)
    return _kept(source)


SCRIPTS = Path(__file__).resolve().parents[1] / "workflow" / "scripts"
KNOWN = {path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.py")}
for known in KNOWN:
    _kept(known)
ast.parse = parse
