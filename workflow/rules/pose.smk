# From videos to shards of keypoints: `source: videos` alone. How many shards there are is known from
# the table when the graph is made; a kill loses one shard at most.
from sslslr.datasets import options_of
from sslslr.datasets.videos import extraction, listed
from sslslr.pose.shards import n_shards, shard_of


def video_options(name):
    return options_of(
        "videos", STUDY.datasets[name].options, f"datasets.{name}.options"
    )


VIDEO_SETS = {name: video_options(name) for name in STUDY.datasets if extracts(name)}
try:
    VIDEOS = {name: listed(options)[0] for name, options in VIDEO_SETS.items()}
except UserError as error:
    raise WorkflowError(str(error))


def shard_folders(name):
    count = n_shards(len(VIDEOS[name]), VIDEO_SETS[name].shard_size)
    return [f"{RESULTS}/data/{name}/shards/{number}" for number in range(count)]


def shard_entries(wildcards):
    options = VIDEO_SETS[wildcards.dataset]
    return shard_of(VIDEOS[wildcards.dataset], options.shard_size, int(wildcards.shard))


def shard_videos(wildcards):
    """The shard's videos that are there; the job lists the others as missing."""
    folder = Path(VIDEO_SETS[wildcards.dataset].folder)
    files = [
        folder / entry.file for entry in shard_entries(wildcards) if not entry.fault
    ]
    return [str(file) for file in files if file.is_file()]


def pose_settings(wildcards):
    return extraction(VIDEO_SETS[wildcards.dataset]).model_dump_json()


def pose_code(wildcards):
    backend = VIDEO_SETS[wildcards.dataset].backend
    return stages.code_hash(*stages.extract_modules(backend))


def pose_gpus(wildcards):
    """As configured, or one where this machine has any and the backend may use it."""
    stated = STUDY.resources.extract.gpu
    if stated is not None:
        return stated
    options = VIDEO_SETS[wildcards.dataset]
    on_gpu = options.backend == "mmpose" and options.backend_options.get("device") != "cpu"
    return int(GPU_HERE and on_gpu)


def video_table(wildcards):
    table = VIDEO_SETS[wildcards.dataset].table
    return ["--csv", table] if table else []


rule prepare_pose_model:
    output:
        directory(f"{RESULTS}/data/{{dataset}}/pose_model"),
    log:
        f"{RESULTS}/logs/extract/{{dataset}}.model.log",
    conda:
        "../../environment.yml"
    resources:
        **asks("extract"),
    params:
        settings=pose_settings,
        seal=lambda wildcards: seal("extract", f"{wildcards.dataset}-model"),
        code=pose_code,
    shell:
        "sslslr --seal {params.seal} pose model --settings {params.settings:q} --out {output:q} 2>&1 | tee {log}"


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
        "../../environment.yml"
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
        seal=lambda wildcards: seal(
            "extract", f"{wildcards.dataset}-shard{wildcards.shard}"
        ),
        code=pose_code,
    shell:
        "sslslr --seal {params.seal} pose shard --settings {params.settings:q} --folder {params.folder:q}"
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
        "../../environment.yml"
    resources:
        **asks("extract"),
    params:
        store=lambda wildcards: f"{RESULTS}/data/{wildcards.dataset}/clips",
        seal=lambda wildcards: seal("extract", f"{wildcards.dataset}-quality"),
        code=stages.code_hash(*stages.QUALITY_MODULES),
    shell:
        "sslslr --seal {params.seal} pose quality {params.store:q} --out {output:q} 2>&1 | tee {log}"
