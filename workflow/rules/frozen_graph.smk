"""From the checkpoint that a run exports to a frozen graph, and what the frozen graph gives.

Needs that checkpoint, the test archive and the example images; makes results/<run>/export/model.pb, and in
results/<run>/inference, results/<run>/gallery and results/predictions the figures and images that the frozen graph
gives.
"""


rule freeze_graph:
    """Freeze the checkpoint that a run exports into one file that needs no code of this project."""
    input:
        code=code("ckpt2pb.py"),
        index=exported_checkpoint("model.ckpt.index"),
        data=exported_checkpoint("model.ckpt.data-00000-of-00001"),
        side=exported_checkpoint("model.json"),
    output:
        graph="results/{run}/export/model.pb",
        saved_model=directory("results/{run}/export/saved_model"),
        side="results/{run}/export/model.pb.json",
    log:
        "results/logs/{run}/freeze_graph.log",
    conda:
        environment()
    resources:
        python=tensorflow_python(),
        mem_mb=4000,
        runtime=30,
    params:
        folder=subpath(input.side, parent=True),
        node="conv3/BiasAdd",
        fold=lookup(dpath="inference/fold", within=config),
        # 0: any.
        batch_size=config["inference"]["fixed_batch"] * config["inference"]["batch_size"],
    message:
        "freezing {params.folder}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --ckptdir {params.folder:q} \
            --pbdir results/{wildcards.run}/export \
            --output_node_names {params.node} \
            --pb_name model \
            --bs {params.batch_size:q} \
            --fold {params.fold} \
            --saved_model true \
            >{log:q} 2>&1
        """


rule infer_frozen_graph:
    """Measure precision and speed of the frozen graph on the test archive."""
    input:
        code=code("infer_from_pb.py"),
        graph="results/{run}/export/model.pb",
        side="results/{run}/export/model.pb.json",
        test=test_archive(),
    output:
        figures="results/{run}/inference/frozen.json",
        thumbnails="results/{run}/inference/thumbnails.npz",
    log:
        "results/logs/{run}/infer_frozen_graph.log",
    benchmark:
        "results/benchmarks/{run}/infer_frozen_graph.tsv"
    conda:
        environment()
    threads: 2
    resources:
        python=tensorflow_python(),
        gpu=gpus(1),
        mem_mb=6000,
        runtime=240,
    params:
        batch_size=lookup(dpath="inference/batch_size", within=config),
    message:
        "evaluating {input.graph}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --bs {params.batch_size} \
            --model_path {input.graph:q} \
            --image_path {input.test:q} \
            --input_tensor_name input_1:0 \
            --output_tensor_name conv3/BiasAdd:0 \
            --json {output.figures:q} \
            --thumbnails {output.thumbnails:q} \
            >{log:q} 2>&1
        """


rule predict_examples:
    """Draw the panel of the example images: input, predicted depth in colour, scale."""
    input:
        code=code("test.py"),
        examples=lookup(dpath="data/examples", within=config),
        graph="results/{run}/export/model.pb",
        side="results/{run}/export/model.pb.json",
    output:
        panel=report(
            "results/{run}/inference/examples.png",
            caption="../report/examples.rst",
            category="Images",
            labels={"run": "{run}", "image": "examples"},
        ),
    log:
        "results/logs/{run}/predict_examples.log",
    conda:
        environment()
    resources:
        python=tensorflow_python(),
        gpu=gpus(1),
        mem_mb=4000,
        runtime=30,
    message:
        "predicting the examples with {input.graph}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --ckptdir {input.graph:q} \
            --input {input.examples:q} \
            --output {output.panel:q} \
            >{log:q} 2>&1
        """


rule predict_pictures:
    """Predict the depth of photos, in metres, with panels and point clouds."""
    input:
        code=code("predict.py"),
        graph=lambda wildcards: "results/{}/export/model.pb".format(predicting_run(wildcards)),
        side=lambda wildcards: "results/{}/export/model.pb.json".format(predicting_run(wildcards)),
        pictures=prediction_inputs,
    output:
        folder=directory("results/predictions/{pictures}"),
    log:
        "results/logs/predictions/{pictures}.log",
    benchmark:
        "results/benchmarks/predictions/{pictures}.tsv"
    wildcard_constraints:
        pictures=one_of(config["predictions"]) or "(?!)",
    conda:
        environment()
    threads: 2
    resources:
        python=tensorflow_python(),
        gpu=gpus(1),
        mem_mb=6000,
        runtime=720,
    params:
        # Not the images themselves: ten thousand names do not fit a command line.
        words=predicted("input"),
        batch_size=lookup(dpath="inference/batch_size", within=config),
        flip_average=predicted("flip_average", True),
        more=prediction_flags,
    message:
        "predicting {wildcards.pictures} with {input.graph}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.graph:q} \
            --input {params.words:q} \
            --out {output.folder:q} \
            --bs {params.batch_size} \
            --flip_average {params.flip_average:q} \
            {params.more:q} \
            2>&1 | (trap "" INT TERM && exec tee {log:q})
        """


rule draw_gallery:
    """Draw test scenes: input, ground truth, prediction and error."""
    input:
        code=code("draw_gallery.py"),
        evaluation="results/{run}/inference/frozen.json",
        graph="results/{run}/export/model.pb",
        side="results/{run}/export/model.pb.json",
        test=test_archive(),
    output:
        scenes=[
            report(
                f"results/{{run}}/gallery/{name}.png",
                caption="../report/gallery.rst",
                category="Images",
                labels={"run": "{run}", "image": name.replace("_", " ")},
            )
            for name in gallery_scenes()
        ],
        data=expand("results/{{run}}/gallery/{name}.npz", name=gallery_scenes()),
        side="results/{run}/gallery/gallery.json",
    log:
        "results/logs/{run}/draw_gallery.log",
    conda:
        environment()
    resources:
        python=tensorflow_python(),
        gpu=gpus(1),
        mem_mb=4000,
        runtime=60,
    params:
        pictures=lookup(dpath="report/gallery", within=config),
    message:
        "drawing {params.pictures} test scenes of {wildcards.run}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.graph:q} \
            --test_data {input.test:q} \
            --count {params.pictures} \
            --evaluation {input.evaluation:q} \
            --out results/{wildcards.run}/gallery \
            --name {wildcards.run} \
            >{log:q} 2>&1
        """
