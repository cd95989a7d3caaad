"""From Keras' DenseNet weights to a checkpoint of the encoder.

Needs the .h5 file that `train.weights` names; makes results/weights/<encoder>/.
"""


rule import_weights:
    """Bring the weights of an encoder, as Keras publishes them, into the form of a checkpoint."""
    input:
        code=code("import_weights.py"),
        weights=config["train"]["weights"] or [],
    output:
        index="results/weights/{encoder}/model.ckpt.index",
        data="results/weights/{encoder}/model.ckpt.data-00000-of-00001",
        side="results/weights/{encoder}/weights.json",
    log:
        "results/logs/import_weights_{encoder}.log",
    wildcard_constraints:
        encoder="densenet(121|169|201)",
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
        {resources.python:q} workflow/scripts/import_weights.py \
            --input {input.weights:q} \
            --encoder {wildcards.encoder} \
            --out results/weights/{wildcards.encoder} \
            >{log:q} 2>&1
        """
