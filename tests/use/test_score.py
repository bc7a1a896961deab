"""Scores of a dictionary against plain counts; who may answer, and what is left out and said."""

import numpy as np
import pandas as pd
import pytest

import sslslr
from sslslr.use.clips import clips_of
from sslslr.use.dictionary import Dictionary, build, spread
from sslslr.use.ranking import MEASURES, cosines
from sslslr.use.score import DRAWS, as_lines, ask, score
from sslslr.utils.errors import UserError
from toys import toy_clips


@pytest.fixture
def clips():
    found = toy_clips(48, glosses=4)
    for number, (_, columns) in enumerate(found.values()):
        columns["signer"] = f"s{number % 3}" if number < 36 else f"s{number % 2 + 2}"
    return found


@pytest.fixture
def dictionary(clips, make_store, encoder_folder, tmp_path):
    store = make_store(clips)
    build(sslslr.load_encoder(encoder_folder), store, tmp_path / "dictionary", say=lambda _: None)
    return Dictionary.open(tmp_path / "dictionary"), store


def test_the_table_is_a_plain_count_over_clips(dictionary):
    dictionary, store = dictionary
    table = score(dictionary, store, ["test"], say=lambda _: None)
    rows = store.indices("test")
    queries, entries = (
        (of - dictionary.centre) / np.linalg.norm(of - dictionary.centre, axis=1, keepdims=True)
        for of in (dictionary.embed(store, rows).features, dictionary.features)
    )
    hits, ranks = [], []
    for query, gloss in zip(queries, store.clips["gloss"].iloc[rows], strict=True):
        near = entries @ query
        best = {g: near[dictionary.store.clips["gloss"] == g].max() for g in dictionary.glosses}
        ranks.append(1 + sorted(best, key=lambda g: -best[g]).index(gloss))
        hits.append(ranks[-1] == 1)
    everyone = table[(table["queries"] == "all") & (table["clips_a_sign"] == "all")].iloc[0]
    assert everyone["n"] == len(rows) == 12
    assert everyone["recall@1"] == pytest.approx(np.mean(hits))
    assert everyone["MRR"] == pytest.approx(np.mean(1 / np.array(ranks)))
    signers = store.clips["signer"].iloc[rows].to_numpy()
    groups = table.set_index("queries")
    assert groups.loc["known signers", "n"] == (signers == "s2").sum()
    assert groups.loc["new signers", "recall@1"] == pytest.approx(np.array(hits)[signers == "s3"].mean())  # fmt: skip
    assert list(table["clips_a_sign"].unique()) == ["all", "1", "2", "5", "any"]
    assert table[table["answers"] == "chance"]["recall@1"].item() == 0.25
    assert (table["signs"] == 4).all()
    assert len(list(as_lines(table))) == len(table) + 1


def test_a_clip_and_its_copies_never_answer_themselves(clips, make_store, dictionary):
    dictionary, store = dictionary
    queries = ask(dictionary, store, ["train"])
    assert queries.barred.sum() == len(dictionary.store)
    assert np.flatnonzero(queries.barred[3]).tolist() == [3]
    renamed = make_store({f"x_{name}": clip for name, clip in list(clips.items())[:8]}, "other")
    said = []
    table = score(dictionary, renamed, say=said.append)
    assert table["n"].iloc[0] == 8
    alone = make_store({"a": clips["clip_0"], "b": clips["clip_1"]}, "alone")
    build(dictionary.encoder(), alone, dictionary.path.parent / "small", say=lambda _: None)
    with pytest.raises(UserError, match="no query has another clip of its sign"):
        score(Dictionary.open(dictionary.path.parent / "small"), alone, say=lambda _: None)


def test_signs_that_the_dictionary_lacks_are_counted_and_left_out(clips, make_store, dictionary):
    dictionary, _ = dictionary
    clips["clip_47"][1]["gloss"] = "unknown"
    said = []
    table = score(dictionary, make_store(clips, "more"), ["test"], say=said.append)
    assert table["n"].iloc[0] == 11
    assert "1 clip of signs that the dictionary lacks: left out." in said
    only = make_store({"clip_47": clips["clip_47"]}, "only")
    with pytest.raises(UserError, match="only: no clip has a sign"):
        score(dictionary, only, say=said.append)


def test_baselines_are_scored_on_the_same_clips(dictionary):
    dictionary, store = dictionary
    table = score(dictionary, store, ["test"], baselines=True, say=lambda _: None)
    whole = table[(table["queries"] == "all") & (table["clips_a_sign"] == "all")]
    assert list(whole["answers"])[1:] == ["random encoder", "dynamic time warping"]
    assert (whole["n"] == 12).all()
    warped = whole[whole["answers"] == "dynamic time warping"]
    assert warped["recall@1"].item() > 0.5


@pytest.mark.parametrize("k", [1, 2])
def test_of_few_clips_a_sign_another_one_stands_for_the_query_itself(k, dictionary):
    """An entry that asks finds as many clips of its sign as of every other one."""
    dictionary, store = dictionary
    table = score(dictionary, store, ["train"], say=lambda _: None).set_index("clips_a_sign")
    queries, shares = ask(dictionary, store, ["train"]), []
    similarity = cosines(queries.features, dictionary.features, dictionary.centre)
    for draw in range(DRAWS):
        order = spread(dictionary.store.clips, 99, seed=draw)
        for query, right in enumerate(queries.right):
            best = {}
            for gloss in range(4):
                own = [e for e in order if dictionary.gloss_of[e] == gloss and e != query][:k]
                assert len(own) == k
                best[gloss] = max(similarity[query, e] for e in own)
            shares.append(1 / sum(value >= best[right] for value in best.values()))
    assert table.loc[str(k), "MRR"] == pytest.approx(np.mean(shares))
    assert table.loc[str(k), "n"] == 36


def test_files_of_one_name_in_two_folders_are_two_clips(encoder_folder, tmp_path):
    """One signer's hello.npy is no copy of another's."""
    for folder, first in (("entries", 0), ("queries", 12), ("again/entries", 12)):
        for number, (clip, columns) in enumerate(list(toy_clips(24).values())[first : first + 12]):
            place = tmp_path / folder / columns["gloss"]
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{number}.npy", clip)
    with clips_of(tmp_path / "entries") as found:
        build(sslslr.load_encoder(encoder_folder), found.store, tmp_path / "d", say=lambda _: None)
        assert found.store.name == "entries"
        opened = Dictionary.open(tmp_path / "d")
        assert ask(opened, found.store, None).barred.sum() == 12
    for folder in ("queries", "again/entries"):
        with clips_of(tmp_path / folder) as found:
            queries = ask(opened, found.store, None)
        assert len(queries.rows) == 12
        assert not queries.barred.any()


def test_columns_of_the_table_stay_apart():
    row = {"answers": "a", "clips_a_sign": "all", "queries": "all", "n": 1}
    for name in MEASURES:
        row |= {name: 0.5, f"{name}_low": 0.25, f"{name}_high": 0.75}
    assert "]0" not in list(as_lines(pd.DataFrame([row])))[1]
