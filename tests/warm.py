"""A program without the seconds that loading it takes: a process that has loaded it once and forks for each call.

Each call is a process of its own with the folder, the environment and the words of its caller, and ends as the program
does. As a program, what forks: a line of JSON for each request on stdin, one for its answer on stdout.
"""

import atexit
import gc
import importlib
import json
import os
import signal
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

    def __call__(self, words, folder, python=None):
        """Run it in `folder`; returns its exit status and what it said. python: what it takes for its interpreter."""
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as said:
            status = self.start(words, folder, said.name, python, leads=False).wait()
            return status, said.read()

    def start(self, words, folder, said, python=None, leads=True):
        """Let it run in `folder`, where it may lead a session; what it says is appended to the file `said`."""
        call = {"words": words, "folder": str(folder), "environment": dict(os.environ), "said": str(said)}
        return Started(self, self._ask(dict(call, python=python, leads=leads)))

    def ended(self, pid, options):
        """The exit status of what was started, None where it is to be waited for and has not ended."""
        return self._ask({"pid": pid, "options": options})

    def _ask(self, request):
        if self._process is None:
            command = [sys.executable, __file__, self._program]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True
            )
            atexit.register(self._end)
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def _end(self):
        self._process.stdin.close()
        self._process.wait()


class Started:
    """A call that is under way, with what `subprocess.Popen` has for it."""

    def __init__(self, program, pid):
        self._program, self.pid, self.returncode = program, pid, None

    def poll(self, options=os.WNOHANG):
        if self.returncode is None:
            self.returncode = self._program.ended(self.pid, options)
        return self.returncode

    def wait(self):
        return self.poll(0)

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def serve():
    """Answer requests until there are no more; in the process of a call, come back with that call."""
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        answer = _status(request["pid"], request["options"]) if "pid" in request else os.fork()
        if answer == 0 and "pid" not in request:
            return request
        print(json.dumps(answer), file=answers, flush=True)
    return None


def _status(pid, options):
    ended, status = os.waitpid(pid, options)
    if not ended:
        return None
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def become(call, name, path):
    """Make this process the one of a call."""
    if call["leads"]:
        os.setsid()
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
    sys.executable = call["python"] or sys.executable


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
