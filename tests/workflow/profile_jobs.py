"""Jobs by the very commands of a profile, and what happens to them on a real cluster."""

import shlex
import subprocess
import time
from types import SimpleNamespace

import yaml
from conftest import REPOSITORY

# A command that saves its state on SIGTERM after the shell that has started it is gone, as a training does.
SAVES = """\
(trap 'sleep 1; echo saved >{0}.state; exit' TERM; touch {0}.begun; while :; do sleep 0.1; done) | (trap '' TERM; cat)
"""


class Jobs:
    """Jobs in `folder` by profiles/<profile> on the scheduler that `environ` leads to; `user`: words before each
    command.
    """

    def __init__(self, profile, folder, environ, user=()):
        self._profile = yaml.safe_load((REPOSITORY / "profiles" / profile / "config.yaml").read_text())
        self._folder, self._environ, self._user = folder, environ, list(user)

    def _call(self, action, *more, **values):
        words = shlex.split(self._profile["cluster-generic-{}-cmd".format(action)].format(**values))
        run = subprocess.run(
            [*self._user, REPOSITORY / words[0], *words[1:], *more],
            cwd=self._folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return run.stdout.strip()

    def submit(self, name, script, *more):
        path = self._folder / (name + ".sh")
        path.write_text(script.format(self._folder / name))
        resources = dict(self._profile["default-resources"], runtime=5)
        # As Snakemake has it: the script follows the words of the profile.
        return self._call("submit", *more, path, rule=name, threads=2, resources=SimpleNamespace(**resources))

    def begun(self, name):
        while not (self._folder / (name + ".begun")).exists():
            time.sleep(0.1)

    def state(self, name):
        return (self._folder / (name + ".state")).read_text()

    def cancel(self, number):
        self._call("cancel", number)

    def ended(self, number):
        """`success` or `failed`, once it is one of them."""
        while True:
            status = self._call("status", number, "--seconds", "0.5")
            if status != "running":
                return status
            time.sleep(0.2)


def assert_ends_are_told_and_states_saved(jobs):
    deleted = jobs.submit("deleted", SAVES)
    jobs.begun("deleted")
    jobs.cancel(deleted)
    good, bad = jobs.submit("good", "exit 0\n"), jobs.submit("bad", "exit 99\n")
    assert [jobs.ended(number) for number in (good, bad, deleted)] == ["success", "failed", "failed"]
    assert jobs.state("deleted") == "saved\n"


def assert_a_job_outlives(jobs, restart):
    """A job ends well although `restart()` takes its controller away meanwhile."""
    outlives = jobs.submit("outlives", "touch {0}.begun; sleep 3\n")
    jobs.begun("outlives")
    restart()
    assert jobs.ended(outlives) == "success"
