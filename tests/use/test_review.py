"""A review finds, without being told, what was planted: wrong labels, exchanged signs, copies, mirrors."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

import sslslr
from sslslr.config.study import PreprocessConfig
from sslslr.data.preprocess import preprocess
from sslslr.use.load import _in_memory
from sslslr.use.review import _labels, label_margin, review
from sslslr.use.suspects import alike, far_signers, neighbours, sign_likelihoods, taken_for
from toys import toy_clips


def signs(n: int, glosses: int, signers: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Features in which signs are apart and signers are a little."""
    draws = np.random.default_rng(seed)
    gloss, signer = np.arange(n) % glosses, np.arange(n) // glosses % signers
    of_sign, of_signer = draws.normal(size=(glosses, 12)), 0.3 * draws.normal(size=(signers, 12))
    features = of_sign[gloss] + of_signer[signer] + 0.2 * draws.normal(size=(n, 12))
    names = np.array([f"sign_{g}" for g in gloss], dtype=object)
    return features, names.astype(str), np.array([f"s{s}" for s in signer])


def margin(features, glosses, signers):
    everyone = neighbours(features, glosses, np.full(len(glosses), ""))
    return label_margin(everyone, neighbours(features, glosses, signers))


def test_planted_labels_come_first():
    features, glosses, signers = signs(400, 8, 5)
    draws = np.random.default_rng(1)
    planted = draws.choice(400, 20, replace=False)
    for row in planted:
        glosses[row] = f"sign_{(int(glosses[row][-1]) + 1 + draws.integers(7)) % 8}"
    first = np.argsort(-margin(features, glosses, signers))[:20]
    assert np.isin(first, planted).mean() >= 0.9
    by_chance = np.argsort(-margin(draws.normal(size=features.shape), glosses, signers))[:20]
    assert np.isin(by_chance, planted).mean() < 0.5


def test_planted_labels_come_first_where_signs_have_few_clips_that_vary_alike():
    """Eight clips a sign; clips of a sign differ most where signs do not: all signs together tell where that is."""
    draws = np.random.default_rng(0)
    gloss, wide = np.arange(800) % 100, np.where(np.arange(24) < 6, 8, 0.35)
    features = draws.normal(size=(100, 24))[gloss] + wide * draws.normal(size=(800, 24))
    planted = draws.choice(800, 40, replace=False)
    glosses = gloss.copy()
    glosses[planted] = (gloss[planted] + draws.integers(1, 100, 40)) % 100
    found = neighbours(features, glosses.astype(str), np.full(800, ""))
    first = np.argsort(-label_margin(found, found))[:40]
    assert np.isin(first, planted).mean() >= 0.8
    without = dataclasses.replace(found, fit=None)
    assert np.isin(np.argsort(-label_margin(without, without))[:40], planted).mean() < 0.4


def test_the_likelihood_tells_signs_apart_whatever_the_units():
    draws = np.random.default_rng(1)
    gloss = np.repeat(np.arange(30), 4)
    features = 3 * draws.normal(size=(30, 12))[gloss] + draws.normal(size=(120, 12))
    found = sign_likelihoods(features, gloss)
    likely = found.argmax(axis=1)
    assert (likely == gloss).mean() > 0.9
    # Clips in other units, or turned, are as likely: only differences count.
    turned = features @ np.linalg.qr(draws.normal(size=(12, 12)))[0] * 7 + 2
    np.testing.assert_allclose(sign_likelihoods(turned, gloss), found, rtol=1e-3, atol=1e-3)


def test_a_signer_who_exchanged_two_signs_is_found_and_the_others_are_not():
    features, glosses, signers = signs(400, 4, 5)
    swapped = {"sign_1": "sign_2", "sign_2": "sign_1"}
    own = signers == "s3"
    glosses[own] = [swapped.get(gloss, gloss) for gloss in glosses[own]]
    found = taken_for(neighbours(features, glosses, signers))
    assert [(row[0], row[1], row[2]) for row in found] == [("s3", 1, 2), ("s3", 2, 1)]
    assert not taken_for(neighbours(*signs(400, 4, 5)))


def test_a_few_wrong_labels_are_not_the_judge_of_a_sign_that_one_signer_has():
    """Two signers with signs of their own, 5 % of the labels wrong: the wrong ones alone are suspects."""
    features, glosses, _ = signs(600, 20, 1)
    signers = np.where(np.arange(600) % 20 < 10, "s0", "s1")
    features[signers == "s1"] += 2 * np.random.default_rng(1).normal(size=12)
    draws = np.random.default_rng(2)
    planted = draws.choice(600, 30, replace=False)
    for row in planted:
        glosses[row] = draws.choice(sorted(set(glosses) - {glosses[row]}))
    found = neighbours(features, glosses, signers)
    assert not taken_for(found)
    assert not alike(found)
    assert np.isin(np.argsort(-margin(features, glosses, signers))[:30], planted).mean() > 0.95


