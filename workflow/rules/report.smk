"""From the JSON files of all stages before to the report.

Needs the figures of the baseline, of every kept checkpoint and frozen graph of every run, and the galleries; makes
results/report.md, results/report.html and the curves in results/report/, and the same of each sweep's runs alone in
results/sweeps/<sweep>/. Of a pretrained network the figures of
its evaluation and its frozen graph, and its gallery, are enough for results/published/<name>/report.md and .html; of
what other programs predicted, the scores for results/external/report.md and .html.
"""


rule write_report:
    """Write the report of all runs: precision, speed, curves, test scenes, settings and versions."""
    input:
        *validations_to_wait_for(reported_runs),
        baseline=rules.evaluate_baseline.output.figures,
        checkpoints=of_reported(rules.train_model.output.side),
        code=code("report.py"),
        data=rules.convert_records.output.side,
        deployed=lambda wildcards: deployed_graphs([*reported_runs(wildcards), *networks_beside(wildcards)]),
        evaluations=of_reported(rules.evaluate_checkpoint.output.figures),
        external=scores_beside,
        frozen=of_reported(rules.infer_frozen_graph.output.figures),
        frozen_elsewhere=of_networks(rules.infer_frozen_graph.output.figures),
        galleries=of_reported(rules.draw_gallery.output.side),
        galleries_elsewhere=of_networks(rules.draw_gallery.output.side),
        histories=of_reported(rules.train_model.output.history),
        # `snakemake train_performance_1p` makes one.
        performance=of_reported("results/{run}/performance.json", there),
        robustness=robustness_beside,
        thumbnails=of_reported(rules.infer_frozen_graph.output.thumbnails),
        thumbnails_elsewhere=of_networks(rules.infer_frozen_graph.output.thumbnails),
        published=of_networks("results/{run}/evaluation/epoch0.json"),
        validations=lambda wildcards: validations_of(reported_runs(wildcards)),
        weights=weights_sides,
    output:
        curves=[
            report(
                f"results/report/loss_{run}.png",
                caption="../report/curves.rst",
                category="Curves",
                labels={"run": run, "curve": "loss"},
            )
            for run in named_runs()
        ],
        metrics=[
            report(
                f"results/report/metrics_{run}.png",
                caption="../report/metrics.rst",
                category="Curves",
                labels={"run": run, "curve": "metrics"},
            )
            for run in named_runs()
        ],
        pictures=[
            f"results/report/{name}.png"
            for name in (
                *compared(named_runs()),
                *worse_pictures([*named_runs(), *evaluated_networks(), *networks_of_others()]),
            )
        ],
        page=report(
            "results/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "tables, curves and scenes of all runs"},
        ),
        text="results/report.md",
    log:
        "results/logs/write_report.log",
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=10,
    params:
        figures=lambda wildcards, output: os.path.dirname(output.curves[0]),
        settings=lambda wildcards: settings_told(reported_runs(wildcards)),
    message:
        "writing {output.text}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --out {output.text:q} \
            --html {output.page:q} \
            --figures {params.figures:q} \
            --baseline {input.baseline:q} \
            --evaluation {input.evaluations:q} \
            --checkpoint {input.checkpoints:q} \
            --history {input.histories:q} \
            --frozen {input.frozen:q} {input.frozen_elsewhere:q} \
            --deployed {input.deployed:q} \
            --performance {input.performance:q} \
            --robustness {input.robustness:q} \
            --gallery {input.galleries:q} {input.galleries_elsewhere:q} \
            --published {input.published:q} \
            --external {input.external:q} \
            --thumbnails {input.thumbnails:q} {input.thumbnails_elsewhere:q} \
            --data {input.data:q} \
            --weights {input.weights:q} \
            --validation {input.validations:q} \
            --settings - \
            <<<{params.settings:q} >{log:q} 2>&1
sed '1,/^$/d' {log:q}
        """


use rule write_report as report_sweep with:
    output:
        figures=report(
            directory("results/sweeps/{sweep}/figures"),
            patterns=["{picture}.png"],
            caption="../report/curves.rst",
            category="Sweeps",
            labels={"sweep": "{sweep}", "picture": "{picture}"},
        ),
        page=report(
            "results/sweeps/{sweep}/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"page": "tables, curves and scenes of the sweep {sweep}"},
        ),
        text="results/sweeps/{sweep}/report.md",
    log:
        "results/logs/sweeps/{sweep}/report_sweep.log",
    wildcard_constraints:
        sweep=one_of(config["sweeps"]) or "(?!)",
    params:
        figures=lambda wildcards, output: output.figures,


rule report_published:
    """Write the report of one pretrained network; no run of this project is needed for it."""
    input:
        baseline=rules.evaluate_baseline.output.figures,
        code=code("report.py"),
        deployed=lambda wildcards: deployed_graphs([wildcards.run]),
        frozen=rules.infer_frozen_graph.output.figures,
        gallery=rules.draw_gallery.output.side,
        published="results/{run}/evaluation/epoch0.json",
        robustness=lambda wildcards: there_or_asked(["results/{}/robustness.json".format(wildcards.run)]),
        thumbnails=rules.infer_frozen_graph.output.thumbnails,
    output:
        figures=directory("results/{run}/figures"),
        page="results/{run}/report.html",
        text="results/{run}/report.md",
    log:
        "results/logs/{run}/report_published.log",
    wildcard_constraints:
        run=one_of(published()) or "(?!)",
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=10,
    params:
        settings=network_settings,
    message:
        "writing {output.text}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --out {output.text:q} \
            --html {output.page:q} \
            --figures {output.figures:q} \
            --baseline {input.baseline:q} \
            --published {input.published:q} \
            --robustness {input.robustness:q} \
            --frozen {input.frozen:q} \
            --deployed {input.deployed:q} \
            --gallery {input.gallery:q} \
            --thumbnails {input.thumbnails:q} \
            --settings - \
            <<<{params.settings:q} >{log:q} 2>&1
sed '1,/^$/d' {log:q}
        """


rule report_external:
    """Write the report of what other programs predicted; no run of this project is needed for it."""
    input:
        baseline=rules.evaluate_baseline.output.figures,
        code=code("report.py"),
        external=expand(rules.score_predictions.output.figures, external=config["external"]),
        robustness=there(f"results/{place}/robustness.json" for place in networks_of_others()),
    output:
        pictures=[f"results/external/report/{name}.png" for name in worse_pictures(networks_of_others())],
        page="results/external/report.html",
        text="results/external/report.md",
    log:
        "results/logs/report_external.log",
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=1000,
        runtime=10,
    params:
        figures=subpath(output.page, strip_suffix=".html"),
        settings=json.dumps({key: config[key] for key in ("evaluate", "external")}, sort_keys=True),
    message:
        "writing {output.text}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --out {output.text:q} \
            --html {output.page:q} \
            --figures {params.figures:q} \
            --baseline {input.baseline:q} \
            --external {input.external:q} \
            --robustness {input.robustness:q} \
            --settings - \
            <<<{params.settings:q} >{log:q} 2>&1
sed '1,/^$/d' {log:q}
        """
