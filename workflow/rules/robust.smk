"""How the figures of a run's exported network fall when the test images are made worse. Nothing of it is part of `all`.

Needs the frozen graph and the test archive; makes results/<run>/robustness.json. Where `make corruptions` has been run,
the common corruptions of ImageNet-C are among them.
"""


rule measure_robustness:
    """Measure the frozen graph on corrupted test images."""
    input:
        code=code("measure_robustness.py"),
        graph="results/{run}/export/model.pb",
        side="results/{run}/export/model.pb.json",
        test=test_archive(),
    output:
        figures="results/{run}/robustness.json",
    log:
        "results/logs/{run}/measure_robustness.log",
    benchmark:
        "results/benchmarks/{run}/measure_robustness.tsv"
    wildcard_constraints:
        run=one_of(config["runs"]),
    conda:
        environment()
    threads: 2
    resources:
        python=tensorflow_python(),
        gpu=gpus(1),
        library=corruptions_python(),
        mem_mb=4000,
        runtime=600,
    params:
        images=32,
        imagenet_c=bool(corruptions_python()),
    message:
        "measuring the robustness of {input.graph}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.graph:q} \
            --test_data {input.test:q} \
            --images {params.images:q} \
            --library {resources.library:q} \
            --json {output.figures:q} \
            >{log:q} 2>&1
        tail -n 1 {log:q}
        """
