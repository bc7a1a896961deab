"""Ablations: what each changes.

An ablation is a run with a tag; it is compared with the untagged runs of the same method, views,
pretraining set and, unless it is the encoder that is changed, encoder, on the same test clips.
"""

from collections.abc import Mapping

import pandas as pd

from sslslr.report.names import few_labels
from sslslr.report.results import Results
from sslslr.report.tables import register
from sslslr.report.tables._base import Column, Table, matching
from sslslr.report.tables._cells import (
    DETECTABLE,
    ENCODER,
    METHOD,
    PROTOCOL,
    READ_OUT,
    SOURCE,
    TARGET,
    VIEWS,
    difference,
    p_value,
    percent,
    read_out_of,
)  # fmt: skip
from sslslr.statistics.comparisons import detectable, holm, paired_difference, paired_p_value
from sslslr.statistics.correctness import Guesses, keys_of, with_labels

SAME = ["method", "augmentation", "pretrain_dataset", "dataset", "protocol"]
FIELDS = [
    "tag", "method", "augmentation", "variant", "pretrain_dataset", "dataset", "protocol",
    "read_out", "accuracy", "untagged_accuracy", "difference", "low", "high", "p", "n_test", "smallest_difference",
    "seeds", "untagged_seeds",
]  # fmt: skip


@register
class Ablations(Table):
    title = "Ablations"
    caption = (
        "Runs with one change against the unchanged runs of the same method, views, pretraining set "
        "and (where there are any) encoder, on the same test clips. A change is shown to matter where "
        "the interval excludes 0: p alone says only that these encoders differ."
    )
    key = FIELDS[:7]
    place = 30
    words = ("read_out",)
    whole = ("p",)
    columns = (
        Column("Ablation", "tag"), METHOD, VIEWS, ENCODER, READ_OUT, SOURCE, TARGET, PROTOCOL,
        Column("Top-1", "accuracy", lambda row: percent(row["accuracy"]), "of the changed runs, in percent"),
        Column("Unchanged", "untagged_accuracy", lambda row: percent(row["untagged_accuracy"]),
               "top-1 of the unchanged runs"),
        Column("Difference", "difference", difference,
               "changed minus unchanged, in percentage points, with a 95 % interval over test clips "
               "and encoder seeds"),
        Column("p", "p", lambda row: p_value(row["p"]),
               "paired permutation test over clips, Holm-corrected within the table"),
        Column("n test", "n_test"),
        DETECTABLE,
        Column("Seeds", "seeds", lambda row: f"{row['seeds']} and {row['untagged_seeds']}",
               "of the changed and of the unchanged runs"),
    )  # fmt: skip

    def rows(self, results: Results) -> pd.DataFrame:
        return ablations(results.metrics, results.predictions)

    def behind(self, key: Mapping[str, str], results: Results) -> dict[str, pd.DataFrame]:
        here = matching(results.top1, **{name: key[name] for name in SAME})
        return {
            f"tagged {key['tag']}": matching(here, tag=key["tag"], variant=key["variant"]),
            "untagged": untagged_of(here, key["variant"]),
        }

    def how(self, column: str, results: Results) -> str:
        return (
            "top-1 of the tagged runs minus that of the untagged ones, on the clips that both were "
            "scored on; p is Holm-corrected within the table"
        )


def untagged_of(group: pd.DataFrame, variant: str) -> pd.DataFrame:
    """Of rows of one `SAME`, the untagged ones that a tagged run of this encoder is compared with.

    Those of its own variant; where there is none, the variant is what the ablation changes, and
    the rows are of one other variant, `transformer` if it was run.
    """
    untagged = group[group["tag"] == ""]
    variants = sorted(
        set(untagged["variant"]), key=lambda name: (name != variant, name != "transformer")
    )
    return untagged[untagged["variant"] == variants[0]] if variants else untagged


def _read_outs(tagged: pd.DataFrame, untagged: pd.DataFrame) -> str:
    changed, unchanged = read_out_of(tagged), read_out_of(untagged)
    return (
        changed if changed == unchanged else f"{changed or 'its own'}, not {unchanged or 'its own'}"
    )


def ablations(metrics: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """One row a tag, method, encoder and target, of `FIELDS`; accuracies in 0..1."""
    scores = with_labels(metrics[~few_labels(metrics)])
    guesses = Guesses(predictions, scores)
    rows = []
    for key, group in scores[scores["metric"] == "top1"].groupby(SAME):
        place = dict(zip(SAME, key, strict=True))
        if not (group["tag"] == "").any():
            continue
        for (tag, variant), tagged in group[group["tag"] != ""].groupby(["tag", "variant"]):
            own, base = (
                guesses.correctness(keys_of(side)) for side in (tagged, untagged_of(group, variant))
            )
            shared = own.columns.intersection(base.columns)
            if shared.empty:
                continue  # another preprocessing kept other clips
            a, b = own[shared].to_numpy(), base[shared].to_numpy()
            change, low, high = paired_difference(a, b)
            rows.append(
                {
                    "tag": tag,
                    "variant": variant,
                    **place,
                    "read_out": _read_outs(tagged, untagged_of(group, variant)),
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
    table = pd.DataFrame(rows, columns=FIELDS)
    if len(table):
        table["p"] = holm(table["p"].to_numpy())
    return table.sort_values(["dataset", "protocol", "method", "tag", "variant"], ignore_index=True)
