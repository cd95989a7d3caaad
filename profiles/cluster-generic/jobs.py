#!/usr/bin/env python3
"""Submit, look after and cancel jobs on PBS, LSF, Grid Engine, HTCondor, Donau or Kubernetes, for Snakemake's executor
cluster-generic.

    jobs.py sge submit --name train_model --threads 8 --mem_mb 16000 --runtime 1440 --gpus 1 job.sh    prints the id
    jobs.py sge status 123                                                       prints running, success or failed
    jobs.py sge cancel 123 124

What a site wants beyond that (queue, project, account) stands after --extra: `--extra="-q long -P depth"`. Any Python 3
runs this file.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time

LOGS = os.path.join("results", "logs", "cluster")


def pbs_submit(job):
    chunk = "select=1:ncpus={}:mem={}mb".format(job.threads, job.mem_mb)
    if job.gpus:
        chunk += ":ngpus={}".format(job.gpus)
    words = ["qsub", "-V", "-N", job.name, "-l", chunk, "-l", "walltime=" + clock(job.runtime)]
    return run(words + ["-j", "oe", "-o", LOGS + "/"] + job.extra + [job.script])


def pbs_status(number):
    # -x: finished jobs too, where the server keeps a history.
    text = run(["qstat", "-x", "-f", number])
    state = re.search(r"job_state = (\w)", text).group(1)
    if state not in "FC":
        return "running"
    return "success" if re.search(r"[Ee]xit_status = 0\b", text) else "failed"


def lsf_submit(job):
    words = ["bsub", "-J", job.name, "-n", str(job.threads), "-R", "span[hosts=1]"]
    words += ["-R", "rusage[mem={}MB]".format(job.mem_mb), "-W", str(job.runtime)]
    if job.gpus:
        words += ["-gpu", "num={}".format(job.gpus)]
    return re.search(r"Job <(\d+)>", run(words + ["-o", LOGS + "/%J.log"] + job.extra + [job.script])).group(1)


def lsf_status(number):
    state = run(["bjobs", "-noheader", "-o", "stat", number])
    return {"DONE": "success", "EXIT": "failed", "ZOMBI": "failed"}.get(state, "running")


# A job that is to end gets SIGTERM in all of its processes, as on other schedulers: a training saves its state. Grid
# Engine ends a job by SIGKILL, and warns before with SIGUSR1 (soft limit) or SIGUSR2 (-notify), to all of its
# processes, which would end them: they ignore these. HTCondor and Kubernetes send SIGTERM to the first process alone,
# and SIGKILL to the others when that has ended.
SCRIPT = """\
#!/bin/bash
group=$(ps -o pgid= -p $$ | tr -d ' ') warned=
trap "trap '' TERM; warned=yes; kill -TERM 0" {warnings}
({ignoring}exec /bin/bash {script}) &
job=$!
wait $job
status=$?
while kill -0 $job 2>/dev/null; do wait $job; status=$?; done
# Whatever saves its state is not done when the command above it is, and would be killed at the end of this script.
left() {{
  for process in $(pgrep -g "$group"); do
    [ "$process" = $$ ] || ! kill -0 "$process" 2>/dev/null || return 0
  done
  return 1
}}
while [ -n "$warned" ] && left; do sleep 0.2; done
# 99 and 100 would mean something to the scheduler.
[ $status -eq 0 ] || exit 1
"""
# Seconds between SIGTERM and SIGKILL at a job's limit, where this is ours to say.
GRACE = 60


def sge_submit(job):
    # Memory is counted for each slot.
    words = ["qsub", "-terse", "-cwd", "-V", "-notify", "-S", "/bin/bash", "-N", job.name]
    words += ["-pe", job.pe, str(job.threads)]
    soft, hard = 60 * job.runtime, 60 * job.runtime + GRACE
    memory = -(-job.mem_mb // job.threads)
    words += ["-l", "h_vmem={}M,s_rt={},h_rt={}".format(memory, soft, hard)]
    if job.gpus:
        words += ["-l", "gpu={}".format(job.gpus)]
    if job.queue:
        words += ["-q", job.queue]
    script = warned_script(job, "USR1 USR2", "trap '' USR1 USR2; ")
    return run(words + ["-j", "yes", "-o", LOGS] + job.extra, script)


def sge_status(number):
    try:
        text = run(["qstat", "-j", number])
    except subprocess.CalledProcessError:
        text = run(["qacct", "-j", number])
        # `failed` may have a reason behind its number; the last entry counts, as a job may have been run again.
        ends = re.findall(r"^(?:failed|exit_status)\s+(\d+)", text, re.MULTILINE)[-2:]
        return "success" if ends == ["0", "0"] else "failed"
    return "failed" if re.search(r"^job_state\s+\d+:\s+E", text, re.MULTILINE) else "running"


# A job over its limit is held: then it is removed. `allowed_execute_duration` would not count for a job that began in
# the second in which its shadow did.
HTCONDOR = """\
executable = {wrapper}
transfer_executable = False
should_transfer_files = NO
getenv = True
batch_name = {name}
request_cpus = {threads}
request_memory = {mem_mb}MB
allowed_job_duration = {seconds}
periodic_remove = JobStatus == 5
output = {logs}/$(Cluster).log
error = {logs}/$(Cluster).log
{gpus}
queue
"""


def htcondor_submit(job):
    wrapper = os.path.abspath(job.script + ".htcondor")
    with open(wrapper, "w") as stream:
        stream.write(warned_script(job, "TERM", ""))
    os.chmod(wrapper, 0o755)
    gpus = "request_gpus = {}".format(job.gpus) if job.gpus else ""
    text = HTCONDOR.format(
        wrapper=wrapper,
        name=job.name,
        threads=job.threads,
        mem_mb=job.mem_mb,
        seconds=60 * job.runtime,
        logs=LOGS,
        gpus=gpus,
    )
    # `1.0 - 1.0`: the first and the last.
    return run(["condor_submit", "-terse"] + job.extra, text).partition(".")[0]


def htcondor_status(number):
    # One that is held or removed may still save its state until it has left the queue.
    if run(["condor_q", number, "-af", "JobStatus"]):
        return "running"
    text = run(["condor_history", number, "-limit", "1", "-af", "JobStatus", "ExitCode"])
    state, status = re.search(r"(\d+) (\w+)", text).groups()
    return "success" if (state, status) == ("4", "0") else "failed"


def donau_submit(job):
    size = "cpu={};mem={}".format(job.threads, job.mem_mb) + (";gpu={}".format(job.gpus) if job.gpus else "")
    words = ["dsub", "-n", job.name, "-N", "1", "-R", size, "-T", str(60 * job.runtime)]
    text = run(words + ["-oo", LOGS + "/%J.log", "-eo", LOGS + "/%J.log"] + job.extra + ["bash", job.script])
    return re.search(r"job <(\d+)>", text).group(1)


def donau_status(number):
    # A djob that fails, or knows no such job, is no answer: then it is asked again.
    state = re.search(
        r"\b(SUCCEEDED|FAILED|CANCELLED|STOPPED|TIMEOUT|RUNNING|PENDING|WAITING)\b", run(["djob", number])
    )
    ends = {"SUCCEEDED": "success", "RUNNING": "running", "PENDING": "running", "WAITING": "running"}
    return ends.get(state.group(1), "failed")


def kubernetes_submit(job):
    claim, _, path = job.volume.partition(":")
    # What a job asks for is its limit as well, which Kubernetes requires for GPUs.
    size = {"cpu": str(job.threads), "memory": "{}M".format(job.mem_mb)}
    if job.gpus:
        size["nvidia.com/gpu"] = str(job.gpus)
    container = {
        "name": "job",
        "image": job.image,
        "command": ["/bin/bash", "-c", "exec >>{}/$HOSTNAME.log 2>&1\n".format(LOGS) + warned_script(job, "TERM", "")],
        "workingDir": os.getcwd(),
        "resources": {"requests": size, "limits": size},
        "volumeMounts": [{"name": "work", "mountPath": path}],
    }
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
        "containers": [container],
        "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": claim}}],
    }
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": re.sub("[^a-z0-9]+", "-", job.name.lower())[:40] + "-"},
        # A day after its end, Kubernetes forgets the job.
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60 * job.runtime,
            "ttlSecondsAfterFinished": 86400,
            "template": {"spec": pod},
        },
    }
    return run(["kubectl", "create", "-o", "name", "-f", "-"] + job.extra, json.dumps(manifest))


def kubernetes_status(name):
    status = json.loads(run(["kubectl", "get", "-o", "json", name]))["status"]
    ends = [condition["type"] for condition in status.get("conditions", []) if condition["status"] == "True"]
    return "success" if "Complete" in ends else "failed" if "Failed" in ends else "running"


def warned_script(job, warnings, ignoring):
    """The script that runs that of `job` and turns the signals `warnings`, which that is `ignoring`, into SIGTERM."""
    return SCRIPT.format(script=shlex.quote(os.path.abspath(job.script)), warnings=warnings, ignoring=ignoring)


SUBMIT = {
    "pbs": pbs_submit,
    "lsf": lsf_submit,
    "sge": sge_submit,
    "htcondor": htcondor_submit,
    "donau": donau_submit,
    "kubernetes": kubernetes_submit,
}
STATUS = {
    "pbs": pbs_status,
    "lsf": lsf_status,
    "sge": sge_status,
    "htcondor": htcondor_status,
    "donau": donau_status,
    "kubernetes": kubernetes_status,
}
CANCEL = {
    "pbs": ["qdel"],
    "lsf": ["bkill"],
    "sge": ["qdel"],
    "htcondor": ["condor_rm"],
    "donau": ["djob", "-T"],
    "kubernetes": ["kubectl", "delete", "--wait=false"],
}


def patient_status(scheduler, number, tries, seconds):
    """The state, asked for again while the scheduler does not answer: Snakemake itself would give up at once."""
    for left in reversed(range(tries)):
        try:
            return STATUS[scheduler](number)
        except (subprocess.CalledProcessError, AttributeError) as error:
            print("jobs.py: {}: no answer ({}), {} more tries".format(number, error, left), file=sys.stderr)
            if left:
                time.sleep(seconds)
    return "failed"


def clock(minutes):
    return "{:02d}:{:02d}:00".format(*divmod(minutes, 60))


def run(words, script=None):
    """Run a command of the scheduler, with `script` on its input; returns what it printed, without blanks around it."""
    return subprocess.run(words, check=True, input=script, stdout=subprocess.PIPE, text=True).stdout.strip()


def build_parser():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("scheduler", choices=sorted(SUBMIT))
    actions = arguments.add_subparsers(dest="action", required=True)
    submit = actions.add_parser("submit", help="submit a job script, print the job's id")
    submit.add_argument("--name", required=True)
    submit.add_argument("--threads", type=int, required=True)
    submit.add_argument("--mem_mb", type=int, required=True, help="of the whole job")
    submit.add_argument("--runtime", type=int, required=True, help="minutes")
    submit.add_argument("--gpus", type=int, default=0)
    submit.add_argument("--queue", default="", help="sge only; otherwise --extra")
    submit.add_argument("--pe", default="smp", help="sge: the parallel environment of a job on one machine")
    submit.add_argument("--image", help="kubernetes: of the pods")
    submit.add_argument("--volume", help="kubernetes: CLAIM:PATH of the volume where this folder is")
    submit.add_argument("--extra", type=shlex.split, default=[], help="more words for the submit command")
    submit.add_argument("script")
    status = actions.add_parser("status", help="print running, success or failed")
    status.add_argument("number")
    status.add_argument("--tries", type=int, default=20, help="until a scheduler that does not answer counts as failed")
    status.add_argument("--seconds", type=float, default=30, help="between two tries")
    cancel = actions.add_parser("cancel", help="end jobs")
    cancel.add_argument("numbers", nargs="+")
    return arguments


def main():
    args = build_parser().parse_args()
    try:
        if args.action == "submit":
            os.makedirs(LOGS, exist_ok=True)
            print(SUBMIT[args.scheduler](args))
        elif args.action == "status":
            print(patient_status(args.scheduler, args.number, args.tries, args.seconds))
        else:
            run(CANCEL[args.scheduler] + args.numbers)
    except FileNotFoundError as error:
        print("jobs.py: error: {}: no such command here".format(error.filename), file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print("jobs.py: error: {} ended with status {}".format(" ".join(error.cmd), error.returncode), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
