"""The scripts in findings/ say what they show; they themselves need a package index and are run by hand."""

import re
import subprocess

import pytest
from conftest import REPOSITORY

SCRIPTS = sorted((REPOSITORY / "findings").glob("*.sh"))
HEAD = ("Version", "Behaviour", "Output seen", "Why one guesses wrong")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_has_its_head_and_is_a_script(script):
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert re.findall(r"(?m)^# ([A-Z][a-z ]+): .", text)[: len(HEAD)] == list(HEAD)
    assert "set -euo pipefail" in text and "trap 'rm -rf \"$folder\"' EXIT" in text
    subprocess.run(["bash", "-n", str(script)], check=True)
    for program in re.findall(r"(?ms)^\S*python - <<'PYTHON'\n(.*?)^PYTHON$", text):
        compile(program, str(script), "exec")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_installs_pinned_packages_and_names_no_address(script):
    text = script.read_text()
    installs = re.findall(r"(?m)--disable-pip-version-check install (?:--no-deps )?(.+)$", text)
    assert installs and all("==" in word for words in installs for word in words.split())
    assert set(re.findall(r"https?://([^\s/:\"']+)", text)) <= {"127.0.0.1"}


def test_the_list_names_every_finding():
    listed = re.findall(r"(?m)^\| `(.+\.sh)` \|", (REPOSITORY / "findings/README.md").read_text())
    assert sorted(listed) == [script.name for script in SCRIPTS] != []
