# One job a run of the grid: (method, augmentation, encoder variant, data set, seed, overrides).


rule pretrain:
    input:
        each_run(f"{RESULTS}/encoders/{{run}}/encoder.safetensors"),


rule pretrain_encoder:
    input:
        pretraining_clips,
    output:
        weights=f"{RESULTS}/encoders/{{run}}/encoder.safetensors",
        run=f"{RESULTS}/encoders/{{run}}/run.json",
        history=f"{RESULTS}/encoders/{{run}}/history.csv",
    log:
        f"{RESULTS}/logs/pretrain/{{run}}.log",
    conda:
        "../envs/study.yaml"
    threads: lambda wildcards: STUDY.resources.threads * RUNS[wildcards.run].pretrain.devices
    resources:
        **asks("pretrain"),
        gpu=lambda wildcards: gpus("pretrain", RUNS[wildcards.run].pretrain),
    params:
        spec=lambda wildcards: RUNS[wildcards.run].model_dump_json(),
        store=pretraining_store,
        out=subpath(output.run, parent=True),
        seal=seal("pretrain", "{run}"),
        checkpoint=f"{RESULTS}/checkpoints/{{run}}.ckpt",
        code=lambda wildcards: stages.code_hash(
            *stages.pretrain_code(RUNS[wildcards.run])
        ),
        threads=STUDY.resources.threads,  # the number of threads decides the last bits of a sum
    shell:
        # exec: a scheduler's signal is for the job itself, not for a shell that would die of it first.
        "exec sslslr --seal {params.seal} --outputs '{output}' pretrain --spec {params.spec:q} {params.store} --out {params.out}"
        " --checkpoint {params.checkpoint} --threads {params.threads} --requeue > {log} 2>&1"
