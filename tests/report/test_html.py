"""The page: self-contained, escaped, accessible, and it shows what it was given."""

import base64
import itertools
import json
import re
import tempfile
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sslslr.report.figures import _skeletons as strips
from sslslr.report.figures import _style as style
from sslslr.report.page import answer
from sslslr.report.page import page as html
from sslslr.report.tables.cost import Cost, costs
from sslslr.utils.errors import UserError

EVIL = "<script>alert('x')</script>"
CONFIG = {"name": "demo", "note": f"Numbers of the demo {EVIL}", "pretrain": {"epochs": 3}}


def run(seed=0, variant="paper", collapsed=False):
    warnings = [f"the projections collapsed {EVIL}"] if collapsed else []
    return {
        "spec": {
            "run_id": f"sl_fpn.temporal_permutation.{variant}.toy.s{seed}",
            "method": "sl_fpn",
            "augmentation": "temporal_permutation",
            "dataset": "toy",
            "tag": None,
            "seed": seed,
            "encoder": {"variant": variant, "depth": 2, "width": 64},
            "pretrain": {"epochs": 3, "batch_size": 32},
        },
        "code_hash": "c0de",
        "data_hash": "da7a",
        "versions": {"torch": "2.13.0"},
        "cost": {
            "wall_seconds": 61.5, "clips_per_second": 120.0, "peak_memory_mb": 512.0,
            "device": "cpu", "threads": 1, "precision": "32-true",
        },
        "warnings": warnings,
        "collapsed": collapsed,
        "n_clips": 48,
        "parameters": 12345,
        "dropped": [],
    }  # fmt: skip


CARD = {
    "dataset": "toy",
    "licence": f"CC BY 4.0 {EVIL}",
    "citation": "Somebody, see https://example.org",
    "languages": ["ase", "gss"],
    "origin": "made by a test",
    "split_rule": None,
    "n_clips": 48,
    "joints": {"left_hand": 0.5},
    "dropped": {"count": 3, "by_reason": {"no frame": 3}, "clips": []},
    "sha256": {"keypoints.npy": "ab" * 32},
}


def _moving(name):
    """A PNG with a strip of this name."""
    clip = np.random.default_rng(0).uniform(size=(5, 75, 2))
    figure = strips.clip_strip([(name, clip, 5)])
    with tempfile.TemporaryDirectory() as folder:
        return style.save(figure, f"{folder}/x", strips.moving(figure))[1].read_bytes()


@pytest.fixture
def png(tmp_path):
    figure = Figure(figsize=(1, 1))
    return style.save(figure, tmp_path / "training")[1]


def drawn(path):
    return html.Drawn(path.stem, "Curves", "They fall.", "A line chart.", html.png(path))


COMPARED = answer.Line(
    "a against b", (3.0, -1.0, 7.0), "+3.0 [−1.0, +7.0]", "cannot tell", "cannot tell"
)
CLAIMS = (
    answer.Line("It is ahead.", (12.0, 4.0, 20.0), "+12.0, 5 seeds", "holds", "holds", [COMPARED]),
    answer.Line(
        "It is level.", (3.0, -1.0, 7.0), "+3.0, 2 seeds", "cannot tell", "cannot tell (2 seeds)"
    ),
    answer.Line(EVIL, None, "", answer.UNMEASURED, answer.UNMEASURED),
)
SCORE = {"mean": 0.621, "best": True, "std": 0.008, "paper": 0.7121, "low": 0.6, "high": 0.642,
         "n": 446.0, "seeds": 5.0}  # fmt: skip
NONE = {**dict.fromkeys(SCORE, float("nan")), "best": False}
BLOCK = {"title": "linear", "same": "encoder paper", "columns": {"toy": ("toy", "446"), "far": ("far", "9")},
         "rows": [{"name": EVIL, "about": "mean", "cells": [SCORE, NONE]}]}  # fmt: skip


def content(**shown):
    """The page of a study of which little is known."""
    given = {
        "config": CONFIG, "asked": ["One holds.", f"Some do not {EVIL}."], "claims": answer.forest(CLAIMS),
        "ablations": answer.forest(()), "grids": [html.Grid("main", "Main", "Scores.", [BLOCK])], "tables": [],
        "figures": [], "runs": [run()], "cards": [CARD], "note": CONFIG["note"], "clips": True, **shown,
    }  # fmt: skip
    return html.content(**given)


@pytest.fixture
def page(png):
    cells = pd.DataFrame({"Method": [EVIL, "SimCLR"], "Top-1": ["62.1 ± 0.8", "n/a"]})
    runs = [run(0, collapsed=True), run(1), run(0, variant="as_released")]
    tables = [
        html.Shown("linear", "Linear evaluation", "Scores.", cells, "Top-1: the best."),
        html.Shown("cost", "Budget", "Said.", Cost().shown(costs(runs))),
    ]
    return content(tables=tables, figures=[drawn(png)], runs=runs)


