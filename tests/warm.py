"""A program without the seconds that loading it takes: a process that has loaded it once and forks for each call.

Each call is a process of its own with the folder, the environment and the words of its caller, and ends as the program
does. As a program, what forks: a line of JSON for each call on stdin, its exit status on stdout.
"""

import atexit
import importlib
import json
import os
import subprocess
import sys
import tempfile


class Warm:
    """A program, loaded at the first call, gone with this process.

    module: what is loaded, by its name, of which `main` is run; name: that of the program; path: the folder that
    Python looks for modules in first, None: that of the call.
    """

    def __init__(self, module, name, path=None):
        self._program = json.dumps([module, name, path])
        self._process = None

    def __call__(self, words, folder):
        """Run it in `folder`; returns its exit status and what it said."""
        if self._process is None:
            command = [sys.executable, __file__, self._program]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
            )
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
        status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        print(status, file=answers, flush=True)
    return None


def become(call, name, path):
    """Make this process the one of a call."""
    for descriptor, file, flags in ((0, os.devnull, os.O_RDONLY), (1, call["said"], os.O_WRONLY | os.O_APPEND)):
        opened = os.open(file, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.dup2(1, 2)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    tempfile.tempdir = None
    sys.path[0] = path or call["folder"]
    sys.argv = [name, *call["words"]]


def main():
    module, name, path = json.loads(sys.argv[1])
    if path:
        sys.path[0] = path
    program = importlib.import_module(module)
    request = serve()
    if request is not None:
        become(request, name, path)
        sys.exit(program.main())


if __name__ == "__main__":
    main()
