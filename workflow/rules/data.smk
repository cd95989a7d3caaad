"""From nothing, an address or an archive to training records.

Needs nothing for the embedded sample, else the archives of the config or addresses for them under `downloads`, or
custom RGB-D pairs. Makes results/sample/, files below dataset/, and in results/data/ nyu_train*.tfrecords with
nyu_train.json, the list and the test archive of custom data, and what `check_data` draws.
"""


rule make_sample:
    """Render synthetic rooms with exact depth, as archives in the formats of NYU Depth v2."""
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
        "rendering the embedded sample: {params.train_scenes} training and {params.test_scenes} test scenes"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
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
        # Changes no result (docs/architecture.md).
        cache=config["download_cache"],
        mem_mb=500,
        runtime=720,
    params:
        urls=lambda wildcards: config["downloads"]["dataset/{}".format(wildcards.name)]["urls"],
        sums=sums,
    message:
        "downloading {output.file}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --url {params.urls:q} \
            --out {output.file:q} \
            --cache={resources.cache:q} \
            {params.sums:q} \
            2>&1 | tee {log:q}
        """


rule downloads:
    """Target for all files that the config lists: `snakemake downloads` fetches what is not there."""
    input:
        files=list(config["downloads"]),
    localrule: True


rule convert_records:
    """Write the pairs of the training archive, shuffled once, as TFRecord files."""
    input:
        archive=train_source(),
        code=code("dataset_tool_tf.py"),
        left_out=validation_list(),
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
        # Change no result.
        check_images=str(config["data"]["check_images"]).lower(),
        skip_bad=config["data"]["skip_bad"],
    params:
        shards=lookup(dpath="data/shards", within=config),
        seed=lookup(dpath="seed", within=config),
        depth_png=lookup(dpath="data/depth_png", within=config),
        left_out=["--left_out", *validation_list()] if validation_list() else [],
    message:
        "converting {input.archive} to {params.shards} record files"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --input_dir {input.archive:q} \
            --out results/data/nyu_train.tfrecords \
            --shards {params.shards} \
            --seed {params.seed} \
            --workers {threads} \
            --check_images {resources.check_images:q} \
            --skip_bad {resources.skip_bad:q} \
            --depth_png {params.depth_png:q} \
            {params.left_out:q} \
            >{log:q} 2>&1
        """


rule list_pictures:
    """List the custom RGB-D pairs, and which of them are kept for the test."""
    input:
        code=code("list_pictures.py"),
        pictures=picture_files(),
        validation=validation_csv(),
    output:
        list="results/data/pictures.json",
    log:
        "results/logs/list_pictures.log",
    conda:
        environment()
    resources:
        python=pictures_python(),
        mem_mb=1000,
        runtime=30,
        # Changes no list.
        gallery=config["report"]["gallery"],
    params:
        pictures=picture_flags() + validation_flags(),
        height=lookup(dpath="data/height", within=config),
        width=lookup(dpath="data/width", within=config),
        seed=lookup(dpath="seed", within=config),
    message:
        "listing the RGB-D pairs of {input.pictures}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            {params.pictures:q} \
            --size {params.height} {params.width} \
            --seed {params.seed} \
            --min_test {resources.gallery:q} \
            --out {output.list:q} \
            >{log:q} 2>&1
        grep -v '^  --' {log:q} || true
        """


rule write_test_set:
    """Write the custom test pairs as an archive like nyu_test.zip."""
    input:
        code=code("write_test_set.py"),
        list=rules.list_pictures.output.list,
    output:
        archive="results/data/test.zip",
    log:
        "results/logs/write_test_set.log",
    benchmark:
        "results/benchmarks/write_test_set.tsv"
    conda:
        environment()
    resources:
        python=pictures_python(),
        mem_mb=2000,
        runtime=240,
        # Change no result.
        skip_bad=config["data"]["skip_bad"],
        gallery=config["report"]["gallery"],
    message:
        "writing {output.archive}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --pictures {input.list:q} \
            --skip_bad {resources.skip_bad:q} \
            --min_test {resources.gallery:q} \
            --out {output.archive:q} \
            >{log:q} 2>&1
        """


rule rebuild_nyu_test:
    """Rebuild the archive nyu_test.zip from NYU's labelled data, for when it cannot be had."""
    input:
        code=code("write_test_set.py"),
        labeled="dataset/nyu_depth_v2_labeled.mat",
        splits="dataset/splits.mat",
    output:
        archive="results/data/nyu_test.zip",
    log:
        "results/logs/rebuild_nyu_test.log",
    benchmark:
        "results/benchmarks/rebuild_nyu_test.tsv"
    conda:
        environment()
    resources:
        # It reads HDF5, which the environment of Snakemake does not.
        python=tensorflow_python(),
        mem_mb=2000,
        runtime=120,
    message:
        "rebuilding the test images of NYU Depth v2"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --labeled {input.labeled:q} \
            --splits {input.splits:q} \
            --out {output.archive:q} \
            >{log:q} 2>&1
        """


rule check_data:
    """Target: read all data, name every faulty row, draw a sheet of samples; `snakemake check_data`."""
    input:
        code=code("check_data.py"),
        test=[] if picture_inputs() else test_archive(),
        train=train_source(),
    output:
        figures="results/data/check.json",
    log:
        # Kept when faults make the job fail.
        text="results/logs/check_data.log",
        sheet="results/data/check.png",
        faults="results/data/check.csv",
    conda:
        environment()
    threads: 4
    resources:
        python=pictures_python(),
        mem_mb=4000,
        runtime=240,
    params:
        test=lambda wildcards, input: ["--test_data", input.test] if input.test else [],
        skip_bad=lookup(dpath="data/skip_bad", within=config),
    message:
        "checking all data of {input.train}"
    shell:
        """
        {resources.python:q} {input.code[0]:q} \
            --input_dir {input.train:q} \
            {params.test:q} \
            --sheet {log.sheet:q} \
            --faults {log.faults:q} \
            --json {output.figures:q} \
            --skip_bad {params.skip_bad} \
            --workers {threads} \
            2>&1 | tee {log.text:q}
        """
