"""`embed`: a row a clip with the very features of a study's evaluation, and where they come from."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from bodies import signer
from typer.testing import CliRunner

import sslslr
from sslslr.cli.main import app
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.evaluation.evaluate import evaluate
from sslslr.training.pretrain import pretrain
from sslslr.use.embed import METADATA, write_features
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of
from sslslr.workflow import grid
from toys import toy_clips

QUIET = {"say": lambda text: None}


@pytest.mark.parametrize(
    ("method", "variant"), [("sl_fpn", "transformer"), ("random", "two_hands"), ("sl_fpn", "two_hands")]
)  # fmt: skip
def test_a_hundred_clips_have_the_features_of_the_study(method, variant, make_store, tmp_path):
    """Also where inputs are standardised, and where nothing was trained and the target measures them."""
    store = make_store(toy_clips(100))
    settings = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 24, "heads": 2, "variant": variant},
        "preprocess": {"frames": 12},
        "methods": {method: {}},
        "pretrain": {"epochs": 1, "batch_size": 32},
        "runs": [{"methods": [method], "datasets": ["toy"]}],
        "evaluate": {"protocols": {"retrieval": {}}},
    }
    study = parse(StudyConfig, settings, "test")
    (spec,) = grid.runs(study).values()
    folder = tmp_path / "results" / "encoders" / spec.run_id
    pretrain(spec, store, folder, tmp_path / "checkpoint", "code", **QUIET)
    places = (tmp_path / "results" / name / spec.run_id for name in ("metrics", "features"))
    evaluate(grid.evaluate_spec(study, spec), folder, {"toy": store.path}, *places, **QUIET)
    write_features(sslslr.load_encoder(folder), store, tmp_path / "features.parquet")
    table = pd.read_parquet(tmp_path / "features.parquet")
    of_study = tmp_path / "results" / "features" / spec.run_id / "toy"
    assert len(table) == 100
    assert list(table["clip_id"]) == list(pd.read_csv(of_study / "clips.csv")["clip_id"])
    np.testing.assert_array_equal(np.stack(table["features"]), np.load(of_study / "features.npy"))


def test_the_table_says_whose_features_they_are(toy_store, encoder_folder, tmp_path):
    out = tmp_path / "features.parquet"
    encode = sslslr.load_encoder(encoder_folder)
    assert not write_features(encode, toy_store, out).dropped
    table = pq.read_table(out)
    assert table.column_names == ["clip_id", "gloss", "signer", "split", "features"]
    assert table["gloss"].to_pylist() == list(toy_store.clips["gloss"])
    about = json.loads(pq.read_schema(out).metadata[METADATA])
    assert about["encoder_sha256"] == sha256_of(encoder_folder / "encoder.safetensors")
    assert about["preprocess"]["frames"] == 12
    assert set(about["code"]) == {"sslslr", "sha256"}
    assert about["clips"] == json.loads((toy_store.path / "card.json").read_text())["sha256"]
    write_features(encode, toy_store, out, unlabelled=True)
    assert set(pq.read_table(out)["gloss"].to_pylist()) == {None}


def test_clips_without_hands_are_left_out_and_named(make_store, encoder_folder, tmp_path):
    clips = toy_clips(6)
    clips["clip_2"][0][:, :42] = np.nan
    store = make_store(clips, on_bad="drop")
    embedded = write_features(sslslr.load_encoder(encoder_folder), store, tmp_path / "f.parquet")
    left = [*store.card["dropped"].get("clips", []), *embedded.dropped]
    assert [clip["clip_id"] for clip in left] == ["clip_2"]
    assert len(pd.read_parquet(tmp_path / "f.parquet")) == 5
    with pytest.raises(UserError, match="a folder, where a file is to be made"):
        write_features(sslslr.load_encoder(encoder_folder), store, tmp_path)


def test_widths_to_heights_may_be_an_array_and_must_be_possible(encoder_folder):
    encode = sslslr.load_encoder(encoder_folder)
    clips = [clip for clip, _ in list(toy_clips(2).values())]
    one_by_one = [encode([clip], [aspect]) for clip, aspect in zip(clips, (1.5, None), strict=True)]
    both = encode(clips, np.array([1.5, np.nan]))
    np.testing.assert_allclose(both, np.concatenate(one_by_one), atol=1e-5)
    for aspect in (0, -1.5, 1e30):
        with pytest.raises(UserError, match="clip 1 of 2: aspect is .*; it is width / height"):
            encode(clips, [1.5, aspect])
    with pytest.raises(UserError, match="aspect is 'wide'; it is width / height"):
        encode(clips, [1.5, "wide"])


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda clip: clip.astype(object), None),  # as a column of a table holds them
        (lambda clip: clip.tolist(), None),
        (lambda clip: np.where(np.isnan(clip), None, clip), None),
        (lambda clip: np.full(clip.shape, np.iinfo(int).min), "coordinates up to 9"),
        (lambda clip: clip.astype(str), "clip 0 of 1: expected numbers, found <U"),
        (lambda clip: clip + 1j, "clip 0 of 1: expected numbers, found complex"),
        (lambda clip: np.full(clip.shape, "x", object), "clip 0 of 1: could not convert"),
        (lambda clip: np.full(clip.shape, {}, object), "clip 0 of 1: float.. argument must be"),
    ],
)
def test_a_clip_is_an_array_of_numbers_of_any_kind(change, refusal, encoder_folder):
    encode = sslslr.load_encoder(encoder_folder)
    clip = next(iter(toy_clips(1).values()))[0].astype(np.float64)
    clip[0, 45] = np.nan
    if refusal:
        with pytest.raises(UserError, match=refusal):
            encode([change(clip)])
    else:
        np.testing.assert_array_equal(encode([change(clip)]), encode([clip]))


def test_what_is_no_encoder_is_told_what_one_is(tmp_path):
    with pytest.raises(UserError, match="no encoder. Give a run of a study .*preprocess.json"):
        sslslr.load_encoder(tmp_path)
    with pytest.raises(UserError, match="there is no such folder. Give a run"):
        sslslr.load_encoder(tmp_path / "none")


def test_a_table_under_another_ending_is_refused(toy_store, encoder_folder, tmp_path):
    with pytest.raises(UserError, match="the table is parquet"):
        write_features(sslslr.load_encoder(encoder_folder), toy_store, tmp_path / "features.npz")
    assert not list(tmp_path.glob("features*"))


def test_clips_of_every_split_and_without_a_sign_are_embedded(encoder_folder, tmp_path):
    folder, rows = tmp_path / "mine", []
    folder.mkdir()
    splits = ("train", "public", "", "private", "test", "public", "train")
    for number, split in enumerate(splits):
        np.save(folder / f"{number}.npy", signer(seed=number, frames=12))
        rows.append(f"{number}.npy,{'book' if number < 6 else ''},{split}")
    np.save(folder / "7.npy", np.full((12, 75, 2), np.nan))
    rows.append("7.npy,book,public")
    (folder / "labels.csv").write_text("\n".join(["file,gloss,split", *rows]) + "\n")
    out = tmp_path / "f.parquet"
    answer = CliRunner().invoke(app, ["embed", str(encoder_folder), str(folder), "--out", str(out)])
    table = pq.read_table(out)
    assert table["clip_id"].to_pylist() == [str(number) for number in range(7)]
    assert table["split"].to_pylist() == ["train", None, None, None, "test", None, "train"]
    assert table["gloss"].to_pylist() == ["book"] * 6 + [None]
    assert (
        "Split 'public' of 3 clips is not one of train, val, test: taken without a split."
        in answer.output
    )
    assert "left out: 7: every joint is missing" in answer.output


def test_a_store_without_splits_is_embedded_whole(make_store, encoder_folder, tmp_path):
    clips = {name: (clip, {**about, "split": None}) for name, (clip, about) in toy_clips(6).items()}
    write_features(sslslr.load_encoder(encoder_folder), make_store(clips), tmp_path / "f.parquet")
    assert pq.read_table(tmp_path / "f.parquet")["split"].to_pylist() == [None] * 6
