"""A target's clips as one encoder sees them, and the task that its protocols are given."""

import functools

import numpy as np
import pandas as pd
import torch
from torch import nn

from sslslr.augment import compose
from sslslr.config.run import NO_DATASET, EvaluateSpec
from sslslr.config.settings import SPLITS
from sslslr.config.study import TargetConfig
from sslslr.data.batch import Batch
from sslslr.data.preprocess import preprocess, view_sources
from sslslr.data.splits import splits_of
from sslslr.data.store import ClipStore
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.features import Averaged, embed
from sslslr.evaluation.pools import in_pool, refuse_tested
from sslslr.evaluation.protocols import Task
from sslslr.utils.errors import UserError
from sslslr.utils.progress import Log
from sslslr.utils.seeds import derive


class TargetClips:
    """The clips of a store, preprocessed; embedded once, however many targets share them.

    Attributes:
        prepared: the clips, without those that preprocessing drops.
        features: float32 (clips, width), of the clip alone; None before :meth:`embed`.
        probed: what probes see; means over views, where the study says `evaluate.average`.
    """

    def __init__(self, spec: EvaluateSpec, store: ClipStore, seen: np.ndarray):
        """Preprocess.

        Args:
            seen: bool (75,), the joints that the encoder is given.
        """
        self.spec, self.store, self.seen = spec, store, seen
        self.prepared = preprocess(store, spec.run.preprocess, joints=seen)
        self.features: np.ndarray | None = None
        self.probed: np.ndarray | None = None

    def are_of(self, store: ClipStore, seen: np.ndarray) -> bool:
        """Whether another target has the same clips, split otherwise."""
        return store.path == self.store.path and bool((seen == self.seen).all())

    @functools.cached_property
    def sources(self) -> Batch:
        """What views are cut from: several times the clips' own memory, and most evaluations look at none."""
        return view_sources(self.store, self.spec.run.preprocess, self.prepared, self.seen)

    @functools.cached_property
    def averaged(self) -> Averaged | None:
        """What features are a mean over, where the study says `evaluate.average`."""
        if not self.spec.views:
            return None
        view = compose(self.spec.view_steps, "evaluate.average.augmentation")
        return Averaged(view, self.spec.views, self.sources)

    def embed(
        self, encoder: nn.Module, dataset: str, target: TargetConfig, device: torch.device
    ) -> np.ndarray:
        """`features`, of this target: those of the one before, unless the encoder draws noise for each."""
        noisy = hasattr(encoder, "draw_noise")
        if self.features is None or noisy:
            # Noise is each target's own; views are of the clips, however many targets share them.
            seed = derive(self.spec.run.seed, dataset if noisy else target.dataset or dataset)
            self.features = self.probed = embed(encoder, self.prepared.batch, seed, device)
            if self.averaged is not None:
                self.probed = embed(encoder, self.prepared.batch, seed, device, self.averaged)
        return self.features


def task_of(
    dataset: str,
    target: TargetConfig,
    clips: TargetClips,
    encoder: nn.Module,
    device: torch.device,
    say: Log,
    pooled: frozenset[str] | None,
) -> tuple[Task, np.ndarray]:
    """The task of one target, and the ids of its clips.

    Args:
        clips: embedded.
        pooled: what the pool of data sets holds that the encoder was pretrained on, where it was one.

    Raises:
        UserError: a split without clips, a single gloss, a test gloss that train lacks, ...
    """
    spec, store = clips.spec, clips.store
    rows = store.clips.iloc[clips.prepared.indices]
    clip_ids, glosses, signers = rows[["clip_id", "gloss", "signer"]].to_numpy(dtype=object).T
    train, test = _sides(dataset, target, clips)
    classes = sorted(set(glosses[train]))
    if len(classes) < 2:
        raise UserError(
            f"{store.path}: the training clips have one gloss, {classes[0]!r}; a probe needs two or more."
        )
    index = {gloss: number for number, gloss in enumerate(classes)}
    labels = np.array([index.get(gloss, -1) for gloss in glosses], dtype=np.int64)
    test = _learnt(dataset, target, store, test, labels, rows, say)
    if pooled is None:
        pretrained = _pretrained(spec, target.dataset or dataset, rows)
    else:
        pretrained = in_pool(store, clips.prepared.indices, pooled)
        refuse_tested(store, clip_ids[test[pretrained[test]]], spec.run.dataset, dataset)

    def fresh_encoder() -> nn.Module:
        copy = build_encoder(spec.run.encoder, spec.run.preprocess.frames, spec.run.seed)
        copy.load_state_dict(encoder.state_dict())
        return copy.to(device).requires_grad_(True)

    task = Task(
        dataset,
        clips.probed,
        clips.prepared.batch,
        labels,
        classes,
        train,
        test,
        fresh_encoder,
        derive(spec.run.seed, "probe", dataset),
        device,
        signers=signers,
        pretrained=pretrained,
        rows=rows,
        sources=lambda: clips.sources,
        averaged=clips.averaged,
    )
    return task, clip_ids


def _sides(dataset: str, target: TargetConfig, clips: TargetClips) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the clips that a probe learns from, and of those that are scored."""
    store = clips.store
    split = splits_of(store.clips, target, target.dataset or dataset)[clips.prepared.indices]
    train = np.flatnonzero(np.isin(split, target.train))
    test = np.flatnonzero(split == target.test)
    for name, found in ((", ".join(target.train), train), (target.test, test)):
        if len(found) == 0:
            there = [s for s in SPLITS if (split == s).any()]
            raise UserError(
                f"{store.path}: no clip in split {name}; there is {' and '.join(there) or 'no split at all'}. "
                f"Name splits that exist in `evaluate.targets.{dataset}`, or give the clips a `split`."
            )
    return train, test


def _learnt(
    dataset: str,
    target: TargetConfig,
    store: ClipStore,
    test: np.ndarray,
    labels: np.ndarray,
    rows: pd.DataFrame,
    say: Log,
) -> np.ndarray:
    """Of the test clips those whose gloss a training clip has; what the target says of others."""
    unseen = test[labels[test] < 0]
    if len(unseen) == 0:
        return test
    glosses = rows["gloss"].iloc[unseen]
    which = ", ".join(sorted({repr(str(gloss)) for gloss in glosses})[:5])
    found = (
        f"{store.path}, clip {rows['clip_id'].iloc[unseen[0]]!r}: {len(unseen)} test clips have a gloss that no "
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
    return test[labels[test] >= 0]


def _pretrained(spec: EvaluateSpec, dataset: str, rows: pd.DataFrame) -> np.ndarray | None:
    """Which clips of a target pretraining saw, as `Task.pretrained`; of a share of them, all it drew from."""
    if spec.run.dataset == dataset:
        return rows["split"].isin(spec.run.pretrain.splits).to_numpy()
    return np.zeros(len(rows), bool) if spec.run.dataset == NO_DATASET else None
