"""The grid: ids, overrides, targets."""

import re

import pytest

from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from sslslr.workflow.estimate import estimate

BASE = {
    "datasets": {"a": {"source": "synthetic"}, "b": {"source": "synthetic"}},
    "methods": {"sl_fpn": {"w_o": 0.5}, "random": {}, "raw_keypoints": {}, "supervised": {}},
    "evaluate": {"protocols": {"linear": {}, "logistic": {}, "fine_tune": {"epochs": 3}}},
}


def study(*blocks, **changes) -> StudyConfig:
    return parse(StudyConfig, {**BASE, **changes, "runs": list(blocks)}, "test")


def test_a_block_is_the_product_of_its_lists():
    runs = grid.runs(study({"methods": ["sl_fpn"], "datasets": ["a", "b"], "seeds": [0, 1, 2]}))
    assert len(runs) == 6
    assert "sl_fpn.temporal_permutation.transformer.b.s2" in runs
    assert all(spec.method_options == {"w_o": 0.5} for spec in runs.values())


def test_methods_that_do_not_pretrain_run_once_for_all_data_sets():
    runs = grid.runs(
        study({"methods": ["random", "raw_keypoints"], "datasets": ["a", "b"], "seeds": [0, 1]})
    )
    assert list(runs) == [
        "random.none.transformer.none.s0",
        "random.none.transformer.none.s1",
        "raw_keypoints.none.raw.none.s0",
        "raw_keypoints.none.raw.none.s1",
    ]
    assert all(spec.pretrain.epochs == 0 for spec in runs.values())


def test_an_ablation_changes_only_what_it_names():
    plain = {"methods": ["sl_fpn"], "datasets": ["a"]}
    ablation = {
        **plain,
        "tag": "no_original",
        "method_options": {"w_o": 0},
        "encoder": {"depth": 2},
    }
    first, second = grid.runs(study(plain, ablation)).values()
    assert second.run_id == "sl_fpn.temporal_permutation.transformer.a.no_original.s0"
    changed = {key for key in first.model_fields_set if getattr(first, key) != getattr(second, key)}
    assert changed == {"run_id", "tag", "method_options", "encoder"}
    assert (first.encoder.options, second.encoder.options) == ({}, {"depth": 2})


def test_one_id_for_two_settings_is_an_error_and_for_the_same_settings_is_one_run():
    plain = {"methods": ["sl_fpn"], "datasets": ["a"]}
    assert len(grid.runs(study(plain, plain))) == 1
    with pytest.raises(UserError, match=r"runs\[1\].*already defined with other settings.*tag"):
        grid.runs(study(plain, {**plain, "method_options": {"w_o": 0}}))


def test_targets_are_the_own_data_set_or_all():
    block = {"methods": ["sl_fpn", "random"], "datasets": ["a"]}
    pretrained, untrained = grid.runs(study(block)).values()
    assert list(grid.targets(study(block), pretrained)) == ["a"]
    assert list(grid.targets(study(block), untrained)) == ["a", "b"]
    everywhere = study(block, evaluate={"transfer": True})
    assert list(grid.targets(everywhere, pretrained)) == ["a", "b"]
    some = study(block, evaluate={"transfer": ["byol"]})
    assert list(grid.targets(some, pretrained)) == ["a"]
    elsewhere = study(block, evaluate={"targets": {"b": {}}})  # pretrained on what is not a target
    assert list(grid.targets(elsewhere, pretrained)) == ["b"]


def test_nothing_is_learnt_from_a_member_of_a_pool_whose_share_is_0():
    """So the set is another language's for what was pretrained on the pool, and claims of transfer count it."""
    pool = {"source": "pool", "options": {"members": {"a": 1, "b": 0}}}
    block = {"methods": ["sl_fpn"], "datasets": ["others"]}
    some = study(block, datasets={**BASE["datasets"], "others": pool})
    (run,) = grid.runs(some).values()
    spec = grid.evaluate_spec(some, run)
    assert spec.members == ["a"]
    assert list(spec.targets) == ["a", "b"]


