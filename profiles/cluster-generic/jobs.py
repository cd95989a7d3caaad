#!/usr/bin/env python3
"""Submit, look after and cancel jobs on PBS, LSF, Grid Engine or Donau, for Snakemake's executor cluster-generic.

    jobs.py sge submit --name train_model --threads 8 --mem_mb 16000 --runtime 1440 --gpus 1 job.sh    prints the id
    jobs.py sge status 123                                                       prints running, success or failed
    jobs.py sge cancel 123 124

What a site wants beyond that (queue, project, account) stands after --extra: `--extra="-q long -P depth"`. Any Python 3
runs this file.
"""

import argparse
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


# Grid Engine ends a job by SIGKILL, and warns before with SIGUSR1 (soft limit) or SIGUSR2 (-notify), to all of its
# processes, which would end them. Here they ignore these, and all get SIGTERM as on other schedulers: a training saves
# its state.
SGE_SCRIPT = """\
#!/bin/bash
group=$(ps -o pgid= -p $$ | tr -d ' ') warned=
trap "trap '' TERM; warned=yes; kill -TERM 0" USR1 USR2
(trap '' USR1 USR2; exec /bin/bash {script}) &
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
# Seconds between SIGTERM and SIGKILL at a job's limit.
SGE_GRACE = 60


def sge_submit(job):
    # Memory is counted for each slot.
    words = ["qsub", "-terse", "-cwd", "-V", "-notify", "-S", "/bin/bash", "-N", job.name]
    words += ["-pe", "smp", str(job.threads)]
    soft, hard = 60 * job.runtime, 60 * job.runtime + SGE_GRACE
    memory = -(-job.mem_mb // job.threads)
    words += ["-l", "h_vmem={}M,s_rt={},h_rt={}".format(memory, soft, hard)]
    if job.gpus:
        words += ["-l", "gpu={}".format(job.gpus)]
    script = SGE_SCRIPT.format(script=shlex.quote(job.script))
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


SUBMIT = {"pbs": pbs_submit, "lsf": lsf_submit, "sge": sge_submit, "donau": donau_submit}
STATUS = {"pbs": pbs_status, "lsf": lsf_status, "sge": sge_status, "donau": donau_status}
CANCEL = {"pbs": ["qdel"], "lsf": ["bkill"], "sge": ["qdel"], "donau": ["djob", "-T"]}


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
