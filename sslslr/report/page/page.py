"""`report.html`: the whole study on one self-contained page.

Style, script and figures are inside the page, so that it opens without a request to the network and
can be sent as one file. Every text from data (glosses, names, notes) is escaped by the template.
"""

import base64
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from sslslr.config.published import published
from sslslr.report.figures import FIGURES, _style
from sslslr.report.names import CEILING, protocol_title
from sslslr.report.page import answer
from sslslr.report.results import Results
from sslslr.report.tables import TABLES
from sslslr.report.tables._base import Table
from sslslr.report.tables._cells import TAGGED_METHOD, percent
from sslslr.report.tables._markup import IMPLIED, fold, one_line
from sslslr.report.tables._pivot import BESIDE, Pivot, blocks, headings
from sslslr.utils.errors import UserError
from sslslr.utils.files import write_text
from sslslr.utils.registry import Registry
from sslslr.utils.words import some

TEMPLATE = "page.html.jinja"


@dataclass(frozen=True)
class Shown:
    """A long table of the page: its anchor, title, caption, cells, and what its columns mean."""

    name: str
    title: str
    caption: str
    cells: pd.DataFrame
    columns: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of methods by data sets, in blocks of one protocol (:func:`block`)."""

    name: str
    title: str
    caption: str
    blocks: list[dict[str, Any]]


@dataclass(frozen=True)
class Drawn:
    """A figure of the page; `alt` says in words what it shows, `clips` whether it draws clips.

    Raises:
        UserError: there is no such file, or it is not a PNG.
    """

    name: str
    title: str
    caption: str
    alt: str
    content: bytes
    clips: bool = False

    @property
    def empty(self) -> str | None:
        """Why it shows nothing, in words; None where it shows something."""
        return _style.noted(self.content, _style.EMPTY)

    @property
    def strips(self) -> str | None:
        """Its skeletons as JSON, which the page plays; None where it has none."""
        return _style.noted(self.content, _style.STRIPS)

    @property
    def data(self) -> str:
        """The PNG as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.content).decode("ascii")


def in_order(registry: Registry) -> list[Any]:
    """The tables or figures of a registry, each made, as they follow on the page."""
    made = [registry.get(name)() for name in registry.names()]
    return sorted(made, key=lambda entry: (entry.place, entry.name))


def grids(results: Results) -> list[Grid]:
    """Every table of methods by data sets that has a row."""
    grids = []
    for table in in_order(TABLES):
        rows = results.table(table.name) if isinstance(table, Pivot) else ()
        if len(rows):
            parts = [block(table, *part, headings(rows)) for part in blocks(rows)]
            grids.append(Grid(table.name, table.title, table.about(rows), parts))
    return grids


def block(
    table: Table,
    protocol: str,
    rows: list[dict[str, Any]],
    best: dict[str, float],
    columns: Iterable[str],
) -> dict[str, Any]:
    """The rows of one protocol as text, without columns that are empty in it.

    What all rows that have any have in common of views, encoder and read-out is said once, as `same`.
    """
    frozen = [row for row in rows if row["method"] != CEILING]
    known = [name for name in columns if any(pd.notna(row[name]) for row in frozen)]
    details = [column for column in table.columns if column.title in IMPLIED]
    told = {c.title: {c.cell(row) for row in rows} - {"–"} for c in details}
    telling = [column for column in details if len(told[column.title]) > 1]
    same = [f"{title.lower()} {min(values)}" for title, values in told.items() if len(values) == 1]
    return {
        "title": protocol_title(protocol),
        "same": ", ".join(same).replace("_", " "),
        "columns": {
            name: (
                name.replace(">", " → "),
                f"{max(r[f'{name}.n'] for r in rows if pd.notna(r[name])):,.0f}",
            )
            for name in known
        },
        "rows": [
            {
                "name": TAGGED_METHOD.cell(row),
                "about": ", ".join(
                    c.cell(row).replace("_", " ") for c in telling if c.cell(row) != "–"
                ),
                "cells": [
                    {
                        "mean": row[name],
                        "best": row[name] == best[name] and row["method"] != CEILING,
                        **{beside: row[f"{name}.{beside}"] for beside in BESIDE},
                    }
                    for name in known
                ],
            }
            for row in rows
        ],
    }


