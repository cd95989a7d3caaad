"""Python and rule files are parsed once for all plans: those of each copy are mostly those of the repository.

And installed modules, among which Snakemake looks for plugins several times in each call, are listed once.
"""

import ast
import functools
import pkgutil
from pathlib import Path
from types import SimpleNamespace

import snakemake.workflow

_parse = ast.parse


@functools.lru_cache(maxsize=None)
def _kept(text):
    """The statements that import, and those with such within: all that a plan looks at."""
    tree = _parse(text)
    imports = (ast.Import, ast.ImportFrom)
    tree.body = [one for one in tree.body if any(isinstance(node, imports) for node in ast.walk(one))]
    return tree


def parse(source, filename="<unknown>", mode="exec", **options):
    """As `ast.parse`, for those who read imports, and change nothing."""
    if options or mode != "exec" or source not in KNOWN:
        return _parse(source, filename, mode, **options)
    return _kept(source)


SCRIPTS = Path(__file__).resolve().parents[1] / "workflow" / "scripts"
KNOWN = {path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.py")}
for known in KNOWN:
    _kept(known)
ast.parse = parse


_parse_rules = snakemake.workflow.parse
# In the place of a file's path, which the parsed rules name.
_PATH = "/the path of these rules"


@functools.lru_cache(maxsize=None)
def _kept_rules(path):
    """(code, number of rules, lines) of a rule file."""
    lines = {}
    here = SimpleNamespace(get_path_or_uri=lambda secret_free: _PATH)
    return (*_parse_rules(here, SimpleNamespace(sourcecache=SimpleNamespace(open=lambda _: path.open())), lines), lines)


def parse_rules(path, workflow, linemap, overwrite_shellcmd=None, rulecount=0):
    """As `snakemake.parser.parse`."""
    with workflow.sourcecache.open(path) as stream:
        known = KNOWN_RULES.get(stream.read())
    if overwrite_shellcmd is not None or known is None:
        return _parse_rules(path, workflow, linemap, overwrite_shellcmd, rulecount)
    code, count, lines = _kept_rules(known)
    linemap.update(lines)
    return code.replace(repr(_PATH), repr(path.get_path_or_uri(secret_free=True))), rulecount + count


_ROOT = SCRIPTS.parents[1]
KNOWN_RULES = {path.read_text(): path for path in (_ROOT / "Snakefile", *_ROOT.glob("workflow/rules/*.smk"))}
for known in KNOWN_RULES.values():
    _kept_rules(known)
snakemake.workflow.parse = parse_rules

_iter_modules = pkgutil.iter_modules
INSTALLED = list(_iter_modules())


def iter_modules(path=None, prefix=""):
    return _iter_modules(path, prefix) if path or prefix else iter(INSTALLED)


pkgutil.iter_modules = iter_modules
