# One job a run of the grid: (method, augmentation, encoder variant, data set, seed, overrides);
# with `resources.stack` above 1, one job for several runs of a method (sslslr/groups.py).

STACKS = stages.stacked(STUDY)
STACKED = {spec.run_id for group in STACKS.values() for spec in group}
ALONE = [run_id for run_id in RUNS if run_id not in STACKED]


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
    wildcard_constraints:
        run="|".join(map(re.escape, ALONE)) or "(?!)",
    conda:
        "../../environment.yml"
    threads: lambda wildcards: STUDY.resources.threads * RUNS[wildcards.run].pretrain.devices
    resources:
        **asks("pretrain"),
        gpu=lambda wildcards: gpus("pretrain", RUNS[wildcards.run].pretrain),
    params:
        spec=lambda wildcards: RUNS[wildcards.run].model_dump_json(),
        store=pretraining_store,
        out=subpath(output.run, parent=True),
        seal=lambda wildcards: seal("pretrain", wildcards.run),
        checkpoint=f"{RESULTS}/checkpoints/{{run}}.ckpt",
        code=lambda wildcards: stages.code_hash(
            *stages.pretrain_modules(RUNS[wildcards.run])
        ),
        threads=STUDY.resources.threads,  # the number of threads decides the last bits of a sum
    shell:
        # exec: a scheduler's signal is for the job itself, not for a shell that would die of it first.
        "exec sslslr --seal {params.seal} pretrain --spec {params.spec:q} {params.store} --out {params.out}"
        " --checkpoint {params.checkpoint} --threads {params.threads} --requeue > {log} 2>&1"


# What a profile sets for the jobs of single runs holds for stacks too, whose names nobody knows.
SET = workflow.resource_settings._parsed_overwrite_resources

for name, group in STACKS.items():
    if "pretrain_encoder" in SET:
        SET.setdefault(f"pretrain_stack_{name}", SET["pretrain_encoder"])

    rule:
        name:
            f"pretrain_stack_{name}"
        input:
            store_files(group[0].dataset),
        output:
            [
                f"{RESULTS}/encoders/{spec.run_id}/{file}"
                for spec in group
                for file in ("encoder.safetensors", "run.json", "history.csv")
            ],
        log:
            f"{RESULTS}/logs/pretrain/stack_{name}.log",
        conda:
            "../../environment.yml"
        threads: STUDY.resources.threads
        resources:
            **asks("pretrain"),
            gpu=gpus("pretrain", group[0].pretrain),
        params:
            specs=json.dumps([spec.model_dump(mode="json") for spec in group]),
            results=RESULTS,
            most=len(group),
            seals=[f"--seal {seal('pretrain', spec.run_id)}" for spec in group],
            code=stages.code_hash(*stages.stack_modules(group[0])),
            threads=STUDY.resources.threads,
        shell:
            "exec sslslr {params.seals} pretrain-stack --specs {params.specs:q} --results {params.results}"
            " --most {params.most} --threads {params.threads} --requeue > {log} 2>&1"
