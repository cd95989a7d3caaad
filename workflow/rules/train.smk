"""From records, and weights or the checkpoint before, to the next checkpoint; and how fast that goes.

Needs results/data/; makes results/<run>/checkpoints/epoch<e>/ and results/<run>/performance.json. The state that an interrupted segment resumes from lies
undeclared in results/<run>/checkpoints/state/, so that Snakemake leaves it alone.
"""


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
        platform=lookup(dpath="platform", within=config),
        # Counted only where a profile says how many there are.
        npu=npus(),
        gpu=gpus(of_run("devices")),
        # Likewise: on one machine, every training takes the first devices.
        training=1,
        # On several nodes, one srun starts all ranks; on one, train.py does.
        launcher=launcher,
        is_distributed=lambda wildcards: "true" if nodes(wildcards) else "false",
        mpi=lambda wildcards: "srun" if nodes(wildcards) else None,
        # One for all devices of a machine: a scheduler could spread their GPUs otherwise.
        nodes=lambda wildcards: nodes(wildcards) or 1,
        tasks=lambda wildcards: of_run("devices")(wildcards) if nodes(wildcards) else None,
        tasks_per_gpu=lambda wildcards: 1 if config["gpus"] and nodes(wildcards) else None,
        # From here on, what changes no result (docs/architecture.md).
        state_minutes=of_run("train/state_minutes"),
        # It only says of how many epochs this is one.
        run_epochs=of_run("train/epochs"),
        rank_timeout=of_run("train/rank_timeout"),
        npu_addresses=shlex.join(npu_address_flags()),
        npu_options=shlex.join(npu_flags(numbers=False)),
        hcom_parallel=lambda wildcards: str(of_run("train/hcom_parallel")(wildcards)).lower(),
        must_have_gpus=str(config["gpus"]).lower(),
        mem_mb=training_memory,
        runtime=1440,
    params:
        # From the settings, never from the threads, which Snakemake cuts to the cores at hand.
        devices=of_run("devices"),
        steps_per_device=of_run("steps_per_device"),
        initial_epoch=epoch_before,
        segment=segment_flags,
        start=start_flags,
        learning_rate=of_run("train/learning_rate"),
        lr_decay=of_run("train/lr_decay"),
        recipe=recipe_flags,
        batch_size=of_run("train/batch_size"),
        steps=of_run("train/steps"),
        height=of_run("data/height"),
        width=of_run("data/width"),
        max_depth=max_depth_cm(),
        halving=halving,
        mirror_probability=of_run("train/mirror_probability"),
        swap_probability=of_run("train/channel_shuffle_probability"),
        encoder=of_run("model/encoder"),
        decoder=of_run("model/decoder"),
        upsampling=of_run("model/upsampling"),
        mid_activation=of_run("model/mid_activation"),
        batch_norm_momentum=of_run("train/batch_norm_momentum"),
        seed=of_run("seed"),
        log_every=of_run("train/log_every"),
        precision_mode=of_run("train/precision_mode"),
        op_select_implmode=of_run("train/op_select_implmode"),
        is_loss_scale=of_run("train/is_loss_scale"),
        npu_options=npu_flags(numbers=True),
    message:
        "training {wildcards.run} from epoch {params.initial_epoch} to {wildcards.epoch}"
    shell:
        """
        {resources.launcher} {resources.python:q} {input.code[0]:q} \
            --name {wildcards.run} \
            --devices {params.devices} \
            --is_distributed {resources.is_distributed} \
            --steps_per_device {params.steps_per_device} \
            --train_tfrecords {input.records:q} \
            {params.segment} \
            {params.start:q} \
            --lr {params.learning_rate} \
            --lr_decay {params.lr_decay} \
            {params.recipe:q} \
            --bs {params.batch_size} \
            --steps {params.steps:q} \
            --maxdepth {params.max_depth:q} \
            --size {params.height} {params.width} \
            --halving {params.halving:q} \
            --mirror_probability {params.mirror_probability} \
            --swap_probability {params.swap_probability} \
            --encoder {params.encoder} \
            --decoder {params.decoder} \
            --upsampling {params.upsampling} \
            --mid_activation {params.mid_activation} \
            --batch_norm_momentum {params.batch_norm_momentum} \
            --seed {params.seed} \
            --log_every {params.log_every} \
            --state_minutes {resources.state_minutes} \
            --rank_timeout {resources.rank_timeout} \
            --precision_mode {params.precision_mode} \
            --op_select_implmode {params.op_select_implmode} \
            --is_loss_scale {params.is_loss_scale} \
            --hcom_parallel {resources.hcom_parallel} \
            --platform {resources.platform} \
            --gpus {resources.must_have_gpus} \
            {params.npu_options:q} \
            {resources.npu_options} \
            {resources.npu_addresses} \
            --run_epochs {resources.run_epochs} \
            2>&1 | (trap "" INT TERM && tee {log:q} | exec grep --line-buffered -v '^  --')
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
        start=[],
        steps=of_run("train/performance_steps"),
    message:
        "measuring {params.steps} steps of {wildcards.run}"


for run in named_runs():

    rule:
        name:
            f"train_performance_{run}"
        input:
            f"results/{run}/performance.json",
