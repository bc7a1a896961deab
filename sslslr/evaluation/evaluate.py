"""Evaluate one encoder: embed each target data set once, run every protocol, write the metrics.

Writes, below the results folder,

    features/RUN/SET/features.npy   float32 (clips, width), and clips.csv, its rows; of the clip alone, as
                                    `sslslr embed` has them, also where probes see averages over views
    metrics/RUN/metrics.csv         long form, one row a metric
    metrics/RUN/predictions.parquet the ten best labels of every test clip
    metrics/RUN/evaluation.json     what decided these numbers: settings, hashes, versions

A frozen encoder's weights are compared before and after: an evaluation that moves them is an error.
"""

import datetime
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from sslslr.config.run import EvaluateSpec
from sslslr.config.settings import parse
from sslslr.data.store import ClipStore
from sslslr.encoders import artifact
from sslslr.evaluation.features import save_features, weights_hash
from sslslr.evaluation.joints import joint_counts, joints_seen, measured_by_target, why_masked
from sslslr.evaluation.made_with import refuse_other
from sslslr.evaluation.pools import pool_contents
from sslslr.evaluation.protocols import PROTOCOLS, Predictions, Task
from sslslr.evaluation.scores import METRICS, PREDICTIONS, headline, probes, score, write
from sslslr.evaluation.task import TargetClips, task_of
from sslslr.utils.files import sha256_of, write_json
from sslslr.utils.hardware import choose_accelerator, device_name
from sslslr.utils.progress import Log
from sslslr.utils.versions import versions

RECORD = "evaluation.json"


def evaluate(
    spec: EvaluateSpec,
    encoder_folder: Path,
    stores: dict[str, Path],
    metrics_out: Path,
    features_out: Path,
    threads: int = 1,
    say: Log = print,
    code: str = "",
    pool: Path | None = None,
) -> None:
    """Run all protocols of `spec` for one encoder on all its targets.

    Args:
        stores: clip store of each target.
        metrics_out, features_out: the run's own folders, made here.
        code: hash of the sources, for evaluation.json.
        pool: clip store that the encoder was pretrained on, where that is a pool of data sets.

    Raises:
        UserError: the artifact is of another run, a label in test that train lacks, a test clip that is
            in the pool, ...
    """
    torch.set_num_threads(threads)
    started = time.monotonic()
    device = torch.device(choose_accelerator(spec.run.pretrain.accelerator))
    encoder, run = artifact.load(encoder_folder, device)
    refuse_other(run, spec.run, Path(encoder_folder), say)
    before = weights_hash(encoder)
    pooled = pool_contents(pool) if pool is not None else None
    rows: list[dict[str, Any]] = []
    predictions: list[pd.DataFrame] = []
    details: list[dict[str, Any]] = []
    data_hashes: dict[str, str] = {}
    clips: TargetClips | None = None
    for dataset, target in spec.targets.items():
        store = ClipStore.open(stores[dataset])
        data_hashes[dataset] = store.data_hash
        seen = joints_seen(run, target)
        if clips is None or not clips.are_of(store, seen):
            clips = None  # those of one store at a time
            clips = TargetClips(spec, store, seen)
        counts = joint_counts(store, seen)
        if counts["n_joints_masked"]:
            say(
                f"{spec.run.run_id} {dataset}: {counts['n_joints_masked']} joints of this target are "
                f"masked ({why_masked(target)}), {counts['n_joints']} are used"
            )
        if run["joints"] is None and measured_by_target(
            encoder, store, target, target.dataset or dataset, clips.prepared
        ):
            clips.features, before = None, weights_hash(encoder)
        features = clips.embed(encoder, dataset, target, device)
        save_features(Path(features_out) / dataset, features, store, clips.prepared)
        task, clip_ids = task_of(dataset, target, clips, encoder, device, say, pooled)
        for protocol, values in spec.protocols.items():
            if target.protocols is not None and protocol not in target.protocols:
                continue
            for prediction in _predictions(protocol, values, task, say):
                scored, guesses = score(task, protocol, prediction, clip_ids)
                own = {"target_dataset": target.dataset or dataset, **counts}
                rows += [row | own for row in scored]
                if prediction.details:
                    details.append({"dataset": dataset, "protocol": protocol, **prediction.details})
                predictions.append(guesses)
            say(f"{spec.run.run_id} {dataset} {protocol}: {headline(rows, dataset, protocol)}")
        del task, features  # they hold the clips
    if weights_hash(encoder) != before:
        raise RuntimeError(f"{spec.run.run_id}: an evaluation protocol changed the frozen encoder")
    write(spec.run, rows, predictions, Path(metrics_out))
    write_json(
        Path(metrics_out) / RECORD,
        {
            "spec": spec.model_dump(mode="json"),
            "code_hash": code,
            "data_hashes": data_hashes,
            "encoder_sha256": sha256_of(Path(encoder_folder) / artifact.WEIGHTS),
            "probes": probes(rows),
            "details": details,
            "sha256": {n: sha256_of(Path(metrics_out) / n) for n in (METRICS, PREDICTIONS)},
            "versions": versions(),
            "cost": {
                "wall_seconds": round(time.monotonic() - started, 2),
                "threads": threads,
                "device": device_name(device),
                "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            },
        },
    )


def _predictions(protocol: str, values: dict[str, Any], task: Task, say: Log) -> Predictions:
    entry = PROTOCOLS.get(protocol)
    options = parse(entry.Options, values, f"evaluate.protocols.{protocol}")
    return entry().run(task, options, say)
