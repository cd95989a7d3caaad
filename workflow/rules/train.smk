"""From records, and weights or the checkpoint before, to the next checkpoint; and how fast that goes.

Needs results/data/; makes results/<run>/checkpoints/epoch<e>/ and results/<run>/performance.json. The state that an interrupted segment resumes from lies
undeclared in results/<run>/checkpoints/state/, so that Snakemake leaves it alone.
"""

from densedepth import platforms


rule train_model:
    """Train a run from the kept epoch before this one to this one."""
    input:
        code=code("train.py", platforms.KINDS),
        records=rules.convert_records.output.records,
        side=rules.convert_records.output.side,
        start=start_files,
    output:
        index="results/{run}/checkpoints/epoch{epoch}/model.ckpt.index",
        data="results/{run}/checkpoints/epoch{epoch}/model.ckpt.data-00000-of-00001",
        pointer="results/{run}/checkpoints/epoch{epoch}/checkpoint",
        side="results/{run}/checkpoints/epoch{epoch}/model.json",
        history="results/{run}/checkpoints/epoch{epoch}/history.jsonl",
    log:
        "results/logs/{run}/train_epoch{epoch}.log",
    benchmark:
        "results/benchmarks/{run}/train_epoch{epoch}.tsv"
    wildcard_constraints:
        run=with_epochs(config["runs"]),
    conda:
        environment()
    threads: 8
    resources:
        python=tensorflow_python(),
        # Counted only where a profile says how many there are.
        npu=npus(),
        gpu=gpus(of_run("devices")),
        # Likewise: on one machine, every training takes the first devices.
        training=1,
        # On several nodes, one srun starts all ranks; on one, train.py does.
        launcher=launcher if config["devices_per_node"] else "",
        is_distributed=on_nodes(lambda wildcards: "true", "false"),
        mpi=on_nodes(lambda wildcards: "srun", None),
        # One for all devices of a machine: a scheduler could spread their GPUs otherwise.
        nodes=on_nodes(nodes, 1),
        tasks=on_nodes(of_run("devices"), None),
        tasks_per_gpu=on_nodes(lambda wildcards: 1 if config["gpus"] else None, None),
        # What changes no result (docs/architecture.md).
        besides=lambda wildcards: flags_besides(wildcards.run),
        mem_mb=training_memory,
        runtime=1440,
    params:
        initial_epoch=epoch_before,
        segment=segment_flags,
        # From the settings, also the devices, never from the threads, which Snakemake cuts to the cores at hand.
        settings=lambda wildcards: flags_of(wildcards.run),
    message:
        "training {wildcards.run} from epoch {params.initial_epoch} to {wildcards.epoch}"
    shell:
        """
        {resources.launcher} {resources.python:q} {input.code[0]:q} \
            --name {wildcards.run} \
            --is_distributed {resources.is_distributed} \
            --train_tfrecords {input.records:q} \
            {params.segment:q} \
            {params.settings:q} \
            {resources.besides} \
            2>&1 | (trap "" INT TERM && tee {log:q} | exec grep --line-buffered -a -v '^  --')
        """


use rule train_model as measure_training with:
    input:
        code=code("train.py", platforms.KINDS),
        records=rules.convert_records.output.records,
        side=rules.convert_records.output.side,
        single=single_device_speed,
    output:
        figures="results/{run}/performance.json",
    log:
        "results/logs/{run}/measure_training.log",
    benchmark:
        "results/benchmarks/{run}/measure_training.tsv"
    wildcard_constraints:
        run=one_of(config["runs"]),
    params:
        initial_epoch=0,
        segment=performance_flags,
    message:
        "measuring the training of {wildcards.run}"


for run in named_runs():

    rule:
        name:
            f"train_performance_{run}"
        input:
            f"results/{run}/performance.json",
