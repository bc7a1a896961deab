"""Evaluate one encoder: embed each target data set once, run every protocol, write the metrics.

Writes, below the results folder,

    features/RUN/SET/features.npy   float32 (clips, width), and clips.csv, its rows
    metrics/RUN/metrics.csv         long form, one row a metric
    metrics/RUN/predictions.parquet the ten best labels of every test clip
    metrics/RUN/evaluation.json     what decided these numbers: settings, hashes, versions

A frozen encoder's weights are compared before and after: an evaluation that moves them is an error.
"""

import datetime
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from sslslr import artifacts
from sslslr.batch import Batch
from sslslr.clips import ClipStore
from sslslr.config import TargetConfig
from sslslr.encoder import build_encoder
from sslslr.errors import UserError
from sslslr.files import atomic_file, sha256_of, write_json
from sslslr.grid import EvaluateSpec
from sslslr.hardware import choose_accelerator, device_name
from sslslr.preprocess import Preprocessed, preprocess
from sslslr.protocols import PROTOCOLS, Prediction, Task
from sslslr.seeds import derive, generator
from sslslr.shared_joints import joint_counts, joints_seen, why_masked
from sslslr.splitting import splits_of
from sslslr.statistics import balanced_accuracy, bootstrap_balanced_accuracy, wilson_interval
from sslslr.strict import parse

BEST = 10  # labels kept of each prediction
TOP = (1, 3, 5, 10)
METRICS, PREDICTIONS, RECORD = "metrics.csv", "predictions.parquet", "evaluation.json"
EMBED_BATCH = 512
Say = Callable[[str], None]


def weights_hash(module: nn.Module) -> str:
    """sha256 over all parameters and buffers, byte by byte."""
    digest = hashlib.sha256()
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.no_grad()
def embed(
    encoder: nn.Module, batch: Batch, seed: int, device: torch.device | str = "cpu"
) -> np.ndarray:
    """Features of all clips, float32 (B, width), in evaluation mode.

    Args:
        seed: of the noise that the encoder `as_released` draws at each forward.
    """
    encoder.eval()
    noise = generator(seed, "embed", device=device)
    parts = []
    for start in range(0, len(batch), EMBED_BATCH):
        part = batch[start : start + EMBED_BATCH].to(device)
        parts.append(encoder(part.keypoints, part.lengths, noise).float().cpu())
    return torch.cat(parts).numpy()


