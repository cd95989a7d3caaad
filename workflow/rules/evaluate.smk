"""From checkpoints and the test archive to precision figures.

Needs a checkpoint and the test archive; makes results/<run>/evaluation/epoch<e>.json and .csv (and lines in
evaluate.log beside them) and results/baseline.json. Depth maps and networks of other programs are scored into
results/external/<name>.
"""


rule evaluate_checkpoint:
    """Measure the precision of a checkpoint on the test archive."""
    input:
        code=code("evaluate.py"),
        index="results/{run}/checkpoints/epoch{epoch}/model.ckpt.index",
        data="results/{run}/checkpoints/epoch{epoch}/model.ckpt.data-00000-of-00001",
        side="results/{run}/checkpoints/epoch{epoch}/model.json",
        planes=lambda wildcards: stored(of_run("evaluate/planes")(wildcards)),
        test=test_archive(),
    output:
        figures="results/{run}/evaluation/epoch{epoch}.json",
        images="results/{run}/evaluation/epoch{epoch}.csv",
    log:
        "results/logs/{run}/evaluate_epoch{epoch}.log",
    benchmark:
        "results/benchmarks/{run}/evaluate_epoch{epoch}.tsv"
    wildcard_constraints:
        run=with_epochs([*config["runs"], *published()]),
    conda:
        environment()
    threads: 2
    resources:
        python=tensorflow_python(),
        gpu=gpus(1),
        mem_mb=6000,
        runtime=240,
    params:
        folder=subpath(input.side, parent=True),
        batch_size=of_run("evaluate/batch_size"),
        metrics=of_run("evaluate/metrics"),
        planes=of_run("evaluate/planes"),
        protocols=of_run("evaluate/protocols"),
    message:
        "evaluating {params.folder}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --ckptdir {params.folder:q} \
            --test_data {input.test:q} \
            --logdir results/{wildcards.run}/evaluation \
            --bs {params.batch_size} \
            --protocol {params.protocols:q} \
            --metrics {params.metrics:q} \
            --planes {params.planes:q} \
            --json {output.figures:q} \
            --csv {output.images:q} \
            --name {wildcards.run} \
            --tensorboard results/{wildcards.run}/tensorboard/evaluation \
            >{log:q} 2>&1
        tail -n 1 {log:q}
        """


rule evaluate_baseline:
    """Measure what a constant prediction, the median depth, reaches on the test archive."""
    input:
        code=code("evaluate_baseline.py"),
        test=test_archive(),
    output:
        figures="results/baseline.json",
    log:
        "results/logs/evaluate_baseline.log",
    benchmark:
        "results/benchmarks/evaluate_baseline.tsv"
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=4000,
        runtime=60,
        # Changes no result.
        gallery=config["report"]["gallery"],
    message:
        "evaluating a constant depth"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --test_data {input.test:q} \
            --min_test {resources.gallery:q} \
            --json {output.figures:q} \
            >{log:q} 2>&1
        """


rule score_predictions:
    """Score what another program predicted, or its network predicts, for the test archive."""
    input:
        code=code("score.py"),
        planes=stored(config["evaluate"]["planes"]),
        predictions=external_predictions,
        test=test_archive(),
    output:
        figures="results/external/{external}/evaluation.json",
        images="results/external/{external}/evaluation.csv",
    log:
        "results/logs/external/{external}.log",
    benchmark:
        "results/benchmarks/external/{external}.tsv"
    wildcard_constraints:
        external=one_of(config["external"]) or "(?!)",
    conda:
        environment()
    threads: 2
    resources:
        python=external_python,
        mem_mb=4000,
        runtime=60,
    params:
        alignment=external("alignment", "none"),
        flags=external_flags,
        metrics=lookup(dpath="evaluate/metrics", within=config),
        planes=lookup(dpath="evaluate/planes", within=config),
        protocols=lookup(dpath="evaluate/protocols", within=config),
        trust_unit=external("trust_unit", False),
        unit=external("unit"),
    message:
        "scoring {wildcards.external}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            {params.flags:q} \
            --unit {params.unit:q} \
            --alignment {params.alignment:q} \
            --trust_unit {params.trust_unit:q} \
            --test_data {input.test:q} \
            --protocol {params.protocols:q} \
            --metrics {params.metrics:q} \
            --planes {params.planes:q} \
            --json {output.figures:q} \
            --csv {output.images:q} \
            --name {wildcards.external:q} \
            >{log:q} 2>&1
        tail -n 1 {log:q}
        """
