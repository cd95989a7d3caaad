"""Where the workflow is, and whether its settings can be used: what is looked at before any rule, and before any job."""

import contextlib
import os
import re
import shutil
import sys
import tempfile

from snakemake.logging import logger
from snakemake.utils import available_cpu_count, update_config
from snakemake_interface_logger_plugins.common import LogEvent


def home():
    """The folder of the Snakefile; where that is in a repository of GitHub or GitLab, an unpacked copy of its commit.

    Not workflow.basedir, which is that of the outermost workflow where this one is a module.
    """
    here = workflow.current_basedir
    if not hasattr(here, "hosted_repo"):
        return os.path.dirname(os.path.dirname(here.get_path_or_uri(secret_free=True)))
    repository = here.hosted_repo.repo
    commit = repository.commit(here.ref).hexsha
    folder = os.path.abspath(os.path.join(".snakemake", "densedepth", commit))
    if not os.path.exists(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as unpacked:
            repository.git.archive(commit, output=os.path.join(unpacked, "files.tar"))
            shutil.unpack_archive(os.path.join(unpacked, "files.tar"), os.path.join(unpacked, "files"))
            # Another job may have been quicker.
            with contextlib.suppress(OSError):
                os.rename(os.path.join(unpacked, "files"), folder)
    return folder


HOME = home()

sys.path.insert(0, os.path.join(HOME, "workflow", "scripts"))

from densedepth import code_digests, configuration, old_names, provenance, replacement
from densedepth.data import train_archive
from densedepth.errors import PipelineError

# Runs of --configfile. Snakemake has them here already, and lays the default settings under them.
OVERLAID = list(config["runs"]) if isinstance(config.get("runs"), dict) else []


def refuse(words):
    """End the call with these words, a line for each fault, and nothing else.

    No exception: with one that rises from here, or from an input function, Snakemake also shows where it was raised.
    """
    logger.error(words, extra={"event": LogEvent.ERROR, "exception": "WorkflowError"})
    sys.exit(1)


def default_settings():
    """The settings that others are laid over: of the working directory, or else those that the workflow comes with.

    They are read here first: what is wrong with them, Snakemake would tell in a traceback.
    """
    path = os.path.join("config", "config.yaml")
    path = path if os.path.exists(path) else os.path.join(HOME, path)
    if workflow.is_main_process:
        check_file(path)
    return path


def check_file(path):
    """Stop with one line for a file of settings that cannot be read."""
    try:
        configuration.read(path)
    except PipelineError as error:
        refuse(str(error))


def use_all_cores():
    """Let a call on this machine that names no number of cores use them all.

    A profile cannot say so: profiles/default is laid over those of --profile and SNAKEMAKE_PROFILE, and `cores: all` in
    it would cut the threads of a cluster's jobs to the cores of the login node. A cluster's profile always has `jobs`.
    """
    settings = workflow.resource_settings
    if settings.cores is None and settings.nodes is None:
        settings.cores = available_cpu_count()
        workflow.global_resources["_cores"] = settings.cores


def check_config():
    """Stop before any job if the configuration is invalid, with one line for each error."""
    schema = configuration.schema(os.path.join(HOME, "workflow", "schemas", "config.schema.yaml"))
    current, warning = old_names.renamed(dict(config))
    config.clear()
    config.update(current)
    if warning and workflow.is_main_process:
        logger.warning(warning)
    # A module has the settings that its workflow gives it, and no part in that call's --config.
    if not workflow.modifier.skip_configfile:
        for path in workflow.configfiles if workflow.is_main_process else ():
            check_file(path)
        update_config(config, configuration.typed(old_names.renamed(workflow.config_settings.config)[0], schema))
    config.update(configuration.completed(config, schema))
    put_default_runs_first()
    # The checks know TensorFlow by its version; the setting stays as it was given.
    found = {"runtime": runtime()} if config.get("runtime") == "auto" else {}
    problems, usable = configuration.checked(dict(config, **found), schema)
    problems += provenance.missing(usable) if workflow.is_main_process else []
    if problems:
        refuse("\n".join(["invalid configuration:", *problems]))
    config.update(usable, **dict.fromkeys(found, "auto"))


def put_default_runs_first():
    """Give the runs their places: a run that an overlay adds comes behind those that were there."""
    if isinstance(config["runs"], dict):
        first = {name: run for name, run in config["runs"].items() if name not in OVERLAID}
        config["runs"] = {**first, **config["runs"]}


# Folders of results/ whose entries have their names from a key of the settings.
NAMED_BY = {"sweeps": "sweeps", "predictions": "predictions", "external": "external", "published": "pretrained"}


def entries(folder):
    """The names in a folder, none where it is not there."""
    return os.listdir(folder) if os.path.isdir(folder) else []


def other_runs():
    """A pattern for <run>/<folder>, and for sweeps/<sweep> and their like, that the settings do not name.

    What is there is left out: it is no target.
    """
    known = {*config["runs"], *NAMED_BY, *entries("results")}
    parts = "checkpoints|demo|evaluation|export|exports|gallery|inference|om|validation"
    parts += "|robustness[.]json|exports[.]md|exports[.]json|MODEL_CARD[.]md|history[.]jsonl|performance[.]json"
    run = r"(?!(?:{})/)[A-Za-z0-9][A-Za-z0-9_.-]*/(?:{})".format(one_of(sorted(known)), parts)
    # Runs have one report together, and what other programs predicted has one.
    run += "|(?!external/)[A-Za-z0-9][A-Za-z0-9_.-]*(?=/report[.](?:md|html)$)"
    for folder, key in NAMED_BY.items():
        names = sorted({*config[key], *entries(os.path.join("results", folder)), "report.md", "report.html"})
        run += r"|{}/(?!(?:{})(?:/|$))[A-Za-z0-9_.-]+".format(folder, one_of(names) or "(?!)")
    return run


def refuse_run(wildcards):
    """Input function: one line for a run, or a sweep and its like, that the settings do not name."""
    run, runs = os.path.dirname(wildcards.place), ", ".join(config["runs"])
    if not run:
        there = "" if wildcards.place in config["runs"] else "runs has no {}, only {}; ".format(wildcards.place, runs)
        words = "results/{}/: {}the report of all runs is results/report.md, that of a sweep results/sweeps/<sweep>/report.md"
        refuse(words.format(wildcards.place, there))
    if run in NAMED_BY:
        words = "results/{}: {} has {}; was it in a file that --configfile names?"
        known = ", ".join(config[NAMED_BY[run]])
        refuse(words.format(wildcards.place, NAMED_BY[run], "only {}".format(known) if known else "no entry"))
    words = "results/{}: runs has no {}, only {}; was it in a file that --configfile names?"
    refuse(words.format(wildcards.place, run, runs))


def other_epochs():
    """A pattern for <run>/<kind>/epoch<e> of epochs that are not kept, but for those that are there, to start from."""
    places = []
    for run in [*config["runs"], *published()]:
        for kind in ("checkpoints", "evaluation", "validation"):
            folder = os.path.join("results", run, kind)
            found = [re.match("epoch([0-9]+)", name) for name in (os.listdir(folder) if os.path.isdir(folder) else ())]
            legal = {*map(str, kept_epochs(run)), *(match.group(1) for match in found if match)}
            places.append(r"{}/{}/epoch(?!(?:{})(?![0-9]))[0-9]+".format(re.escape(run), kind, one_of(sorted(legal))))
    return "|".join(places)


def refuse_epoch(wildcards):
    """Input function: one line for an epoch that its run does not keep."""
    run, _, epoch = wildcards.place.rsplit("/", 2)
    words = "results/{}: {} has no epoch {}, only {}".format(
        wildcards.place, run, epoch[len("epoch") :], ", ".join(map(str, kept_epochs(run)))
    )
    if run in published():
        refuse(words + ", the network as it was imported")
    refuse("{}; train.keep_epochs adds one, up to train.epochs = {}".format(words, settings_of(run)["train"]["epochs"]))


def check_before_jobs():
    """Let `check_replaced` run once the jobs are known, also in a dry run and where this workflow is a module.

    Snakemake calls `onstart` in neither. What it says first of a plan is how many jobs of each rule there are.
    """
    names = {workflow.modifier.modify_rulename(rule): rule for rule in replacement.RULES}
    waiting = [names]

    def check(record):
        if getattr(record, "event", None) == LogEvent.RUN_INFO and waiting:
            check_replaced(waiting.pop())
        return True

    if workflow.is_main_process:
        logger.addFilter(check)


def check_replaced(names):
    """Stop before the first job where one would replace what was made from other sources than the settings name.

    Where it is made from the same sources with other settings, a line says so. names: {name of a rule in this call,
    which may use the workflow as a module: its name here}.
    """
    jobs = {
        (names[job.rule.name], job.wildcards_dict.get("run", job.wildcards_dict.get("encoder")))
        for job in workflow.dag.needrun_jobs()
        if job.rule.name in names
    }
    if not config["replace_results"]:
        found = replacement.replaced(config, jobs, archive_identity)
        if found:
            refuse("\n".join(found))
    for line in [*code_changes(), *replacement.changes(config, jobs)]:
        logger.info(line)
    if not workflow.dryrun and any(name in replacement.MAKERS for name, _ in jobs):
        replacement.record(config, workflow.configfiles)


def code_changes():
    """A line for each change of code by which jobs run again: Snakemake names the list of digests alone."""
    rules = {}
    for job in workflow.dag.needrun_jobs():
        for path in map(str, workflow.dag.reason(job).updated_input):
            if path.startswith(CODE + os.sep):
                held = workflow.persistence.input_checksums(job, path)
                names = sorted(
                    {name for digest in held for name in code_digests.changed(path, str(digest).rpartition(":")[2])}
                )
                rules.setdefault(replacement.some(names), {})[job.rule.name] = None
    return ["{} changed: {} again".format(names, ", ".join(found)) for names, found in rules.items() if names]


def archive_identity(path):
    """What tells the content of a training archive from another's, as its records say."""
    with train_archive.Archive(path) as archive:
        return archive.identity()
