"""In place of the launcher's processes: ranks that are forked, as TensorFlow is loaded already.

What tests of training together need of it. That the launcher starts ranks as processes by their command is seen where
a test ends such a training.
"""

import contextlib
import os
import signal
import subprocess
import sys

import warm


class Rank:
    """main: the program, called with the words of a rank; the result is its exit status."""

    def __init__(self, main, command, env, stdin, pass_fds, start_new_session, stdout=None, stderr=None):
        assert (stdin, start_new_session) == (subprocess.DEVNULL, True)
        reading, writing = os.pipe() if stderr == subprocess.PIPE else (None, None)
        sys.stdout.flush()
        sys.stderr.flush()
        self.returncode = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(command, env, pass_fds, stdout.fileno() if stdout else 1, writing or 2)
            warm.end(lambda: main(command[2:]))
        if writing is not None:
            os.close(writing)
            self.stderr = os.fdopen(reading, "rb")

    def poll(self, options=os.WNOHANG):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                signalled = os.WIFSIGNALED(status)
                self.returncode = -os.WTERMSIG(status) if signalled else os.WEXITSTATUS(status)
        return self.returncode

    def wait(self):
        return self.poll(0)

    def send_signal(self, number):
        os.kill(self.pid, number)


def _become(command, env, pass_fds, stdout, stderr):
    """Make this process one as if it were started by the command."""
    os.setsid()
    for source, target in ((os.open(os.devnull, os.O_RDONLY), 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
    kept = {0, 1, 2, *pass_fds}
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor not in kept:
            with contextlib.suppress(OSError):
                os.close(descriptor)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = command[1:]
