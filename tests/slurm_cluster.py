"""Slurm on this machine alone: a controller and two nodes on the loopback, in a folder of its own.

    python tests/slurm_cluster.py /tmp/cluster -- sinfo
    python tests/slurm_cluster.py /tmp/cluster -- snakemake --workflow-profile profiles/slurm all

starts the daemons, runs the command where `sbatch`, `srun` and the like talk to them, and ends them with it. Jobs in
the partition `all`, the default, drive those in `spare` back into the queue. Needs root and Debian's packages
slurmctld, slurmd, slurm-client and munge; no service is started and nothing in /etc is touched.
"""

import argparse
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PACKAGES = ("munge", "slurm-client", "slurmctld", "slurmd")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "unshare")

# More processors and memory than the machine may have: only the counting is to be as on a cluster.
_CONF = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=60
JobFileAppend=1
MinJobAge=600
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=16 RealMemory=64000
NodeName={host}-2 NodeHostname={host}-2 NodeAddr=127.0.0.1 Port={ports[2]} CPUs=16 RealMemory=64000
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=2 PreemptMode=OFF
PartitionName=spare Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1
"""


def missing():
    """What is needed here and not there, in words; empty when a cluster can be started."""
    if os.geteuid() != 0:
        return "not root"
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return "{} not installed (Debian packages {})".format(", ".join(absent), " ".join(PACKAGES)) if absent else ""


class Cluster:
    """The running daemons. `environ` leads the commands of Slurm to them; `nodes` are the names of the two nodes."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        host = socket.gethostname().split(".")[0]
        self.nodes = [host, host + "-2"]
        self._daemons = {}
        self._write(host)
        path = "{}:{}".format(self.folder / "bin", os.environ["PATH"])
        self.environ = dict(os.environ, SLURM_CONF=str(self.folder / "slurm.conf"), PATH=path)

    def _write(self, host):
        for name in ("state", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        text = _CONF.format(folder=self.folder, host=host, ports=_free_ports(3))
        (self.folder / "slurm.conf").write_text(text)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        # Snakemake's job steps call srun without the SLURM_ variables of the job, SLURM_CONF among them.
        wrapper = self.folder / "bin" / "srun"
        conf = self.folder / "slurm.conf"
        wrapper.write_text('#!/bin/sh\nSLURM_CONF="{}" exec {} "$@"\n'.format(conf, shutil.which("srun")))
        wrapper.chmod(0o755)

    def __enter__(self):
        try:
            files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
            flags = ["--{}={}/munge.{}".format(flag, self.folder, end) for flag, end in files.items()]
            self._start("munged", ["munged", "--foreground", "--force", *flags])
            _wait((self.folder / "munge.socket").exists)
            self.start_controller()
            self._start(self.nodes[0], ["slurmd", "-D"])
            # A second slurmd on this machine goes by a host name of its own.
            second = 'hostname "$0" && exec slurmd -D'
            self._start(self.nodes[1], ["unshare", "--uts", "sh", "-c", second, self.nodes[1]])
            states = ("sinfo", "--noheader", "--Node", "--partition=all", "--format=%T")
            _wait(lambda: self.call(*states).split() == ["idle", "idle"])
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error):
        with contextlib.suppress(subprocess.CalledProcessError):
            self.call("scancel", "--user=root")
            self.call("scancel", "--user=root", "--signal=KILL")
        for name in [*self.nodes, "slurmctld", "munged"]:
            self._stop(name)

    def call(self, *command):
        """Run a command of Slurm; returns its output."""
        run = subprocess.run(command, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode != 0:
            raise subprocess.CalledProcessError(run.returncode, command, run.stdout)
        return run.stdout

    def start_controller(self):
        self._start("slurmctld", ["slurmctld", "-D"])
        _wait(lambda: "is UP" in self.call("scontrol", "ping"))

    def stop_controller(self):
        self._stop("slurmctld")

    def _start(self, name, command):
        with open(self.folder / "{}.out".format(name), "ab") as out:
            self._daemons[name] = subprocess.Popen(
                command, env=self.environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )

    def _stop(self, name):
        process = self._daemons.pop(name, None)
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("", 0))
        return [one.getsockname()[1] for one in sockets]


def _wait(done, seconds=60):
    """Return when `done()` is true; until `seconds` have gone, a failing command counts as not yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except subprocess.CalledProcessError as error:
            if time.monotonic() > deadline:
                raise RuntimeError("{}: {}".format(" ".join(error.cmd), error.output)) from None
        if time.monotonic() > deadline:
            raise RuntimeError("Slurm did not come up within {} s; see the logs in its folder".format(seconds))
        time.sleep(0.1)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", help="for configuration, state and logs; made when it is not there")
    arguments.add_argument("command", nargs="+", help="what to run, after --")
    args = arguments.parse_args()
    lack = missing()
    if lack:
        print("slurm_cluster.py: error: {}".format(lack), file=sys.stderr)
        return 1
    with Cluster(args.folder) as cluster:
        return subprocess.call(args.command, env=cluster.environ)


if __name__ == "__main__":
    sys.exit(main())
