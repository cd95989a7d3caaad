"""One line instead of a traceback when the interpreter lacks what a program needs.

For any Python 3, with the standard library alone.
"""

import os
import sys


def watch() -> None:
    """From now on, a package that is not installed ends the program with one line that names the right interpreter."""
    sys.excepthook = _told
    if sys.version_info < (3, 7):  # noqa: UP036 (the reason of this module)
        sys.exit(_line("is Python {}.{}, too old".format(*sys.version_info[:2])))


def _told(kind, error, trace):
    missing = (getattr(error, "name", None) or "").split(".")[0]
    if not issubclass(kind, ImportError) or kind is ImportError or not missing or missing == "densedepth":
        sys.__excepthook__(kind, error, trace)
        return
    sys.stdout.flush()
    print(_line("has no package {}".format(missing)), file=sys.stderr)


def _line(problem):
    program = sys.argv[0] or "python"
    return "{}: error: {} {}; run {} {}".format(
        os.path.basename(program), sys.executable, problem, _right(program), program
    )


def _right(program):
    """The interpreter that the workflow takes for the program, or how it is made."""
    from . import imports

    root = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
    needs = {os.path.basename(path) for path in imports.sources(program)}
    names = ["tf1", "tf2"] if "tf.py" in needs else ["workflow"]
    for name in names:
        path = os.path.join(root, ".venv", name, "bin", "python")
        if os.path.exists(path) and os.path.abspath(path) != os.path.abspath(sys.executable):
            return os.path.relpath(path)
    return "`make setup`, then .venv/{}/bin/python".format(names[0])
