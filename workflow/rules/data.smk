# From where a data set is published to a clip store.


rule download:
    input:
        [f"{RESULTS}/data/{name}/raw" for name in STUDY.datasets if downloads(name)],


rule extract:
    input:
        [file for name in STUDY.datasets for file in store_files(name)],
        [f"{RESULTS}/data/{name}/quality" for name in STUDY.datasets if extracts(name)],


rule fetch_raw:
    input:
        listed_downloads,
    output:
        directory(f"{RESULTS}/data/{{dataset}}/raw"),
    log:
        f"{RESULTS}/logs/download/{{dataset}}.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("download"),
    params:
        source=lambda wildcards: STUDY.datasets[wildcards.dataset].source,
        options=dataset_options,
        seal=seal("download", "{dataset}"),
        code=data_code,
    shell:
        # What is fetched grows in a folder of its own (SSLSLR_DOWNLOADS, see common.smk): Snakemake removes
        # the output of a job that failed.
        "sslslr --seal {params.seal} --outputs '{output}' data download --source {params.source}"
        " --options {params.options:q} --raw {output} 2>&1 | tee {log}"


rule build_clips:
    input:
        raw_inputs,
    output:
        keypoints=f"{RESULTS}/data/{{dataset}}/clips/keypoints.npy",
        clips=f"{RESULTS}/data/{{dataset}}/clips/clips.parquet",
        card=f"{RESULTS}/data/{{dataset}}/clips/card.json",
        croissant=f"{RESULTS}/data/{{dataset}}/clips/croissant.json",
    log:
        f"{RESULTS}/logs/extract/{{dataset}}.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("extract"),
    params:
        source=lambda wildcards: STUDY.datasets[wildcards.dataset].source,
        options=dataset_options,
        out=subpath(output.card, parent=True),
        raw=raw_folder,
        seal=seal("extract", "{dataset}"),
        code=data_code,
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' data build --name {wildcards.dataset} --source {params.source}"
        " --options {params.options:q} {params.raw} --out {params.out} 2>&1 | tee {log}"
