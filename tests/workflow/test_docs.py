"""The pages: every command in them does what it says, or is marked as one that needs hardware or the network."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import textwrap

import pytest
import yaml
from conftest import REPOSITORY, SETTINGS, quick_plain
from densedepth import configuration, old_names

PAGES = (
    "README.md",
    "README.zh-CN.md",
    "config/README.md",
    *sorted("docs/" + p.name for p in REPOSITORY.glob("docs/*.md")),
)
STARTS = (
    "snakemake",
    "make",
    "python",
    "python3",
    "python3.7",
    "export",
    ".ci/run",
    "docker",
    "apt-get",
    "pip",
    ".",
    "source",
    "npu-smi",
    "ffmpeg",
    "mkdir",
)

# Not run here, and why.
ELSEWHERE = {
    ".ci/run": "runs this test",
    ". .venv/workflow/bin/activate": "does nothing but set PATH",
    "docker": "needs Docker, or an Ascend host",
    "npu-smi": "needs an Ascend host",
    "source": "needs an Ascend host",
    "export": "changes the environment",
    "ffmpeg": "is no part of what `make setup` brings",
    "mkdir": "makes a folder for ffmpeg",
    "apt-get": "needs the network",
    "pip": "needs the network",
    "python3 tests/slurm_cluster.py": "needs Slurm: test_slurm.py",
    "python3 tests/grid_engine_cluster.py": "needs Grid Engine: test_grid_engine.py",
    "python3 tests/htcondor_cluster.py": "needs HTCondor: test_htcondor.py",
    "python3 -m venv": "needs the network",
}


def commands(page):
    """The commands in the indented blocks and shell fences of a page, continued lines joined, without comments."""
    text = (REPOSITORY / page).read_text().replace("\\\n", " ")
    fenced = re.findall(r"```(?:sh|bash|shell)?\n(.*?)```", text, re.DOTALL)
    # Seven spaces: within a numbered step.
    lines = [line.strip() for line in text.splitlines() if re.match(r"    (   )?\S", line)]
    for line in lines + [line for block in fenced for line in block.splitlines()]:
        words = line.split()
        if words and (words[0] in STARTS or words[0].startswith((".venv/", "workflow/scripts/"))):
            yield re.sub(r"\s+#.*$", "", line).strip()


ALL = sorted({command for page in PAGES for command in commands(page)})


def of(*starts):
    """The commands whose first word is one of `starts`, or ends with one that begins with a slash."""
    paths = tuple(start for start in starts if start.startswith("/"))
    return [command for command in ALL if command.split()[0] in starts or command.split()[0].endswith(paths)]


# Shown without the interpreter, which is that of a runtime.
BARE = [command for command in ALL if command.startswith("workflow/scripts/")]


def test_every_command_is_of_a_known_kind():
    known = {*of("snakemake"), *of("make"), *of("/python"), *of("python", "python3", "python3.7"), *BARE}
    strange = [c for c in ALL if c not in known and not any(c.startswith(start) for start in ELSEWHERE)]
    assert strange == []
    assert len(ALL) > 25


@pytest.mark.parametrize("command", of("make"))
def test_make_knows_its_targets(command):
    run = subprocess.run([*shlex.split(command), "-n"], cwd=REPOSITORY, capture_output=True, text=True)
    assert run.returncode == 0 and run.stdout, run.stderr


def test_make_does_what_it_says(finished):
    for name in ("Makefile", ".venv"):
        finished.path(name).symlink_to(REPOSITORY / name)

    # The set-up makes an environment of other pins anew: through the link that would be the repository's own.
    setup = runpy.run_path(str(finished.path("envs/setup.py")))
    sound, runtime = setup["sound"], "tf1" if setup["find_python"]("tf1") else "tf2"
    if not (sound("workflow") and sound(runtime)):
        pytest.skip("the environments are not those of envs/; `make setup` brings them up to date")

    def make(*words):
        return subprocess.run(["make", *words], cwd=finished.folder, capture_output=True, text=True, check=True)

    made = make("all", "CONFIG=mine.yaml")
    assert "setup: workflow is up to date" in made.stdout and "Nothing to be done" in made.stderr
    assert "make all" in make("help").stdout
    make("clean")
    assert not finished.path("results").exists() and not finished.path(".snakemake").exists()
    assert finished.path(".venv").exists()


# What these would do takes a network, a cluster, or software that need not be here; the others are really run.
PLANNED_ONLY = (
    "config/nyu.yaml",
    "config/custom.yaml",
    "config/datasets/",
    "track.yaml",
    "profiles/slurm",
    "profiles/ascend",
    "onnx",
    "/demo",
    "exports.md",
    "om.json",
)


@pytest.mark.parametrize("command", of("snakemake"))
def test_snakemake_does_it(command, finished):
    words = shlex.split(command)[1:]
    finished.configure({"data": {"examples": []}}, "over.yaml")
    configfile = words.index("--configfile") + 1 if "--configfile" in words else None
    if configfile is None:
        words += SETTINGS
    elif not finished.path(words[configfile]).exists():
        words[configfile] = "over.yaml"
    if "config/custom.yaml" in command:
        for name in ("rgb", "depth"):
            finished.path("dataset/custom/" + name).mkdir(parents=True)
    if "config/datasets/kitti_eigen.yaml" in command:
        finished.path("dataset/kitti").mkdir(parents=True)
    for index in re.findall(r"'([^']+\.(?:index|pth))'", command):
        for name in (index, index.replace(".index", ".data-00000-of-00001")):
            finished.path(name).parent.mkdir(exist_ok=True)
            finished.path(name).touch()
    if any(part in command for part in PLANNED_ONLY):
        words.append("-n")
        if configfile:
            # Results of the sample would not be replaced by those of other data.
            shutil.rmtree(finished.path("results"))
    finished.snakemake(*words)


PROGRAMS = [
    command
    for command in of("/python", "python", "python3", "python3.7") + BARE
    if re.search(r"(workflow/scripts|docs|benchmarks)/\w+\.py", command)
]


# argv: a list of [program, words]. Prints what is wrong with the words of each as JSON, on the last line; TensorFlow,
# which most of the programs load, is loaded once for all of them.
PARSE = """
import contextlib, io, json, runpy, sys
found = []
for program, words in json.loads(sys.argv[1]):
    sys.argv = [program] + words
    words = [word.replace("-", "_") if word.startswith("--") else word for word in words]
    words = ["--" + word[2:] if word.startswith("__") else word for word in words]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        try:
            module = runpy.run_path(program)
            "build_parser" in module and module["build_parser"]().parse_args(words)
            found.append("")
        except (Exception, SystemExit) as error:
            found.append("{}: {}".format(error, said.getvalue()))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def complaints(quick_python, tmp_path_factory):
    """{command: what its program says against its flags}"""
    parse = tmp_path_factory.mktemp("parse") / "parse.py"
    parse.write_text(PARSE)
    calls = {}
    for command in PROGRAMS:
        words = shlex.split(command)
        program = next(number for number, word in enumerate(words) if word.endswith(".py"))
        tensorflow = "tf" in words[0] or words[0] == "python3.7" or program == 0
        python = quick_python if tensorflow else quick_plain()
        calls.setdefault(python, {})[command] = [words[program], words[program + 1 :]]
    environment = {"PYTHONPATH": str(REPOSITORY / "workflow/scripts"), "PATH": "/usr/bin:/bin"}
    found = {}
    for python, commands in calls.items():
        words = [python, str(parse), json.dumps(list(commands.values()))]
        run = subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        found.update(zip(commands, json.loads(run.stdout.splitlines()[-1]), strict=True))
    return found


