"""An interpreter for many short jobs: it hands each program to a process that has loaded modules and forks for it.

As a program, what forks: `warm_python.py SOCKET MODULE...`, until its stdin ends. What is called in place of an
interpreter is the script that `forking` writes; a job has the words, folder, environment and files of its caller, and
ends with it. It is no child of its caller: what follows the parents of processes takes the interpreter itself.
"""

import ast
import contextlib
import importlib
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import types
from pathlib import Path

import warm

# A caller: it must start quickly, so it imports little. Without a server it becomes the interpreter itself.
CALLER = """
import array, os, signal, socket, sys
address, real, *words = sys.argv[1:]
server = socket.socket(socket.AF_UNIX)
try:
    if not words or not words[0].endswith(".py"):
        raise OSError
    server.connect(address)
except OSError:
    os.execv(real, [real, *words])
call = repr((words, os.getcwd(), dict(os.environ))).encode()
server.sendmsg([b"%20d" % len(call)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
server.sendall(call)
answer = server.makefile()
job = int(answer.readline())
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda number, frame: os.kill(job, number))
status = int(answer.readline() or 1)
if status < 0:
    if -status != signal.SIGKILL:
        signal.signal(-status, signal.SIG_DFL)
    os.kill(os.getpid(), -status)
sys.exit(status)
"""


@contextlib.contextmanager
def forking(python, *modules):
    """The path of what is called in place of the interpreter `python`, until the end; `modules` are loaded already."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        address, path = os.path.join(folder, "socket"), Path(folder) / "python"
        words = [python, __file__, address, *modules]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout.readline() == "ready\n"
            words = " ".join(shlex.quote(word) for word in (sys.executable, "-ISc", CALLER, address, python))
            path.write_text('#!/bin/sh\nexec {} "$@"\n'.format(words))
            path.chmod(0o755)
            yield str(path)
            server.stdin.close()


def load(modules):
    """Load what most programs load, and keep nothing of the package: theirs may be another copy of it."""
    scripts = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workflow", "scripts")
    sys.path.insert(0, scripts)
    for module in modules:
        importlib.import_module(module)
    del sys.path[0]
    sys.modules["PIL.Image"].init()
    for name in [name for name in sys.modules if name.partition(".")[0] == "densedepth"]:
        del sys.modules[name]


def serve(address):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(8)
    print("ready", flush=True)
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        caller = listener.accept()[0]
        if os.fork() == 0:
            listener.close()
            look_after(caller)
        caller.close()
        reap(os.WNOHANG)
    reap(0)


def reap(options):
    """Take leave of those that have ended, whose processor time then counts as that of this process."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, options)[0]:
            pass


def look_after(caller):
    """Fork the job of `caller` and tell it how that ends; kill it when the caller is gone. Ends this process."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    size, rights, _, _ = caller.recvmsg(20, socket.CMSG_SPACE(12))
    files = [int.from_bytes(rights[0][2][i : i + 4], sys.byteorder) for i in (0, 4, 8)]
    text = b""
    while len(text) < int(size):
        text += caller.recv(int(size) - len(text))
    job = os.fork()
    if job == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for descriptor in (reading, writing, caller.detach()):
            os.close(descriptor)
        become(files, *ast.literal_eval(text.decode()))
        warm.end(run)
    caller.sendall(b"%d\n" % job)
    if caller in select.select([caller, reading], [], [])[0]:
        os.kill(job, signal.SIGKILL)
    _, status = os.waitpid(job, 0)
    caller.sendall(b"%d\n" % (-os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)))
    os._exit(0)


def become(files, words, folder, environment):
    """Make this process one that was called with these."""
    for number, descriptor in enumerate(files):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    warm.tempfile.tempdir = None
    sys.argv = words
    named = environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:1] = [os.path.dirname(os.path.abspath(words[0])), *filter(None, named)]


def run():
    main = types.ModuleType("__main__")
    main.__file__ = sys.argv[0]
    sys.modules["__main__"] = main
    with open(sys.argv[0], "rb") as stream:
        code = compile(stream.read(), sys.argv[0], "exec")
    exec(code, main.__dict__)


if __name__ == "__main__":
    load(sys.argv[2:])
    warm.gc.freeze()
    serve(sys.argv[1])
