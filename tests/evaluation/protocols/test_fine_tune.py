"""Fine-tuning learns from views of the training clips where it is told to, and scores clips as they are."""

import copy

import numpy as np
import pytest
import torch

from sslslr.augment import compose
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig, StudyConfig
from sslslr.encoders.build import build_encoder
from sslslr.evaluation.protocols import PROTOCOLS, Task
from sslslr.evaluation.protocols import fine_tune as module
from sslslr.evaluation.protocols.few_labels import problems
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from sslslr.workflow.check import check
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
        fresh_encoder=lambda: copy.deepcopy(encoder),
        device="cpu",
    )


def scores_of(**options) -> np.ndarray:
    protocol = PROTOCOLS.get("fine_tune")
    settings = parse(protocol.Options, {"epochs": 3, "batch_size": 8, **options}, "test")
    (prediction,) = protocol().run(toy_task(), settings, say=lambda text: None)
    return np.vstack(list(prediction.scores))


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


def test_few_labels_are_fine_tuned_on_the_draws_of_the_probes_and_as_fine_tuning_alone_does():
    amounts = {"fractions": [0.5, 1.0], "shots": [1, 2], "draws": 2}
    budget = {"epochs": 2, "batch_size": 8}
    few = PROTOCOLS.get("few_labels_fine_tuned")
    options = parse(few.Options, {**amounts, **budget}, "test")
    found = {
        (p.label_fraction, p.shots, p.probe_seed): (p.n_train, np.vstack(list(p.scores)), p.fit)
        for p in few().run(toy_task(), options, say=lambda text: None)
    }
    frozen = problems(toy_task(), parse(PROTOCOLS.get("few_labels").Options, amounts, "test"))
    assert len(found) == len(frozen) == 8
    for problem in frozen:
        assert found[problem.fraction, problem.shots, problem.draw][0] == int(problem.mask.sum())
    whole = PROTOCOLS.get("fine_tune")
    options = parse(whole.Options, {"label_fractions": [0.5, 1.0], **budget}, "test")
    for prediction in whole().run(toy_task(), options, say=lambda text: None):
        _, scores, fit = found[prediction.label_fraction, 0, 0]
        np.testing.assert_array_equal(np.vstack(list(prediction.scores)), scores)
        assert 0 <= fit.train_accuracy == prediction.fit.train_accuracy <= 1
        assert fit.fitted is None
