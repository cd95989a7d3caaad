"""Flags, log header and errors that all programs share."""

import errno
import os
import subprocess
import sys

import cli
import pytest
from densedepth.errors import PipelineError


@pytest.fixture
def arguments():
    arguments = cli.parser("Do a thing.\n\n    python thing.py --is_full true\n")
    arguments.prog = "thing.py"
    arguments.add_argument("--batch_size", type=cli.positive_int, default=4, help="images")
    arguments.add_argument("--skip_bad", type=cli.whole_number, default=0, help="pairs")
    cli.add_boolean(arguments, "--is_full", False, "all of it")
    return arguments


@pytest.mark.parametrize(
    "argv, expected",
    [
        ([], (4, False)),
        (["--batch-size", "2", "--is-full", "true"], (2, True)),
        (["--batch_size=2", "--is_full=False"], (2, False)),
        (["--is-full"], (4, True)),
        (["--is_full", "no"], (4, False)),
    ],
)
def test_dashes_and_words(arguments, argv, expected):
    seen = []
    assert cli.run(arguments, lambda args: seen.append((args.batch_size, args.is_full)), argv) == 0
    assert seen == [expected]


@pytest.mark.parametrize(
    "argv", [["--batch_size", "0"], ["--skip_bad", "-1"], ["--is_full", "maybe"], ["--batch", "2"]]
)
def test_bad_values_are_refused(arguments, argv):
    with pytest.raises(SystemExit) as error:
        cli.run(arguments, lambda args: None, argv)
    assert error.value.code == 2


def test_values_keep_their_dashes(arguments):
    arguments.add_argument("--name")
    seen = []
    cli.run(arguments, lambda args: seen.append(args.name), ["--name=a-b", "--batch-size", "1"])
    assert seen == ["a-b"]


def test_the_log_begins_with_versions_and_arguments(arguments, capsys):
    cli.run(arguments, lambda args: print("working"), [])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("thing.py: runtime ") and "numpy" in lines[0]
    assert lines[1:] == ["  --batch_size 4", "  --is_full False", "  --skip_bad 0", "working"]


@pytest.mark.parametrize(
    "error, message",
    [
        (PipelineError("x.zip: no such file"), "thing.py: error: x.zip: no such file\n"),
        (FileExistsError(errno.EEXIST, "File exists", "out"), "thing.py: error: out: File exists\n"),
        # As of a folder below /proc, where none can be made.
        (FileNotFoundError(errno.ENOENT, "No such file", "/proc/out"), "thing.py: error: /proc/out: No such file\n"),
        (OSError(errno.ENOSPC, "No space left on device", "out"), "thing.py: error: out: No space left on device\n"),
    ],
)
def test_errors_for_the_user_are_one_line(arguments, capsys, error, message):
    def work(args):
        raise error

    assert cli.run(arguments, work, []) == 1
    assert capsys.readouterr().err == message


def test_output_takes_any_file_s_name(tmp_path):
    """Under an encoding that lacks it, too; what is printed is valid in it."""
    code = "import os, cli\ncli.run(cli.parser('Do.'), lambda args: print(os.fsdecode(b'a\\xff.png'), '\\u4e2d'), [])"
    for encoding, printed in (("utf-8", "a\\udcff.png \u4e2d"), ("ascii", "a\\udcff.png \\u4e2d")):
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), PYTHONIOENCODING=encoding)
        done = subprocess.run([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, check=True)
        assert done.stdout.decode(encoding).splitlines()[-1] == printed


def test_help_tells_defaults_that_there_are(arguments):
    arguments.add_argument("--name", help="what to call it")
    text = " ".join(arguments.format_help().split())
    assert "images (default: 4)" in text and "what to call it" in text and "None" not in text


def test_faults_of_the_program_keep_their_traceback(arguments):
    def work(args):
        raise KeyError("x")

    with pytest.raises(KeyError):
        cli.run(arguments, work, [])


@pytest.mark.parametrize("words", [["--out", "~/x"], ["--out=~/x"]])
def test_the_home_folder_in_every_flag(monkeypatch, words):
    monkeypatch.setenv("HOME", "/home/somebody")
    arguments, seen = cli.parser("Doc."), []
    arguments.add_argument("--out")
    assert cli.run(arguments, lambda args: seen.append(args.out), words) == 0
    assert seen == ["/home/somebody/x"]
