"""HTCondor on this machine alone: all its daemons and one host with 16 processors, in a folder of its own.

    python tests/htcondor_cluster.py /tmp/cluster -- condor_status

starts the daemons, runs the command where `condor_submit` and the like talk to them, and ends them with it. HTCondor
runs no job of root, so for daemons and command root is called `nobody` (a user namespace: files stay root's). Needs
Debian's package condor, which Debian 13 has and 12 has not; no service is started and nothing in /etc is touched.
"""

import shutil
import sys
from pathlib import Path

import daemons

PACKAGES = ("condor",)
PROGRAMS = ("unshare", "condor_master", "condor_submit", "condor_q", "condor_history", "condor_rm")

# More processors and memory than the machine may have: only the counting is to be as on a cluster.
_CONF = """\
RELEASE_DIR = {release}
LIB = $(RELEASE_DIR)/lib/condor
LIBEXEC = $(RELEASE_DIR)/libexec/condor
SHARE = $(RELEASE_DIR)/share/condor
LOCAL_DIR = {folder}
LOG = {folder}/log
SPOOL = {folder}/spool
EXECUTE = {folder}/execute
LOCK = {folder}/lock
RUN = {folder}/run
DAEMON_LIST = MASTER, COLLECTOR, NEGOTIATOR, SCHEDD, STARTD
NETWORK_INTERFACE = 127.0.0.1
CONDOR_HOST = 127.0.0.1
SHARED_PORT_PORT = {port}
COLLECTOR_HOST = 127.0.0.1:{port}
DAEMON_SOCKET_DIR = {folder}/s
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, CLAIMTOBE
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = *
ALLOW_NEGOTIATOR = *
ALLOW_ADMINISTRATOR = *
NUM_CPUS = 16
MEMORY = 64000
NUM_SLOTS = 1
NUM_SLOTS_TYPE_1 = 1
SLOT_TYPE_1 = 100%
SLOT_TYPE_1_PARTITIONABLE = True
START = True
SUSPEND = False
PREEMPT = False
KILL = False
MASTER_BACKOFF_CONSTANT = 1
NEGOTIATOR_INTERVAL = 2
NEGOTIATOR_CYCLE_DELAY = 1
NEGOTIATOR_MIN_INTERVAL = 1
SCHEDD_INTERVAL = 2
UPDATE_INTERVAL = 2
RUNBENCHMARKS = False
PERIODIC_EXPR_INTERVAL = 1
"""


def missing():
    """What is needed here and not there, in words; empty when a cluster can be started."""
    return daemons.lacking(PROGRAMS, PACKAGES)


class Cluster(daemons.Cluster):
    """The running daemons; `environ` leads the commands of HTCondor to them, after the words `user`."""

    user = ("unshare", "--user", "--map-user=65534", "--map-group=65534")

    def __init__(self, folder):
        super().__init__(folder)
        (port,) = daemons.free_ports(1)
        for name in ("log", "spool", "execute", "lock", "run", "s"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        release = Path(shutil.which("condor_master")).resolve().parents[1]
        config = self.folder / "condor_config"
        config.write_text(_CONF.format(folder=self.folder, release=release, port=port))
        self.environ.update(CONDOR_CONFIG=str(config), HOME=str(self.folder), USER="nobody", LOGNAME="nobody")

    def begin(self):
        self.start_controller()
        self.wait(lambda: "slot1@" in self.call("condor_status", "-af", "Name"))

    def end(self):
        self.call("condor_rm", "-all")

    def start_controller(self):
        self.start("condor_master", ["condor_master", "-f"])
        self.wait(lambda: self.call("condor_q", "-totals"))

    def restart_controller(self):
        """Kill the daemon that keeps the queue; the master of all daemons starts it again."""
        self.kill_child("condor_master", "condor_schedd")
        self.wait(lambda: self.call("condor_q", "-totals"))


if __name__ == "__main__":
    sys.exit(daemons.main(__doc__, Cluster, missing()))
