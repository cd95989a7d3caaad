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
        run=one_of(config["runs"]),
        epoch=one_of(map(str, kept_epochs())),
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
        state_minutes=lookup(dpath="train/state_minutes", within=config),
        # It only says of how many epochs this is one.
        run_epochs=lookup(dpath="train/epochs", within=config),
        rank_timeout=lookup(dpath="train/rank_timeout", within=config),
        npu_addresses=shlex.join(npu_address_flags()),
        npu_options=shlex.join(npu_flags(numbers=False)),
        hcom_parallel=str(config["train"]["hcom_parallel"]).lower(),
        must_have_gpus=str(config["gpus"]).lower(),
        mem_mb=training_memory,
        runtime=1440,
    params:
        # From the settings, never from the threads, which Snakemake cuts to the cores at hand.
        devices=of_run("devices"),
        steps_per_device=of_run("steps_per_device", False),
        initial_epoch=epoch_before,
        segment=segment_flags,
        start=start_flags,
        learning_rate=lookup(dpath="train/learning_rate", within=config),
        lr_decay=lookup(dpath="train/lr_decay", within=config),
        batch_size=lookup(dpath="train/batch_size", within=config),
        steps=lookup(dpath="train/steps", within=config),
        height=lookup(dpath="data/height", within=config),
        width=lookup(dpath="data/width", within=config),
        max_depth=max_depth_cm(),
        halving=halving(),
        mirror_probability=lookup(dpath="train/mirror_probability", within=config),
        swap_probability=lookup(dpath="train/channel_shuffle_probability", within=config),
        encoder=lookup(dpath="model/encoder", within=config),
        decoder=lookup(dpath="model/decoder", within=config),
        upsampling=lookup(dpath="model/upsampling", within=config),
        mid_activation=lookup(dpath="model/mid_activation", within=config),
        batch_norm_momentum=lookup(dpath="train/batch_norm_momentum", within=config),
        seed=lookup(dpath="seed", within=config),
        log_every=lookup(dpath="train/log_every", within=config),
        precision_mode=lookup(dpath="train/precision_mode", within=config),
        op_select_implmode=lookup(dpath="train/op_select_implmode", within=config),
        is_loss_scale=lookup(dpath="train/is_loss_scale", within=config),
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
        steps=lookup(dpath="train/performance_steps", within=config),
    message:
        "measuring {params.steps} steps of {wildcards.run}"


for run in config["runs"]:

    rule:
        name:
            f"train_performance_{run}"
        input:
            f"results/{run}/performance.json",
