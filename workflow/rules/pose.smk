# From videos to shards of keypoints: `source: videos` alone. How many shards there are is known from
# the table when the graph is made; a kill loses one shard at most.


rule prepare_pose_model:
    input:
        pose_weights,
    output:
        directory(f"{RESULTS}/data/{{dataset}}/pose_model"),
    log:
        f"{RESULTS}/logs/extract/{{dataset}}.model.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("extract"),
    params:
        settings=pose_settings,
        seal=seal("extract", "{dataset}-model"),
        code=pose_code,
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' pose model --settings {params.settings:q} --out {output:q} 2>&1 | tee {log}"


rule extract_keypoints:
    input:
        videos=shard_videos,
        model=rules.prepare_pose_model.output,
    output:
        directory(f"{RESULTS}/data/{{dataset}}/shards/{{shard}}"),
    log:
        f"{RESULTS}/logs/extract/{{dataset}}.{{shard}}.log",
    wildcard_constraints:
        shard=r"\d+",
    conda:
        "../envs/study.yaml"
    threads: STUDY.resources.threads
    resources:
        **asks("extract"),
        gpu=pose_gpus,
    params:
        settings=pose_settings,
        folder=lambda wildcards: VIDEO_SETS[wildcards.dataset].folder,
        table=video_table,
        size=lambda wildcards: VIDEO_SETS[wildcards.dataset].shard_size,
        # Which videos: a row that moves the others to another shard makes both again.
        names=lambda wildcards: [
            [entry.clip_id, entry.file] for entry in shard_entries(wildcards)
        ],
        seal=seal("extract", "{dataset}-shard{shard}"),
        code=pose_code,
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' pose shard --settings {params.settings:q} --folder {params.folder:q}"
        " {params.table:q} --shard-size {params.size} --number {wildcards.shard}"
        " --model {input.model:q} --out {output:q} 2>&1 | tee {log}"


rule judge_keypoints:
    input:
        lambda wildcards: store_files(wildcards.dataset),
    output:
        directory(f"{RESULTS}/data/{{dataset}}/quality"),
    log:
        f"{RESULTS}/logs/extract/{{dataset}}.quality.log",
    conda:
        "../envs/study.yaml"
    resources:
        **asks("extract"),
    params:
        store=lambda wildcards: f"{RESULTS}/data/{wildcards.dataset}/clips",
        seal=seal("extract", "{dataset}-quality"),
        code=stages.code_hash(*stages.REPORT),
    shell:
        "sslslr --seal {params.seal} --outputs '{output}' pose quality {params.store:q} --out {output:q} 2>&1 | tee {log}"
