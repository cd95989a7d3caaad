"""Grid Engine on this machine alone: a controller and one host with 16 slots, in a folder of its own.

    python tests/grid_engine_cluster.py /tmp/cluster -- qhost
    python tests/grid_engine_cluster.py /tmp/cluster -- snakemake --workflow-profile profiles/sge all

starts the daemons, runs the command where `qsub` and the like talk to them, and ends them with it. Needs root and
Debian's packages gridengine-master, gridengine-exec and gridengine-client; no service is started and nothing in /etc is
touched.
"""

import re
import socket
import sys
from pathlib import Path

import daemons

PACKAGES = ("gridengine-master", "gridengine-exec", "gridengine-client")
PROGRAMS = ("sge_qmaster", "sge_execd", "qsub", "qconf")
SHARE = Path("/usr/share/gridengine")
ROOT = Path("/var/lib/gridengine")

_BOOTSTRAP = """\
admin_user none
default_domain none
ignore_fqdn false
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params {folder}/db
binary_path /usr/sbin
qmaster_spool_dir {folder}/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""
_PE = """\
pe_name smp
slots 999
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule $pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
"""
_QUEUE = {
    "qname": "all.q",
    "hostlist": "@allhosts",
    "slots": "16",
    "pe_list": "smp",
    "load_thresholds": "NONE",
    "shell": "/bin/bash",
    "notify": "00:00:30",
}


def missing():
    """What is needed here and not there, in words; empty when a cluster can be started."""
    return daemons.lacking(PROGRAMS, PACKAGES)


class Cluster(daemons.Cluster):
    """The running daemons; `environ` leads the commands of Grid Engine to them."""

    def __init__(self, folder):
        super().__init__(folder)
        ports = daemons.free_ports(2)
        # SGE_ND, of the daemons alone, keeps them in the foreground.
        self.environ.update(
            SGE_ROOT=str(self.folder / "root"),
            SGE_CELL="default",
            SGE_QMASTER_PORT=str(ports[0]),
            SGE_EXECD_PORT=str(ports[1]),
        )

    def _write(self):
        common = self.folder / "root/default/common"
        for path in (common, self.folder / "db", self.folder / "qmaster/job_scripts", self.folder / "execd"):
            path.mkdir(parents=True, exist_ok=True)
        for name in ("bin", "lib", "util", "utilbin"):
            (self.folder / "root" / name).symlink_to(ROOT / name)
        (common / "bootstrap").write_text(_BOOTSTRAP.format(folder=self.folder))
        (common / "act_qmaster").write_text("localhost\n")
        # This machine's own name, where its address is that of the loopback.
        (common / "host_aliases").write_text("localhost {}\n".format(socket.gethostname()))
        text = (SHARE / "default-configuration").read_text()
        text = re.sub(r"(?m)^execd_spool_dir.*", "execd_spool_dir {}/execd".format(self.folder), text)
        text = re.sub(r"(?m)^(min_[ug]id).*", r"\1 0", text)
        # An end is known to qacct as soon as that.
        text = text.replace("flush_time=00:00:15", "flush_time=00:00:01")
        (self.folder / "conf").write_text(text)
        self.call("/usr/lib/gridengine/spoolinit", "berkeleydb", "libspoolb", self.folder / "db", "init")
        resources = SHARE / "util/resources"
        for words in (
            ("configuration", self.folder / "conf"),
            ("complexes", resources / "centry"),
            ("usersets", resources / "usersets"),
            ("managers", "root"),
        ):
            self.call("/usr/lib/gridengine/spooldefaults", *words)

    def begin(self):
        self._write()
        self.start_controller()
        self.call("qconf", "-as", "localhost")
        self.start("sge_execd", ["sge_execd"], SGE_ND="1")
        self.wait(lambda: "localhost" in self.call("qconf", "-sel"))
        self._configure("-Ap", _PE)
        self._configure("-Ahgrp", "group_name @allhosts\nhostlist localhost\n")
        queue = self.call("qconf", "-sq")
        for key, value in _QUEUE.items():
            queue = re.sub(r"(?m)^{} .*".format(key), "{} {}".format(key, value), queue)
        self._configure("-Aq", queue)
        quick = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
        scheduler = self.call("qconf", "-ssconf")
        for key, value in quick.items():
            scheduler = re.sub(r"(?m)^{} .*".format(key), "{} {}".format(key, value), scheduler)
        self._configure("-Msconf", scheduler)

    def end(self):
        self.call("qdel", "-f", "-u", "root")

    def start_controller(self):
        self.start("sge_qmaster", ["sge_qmaster"], SGE_ND="1")
        self.wait(lambda: "localhost" in self.call("qconf", "-sh"))

    def stop_controller(self):
        self.stop("sge_qmaster")

    def _configure(self, flag, text):
        path = self.folder / "given"
        path.write_text(text)
        self.call("qconf", flag, path)


if __name__ == "__main__":
    sys.exit(daemons.main(__doc__, Cluster, missing()))
