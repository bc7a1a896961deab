"""Verdicts on simulated runs whose truth is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sslslr import claims as c
from sslslr import grid
from sslslr.config import load
from sslslr.errors import UserError
from sslslr.protocols.semi_supervised import SemiSupervisedConfig
from sslslr.strict import parse
from toys import ROOT

N = 400


def runs(method, accuracies, n=N, dataset="lsa64", noise=0, probes=1, **columns):
    """Metrics and predictions of one method: a run an accuracy, right on clips by chance."""
    shared = {
        "method": method,
        "augmentation": "none" if method == "random" else "temporal_permutation",
        "variant": "paper",
        "tag": "",
        "pretrain_dataset": "none" if method == "random" else dataset,
        "dataset": dataset,
        "protocol": "linear",
        "label_fraction": 1.0,
        "shots": 0,
        **columns,
    }
    metrics, predictions = [], []
    for seed, accuracy in enumerate(accuracies):
        rng = np.random.default_rng([noise, seed, *method.encode(), *shared["tag"].encode()])
        run_id = ".".join([method, shared["augmentation"], shared["tag"],
                           shared["pretrain_dataset"], f"s{seed}"])  # fmt: skip
        for probe in range(probes):
            right = rng.random(n) < accuracy
            keys = {"run_id": run_id, **shared, "probe_seed": probe}
            metrics.append({**keys, "seed": seed, "metric": "top1", "value": right.mean()})
            frame = pd.DataFrame({"clip_id": np.arange(n).astype(str), "label": "a"})
            frame["best"] = [["a", "b"] if hit else ["b", "a"] for hit in right]
            kept = ("run_id", "dataset", "protocol", "label_fraction", "shots", "probe_seed")
            predictions.append(frame.assign(**{name: keys[name] for name in kept}))
    return pd.DataFrame(metrics), pd.concat(predictions, ignore_index=True)


def joined(*parts):
    return tuple(pd.concat(frames, ignore_index=True) for frames in zip(*parts, strict=True))


def make_claims(methods=("simclr",), **changes) -> c.Claims:
    claim = {
        "id": "beats",
        "statement": "It beats them.",
        "source": "paper",
        "subject": {"method": "sl_fpn", "augmentation": "temporal_permutation"},
        "against": [{"method": list(methods)}],
        **changes,
    }
    return parse(c.Claims, {"resamples": 500, "flips": 1000, "claims": [claim]}, "test")


def make_against(*against, **changes) -> c.Claims:
    return make_claims(**{**changes, "against": list(against)})


def judged(claims, found) -> tuple[pd.Series, pd.DataFrame]:
    comparisons = c.decide(claims, *found)
    return c.verdicts(claims, comparisons, found[0]).iloc[0], comparisons


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
        runs("sl_fpn", [0.6, 0.61]), runs("simclr", [0.8, 0.81]), runs("byol", [0.3] * 2)
    )
    verdict, comparisons = judged(make_claims(["simclr", "byol", "moco"]), found)
    assert verdict.verdict == c.FAILS
    assert verdict.opponent.startswith("simclr")
    assert verdict.missing == "no run of method moco"
    assert sorted(comparisons["outcome"]) == [c.FAILS, c.HOLDS]


def test_alike_methods_cannot_be_told_and_what_n_could_have_shown_is_said():
    found = joined(runs("sl_fpn", [0.6, 0.6]), runs("simclr", [0.6, 0.6]))
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
    assert (verdict.verdict, verdict.low, verdict.high) == (c.UNSURE, 1, 1)
    worst, best = runs("sl_fpn", [0.0] * 3, n=n), runs("simclr", [1.0] * 3, n=n)
    assert judged(make_claims(), joined(worst, best))[0].verdict == c.UNSURE


def test_refuting_is_corrected_for_the_number_of_opponents_as_holding_is():
    """Of 40 equal opponents two are ahead by luck, the first with p = 0.014 by itself."""
    alike = [runs(f"m{i}", [0.6], n=150, noise=i) for i in range(40)]
    found = joined(runs("sl_fpn", [0.6], n=150, noise=4), *alike)
    verdict, comparisons = judged(make_claims([f"m{i}" for i in range(40)]), found)
    assert (comparisons["high"] < 0).any()
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


def test_one_seed_is_judged_over_clips_and_counted():
    verdict, _ = judged(make_claims(), joined(runs("sl_fpn", [0.8]), runs("simclr", [0.5] * 3)))
    assert (verdict.verdict, verdict.seeds) == (c.HOLDS, 1)


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (3, 0.0), (3, 0.04), (2, 0.04)])
def test_under_the_null_a_claim_seldom_holds(seeds, spread):
    """Same true accuracy, seeds that scatter by `spread`; a false `holds` may take 5 %."""
    held, trials = 0, 50
    for trial in range(trials):
        rng = np.random.default_rng([trial, seeds])
        draws = rng.normal(0.6, spread, (2, seeds))
        found = joined(runs("sl_fpn", draws[0], n=150, noise=trial),
                       runs("simclr", draws[1], n=150, noise=trial))  # fmt: skip
        held += judged(make_claims(), found)[0].verdict == c.HOLDS
    assert stats.binomtest(held, trials, 0.05, "greater").pvalue > 1e-3


def test_probe_seeds_are_averaged_and_are_no_encoder_seeds():
    found = joined(runs("sl_fpn", [0.7], probes=3), runs("simclr", [0.6], probes=2))
    _, comparisons = judged(make_claims(), found)
    assert comparisons.iloc[0].subject_seeds == 1
    top1 = found[0][found[0]["method"] == "sl_fpn"]["value"].mean()
    assert comparisons.iloc[0].subject_accuracy == pytest.approx(top1)


def test_missing_runs_protocols_and_targets_are_named():
    found = joined(runs("sl_fpn", [0.9] * 2), runs("simclr", [0.5] * 2),
                   runs("sl_fpn", [0.9] * 2, dataset="gsl"))  # fmt: skip
    claims = make_claims(["simclr", "byol"])
    verdict, _ = judged(claims, found)
    assert verdict.verdict == c.UNSURE  # all that is there is clearly beaten
    assert verdict.missing == (
        "no metrics of protocol linear for simclr on gsl (pretrained on gsl); no run of method byol"
    )
    claims = make_claims(["simclr", "byol"], protocol="semi_supervised", label_fraction=0.3)
    verdict, comparisons = judged(claims, found)
    assert comparisons.empty
    assert (verdict.verdict, verdict.comparisons) == (c.UNSURE, 0)
    assert verdict.missing == (
        "no metrics of protocol semi_supervised at label_fraction 0.3; no run of method byol"
    )
    assert judged(make_claims(scope="transfer"), found)[0].missing == (
        "no metrics of protocol linear for sl_fpn, temporal_permutation on another language's set"
    )


def test_a_missing_ablation_is_named_by_its_tag():
    found = runs("sl_fpn", [0.9] * 2)
    claims = make_against(
        {"method": "sl_fpn", "augmentation": "temporal_permutation", "tag": "no_original"}
    )
    assert c.missing(claims, claims.claims[0], found[0]) == [
        "no run of method sl_fpn with augmentation temporal_permutation, variant paper, "
        "tag no_original"
    ]


def test_an_ablation_is_an_opponent_only_where_it_is_asked_for():
    found = joined(runs("sl_fpn", [0.9] * 2), runs("sl_fpn", [0.5] * 2, tag="no_original"))
    ablation = {"method": "sl_fpn", "augmentation": "temporal_permutation", "tag": "no_original"}
    verdict, comparisons = judged(make_against(ablation), found)
    assert (verdict.verdict, len(comparisons)) == (c.HOLDS, 1)
    assert comparisons.iloc[0].opponent == "sl_fpn, temporal_permutation, no_original"
    assert judged(make_against({"method": "sl_fpn"}), found)[1].empty


def test_each_other_names_what_was_run_but_the_ceiling():
    found = joined(runs("sl_fpn", [0.9] * 2), runs("simclr", [0.5] * 2), runs("supervised", [1.0]),
                   runs("sl_fpn", [0.6] * 2, augmentation="rotation"))  # fmt: skip
    methods, views = {"method": "each_other"}, {"method": "sl_fpn", "augmentation": "each_other"}
    assert set(judged(make_against(methods), found)[1]["opponent"]) == {
        "simclr, temporal_permutation"
    }
    assert set(judged(make_against(views), found)[1]["opponent"]) == {"sl_fpn, rotation"}
    # What has no run of that kind at all is no opponent, and is not missing either.
    more = joined(found, runs("raw_keypoints", [0.3] * 2, variant="raw", augmentation="none"),
                  runs("simclr", [0.5] * 2, augmentation="strong"))  # fmt: skip
    for against in (methods, views):
        verdict, _ = judged(make_against(against), more)
        assert (verdict.verdict, verdict.missing) == (c.HOLDS, "")
    alone = judged(make_against(methods), runs("sl_fpn", [0.9]))[0]
    assert alone.missing == "no run of method other than the subject's"


def test_an_opponent_that_does_not_decide_is_shown_only():
    found = joined(runs("sl_fpn", [0.7] * 2), runs("simclr", [0.5] * 2), runs("random", [0.9] * 2))
    claims = make_against({"method": "simclr"}, {"method": "random", "decides": False})
    verdict, comparisons = judged(claims, found)
    assert verdict.verdict == c.HOLDS
    shown = comparisons.set_index("opponent").loc["random"]
    assert shown.outcome == c.FAILS
    assert np.isnan(shown.p_corrected)


def test_transfer_compares_encoders_of_the_same_pretraining_set_and_untrained_ones():
    def at(method, accuracy, pretrained, dataset="lsa64"):
        return runs(method, [accuracy] * 2, dataset=dataset, pretrain_dataset=pretrained)

    found = joined(at("sl_fpn", 0.8, "lsa64"), at("sl_fpn", 0.7, "wlasl"), at("simclr", 0.5, "wlasl"),
                   at("simclr", 0.9, "gsl"), at("random", 0.3, "none"),
                   at("sl_fpn", 0.9, "wlasl", "wlasl_100"))  # fmt: skip
    claims = make_against({"method": ["simclr", "random"]}, scope="transfer")
    claims = claims.model_copy(update={"same_language": [["wlasl", "wlasl_100"]]})
    verdict, comparisons = judged(claims, found)
    assert verdict.verdict == c.HOLDS
    places = set(zip(comparisons["dataset"], comparisons["pretrain_dataset"], strict=True))
    assert places == {("lsa64", "wlasl")}
    assert len(comparisons) == 2


def test_a_pretraining_set_that_is_no_target_is_judged_on_its_language():
    """As in config/wlasl.yaml: pretrained on WLASL-2000, scored on its smaller vocabularies."""

    def at(method, accuracy, dataset):
        return runs(method, [accuracy] * 2, dataset=dataset, pretrain_dataset="wlasl_2000")

    found = joined(*(at(method, accuracy, dataset) for dataset in ("wlasl_100", "wlasl_300", "indian")
                     for method, accuracy in (("sl_fpn", 0.8), ("simclr", 0.5))))  # fmt: skip
    same = {"same_language": [["wlasl_100", "wlasl_300", "wlasl_2000"]]}
    own = make_claims().model_copy(update=same)
    verdict, comparisons = judged(own, found)
    assert (verdict.verdict, verdict.missing) == (c.HOLDS, "")
    assert set(comparisons["dataset"]) == {"wlasl_100", "wlasl_300"}
    transfer = make_claims(scope="transfer").model_copy(update=same)
    assert set(judged(transfer, found)[1]["dataset"]) == {"indian"}
    direct = joined(found, at("sl_fpn", 0.8, "wlasl_2000"), at("simclr", 0.5, "wlasl_2000"))
    assert set(judged(own, direct)[1]["dataset"]) == {"wlasl_2000"}


def test_another_split_of_the_pretraining_set_is_no_transfer():
    def at(method, accuracy, dataset, clips_of):
        columns = {"dataset": dataset, "pretrain_dataset": "lsfb"}
        metrics, predictions = runs(method, [accuracy] * 2, **columns)
        return metrics.assign(target_dataset=clips_of), predictions

    found = joined(*(at(method, accuracy, *place)
                     for place in (("lsfb_known_signers", "lsfb"), ("gsl", "gsl"))
                     for method, accuracy in (("sl_fpn", 0.8), ("simclr", 0.5))))  # fmt: skip
    transfer = judged(make_claims(scope="transfer"), found)[1]
    assert set(transfer["dataset"]) == {"gsl"}
    assert set(judged(make_claims(), found)[1]["dataset"]) == {"lsfb_known_signers"}
    with_own = joined(found, at("sl_fpn", 0.8, "lsfb", "lsfb"), at("simclr", 0.5, "lsfb", "lsfb"))
    assert set(judged(make_claims(), with_own)[1]["dataset"]) == {"lsfb"}


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


def test_the_shipped_claims_are_the_papers_six_and_ours():
    shipped = c.load(ROOT / "config" / "claims.yaml")
    assert [claim.source for claim in shipped.claims] == ["paper"] * 6 + ["ours"] * 3
    named = {
        o.method if isinstance(o.method, str) else "" for x in shipped.claims for o in x.against
    }
    assert "supervised" not in named
    few = shipped.claims[1]
    assert (shipped.protocol_of(few), few.label_fraction) == ("semi_supervised", 0.3)
    found = joined(runs("sl_fpn", [0.7] * 2), runs("random", [0.5] * 2))
    table = c.verdicts(shipped, c.decide(shipped, *found), found[0]).set_index("claim")
    assert table.loc["pretraining_helps", "verdict"] == c.HOLDS
    assert set(table["verdict"].drop("pretraining_helps")) == {c.UNSURE}
    assert (table["missing"].drop("pretraining_helps") != "").all()


@pytest.mark.parametrize("name", ["paper", "wlasl", "wlasl_cpu"])
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
            few = protocol == "semi_supervised"
            fractions = SemiSupervisedConfig(**options).fractions if few else [1.0]
            place = {"dataset": target, "target_dataset": about.dataset, "protocol": protocol}
            rows += [{**keys, **place, "label_fraction": fraction} for fraction in fractions]
    shipped = c.load(ROOT / "config" / "claims.yaml")
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
    with pytest.raises(UserError, match="cannot be read"):
        c.load(tmp_path)
    file.write_text(f"protocoll: linear\nclaims: [{one}]")
    with pytest.raises(UserError, match="Did you mean 'protocol'"):
        c.load(file)


def test_one_seed_elsewhere_takes_nothing_from_the_comparison_that_fails():
    """A claim failed against two seeds on one target, and was marked "1 seed" for another's."""
    found = joined(
        runs("sl_fpn", [0.5, 0.52]), runs("random", [0.72, 0.74], pretrain_dataset="none"),
        runs("sl_fpn", [0.6], dataset="wlasl_100"),
        runs("random", [0.6], dataset="wlasl_100", pretrain_dataset="none"),
    )  # fmt: skip
    verdict, comparisons = judged(make_against({"method": "random"}), found)
    assert set(comparisons["dataset"]) == {"lsa64", "wlasl_100"}
    assert (verdict.verdict, verdict.dataset, verdict.seeds) == (c.FAILS, "lsa64", 2)


def test_what_was_not_compared_comes_last():
    found = joined(runs("sl_fpn", [0.8] * 2), runs("random", [0.5] * 2))
    claims = make_claims(["byol"])
    other = claims.claims[0].model_copy(update={"id": "other", "against": make_against(
        {"method": "random"}).claims[0].against})  # fmt: skip
    both = claims.model_copy(update={"claims": [claims.claims[0], other]})
    table = c.verdicts(both, c.decide(both, *found), found[0])
    assert table["claim"].iloc[0] == "other"
    assert list(table["comparisons"]) == [1, 0]