def test_one_sign_under_two_names_and_a_signer_far_from_all():
    features, glosses, signers = signs(400, 4, 5)
    glosses[(glosses == "sign_3") & (np.arange(400) % 8 < 4)] = "sign_4"
    pairs = alike(neighbours(features, glosses, signers))
    assert [pair[:2] for pair in pairs] == [(3, 4)]
    features, glosses, signers = signs(1200, 4, 10)
    own = signers == "s7"
    features[own] = np.random.default_rng(3).normal(size=(own.sum(), 12))
    assert [row[0] for row in far_signers(neighbours(features, glosses, signers))] == ["s7"]


def test_the_only_clip_of_a_sign_is_no_suspect_unless_its_neighbours_agree():
    def labels(features, glosses):
        found = neighbours(features, glosses, np.full(len(glosses), ""))
        return [clip for _, clip, _ in _labels(found, found)]

    assert not labels(*signs(20, 20, 1)[:2])
    features, glosses, _ = signs(60, 4, 1)
    glosses[6] = "typing error"
    assert labels(features, glosses)[0] == 6


@pytest.mark.parametrize("name", ["clip_3", "clip_7"])
def test_a_review_names_the_clip_and_draws_it(name, make_store, encoder_folder, tmp_path):
    clips = toy_clips(48, glosses=3)
    right = clips[name][1]["gloss"]
    clips[name][1]["gloss"] = "gloss_2" if right != "gloss_2" else "gloss_0"
    clips["copy"] = (clips["clip_5"][0], {"gloss": "gloss_0", "split": "test"})
    clips["clip_5"][1]["split"] = "train"
    store = make_store(clips)
    table = review(sslslr.load_encoder(encoder_folder), store, tmp_path / "review", lambda _: None)
    labels = table[table["kind"] == "label"]
    assert labels["clip_id"].iloc[0] in (name, "copy")
    assert right in set(labels[labels["clip_id"] == name]["other_gloss"])
    assert not table["why"].str.contains("np.str_", regex=False).any()
    copy = table[table["kind"] == "near copy"].iloc[0]
    assert {copy["clip_id"], copy["other_clip_id"]} == {"clip_5", "copy"}
    assert "two glosses" in copy["why"]
    assert "two sides of a split" in copy["why"]
    text = (tmp_path / "review" / "index.html").read_text()
    assert text.count("<svg") >= 2
    assert f"suspect: {clips[name][1]['gloss']} ({name}" in text
    assert (tmp_path / "review" / "suspects.csv").read_text().startswith("rank,kind,clip_id,gloss")


def real(folder, every: int = 1) -> tuple[np.ndarray, pd.DataFrame]:
    """Preprocessed keypoints, flat, of the clips of a real set, and its table."""
    loaded, table = np.load(folder / "clips.npz"), pd.read_csv(folder / "instances.csv", dtype=str)
    frames, ends = loaded["xy"], loaded["offsets"]
    clips = [frames[first:end] for first, end in itertools.pairwise(ends)]
    usable = [row for row, clip in enumerate(clips) if row % every == 0 and np.isfinite(clip).any()]
    store = _in_memory([clips[row] for row in usable], None)
    prepared = preprocess(store, PreprocessConfig(frames=16, fit="resample"))
    table = table.iloc[np.array(usable)[prepared.indices]].reset_index(drop=True)
    return prepared.batch.keypoints.flatten(1).numpy(), table


def test_a_real_signer_who_exchanged_two_signs_is_found(shared_data):
    """By raw keypoints of every third clip; an encoder has this signer first (docs/experiments.md)."""
    features, table = real(shared_data / "asl_many_signers", every=3)
    columns = (table[name].to_numpy(dtype=str) for name in ("gloss", "signer"))
    found = {row[:3]: row[3] / row[4] for row in taken_for(neighbours(features, *columns))}
    assert found["s05", 1, 2] >= 0.8 <= found["s05", 2, 1]


def test_planted_labels_in_a_real_set(shared_data):
    """5 % wrong labels by lot: at least 80 % of the first n suspects are planted ones."""
    features, table = real(shared_data / "bisindo_words")
    glosses, draws = table["gloss"].to_numpy(dtype=str), np.random.default_rng(0)
    planted = draws.choice(len(table), len(table) // 20, replace=False)
    for row in planted:
        glosses[row] = draws.choice(sorted(set(glosses) - {glosses[row]}))
    everyone = neighbours(features, glosses, np.full(len(glosses), ""))
    shares = {}
    for name, values in (("raw keypoints", everyone), ("chance", None)):
        order = (
            draws.permutation(len(table))
            if values is None
            else np.argsort(-label_margin(values, values))
        )
        shares[name] = np.isin(order[: len(planted)], planted).mean()
    print({name: f"precision at {len(planted)}: {share:.2f}" for name, share in shares.items()})
    assert shares["raw keypoints"] >= 0.8 > 0.2 > shares["chance"]
