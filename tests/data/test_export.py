"""What is exported is imported again as it was; a clip store is a data set of a study."""

import json

import numpy as np
import pandas as pd
import pytest
from bodies import signer
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.data.datasets import build
from sslslr.data.export import export, unstated
from sslslr.data.store import ClipStore, writing
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of


@pytest.fixture
def store(tmp_path):
    with writing(
        tmp_path / "store", {"dataset": "x", "licence": "CC0", "languages": ["ase"]}
    ) as writer:
        for number in range(4):
            clip = signer(seed=number)
            clip[2, :21] = np.nan
            if number == 3:
                clip[-2:] = np.nan
            columns = {"gloss": f"g{number % 2}", "split": "train", "fps": 25.0, "aspect": 16 / 9}
            writer.add(f"sub/c {number}", clip, **columns, signer="s1" if number else None)
    return ClipStore.open(tmp_path / "store")


@pytest.mark.parametrize("form", ["pose", "npy", "parquet"])
def test_what_is_exported_is_imported_again(store, tmp_path, form):
    assert export(store, tmp_path / "out", form) == 4
    build(
        "x",
        "local",
        {"folder": str(tmp_path / "out")},
        tmp_path / "again",
        say=lambda line: None,
        on_bad="error",
    )
    again = ClipStore.open(tmp_path / "again")
    columns = ["clip_id", "gloss", "split", "signer", "fps"]
    pd.testing.assert_frame_equal(again.clips[columns], store.clips[columns])
    np.testing.assert_allclose(again.clips["aspect"], store.clips["aspect"], atol=1e-3)
    np.testing.assert_allclose(again.keypoints, store.keypoints, atol=1e-3, equal_nan=True)
    with pytest.raises(UserError, match="is not empty"):
        export(store, tmp_path / "out", form)


KNOWN = (
    (None, None), (25.0, None), (None, 16 / 9), (29.97, 4 / 3), (7.5, 9 / 16), (24000 / 1001, 1.85), (500.0, 1.0),
)  # fmt: skip


@pytest.fixture
def partly(tmp_path):
    with writing(tmp_path / "store", {"dataset": "x"}) as writer:
        for number, (fps, aspect) in enumerate(KNOWN):
            writer.add(f"c{number}", signer(seed=number), gloss="g", fps=fps, aspect=aspect)
    return ClipStore.open(tmp_path / "store")


@pytest.mark.parametrize("form", ["pose", "npy", "parquet"])
def test_rate_and_shape_stay_as_they_are_known(partly, tmp_path, form):
    export(partly, tmp_path / "out", form)
    build(
        "x", "local", {"folder": str(tmp_path / "out")}, tmp_path / "again", say=lambda line: None
    )
    columns = ["fps", "aspect"]
    again = ClipStore.open(tmp_path / "again")
    pd.testing.assert_frame_equal(again.clips[columns], partly.clips[columns])
    lines = unstated(partly, form)
    written = ["25 is written to their headers", "a square image is written"]
    for name, line, expected in zip(columns, lines, written, strict=True):
        assert line.startswith(f"{name} is not known of 2 of 7 clips: ")
        assert (expected if form == "pose" else "leaves it empty") in line


def test_pose_files_alone_keep_what_is_known(partly, tmp_path):
    export(partly, tmp_path / "out", "pose")
    labels = pd.read_csv(tmp_path / "out/labels.csv")
    assert labels["fps"].tolist()[::2][:2] == ["unknown", "unknown"]
    labels[["file", "gloss"]].to_csv(tmp_path / "out/labels.csv", index=False)
    build(
        "x", "local", {"folder": str(tmp_path / "out")}, tmp_path / "again", say=lambda line: None
    )
    again = ClipStore.open(tmp_path / "again").clips
    for number, (fps, aspect) in enumerate(KNOWN[:-1]):
        assert again["fps"][number] == pytest.approx(fps or 25, rel=1e-6)
        assert again["aspect"][number] == pytest.approx(aspect or 1, rel=1e-6)


