"""From weights of elsewhere to checkpoints.

Needs the files that `train.weights` of the runs name, and makes results/weights/<encoder>/; needs the files of whole networks
that `pretrained` names, and makes results/published/<name>/checkpoints/epoch0/, which `train.weights` may name too.
"""


rule import_weights:
    """Bring the weights of an encoder, as Keras or torchvision publishes them, into the form of a checkpoint."""
    input:
        code=code("import_weights.py"),
        weights=lambda wildcards: encoder_files()[wildcards.encoder],
    output:
        index="results/weights/{encoder}/model.ckpt.index",
        data="results/weights/{encoder}/model.ckpt.data-00000-of-00001",
        side="results/weights/{encoder}/weights.json",
    log:
        "results/logs/import_weights_{encoder}.log",
    wildcard_constraints:
        encoder=one_of(encoder_files()) or "(?!)",
    conda:
        environment()
    resources:
        python=tensorflow_python(),
        mem_mb=4000,
        runtime=30,
    message:
        "importing {input.weights}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --input {input.weights:q} \
            --encoder {wildcards.encoder} \
            --out results/weights/{wildcards.encoder} \
            >{log:q} 2>&1
        """


rule import_published:
    """Bring a whole pretrained network into the form of a checkpoint of epoch 0."""
    input:
        code=code("import_model.py"),
        network=lambda wildcards: published()[wildcards.run]["file"],
    output:
        index="results/{run}/checkpoints/epoch0/model.ckpt.index",
        data="results/{run}/checkpoints/epoch0/model.ckpt.data-00000-of-00001",
        pointer="results/{run}/checkpoints/epoch0/checkpoint",
        side="results/{run}/checkpoints/epoch0/model.json",
    log:
        "results/logs/{run}/import_published.log",
    wildcard_constraints:
        run=one_of(published()) or "(?!)",
    conda:
        environment()
    resources:
        python=tensorflow_python(),
        mem_mb=4000,
        runtime=30,
    params:
        folder=subpath(output.side, parent=True),
        said=import_flags,
    message:
        "importing {input.network}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --input {input.network:q} \
            --out {params.folder:q} \
            {params.said:q} \
            >{log:q} 2>&1
        """
