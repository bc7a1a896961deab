"""Tables of differences: what each ablation costs, and what new signers cost.

An ablation is a run with a tag; it is compared with the untagged runs of the same method, views,
pretraining set and, unless it is the encoder that is changed, encoder, on the same test clips. The
signer gap compares one data set under two splits: its own (signer-independent) and the same clips
dealt out anew, with signers on both sides.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sslslr.config import TargetConfig
from sslslr.errors import UserError
from sslslr.paired import detectable, holm, paired_difference, paired_p_value
from sslslr.report.tables import METHOD_NAMES, PROTOCOLS, percent, render
from sslslr.report.verdict import SMALLEST, difference, p_value, smallest
from sslslr.statistics import t_interval
from sslslr.strict import parse

ABLATION_CAPTION = (
    "Ablations: runs with one change against the unchanged runs of the same method, views, pretraining "
    "set and (where there are any) encoder, on the same test clips. Top-1 in percent; difference, changed "
    "minus unchanged, in percentage points with a 95 % interval over test clips and encoder seeds; p of a "
    f"paired permutation test, Holm-corrected within the table; {SMALLEST}. p knows the clips alone: it "
    "says that these encoders differ, and that the change does only where the interval excludes 0, too. Seeds: of "
    "the changed and of the unchanged runs."
)
GAP_CAPTION = (
    "Signers: top-1 under the signer-independent split and with the same clips dealt out anew, so "
    "that signers are on both sides (a second target, split by clips and otherwise of the same "
    "splits and parts), in percent. Gap, known minus new, in percentage points; its 95 % "
    "interval (Student's t) is over encoder seeds, and wide where they are few. n test: of both splits. "
    "Pretraining used the clips of the first split, without labels: an encoder that was pretrained on "
    "this data set has met some test clips of the second, one that was not has not."
)
ABLATION_COLUMNS = [
    "tag", "method", "augmentation", "variant", "pretrain_dataset", "dataset", "protocol",
    "accuracy", "untagged_accuracy", "difference", "low", "high", "p", "n_test", "smallest_difference",
    "seeds", "untagged_seeds",
]  # fmt: skip
GAP_COLUMNS = [
    "dataset", "method", "augmentation", "variant", "tag", "pretrain_dataset", "protocol",
    "known_signers", "independent", "dependent", "difference", "low", "high", "n_independent",
    "n_dependent", "seeds",
]  # fmt: skip
SAME = ["method", "augmentation", "pretrain_dataset", "dataset", "protocol"]


def _all_labels(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[(frame["label_fraction"] == 1) & (frame["shots"] == 0)]


def correctness(
    predictions: pd.DataFrame, runs: list[str], dataset: str, protocol: str
) -> pd.DataFrame:
    """Share of probes that got a clip right: a row a run, a column a test clip.

    Raises:
        UserError: runs that were scored on different clips, or have no predictions.
    """
    kept = _all_labels(predictions)
    kept = kept[
        kept["run_id"].isin(runs) & (kept["dataset"] == dataset) & (kept["protocol"] == protocol)
    ]
    right = kept.assign(right=(kept["best"].str[0] == kept["label"]).astype(float))
    table = right.pivot_table(index="run_id", columns="clip_id", values="right", aggfunc="mean")
    if len(table) < len(set(runs)) or table.isna().any(axis=None):
        raise UserError(
            f"predictions on {dataset!r}, {protocol}: runs {', '.join(runs)} were not all scored on the "
            "same test clips. Evaluate them again on the same data."
        )
    return table


def untagged_of(group: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Of rows of one `SAME`, the untagged ones that a tagged run of this encoder is compared with.

    Those of its own variant; where there is none, the variant is what the ablation changes, and
    the rows are of one other variant, `paper` if it was run.
    """
    untagged = group[group["tag"] == ""]
    variants = sorted(set(untagged["variant"]), key=lambda name: (name != variant, name != "paper"))
    return untagged[untagged["variant"] == variants[0]] if variants else untagged


