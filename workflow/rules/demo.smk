"""A page that runs the network of a run in the browser.

Needs results/<run>/export/model.onnx, and ONNX Runtime Web, which npm fetches into dataset/ where it is not there.
Makes results/<run>/demo/. Nothing here is part of `all`.
"""


rule export_demo:
    """Write the page that runs the network of a run in the browser, with all that it needs beside it."""
    input:
        code=code("export_demo.py"),
        network="results/{run}/export/model.onnx",
        side="results/{run}/export/model.onnx.json",
    output:
        folder=directory("results/{run}/demo"),
    log:
        "results/logs/{run}/export_demo.log",
    # Fetches a package of npm's registry.
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=30,
    message:
        "writing {output.folder}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --model_path {input.network:q} \
            --name {wildcards.run:q} \
            --out {output.folder:q} \
            2>&1 | tee {log:q}
        """
