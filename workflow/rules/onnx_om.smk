"""From the frozen graph to other runtimes: ONNX, and OM for Ascend.

Needs results/<run>/export/model.pb and the test archive. Makes results/<run>/export/model.onnx and model.om, and what
they give: results/<run>/inference/onnx.json and om.json, results/<run>/om/. Nothing here is part of `all`: ONNX needs
`make onnx`, OM needs CANN.
"""


rule export_onnx:
    """Write the frozen graph of a run as an ONNX file and compare their depth."""
    input:
        code=code("export_onnx.py"),
        graph="results/{run}/export/model.pb",
        side="results/{run}/export/model.pb.json",
    output:
        network="results/{run}/export/model.onnx",
        side="results/{run}/export/model.onnx.json",
    log:
        "results/logs/{run}/export_onnx.log",
    conda:
        "../../envs/onnx.yaml"
    resources:
        python=onnx_python(),
        mem_mb=4000,
        runtime=60,
    params:
        opset=lookup(dpath="onnx/opset", within=config),
    message:
        "writing {output.network}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.graph:q} \
            --out {output.network:q} \
            --opset {params.opset} \
            2>&1 | tee {log:q}
        """


rule infer_onnx:
    """Measure precision and speed of the ONNX file in ONNX Runtime on the test archive."""
    input:
        code=code("infer_from_pb.py"),
        network="results/{run}/export/model.onnx",
        side="results/{run}/export/model.onnx.json",
        test=test_archive(),
    output:
        figures="results/{run}/inference/onnx.json",
    log:
        "results/logs/{run}/infer_onnx.log",
    benchmark:
        "results/benchmarks/{run}/infer_onnx.tsv"
    conda:
        "../../envs/onnx.yaml"
    threads: 2
    resources:
        python=onnx_python(),
        mem_mb=6000,
        runtime=240,
    params:
        batch_size=lookup(dpath="inference/batch_size", within=config),
    message:
        "evaluating {input.network}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --bs {params.batch_size:q} \
            --model_path {input.network:q} \
            --image_path {input.test:q} \
            --json {output.figures:q} \
            >{log:q} 2>&1
        """


rule export_om:
    """Convert the network of a run for Ascend by CANN's atc."""
    input:
        code=code("export_om.py"),
        graph=om_source(),
        side=om_source() + ".json",
    output:
        network="results/{run}/export/model.om",
        side="results/{run}/export/model.om.json",
    log:
        "results/logs/{run}/export_om.log",
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=16000,
        runtime=120,
    params:
        soc_version=lookup(dpath="om/soc_version", within=config),
        precision_mode=lookup(dpath="om/precision_mode", within=config),
        batch_size=om_batch(),
        flags=om_flags(),
    message:
        "converting {input.graph} for {params.soc_version}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.graph:q} \
            --out {output.network:q} \
            --soc_version {params.soc_version:q} \
            --precision_mode {params.precision_mode} \
            --bs {params.batch_size:q} {params.flags:q} \
            2>&1 | tee {log:q}
        """


rule write_batches:
    """Write the test images and their mirror images as raw batches for offline inference."""
    input:
        code=code("write_batches.py"),
        side="results/{run}/export/model.pb.json",
        test=test_archive(),
    output:
        folder=temp(directory("results/{run}/om/input")),
    log:
        "results/logs/{run}/write_batches.log",
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=2000,
        runtime=60,
    params:
        batch_size=om_batch(),
        flags=["--uint8"] if config["om"]["uint8"] else [],
    message:
        "writing {input.test} as batches"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --test_data {input.test:q} \
            --out {output.folder:q} \
            --size_of {input.side:q} \
            --bs {params.batch_size:q} {params.flags:q} \
            >{log:q} 2>&1
        """


rule run_om:
    """Run the OM file over the batches on an Ascend device."""
    input:
        code=code("run_om.py"),
        batches="results/{run}/om/input",
        network="results/{run}/export/model.om",
        side="results/{run}/export/model.om.json",
    output:
        folder=directory("results/{run}/om/output"),
    log:
        "results/logs/{run}/run_om.log",
    benchmark:
        "results/benchmarks/{run}/run_om.tsv"
    conda:
        environment()
    resources:
        # That of the Ascend host, where ais_bench is installed.
        python=tensorflow_python(),
        npu=1 if config["platform"] == "ascend" else 0,
        mem_mb=8000,
        runtime=120,
    params:
        tool=lookup(dpath="om/tool", within=config),
        device=lookup(dpath="om/device", within=config),
    message:
        "running {input.network} by {params.tool}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.network:q} \
            --input {input.batches:q} \
            --out {output.folder:q} \
            --tool {params.tool} \
            --device {params.device} \
            2>&1 | tee {log:q}
        """


rule score_om:
    """Measure the precision of the outputs of the OM file, and draw scenes."""
    input:
        code=code("score_om.py"),
        outputs="results/{run}/om/output",
        test=test_archive(),
    output:
        figures="results/{run}/inference/om.json",
        gallery=directory("results/{run}/om/gallery"),
    log:
        "results/logs/{run}/score_om.log",
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=6000,
        runtime=60,
    params:
        pictures=lookup(dpath="report/gallery", within=config),
    message:
        "evaluating {input.outputs}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --outputs {input.outputs:q} \
            --test_data {input.test:q} \
            --json {output.figures:q} \
            --gallery {output.gallery:q} \
            --count {params.pictures} \
            --name {wildcards.run} \
            >{log:q} 2>&1
        """
