"""The verdicts' tables, and the verb that writes them."""

from claimed import joined, judged, make_against, make_claims, runs
from sslslr.report.tables.verdicts import Verdicts
from sslslr.report.tables.verdicts_comparisons import VerdictsComparisons


def test_a_line_says_verdict_effect_interval_p_and_n():
    found = joined(runs("sl_fpn", [0.72] * 3), runs("simclr", [0.5] * 3))
    row, comparisons = judged(make_claims(), found)
    shown = Verdicts().shown(row.to_frame().T).iloc[0]
    low, high = 100 * row.low, 100 * row.high
    assert shown["Difference"] == f"{100 * row.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
    assert shown["Verdict"] == "holds"
    assert shown["Worst against"] == "simclr, temporal_permutation on lsa64"
    assert (shown["n test"], shown["Missing"]) == ("400", "–")
    line = VerdictsComparisons().shown(comparisons).iloc[0]
    assert line["Seeds"] == "3 and 3"
    assert line["p"] == f"{row.p_corrected:.4f}"


def test_one_seed_a_missing_run_and_an_opponent_that_is_shown_only_are_said():
    found = joined(runs("sl_fpn", [0.7]), runs("simclr", [0.5]), runs("random", [0.4]))
    claims = make_against(
        {"method": ["simclr", "a", "b", "c", "d"]}, {"method": "random", "decides": False}
    )
    row, comparisons = judged(claims, found)
    shown = Verdicts().shown(row.to_frame().T).iloc[0]
    assert shown["Verdict"] == "cannot tell (1 seed)"
    assert shown["Missing"] == "no run of method a, b, c, d"  # all of them, in one breath
    outcomes = VerdictsComparisons().shown(comparisons)["Outcome"]
    assert list(outcomes) == ["cannot tell (1 seed)", "cannot tell (1 seed) (shown only)"]


def test_nothing_measured_is_a_table_all_the_same(tmp_path):
    found = runs("byol", [0.5])
    row, comparisons = judged(make_claims(), found)
    shown = Verdicts().shown(row.to_frame().T).iloc[0]
    assert (shown["Difference"], shown["p"], shown["n test"]) == ("n/a", "n/a", "n/a")
    assert shown["Verdict"] == "cannot tell (not measured)"
    assert "no run of method sl_fpn" in shown["Missing"]
    files = Verdicts().write(row.to_frame().T, tmp_path / "verdicts")
    files += VerdictsComparisons().write(comparisons, tmp_path / "verdicts_comparisons")
    assert len({path for path in files if path.stat().st_size}) == 6
    again = Verdicts().shown(Verdicts().read(files[0]))
    assert again.to_dict("list") == Verdicts().shown(row.to_frame().T).to_dict("list")
    assert VerdictsComparisons().read(files[3]).empty


def test_a_comparison_that_so_few_clips_cannot_decide_says_so():
    row, comparisons = judged(
        make_claims(), joined(runs("sl_fpn", [1.0], n=4), runs("simclr", [0.0], n=4))
    )
    shown = Verdicts().shown(row.to_frame().T).iloc[0]
    assert (shown["Detectable"], shown["Verdict"]) == ("none", "cannot tell (1 seed)")
    assert VerdictsComparisons().shown(comparisons)["Detectable"].tolist() == ["none"]
