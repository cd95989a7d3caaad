"""From nothing, an address or an archive to training records.

Needs nothing for the embedded sample, else the archives of the config or addresses for them under `downloads`.
Makes results/sample/, files below dataset/, and results/data/nyu_train*.tfrecords with nyu_train.json.
"""


rule make_sample:
    """Draw rooms with exact depth and write them as archives in the formats of NYU Depth v2."""
    input:
        code=code("make_sample.py"),
    output:
        train="results/sample/nyu_data.zip",
        test="results/sample/nyu_test.zip",
        examples=expand("results/sample/examples/{i}.png", i=range(1, 5)),
    log:
        "results/logs/make_sample.log",
    benchmark:
        "results/benchmarks/make_sample.tsv"
    conda:
        environment()
    threads: 8
    resources:
        python=plain_python(),
        mem_mb=2000,
        runtime=60,
    params:
        train_scenes=lookup(dpath="sample/train_scenes", within=config),
        test_scenes=lookup(dpath="sample/test_scenes", within=config),
        seed=lookup(dpath="sample/seed", within=config),
    message:
        "drawing the embedded sample: {params.train_scenes} training and {params.test_scenes} test scenes"
    shell:
        """
        {resources.python:q} workflow/scripts/make_sample.py \
            --out results/sample \
            --train_scenes {params.train_scenes} \
            --test_scenes {params.test_scenes} \
            --seed {params.seed} \
            --workers {threads} \
            >{log:q} 2>&1
        """


rule download_file:
    """Fetch a file that the config lists and that is not there, and check its sum."""
    input:
        code=ancient(code("download.py")),
    output:
        file=ensure("dataset/{name}", non_empty=True),
    log:
        "results/logs/download/{name}.log",
    wildcard_constraints:
        name=one_of(missing_downloads()) or "(?!)",
    localrule: True
    conda:
        environment()
    resources:
        python=plain_python(),
        mem_mb=500,
        runtime=720,
    params:
        urls=lambda wildcards: config["downloads"]["dataset/{}".format(wildcards.name)]["urls"],
        sums=sums,
    message:
        "downloading {output.file}"
    shell:
        """
        {resources.python:q} workflow/scripts/download.py \
            --url {params.urls:q} \
            --out {output.file:q} \
            {params.sums:q} \
            >{log:q} 2>&1
        """


rule downloads:
    """Target for all files that the config lists: `snakemake downloads` fetches what is not there."""
    input:
        files=list(config["downloads"]),
    localrule: True


rule convert_records:
    """Write the pairs of the training archive, shuffled once, as TFRecord files."""
    input:
        archive=lookup(dpath="data/train_archive", within=config),
        code=code("dataset_tool_tf.py"),
    output:
        records=record_shards(),
        side="results/data/nyu_train.json",
    log:
        "results/logs/convert_records.log",
    benchmark:
        "results/benchmarks/convert_records.tsv"
    conda:
        environment()
    threads: 4
    resources:
        python=tensorflow_python(),
        mem_mb=4000,
        runtime=240,
    params:
        shards=lookup(dpath="data/shards", within=config),
        seed=lookup(dpath="seed", within=config),
    message:
        "converting {input.archive} to {params.shards} record files"
    shell:
        """
        {resources.python:q} workflow/scripts/dataset_tool_tf.py \
            --input_dir {input.archive:q} \
            --out results/data/nyu_train.tfrecords \
            --shards {params.shards} \
            --seed {params.seed} \
            --workers {threads} \
            >{log:q} 2>&1
        """
