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
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from sslslr.augment import compose
from sslslr.config.run import NO_DATASET, EvaluateSpec
from sslslr.config.settings import SPLITS, parse
from sslslr.config.study import TargetConfig
from sslslr.data.batch import Batch
from sslslr.data.preprocess import Preprocessed, preprocess, view_sources
from sslslr.data.splits import splits_of
from sslslr.data.store import ClipStore
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.features import Averaged, embed, save_features, weights_hash
from sslslr.evaluation.joints import joint_counts, joints_seen, measured_by_target, why_masked
from sslslr.evaluation.made_with import refuse_other
from sslslr.evaluation.pools import in_pool, pool_contents, refuse_tested
from sslslr.evaluation.protocols import PROTOCOLS, Task
from sslslr.evaluation.scores import METRICS, PREDICTIONS, headline, probes, score, write
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of, write_json
from sslslr.utils.hardware import choose_accelerator, device_name
from sslslr.utils.progress import Log
from sslslr.utils.seeds import derive
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
    of = prepared = features = probed = sources = views = None
    for dataset, target in spec.targets.items():
        store = ClipStore.open(stores[dataset])
        data_hashes[dataset] = store.data_hash
        seen = joints_seen(run, target)
        same = (Path(stores[dataset]), seen.tobytes())
        if same != of:  # else the target before was of the same clips, split otherwise
            task = prepared = features = probed = sources = views = None  # one target's at a time
            of, prepared = same, preprocess(store, spec.run.preprocess, joints=seen)
            # Several times the clips' own memory, and most evaluations look at no view.
            sources = functools.cache(
                functools.partial(view_sources, store, spec.run.preprocess, prepared, seen)
            )
            views = averaged(spec, sources)
        counts = joint_counts(store, seen)
        if counts["n_joints_masked"]:
            say(
                f"{spec.run.run_id} {dataset}: {counts['n_joints_masked']} joints of this target are "
                f"masked ({why_masked(target)}), {counts['n_joints']} are used"
            )
        if run["joints"] is None and measured_by_target(
            encoder, store, target, target.dataset or dataset, prepared
        ):
            features, before = None, weights_hash(encoder)
        if features is None or hasattr(encoder, "draw_noise"):
            # Noise is each target's own; views are of the clips, however many targets share them.
            own = hasattr(encoder, "draw_noise") or target.dataset is None
            seed = derive(spec.run.seed, dataset if own else target.dataset)
            features = probed = embed(encoder, prepared.batch, seed, device)
            if views is not None:
                probed = embed(encoder, prepared.batch, seed, device, views)
        save_features(Path(features_out) / dataset, features, store, prepared)
        task, clip_ids = _task(
            spec, dataset, target, store, prepared, probed, encoder, device, say, pooled
        )
        task = replace(task, sources=sources, averaged=views)
        for protocol, values in spec.protocols.items():
            if target.protocols is not None and protocol not in target.protocols:
                continue
            entry = PROTOCOLS.get(protocol)
            options = parse(entry.Options, values, f"evaluate.protocols.{protocol}")
            for prediction in entry().run(task, options, say):
                scored, guesses = score(task, protocol, prediction, clip_ids)
                own = {"target_dataset": target.dataset or dataset, **counts}
                rows += [row | own for row in scored]
                if prediction.details:
                    details.append({"dataset": dataset, "protocol": protocol, **prediction.details})
                predictions.append(guesses)
            say(f"{spec.run.run_id} {dataset} {protocol}: {headline(rows, dataset, protocol)}")
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


def averaged(spec: EvaluateSpec, sources: Callable[[], Batch]) -> Averaged | None:
    """What the features of this evaluation are a mean over, where its study says `evaluate.average`.

    Args:
        sources: gives the clips that views are cut from; asked only where there are views.
    """
    if not spec.views:
        return None
    view = compose(spec.view_steps, "evaluate.average.augmentation")
    return Averaged(view, spec.views, sources())


def _task(
    spec: EvaluateSpec,
    dataset: str,
    target: TargetConfig,
    store: ClipStore,
    prepared: Preprocessed,
    features: np.ndarray,
    encoder: nn.Module,
    device: torch.device,
    say: Log,
    pooled: frozenset[str] | None,
) -> tuple[Task, np.ndarray]:
    clips = store.clips.iloc[prepared.indices]
    clip_ids, glosses, signers = clips[["clip_id", "gloss", "signer"]].to_numpy(dtype=object).T
    split = splits_of(store.clips, target, target.dataset or dataset)[prepared.indices]
    train = np.flatnonzero(np.isin(split, target.train))
    test = np.flatnonzero(split == target.test)
    for name, found in ((", ".join(target.train), train), (target.test, test)):
        if len(found) == 0:
            there = [s for s in SPLITS if (split == s).any()]
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

    if pooled is None:
        pretrained = _pretrained(spec, target.dataset or dataset, clips)
    else:
        pretrained = in_pool(store, prepared.indices, pooled)
        refuse_tested(store, clip_ids[test[pretrained[test]]], spec.run.dataset, dataset)

    def fresh_encoder() -> nn.Module:
        copy = build_encoder(spec.run.encoder, spec.run.preprocess.frames, spec.run.seed)
        copy.load_state_dict(encoder.state_dict())
        return copy.to(device).requires_grad_(True)

    seed = derive(spec.run.seed, "probe", dataset)
    task = Task(
        dataset,
        features,
        prepared.batch,
        labels,
        classes,
        train,
        test,
        fresh_encoder,
        seed,
        device,
        signers=signers,
        pretrained=pretrained,
        rows=clips,
    )
    return task, clip_ids


def _pretrained(spec: EvaluateSpec, dataset: str, clips: pd.DataFrame) -> np.ndarray | None:
    """Which clips of a target pretraining saw, as `Task.pretrained`; of a share of them, all it drew from."""
    if spec.run.dataset == dataset:
        return clips["split"].isin(spec.run.pretrain.splits).to_numpy()
    return np.zeros(len(clips), bool) if spec.run.dataset == NO_DATASET else None
