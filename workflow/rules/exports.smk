"""The network of a run for other frameworks, with what proves that it is the same.

Needs the checkpoint that the run exports, its frozen graph and their evaluation. Makes results/<run>/export/torch/,
results/<run>/exports/ with results/<run>/exports.md, and results/<run>/MODEL_CARD.md. Nothing here is part of `all`.
"""


rule export_torch:
    """Write the network of a run as a safetensors file, with the module that loads it in PyTorch."""
    input:
        code=code("export_torch.py"),
        module=os.path.join(HOME, "workflow", "scripts", "densedepth", "inference", "densedepth_torch.py"),
        index=exported_checkpoint("model.ckpt.index"),
        data=exported_checkpoint("model.ckpt.data-00000-of-00001"),
        side=exported_checkpoint("model.json"),
    output:
        network="results/{run}/export/torch/model.safetensors",
        side="results/{run}/export/torch/model.safetensors.json",
        module="results/{run}/export/torch/densedepth_torch.py",
    log:
        "results/logs/{run}/export_torch.log",
    conda:
        environment()
    resources:
        python=tensorflow_python(),
        mem_mb=4000,
        runtime=30,
    params:
        folder=subpath(input.side, parent=True),
    message:
        "writing {output.network}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --ckptdir {params.folder:q} \
            --out {output.network:q} \
            >{log:q} 2>&1
        """


rule write_model_card:
    """Write the model card of a run, or of a pretrained network, from what the results know."""
    input:
        code=code("model_card.py"),
        frozen="results/{run}/inference/frozen.json",
        baseline=rules.evaluate_baseline.output.figures,
        side=exported_checkpoint("model.json"),
        graph="results/{run}/export/model.pb.json",
        data=lambda wildcards: [] if wildcards.run in published() else "results/data/nyu_train.json",
        exports=exports_beside,
        proved=lambda wildcards: there_or_asked([f"results/{wildcards.run}/exports.json"]),
    output:
        card="results/{run}/MODEL_CARD.md",
    log:
        "results/logs/{run}/write_model_card.log",
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=10,
    params:
        license=lookup(dpath="model_card/license", within=config),
        data_license=lookup(dpath="model_card/data_license", within=config),
        data_name=lookup(dpath="model_card/data_name", within=config),
        data=lambda wildcards, input: ["--data", input.data] if input.data else [],
        proved=lambda wildcards, input: ["--exports", *input.proved] if input.proved else [],
    message:
        "writing {output.card}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --name {wildcards.run:q} \
            --out {output.card:q} \
            --frozen {input.frozen:q} \
            --baseline {input.baseline:q} \
            --checkpoint {input.side:q} \
            {params.data:q} \
            --export {input.graph:q} {input.exports:q} \
            {params.proved:q} \
            --license={params.license:q} \
            --data_license={params.data_license:q} \
            --data_name={params.data_name:q} \
            >{log:q} 2>&1
        """


rule prove_exports:
    """Export the frozen graph of a run for other runtimes, and compare all with it: depth, metrics, size, speed."""
    input:
        code=code("export_matrix.py"),
        graph="results/{run}/export/model.pb",
        side="results/{run}/export/model.pb.json",
        test=test_archive(),
        records=lambda wildcards: [] if wildcards.run in published() else "results/data/nyu_train.json",
    output:
        exports=directory("results/{run}/exports"),
        table="results/{run}/exports.md",
        figures="results/{run}/exports.json",
    log:
        "results/logs/{run}/prove_exports.log",
    benchmark:
        "results/benchmarks/{run}/prove_exports.tsv"
    conda:
        "../../envs/exports.yaml"
    threads: 2
    resources:
        python=onnx_python(),
        mem_mb=8000,
        runtime=720,
    params:
        records=lambda wildcards, input: ["--records", "results/data/nyu_train.tfrecords"] if input.records else [],
        kinds=["--kinds", *config["exports"]["kinds"]] if config["exports"]["kinds"] else [],
        images=lookup(dpath="exports/calibration_images", within=config),
        difference=lookup(dpath="exports/max_difference", within=config),
        loss=lookup(dpath="exports/max_loss", within=config),
        opset=lookup(dpath="onnx/opset", within=config),
        protocols=lookup(dpath="evaluate/protocols", within=config),
    message:
        "exporting {input.graph} for other runtimes"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.graph:q} \
            --test_data {input.test:q} \
            {params.records:q} \
            --images {params.images} \
            {params.kinds:q} \
            --max_difference {params.difference} \
            --max_loss {params.loss} \
            --opset {params.opset} \
            --protocols {params.protocols:q} \
            --out {output.exports:q} \
            --table {output.table:q} \
            2>&1 | tee {log:q}
        """
