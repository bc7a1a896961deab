"""Methods by data sets, against the rows of the linear table."""

from types import SimpleNamespace

import pytest
from test_tables import PAPER, evaluation, joined

from sslslr.report.page.page import block
from sslslr.report.tables._pivot import blocks, headings
from sslslr.report.tables.linear import linear_table
from sslslr.report.tables.main import Main
from sslslr.report.tables.transfer import Transfer


@pytest.fixture
def results():
    """Two methods and a floor on two languages and a second set of the first, under two protocols."""
    parts = [
        evaluation("sl_fpn", ((6,), (8,))),
        evaluation("simclr", ((9,),)),
        evaluation("random", ((3,),)),
        evaluation("supervised", ((10,),), protocol="fine_tune"),
        evaluation("sl_fpn", ((5,),), dataset="gsl", pretrain_dataset="gsl"),
        evaluation("random", ((2,),), dataset="gsl"),
        evaluation("sl_fpn", ((4,),), dataset="gsl"),
        evaluation("simclr", ((7,),), dataset="wlasl_100", pretrain_dataset="wlasl_2000"),
        evaluation("simclr", ((7,),), protocol="knn"),
    ]
    for metrics, predictions in parts:  # a run is of one pretraining set
        source = metrics["pretrain_dataset"].iloc[0]
        for frame in (metrics, predictions):
            frame["run_id"] += f".{source}"
    linear = linear_table(*joined(*parts), PAPER)
    return SimpleNamespace(
        study=SimpleNamespace(evaluate=SimpleNamespace(targets={})),
        claims=SimpleNamespace(is_transfer=lambda a, b: (a == "gsl") != (b == "gsl")),
        table={"linear": linear}.get,
    )


def test_columns_are_targets_and_rows_methods(results):
    rows = Main().rows(results)
    assert list(headings(rows)) == ["gsl", "wlasl_100", "wlasl_2000>wlasl_100"]
    linear = rows[rows["protocol"] == "linear"].set_index("method")
    assert list(linear.index) == ["random", "simclr", "sl_fpn"]
    assert linear.loc["sl_fpn", ["gsl", "wlasl_100"]].tolist() == pytest.approx([0.5, 0.7])
    assert linear.loc["simclr", "wlasl_2000>wlasl_100"] == pytest.approx(0.7)
    assert linear.loc["random", "wlasl_2000>wlasl_100"] == pytest.approx(0.3)  # a floor of each
    assert linear.loc["sl_fpn", "wlasl_100.paper"] == pytest.approx(0.7795)
    assert list(dict.fromkeys(rows["protocol"])) == ["linear", "knn", "fine_tune"]  # their `order`


def test_transfer_has_the_pairs_between_languages(results):
    rows = Transfer().rows(results)
    assert headings(rows) == {"wlasl_100>gsl": "wlasl_100 → gsl (n 10)"}
    assert rows.set_index("method")["wlasl_100>gsl"].to_dict() == pytest.approx(
        {"random": 0.2, "sl_fpn": 0.4}
    )


def test_the_best_is_bold_and_never_the_ceiling(results, tmp_path):
    table = Main()
    rows = table.rows(results)
    names = [name for name, _, _ in blocks(rows)]
    assert names == ["linear", "knn"]  # the ceiling stands below each
    _, md, tex = table.write(rows, tmp_path / "main", " Study toy.")
    text = md.read_text()
    assert "| **50.0** |" in text
    assert "| 100.0 |" in text
    assert "70.0 ± 14.1 (77.95)" in text
    lines = tex.read_text().splitlines()
    assert lines.count(r"\begin{table}[tp]") == lines.count(r"\end{table}") == 1
    assert r"\textbf{90.0}" in tex.read_text()
    assert r"wlasl\_2000 $\to$ wlasl\_100 (n 10)" in tex.read_text()
    (columns,) = {line.count(" & ") for line in lines if line.endswith(r"\\") and " & " in line}
    assert rf"\begin{{tabular}}{{@{{}}{'lrrrr'[: columns + 1]}@{{}}}}" in lines
    assert lines[lines.index(r"\centering") + 4].count(r"\columnwidth") == 2
    assert table.shown(table.read(tmp_path / "main.csv")).equals(table.shown(rows))


def test_the_page_leaves_out_columns_that_a_protocol_lacks_and_says_once_what_is_alike(results):
    table = Main()
    rows = table.rows(results)
    linear, knn = (block(table, *part, headings(rows)) for part in blocks(rows))
    assert list(linear["columns"]) == ["gsl", "wlasl_100", "wlasl_2000>wlasl_100"]
    assert list(knn["columns"]) == ["wlasl_100"]
    assert linear["same"] == "views temporal permutation, encoder transformer"
    cell = linear["rows"][0]["cells"][0]
    assert (cell["mean"], cell["best"], cell["n"], cell["seeds"]) == (
        pytest.approx(0.2),
        False,
        10,
        1,
    )
    assert cell["low"] < cell["mean"] < cell["high"]
