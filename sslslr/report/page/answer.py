"""The page's first screen: what was asked, what holds, what does not, and how sure that is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sslslr.report.names import CEILING, NO_DATA, UNTRAINED, protocol_title, protocols_in_order
from sslslr.report.results import Results
from sslslr.report.tables._cells import METHOD, TAGGED_METHOD, difference
from sslslr.report.tables.verdicts import Verdicts
from sslslr.utils.words import counted

# In the order of the page, with a mark for who sees no colour.
OUTCOMES = {"holds": "✓", "does not hold": "✗", "cannot tell": "?"}
UNMEASURED = "not measured"
SOURCES = {"paper": "of the SSL-SLR paper", "ours": "of our own"}
SPAN = 0.05  # least that the axis of a forest plot shows to either side, in top-1
TARGETS = 3  # that the first screen speaks of


@dataclass(frozen=True)
class Line:
    """A line of a forest plot.

    Attributes:
        name: what is compared.
        at: (difference, low, high) in percentage points; None where nothing was measured.
        said: the same in words, with n and seeds.
        outcome: one of `OUTCOMES` or `UNMEASURED`; `verdict` is the same with its reason.
        lines: the comparisons behind it.
        source: who claims it, of `SOURCES`; "" for what is no claim.
    """

    name: str
    at: tuple[float, float, float] | None
    said: str
    outcome: str = ""
    verdict: str = ""
    lines: Sequence["Line"] = ()
    source: str = ""


@dataclass(frozen=True)
class Forest:
    """Lines with one axis, which reaches from -reach to reach."""

    lines: Sequence[Line]
    reach: float

    def x(self, value: float) -> str:
        """Where a difference stands, in percent of the width; what is out of reach at the edge."""
        return f"{np.clip(50 + 48 * value / self.reach, 0, 100):.2f}%"


def forest(lines: Sequence[Line]) -> Forest:
    """Lines with an axis that reaches as far as any of them, in whole steps of five points."""
    ends = [abs(end) for line in lines for end in (line.at or ())]
    return Forest(lines, float(5 * np.ceil(max([100 * SPAN, *ends]) / 5)))


def claims(results: Results) -> Forest:
    """The claims, those that hold first, what was not measured last; of one outcome the paper's first."""
    table, compared = results.table("verdicts"), results.table("verdicts_comparisons")
    said = Verdicts().shown(table)["Verdict"]
    lines = []
    for row, verdict in zip(table.to_dict("records"), said, strict=True):
        own = compared[compared["claim"] == row["claim"]].to_dict("records")
        outcome = next((name for name in OUTCOMES if verdict.startswith(name)), UNMEASURED)
        below = [
            Line(
                f"{part['subject']} against {part['opponent']}, {_place(part)}",
                _points(part),
                f"{_numbers(part)}, {part['subject_seeds']} and {part['opponent_seeds']} seeds",
                part["outcome"],
                part["outcome"] + ("" if part["decides"] else " (shown only)"),
            )
            for part in own
        ]
        at = _points(row)
        seeds = f", {counted(int(row['seeds']), 'seed')}" if at else ""
        lines.append(
            Line(
                row["statement"],
                at,
                f"{_numbers(row)}{seeds}" if at else "",
                outcome if at else UNMEASURED,
                verdict if at else UNMEASURED,
                below,
                row["source"],
            )
        )
    outcomes, sources = [*OUTCOMES, UNMEASURED], list(SOURCES)
    return forest(
        sorted(lines, key=lambda one: (outcomes.index(one.outcome), sources.index(one.source)))
    )


def ablations(results: Results) -> Forest:
    """What each ablation changes, under the first protocol; the largest loss first."""
    table = results.table("ablations")
    first = protocols_in_order(table["protocol"])[:1]
    rows = table[table["protocol"].isin(first)].sort_values("difference", kind="stable")
    lines = [
        Line(
            f"{row['tag'].replace('_', ' ')}: {METHOD.cell(row)}, {_place(row)}",
            _points(row),
            f"{_numbers(row)}, {row['seeds']} and {row['untagged_seeds']} seeds",
            "cannot tell" if row["low"] <= 0 <= row["high"] else "",
        )
        for row in rows.to_dict("records")
    ]
    return forest(lines)


def asked(results: Results) -> list[str]:
    """How many claims hold, in words, a sentence a source."""
    table = results.table("verdicts")
    table = table.assign(
        outcome=[UNMEASURED if not row.comparisons else row.verdict for row in table.itertuples()]
    )
    sentences = []
    for source, words in SOURCES.items():
        counts = Counter(table["outcome"][table["source"] == source])
        if counts:
            parts = [
                f"{n} {text}"
                for name, text in (
                    ("holds", "hold{s}"), ("does not hold", "do{es} not hold"),
                    ("cannot tell", "cannot be told"), (UNMEASURED, "{are} not measured here"),
                )
                if (n := sum(counts[key] for key in counts if key.startswith(name)))
                for text in [text.format(s="s" * (n == 1), es="es" * (n == 1), are="is" if n == 1 else "are")]
            ]  # fmt: skip
            n = counted(sum(counts.values()), "statement")
            sentences.append(f"Of {n} {words}, {_listed(parts)}.")
    return sentences


def headlines(results: Results) -> list[str]:
    """For the first targets, the best frozen encoder beside chance's rivals and the ceiling."""
    linear, sentences = results.table("linear"), []
    protocols = protocols_in_order(linear["protocol"][linear["method"] != CEILING])
    unfitted = set(linear["protocol"][linear["fitted"] == 0])  # what they say is not the features'
    first = next((name for name in protocols if name not in unfitted), protocols[0])
    frozen = linear[linear["protocol"] == first]
    for target in linear["dataset"].unique():
        here = frozen[(frozen["dataset"] == target) & (frozen["method"] != CEILING)]
        trained = here[here["pretrain_dataset"] != NO_DATA].sort_values("top1_mean")
        if trained.empty:
            continue
        best = trained.iloc[-1].to_dict()
        random = here[here["method"] == UNTRAINED]
        ceiling = linear[(linear["dataset"] == target) & (linear["method"] == CEILING)]
        parts = [
            f"the best frozen encoder, {TAGGED_METHOD.cell(best)}, has {100 * best['top1_mean']:.1f} %"
        ]
        parts += [
            f"{what} {100 * rows['top1_mean'].max():.1f} %"
            for what, rows in (("a random encoder", random), ("supervised training", ceiling))
            if len(rows)
        ]
        probe = protocol_title(best["protocol"])
        sentences.append(f"On {target} ({probe}, n = {best['n_test']:,.0f}) {_listed(parts)}.")
    return sentences[:TARGETS]


def _points(row: dict[str, Any]) -> tuple[float, float, float] | None:
    if pd.isna(row["difference"]):
        return None
    return 100 * row["difference"], 100 * row["low"], 100 * row["high"]


def _numbers(row: dict[str, Any]) -> str:
    """`+3.1 [+0.2, +6.0], n = 446`, with a minus sign."""
    said = difference(row).replace("-", "−")
    return f"{said}, n = {row['n_test']:,.0f}"


def _place(row: dict[str, Any]) -> str:
    source = row["pretrain_dataset"]
    return (
        f"{source} → {row['dataset']}"
        if source not in (row["dataset"], NO_DATA)
        else row["dataset"]
    )


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