@pytest.mark.parametrize("command", PROGRAMS)
def test_programs_take_the_flags_that_the_pages_show(command, complaints):
    assert complaints[command] == ""


@pytest.mark.parametrize("command", [c for c in of("/python", "python", "python3") if "tests/" in c or "pytest" in c])
def test_programs_of_the_tests_are_there(command):
    paths = [word for word in shlex.split(command) if word.endswith(".py")]
    assert paths and all((REPOSITORY / path).exists() for path in paths)


def settings(page):
    """(line, mapping) of the examples of settings in a page: YAML in fences and in indented blocks."""
    text = (REPOSITORY / page).read_text()
    for block in re.finditer(r"```(\w*)\n(.*?)```|(?:^    [^\n]*\n|^\n(?=    ))+", text, re.DOTALL | re.MULTILINE):
        language, fenced = block.groups()
        yaml_text = textwrap.dedent(block.group() if language is None else fenced)
        if language == "yaml" or (language is None and re.match(r"\n*(#.*\n)*[a-z_]+:\s", yaml_text)):
            yield "{}:{}".format(page, text[: block.start()].count("\n") + 1), yaml.safe_load(yaml_text)


EXAMPLES = dict(pair for page in PAGES for pair in settings(page))


@pytest.mark.parametrize("place", EXAMPLES)
def test_settings_that_the_pages_show_are_valid(place):
    schema = configuration.schema(str(REPOSITORY / "workflow/schemas/config.schema.yaml"))
    base = configuration.read(str(REPOSITORY / "config/config.yaml"))
    config, warning = old_names.renamed(configuration.merge(base, EXAMPLES[place]))
    assert warning == ""
    assert configuration.problems(configuration.completed(config, schema), schema) == []