def test_the_command_says_what_it_wrote_instead(partly, tmp_path):
    result = CliRunner().invoke(
        app, ["data", "export", str(partly.path), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0
    assert "fps is not known of 2 of 7 clips: 25 is written to their headers" in result.output


def test_a_table_of_joints(store, tmp_path):
    export(store, tmp_path / "out", "parquet")
    table = pd.read_parquet(tmp_path / "out/clips.parquet")
    assert table["x"].count() == np.isfinite(store.keypoints[..., 0]).sum()
    row = (
        table[(table["clip_id"] == "sub/c 1") & (table["frame"] == 3)]
        .set_index("joint")
        .loc["body.nose"]
    )
    np.testing.assert_allclose(row[["x", "y"]].astype(float), store.frames(1)[3, 42], atol=1e-6)


@pytest.mark.parametrize("form", ["pose", "npy", "parquet"])
def test_normalised_clips_are_exported_as_they_are(tmp_path, form):
    with writing(tmp_path / "store", {"dataset": "x"}) as writer:
        writer.add("a", (signer() - (0.5, 0.45)) / 0.24, gloss="g")
    export(ClipStore.open(tmp_path / "store"), tmp_path / "out", form)
    again = tmp_path / "again"
    build("x", "local", {"folder": str(tmp_path / "out")}, again, say=lambda line: None)
    keypoints = ClipStore.open(tmp_path / "store").keypoints
    np.testing.assert_allclose(ClipStore.open(again).keypoints, keypoints, atol=1e-3)


def test_a_store_is_a_data_set(store, tmp_path):
    build("y", "store", {"folder": str(store.path)}, tmp_path / "again", say=lambda line: None)
    again = ClipStore.open(tmp_path / "again")
    np.testing.assert_array_equal(again.keypoints, store.keypoints)
    drop = ["dataset"]
    pd.testing.assert_frame_equal(again.clips.drop(columns=drop), store.clips.drop(columns=drop))
    assert (again.name, again.card["licence"], again.card["languages"]) == ("y", "CC0", ["ase"])
    assert set(again.card["inputs"]) == {"keypoints.npy", "clips.parquet", "card.json"}
    with pytest.raises(UserError, match="is missing; a clip store has 3 files"):
        build("y", "store", {"folder": str(tmp_path)}, tmp_path / "no", say=lambda line: None)


def test_croissant_describes_the_files_that_are_there(store):
    about = json.loads((store.path / "croissant.json").read_text())
    assert (about["name"], about["license"]) == ("x", "CC0")
    for file in about["distribution"]:
        assert sha256_of(store.path / file["contentUrl"]) == file["sha256"]
    (clips,) = about["recordSet"]
    assert {field["name"] for field in clips["field"]} == set(store.clips.columns)
    for name in ("keypoints.npy", "clips.parquet", "card.json"):  # as Snakemake does before a rule
        (store.path / name).unlink()
    with writing(store.path, {"dataset": "x"}) as writer:
        writer.add("a", signer(), gloss="g")
    assert len(ClipStore.open(store.path)) == 1


def test_a_file_is_no_place_to_export_to(store, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(UserError, match="is no folder"):
        export(store, tmp_path / "out", "npy")


@pytest.mark.parametrize("form", ["pose", "npy", "parquet"])
def test_of_a_normalised_set_a_clip_of_one_hand_comes_back_too(tmp_path, form):
    with writing(tmp_path / "store", {"dataset": "x"}) as writer:
        for number in range(6):
            clip = (signer(seed=number)[:, :42] - (0.5, 0.45)) / 0.24
            if number == 3:
                clip[:, 21:] = np.nan
            writer.add(f"c{number}", clip, gloss="g")
    store = ClipStore.open(tmp_path / "store")
    export(store, tmp_path / "out", form)
    options = {"folder": str(tmp_path / "out")}
    build("x", "local", options, tmp_path / "again", say=lambda line: None, on_bad="error")
    again = ClipStore.open(tmp_path / "again")
    np.testing.assert_allclose(again.keypoints, store.keypoints, atol=1e-3, equal_nan=True)
