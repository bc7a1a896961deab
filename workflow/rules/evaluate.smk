# One job an encoder: it embeds each target data set once and runs every protocol on the features.


rule evaluate:
    input:
        each_run(f"{RESULTS}/metrics/{{run}}/metrics.csv"),


rule evaluate_encoder:
    input:
        weights=f"{RESULTS}/encoders/{{run}}/encoder.safetensors",
        run=f"{RESULTS}/encoders/{{run}}/run.json",
        clips=target_clips,
    output:
        metrics=f"{RESULTS}/metrics/{{run}}/metrics.csv",
        predictions=f"{RESULTS}/metrics/{{run}}/predictions.parquet",
        record=f"{RESULTS}/metrics/{{run}}/evaluation.json",
        features=directory(f"{RESULTS}/features/{{run}}"),
    log:
        f"{RESULTS}/logs/evaluate/{{run}}.log",
    # Before the next pretraining: a target that cannot be evaluated is found with the first encoder.
    priority: 1
    conda:
        "../envs/study.yaml"
    threads: STUDY.resources.threads
    resources:
        **asks("evaluate"),
        gpu=lambda wildcards: gpus("evaluate", RUNS[wildcards.run].pretrain),
    params:
        spec=lambda wildcards: EVALUATIONS[wildcards.run].model_dump_json(),
        results=lambda wildcards: RESULTS,
        seal=seal("evaluate", "{run}"),
        code=lambda wildcards: stages.code_hash(
            *stages.evaluate_code(EVALUATIONS[wildcards.run])
        ),
        threads=STUDY.resources.threads,
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' evaluate --spec {params.spec:q} --results {params.results}"
        " --threads {params.threads} > {log} 2>&1"
