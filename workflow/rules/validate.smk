"""From the training data to a validation split of its own, and from checkpoints to their figures on it.

Only where `data.validation` asks for it. Makes results/data/validation.json (of an archive; custom data are listed with
their validation), results/data/validation.zip, results/<run>/validation/epoch<e>.json and results/<run>/history.jsonl.
"""


rule split_validation:
    """List the pairs of the training archive that are kept for the validation."""
    input:
        archive=train_source(),
        code=code("split_validation.py"),
        csv=validation_csv(),
    output:
        list="results/data/validation.json",
    log:
        "results/logs/split_validation.log",
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=30,
    params:
        choice=validation_flags(),
        seed=lookup(dpath="seed", within=config),
    message:
        "listing the validation pairs of {input.archive}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --input_dir {input.archive:q} \
            {params.choice:q} \
            --seed {params.seed} \
            --out {output.list:q} \
            >{log:q} 2>&1
        """


rule write_validation_set:
    """Write the validation pairs as an archive like nyu_test.zip."""
    input:
        archive=[] if picture_inputs() else train_source(),
        code=code("write_validation_set.py"),
        list=train_source() if picture_inputs() else rules.split_validation.output.list,
    output:
        archive="results/data/validation.zip",
    log:
        "results/logs/write_validation_set.log",
    benchmark:
        "results/benchmarks/write_validation_set.tsv"
    conda:
        environment()
    resources:
        python=pictures_python(),
        mem_mb=2000,
        runtime=240,
        # Changes no result.
        skip_bad=config["data"]["skip_bad"],
    params:
        archive=lambda wildcards, input: ["--input_dir", input.archive] if input.archive else [],
    message:
        "writing {output.archive}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            {params.archive:q} \
            --pictures {input.list:q} \
            --skip_bad {resources.skip_bad:q} \
            --out {output.archive:q} \
            >{log:q} 2>&1
        """


# No rule, since its figures may decide what is frozen and how far a run is trained.
checkpoint validate_checkpoint:
    """Measure loss and figures of a checkpoint on the validation pairs."""
    input:
        code=code("validate.py"),
        index="results/{run}/checkpoints/epoch{epoch}/model.ckpt.index",
        data="results/{run}/checkpoints/epoch{epoch}/model.ckpt.data-00000-of-00001",
        side="results/{run}/checkpoints/epoch{epoch}/model.json",
        validation=rules.write_validation_set.output.archive,
    output:
        figures="results/{run}/validation/epoch{epoch}.json",
    log:
        "results/logs/{run}/validate_epoch{epoch}.log",
    benchmark:
        "results/benchmarks/{run}/validate_epoch{epoch}.tsv"
    wildcard_constraints:
        run=with_epochs(config["runs"]) if validation_flags() else "(?!)",
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
    message:
        "validating {params.folder}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --ckptdir {params.folder:q} \
            --validation_data {input.validation:q} \
            --bs {params.batch_size} \
            --json {output.figures:q} \
            --name {wildcards.run} \
            --tensorboard results/{wildcards.run}/tensorboard/validation \
            >{log:q} 2>&1
        tail -n 1 {log:q}
        """


rule join_history:
    """Put the history of a run and its validations into one file."""
    input:
        code=code("join_history.py"),
        histories=lambda wildcards: of_runs(rules.train_model.output.history, [wildcards.run]),
        validations=lambda wildcards: validations_of([wildcards.run]),
    output:
        history="results/{run}/history.jsonl",
    log:
        "results/logs/{run}/join_history.log",
    wildcard_constraints:
        run=one_of(config["runs"]),
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=10,
    message:
        "writing {output.history}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --history {input.histories:q} \
            --validation {input.validations:q} \
            --out {output.history:q} \
            >{log:q} 2>&1
        """
