"""Files that the settings list under `downloads`: fetched when missing, checked, and never touched when there."""

import hashlib

import pytest

NAME = "dataset/some.zip"
CONTENT = b"the bytes of an archive"


@pytest.fixture
def settings(project, tmp_path):
    """A function that lists the file with a sum; returns the arguments for Snakemake."""
    source = tmp_path / "source.zip"
    source.write_bytes(CONTENT)

    def listed(**entry):
        return project.configure({"downloads": {NAME: dict(urls=[source.as_uri()], **entry)}})

    return listed


def test_a_missing_file_is_fetched_once_and_checked(project, settings):
    arguments = settings(sha256=hashlib.sha256(CONTENT).hexdigest())
    project.snakemake("downloads", *arguments)
    assert project.path(NAME).read_bytes() == CONTENT
    assert project.planned("downloads", *arguments) == {}
    assert "download_file" not in project.planned("downloads", *arguments, "--forceall")


def test_a_file_with_another_sum_is_refused(project, settings):
    output = project.snakemake("downloads", *settings(md5="0" * 32), fails=True)
    assert "download.py: error: " in output
    assert hashlib.md5(CONTENT).hexdigest() in output
    assert not project.path(NAME).exists()


def test_a_file_put_there_by_hand_is_never_touched(project, settings):
    project.path("dataset").mkdir()
    project.path(NAME).write_bytes(b"by hand")
    arguments = settings(md5="0" * 32)
    with open(project.path("workflow/scripts/download.py"), "a") as stream:
        stream.write("# An edit.\n")
    for more in ((), ("--forceall",), ("--delete-all-output",)):
        project.snakemake("downloads", *arguments, *more)
        assert project.path(NAME).read_bytes() == b"by hand"
