"""How a network's figures fall when the test images are made worse. Nothing of it is part of `all`.

Needs the frozen graph of a run or a pretrained network, or the ONNX file of another program's network, and the test
archive; makes results/<run>/robustness.json, or results/external/<name>/robustness.json. Where `make corruptions` has been run,
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
            2>&1 | (trap "" INT TERM && tee {log:q} | exec grep --line-buffered -a -v '^  --')
        """


rule measure_external_robustness:
    """Measure a network of another program on corrupted test images."""
    input:
        code=code("measure_robustness.py"),
        network=external_network,
        test=test_archive(),
    output:
        figures="results/external/{external}/robustness.json",
    log:
        "results/logs/external/{external}_robustness.log",
    benchmark:
        "results/benchmarks/external/{external}_robustness.tsv"
    wildcard_constraints:
        external=one_of(config["external"]) or "(?!)",
    conda:
        "../../envs/onnx.yaml"
    threads: 2
    resources:
        python=onnx_python(),
        library=corruptions_python(),
        mem_mb=4000,
        runtime=600,
    params:
        alignment=external("alignment", "none"),
        flags=external_flags,
        images=32,
        imagenet_c=bool(corruptions_python()),
        trust_unit=external("trust_unit", False),
        unit=external("unit"),
    message:
        "measuring the robustness of {wildcards.external}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            {params.flags:q} \
            --unit {params.unit:q} \
            --alignment {params.alignment:q} \
            --trust_unit {params.trust_unit:q} \
            --test_data {input.test:q} \
            --images {params.images:q} \
            --library {resources.library:q} \
            --json {output.figures:q} \
            2>&1 | (trap "" INT TERM && tee {log:q} | exec grep --line-buffered -a -v '^  --')
        """
