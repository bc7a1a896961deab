"""The page: self-contained, escaped, accessible, and it shows what it was given."""

import itertools
import json
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from sslslr.cli.report import app
from sslslr.errors import UserError
from sslslr.report import few_labels, figures, html, style

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


@pytest.fixture
def png(tmp_path):
    figure = Figure(figsize=(1, 1))
    return figures.save(figure, tmp_path / "training")[1]


@pytest.fixture
def page(tmp_path, png):
    cells = pd.DataFrame({"Method": [EVIL, "SimCLR"], "Top-1": ["62.1 ± 0.8", "n/a"]})
    table = html.Table("linear", "Linear evaluation", "Scores.", cells)
    runs = [run(0, collapsed=True), run(1), run(0, variant="as_released")]
    out = tmp_path / "report.html"
    html.render_report(out, CONFIG, [table], [html.figure(png)], runs, [CARD])
    return out.read_text(encoding="utf-8")


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
    assert re.search(r"\.wide :is\(tbody th, \.about\) \{ position: sticky", page)


def test_the_page_shows_banner_collapse_cards_and_configuration(page):
    for text in (
        "Numbers of the demo", "the projections collapsed", "62.1 ± 0.8", "CC BY 4.0", "ase, gss",
        "3 x no frame", "c0de", "2.13.0", "epochs: 3", "12,345", "1 of 2",
    ):  # fmt: skip
        assert text in page


def test_a_figure_that_shows_nothing_is_said_in_words(tmp_path):
    """Its caption and its alternative text would describe curves that are not there."""
    drawn = style.message("No run was scored with few labels.")
    shown = html.figure(figures.save(drawn, tmp_path / "semi_supervised")[1])
    assert shown.empty == "No run was scored with few labels."
    html.render_report(tmp_path / "page.html", CONFIG, [], [shown], [run()], [CARD])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not Tags(page).named("img")
    assert "No run was scored with few labels." in page
    assert shown.caption not in page


def test_a_figure_that_shows_something_is_not_empty(png):
    assert html.figure(png).empty is None


def test_the_same_study_gives_the_same_page(tmp_path, png):
    def render(name):
        out = tmp_path / name
        html.render_report(out, CONFIG, [], [html.figure(png)], [run()], [CARD])
        return out.read_bytes()

    assert render("a.html") == render("b.html")


def test_a_figure_that_is_no_png_is_named(tmp_path):
    with pytest.raises(UserError, match=r"absent\.png: there is no such figure"):
        _ = html.figure(tmp_path / "absent.png").data
    (tmp_path / "x.png").write_bytes(b"<svg>")
    with pytest.raises(UserError, match=r"x\.png: not a PNG"):
        _ = html.figure(tmp_path / "x.png").data


