"""DenseDepth from archives to a report: see README.md for targets, config/README.md for settings."""

from snakemake.utils import min_version

min_version("9.0")


include: "workflow/rules/home.smk"
include: "workflow/rules/programs.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/runs.smk"
include: "workflow/rules/devices.smk"


configfile: default_settings()


use_all_cores()
check_config()
check_before_jobs()


report: "workflow/report/workflow.rst"


wildcard_constraints:
    run=one_of([*config["runs"], *published()]),
    epoch=one_of(every_epoch()),


include: "workflow/rules/data.smk"
include: "workflow/rules/weights.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/frozen_graph.smk"
include: "workflow/rules/onnx_om.smk"
include: "workflow/rules/exports.smk"
include: "workflow/rules/demo.smk"
include: "workflow/rules/robust.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/track.smk"


rule all:
    """The reports and all that they show, the panel of example images of each run, and the runs in MLflow if wanted."""
    input:
        *validations_to_wait_for(lambda wildcards: config["runs"]),
        report="results/report.md",
        sweeps=expand("results/sweeps/{sweep}/report.md", sweep=config["sweeps"]),
        panels=example_panels(),
        histories=expand("results/{run}/history.jsonl", run=config["runs"] if validation_flags() else []),
        tracked=tracked_runs(),


rule epoch_that_is_not_kept:
    """Say which epochs there are, where a file of another one is asked for that is not there."""
    input:
        refuse_epoch,
    output:
        "results/{place}{rest}",
    wildcard_constraints:
        place=other_epochs(),
        rest=r"[./].+",


rule run_that_is_not_named:
    """Say which runs there are, where a file of another one is asked for that is not there."""
    input:
        refuse_run,
    output:
        "results/{place}{rest}",
    wildcard_constraints:
        place=other_runs(),
        rest="(?:/.+)?",