def test_protocols_follow_the_method():
    blocks = {"methods": ["sl_fpn", "random", "raw_keypoints", "supervised"], "datasets": ["a"]}
    found = {
        spec.method: list(grid.evaluate_spec(study(blocks), spec).protocols)
        for spec in grid.runs(study(blocks)).values()
    }
    assert found == {
        "sl_fpn": ["linear", "logistic", "fine_tune"],
        "random": ["linear", "logistic"],
        "raw_keypoints": ["linear", "logistic"],
        "supervised": ["fine_tune"],
    }


def test_a_protocol_can_be_for_some_methods_only():
    blocks = {"methods": ["sl_fpn", "random", "supervised"], "datasets": ["a"]}
    protocols = {
        "linear": {},
        "knn": {"methods": ["random"], "k": 3},
        "fine_tune": {"methods": ["supervised"]},
    }
    some = study(blocks, evaluate={"protocols": protocols})
    pretrained, untrained, supervised = grid.runs(some).values()
    assert grid.evaluate_spec(some, pretrained).protocols == {"linear": {}}
    assert grid.evaluate_spec(some, untrained).protocols == {"linear": {}, "knn": {"k": 3}}
    assert grid.evaluate_spec(some, supervised).protocols == {"fine_tune": {}}


def test_the_estimate_counts_what_is_built_and_names_what_is_not():
    block = {"methods": ["sl_fpn", "random"], "datasets": ["a", "b"]}
    settings = {"resources": {"clips_per_second": 100}, "pretrain": {"epochs": 36}}
    said = estimate(study(block, **settings), {"a": 5000}, {})
    assert "3 runs, 2 of them pretrain. Estimate, not measured" in said
    assert "0.50 of pretraining" in said
    assert "at 100 clips/s" in said
    assert said.endswith("; not counted, because not built yet: b")
    said = estimate(study(block, **settings), {"a": 2500}, {"a": 9999, "b": 2500})
    assert "0.50 of pretraining" in said
    assert said.endswith(
        "; by the number of clips that their lists state, because not built yet: b"
    )
    said = estimate(study(block, **settings), {}, {})
    assert said.endswith(
        "No estimate: a, b must be built first, their numbers of clips are unknown"
    )


def test_the_estimate_knows_that_a_shallow_encoder_and_few_epochs_are_cheap():
    """Pretraining 5000 clips for 36 epochs at 100 clips/s is half an hour; what is said of it:"""

    def hours(**changes) -> tuple[float, float]:
        block = {"methods": ["sl_fpn"], "datasets": ["a"], **changes.pop("block", {})}
        settings = {"resources": {"clips_per_second": 100}, "pretrain": {"epochs": 36}}
        said = estimate(study(block, **settings, **changes), {"a": 5000}, {})
        return tuple(float(n) for n in re.findall(r"([\d.]+) of (?:pretraining|evaluation)", said))

    plain = {
        "encoder": {"depth": 2, "width": 64, "heads": 4},
        "evaluate": {"protocols": {"knn": {}}},
    }
    assert hours(**plain) == (0.5, 0.0)
    evaluate = plain["evaluate"] | {
        "average": {"augmentation": "temporal_permutation", "views": 70}
    }
    averaged = plain | {"evaluate": evaluate}  # 72 passes where pretraining has 9 * 36
    assert hours(**averaged) == (0.5, pytest.approx(0.5 * 72 / (9 * 36), abs=0.01))
    # A little above a half: the layer that makes tokens of frames stays.
    assert hours(**plain, block={"encoder": {"depth": 1}}) == (0.27, 0.0)
    fine_tuned = plain | {"evaluate": {"protocols": {"fine_tune": {"epochs": 36}}}}
    assert hours(**fine_tuned) == (0.5, pytest.approx(0.5 / 3, abs=0.01))
    linear = plain | {"evaluate": {"protocols": {"linear": {"epochs": 100}}}}
    twice = plain | {"evaluate": {"protocols": {"linear": {"epochs": 100, "seeds": [0, 1]}}}}
    assert hours(**twice)[1] == pytest.approx(2 * hours(**linear)[1], abs=0.02)


