"""`report.html`: the whole study on one self-contained page.

Style, script and figures are inside the page, so that it opens without a request to the network and
can be sent as one file. Every text from data (glosses, names, notes) is escaped by the template.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml

from sslslr.errors import UserError
from sslslr.files import write_text
from sslslr.report import cost, differences, few_labels, verdict
from sslslr.report.markup import fold
from sslslr.report.page_figures import Figure, figure
from sslslr.report.tables import read_table

__all__ = ["Figure", "Table", "figure", "render_report"]
TEMPLATE = "report.html.jinja"
NAMED = 3  # runs beside a warning


@dataclass(frozen=True)
class Table:
    """A table of the page: its anchor, title, caption, and cells as they are shown."""

    name: str
    title: str
    caption: str
    cells: pd.DataFrame


# Columns of the verdicts' files that are never numbers.
VERDICT_NAMES = (
    "claim", "statement", "source", "verdict", "opponent", "dataset", "pretrain_dataset", "missing",
    "subject", "outcome",
)  # fmt: skip


def further_tables(
    few: str | Path | None = None,
    ablations: str | Path | None = None,
    signer_gap: str | Path | None = None,
    note: str = "",
) -> list[Table]:
    """The tables of few labels, ablations and signers that are given; an empty one is left out.

    Args:
        note: ends the captions.
    """
    kinds = (
        ("few-labels", "Few labels", few_labels.CAPTION, few, few_labels.display),
        (
            "ablations",
            "Ablations",
            differences.ABLATION_CAPTION,
            ablations,
            differences.display_ablations,
        ),
        ("signer-gap", "New signers", differences.GAP_CAPTION, signer_gap, differences.display_gap),
    )
    made = []
    for name, title, caption, path, display in kinds:
        if path is None:
            continue
        try:
            cells, caption = fold(display(differences.read(path)), caption + note)
        except KeyError as error:
            raise UserError(
                f"{path}: column {error} is missing; it is another table, or of another version. "
                "Build the report again."
            ) from None
        made.append(Table(name, title, caption, cells))
    return [table for table in made if len(table.cells)]


def verdict_tables(
    verdicts: str | Path, comparisons: str | Path | None = None, note: str = ""
) -> list[Table]:
    """The table "verdicts", and "comparisons" where given, of what `sslslr report verdict` wrote.

    Args:
        note: ends the captions.

    Raises:
        UserError: a file is absent, is not CSV, or is not of that verb.
    """
    cells = _shown(verdicts, verdict.verdict_table)
    tables = [Table("verdicts", "Verdicts", verdict.CAPTION + note, cells)]
    if comparisons is not None:
        cells = _shown(comparisons, verdict.comparison_table)
        caption = verdict.COMPARISON_CAPTION + note
        tables.append(Table("comparisons", f"All {len(cells)} comparisons", caption, cells))
    return tables


def _shown(path: str | Path, display: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    # Names may be missing as a whole column, and a name may look like a number.
    frame = read_table(path)
    text = pd.read_csv(path, dtype=str, keep_default_na=False)
    for column in text.columns.intersection(VERDICT_NAMES):
        frame[column] = text[column]
    if "decides" in frame:
        frame["decides"] = text["decides"] == "True"
    try:
        return display(frame)
    except KeyError as error:
        raise UserError(
            f"{path}: column {error} is missing. Write it with `sslslr report verdict`."
        ) from None


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
    said: dict[str, list[str]] = {}
    for run in runs:
        for text in run["warnings"]:
            said.setdefault(text, []).append(run["spec"]["run_id"])
    return [
        f"{', '.join(ids[:NAMED])}{f' and {len(ids) - NAMED} more' if len(ids) > NAMED else ''}: {text}"
        for text, ids in said.items()
    ]


def _versions(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Library versions; where runs differ, all that occur."""
    found: dict[str, Counter] = {}
    for run in runs:
        for name, version in run["versions"].items():
            found.setdefault(name, Counter())[version] += 1
    return [(name, ", ".join(sorted(versions))) for name, versions in found.items()]


def render_report(
    out: str | Path,
    config: dict[str, Any],
    tables: list[Table],
    figures: list[Figure],
    runs: list[dict[str, Any]],
    cards: list[dict[str, Any]],
    verdicts: Sequence[Table] = (),
) -> Path:
    """Write the page, atomically.

    Args:
        config: the resolved study, as plain values.
        runs, cards: contents of run.json and card.json files.
        verdicts: of :func:`verdict_tables`; shown first, the second and later folded away.

    Raises:
        UserError: a figure is missing, or the page cannot be written.
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
        verdicts=verdicts,
        tables=tables,
        figures=figures,
        budgets=cost.display(cost.costs(runs)),
        records=run_records(runs),
        warnings=_warnings(runs),
        versions=_versions(runs),
        cards=cards,
        expected=expected,
    )
    write_text(out, page)
    return Path(out)
