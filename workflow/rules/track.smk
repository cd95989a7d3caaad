"""From finished results to a store of MLflow, where `tracking.mlflow` names one; nothing is made from it.

Needs the histories and evaluations of every run and the report; makes results/tracking.json and the store.
"""


rule track_runs:
    """Bring the store of MLflow up to date: one run in it for each run here, and one with the report."""
    input:
        code=code("log_mlflow.py"),
        evaluations=lambda wildcards: of_runs(rules.evaluate_checkpoint.output.figures, config["runs"]),
        histories=lambda wildcards: of_runs(rules.train_model.output.history, config["runs"]),
        page=rules.write_report.output.page,
        text=rules.write_report.output.text,
        validations=lambda wildcards: validations_of(config["runs"]),
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
            --validation {input.validations:q} \
            --report {input.text:q} {input.page:q} \
            --settings - \
            <<<{params.settings:q} >{log:q} 2>&1
        """
