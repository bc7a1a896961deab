"""Verdicts on simulated runs whose truth is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from claimed import N, joined, judged, make_against, make_claims, runs
from sslslr.config.load import load
from sslslr.evaluation.protocols.few_labels import FewLabelsConfig
from sslslr.statistics import claims as c
from sslslr.statistics.comparisons import paired_difference, paired_p_value
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from toys import ROOT


def test_a_clear_winner_holds():
    found = joined(runs("sl_fpn", [0.72, 0.74, 0.73]), runs("simclr", [0.5, 0.52, 0.51]),
                   runs("byol", [0.61, 0.6, 0.6]))  # fmt: skip
    verdict, comparisons = judged(make_claims(["simclr", "byol"]), found)
    assert verdict.verdict == c.HOLDS
    assert verdict.opponent == "byol, temporal_permutation"  # the worst for the claim
    assert verdict.low < verdict.difference < verdict.high
    assert (verdict.n_test, verdict.seeds, verdict.comparisons) == (N, 3, 2)
    assert (comparisons["p_corrected"] >= comparisons["p"]).all()
    row = comparisons.iloc[0]
    assert row.difference == pytest.approx(row.subject_accuracy - row.opponent_accuracy)
    assert tuple(comparisons.columns) == c.COMPARISON


def test_one_clearly_better_opponent_refutes_even_if_another_is_beaten_or_missing():
    found = joined(
        runs("sl_fpn", [0.6, 0.61, 0.6]), runs("simclr", [0.8, 0.81, 0.8]), runs("byol", [0.3] * 3)
    )
    verdict, comparisons = judged(make_claims(["simclr", "byol", "moco"]), found)
    assert verdict.verdict == c.FAILS
    assert verdict.opponent.startswith("simclr")
    assert verdict.missing == "no run of method moco"
    assert sorted(comparisons["outcome"]) == [c.FAILS, c.HOLDS]


def test_alike_methods_cannot_be_told_and_what_n_could_have_shown_is_said():
    found = joined(runs("sl_fpn", [0.6] * 3), runs("simclr", [0.6] * 3))
    verdict, _ = judged(make_claims(), found)
    assert verdict.verdict == c.UNSURE
    assert 0.02 < verdict.smallest_difference < 0.1


def test_seeds_that_differ_by_more_than_the_methods_do_not_decide():
    # On these clips p is tiny, but the seeds overlap.
    found = joined(runs("sl_fpn", [0.45, 0.8, 0.65]), runs("simclr", [0.7, 0.4, 0.6]))
    verdict, _ = judged(make_claims(), found)
    assert verdict.p_corrected < 0.05
    assert verdict.verdict == c.UNSURE


def test_a_small_gain_refutes_a_claim_of_a_large_one():
    found = joined(runs("sl_fpn", [0.61] * 3), runs("simclr", [0.6] * 3))
    assert judged(make_claims(margin=0.2), found)[0].verdict == c.FAILS


def test_a_claim_of_a_large_gain_holds_only_above_it():
    found = joined(runs("sl_fpn", [0.72] * 3), runs("simclr", [0.5] * 3))
    assert judged(make_claims(margin=0.1), found)[0].verdict == c.HOLDS
    assert judged(make_claims(margin=0.2), found)[0].verdict == c.UNSURE  # 0.22, but not surely


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_handful_of_clips_decides_nothing_either_way(n):
    """All clips right against all wrong: a bootstrap of so few is sure, sign flips are not."""
    best, worst = runs("sl_fpn", [1.0] * 3, n=n), runs("simclr", [0.0] * 3, n=n)
    verdict, _ = judged(make_claims(), joined(best, worst))
    assert verdict.verdict == c.UNSURE
    assert (verdict.low, verdict.high) == pytest.approx((1, 1))
    worst, best = runs("sl_fpn", [0.0] * 3, n=n), runs("simclr", [1.0] * 3, n=n)
    assert judged(make_claims(), joined(worst, best))[0].verdict == c.UNSURE


def test_refuting_is_corrected_for_the_number_of_opponents_as_holding_is():
    """Of 40 equal opponents two are ahead by luck, the first with p = 0.014 by itself."""
    alike = [runs(f"m{i}", [0.6], n=150, noise=i) for i in range(40)]
    found = joined(runs("sl_fpn", [0.6], n=150, noise=4), *alike)
    verdict, comparisons = judged(make_claims([f"m{i}" for i in range(40)]), found)
    assert (comparisons["high"] < 0).any()
    assert (comparisons["p_corrected"] > 0.05).all()
    assert verdict.verdict == c.UNSURE


def test_the_comparison_that_is_shown_is_one_that_gives_the_verdict():
    # Against m0 the difference is larger, but its seeds scatter so much that it says nothing.
    found = joined(runs("sl_fpn", [0.6] * 3), runs("m0", [0.45, 1.0, 0.95]), runs("m1", [0.75] * 3))
    verdict, comparisons = judged(make_claims(["m0", "m1"]), found)
    table = comparisons.set_index("opponent")
    assert table["difference"].idxmin().startswith("m0")
    assert table["outcome"].to_dict() == {
        "m0, temporal_permutation": c.UNSURE, "m1, temporal_permutation": c.FAILS
    }  # fmt: skip
    assert verdict.verdict == c.FAILS
    assert verdict.opponent.startswith("m1")
    assert verdict.high < 0


@pytest.mark.parametrize(("ours", "others"), [(1, 3), (3, 1), (2, 5)])
def test_fewer_than_three_seeds_on_a_side_decide_nothing_whatever_p_is(ours, others):
    found = joined(runs("sl_fpn", [0.8] * ours), runs("simclr", [0.5] * others))
    verdict, comparisons = judged(make_claims(), found)
    assert comparisons["p"].iloc[0] < 0.01
    few = min(ours, others)
    assert (verdict.verdict, verdict.seeds) == (c.UNSURE, few)
    assert verdict.reason == f"{few} seed{'s' if few > 1 else ''}"


def test_a_probe_that_is_not_fitted_decides_nothing_on_either_side():
    for unfitted in ("sl_fpn", "simclr"):
        metrics, predictions = joined(runs("sl_fpn", [0.8] * 3), runs("simclr", [0.5] * 3))
        verdict, _ = judged(make_claims(), (metrics.assign(fitted=1.0), predictions))
        assert (verdict.verdict, verdict.reason) == (c.HOLDS, "")
        one = (metrics["method"] == unfitted) & (metrics["seed"] == 1)
        metrics["fitted"] = np.where(one, 0.0, 1.0)
        verdict, _ = judged(make_claims(), (metrics, predictions))
        assert (verdict.verdict, verdict.reason) == (c.UNSURE, "probe not fitted")


def null_verdicts(seeds: int, spread: float, n: int, trials: int) -> int:
    """How many of `trials` comparisons of equal methods get a verdict, either way."""
    given = 0
    for trial in range(trials):
        rng = np.random.default_rng([trial, seeds, round(100 * spread)])
        accuracy = np.clip(rng.normal(0.6, spread, (2, seeds, 1)), 0, 1)
        ours, others = (rng.random((2, seeds, n)) < accuracy).astype(float)
        _, low, high = paired_difference(ours, others, resamples=200)
        # As a claim is judged; p costs as much again and is asked of few.
        given += not low <= 0 <= high and paired_p_value(ours, others, flips=500) < 0.05
    return given


@pytest.mark.parametrize("spread", [0.0, 0.04])
def test_equal_methods_seldom_get_a_verdict(spread):
    given = null_verdicts(seeds=3, spread=spread, n=300, trials=60)
    assert stats.binomtest(given, 60, 0.05, "greater").pvalue > 1e-3


@pytest.mark.slow  # a minute
@pytest.mark.parametrize("n", [300, 3000])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.04])
@pytest.mark.parametrize("seeds", [3, 5])
def test_at_most_one_in_twenty_comparisons_of_equal_methods_gets_a_verdict(seeds, spread, n):
    given = null_verdicts(seeds, spread, n, trials=500)
    assert stats.binomtest(given, 500, 0.05, "greater").pvalue > 0.01


def test_probe_seeds_are_averaged_and_are_no_encoder_seeds():
    found = joined(runs("sl_fpn", [0.7], probes=3), runs("simclr", [0.6], probes=2))
    _, comparisons = judged(make_claims(), found)
    assert comparisons.iloc[0].subject_seeds == 1
    top1 = found[0][found[0]["method"] == "sl_fpn"]["value"].mean()
    assert comparisons.iloc[0].subject_accuracy == pytest.approx(top1)


def test_a_study_without_the_subject_tells_nothing_and_says_what_is_missing():
    claims = make_claims(scope="transfer")
    for found in (runs("random", [0.5]), joined(runs("sl_fpn", [0.5], protocol="logistic"))):
        verdict, comparisons = judged(claims, found)
        assert verdict.verdict == c.UNSURE
        assert verdict.missing
        assert comparisons.empty


def test_other_clips_are_an_error_that_names_the_runs():
    subject, opponent = runs("sl_fpn", [0.7]), runs("simclr", [0.6])
    opponent[1]["clip_id"] = "x" + opponent[1]["clip_id"]
    match = r"runs 'sl_fpn\.temporal.*' and 'simclr\..*other test clips"
    with pytest.raises(UserError, match=match):
        c.decide(make_claims(), *joined(subject, opponent))


def test_predictions_that_are_absent_or_of_another_evaluation_are_errors():
    metrics, predictions = joined(runs("sl_fpn", [0.7]), runs("simclr", [0.6]))
    with pytest.raises(UserError, match=r"'simclr.*none found"):
        c.decide(make_claims(), metrics, predictions[predictions["run_id"].str.startswith("sl")])
    with pytest.raises(UserError, match="different evaluations"):
        c.decide(make_claims(), metrics.assign(value=0.1), predictions)


def test_the_shipped_claims_are_the_control_the_papers_six_also_by_a_logistic_probe_and_ours():
    shipped = c.load(ROOT / "config" / "claims.yaml")
    assert shipped.claims[0].id == "pretraining_works"  # the positive control
    assert [claim.source for claim in shipped.claims] == ["ours"] + ["paper"] * 11 + ["ours"] * 3
    named = {
        o.method if isinstance(o.method, str) else "" for x in shipped.claims for o in x.against
    }
    assert "supervised" not in named
    few = next(claim for claim in shipped.claims if claim.id == "few_labels")
    assert (shipped.protocol_of(few), few.label_fraction) == ("few_labels", 0.3)
    found = joined(runs("sl_fpn", [0.7] * 3), runs("random", [0.5] * 3))
    table = c.verdicts(shipped, c.decide(shipped, *found), found[0]).set_index("claim")
    assert table.loc["pretraining_helps", "verdict"] == c.HOLDS
    assert set(table["verdict"].drop("pretraining_helps")) == {c.UNSURE}
    assert (table["missing"].drop("pretraining_helps") != "").all()


@pytest.mark.parametrize("name", ["paper", "wlasl", "wlasl_cpu", "encoder_cpu"])
def test_the_studies_can_decide_every_claim(name):
    """Their grids have the runs, targets, protocols and label fractions that the claims name."""
    study, rows = load(ROOT / "config" / f"{name}.yaml"), []
    for run in grid.runs(study).values():
        spec = grid.evaluate_spec(study, run)
        keys = {"run_id": run.run_id, "method": run.method, "augmentation": run.augmentation,
                "variant": run.encoder.variant, "tag": run.tag or "",
                "pretrain_dataset": run.dataset, "metric": "top1", "shots": 0}  # fmt: skip
        for (target, about), (protocol, options) in itertools.product(
            spec.targets.items(), spec.protocols.items()
        ):
            few = protocol == "few_labels"
            fractions = FewLabelsConfig(**options).fractions if few else [1.0]
            place = {"dataset": target, "target_dataset": about.dataset, "protocol": protocol}
            rows += [{**keys, **place, "label_fraction": fraction} for fraction in fractions]
    shipped = c.load(ROOT / study.claims)
    absent = {claim.id: c.missing(shipped, claim, pd.DataFrame(rows)) for claim in shipped.claims}
    assert absent == {claim.id: [] for claim in shipped.claims}


def test_an_unknown_key_and_a_repeated_id_are_named(tmp_path):
    file = tmp_path / "claims.yaml"
    with pytest.raises(UserError, match="no such configuration file"):
        c.load(file)
    one = "{id: a, statement: A., source: paper, subject: {method: m}, against: [{method: n}]}"
    file.write_text(f"claims: [{one}, {one}]")
    with pytest.raises(UserError, match="two claims have the id 'a'"):
        c.load(file)
    file.write_text(f"claims: [{one}]\nclaims: [{one}]")
    with pytest.raises(UserError, match="'claims' stands twice"):
        c.load(file)
    with pytest.raises(UserError, match="is a folder, not a regular file"):
        c.load(tmp_path)
    file.write_text(f"protocoll: linear\nclaims: [{one}]")
    with pytest.raises(UserError, match="Did you mean 'protocol'"):
        c.load(file)


def test_one_seed_elsewhere_takes_nothing_from_the_comparison_that_fails():
    """A claim failed against three seeds on one target, and was marked "1 seed" for another's."""
    found = joined(
        runs("sl_fpn", [0.5, 0.51, 0.52]), runs("random", [0.72, 0.73, 0.74], pretrain_dataset="none"),
        runs("sl_fpn", [0.6], dataset="wlasl_100"),
        runs("random", [0.6], dataset="wlasl_100", pretrain_dataset="none"),
    )  # fmt: skip
    verdict, comparisons = judged(make_against({"method": "random"}), found)
    assert set(comparisons["dataset"]) == {"lsa64", "wlasl_100"}
    assert (verdict.verdict, verdict.dataset, verdict.seeds) == (c.FAILS, "lsa64", 3)


def test_what_was_not_compared_comes_last():
    found = joined(runs("sl_fpn", [0.8] * 2), runs("random", [0.5] * 2))
    claims = make_claims(["byol"])
    other = claims.claims[0].model_copy(update={"id": "other", "against": make_against(
        {"method": "random"}).claims[0].against})  # fmt: skip
    both = claims.model_copy(update={"claims": [claims.claims[0], other]})
    table = c.verdicts(both, c.decide(both, *found), found[0])
    assert table["claim"].iloc[0] == "other"
    assert list(table["comparisons"]) == [1, 0]
