"""Methods down, data sets across: the shape of a paper's tables, made of the linear table's rows."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pandas as pd

from sslslr.report.names import CEILING, NO_DATA, protocols_in_order
from sslslr.report.results import Results
from sslslr.report.tables._base import Table
from sslslr.report.tables._cells import (
    ENCODER,
    PROTOCOL,
    READ_OUT,
    TAGGED_METHOD,
    VIEWS,
    percent,
)  # fmt: skip
from sslslr.report.tables._markup import BEST
from sslslr.report.tables.linear import Linear, order

# Of a cell, beside its mean: the columns NAME.std and so on of the CSV.
BESIDE = {"std": "top1_std", "low": "top1_low", "high": "top1_high", "n": "n_test", "seeds": "seeds",
          "paper": "paper"}  # fmt: skip

NUMBERS = (
    " Bold is the highest mean of frozen features, which chance may have put ahead of the next; beside "
    "ours stands the paper's number where the two can be compared."
)


class Pivot(Table):
    """Base of tables with a row a method and a column a target, one block a protocol.

    A column of the CSV is named by its target, or SOURCE>TARGET where pretraining used another set; it
    holds the mean top-1, and those named COLUMN.low and so on (`BESIDE`) what belongs to it.

    Attributes:
        transfer: whether the columns are of transfers between languages, or of the targets' own.
    """

    transfer: ClassVar[bool]
    reads = ("tables/linear", "claims")
    key = ("protocol", "method", "augmentation", "variant", "tag")
    words = ("read_out",)
    columns = (PROTOCOL, TAGGED_METHOD, VIEWS, ENCODER, READ_OUT)  # and one a target
    plain, narrow = False, True

    def rows(self, results: Results) -> pd.DataFrame:
        targets = results.study.evaluate.targets
        linear = results.table("linear").to_dict("records")
        columns: dict[str, str] = {}  # to their targets
        for row in linear:
            target, source = row["dataset"], row["pretrain_dataset"]
            dataset = (targets[target].dataset if target in targets else None) or target
            if source == NO_DATA:
                row["columns"] = None  # of every column with this target
            elif results.claims.is_transfer(dataset, source) == self.transfer:
                row["columns"] = [target if source == dataset else f"{source}>{target}"]
                columns[row["columns"][0]] = target
            else:
                row["columns"] = []
        if not self.transfer:
            alone = {row["dataset"] for row in linear} - set(columns.values())
            columns |= {target: target for target in alone}
        columns = dict(sorted(columns.items(), key=lambda item: (item[1], item[0])))
        protocols = protocols_in_order(pd.Series([row["protocol"] for row in linear]))
        rows: dict[tuple, dict[str, Any]] = {}
        named = self.key[1:]
        for row in sorted(
            linear, key=lambda row: (*order(row, protocols)[:3], *(row[name] for name in named))
        ):
            own = row["columns"]
            for column in (
                [c for c in columns if columns[c] == row["dataset"]] if own is None else own
            ):
                names = {name: row[name] for name in (*self.key, *self.words)}
                cells = rows.setdefault(tuple(names[name] for name in self.key), names)
                cells[column] = row["top1_mean"]
                cells |= {f"{column}.{name}": row[source] for name, source in BESIDE.items()}
        wide = [name for column in columns for name in (column, *(f"{column}.{b}" for b in BESIDE))]
        table = pd.DataFrame(rows.values(), columns=[*self.key, *self.words, *wide])
        return table.sort_values(
            "protocol",
            key=lambda names: names.map(protocols.index),
            kind="stable",
            ignore_index=True,
        )

    def shown(self, rows: pd.DataFrame) -> pd.DataFrame:
        table = []
        for _, block, best in blocks(rows):
            for row in block:
                cells = {column.title: column.cell(row) for column in self.columns}
                for column, title in headings(rows).items():
                    mark = BEST if best[column] == row[column] and row["method"] != CEILING else ""
                    cells[title] = mark + _score(row, column)
                table.append(cells)
        titles = [*(column.title for column in self.columns), *headings(rows).values()]
        return pd.DataFrame(table, columns=titles)

    def own(self, results: Results) -> pd.DataFrame:
        return results.top1

    def part(
        self, key: Mapping[str, str], groups: Mapping[str, pd.DataFrame], results: Results
    ) -> Results:
        """The linear table with the row's own rows made again; the others say which columns there are."""
        part = super().part(key, groups, results)
        linear = results.table("linear")
        own = (linear[list(self.key)] == pd.Series(key)).all(axis=1)
        part.tables["linear"] = pd.concat([linear[~own], Linear().rows(part)], ignore_index=True)
        return part

    def how(self, column: str, results: Results) -> str:
        return "of linear.csv, whose row on this target it repeats"


def headings(rows: pd.DataFrame) -> dict[str, str]:
    """What stands above each column of scores: `gsl (n 4,000)`, `lsfb → gsl (n 4,000)`."""
    return {
        column: f"{column.replace('>', ' → ')} (n {rows[f'{column}.n'].max():,.0f})"
        for column in rows
        if f"{column}.n" in rows
    }


def blocks(rows: pd.DataFrame) -> Iterator[tuple[str, list[dict[str, Any]], dict[str, float]]]:
    """Each protocol, its rows with the ceiling's below them, and the best score of each column.

    The ceiling is trained end to end, so that its protocol is of no other method; it is never the best.
    """
    alone = rows.groupby("protocol")["method"].agg(lambda names: set(names) == {CEILING})
    ceilings = rows[rows["protocol"].map(alone).astype(bool)]
    for protocol, block in rows.drop(ceilings.index).groupby("protocol", sort=False):
        own = block[block["method"] != CEILING]
        best = {column: own[column].max() for column in headings(rows) if own[column].count() > 1}
        records = pd.concat([block, ceilings.assign(protocol=protocol)]).to_dict("records")
        yield str(protocol), records, {column: best.get(column) for column in headings(rows)}


def _score(row: Mapping[str, Any], column: str) -> str:
    """`57.4 ± 0.8 (71.21)`: mean, spread over seeds, the paper's number."""
    if pd.isna(row[column]):
        return "–"
    std, paper = row[f"{column}.std"], row[f"{column}.paper"]
    spread = "" if pd.isna(std) else f" ± {percent(std)}"
    # The paper prints two decimals; rounding its number again would make it ours.
    return percent(row[column]) + spread + ("" if pd.isna(paper) else f" ({100 * paper:.2f})")
