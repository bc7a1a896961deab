"""Fine-tuning learns from views of the training clips where it is told to, and scores clips as they are."""

import numpy as np
import pytest
import torch

from sslslr import grid
from sslslr.augment import compose
from sslslr.config import EncoderConfig, StudyConfig
from sslslr.encoder import build_encoder
from sslslr.errors import UserError
from sslslr.protocols import PROTOCOLS, Task
from sslslr.protocols import fine_tune as module
from sslslr.strict import parse
from sslslr.study import check
from toys import random_batch

N_TRAIN, FRAMES = 20, 12
FLIP = [{"name": "horizontal_flip", "probability": 0.5}]


def toy_task() -> Task:
    clips = random_batch(30, FRAMES, seed=1)
    encoder = build_encoder(EncoderConfig(depth=1, width=16, heads=2), frames=FRAMES, seed=0)
    return Task(
        dataset="toy",
        features=np.zeros((30, 16), np.float32),
        labels=np.arange(30) % 3,
        classes=("a", "b", "c"),
        train=np.arange(N_TRAIN),
        test=np.arange(N_TRAIN, 30),
        seed=0,
        clips=clips,
        fresh_encoder=lambda: encoder,
        device="cpu",
    )


def scores_of(**options) -> np.ndarray:
    protocol = PROTOCOLS.get("fine_tune")
    settings = parse(protocol.Options, {"epochs": 3, "batch_size": 8, **options}, "test")
    (prediction,) = protocol().run(toy_task(), settings, say=lambda text: None)
    return prediction.scores


def test_every_training_clip_is_seen_as_a_view_once_an_epoch_and_no_other(monkeypatch):
    seen = []

    def watched(steps, where):
        view = compose(steps, where)

        def call(batch, generator):
            seen.append(batch.keypoints)
            return view(batch, generator)

        return call

    monkeypatch.setattr(module, "compose", watched)
    scores_of(augmentation=FLIP)
    clips = toy_task().clips.keypoints.nan_to_num()
    of_epoch = torch.cat(seen).nan_to_num().split(N_TRAIN)
    assert len(of_epoch) == 3
    for keypoints in of_epoch:
        rows = [(clips == one).flatten(1).all(1).nonzero().item() for one in keypoints]
        assert sorted(rows) == list(range(N_TRAIN))


def test_views_change_what_is_learnt_and_are_drawn_from_the_seed():
    plain, flipped = scores_of(), scores_of(augmentation=FLIP)
    assert not np.allclose(plain, flipped, atol=1e-4)
    assert np.array_equal(flipped, scores_of(augmentation=FLIP))
    assert np.array_equal(plain, scores_of(augmentation=[]))


def study(name: str, **augmentations) -> StudyConfig:
    settings = {
        "datasets": {"toy": {"source": "synthetic"}},
        "methods": {"supervised": {}},
        "augmentations": augmentations,
        "runs": [{"methods": ["supervised"]}],
        "evaluate": {"protocols": {"fine_tune": {"augmentation": name}}},
    }
    return parse(StudyConfig, settings, "test")


def test_a_composition_is_named_and_its_steps_are_part_of_the_job():
    some = study("flip", flip=FLIP)
    assert check(some) == 1
    (run,) = grid.runs(some).values()
    assert grid.evaluate_spec(some, run).protocols == {"fine_tune": {"augmentation": FLIP}}
    with pytest.raises(
        UserError, match=r"evaluate.protocols.fine_tune.augmentation: 'flop' .*'flip'"
    ):
        check(study("flop", flip=FLIP))
