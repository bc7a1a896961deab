"""Ablations and the signer gap, on predictions whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from sslslr.config.study import TargetConfig
from sslslr.report.tables import ablations, signer_gap
from sslslr.statistics.comparisons import holm, paired_p_value
from sslslr.statistics.correctness import Guesses
from sslslr.utils.errors import UserError

N = 200


def simulate(
    accuracies: dict[tuple[str, str, int], float], seed: int = 0, variant: str = "transformer"
):
    """Metrics and predictions of runs (tag, dataset, seed) with these accuracies."""
    rng = np.random.default_rng(seed)
    metrics, predictions = [], []
    for (tag, dataset, run_seed), accuracy in accuracies.items():
        right = rng.random(N) < accuracy
        about = {
            "run_id": f"m.{tag}.s{run_seed}"
            if variant == "transformer"
            else f"m.{variant}.{tag}.s{run_seed}",
            "dataset": dataset,
            "protocol": "linear",
            "label_fraction": 1.0,
            "shots": 0,
            "probe_seed": 0,
        }
        names = {"method": "m", "augmentation": "v", "tag": tag, "pretrain_dataset": "p"}
        names["variant"] = variant
        score = {"seed": run_seed, "metric": "top1", "value": right.mean(), "n_test": N}
        metrics.append({**about, **names, **score})
        clips = {"clip_id": [f"c{i}" for i in range(N)], "label": "a"}
        best = [["a", "b"] if hit else ["b", "a"] for hit in right]
        predictions.append(pd.DataFrame({**clips, "best": best}).assign(**about))
    return pd.DataFrame(metrics), pd.concat(predictions, ignore_index=True)


def test_an_ablation_is_the_difference_to_the_untagged_runs():
    truth = {("", "d", s): 0.8 for s in range(3)} | {("no_x", "d", s): 0.4 for s in range(3)}
    metrics, predictions = simulate(truth)
    (row,) = ablations.ablations(metrics, predictions).to_dict("records")
    by_tag = metrics.groupby("tag")["value"].mean()
    assert row["difference"] == pytest.approx(by_tag["no_x"] - by_tag[""])
    assert row["low"] < row["difference"] < row["high"] < 0
    assert row["p"] < 0.01
    assert (row["n_test"], row["seeds"], row["untagged_seeds"]) == (N, 3, 3)
    shown = ablations.Ablations().shown(pd.DataFrame([row])).iloc[0]
    assert shown["Difference"].startswith("-")
    assert 5 < float(shown["Detectable"]) < 25  # percentage points that 200 clips could have shown


def test_the_p_of_many_ablations_are_corrected_together():
    truth = {("", "d", 0): 0.6} | {(f"no_{x}", "d", 0): 0.52 + 0.01 * x for x in range(6)}
    metrics, predictions = simulate(truth)
    table = ablations.ablations(metrics, predictions)
    guesses = Guesses(predictions, metrics)
    right = {
        tag: guesses.correctness([(f"m.{tag}.s0", "d", "linear")]).to_numpy()
        for tag in ["", *table["tag"]]
    }
    alone = [paired_p_value(right[tag], right[""]) for tag in table["tag"]]
    assert table["p"].tolist() == pytest.approx(holm(alone).tolist())
    assert (table["p"] > alone).any()


def test_encoders_of_two_variants_are_not_mixed():
    truth = {("", "d", 0): 0.9, ("no_x", "d", 0): 0.7, ("", "d_mixed", 0): 0.95}
    other = {("", "d", 0): 0.3, ("no_x", "d", 0): 0.2, ("", "d_mixed", 0): 0.5}
    parts = simulate(truth), simulate(other, seed=1, variant="as_released")
    metrics, predictions = (pd.concat(p, ignore_index=True) for p in zip(*parts, strict=True))
    table = ablations.ablations(metrics, predictions).set_index("variant")
    targets = {
        "d": TargetConfig(dataset="d"),
        "d_mixed": TargetConfig(dataset="d", split_by="clips"),
    }
    gaps = signer_gap.signer_gap(metrics, targets).query("tag == ''").set_index("variant")
    means = metrics.set_index(["variant", "tag", "dataset"])["value"]
    for variant in ("transformer", "as_released"):
        assert table.loc[variant, "accuracy"] == pytest.approx(means[variant, "no_x", "d"])
        assert table.loc[variant, "untagged_accuracy"] == pytest.approx(means[variant, "", "d"])
        assert gaps.loc[variant, "dependent"] == pytest.approx(means[variant, "", "d_mixed"])
    # Without an untagged run of its own, it is the encoder that the ablation changes.
    keep = (metrics["variant"] == "transformer") | (metrics["tag"] != "")
    table = ablations.ablations(metrics[keep], predictions).set_index("variant")
    assert (table["untagged_accuracy"] == means["transformer", "", "d"]).all()


def test_no_ablation_is_an_empty_table_with_its_columns():
    metrics, predictions = simulate({("", "d", 0): 0.5})
    table = ablations.ablations(metrics, predictions)
    assert list(table.columns) == ablations.FIELDS
    assert table.empty
    assert ablations.Ablations().shown(table).empty


def test_runs_scored_on_other_clips_are_named():
    metrics, predictions = simulate({("", "d", 0): 0.5, ("", "d", 1): 0.5, ("x", "d", 0): 0.5})
    other = (predictions["run_id"] == "m..s1") & (predictions["clip_id"] == "c3")
    predictions.loc[other, "clip_id"] = "c3_again"
    with pytest.raises(
        UserError, match=r"runs 'm\.\.s0' and 'm\.\.s1' were scored on other test clips"
    ):
        ablations.ablations(metrics, predictions)


def test_the_signer_gap_is_known_minus_new_signers():
    truth = {("", "d", s): 0.5 for s in range(4)} | {("", "d_mixed", s): 0.9 for s in range(4)}
    metrics, _ = simulate(truth)
    targets = {
        "d": TargetConfig(dataset="d"),
        "d_mixed": TargetConfig(dataset="d", split_by="clips"),
    }
    (row,) = signer_gap.signer_gap(metrics, targets).to_dict("records")
    means = metrics.groupby("dataset")["value"].mean()
    assert row["difference"] == pytest.approx(means["d_mixed"] - means["d"])
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert signer_gap.signer_gap(metrics, {"d": TargetConfig(dataset="d")}).empty


def test_each_target_is_compared_with_its_like_alone():
    """Of two targets of one data set with its own split, the last was taken for both."""
    truth = {("", "v", 0): 0.2, ("", "t", 0): 0.5, ("", "mixed", 0): 0.9}
    metrics, _ = simulate(truth)
    targets = {
        "t": TargetConfig(dataset="d"),
        "v": TargetConfig(dataset="d", test="val"),
        "hands": TargetConfig(dataset="d", parts=["left_hand"]),
        "mixed": TargetConfig(dataset="d", split_by="clips"),
        "other": TargetConfig(split_by="clips"),
    }
    (row,) = signer_gap.signer_gap(metrics, targets).to_dict("records")
    assert (row["dataset"], row["known_signers"]) == ("t", "mixed")
    assert row["independent"] == metrics.query("dataset == 't'")["value"].mean()
    both = targets | {"v_mixed": targets["v"].model_copy(update={"split_by": "clips"})}
    assert signer_gap.signer_pairs(both) == [("t", "mixed"), ("v", "v_mixed")]


def test_what_is_written_is_read_again(tmp_path):
    truth = {("", "d", 0): 0.8, ("no_x", "d", 0): 0.4, ("", "d_mixed", 0): 0.9}
    metrics, predictions = simulate(truth)
    targets = {
        "d": TargetConfig(dataset="d"),
        "d_mixed": TargetConfig(dataset="d", split_by="clips"),
    }
    gap, ablated = signer_gap.SignerGap(), ablations.Ablations()
    for table, rows in (
        (gap, signer_gap.signer_gap(metrics, targets)),
        (ablated, ablations.ablations(metrics, predictions)),
    ):
        csv, *_ = table.write(rows, tmp_path / "table")
        shown = table.shown(table.read(csv))
        assert shown.to_dict("list") == table.shown(rows).to_dict("list")
        assert len(shown)
        table.write(rows[:0], tmp_path / "none")
        assert table.read(tmp_path / "none.csv").empty
    assert "(1 seed)" in gap.shown(signer_gap.signer_gap(metrics, targets))["Gap"].iloc[0]


def test_names_that_look_like_numbers_stay_as_they_are(tmp_path):
    truth = {("", "007", 0): 0.8, ("1e5", "007", 0): 0.4}
    table = ablations.Ablations()
    csv, *_ = table.write(ablations.ablations(*simulate(truth)), tmp_path / "ablations")
    assert table.read(csv)[["tag", "dataset"]].to_numpy().tolist() == [["1e5", "007"]]