def test_a_sweep_is_one_tagged_run_a_combination_but_the_one_that_changes_nothing():
    base = {"methods": ["sl_fpn"], "datasets": ["a"]}
    swept = {**base, "sweep": {"method_options.w_o": [0, 0.0022, 0.5], "encoder.depth": [6, 12]}}
    runs = grid.runs(study(base, swept))
    tags = {spec.tag: spec for spec in runs.values()}
    assert set(tags) == {
        None, "w_o_0_depth_6", "w_o_0_depth_12", "w_o_0p0022_depth_6", "w_o_0p0022_depth_12",
        "w_o_0p5_depth_6",  # and not w_o 0.5 with depth 12: that is the run without a tag
    }  # fmt: skip
    assert tags["w_o_0p0022_depth_6"].method_options == {"w_o": 0.0022}
    assert tags["w_o_0p0022_depth_6"].encoder.depth == 6
    assert "depth" not in tags[None].encoder.options


def test_what_a_method_has_anyway_changes_nothing():
    """Defaults of fields and of the method's variant, whether or not the study states them."""
    base = {"methods": ["sl_fpn"], "datasets": ["a"]}
    plain = {"methods": {"sl_fpn": {}}}
    stated = {**base, "method_options": {"w_o": 1, "stop_gradient": True}}
    assert len(grid.runs(study(base, stated, **plain))) == 1
    with pytest.raises(UserError, match="already defined with other settings"):
        grid.runs(study(base, {**base, "method_options": {"w_p": 0.5}}, **plain))
    swept = {**base, "sweep": {"method_options.w_o": [0, 1], "method_options.w_p": [0.5, 1]}}
    tags = {spec.tag for spec in grid.runs(study(base, swept, **plain)).values()}
    assert tags == {None, "w_o_0_w_p_0p5", "w_o_0_w_p_1", "w_o_1_w_p_0p5"}
    released = {"methods": {"sl_fpn": {"variant": "as_released"}}}  # whose w_p is 0.5
    tags = {spec.tag for spec in grid.runs(study(base, swept, **released)).values()}
    assert tags == {None, "w_o_0_w_p_0p5", "w_o_0_w_p_1", "w_o_1_w_p_1"}


def test_a_sweep_of_something_else_is_refused():
    block = {"methods": ["sl_fpn"], "datasets": ["a"], "sweep": {"seeds": [1]}}
    with pytest.raises(
        UserError, match=r"runs\[0\].sweep: 'seeds' is not a key to sweep.*encoder.depth"
    ):
        grid.runs(study(block))
    block["sweep"] = {"encoder.dept": [1]}
    with pytest.raises(UserError, match="Did you mean 'depth'"):
        grid.runs(study(block))


def test_values_that_differ_by_their_sign_have_tags_of_their_own():
    sweep = {"preprocess.frames": [5, 6], "method_options.w_o": [1, 0.5]}
    block = {"methods": ["sl_fpn"], "datasets": ["a"], "sweep": sweep}
    tags = {run.tag for run in grid.runs(study(block)).values()}
    assert {"frames_5_w_o_1", "frames_6_w_o_0p5"} <= tags
    assert grid._tag("w_o", -1) == "w_o_m1"


def test_a_blocks_views_replace_the_transforms_and_keep_their_name():
    base = {"methods": ["sl_fpn"], "datasets": ["a"]}
    views = [{"name": "temporal_permutation", "begin": 0, "end": "1/4"}]
    first, second = grid.runs(study(base, {**base, "tag": "end", "views": views})).values()
    assert second.augmentation == first.augmentation == "temporal_permutation"
    assert second.augmentation_steps == views != first.augmentation_steps


def test_a_method_needs_no_entry_of_its_own():
    (run,) = grid.runs(study({"methods": ["byol"], "datasets": ["a"]})).values()
    assert (run.method_type, run.method_options) == ("byol", {})
    with pytest.raises(UserError, match=r"'boyl' is not defined"):
        grid.runs(study({"methods": ["boyl"], "datasets": ["a"]}))


def test_what_a_method_fixes_of_an_encoder_it_fixes_of_each_member_of_a_committee():
    committee = {"variant": "committee", "member": {"variant": "transformer", "depth": 1}}
    block = {"methods": ["masked_keypoints"], "datasets": ["a"], "encoder": committee}
    (run,) = grid.runs(study(block)).values()
    assert run.encoder.options["member"] == committee["member"] | {"pooling": "mean"}
    (run,) = grid.runs(study({**block, "methods": ["sl_fpn"]})).values()
    assert run.encoder.options["member"] == committee["member"]
