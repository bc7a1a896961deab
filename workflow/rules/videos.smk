# What the rules of pose.smk need to know of the data sets of videos.
from sslslr.data.datasets import options_of
from sslslr.data.datasets.videos import extraction, listed
from sslslr.pose.model import local_weights
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


def pose_weights(wildcards):
    """Files of weights of the user's: others under the same name make another model."""
    return [
        str(path) for path in local_weights(extraction(VIDEO_SETS[wildcards.dataset]))
    ]


def pose_code(wildcards):
    backend = VIDEO_SETS[wildcards.dataset].backend
    return stages.code_hash(*stages.extract_code(backend))


def pose_gpus(wildcards):
    """As configured, or one where this machine has any and the backend may use it."""
    stated = STUDY.resources.extract.gpu
    if stated is not None:
        return stated
    options = VIDEO_SETS[wildcards.dataset]
    unstated = "auto" if options.backend == "mmpose" else "cpu"
    on_gpu = options.backend_options.get("device", unstated) != "cpu"
    return int(GPU_HERE and on_gpu)


def video_table(wildcards):
    table = VIDEO_SETS[wildcards.dataset].table
    return ["--csv", table] if table else []