def test_the_verb_makes_a_page_of_files(tmp_path, png):
    from test_tables import evaluation

    from sslslr.report import tables

    tables.render(tables.linear_table(*evaluation()), tmp_path / "linear", "Linear.", ["csv"])
    for name, content in (("run.json", run()), ("card.json", CARD)):
        (tmp_path / name).write_text(json.dumps(content))
    arguments = ["html", f"{tmp_path}/run.json", "--config-json", json.dumps(CONFIG)]
    arguments += ["--table", f"{tmp_path}/linear.csv", "--figure", str(png)]
    arguments += ["--card", f"{tmp_path}/card.json", "--out", f"{tmp_path}/report.html"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "70.0 ± 14.1" in page
    assert str(tmp_path) not in page


def test_the_numbers_of_the_curves_are_a_table_of_the_page(tmp_path):
    metrics = pd.DataFrame(
        {
            "dataset": "007", "method": "simclr", "augmentation": "strong", "variant": "paper",
            "tag": "", "pretrain_dataset": "007", "protocol": "semi_supervised", "metric": "top1",
            "label_fraction": [0.1, 0.1, 0.0], "shots": [0, 0, 3], "seed": [0, 1, 0],
            "probe_seed": 0, "value": [0.2, 0.4, 0.5], "n_train": 9, "n_test": 20,
        }
    )  # fmt: skip
    csv, *_ = few_labels.write(few_labels.few_labels(metrics), tmp_path / "few_labels")
    (table,) = html.further_tables(few=csv)
    assert (table.name, table.title) == ("few-labels", "Few labels")
    (row,) = table.cells.to_dict("records")
    assert row["10 %"].startswith("30.0 [")
    assert row["3 a class"] == "50.0"
    nothing, *_ = few_labels.write(few_labels.few_labels(metrics[:0]), tmp_path / "none")
    assert html.further_tables(few=nothing) == []
    older = tmp_path / "older.csv"
    pd.read_csv(csv, dtype=str).drop(columns="variant").to_csv(older, index=False)
    with pytest.raises(UserError, match=r"older\.csv: column 'variant' is missing"):
        html.further_tables(few=older)
    with pytest.raises(UserError, match=r"absent\.csv: cannot be read"):
        html.further_tables(few=tmp_path / "absent.csv")


def test_verdicts_stand_first_with_the_comparisons_folded(tmp_path, png):
    from test_tables import evaluation

    from claimed import joined, judged, make_claims, runs
    from sslslr.report import tables, verdict

    found = joined(runs("sl_fpn", [0.72] * 2), runs("simclr", [0.5] * 2))
    row, comparisons = judged(make_claims(), found)
    comparisons = pd.concat([comparisons, comparisons.assign(decides=False)])
    verdict.write(row.to_frame().T, comparisons, tmp_path / "verdicts")
    tables.render(tables.linear_table(*evaluation()), tmp_path / "linear", "Linear.", ["csv"])
    (tmp_path / "run.json").write_text(json.dumps(run()))
    arguments = ["html", f"{tmp_path}/run.json", "--config-json", json.dumps(CONFIG)]
    arguments += ["--table", f"{tmp_path}/linear.csv", "--out", f"{tmp_path}/report.html"]
    arguments += ["--verdicts", f"{tmp_path}/verdicts.csv"]
    arguments += ["--comparisons", f"{tmp_path}/verdicts_comparisons.csv"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    places = [page.index(text) for text in ('role="note"', 'id="verdicts"', 'id="tables"')]
    assert places == sorted(places)
    folded = page[page.index('<details id="comparisons">') : page.index('id="tables"')]
    assert folded.count("(shown only)") >= 1  # what is False in a CSV is text
    # The page shows what the verb showed, rounding aside.
    shown = html.verdict_tables(tmp_path / "verdicts.csv")[0].cells
    assert shown.to_dict("list") == verdict.verdict_table(row.to_frame().T).to_dict("list")


def test_verdicts_without_a_comparison_and_other_files_are_read(tmp_path):
    from claimed import judged, make_claims, runs
    from sslslr.report import verdict

    row, comparisons = judged(make_claims(), runs("byol", [0.5]))
    verdict.write(row.to_frame().T, comparisons, tmp_path / "v")
    shown = html.verdict_tables(tmp_path / "v.csv", tmp_path / "v_comparisons.csv")
    assert shown[0].cells["Verdict"].tolist() == ["cannot tell (not measured)"]
    assert len(shown[1].cells) == 0
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"other\.csv: column .* is missing"):
        html.verdict_tables(tmp_path / "other.csv")


def test_a_figure_may_say_what_it_is_of(tmp_path):
    shown = html.figure(tmp_path / "embedding--run.s0--lsa64.png")
    assert shown.title == "Map of the features: run.s0, lsa64"
    assert shown.alt.endswith("of run.s0, lsa64.")
    assert html.figure(tmp_path / "other.png").title == "Other"


def test_a_data_card_counts_what_is_missing(tmp_path, png):
    counts = [
        {"split": "test", "expected": 3, "found": 2, "kept": 1, "dropped": {"<no> file": 1, "b": 1}}
    ]
    card = {
        **CARD,
        "counts": counts,
        "splits": {"test": {"n": 1, "sha256": "0123456789abcdef" * 4}},
    }
    out = tmp_path / "report.html"
    html.render_report(out, CONFIG, [], [html.figure(png)], [run()], [card])
    text = out.read_text()
    assert '<th scope="row">test</th><td>3</td><td>2</td><td>1</td>' in text
    assert "1 x &lt;no&gt; file; 1 x b" in text
    assert "<td>0123456789abcdef</td>" in text
