"""From finished results to a store of MLflow, where `tracking.mlflow` names one; nothing is made from it.

Needs the histories and evaluations of every run and the report; makes results/tracking.json and the store.
"""


def mlflow_python():
    """The interpreter with MLflow, which `make mlflow` makes."""
    made = environment_python("mlflow")
    if config["tracking"]["mlflow"] and not packaged() and not os.path.exists(made):
        raise WorkflowError("config: tracking.mlflow: there is no MLflow in .venv/mlflow; run `make mlflow` first")
    return "python" if packaged() else made


rule track_runs:
    """Bring the store of MLflow up to date: one run in it for each run here, and one with the report."""
    input:
        code=code("log_mlflow.py"),
        evaluations=lambda wildcards: of_runs(rules.evaluate_checkpoint.output.figures, config["runs"]),
        histories=lambda wildcards: of_runs(rules.train_model.output.history, config["runs"]),
        page=rules.write_report.output.page,
        text=rules.write_report.output.text,
    output:
        "results/tracking.json",
    log:
        "results/logs/track_runs.log",
    localrule: True
    conda:
        "../../envs/mlflow.yaml"
    resources:
        python=mlflow_python(),
        mem_mb=1000,
        runtime=10,
    params:
        settings=settings_told(config["runs"]),
        store=config["tracking"]["mlflow"] or "mlruns",
    message:
        "writing the runs to MLflow in {params.store}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --store {params.store:q} \
            --out {output:q} \
            --evaluation {input.evaluations:q} \
            --history {input.histories:q} \
            --report {input.text:q} {input.page:q} \
            --settings - \
            <<<{params.settings:q} >{log:q} 2>&1
        """


def tracked_runs():
    """What `all` makes besides, where runs are tracked."""
    return ["results/tracking.json"] if config["tracking"]["mlflow"] else []
