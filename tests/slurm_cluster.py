"""Slurm on this machine alone: a controller and two nodes on the loopback, in a folder of its own.

    python tests/slurm_cluster.py /tmp/cluster -- sinfo
    python tests/slurm_cluster.py /tmp/cluster -- snakemake --workflow-profile profiles/slurm all

starts the daemons, runs the command where `sbatch`, `srun` and the like talk to them, and ends them with it. Jobs in
the partition `all`, the default, drive those in `spare` back into the queue. Needs root and Debian's packages
slurmctld, slurmd, slurm-client and munge; no service is started and nothing in /etc is touched.
"""

import os
import shutil
import socket
import sys

import daemons

PACKAGES = ("munge", "slurm-client", "slurmctld", "slurmd")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "unshare")

# More processors and memory than the machine may have: only the counting is to be as on a cluster. The scheduler looks
# every two seconds for jobs that may begin or must go, not once in a minute.
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
SchedulerParameters=sched_interval=2,bf_interval=2
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
    return daemons.lacking(PROGRAMS, PACKAGES)


class Cluster(daemons.Cluster):
    """The running daemons. `environ` leads the commands of Slurm to them; `nodes` are the names of the two nodes."""

    def __init__(self, folder):
        super().__init__(folder)
        host = socket.gethostname().split(".")[0]
        self.nodes = [host, host + "-2"]
        self._write(host)
        path = "{}:{}".format(self.folder / "bin", os.environ["PATH"])
        self.environ.update(SLURM_CONF=str(self.folder / "slurm.conf"), PATH=path)

    def _write(self, host):
        for name in ("state", "bin"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        text = _CONF.format(folder=self.folder, host=host, ports=daemons.free_ports(3))
        (self.folder / "slurm.conf").write_text(text)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(1024))
        # Snakemake's job steps call srun without the SLURM_ variables of the job, SLURM_CONF among them.
        wrapper = self.folder / "bin" / "srun"
        conf = self.folder / "slurm.conf"
        wrapper.write_text('#!/bin/sh\nSLURM_CONF="{}" exec {} "$@"\n'.format(conf, shutil.which("srun")))
        wrapper.chmod(0o755)

    def begin(self):
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        flags = ["--{}={}/munge.{}".format(flag, self.folder, end) for flag, end in files.items()]
        self.start("munged", ["munged", "--foreground", "--force", *flags])
        self.wait((self.folder / "munge.socket").exists)
        self.start_controller()
        self.start(self.nodes[0], ["slurmd", "-D"])
        # A second slurmd on this machine goes by a host name of its own.
        second = 'hostname "$0" && exec slurmd -D'
        self.start(self.nodes[1], ["unshare", "--uts", "sh", "-c", second, self.nodes[1]])
        states = ("sinfo", "--noheader", "--Node", "--partition=all", "--format=%T")
        self.wait(lambda: self.call(*states).split() == ["idle", "idle"])

    def end(self):
        self.call("scancel", "--user=root")
        self.call("scancel", "--user=root", "--signal=KILL")

    def start_controller(self):
        self.start("slurmctld", ["slurmctld", "-D"])
        self.wait(lambda: "is UP" in self.call("scontrol", "ping"))

    def stop_controller(self):
        self.stop("slurmctld")


if __name__ == "__main__":
    sys.exit(daemons.main(__doc__, Cluster, missing()))