def ablations(metrics: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a tag, method, encoder and target, of `ABLATION_COLUMNS`; accuracies in 0..1."""
    scores = _all_labels(metrics)
    scores = scores[(scores["metric"] == "top1") & scores["protocol"].isin(PROTOCOLS)]
    rows = []
    for key, group in scores.groupby(SAME):
        place = dict(zip(SAME, key, strict=True))
        if not (group["tag"] == "").any():
            continue
        for (tag, variant), tagged in group[group["tag"] != ""].groupby(["tag", "variant"]):
            untagged, runs = (
                sorted(set(found["run_id"])) for found in (untagged_of(group, variant), tagged)
            )
            base, own = (
                correctness(predictions, ids, place["dataset"], place["protocol"])
                for ids in (untagged, runs)
            )
            if not own.columns.equals(base.columns):
                shared = own.columns.intersection(base.columns)
                if shared.empty:
                    continue  # another preprocessing kept other clips
                own, reference = own[shared], base[shared]
            else:
                reference = base
            a, b = own.to_numpy(), reference.to_numpy()
            change, low, high = paired_difference(a, b)
            rows.append(
                {
                    "tag": tag,
                    "variant": variant,
                    **place,
                    "accuracy": a.mean(),
                    "untagged_accuracy": b.mean(),
                    "difference": change,
                    "low": low,
                    "high": high,
                    "p": paired_p_value(a, b),
                    "n_test": a.shape[1],
                    "smallest_difference": detectable(a, b),
                    "seeds": len(a),
                    "untagged_seeds": len(b),
                }
            )
    table = pd.DataFrame(rows, columns=ABLATION_COLUMNS)
    if len(table):
        table["p"] = holm(table["p"].to_numpy())
    return table.sort_values(["dataset", "protocol", "method", "tag", "variant"], ignore_index=True)


def signer_pairs(targets: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Names of targets with new signers and with known ones that can be compared.

    Both are of one data set and learn from, are scored on and see the same splits and parts; only
    that the clips of the second are dealt out anew tells them apart.

    Raises:
        UserError: settings that no target has.
    """

    def of(name: str, target: Mapping[str, Any]) -> tuple[Any, ...]:
        stated = parse(TargetConfig, target, f"targets.{name}")
        same = (sorted(stated.train), stated.test, sorted(stated.parts))
        return stated.split_by, (stated.dataset or name, *same)

    known = [(name, *of(name, target)) for name, target in targets.items()]
    return [
        (given, mixed)
        for given, split_by, same in known
        for mixed, mixed_by, mixed_same in known
        if (split_by, mixed_by) == ("given", "clips") and same == mixed_same
    ]


def signer_gap(metrics: pd.DataFrame, targets: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """One row a method and pair of targets, of `GAP_COLUMNS`.

    Args:
        targets: of the study: name to its settings; see :func:`signer_pairs`.
    """
    scores = _all_labels(metrics)
    scores = scores[(scores["metric"] == "top1") & scores["protocol"].isin(PROTOCOLS)]
    rows = []
    for name, mixed in signer_pairs(targets):
        key = ["method", "augmentation", "variant", "tag", "pretrain_dataset", "protocol"]
        for values, group in scores[scores["dataset"].isin([name, mixed])].groupby(key):
            seeds = group.pivot_table(index="seed", columns="dataset", values="value").dropna()
            if not {name, mixed} <= set(seeds.columns) or seeds.empty:
                continue
            gaps = (seeds[mixed] - seeds[name]).to_numpy()
            low, high = t_interval(gaps) if len(gaps) > 1 else (np.nan, np.nan)
            n = group.groupby("dataset")["n_test"].first()
            rows.append(
                {
                    "dataset": name,
                    **dict(zip(key, values, strict=True)),
                    "known_signers": mixed,
                    "independent": seeds[name].mean(),
                    "dependent": seeds[mixed].mean(),
                    "difference": gaps.mean(),
                    "low": low,
                    "high": high,
                    "n_independent": int(n[name]),
                    "n_dependent": int(n[mixed]),
                    "seeds": len(gaps),
                }
            )
    return pd.DataFrame(rows, columns=GAP_COLUMNS)


def display_ablations(table: pd.DataFrame) -> pd.DataFrame:
    """Strings for people."""
    rows = [
        {
            "Ablation": row["tag"],
            "Method": METHOD_NAMES.get(row["method"], row["method"]),
            "Views": "–" if row["augmentation"] == "none" else row["augmentation"],
            "Encoder": row["variant"],
            "Pretrained on": "–" if row["pretrain_dataset"] == "none" else row["pretrain_dataset"],
            "Target": row["dataset"],
            "Protocol": PROTOCOLS[row["protocol"]],
            "Top-1": percent(row["accuracy"]),
            "Unchanged": percent(row["untagged_accuracy"]),
            "Difference": difference(row),
            "p": p_value(row["p"]),
            "n test": str(row["n_test"]),
            "Detectable": smallest(row),
            "Seeds": f"{row['seeds']} and {row['untagged_seeds']}",
        }
        for row in table.to_dict("records")
    ]
    names = ["Ablation", "Method", "Views", "Encoder", "Pretrained on", "Target", "Protocol", "Top-1",
             "Unchanged", "Difference", "p", "n test", "Detectable", "Seeds"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def display_gap(table: pd.DataFrame) -> pd.DataFrame:
    """Strings for people; with one seed the gap has no interval and says so."""
    rows = []
    for row in table.to_dict("records"):
        alone = pd.isna(row["low"])
        rows.append(
            {
                "Target": row["dataset"],
                "Method": METHOD_NAMES.get(row["method"], row["method"]),
                "Pretrained on": "–"
                if row["pretrain_dataset"] == "none"
                else row["pretrain_dataset"],
                "Views": "–" if row["augmentation"] == "none" else row["augmentation"],
                "Encoder": "–" if row["variant"] == "raw" else row["variant"],
                "Tag": row["tag"] or "–",
                "Protocol": PROTOCOLS[row["protocol"]],
                "New signers": percent(row["independent"]),
                "Known signers": percent(row["dependent"]),
                "Gap": f"{100 * row['difference']:+.1f} (1 seed)" if alone else difference(row),
                "n test": f"{row['n_independent']} and {row['n_dependent']}",
                "Seeds": str(row["seeds"]),
            }
        )
    names = [
        "Target",
        "Method",
        "Pretrained on",
        "Views",
        "Encoder",
        "Tag",
        "Protocol",
        "New signers",
        "Known signers",
        "Gap",
    ]
    return pd.DataFrame(rows, columns=[*names, "n test", "Seeds"])


def write(
    ablated: pd.DataFrame, gap: pd.DataFrame, folder: str | Path, note: str = ""
) -> list[Path]:
    """ablations.* and signer_gap.* in `folder`: .csv (numbers in 0..1), .md and .tex (for people).

    Args:
        note: ends the captions.
    """
    written = []
    for frame, shown, name, caption in (
        (ablated, display_ablations(ablated), "ablations", ABLATION_CAPTION),
        (gap, display_gap(gap), "signer_gap", GAP_CAPTION),
    ):
        stem, caption = Path(folder) / name, caption + note
        written += render(frame, stem, caption, ["csv"])
        written += render(shown, stem, caption, ["md", "tex"])
    return written


def read(path: str | Path) -> pd.DataFrame:
    """A CSV that :func:`write` wrote; empty names stay empty names.

    Raises:
        UserError: the file is absent or is not CSV.
    """
    names = {*GAP_COLUMNS[: GAP_COLUMNS.index("independent")]}
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False)
    except (FileNotFoundError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Build the report first.") from None
    numbers = [column for column in frame if column not in names]
    frame[numbers] = frame[numbers].replace("", np.nan).apply(pd.to_numeric)
    return frame
