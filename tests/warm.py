"""A program without the seconds that loading it takes: a process that has loaded it once and forks for each call.

Each call is a process of its own with the folder, the environment and the words of its caller, and ends as the program
does. As a program, what forks: a line of JSON for each call on stdin, its exit status on stdout.
"""

import atexit
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import traceback


class Warm:
    """A program, loaded at the first call, gone with this process.

    module: what is loaded, by its name, of which `main` is run; name: that of the program; path: the folder that
    Python looks for modules in first, None: that of the call; also: names of modules that it would load later.
    """

    def __init__(self, module, name, path=None, also=()):
        self._program = json.dumps([module, name, path, also])
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


def end(work):
    """Run `work` and end this process as Python does, but leave its memory, shared with what forked, alone."""
    try:
        status = work()
    except SystemExit as ended:
        status = ended.code
    except BaseException:
        traceback.print_exc()
        status = 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    if isinstance(status, str):
        print(status, file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def main():
    module, name, path, also = json.loads(sys.argv[1])
    if path:
        sys.path[0] = path
    program = importlib.import_module(module)
    for other in also:
        importlib.import_module(other)
    gc.freeze()
    request = serve()
    if request is not None:
        become(request, name, path)
        end(program.main)


if __name__ == "__main__":
    main()
