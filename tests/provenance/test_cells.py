"""A cell is found by number, by words and by name, in every form of a table; or the nearest is named."""

import time

import pandas as pd
import pytest

from sslslr.provenance.cells import find, read, titles
from sslslr.report.tables import TABLES
from sslslr.utils.errors import UserError

pytestmark = pytest.mark.xdist_group("trace")  # its fixture is made once

RANDOM = "method=random,dataset=toy,protocol=linear"


@pytest.mark.parametrize(
    "reference",
    ["linear.csv:{row}:top1_mean", "linear.csv:{row}:8", "linear.md:{row}:Top-1",
     "linear.tex:{row}:Top-1", "linear.csv:" + RANDOM + ":top1_mean",
     "linear.md:random,toy,linear:top1_mean"],
)  # fmt: skip
def test_ways_to_name_a_cell(results, reference):
    frame = read(results / "tables/linear.csv")
    match = (frame["method"] == "random") & (frame["dataset"] == "toy")
    row = int((match & (frame["protocol"] == "linear")).to_numpy().argmax())
    cell = find(f"{results}/tables/{reference.format(row=row + 1)}")
    assert (cell.table, cell.row, cell.column) == ("linear", row, "top1_mean")
    assert cell.text == frame["top1_mean"].iloc[row]
    assert cell.key["method"] == "random"
    assert cell.results == results


@pytest.mark.parametrize("table", [n for n in TABLES.names() if TABLES.get(n).plain])
def test_every_shown_column_is_a_column_of_the_csv(results, table):
    frame = read(results / f"tables/{table}.csv")
    assert set(titles(TABLES.get(table)).values()) <= set(frame.columns)
    lines = (results / f"tables/{table}.md").read_text().splitlines()
    header = next(line for line in lines if line.startswith("| "))
    assert {name.strip() for name in header.strip("|").split("|")} <= set(titles(TABLES.get(table)))


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("linear.csv", "FILE:ROW:COLUMN"),
        ("linear.csv:1", "FILE:ROW:COLUMN"),
        ("liner.csv:1:1", "Did you mean 'linear'"),
        ("linear.html:1:1", "not a table"),
        ("few_labels.md:1:1", "as it stands in few_labels.csv"),
        ("linear.csv:0:1", "rows count from 1"),
        ("linear.csv:99:1", "row 99 of"),
        ("linear.csv:1:99", "column 99 of"),
        ("linear.csv:²:1", "no row is about '²'"),
        (f"linear.csv:{'9' * 5000}:1", "no row is about"),
        ("linear.csv:1:²", "no column '²'"),
        (
            "linear.md:1:8",
            "no column '8'",
        ),  # it folds columns away: their numbers are not the CSV's
        ("linear.csv:1:top1_men", "Did you mean 'top1_mean'"),
        ("linear.csv:randm:1", "Did you mean 'random'"),
        ("linear.csv:methd=random:1", "Did you mean 'method'"),
        ("linear.csv:random:1", "4 rows are about"),
        ("linear.csv:random,no_original:1", "no row is about"),
    ],
)
def test_a_wrong_cell_is_told_from_its_neighbours(results, reference, said):
    with pytest.raises(UserError, match=said):
        find(f"{results}/tables/{reference}")


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        find(f"{tmp_path}/tables/linear.csv:1:1")
    (tmp_path / "tables").mkdir()
    pd.DataFrame(columns=TABLES.get("linear").key).to_csv(
        tmp_path / "tables/linear.csv", index=False
    )
    with pytest.raises(UserError, match="no rows"):
        find(f"{tmp_path}/tables/linear.csv:1:1")


def test_a_table_of_an_older_version_is_said(tmp_path):
    """A column of the key that was not written yet was a KeyError."""
    path = tmp_path / "signer_gap.csv"
    pd.DataFrame([dict.fromkeys(TABLES.get("signer_gap").key, "a")]).drop(
        columns="known_signers"
    ).to_csv(path)
    with pytest.raises(UserError, match=r"signer_gap\.csv: has no column 'known_signers'"):
        find(f"{path}:1:dataset")


def test_a_long_table_is_searched_soon_and_not_listed_whole(tmp_path):
    rows, key = 20_000, TABLES.get("linear")().key
    frame = pd.DataFrame({name: [f"{name}{i % 7}" for i in range(rows)] for name in key})
    frame["method"] = [f"m{i}" for i in range(rows)]
    (tmp_path / "tables").mkdir()
    frame.assign(top1_mean="0.5").to_csv(tmp_path / "tables/linear.csv", index=False)
    began = time.process_time()
    assert find(f"{tmp_path}/tables/linear.csv:dataset3,m10:top1_mean").row == 10
    for asked in ("dataset3", "dataset3,m1", "nothing"):
        with pytest.raises(UserError) as caught:
            find(f"{tmp_path}/tables/linear.csv:{asked}:top1_mean")
        assert len(str(caught.value)) < 20_000
    assert time.process_time() - began < 4