class Tags(HTMLParser):
    """All start tags with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, *names):
        return [attrs for tag, attrs in self.found if tag in names]


def test_nothing_is_asked_of_the_network(page):
    tags = Tags(page)
    sources = [attrs["src"] for _, attrs in tags.found if "src" in attrs]
    sources += [attrs["href"] for attrs in tags.named("link")]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert all(attrs["href"].startswith("#") for attrs in tags.named("a"))
    assert not tags.named("iframe", "object", "embed", "base")
    style = "".join(re.findall(r"<style>(.*?)</style>", page, re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style


def test_names_from_data_cannot_run(page):
    assert EVIL not in page
    assert page.count("&lt;script&gt;alert") >= 5  # note, table, licence, warning, configuration
    assert len(Tags(page).named("script")) == 1
    evil = html.Drawn("x", "X", "Y.", "Z.", b"")
    object.__setattr__(evil, "content", _moving(f"</script>{EVIL}"))
    assert "</script><script>" not in content(figures=[evil])


def test_what_nobody_sees_is_not_in_the_page():
    """Marks of direction turn round what follows, and control characters are no HTML."""
    unseen = "\u202e\u2066\x00\x1b\x85\ud800"
    page = content(note=f"a{unseen}b", cards=[{**CARD, "licence": f"CC{unseen}"}])
    assert not set(unseen) & set(page)
    page.encode()


def test_headings_images_and_tables_are_accessible(page):
    tags = Tags(page)
    assert all(attrs.get("alt") for attrs in tags.named("img"))
    assert len(tags.named("img")) == 1
    levels = [int(tag[1]) for tag, _ in tags.found if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all(attrs.get("scope") in ("col", "row") for attrs in tags.named("th"))
    assert all(attrs["aria-label"] for attrs in tags.named("div") if "tabindex" in attrs)
    assert (
        sum(attrs["scope"] == "row" for attrs in tags.named("th")) >= 2
    )  # a row says what it is of
    ids = [attrs["id"] for _, attrs in tags.found if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in tags.named("a")} <= set(ids)
    assert tags.named("html")[0]["lang"] == "en"


def test_the_head_of_the_column_that_stays_stays_above_it(page):
    """The names stood below the heads of the columns that they covered."""
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        (head, *body) = (
            re.findall(r"<t[hd]( [^>]*)?>", row) for row in re.findall(r"<tr>(.*?)</tr>", table)
        )
        marked = [column for column, attrs in enumerate(head) if 'class="about"' in attrs]
        for row in body:
            assert [column for column, attrs in enumerate(row) if "row" in attrs] == marked
    assert page.count('class="about"') >= 2
    assert re.search(r"\.long :is\(tbody th, \.about\) \{ position: sticky", page)


def test_the_page_shows_banner_collapse_cards_and_configuration(page):
    for text in (
        "Numbers of the demo", "the projections collapsed", "62.1 ± 0.8", "CC BY 4.0", "ase, gss",
        "3 x no frame", "c0de", "2.13.0", "epochs: 3", "12,345", "1 of 2",
    ):  # fmt: skip
        assert text in page


def test_a_figure_that_shows_nothing_is_said_in_words(tmp_path):
    """Its caption and its alternative text would describe curves that are not there."""
    nothing = style.message("No run was scored with few labels.")
    shown = drawn(style.save(nothing, tmp_path / "few_labels")[1])
    assert shown.empty == "No run was scored with few labels."
    page = content(figures=[shown])
    assert not Tags(page).named("img")
    assert "No run was scored with few labels." in page
    assert shown.caption not in page


def test_a_figure_that_shows_something_is_not_empty(png):
    assert drawn(png).empty is None


def test_the_same_study_gives_the_same_page(png):
    assert content(figures=[drawn(png)]) == content(figures=[drawn(png)])


def test_a_figure_that_is_no_png_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.png: there is no such figure"):
        html.png(tmp_path / "absent.png")
    (tmp_path / "x.png").write_bytes(b"<svg>")
    with pytest.raises(UserError, match=r"x\.png: not a PNG"):
        html.png(tmp_path / "x.png")


def test_a_data_card_counts_what_is_missing():
    counts = [
        {"split": "test", "expected": 3, "found": 2, "kept": 1, "dropped": {"<no> file": 1, "b": 1}}
    ]
    card = {
        **CARD,
        "counts": counts,
        "splits": {"test": {"n": 1, "sha256": "0123456789abcdef" * 4}},
    }
    text = content(cards=[card])
    assert '<th scope="row">test</th><td>3</td><td>2</td><td>1</td>' in text
    assert "1 x &lt;no&gt; file; 1 x b" in text
    assert "<td>0123456789abcdef</td>" in text


def test_the_first_screen_answers_in_words_and_one_picture(page):
    first = page[page.index("<main>") : page.index('<section id="tables"')]
    assert "<table" not in first
    assert [
        first.index(said) for said in ("One holds.", "It is ahead.", "It is level.", "Not measured")
    ] == sorted(
        first.index(said) for said in ("One holds.", "It is ahead.", "It is level.", "Not measured")
    )
    assert first.count("<svg") == 3  # two claims, and a comparison that the first of them opens
    assert re.search(r'<b class="holds">✓ holds</b>', first)
    assert "? cannot tell (2 seeds)" in first
    assert first.count('class="clear"') == 1  # its interval excludes 0
    at = [float(x) for x in re.findall(r'cx="([\d.]+)%"', first)]
    assert at[0] > at[1] == at[2] > 50


def test_a_page_without_clips_says_so(png):
    assert "not ours to pass on" in content(clips=False)
    assert "not ours to pass on" not in content()


def test_skeletons_are_kept_in_the_picture_and_played(tmp_path):
    shown = html.Drawn("clip", "A clip", "Said.", "Strips.", _moving("original"), clips=True)
    kept = json.loads(shown.strips)
    (strip,) = kept["strips"]
    assert strip["name"] == "original"
    frames = np.frombuffer(base64.b64decode(strip["frames"]), np.uint8).reshape(
        5, kept["joints"], 2
    )
    assert frames.min() >= 0
    assert frames.max() <= 254  # nothing is missing
    assert max(max(edge) for of in kept["edges"].values() for edge in of) < kept["joints"]
    page = content(figures=[shown])
    assert '<button type="button">Play</button>' in page
    assert "prefers-reduced-motion" in page
    assert len(Tags(page).named("img")) == 1  # and for who prints it
