"""The profiles: understood, explained, and their schedulers' commands on stand-ins."""

import json
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys

import pytest
import yaml
from conftest import REPOSITORY, SETTINGS

PROFILES = sorted(path.parent.name for path in REPOSITORY.glob("profiles/*/config.yaml"))
JOBS = REPOSITORY / "profiles/cluster-generic/jobs.py"
COMMANDS = {
    "pbs": ("qsub", "qstat", "qdel"),
    "lsf": ("bsub", "bjobs", "bkill"),
    "sge": ("qsub", "qstat", "qacct", "qdel"),
    "htcondor": ("condor_submit", "condor_q", "condor_history", "condor_rm"),
    "donau": ("dsub", "djob"),
    "kubernetes": ("kubectl",),
}


def test_there_is_one_for_each_kind_of_site():
    assert PROFILES == ["ascend", "cluster-generic", "default", "gpu", "htcondor", "kubernetes", "sge", "slurm"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_understood(project, profile):
    assert project.planned("--workflow-profile", "profiles/" + profile)["train_model"] == 2


@pytest.mark.parametrize("profile", PROFILES)
def test_every_entry_is_explained(profile):
    lines = (REPOSITORY / "profiles" / profile / "config.yaml").read_text().splitlines()
    top = [number for number, line in enumerate(lines) if re.match(r"[a-z-]+:", line)]
    plain = [
        lines[number]
        for number in top
        # A comment above the entry, or above the first of a block without a blank line in it.
        if not any(line.startswith("#") for line in _block(lines, number)) and not _commented_below(lines, number)
    ]
    # What the executor is needs no words.
    assert [line for line in plain if not line.startswith("executor:")] == []


def _block(lines, number):
    above = []
    while number > 0 and lines[number - 1].strip():
        number -= 1
        above.append(lines[number])
    return above


def _commented_below(lines, number):
    return number + 1 < len(lines) and lines[number + 1].strip().startswith("#")


def test_every_rule_says_what_it_takes():
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        for text in re.split(r"^(?=rule )", path.read_text(), flags=re.MULTILINE)[1:]:
            if "shell:" in text:
                name = re.match(r"rule (\w+)", text).group(1)
                assert re.search(r"^        mem_mb=(\d+|training_memory),$", text, re.MULTILINE), name
                assert re.search(r"^        runtime=\d+,$", text, re.MULTILINE), name


def test_devices_come_from_the_settings_not_from_what_is_at_hand(project):
    settings = project.configure({"runs": {"8p": {"devices": 8}}, "gpus": True})
    output = project.snakemake("-n", "-p", "--resources", "gpu=2", "--cores", "1", *settings)
    training = next(line for line in output.splitlines() if "--name 8p" in line)
    assert "--devices 8" in training


def limits(profile):
    content = yaml.safe_load((REPOSITORY / "profiles" / profile / "config.yaml").read_text())
    return content.get("resources", [])


def test_one_training_at_a_time_where_all_begin_at_the_first_device():
    assert "        training=1,\n" in (REPOSITORY / "workflow/rules/train.smk").read_text()
    assert limits("gpu") == ["gpu=1", "training=1"]
    assert limits("ascend") == ["npu=8", "training=1"]
    assert not any(limits(profile) for profile in set(PROFILES) - {"gpu", "ascend"})


@pytest.fixture
def scheduler(request, tmp_path, monkeypatch):
    """The commands of a scheduler, first on the PATH; returns its name and a function that tells their calls."""
    folder = tmp_path / "scheduler"
    (folder / "bin").mkdir(parents=True)
    for name in COMMANDS[request.param]:
        (folder / "bin" / name).symlink_to(REPOSITORY / "tests/doubles/schedulers/scheduler")
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
    monkeypatch.setenv("SCHEDULER", str(folder))
    monkeypatch.setenv("SCHEDULER_KIND", request.param)
    return request.param, lambda: [json.loads(line) for line in (folder / "calls").read_text().splitlines()]


def jobs(*words, folder):
    run = subprocess.run([sys.executable, JOBS, *words], cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.strip()


def submit(kind, folder, script, *more):
    (folder / "job.sh").write_text(script)
    size = ("--name", "train", "--threads", "8", "--mem_mb", "16000", "--runtime", "90")
    size += ("--image", "python:3.12", "--volume", "depth:/depth")
    return jobs(kind, "submit", *size, *more, "job.sh", folder=folder)


EXPECTED = {
    "pbs": "qsub -V -N train -l select=1:ncpus=8:mem=16000mb:ngpus=2 -l walltime=01:30:00 -j oe -o {logs}/",
    "lsf": "bsub -J train -n 8 -R 'span[hosts=1]' -R 'rusage[mem=16000MB]' -W 90 -gpu num=2 -o {logs}/%J.log",
    "sge": "qsub -terse -cwd -V -notify -S /bin/bash -N train -pe smp 8 -l h_vmem=2000M,s_rt=5400,h_rt=5460 -l gpu=2 "
    "-j yes -o {logs}",
    "htcondor": "condor_submit -terse",
    "donau": "dsub -n train -N 1 -R 'cpu=8;mem=16000;gpu=2' -T 5400 -oo {logs}/%J.log -eo {logs}/%J.log",
    "kubernetes": "kubectl create -o name -f -",
}
# What follows --extra: the others are given the script on their input.
SCRIPT = {"pbs": ["job.sh"], "lsf": ["job.sh"], "donau": ["bash", "job.sh"]}
# And what a job's number is.
NUMBERS = {"pbs": "1.server", "kubernetes": "job.batch/1"}


@pytest.mark.parametrize("scheduler", COMMANDS, indirect=True)
def test_a_job_is_submitted_with_what_it_takes(scheduler, tmp_path):
    kind, calls = scheduler
    number = submit(kind, tmp_path, "exit 0", "--gpus", "2", "--extra=-q 'the long'")
    assert number == NUMBERS.get(kind, "1")
    expected = shlex.split(EXPECTED[kind].format(logs="results/logs/cluster"))
    assert calls() == [[*expected, "-q", "the long", *SCRIPT.get(kind, [])]]


@pytest.mark.parametrize("scheduler", COMMANDS, indirect=True)
@pytest.mark.parametrize("script, end", [("exit 0", "success"), ("exit 3", "failed")])
def test_the_end_of_a_job_is_told(scheduler, tmp_path, script, end):
    kind, _ = scheduler
    number = submit(kind, tmp_path, 'read line <"{}"; {}'.format(_pipe(tmp_path), script))
    assert jobs(kind, "status", number, folder=tmp_path) == "running"
    (tmp_path / "pipe").write_text("go\n")
    while jobs(kind, "status", number, folder=tmp_path) == "running":
        pass
    assert jobs(kind, "status", number, folder=tmp_path) == end


@pytest.mark.parametrize("scheduler", COMMANDS, indirect=True)
def test_a_job_is_cancelled(scheduler, tmp_path):
    kind, calls = scheduler
    number = submit(kind, tmp_path, 'read line <"{}"'.format(_pipe(tmp_path)))
    while not list((tmp_path / "scheduler").glob("*.run")):
        pass
    jobs(kind, "cancel", number, folder=tmp_path)
    flags = {"donau": ["-T"], "kubernetes": ["delete", "--wait=false"]}
    assert calls()[-1] == [COMMANDS[kind][-1], *flags.get(kind, []), number]


@pytest.mark.parametrize(
    "warnings, ignoring, all_of_it",
    [("USR1 USR2", "trap '' USR1 USR2; ", True), ("TERM", "", False)],
    ids=["Grid Engine", "HTCondor"],
)
def test_a_scheduler_s_warnings_end_a_job_as_others_do(tmp_path, warnings, ignoring, all_of_it):
    """On Grid Engine SIGUSR1 comes to all processes of a job at its soft limit, SIGUSR2 before it is deleted; HTCondor
    sends SIGTERM to the first."""
    # As with Snakemake, what has been started outlives the shell that has started it.
    training = "trap 'sleep 0.5; echo saved; exit' TERM; echo ready; while :; do sleep 0.1; done"
    (tmp_path / "job.sh").write_text('bash -c "{}" | (trap "" TERM; cat)\n'.format(training))
    text = runpy.run_path(str(JOBS))["SCRIPT"].format(script="job.sh", warnings=warnings, ignoring=ignoring)
    for name in warnings.split():
        run = subprocess.Popen(
            ["bash", "-c", text], cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert run.stdout.readline() == "ready\n"
        (os.killpg if all_of_it else os.kill)(run.pid, signal.Signals["SIG" + name])
        assert run.communicate()[0] == "saved\n" and run.returncode == 1


@pytest.mark.parametrize("scheduler", ["htcondor"], indirect=True)
def test_a_job_of_htcondor_has_its_limits(scheduler, tmp_path):
    submit("htcondor", tmp_path, "exit 0", "--gpus", "2")
    lines = (tmp_path / "scheduler/1.job").read_text().splitlines()
    limits = {"request_cpus = 8", "request_memory = 16000MB", "request_gpus = 2", "allowed_job_duration = 5400"}
    assert limits < set(lines) and lines[-1] == "queue"


@pytest.mark.parametrize("scheduler", ["kubernetes"], indirect=True)
def test_a_pod_has_its_limits_and_the_volume(scheduler, tmp_path):
    submit("kubernetes", tmp_path, "exit 0", "--gpus", "2")
    job = json.loads((tmp_path / "scheduler/1.job.json").read_text())
    pod = job["spec"]["template"]["spec"]
    size = {"cpu": "8", "memory": "16000M", "nvidia.com/gpu": "2"}
    (container,) = pod["containers"]
    assert container["resources"] == {"requests": size, "limits": size}
    assert (container["image"], container["workingDir"]) == ("python:3.12", str(tmp_path))
    assert container["volumeMounts"] == [{"name": pod["volumes"][0]["name"], "mountPath": "/depth"}]
    assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": "depth"}
    # One try is Kubernetes', the others are Snakemake's.
    assert (job["spec"]["activeDeadlineSeconds"], job["spec"]["backoffLimit"]) == (5400, 0)


@pytest.mark.parametrize("scheduler", ["sge"], indirect=True)
def test_queue_and_parallel_environment_of_grid_engine(scheduler, tmp_path):
    _, calls = scheduler
    submit("sge", tmp_path, "exit 0", "--queue=gpu.q", "--pe", "one_host")
    assert {("-q", "gpu.q"), ("-pe", "one_host")} < set(zip(calls()[0], calls()[0][1:]))


def test_a_failing_query_is_no_end_on_donau(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    second = 'echo x >>"{0}/asked"; test $(wc -l <"{0}/asked") -ge 2 && echo "7  train  RUNNING"'
    (tmp_path / "djob").write_text("#!/bin/sh\n" + second.format(tmp_path))
    (tmp_path / "djob").chmod(0o755)
    assert jobs("donau", "status", "7", "--seconds", "0", folder=tmp_path) == "running"


def _pipe(folder):
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def test_a_scheduler_that_does_not_answer_is_asked_again(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    third = 'echo x >>"{0}/asked"; test $(wc -l <"{0}/asked") -ge 3 && echo DONE'
    (tmp_path / "bjobs").write_text("#!/bin/sh\n" + third.format(tmp_path))
    (tmp_path / "bjobs").chmod(0o755)
    status = ("lsf", "status", "7", "--seconds", "0")
    assert jobs(*status, "--tries", "2", folder=tmp_path) == "failed"
    assert jobs(*status, "--tries", "2", folder=tmp_path) == "success"


@pytest.mark.parametrize("scheduler", ["sge"], indirect=True)
def test_a_cluster_job_gets_interpreter_and_settings(scheduler, finished):
    _, calls = scheduler
    profile = ("--workflow-profile", "profiles/sge", "--latency-wait", "5")
    targets = ("results/1p/gallery/gallery.json", "results/1p/inference/examples.png")
    # Without the inner quotes, Snakemake would take it for Python, where `all` is a function.
    queue = ("--set-resources", "draw_gallery:sge_queue='all.q'")
    finished.snakemake(*targets, "--forcerun", "freeze_graph", *SETTINGS, *profile, *queue)
    assert finished.path("results/1p/export/model.pb").stat().st_size > 100000
    submitted = [call for call in calls() if call[0] == "qsub"]
    # Freezing and the panel of examples are one job.
    assert [call[:9] for call in submitted] == [
        ["qsub", "-terse", "-cwd", "-V", "-notify", "-S", "/bin/bash", "-N", name]
        for name in ("GROUP", "infer_frozen_graph", "draw_gallery")
    ]
    assert [call[call.index("-q") + 1] for call in submitted if "-q" in call] == ["all.q"]
