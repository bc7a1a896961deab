"""The map of features."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from typer.testing import CliRunner

from sslslr.cli import report
from sslslr.cli.report import app
from sslslr.errors import UserError
from sslslr.report import style
from sslslr.report.embedding import embedding_map, read_features
from toys import toy_clips

N = 60


@pytest.fixture
def clips():
    return pd.DataFrame(
        {
            "clip_id": [f"clip_{i}" for i in range(N)],
            "gloss": [f"gloss_{i % 15:02}" for i in range(N)],
            "signer": [f"signer_{i % 2}" for i in range(N)],
            "split": ["test" if i % 3 == 0 else "train" for i in range(N)],
        }
    )


@pytest.fixture
def features(clips):
    """Signers far apart, glosses on top of each other."""
    noise = np.random.default_rng(0).normal(0, 0.1, (N, 8))
    return (noise + 5 * np.eye(8)[clips["signer"].str[-1].astype(int)]).astype(np.float32)


def points(axes):
    return {c.get_label(): np.asarray(c.get_offsets()) for c in axes.collections}


def test_every_clip_is_drawn_once_in_each_panel(features, clips):
    gloss, signer = embedding_map(features, clips, "toy", max_glosses=12).axes
    assert sum(map(len, points(gloss).values())) == N
    assert len(points(gloss)["other (12)"]) == 12  # three of 15 glosses have no colour
    assert set(points(signer)) - {"_child0"} == {"signer_0 (30)", "signer_1 (30)"}


def test_what_the_features_separate_is_apart_on_the_map(features, clips):
    groups = points(embedding_map(features, clips, "toy").axes[1])
    a, b = groups["signer_0 (30)"], groups["signer_1 (30)"]
    apart = np.linalg.norm(a.mean(axis=0) - b.mean(axis=0))
    assert apart > 2 * max(a.std(), b.std())


def test_only_test_clips_where_there_are_enough_and_thinned_to_the_most(features, clips):
    many = pd.concat([clips] * 6, ignore_index=True)
    figure = embedding_map(np.concatenate([features] * 6), many, "toy", max_clips=50)
    assert figure.get_suptitle() == "toy, n = 50 of 120 test clips"
    figure = embedding_map(features, clips, "toy")
    assert figure.get_suptitle() == "toy, n = 60 clips"


def test_unknown_signers_give_way_to_languages_and_then_to_a_sentence(features, clips):
    nameless = clips.assign(signer="")
    languages = nameless.assign(language=["ase", "gsg"] * (N // 2))
    assert "by language" in embedding_map(features, languages, "x").axes[1].get_title(loc="left")
    silent = embedding_map(features, nameless, "x")
    assert len(silent.axes) == 1  # no half of a page that is empty
    assert silent.get_suptitle() == "x (no two signers or languages known), n = 60 clips"
    one = embedding_map(features, nameless.assign(language="ase"), "x")
    assert len(one.axes) == 1  # one colour for all says nothing


def test_unknown_signers_are_not_called_others(features, clips):
    some = clips.assign(signer=[name if i % 3 else "" for i, name in enumerate(clips["signer"])])
    labels = set(points(embedding_map(features, some, "x").axes[1]))
    assert labels == {"not stated (20)", "signer_0 (20)", "signer_1 (20)"}


def test_names_of_all_sorts_are_readable_and_the_legend_is_on_the_page(features, clips):
    """It was cut off below, and a name that begins with "_" lost it."""
    names = [
        "_a",
        "$x^$",
        "a\nb",
        "x" * 99,
        "مرحبا",
        "50%",
        "#",
        "{",
        "&",
        "1e5",
        "NA",
        "007",
        "nan",
    ]
    odd = clips.assign(gloss=[names[i % len(names)] for i in range(N)])
    figure = embedding_map(features, odd, "run")
    FigureCanvasAgg(figure).draw()
    legend = figure.axes[0].get_legend()
    box = legend.get_window_extent()
    assert box.y0 >= 0
    assert box.y1 < figure.axes[0].get_window_extent().y0
    said = {text.get_text().rpartition(" (")[0] for text in legend.get_texts()}
    assert {"\u200e_a", "$x^$", "a b", "x" * 15 + "…", "\u2068مرحبا\u2069", "1e5", "NA"} <= said
    title = figure._suptitle.get_window_extent()
    assert title.y0 > figure.axes[0].get_tightbbox().y1 - 1


@pytest.mark.parametrize("rows", [3, N])
def test_a_collapsed_encoder_or_too_few_clips_say_so(clips, rows):
    figure = embedding_map(np.ones((rows, 4)), clips[:rows], "x")
    assert "no map" in figure.texts[0].get_text()


def test_bad_features_are_refused(features, clips):
    with pytest.raises(UserError, match="do not fit"):
        embedding_map(features[1:], clips, "x")
    features[0, 0] = np.nan
    with pytest.raises(UserError, match="NaN"):
        embedding_map(features, clips, "x")
    with pytest.raises(UserError, match=r"features\.npy: there is no such file"):
        read_features("absent")


def test_the_verb_draws_the_same_bytes_as_the_function(tmp_path, features, clips):
    folder = tmp_path / "run" / "toy"
    folder.mkdir(parents=True)
    np.save(folder / "features.npy", features)
    clips.to_csv(folder / "clips.csv", index=False)
    arguments = ["embedding", "--features", str(folder), "--stem", f"{tmp_path}/a", "--title", "T"]
    ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    again = style.save(embedding_map(*read_features(folder), "T"), tmp_path / "b")
    for path in again:
        assert path.read_bytes() == (tmp_path / f"a{path.suffix}").read_bytes()


def test_the_example_of_a_study_shows_languages_where_no_signer_is_known(
    tmp_path, make_store, monkeypatch
):
    """The demo's page said of its 16 languages that none was known."""
    languages = ["ase", "gss"]
    store = make_store(
        {
            name: (keypoints, {**columns, "language": languages[i % 2]})
            for i, (name, (keypoints, columns)) in enumerate(toy_clips().items())
        }
    )
    folder = tmp_path / "run" / "toy"
    folder.mkdir(parents=True)
    np.save(folder / "features.npy", np.random.default_rng(0).normal(size=(len(store), 8)))
    about = store.clips[["clip_id", "gloss", "signer", "split"]]
    about.to_csv(folder / "clips.csv", index=False)
    scored = store.clips[store.clips["split"] == "test"]
    predictions = pd.DataFrame(
        {
            "run_id": "run", "dataset": "toy", "protocol": "linear", "label_fraction": 1.0,
            "shots": 0, "probe_seed": 0, "clip_id": scored["clip_id"], "label": scored["gloss"],
            "best": [[gloss] for gloss in scored["gloss"]],
        }
    )  # fmt: skip
    predictions.to_parquet(tmp_path / "predictions.parquet")
    drawn = {}
    monkeypatch.setattr(report, "_save", lambda figure, stem: drawn.update({stem.name: figure}))
    arguments = ["example", "--features", f"{tmp_path}/run", "--store", str(store.path)]
    arguments += ["--predictions", f"{tmp_path}/predictions.parquet", "--dataset", "toy"]
    ran = CliRunner().invoke(report.app, arguments, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    assert drawn["embedding"].get_suptitle() == "run on toy, n = 48 clips"
    _, second = drawn["embedding"].axes
    assert second.get_title(loc="left") == "by language, 2 in all"
