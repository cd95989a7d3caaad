"""What all programs share on the command line: spelling of flags, the log header, errors in one line."""

import argparse
import dataclasses
import errno
import os
import sys

from densedepth import interpreter, orphans, outputs, progress, ranges, runtime
from densedepth.errors import PipelineError

# Before any import of a program that may fail: `import cli` comes first in each.
interpreter.watch()


def parser(doc):
    """An ArgumentParser described by the module docstring `doc`. Declare flags with underscores."""
    summary, _, details = doc.strip().partition("\n")
    return _Parser(description=summary, epilog=details, formatter_class=_Formatter, allow_abbrev=False)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        # Without the usage, which is forty lines for some programs.
        self.exit(2, "{}: error: {}; see --help\n".format(os.path.basename(self.prog), message))


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action):
        # What is not set has no default worth telling.
        return action.help if action.default in (None, []) else super()._get_help_string(action)


# Errors of the file system that say enough by themselves: no room, no permission, a file instead of a folder, or a
# place where no folder can be made.
_FILE_ERRORS = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
)


def boolean(word):
    """`true`/`false` (also yes/no, 1/0, any case) as a bool."""
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    try:
        return words[word.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError("{!r} is neither true nor false".format(word)) from None


def add_boolean(arguments, flag, default, help):
    """A flag that takes a true/false word; the bare flag means true."""
    arguments.add_argument(flag, type=boolean, nargs="?", const=True, default=default, metavar="BOOL", help=help)


def add_size(arguments, help, default=None):
    """The flag --size: height and width of a network's input, in pixels."""
    pixels = number("data.height")
    arguments.add_argument("--size", type=pixels, nargs=2, default=default, metavar=("HEIGHT", "WIDTH"), help=help)


def number(name):
    """The type of a flag: a number in the range `name` of `ranges`; NaN and infinity are none."""

    def parsed(word):
        try:
            return ranges.parse(word, name)
        except ValueError as error:
            shown = word if len(word) <= 40 else word[:37] + "..."
            raise argparse.ArgumentTypeError("{}: {}".format(shown, error)) from None

    return parsed


def add_number(arguments, flag, name, default, help):
    """A flag that takes a number in the range `name` of `ranges`."""
    arguments.add_argument(flag, type=number(name), default=default, help=help)


def add_validation(arguments):
    """The flags for how validation pairs are chosen, of which one is given."""
    add = arguments.add_argument
    share = number("data.validation.share")
    add("--validation_share", type=share, default=0, help="share of the pairs, drawn by whole scenes")
    add("--validation_scenes", nargs="+", default=[], metavar="SCENE", help="scenes, by name or pattern")
    add("--validation_csv", default="", metavar="CSV", help="file that lists the pairs")


def add_scoring(arguments, protocols):
    """The flags for how depth is scored, by some of `protocols`."""
    add = arguments.add_argument
    add("--protocol", nargs="+", default=["port"], choices=protocols, help="ways to score (docs/metrics.md)")
    words = "metrics besides the usual ones, or all (docs/metrics.md)"
    add("--metrics", nargs="*", default=[], metavar="NAME", help=words)
    words = "numbers of the planes in each image, for plane_*: a folder, .zip, .npy or .npz of integers"
    # The workflow's `:q` makes nothing of an empty text.
    add("--planes", nargs="?", const="", default="", help=words)


def add_predicted(arguments, external_network, alignment, required):
    """The flags for what a network of another program takes, and for what its values, or stored ones, are.

    external_network, alignment: the modules of the evaluation that say what there is.
    """
    group = arguments.add_argument_group("what the network takes and puts out")
    add, default = group.add_argument, external_network.Preprocessing()
    add("--unit", required=required, choices=alignment.UNITS, help="what the values are")
    words = "what is fitted to the ground truth"
    add("--alignment", default="none", choices=alignment.ALIGNMENTS, help=words)
    add_boolean(group, "--trust_unit", False, "score values whose unit the ground truth contradicts")
    add("--size", nargs=2, type=positive_int, help="height and width that images are resized to")
    add("--mean", nargs=3, type=number("colour"), default=default.mean, help="taken from the colours")
    words = "by which they are divided"
    add("--deviation", nargs=3, type=number("colour"), default=default.deviation, help=words)
    add("--highest", type=int, default=1, choices=external_network.HIGHEST, help="white, before that")
    add("--layout", default="nchw", choices=external_network.LAYOUTS, help="order of the input's axes")
    add("--colours", default="rgb", choices=external_network.COLOURS, help="order of the colours")
    add("--output", default="", help="name of the output, where there are several")


def fields(kind, args, **others):
    """A `kind`, which is a dataclass: its fields from the flags of the same names, and from `others`."""
    names = [field.name for field in dataclasses.fields(kind) if field.name not in others]
    return kind(**{name: getattr(args, name) for name in names}, **others)


def text(flag, path):
    """The text of the file that `flag` names; of standard input for `-`. Raises PipelineError without one."""
    if path == "-":
        return sys.stdin.read()
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (OSError, ValueError) as error:
        raise PipelineError("{} {}: cannot be read ({})".format(flag, path, error)) from None


# Of flags that no setting bounds.
positive_int = number("count")
whole_number = number("whole")


def run(arguments, work, argv=None, writes=()):
    """Parse `argv` (`-` and `_` count alike in flag names), write the log header, call `work(args)`.

    writes: names of the arguments that are paths to write, none of which may be what another argument names.
    Returns the exit status: 0, or 1 after a PipelineError or a full disk, told in one line on stderr.
    """
    argv = sys.argv[1:] if argv is None else list(argv)
    args = arguments.parse_args([_home(_underscores(word)) for word in argv])
    program = os.path.basename(arguments.prog)
    if hasattr(sys.stdout, "reconfigure"):
        # A file's name may hold what the output's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print("{}: {}".format(program, runtime.summary()))
        for name, value in sorted(vars(args).items()):
            print("  --{} {}".format(name, value))
        sys.stdout.flush()
        orphans.end_with_snakemake()
        _check_outputs(vars(args), writes)
        work(args)
    except PipelineError as error:
        return _fail(program, error)
    except OSError as error:
        if error.errno not in _FILE_ERRORS:
            raise
        return _fail(program, "{}: {}".format(error.filename or "output", error.strerror))
    except KeyboardInterrupt:
        _fail(program, "interrupted")
        return 130
    return 0


def _check_outputs(values, writes):
    written = {"--" + name: values[name] for name in writes if values[name]}
    # --name is a word for people, which a folder may be called by as well.
    others = [value for name, value in values.items() if name not in writes and name != "name"]
    words = [word for value in others for word in (value if isinstance(value, list) else [value])]
    outputs.check_paths(written, [word for word in words if word and isinstance(word, str)])


def _fail(program, message):
    progress.clear()
    sys.stdout.flush()
    print("{}: error: {}".format(program, message), file=sys.stderr)
    return 1


def _home(word):
    """`~` instead of the home folder, which a shell leaves alone in quotes and behind `=`."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return flag + equals + os.path.expanduser(value)


def _underscores(word):
    if not word.startswith("--") or word == "--":
        return word
    name, equals, value = word[2:].partition("=")
    return "--" + name.replace("-", "_") + equals + value
