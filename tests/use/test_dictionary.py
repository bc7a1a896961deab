"""A dictionary: what is in its folder, what it finds, and where it is not sure."""

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import sslslr
from sslslr import load_encoder
from sslslr.cli.main import app
from sslslr.config.run import RunSpec
from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.data.preprocess import preprocess
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from sslslr.use.clips import clips_of
from sslslr.use.dictionary import DICTIONARY, FEATURES, Dictionary, build, copies, spread
from sslslr.use.ranking import by_gloss, chance, cosines, measures, ranks, summary
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_json, write_json
from toys import toy_clips


@pytest.fixture
def dictionary(toy_store, encoder_folder, tmp_path):
    build(
        sslslr.load_encoder(encoder_folder), toy_store, tmp_path / "dictionary", say=lambda _: None
    )
    return Dictionary.open(tmp_path / "dictionary")


def test_an_entry_finds_itself(toy_store, dictionary):
    train = toy_store.indices("train")
    assert len(dictionary.store) == len(train) == len(dictionary.features)
    features = dictionary.embed(toy_store, train[:5]).features
    for row, answer in zip(train, dictionary.find(features, most=2), strict=False):
        clip = toy_store.clips.iloc[row]
        assert answer["neighbours"][0][0] == clip["clip_id"]
        assert answer["gloss"][0] == clip["gloss"]
        assert answer["similarity"][0] == pytest.approx(1, abs=1e-5)
        assert answer["similarity"].is_monotonic_decreasing


def test_a_dictionary_of_one_entry_knows_it(make_store, encoder_folder, tmp_path):
    store = make_store(dict(list(toy_clips(4, glosses=1).items())[:1]))
    build(sslslr.load_encoder(encoder_folder), store, tmp_path / "one", say=lambda _: None)
    found = Dictionary.open(tmp_path / "one")
    answer = found.find(found.embed(store).features)[0]
    assert answer["similarity"][0] == pytest.approx(1, abs=1e-5)


def test_a_clip_that_cannot_be_read_leaves_the_others_their_answers(
    toy_store, dictionary, tmp_path
):
    np.save(tmp_path / "good.npy", np.asarray(toy_store.frames(0)))
    np.save(tmp_path / "empty.npy", np.full((9, 75, 2), np.nan))
    asked = [str(tmp_path / name) for name in ("empty.npy", "good.npy")]
    done = CliRunner().invoke(app, ["lookup", "find", str(dictionary.path), *asked])
    assert "good.npy:" in done.output
    assert "left out: " in done.output
    assert "1 of 2 clips have no answer" in str(done.exception)


@pytest.mark.parametrize("fit", ["resample", "truncate"])
def test_a_clip_is_seen_whole_and_in_three_parts(fit, toy_store, encoder_folder):
    """Where clips are stretched; one that is cut has no end to leave out."""
    run = read_json(encoder_folder / "run.json")
    run["spec"]["preprocess"]["fit"] = fit
    write_json(encoder_folder / "run.json", run)
    encode = sslslr.load_encoder(encoder_folder)
    found, whole = encode.store(toy_store, parts=True).features, encode.store(toy_store).features
    if fit == "truncate":
        np.testing.assert_array_equal(found, whole)
        return
    longer = preprocess(toy_store, encode.preprocess.model_copy(update={"frames": 15}))
    moving, expected = longer.batch.keypoints, [whole]
    for start in (0, 1, 3):
        part = Batch(moving[:, start : start + 12], longer.batch.lengths - 3, longer.batch.present)
        expected.append(encode.features(part))
    np.testing.assert_allclose(found, np.mean(expected, axis=0), atol=1e-6)


def test_a_dictionary_is_clips_and_an_encoder_too(dictionary):
    """`sslslr embed dictionary/ dictionary/` are the entries' features by the dictionary's own encoder."""
    with clips_of(dictionary.path) as clips:
        assert list(clips.store.clips["clip_id"]) == list(dictionary.store.clips["clip_id"])
        embedded = load_encoder(dictionary.path).store(clips.store, parts=True)
    np.testing.assert_allclose(embedded.features, dictionary.features, atol=1e-6)


def test_cut_weights_of_a_dictionary_are_not_to_be_pretrained_again(dictionary):
    weights = dictionary.path / "model" / "encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    with pytest.raises(
        UserError, match=r"cannot be used .* Copy the folder anew .*lookup build"
    ) as caught:
        load_encoder(dictionary.path)
    assert "Pretrain" not in str(caught.value)


def test_a_damaged_dictionary_is_said_in_a_sentence(dictionary):
    about = read_json(dictionary.path / DICTIONARY)
    write_json(dictionary.path / DICTIONARY, about | {"format": "sslslr dictionary 1"})
    with pytest.raises(UserError, match="Build it again"):
        Dictionary.open(dictionary.path)
    write_json(dictionary.path / DICTIONARY, about | {"centre": about["centre"][1:]})
    np.save(dictionary.path / FEATURES, dictionary.features[:, 1:])
    with pytest.raises(UserError, match="32 features a clip, and 31 there"):
        Dictionary.open(dictionary.path).encoder()
    write_json(dictionary.path / DICTIONARY, about)
    np.save(dictionary.path / FEATURES, dictionary.features * 1e30)
    with pytest.raises(UserError, match="beyond 1e\\+15"):
        Dictionary.open(dictionary.path)
    for value in (np.inf, np.nan):  # float16 cannot be compared with 1e15
        np.save(dictionary.path / FEATURES, np.full_like(dictionary.features, value, np.float16))
        with pytest.raises(UserError, match="beyond 1e\\+15"):
            Dictionary.open(dictionary.path)
    np.save(dictionary.path / FEATURES, dictionary.features[1:])
    with pytest.raises(UserError, match="Build it again"):
        Dictionary.open(dictionary.path)


