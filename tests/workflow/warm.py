"""Snakemake without the second that loading it takes: a process that has loaded it once and forks for each call.

Each call is a process of its own with the folder, the environment and the words of its caller, and ends as
`python -m snakemake` does. As a program, what forks: a line of JSON for each call on stdin, its exit status on stdout.
"""

import atexit
import json
import os
import subprocess
import sys
import tempfile


class Snakemake:
    """The way to it: started at the first call, gone with this process."""

    def __init__(self):
        self._process = None

    def __call__(self, words, folder):
        """Run Snakemake in `folder`; returns its exit status and what it said."""
        if self._process is None:
            command = [sys.executable, __file__]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            atexit.register(self._end)
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as said:
            call = {"words": words, "folder": str(folder), "environment": dict(os.environ), "said": said.name}
            self._process.stdin.write(json.dumps(call) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline()), said.read()

    def _end(self):
        self._process.stdin.close()
        self._process.wait()


def serve():
    """Answer calls until there are no more; in the process of a call, come back with that call."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        call = json.loads(line)
        child = os.fork()
        if child == 0:
            return call
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)
    return None


def become(call):
    """Make this process the one of a call."""
    for descriptor, path, flags in ((0, os.devnull, os.O_RDONLY), (1, call["said"], os.O_WRONLY | os.O_APPEND)):
        opened = os.open(path, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(1, 2)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    tempfile.tempdir = None
    sys.path[0] = call["folder"]
    sys.argv = ["snakemake", *call["words"]]


if __name__ == "__main__":
    from snakemake import cli

    request = serve()
    if request is not None:
        become(request)
        cli.main()
