"""The verdicts' tables, and the verb that writes them."""

import pandas as pd
from typer.testing import CliRunner

from claimed import joined, judged, make_against, make_claims, runs
from sslslr.cli.main import app
from sslslr.report import collect, verdict


def test_a_line_says_verdict_effect_interval_p_and_n():
    found = joined(runs("sl_fpn", [0.72] * 2), runs("simclr", [0.5] * 2))
    row, comparisons = judged(make_claims(), found)
    shown = verdict.verdict_table(row.to_frame().T).iloc[0]
    low, high = 100 * row.low, 100 * row.high
    assert shown["Difference"] == f"{100 * row.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
    assert shown["Verdict"] == "holds"
    assert shown["Worst against"] == "simclr, temporal_permutation on lsa64"
    assert (shown["n test"], shown["Missing"]) == ("400", "–")
    line = verdict.comparison_table(comparisons).iloc[0]
    assert line["Seeds"] == "2 and 2"
    assert line["p"] == f"{row.p_corrected:.4f}"


def test_one_seed_a_missing_run_and_an_opponent_that_is_shown_only_are_said():
    found = joined(runs("sl_fpn", [0.7]), runs("simclr", [0.5]), runs("random", [0.4]))
    claims = make_against(
        {"method": ["simclr", "a", "b", "c", "d"]}, {"method": "random", "decides": False}
    )
    row, comparisons = judged(claims, found)
    shown = verdict.verdict_table(row.to_frame().T).iloc[0]
    assert shown["Verdict"] == "cannot tell (1 seed)"
    assert shown["Missing"] == "no run of method a, b, c, d"  # all of them, in one breath
    outcomes = verdict.comparison_table(comparisons)["Outcome"]
    assert list(outcomes) == ["holds", "holds (shown only)"]


def test_nothing_measured_is_a_table_all_the_same(tmp_path):
    found = runs("byol", [0.5])
    row, comparisons = judged(make_claims(), found)
    shown = verdict.verdict_table(row.to_frame().T).iloc[0]
    assert (shown["Difference"], shown["p"], shown["n test"]) == ("n/a", "n/a", "n/a")
    assert shown["Verdict"] == "cannot tell (not measured)"
    assert "no run of method sl_fpn" in shown["Missing"]
    assert len(verdict.write(row.to_frame().T, comparisons, tmp_path / "verdicts")) == 6


def test_a_comparison_that_so_few_clips_cannot_decide_says_so():
    row, comparisons = judged(
        make_claims(), joined(runs("sl_fpn", [1.0], n=4), runs("simclr", [0.0], n=4))
    )
    shown = verdict.verdict_table(row.to_frame().T).iloc[0]
    assert (shown["Detectable"], shown["Verdict"]) == ("none", "cannot tell (1 seed)")
    assert verdict.comparison_table(comparisons)["Detectable"].tolist() == ["none"]


def test_the_verb_writes_both_tables(tmp_path):
    metrics, predictions = joined(runs("sl_fpn", [0.8] * 2), runs("random", [0.5] * 2))
    files = []
    for method, table in metrics.groupby("method"):
        folder = tmp_path / method
        folder.mkdir()
        filled = table.assign(
            low=0.0, high=1.0, n_train=9, n_test=400, n_classes=2, n_joints=75, n_joints_masked=0
        )
        filled[list(collect.METRICS)].to_csv(folder / "metrics.csv", index=False)
        kept = predictions[predictions["run_id"].isin(table["run_id"])]
        kept.to_parquet(folder / "predictions.parquet", index=False)
        files.append(str(folder / "metrics.csv"))
    stem = tmp_path / "tables" / "verdicts"
    ran = CliRunner().invoke(app, ["report", "verdict", *files, "--stem", str(stem)])
    assert ran.exit_code == 0, ran.output
    table = pd.read_csv(f"{stem}.csv", keep_default_na=False).set_index("claim")
    assert table.loc["pretraining_helps", "verdict"] == "holds"
    assert "no run of method byol" in table.loc["linear_evaluation", "missing"]
    assert r"\toprule" in stem.with_suffix(".tex").read_text()
    text = (stem.parent / "verdicts_comparisons.md").read_text()
    assert "| pretraining\\_helps | lsa64 | lsa64 |" in text
