"""Which runs a claim compares, and what it says of those that are missing."""

import numpy as np
import pytest

from claimed import joined, judged, make_against, make_claims, runs
from sslslr.statistics import claims as c
from sslslr.statistics.claims.matching import cells_of, sides


def test_missing_runs_protocols_and_targets_are_named():
    found = joined(runs("sl_fpn", [0.9] * 3), runs("simclr", [0.5] * 3),
                   runs("sl_fpn", [0.9] * 3, dataset="gsl"))  # fmt: skip
    claims = make_claims(["simclr", "byol"])
    verdict, _ = judged(claims, found)
    assert verdict.verdict == c.UNSURE  # all that is there is clearly beaten
    assert verdict.missing == (
        "no metrics of protocol linear for simclr on gsl (pretrained on gsl); no run of method byol"
    )
    claims = make_claims(["simclr", "byol"], protocol="few_labels", label_fraction=0.3)
    verdict, comparisons = judged(claims, found)
    assert comparisons.empty
    assert (verdict.verdict, verdict.comparisons) == (c.UNSURE, 0)
    assert verdict.missing == (
        "no metrics of protocol few_labels at label_fraction 0.3; no run of method byol"
    )
    assert judged(make_claims(scope="transfer"), found)[0].missing == (
        "no metrics of protocol linear for sl_fpn, temporal_permutation on another language's set"
    )


def test_a_missing_ablation_is_named_by_its_tag():
    found = runs("sl_fpn", [0.9] * 3)
    claims = make_against(
        {"method": "sl_fpn", "augmentation": "temporal_permutation", "tag": "no_original"}
    )
    assert c.missing(claims, claims.claims[0], found[0]) == [
        "no run of method sl_fpn with augmentation temporal_permutation, variant transformer, "
        "tag no_original"
    ]


def test_an_ablation_is_an_opponent_only_where_it_is_asked_for():
    found = joined(runs("sl_fpn", [0.9] * 3), runs("sl_fpn", [0.5] * 3, tag="no_original"))
    ablation = {"method": "sl_fpn", "augmentation": "temporal_permutation", "tag": "no_original"}
    verdict, comparisons = judged(make_against(ablation), found)
    assert (verdict.verdict, len(comparisons)) == (c.HOLDS, 1)
    assert comparisons.iloc[0].opponent == "sl_fpn, temporal_permutation, no_original"
    assert judged(make_against({"method": "sl_fpn"}), found)[1].empty


def test_each_other_names_what_was_run_but_the_ceiling():
    found = joined(runs("sl_fpn", [0.9] * 3), runs("simclr", [0.5] * 3), runs("supervised", [1.0]),
                   runs("sl_fpn", [0.6] * 3, augmentation="rotation"))  # fmt: skip
    methods, views = {"method": "each_other"}, {"method": "sl_fpn", "augmentation": "each_other"}
    assert set(judged(make_against(methods), found)[1]["opponent"]) == {
        "simclr, temporal_permutation"
    }
    assert set(judged(make_against(views), found)[1]["opponent"]) == {"sl_fpn, rotation"}
    # What has no run of that kind at all is no opponent, and is not missing either.
    more = joined(found, runs("raw_keypoints", [0.3] * 3, variant="raw", augmentation="none"),
                  runs("simclr", [0.5] * 3, augmentation="strong"))  # fmt: skip
    for against in (methods, views):
        verdict, _ = judged(make_against(against), more)
        assert (verdict.verdict, verdict.missing) == (c.HOLDS, "")
    alone = judged(make_against(methods), runs("sl_fpn", [0.9]))[0]
    assert alone.missing == "no run of method other than the subject's"


def test_an_opponent_that_does_not_decide_is_shown_only():
    found = joined(runs("sl_fpn", [0.7] * 3), runs("simclr", [0.5] * 3), runs("random", [0.9] * 3))
    claims = make_against({"method": "simclr"}, {"method": "random", "decides": False})
    verdict, comparisons = judged(claims, found)
    assert verdict.verdict == c.HOLDS
    shown = comparisons.set_index("opponent").loc["random"]
    assert shown.outcome == c.FAILS
    assert np.isnan(shown.p_corrected)