def test_the_examples_of_settings_are_found():
    names = {key for example in EXAMPLES.values() for key in example}
    assert len(EXAMPLES) >= 7 and {"data", "train", "runs", "external"} <= names


def anchors(path):
    """What the headings of a page are called in links, as GitHub does it."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)\s]+)\)", (REPOSITORY / page).read_text())
    for link in [link for link in links if "://" not in link]:
        path, _, anchor = link.partition("#")
        path = (REPOSITORY / page).parent / path if path else REPOSITORY / page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/contribute.md"])
def test_sources_that_the_pages_name_are_there(page):
    text = (REPOSITORY / page).read_text()
    names = set(re.findall(r"`((?:densedepth|workflow|tests|config|envs|profiles|benchmarks)/[\w/.-]+)`", text))
    places = {name: "workflow/scripts/" + name if name.startswith("densedepth") else name for name in names}
    assert len(names) > 8
    assert [name for name, place in places.items() if not (REPOSITORY / place).exists()] == []


def test_the_rule_graph_of_the_page_is_that_of_the_rules():
    python = str(REPOSITORY / ".venv/workflow/bin/python")
    run = subprocess.run([python, "docs/rule_graph.py", "--check"], cwd=REPOSITORY, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_list_of_modules_is_that_of_their_docstrings():
    words = [sys.executable, "docs/module_list.py", "--check"]
    run = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


TABLES = [str(REPOSITORY / ".venv/workflow/bin/python"), str(REPOSITORY / "docs/config_tables.py")]


def test_the_texts_of_the_settings_are_those_of_the_schema():
    run = subprocess.run([*TABLES, "--check"], cwd=REPOSITORY, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_another_text_in_the_schema_is_noticed_and_written(project):
    schema = project.path("workflow/schemas/config.schema.yaml")
    schema.write_text(schema.read_text().replace("Height of the network's input in pixels", "Rows of pixels"))
    values = yaml.safe_load(project.path("config/config.yaml").read_text())

    def call(*words):
        return subprocess.run([*TABLES, *words], cwd=project.folder, capture_output=True, text=True)

    stale = call("--check")
    assert stale.returncode == 1 and "config/config.yaml, config/README.md: not what" in stale.stderr
    assert call().returncode == 0 and call("--check").returncode == 0
    assert "  # Rows of pixels; the prediction has half of it (multiple of 32, from 32 to 4096).\n  height: 64\n" in (
        project.path("config/config.yaml").read_text()
    )
    assert "| `data.height` | Rows of pixels; the" in project.path("config/README.md").read_text()
    assert yaml.safe_load(project.path("config/config.yaml").read_text()) == values


def skeleton(page):
    """What two languages share, section by section: level, rows, code, links, names in code style."""
    found = []
    for section in re.split(r"^(?=##+ )", (REPOSITORY / page).read_text(), flags=re.MULTILINE):
        lines = section.splitlines()
        code = [re.sub(r"\s*#.*$", "", line) for line in lines if line.startswith("    ")]
        links = [link for link in re.findall(r"\]\(([^)]+)\)", section) if not link.startswith("README")]
        names = set(re.findall(r"`([^`\n]+)`", section))
        found.append((lines[0].split()[0], sum(line.startswith("|") for line in lines), code, sorted(links), names))
    return found


def test_the_chinese_readme_follows_the_english_one():
    english, chinese = skeleton("README.md"), skeleton("README.zh-CN.md")
    assert len(english) == len(chinese)
    for ours, theirs in zip(english, chinese):
        for here, there in zip(ours, theirs):
            assert here == there


def test_the_hosted_ci_calls_the_same_checks():
    assert "- run: .ci/run" in (REPOSITORY / ".github/workflows/ci.yml").read_text()
