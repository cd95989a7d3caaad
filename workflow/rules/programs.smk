"""Which code a program depends on, and which interpreter runs it."""

import functools
import os
import sys

from snakemake.settings.types import DeploymentMethod

from densedepth import code_digests, imports

# What stages report with while they run: an edit changes no result, so it makes nothing again.
REPORTING = tuple(os.path.join("densedepth", *path) for path in (("progress.py",), ("training", "history.py")))


# Where the digests of each program's code are.
CODE = os.path.join(".snakemake", "densedepth", "code")


def code(program, kinds=()):
    """Input function: the program and the list of digests of all modules that it imports, so that an edit of one counts.

    kinds: kinds of devices, which the program loads by name. The lists with those that are not chosen are inputs, too,
    so that another choice makes nothing again, but no edit of what they alone import counts. Nor does one of
    `REPORTING`.
    """
    return lambda wildcards: code_files(program, tuple(kinds))


@functools.lru_cache(maxsize=None)
def code_files(program, kinds):
    """The program as the command names it, and its lists of digests, which are brought up to date."""
    scripts = os.path.join(HOME, "workflow", "scripts")
    # Relative where the workflow runs in its own folder, so that a moved folder makes nothing again.
    found = [os.path.join(os.path.relpath(scripts) if os.path.samefile(HOME, ".") else scripts, program)]
    # A folder each: of one that it has looked into before, Snakemake does not see a new file.
    folder = os.path.join(CODE, os.path.splitext(program)[0])
    for kind in kinds or ("",):
        path = os.path.join(folder, "{}.sha256".format(kind or "modules"))
        if workflow.is_main_process:
            loaded = ["densedepth.platforms.{}".format(kind)] if kind else []
            used = imports.sources(os.path.join(scripts, program), loaded)
            code_digests.write(path, [name for name in used if not name.endswith(REPORTING)], HOME)
        found.append(ancient(path) if kind and kind != config["platform"] else path)
    return found


@functools.lru_cache(maxsize=None)
def runtime():
    """`tf1` or `tf2`."""
    if config["runtime"] != "auto":
        return config["runtime"]
    return "tf1" if os.path.exists(environment_python("tf1")) else "tf2"


def environment_python(name):
    return os.path.join(HOME, ".venv", name, "bin", "python")


def packaged():
    """Whether Snakemake brings the software itself, so that `python` is the right interpreter in every job."""
    return DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method


@functools.lru_cache(maxsize=None)
def tensorflow_python():
    """The interpreter of the stages that need TensorFlow."""
    if config["python"]:
        return config["python"]
    made = environment_python(runtime())
    return made if os.path.exists(made) and not packaged() else "python"


def onnx_python():
    """The interpreter of the stages with ONNX: tf2's, to which `make onnx` adds what they need."""
    made = environment_python("tf2")
    return made if os.path.exists(made) and not packaged() else tensorflow_python()


def mlflow_python():
    """The interpreter with MLflow, which `make mlflow` makes."""
    made = environment_python("mlflow")
    if config["tracking"]["mlflow"] and not packaged() and not os.path.exists(made):
        refuse("config: tracking.mlflow: there is no MLflow in .venv/mlflow; run `make mlflow` first")
    return "python" if packaged() else made


def corruptions_python():
    """The interpreter with imagecorruptions, where `make corruptions` has been run; else empty."""
    made = environment_python("corruptions")
    return made if os.path.exists(made) and not packaged() else ""


def plain_python():
    """The interpreter of the stages that need no TensorFlow: that of Snakemake, whichever runtime there is."""
    return "python" if packaged() else sys.executable


def environment():
    """The conda environment of every stage, relative to the rule files."""
    return "../../envs/{}.yaml".format(runtime())