def test_transfer_compares_encoders_of_the_same_pretraining_set_and_untrained_ones():
    def at(method, accuracy, pretrained, dataset="lsa64"):
        return runs(method, [accuracy] * 3, dataset=dataset, pretrain_dataset=pretrained)

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
        return runs(method, [accuracy] * 3, dataset=dataset, pretrain_dataset="wlasl_2000")

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
        metrics, predictions = runs(method, [accuracy] * 3, **columns)
        return metrics.assign(target_dataset=clips_of), predictions

    found = joined(*(at(method, accuracy, *place)
                     for place in (("lsfb_known_signers", "lsfb"), ("gsl", "gsl"))
                     for method, accuracy in (("sl_fpn", 0.8), ("simclr", 0.5))))  # fmt: skip
    transfer = judged(make_claims(scope="transfer"), found)[1]
    assert set(transfer["dataset"]) == {"gsl"}
    assert set(judged(make_claims(), found)[1]["dataset"]) == {"lsfb_known_signers"}
    with_own = joined(found, at("sl_fpn", 0.8, "lsfb", "lsfb"), at("simclr", 0.5, "lsfb", "lsfb"))
    assert set(judged(make_claims(), with_own)[1]["dataset"]) == {"lsfb"}


def test_a_pool_is_compared_with_the_targets_own_set():
    """What is pretrained on a pool of languages, against what saw the target's language alone."""

    def at(accuracy, dataset, trained):
        return runs("sl_fpn", [accuracy] * 3, dataset=dataset, pretrain_dataset=trained)

    found = joined(*(at(0.8, dataset, "languages") for dataset in ("libras", "bisindo")),
                   at(0.6, "libras", "libras"), at(0.5, "bisindo", "bisindo"),
                   at(0.9, "libras", "bisindo"), at(0.9, "bisindo", "libras"))  # fmt: skip
    pooled = {"subject": {"method": "sl_fpn", "augmentation": "temporal_permutation",
                          "pretrained": "languages"}}  # fmt: skip
    own = {"method": "sl_fpn", "pretrained": "target"}
    pools = {"languages": ["libras", "bisindo"]}
    verdict, comparisons = judged(make_against(own, **pooled).knowing(pools), found)
    assert (verdict.verdict, verdict.missing, len(comparisons)) == (c.HOLDS, "", 2)
    assert set(comparisons["opponent"]) == {
        "sl_fpn, temporal_permutation, on libras",
        "sl_fpn, temporal_permutation, on bisindo",
    }
    other = {"method": "sl_fpn", "pretrained": "gsl"}
    assert judged(make_against(other, **pooled).knowing(pools), found)[0].missing == (
        "no metrics of protocol linear for sl_fpn on bisindo (pretrained on gsl); "
        "no metrics of protocol linear for sl_fpn on libras (pretrained on gsl)"
    )


def test_a_frozen_encoder_is_compared_with_the_ceiling_by_the_ceilings_own_protocol():
    found = joined(runs("sl_fpn", [0.9] * 3), runs("sl_fpn", [0.2] * 3, protocol="fine_tune"),
                   runs("simclr", [0.1] * 3, protocol="fine_tune"),
                   runs("supervised", [0.5] * 3, protocol="fine_tune", pretrain_dataset="none"))  # fmt: skip
    ceiling = {"method": "supervised", "protocol": "fine_tune"}
    verdict, comparisons = judged(make_against(ceiling), found)
    assert (verdict.verdict, verdict.seeds, len(comparisons)) == (c.HOLDS, 3, 1)
    assert 0.3 < verdict.difference < 0.5
    row = comparisons.iloc[0]
    assert row.opponent == "supervised, temporal_permutation, by fine_tune"
    claims = make_against(ceiling)
    cells = cells_of(claims, claims.claims[0], found[0])
    parts = sides(cells, "linear", "lsa64", "lsa64", row.subject, row.opponent)
    assert {name: set(part["protocol"]) for name, part in parts.items()} == {
        "subject": {"linear"},
        "opponent": {"fine_tune"},
    }
    claims = make_against({"method": "supervised", "protocol": "knn"})
    assert judged(claims, found)[0].missing == "no metrics of protocol knn at label_fraction 1"


@pytest.mark.parametrize(("fixed", "verdict"), [(["raw"], c.HOLDS), ([], c.UNSURE)])
def test_an_encoder_without_weights_needs_one_run(fixed, verdict):
    found = joined(runs("sl_fpn", [0.9] * 3),
                   runs("raw_keypoints", [0.5], variant="raw", pretrain_dataset="none"))  # fmt: skip
    claims = make_against({"method": "raw_keypoints", "variant": "raw"}).knowing({}, fixed)
    told, comparisons = judged(claims, found)
    assert (told.verdict, told.seeds) == (verdict, 3 if fixed else 1)
    assert comparisons.iloc[0].opponent_seeds == 1