def tables(results: Results) -> list[Shown]:
    """Every other table that has rows, of its CSV."""
    shown = []
    for table in in_order(TABLES):
        rows = results.table(table.name)
        if len(rows) and not isinstance(table, Pivot):
            cells, caption = fold(table.shown(rows), table.caption)
            columns = table.about(rows).removeprefix(table.caption)
            shown.append(Shown(table.name, table.title, caption, cells, columns.strip()))
    return shown


def figures(results: Results, clips: bool = True) -> list[Drawn]:
    """Every figure, of its PNG; without `clips` none that draws clips or features of them."""
    return [
        Drawn(
            figure.name,
            figure.title,
            figure.caption,
            figure.alt,
            png(results.folder / "figures" / f"{figure.name}.png"),
            figure.of_clips,
        )
        for figure in in_order(FIGURES)
        if clips or not figure.of_clips
    ]


def png(path: Path) -> bytes:
    """Content of a PNG.

    Raises:
        UserError: no such file, or not a PNG.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such figure. Render it first.") from None
    if not content.startswith(b"\x89PNG"):
        raise UserError(f"{path}: not a PNG file. Render it again.")
    return content


def render(results: Results, out: str | Path = "", clips: bool = True) -> Path:
    """Write the page of a study whose tables and figures are there.

    Args:
        out: the file; empty: report.html of the results.
        clips: whether it shows clips and features, which are not everybody's to pass on.
    """
    page = content(
        config=published(results.study.model_dump(mode="json")),
        asked=[*answer.asked(results), *answer.headlines(results)],
        claims=answer.claims(results),
        ablations=answer.ablations(results),
        grids=grids(results),
        tables=tables(results),
        figures=figures(results, clips),
        runs=results.runs,
        cards=results.cards,
        note=results.study.note + results.split_note,
        clips=clips,
    )
    out = Path(out or results.folder / "report.html")
    write_text(out, page)
    return out


def run_records(runs: list[dict[str, Any]]) -> pd.DataFrame:
    """One row a run: the hashes that a number can be traced by."""
    return pd.DataFrame(
        [
            {
                "Run": run["spec"]["run_id"],
                "Seed": str(run["spec"]["seed"]),
                "Code": run["code_hash"],
                "Data": (run["data_hash"] or "–")[:16],
                "Dropped clips": str(len(run.get("dropped", []))),
                "Precision": run["cost"].get("precision", "–"),
                "Threads": str(run["cost"].get("threads", "–")),
            }
            for run in runs
        ]
    )


def expected(card: dict[str, Any]) -> pd.DataFrame:
    """One row a split of a data set: clips that ought to be there, were found, were kept, and why not."""
    hashes = card.get("splits") or {}
    return pd.DataFrame(
        [
            {
                "Split": "in no split" if row["split"] == "none" else row["split"],
                "Expected": str(row["expected"]),
                "Found": str(row["found"]),
                "Kept": str(row["kept"]),
                "Dropped because": "; ".join(f"{n} x {why}" for why, n in row["dropped"].items())
                or "–",
                "Clip ids, sha256": hashes.get(row["split"], {}).get("sha256", "–")[:16],
            }
            for row in card["counts"]
        ]
    )


def _warnings(runs: list[dict[str, Any]]) -> list[str]:
    """Each warning once, with the runs that gave it."""
    run_ids: dict[str, list[str]] = {}
    for run in runs:
        for text in run["warnings"]:
            run_ids.setdefault(text, []).append(run["spec"]["run_id"])
    return [f"{some(ids)}: {text}" for text, ids in run_ids.items()]


def _versions(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Library versions; where runs differ, all that occur."""
    counts: dict[str, Counter] = {}
    for run in runs:
        for name, version in run["versions"].items():
            counts.setdefault(name, Counter())[version] += 1
    return [(name, ", ".join(sorted(versions))) for name, versions in counts.items()]


def content(*, config: dict[str, Any], runs: list[dict[str, Any]], **shown: Any) -> str:
    """The page as HTML.

    Args:
        config: the resolved study, as plain values.
        runs: contents of run.json files.
        shown: asked, claims, ablations, grids, tables, figures, cards, note and clips; see :func:`render`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(TEMPLATE).render(
        config=config,
        config_yaml=yaml.safe_dump(config, sort_keys=False, allow_unicode=True),
        records=run_records(runs),
        warnings=_warnings(runs),
        versions=_versions(runs),
        expected=expected,
        marks=answer.OUTCOMES,
        percent=percent,
        **shown,
    )
    # Of a stranger's text: lines stay, all else that no reader sees goes.
    return "\n".join(map(one_line, page.split("\n")))
