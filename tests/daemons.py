"""What clusters of daemons on this machine alone have in common: the daemons, their commands, the command line."""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path


def lacking(programs, packages):
    """What is needed here and not there, in words; empty when a cluster can be started."""
    if os.geteuid() != 0:
        return "not root"
    absent = [name for name in programs if shutil.which(name) is None]
    return "{} not installed (Debian packages {})".format(", ".join(absent), " ".join(packages)) if absent else ""


class Cluster:
    """Running daemons in a folder; `environ` leads the commands of the scheduler to them, after the words `user`.

    Subclasses say how they begin (`begin`) and end (`end`).
    """

    user: tuple = ()

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.environ = dict(os.environ)
        self._daemons = {}

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.end()
        for name in reversed(list(self._daemons)):
            self.stop(name)

    def call(self, *command):
        """Run a command of the scheduler; returns its output."""
        run = subprocess.run(
            [*self.user, *command], env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if run.returncode != 0:
            raise subprocess.CalledProcessError(run.returncode, command, run.stdout)
        return run.stdout

    def start(self, name, command, **more):
        """Start a daemon in the foreground, with `more` in its environment."""
        with open(self.folder / "{}.out".format(name), "ab") as out:
            self._daemons[name] = subprocess.Popen(
                [*self.user, *command],
                env=dict(self.environ, **more),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def stop(self, name):
        # Its place stays: what began last ends first, also after a restart.
        process, self._daemons[name] = self._daemons.get(name), None
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill_child(self, name, child):
        """Kill the daemon `child`, which the daemon `name` has started."""
        pid = self._daemons[name].pid
        for number in Path("/proc/{0}/task/{0}/children".format(pid)).read_text().split():
            if Path("/proc", number, "comm").read_text().strip() == child:
                os.kill(int(number), signal.SIGKILL)

    def pause(self, name):
        """Let a daemon be there and not answer, until `go_on`."""
        self._daemons[name].send_signal(signal.SIGSTOP)

    def go_on(self, name):
        self._daemons[name].send_signal(signal.SIGCONT)

    def wait(self, done, seconds=60):
        """Return when `done()` is true; until `seconds` have gone, a failing command counts as not yet."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if done():
                    return
            except subprocess.CalledProcessError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError("{}: {}".format(" ".join(map(str, error.cmd)), error.output)) from None
            if time.monotonic() > deadline:
                raise RuntimeError("not up within {} s; see the files in {}".format(seconds, self.folder))
            time.sleep(0.1)


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]


def main(doc, cluster, lack):
    """The program that runs a command in a `cluster`, a class, described by `doc`; `lack`: what is missing for it."""
    arguments = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", help="for configuration, state and logs; made when it is not there")
    arguments.add_argument("command", nargs="+", help="what to run, after --")
    args = arguments.parse_args()
    if lack:
        arguments.exit(1, "{}: error: {}\n".format(arguments.prog, lack))
    with cluster(args.folder) as running:
        return subprocess.call([*running.user, *args.command], env=running.environ)