def evaluate(
    spec: EvaluateSpec,
    encoder_folder: Path,
    stores: dict[str, Path],
    metrics_out: Path,
    features_out: Path,
    threads: int = 1,
    say: Say = print,
    code: str = "",
) -> None:
    """Run all protocols of `spec` for one encoder on all its targets.

    Args:
        stores: clip store of each target.
        metrics_out, features_out: the run's own folders, made here.
        code: hash of the sources, for evaluation.json.

    Raises:
        UserError: the artifact is of another run, a label in test that train lacks, ...
    """
    torch.set_num_threads(threads)
    started = time.monotonic()
    device = torch.device(choose_accelerator(spec.run.pretrain.accelerator))
    encoder, run = artifacts.load(encoder_folder, device)
    if run["spec"] != spec.run.model_dump(mode="json"):
        raise UserError(
            f"{encoder_folder}: this encoder was made with other settings than {spec.run.run_id!r} has now. "
            "Pretrain it again."
        )
    before = weights_hash(encoder)
    rows: list[dict[str, Any]] = []
    predictions: list[pd.DataFrame] = []
    data_hashes: dict[str, str] = {}
    of = prepared = features = None
    for dataset, target in spec.targets.items():
        store = ClipStore.open(stores[dataset])
        data_hashes[dataset] = store.data_hash
        seen = joints_seen(run, target)
        same = (Path(stores[dataset]), seen.tobytes())
        if same != of:  # else the target before was of the same clips, split otherwise
            task = prepared = features = None  # one target's at a time in memory
            of, prepared = same, preprocess(store, spec.run.preprocess, joints=seen)
        counts = joint_counts(store, seen)
        if counts["n_joints_masked"]:
            say(
                f"{spec.run.run_id} {dataset}: {counts['n_joints_masked']} joints of this target are "
                f"masked ({why_masked(target)}), {counts['n_joints']} are used"
            )
        if features is None or hasattr(encoder, "draw_noise"):
            features = embed(encoder, prepared.batch, derive(spec.run.seed, dataset), device)
        _save_features(Path(features_out) / dataset, features, store, prepared)
        task, clip_ids = _task(
            spec, dataset, target, store, prepared, features, encoder, device, say
        )
        for protocol, values in spec.protocols.items():
            if target.protocols is not None and protocol not in target.protocols:
                continue
            entry = PROTOCOLS.get(protocol)
            options = parse(entry.Options, values, f"evaluate.protocols.{protocol}")
            for prediction in entry().run(task, options, say):
                own = {"target_dataset": target.dataset or dataset, **counts}
                rows += [row | own for row in _metrics(task, protocol, prediction)]
                predictions.append(_predictions(task, protocol, prediction, clip_ids))
            say(f"{spec.run.run_id} {dataset} {protocol}: {_headline(rows, dataset, protocol)}")
    if weights_hash(encoder) != before:
        raise RuntimeError(f"{spec.run.run_id}: an evaluation protocol changed the frozen encoder")
    _write(spec, rows, predictions, Path(metrics_out))
    write_json(
        Path(metrics_out) / RECORD,
        {
            "spec": spec.model_dump(mode="json"),
            "code_hash": code,
            "data_hashes": data_hashes,
            "encoder_sha256": sha256_of(Path(encoder_folder) / artifacts.WEIGHTS),
            "sha256": {n: sha256_of(Path(metrics_out) / n) for n in (METRICS, PREDICTIONS)},
            "versions": artifacts.versions(),
            "cost": {
                "wall_seconds": round(time.monotonic() - started, 2),
                "threads": threads,
                "device": device_name(device),
                "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            },
        },
    )


def _save_features(
    folder: Path, features: np.ndarray, store: ClipStore, prepared: Preprocessed
) -> None:
    with atomic_file(folder / "features.npy") as temporary, open(temporary, "wb") as stream:
        np.save(stream, features)
    clips = store.clips.iloc[prepared.indices][["clip_id", "gloss", "signer", "split"]]
    with atomic_file(folder / "clips.csv") as temporary:
        clips.to_csv(temporary, index=False, lineterminator="\n")


def _task(
    spec: EvaluateSpec,
    dataset: str,
    target: TargetConfig,
    store: ClipStore,
    prepared: Preprocessed,
    features: np.ndarray,
    encoder: nn.Module,
    device: torch.device,
    say: Say,
) -> tuple[Task, np.ndarray]:
    clip_ids, glosses = store.clips[["clip_id", "gloss"]].to_numpy(dtype=object).T
    split = splits_of(store.clips, target, target.dataset or dataset)
    clip_ids, glosses, split = (column[prepared.indices] for column in (clip_ids, glosses, split))
    train = np.flatnonzero(np.isin(split, target.train))
    test = np.flatnonzero(split == target.test)
    for name, found in ((", ".join(target.train), train), (target.test, test)):
        if len(found) == 0:
            there = [s for s in ("train", "val", "test") if (split == s).any()]
            raise UserError(
                f"{store.path}: no clip in split {name}; there is {' and '.join(there) or 'no split at all'}. "
                f"Name splits that exist in `evaluate.targets.{dataset}`, or give the clips a `split`."
            )
    classes = sorted(set(glosses[train]))
    if len(classes) < 2:
        raise UserError(
            f"{store.path}: the training clips have one gloss, {classes[0]!r}; a probe needs two or more."
        )
    index = {gloss: number for number, gloss in enumerate(classes)}
    labels = np.array([index.get(gloss, -1) for gloss in glosses], dtype=np.int64)
    unseen = test[labels[test] < 0]
    if len(unseen):
        which = ", ".join(sorted({repr(str(glosses[i])) for i in unseen})[:5])
        found = (
            f"{store.path}, clip {clip_ids[unseen[0]]!r}: {len(unseen)} test clips have a gloss that no "
            f"training clip has ({which})"
        )
        if target.unseen_labels == "error":
            raise UserError(
                f"{found}. Mend the split, or set `evaluate.targets.{dataset}.unseen_labels: drop` to leave "
                "those clips out, counted."
            )
        if len(unseen) == len(test):
            raise UserError(f"{found}, and no other test clip is left to score. Mend the split.")
        say(f"{found}; left out of the test set")
        test = test[labels[test] >= 0]

    def fresh_encoder() -> nn.Module:
        copy = build_encoder(spec.run.encoder, spec.run.preprocess.frames, spec.run.seed)
        copy.load_state_dict(encoder.state_dict())
        return copy.to(device).requires_grad_(True)

    seed = derive(spec.run.seed, "probe", dataset)
    task = Task(
        dataset, features, prepared.batch, labels, classes, train, test, fresh_encoder, seed, device
    )
    return task, clip_ids


def _ranked(scores: np.ndarray) -> np.ndarray:
    """Class indices of (n, classes) scores, best first, at most BEST; ties by class order."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :BEST]


def _metrics(task: Task, protocol: str, prediction: Prediction) -> list[dict[str, Any]]:
    if not np.isfinite(prediction.scores).all():
        raise UserError(
            f"{task.dataset}, protocol {protocol}: the probe's scores are not finite; it diverged. "
            f"Lower `evaluate.protocols.{protocol}.learning_rate`."
        )
    best, truth = _ranked(prediction.scores), task.labels[task.test]
    common = {
        "dataset": task.dataset,
        "protocol": protocol,
        "label_fraction": prediction.label_fraction,
        "shots": prediction.shots,
        "probe_seed": prediction.probe_seed,
        "n_train": prediction.n_train,
        "n_test": len(truth),
        "n_classes": len(task.classes),
    }
    rows = []
    for k in TOP:
        hits = int((best[:, :k] == truth[:, None]).any(axis=1).sum())
        low, high = wilson_interval(hits, len(truth))
        rows.append(
            {
                **common,
                "metric": f"top{k}",
                "value": hits / len(truth),
                "low": float(low),
                "high": float(high),
            }
        )
    value = balanced_accuracy(truth, best[:, 0])
    low, high = map(float, bootstrap_balanced_accuracy(truth, best[:, 0], seed=0))
    return [
        *rows,
        {**common, "metric": "balanced_accuracy", "value": value, "low": low, "high": high},
    ]


def _predictions(
    task: Task, protocol: str, prediction: Prediction, clip_ids: np.ndarray
) -> pd.DataFrame:
    names = np.array(task.classes, dtype=object)
    best = _ranked(prediction.scores)
    return pd.DataFrame(
        {
            "dataset": task.dataset,
            "protocol": protocol,
            "label_fraction": prediction.label_fraction,
            "shots": prediction.shots,
            "probe_seed": prediction.probe_seed,
            "clip_id": clip_ids[task.test].astype(str),
            "label": names[task.labels[task.test]].astype(str),
            "best": [[str(name) for name in row] for row in names[best]],
        }
    )


def _headline(rows: list[dict[str, Any]], dataset: str, protocol: str) -> str:
    own = [
        r for r in rows if (r["dataset"], r["protocol"], r["metric"]) == (dataset, protocol, "top1")
    ]
    if len(own) > 4:  # many amounts of labels: their average over draws
        table = pd.DataFrame(own).groupby(["label_fraction", "shots"])["value"].mean()
        shown = ", ".join(
            f"{value:.1%} ({f'{shots} a class' if shots else f'{fraction:.0%} of labels'})"
            for (fraction, shots), value in table.items()
        )
    else:
        shown = ", ".join(f"{row['value']:.1%}" for row in own)
    return f"top-1 {shown} of n = {own[0]['n_test']} (chance {1 / own[0]['n_classes']:.1%})"


def _write(
    spec: EvaluateSpec, rows: list[dict], predictions: list[pd.DataFrame], out: Path
) -> None:
    run = spec.run
    about = {
        "run_id": run.run_id,
        "method": run.method,
        "augmentation": run.augmentation,
        "variant": run.encoder.variant,
        "tag": run.tag or "",
        "pretrain_dataset": run.dataset,
    }
    metrics = pd.DataFrame(rows)
    for position, (name, value) in enumerate(about.items()):
        metrics.insert(position, name, value)
    metrics.insert(metrics.columns.get_loc("probe_seed"), "seed", run.seed)
    own = metrics.pop("target_dataset")
    metrics.insert(metrics.columns.get_loc("dataset") + 1, own.name, own)
    order = ["metric", "value", "low", "high", "n_train", "n_test", "n_classes"]
    order += ["n_joints", "n_joints_masked"]
    metrics = metrics[[c for c in metrics.columns if c not in order] + order]
    table = pd.concat(predictions, ignore_index=True)
    table.insert(0, "run_id", run.run_id)
    with atomic_file(out / PREDICTIONS) as temporary:
        table.to_parquet(temporary, index=False)
    with atomic_file(out / METRICS) as temporary:
        metrics.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