@pytest.mark.parametrize(
    ("part", "refusal"),
    [
        ("model", "model/ is not the encoder that made features.npy"),
        ("clips", "its clips/ are not those of which features.npy"),
        ("model/encoder.safetensors", "one of the two is another encoder's"),
        ("model/preprocess.json", "one of the two is another encoder's"),
    ],
)
def test_parts_of_two_dictionaries_are_no_dictionary(
    part, refusal, dictionary, make_store, encoder_folder, tmp_path
):
    """Of one width and one number of clips: nothing else would tell, and every answer would be by chance."""
    weights = load_file(encoder_folder / "encoder.safetensors")
    weights = {name: value * 1.5 for name, value in weights.items()}
    save_file(weights, encoder_folder / "encoder.safetensors")
    other = make_store(toy_clips(len(dictionary.store), seed=5), name="other_clips")
    quiet = {"splits": ["train", "val", "test"], "say": lambda _: None}
    build(load_encoder(encoder_folder), other, tmp_path / "other", **quiet)
    assert len(Dictionary.open(tmp_path / "other").store) == len(dictionary.store)
    old, new = dictionary.path / part, tmp_path / "other" / part
    old.rename(tmp_path / "old")
    new.rename(old)
    with pytest.raises(UserError, match=refusal):
        Dictionary.open(dictionary.path).encoder()


def test_a_dictionary_by_an_encoder_that_its_clips_measured_is_whole(
    encoder_folder, toy_store, tmp_path
):
    run = read_json(encoder_folder / "run.json")
    options = {"depth": 1, "width": 24, "heads": 2, "hand_width": 16}
    run["spec"]["encoder"] = EncoderConfig(variant="two_hands", **options).model_dump(mode="json")
    spec = RunSpec.model_validate(run["spec"])
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
    artifact.save(encoder_folder, encoder, pd.DataFrame({"epoch": [0]}), run)
    encode = load_encoder(encoder_folder)
    build(encode, toy_store, tmp_path / "dictionary", say=lambda _: None)
    assert encode.measured
    found = Dictionary.open(tmp_path / "dictionary")
    np.testing.assert_allclose(found.embed(found.store).features, found.features, atol=1e-5)


def test_entries_of_a_sign_come_from_its_signers_in_turn(make_store):
    clips = toy_clips(24, glosses=2)
    for number, (_, columns) in enumerate(clips.values()):
        columns["signer"] = "often" if number < 20 else "seldom"
    table = make_store(clips).clips
    rows = spread(table, per_sign=2)
    chosen = table.iloc[rows]
    assert (chosen.groupby("gloss").size() == 2).all()
    assert (chosen.groupby("gloss")["signer"].nunique() == 2).all()


def test_a_clip_is_a_copy_of_itself_and_of_equal_keypoints(make_store):
    clips = toy_clips(6)
    same = make_store({"a": clips["clip_0"], "b": clips["clip_1"]}, "one")
    other = make_store({"x": clips["clip_1"], "a": clips["clip_2"]}, "two")
    assert copies(same, np.arange(2), same).tolist() == [[True, False], [False, True]]
    assert copies(same, np.arange(2), other).tolist() == [[False, False], [True, False]]


def test_the_measures_are_those_of_plain_loops():
    draws = np.random.default_rng(0)
    queries, entries, centre = (
        draws.normal(size=(7, 5)),
        draws.normal(size=(11, 5)),
        draws.normal(size=5),
    )
    gloss_of, right = np.arange(11) % 4, draws.integers(0, 4, 7)
    found = ranks(by_gloss(cosines(queries, entries, centre), gloss_of, 4), right)
    expected = []
    for query, sign in zip(queries - centre, right, strict=True):
        nearest = {}
        for entry, gloss in zip(entries - centre, gloss_of, strict=True):
            cosine = query @ entry / np.linalg.norm(query) / np.linalg.norm(entry)
            nearest[gloss] = max(nearest.get(gloss, -1), cosine)
        expected.append(1 + sorted(nearest, key=lambda gloss: -nearest[gloss]).index(sign))
    assert found.tolist() == expected
    scores = summary(found, signers=["a", "b", None, "a", "b", "b", "a"])
    n = len(expected)
    assert scores["DCG"] == pytest.approx(sum(1 / np.log2(r + 1) for r in expected) / n)
    assert scores["MRR"] == pytest.approx(sum(1 / r for r in expected) / n)
    for k in (1, 5, 6, 10, 20):
        assert scores[f"recall@{k}"] == pytest.approx(sum(r <= k for r in expected) / n)
    assert scores["MRR_low"] <= scores["MRR"] <= scores["MRR_high"]
    assert {"MRR_signers_low", "MRR_signers_high"} <= set(scores)


def test_an_encoder_that_says_the_same_of_all_clips_finds_nothing():
    best = by_gloss(np.zeros((3, 8), np.float32), np.arange(8) % 4, 4)
    assert ranks(best, np.array([0, 1, 3])).tolist() == [4, 4, 4]


def test_chance_is_the_mean_over_all_ranks():
    assert chance(4)["recall@1"] == 0.25
    assert chance(4)["MRR"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert measures(np.array([2]))["DCG"] == pytest.approx(1 / np.log2(3))
