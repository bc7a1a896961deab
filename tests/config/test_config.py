"""The configuration: one truth, and errors that name the nearest known key."""

import pytest

from sslslr.config import study as config
from sslslr.config.load import load, read_yaml
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.evaluation.protocols.linear import LinearConfig
from sslslr.statistics.claims.schema import Claim
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from sslslr.workflow.check import check, left_checkpoints
from toys import ROOT

MINIMAL = {
    "datasets": {"toy": {"source": "synthetic"}},
    "runs": [{"methods": ["sl_fpn"], "datasets": ["toy"]}],
}


@pytest.mark.parametrize(
    "path", sorted((ROOT / "config").glob("*.yaml")), ids=lambda path: path.name
)
def test_every_study_that_we_ship_is_sound(path):
    if path.name in {"paper_numbers.yaml", "claims.yaml", "config.yaml"}:
        pytest.skip("not a study, or the copy of one (scripts/generate.py)")
    assert check(load(path)) > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretrian": {}}, r"unknown key 'pretrian'. Did you mean 'pretrain'"),
        (
            {"datasets": {"toy": {"sorce": "x", "source": "y"}}},
            r"'datasets.toy.sorce'. Did you mean 'source'",
        ),
        (
            {"runs": [{"methods": ["sl_fpn"], "seed": [1]}]},
            r"unknown key 'runs.0.seed'. Did you mean 'seeds'",
        ),
        (
            {"evaluate": {"targets": {"toy": {"tset": "val"}}}},
            r"'evaluate.targets.toy.tset'. Did you mean 'test'",
        ),
        (
            {"preprocess": {"frames": 0}},
            r"preprocess.frames: .*greater than or equal to 1 \(found 0\)",
        ),
        ({"preprocess": {"variant": "as_released", "fit": "resample"}}, "truncates"),
        # What YAML makes of what was written, and values that failed in a job or never.
        ({"pretrain": {"epochs": True}}, r"epochs must be a number \(found true; YAML reads yes"),
        ({"pretrain": {"learning_rate": float("inf")}}, r"learning_rate: .*finite number"),
        ({"pretrain": {"share": 0}}, r"pretrain.share: must be above 0"),
        ({"pretrain": {"splits": []}}, r"pretrain.splits: List should have at least 1"),
        ({"pretrain": None}, r"pretrain: must hold keys with values; write {} for none"),
        ({"name": False}, r"name: must be text; YAML reads it as something else.* \(found False\)"),
        ({"name": "My study"}, r"name: a name has small letters, digits and _ alone"),
        ({"datasets": {7: {"source": "synthetic"}}}, r"datasets.7: must be text; .*in quotes"),
        ({"runs": [{"methods": "sl_fpn"}]}, r"runs.0.methods: must be a list: \[sl_fpn\]"),
        (
            {"evaluate": {"targets": {"toy": {"train": []}}}},
            r"toy.train: List should have at least",
        ),
        (
            {"evaluate": {"targets": {"toy": {"train": ["train", "test"]}}}},
            r"targets.toy: split 'test' is both .* scored on the clips that it learnt from",
        ),
        (
            {"evaluate": {"protocols": {"knn": {"methods": "sl_fpn"}}}},
            r"protocols.knn.methods must be a list of methods, for example \[sl_fpn\]",
        ),
        ({"results": "my results"}, r"results: a path of letters, digits and .* shell commands"),
        ({"results": "r;rm"}, r"results: a path of letters"),
        ({"results": "~/r"}, r"~ is not expanded"),
        ({"results": ""}, r"results: a path of letters"),
        ({"runs": []}, r"runs: List should have at least 1 item"),
    ],
)
def test_a_wrong_key_or_value_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        parse(StudyConfig, {**MINIMAL, **changes}, "study.yaml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"runs": [{"methods": ["slfpn"], "datasets": ["toy"]}]},
            r"runs\[0\].methods: 'slfpn' is not defined. Did you mean 'sl_fpn'",
        ),
        (
            {"methods": {"sl_fpn": {"type": "sl_fpm"}}},
            r"unknown method 'sl_fpm'. Did you mean 'sl_fpn'",
        ),
        ({"methods": {"sl_fpn": {"w_oo": 1}}}, r"methods.sl_fpn: unknown key 'w_oo'"),
        (
            {"datasets": {"toy": {"source": "sinthetic"}}},
            r"unknown data set 'sinthetic'. Did you mean 'synthetic'",
        ),
        (
            {"datasets": {"toy": {"source": "synthetic", "options": {"sings": 3}}}},
            r"datasets.toy.options: unknown key 'sings'. Did you mean 'signs'",
        ),
        (
            {"runs": [{"methods": ["sl_fpn"], "datasets": ["tay"]}]},
            r"runs\[0\].datasets: 'tay' is not defined",
        ),
        ({"runs": [{"methods": ["sl_fpn"]}]}, r"pretrains and needs at least one data set"),
        (
            {"evaluate": {"protocols": {"liner": {}}}},
            r"unknown protocol 'liner'. Did you mean 'linear'",
        ),
        (
            {"evaluate": {"protocols": {"linear": {"epoch": 3}}}},
            r"evaluate.protocols.linear: unknown key 'epoch'",
        ),
        (
            {"evaluate": {"targets": {"toy": {"protocols": ["linear", "knnn"]}}}},
            r"evaluate.targets.toy.protocols: 'knnn' is not defined",
        ),
        ({"encoder": {"dept": 3}}, r"encoder: unknown key 'dept'. Did you mean 'depth'"),
        ({"encoder": {"inputs": ["plam"]}}, r"unknown input 'plam'. Did you mean 'palm'"),
        (
            {"evaluate": {"transfer": ["sl_fpm"]}},
            r"evaluate.transfer: 'sl_fpm' is not defined. Did you mean 'sl_fpn'",
        ),
        ({"evaluate": {"targets": {"tay": {}}}}, r"evaluate.targets: 'tay' is not defined"),
        (
            {"augmentations": {"temporal_permutation": [{"name": "rotat"}]}},
            r"augmentations.temporal_permutation\[0\]: unknown transform",
        ),
        (
            {"runs": [{"methods": ["sl_fpn"], "datasets": ["toy"], "views": [{"name": "rotat"}]}]},
            r"runs\[0\].views\[0\]: unknown transform 'rotat'",
        ),
        (
            {"runs": [{"methods": ["sl_fpn"], "datasets": ["toy"], "encoder": {"width": 7}}]},
            r"encoder: width: Input should be greater than or equal to 8",
        ),
        # A traceback, a failure in the middle of the study, or nothing at all.
        (
            {"augmentations": {"temporal_permutation": [{"name": ["a"]}]}},
            r"augmentations.temporal_permutation\[0\]: unknown transform \['a'\]",
        ),
        ({"methods": {"sl_fpn": {"type": 3}}}, r"methods.sl_fpn.type: must be text \(found 3\)"),
        ({"evaluate": {"transfer": ["slfpn"]}}, r"evaluate.transfer: 'slfpn' is not defined"),
        (
            {"evaluate": {"targets": {"toy": {"protocols": ["linear", "lineer"]}}}},
            r"evaluate.targets.toy.protocols: 'lineer' is not defined. Did you mean 'linear'",
        ),
        (
            {"evaluate": {"protocols": {"linear": {"epochs": 10}}}},
            r"evaluate.protocols.linear: warmup_epochs 20 is above epochs 10",
        ),
        # These stopped the study where an encoder was evaluated, or at its report.
        (
            {"evaluate": {"protocols": {"linear": {"seeds": [0, 1, 0]}}}},
            r"evaluate.protocols.linear: seeds: names 0 twice",
        ),
        (
            {"evaluate": {"protocols": {"fine_tune": {"label_fractions": [0.3, 0.3]}}}},
            r"fine_tune: label_fractions: names 0.3 twice",
        ),
        (
            {"runs": [{"methods": ["byol"], "datasets": ["toy"], "encoder": {"variant": "raw"}}]},
            r"byol.temporal_permutation.raw.toy.s0: encoder.variant raw has nothing that 'byol' could",
        ),
        (
            {
                "runs": [
                    {
                        "methods": ["masked_keypoints"],
                        "datasets": ["toy"],
                        "encoder": {"variant": "as_released"},
                    }
                ]
            },
            r"masked_keypoints needs an encoder with a token a frame",
        ),
        (
            {"evaluate": {"protocols": {"linear": {"hidden": [0]}}}},
            r"linear: hidden.0: .*greater than or equal to 1 \(found 0\)",
        ),
        (
            {"evaluate": {"protocols": {"fine_tune": {"augmentation": [{"name": "rotat"}]}}}},
            r"fine_tune.augmentation\[0\]: unknown transform 'rotat'",
        ),
        (
            {"datasets": {"toy": {"source": "synthetic"}, "none": {"source": "synthetic"}}},
            r"datasets.none: this name stands for no data set",
        ),
        (
            {"runs": [{"methods": ["sl_fpn"], "datasets": ["toy"], "tag": "x" * 200}]},
            r"runs\[0\]: the name of a run has 2\d\d letters",
        ),
    ],
)
def test_names_and_options_are_checked_before_any_job(changes, message):
    with pytest.raises(UserError, match=message):
        check(parse(StudyConfig, {**MINIMAL, **changes}, "study.yaml"))


def test_a_missing_or_broken_file_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="there is no such configuration"):
        load(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [1,")
    with pytest.raises(UserError, match="not valid YAML"):
        load(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(UserError, match="expected a mapping"):
        load(tmp_path / "list.yaml")


def test_every_key_has_a_description():
    def walk(node, where):
        for name, field in node.get("properties", {}).items():
            described = "description" in field or "$ref" in field or "allOf" in field
            assert described, f"{where}.{name} has no description"

    schema = config.StudyConfig.model_json_schema()
    walk(schema, "study")
    for name, node in schema["$defs"].items():
        walk(node, name)


STUDIES = [
    path
    for path in sorted((ROOT / "config").glob("*.yaml"))
    if path.stem not in ("claims", "paper_numbers")
]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_with_the_authors_preprocessing_says_what_becomes_of_lost_glosses(path):
    """It drops clips of one hand: of WLASL-300 a gloss loses all for training, and evaluation stopped."""
    study = load(path)
    for run in grid.runs(study).values():
        if run.preprocess.variant == "as_released":
            targets = grid.targets(study, run).values()
            assert all(target.unseen_labels == "drop" for target in targets)


def test_the_paper_study_has_the_papers_values():
    study = load(ROOT / "config/paper.yaml")
    encoder, pretrain = study.encoder, study.pretrain
    assert (encoder.depth, encoder.width, encoder.heads, encoder.dropout) == (12, 512, 8, 0.1)
    assert (
        pretrain.epochs,
        pretrain.batch_size,
        pretrain.learning_rate,
        pretrain.weight_decay,
    ) == (100, 512, 1e-4, 0.01)
    linear = LinearConfig(**study.evaluate.protocols["linear"])
    assert (linear.hidden, linear.epochs, linear.warmup_epochs, linear.learning_rate) == (
        [1024, 500],
        1000,
        20,
        0.01,
    )
    assert (linear.batch_size, study.preprocess.frames) == (512, 30)
    assert (
        min(
            len({r.seed for r in grid.runs(study).values() if r.method == m})
            for m in ("sl_fpn", "random")
        )
        >= 5
    )


def test_a_licence_that_no_data_set_asks_for():
    study = load(ROOT / "config/paper.yaml")
    with pytest.raises(UserError, match="no data set asks for 'CUDA'. Did you mean 'C-UDA'"):
        check(study.model_copy(update={"accept_licences": ["CUDA"]}))
    check(study.model_copy(update={"accept_licences": ["C-UDA", "GSL", "CC-BY-NC-SA-4.0"]}))


def test_a_run_that_no_protocol_scores_is_named():
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "methods": {"sl_fpn": {}, "random": {}},
        "runs": [{"methods": ["random"]}],
        "evaluate": {"protocols": {"linear": {"methods": ["sl_fpn"]}}},
    }
    with pytest.raises(UserError, match="none is left for 'random.none.transformer.none.s0'"):
        check(parse(StudyConfig, study, "test"))


def test_checkpoints_that_no_job_goes_on_from_are_found(tmp_path):
    values = {
        **MINIMAL,
        "results": str(tmp_path),
        "runs": [{"methods": ["random"], "seeds": [0]}],
    }
    (tmp_path / "checkpoints").mkdir()
    for name in ("random.none.transformer.none.s0", "random.none.transformer.none.s1"):
        (tmp_path / "checkpoints" / f"{name}.ckpt").touch()
    left = left_checkpoints(parse(StudyConfig, values, "test"))
    assert [path.stem for path in left] == ["random.none.transformer.none.s1"]


@pytest.mark.parametrize("results", ["results", "/data/ünï/my-study_2", "../r", "a/b.c+d=e@f"])
def test_results_lie_where_a_shell_command_can_name_them(results):
    assert parse(StudyConfig, {**MINIMAL, "results": results}, "test").results == results


@pytest.mark.parametrize("text", ["a: 1\nb: 2\na: 3\n", "x: {y: {a: 1, b: 2, a: 1}}\n"])
def test_a_key_that_stands_twice_is_named(tmp_path, text):
    """The first went unseen: the settings of a block that was pasted twice."""
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(UserError, match=r"study.yaml: key 'a' stands twice, in lines \d and \d"):
        load(tmp_path / "study.yaml")
    (tmp_path / "study.yaml").write_text("a: &x {b: 1}\nc: {<<: *x, b: 2}\n")
    assert read_yaml(tmp_path / "study.yaml") == {"a": {"b": 1}, "c": {"b": 2}}


def test_the_former_name_of_few_labels_stays_an_alias():
    """In a study's protocols, a target's and a claim's."""
    options = {"fractions": [0.5]}
    former, now = (
        parse(
            StudyConfig,
            {
                **MINIMAL,
                "evaluate": {
                    "protocols": {name: options},
                    "targets": {"toy": {"protocols": [name]}},
                },
            },
            "study",
        )
        for name in ("semi_supervised", "few_labels")
    )
    assert former == now
    assert list(former.evaluate.protocols) == ["few_labels"]
    claim = {"id": "a", "statement": "b", "source": "ours", "subject": {"method": "sl_fpn"},
             "against": [{"method": "simclr"}], "protocol": "semi_supervised"}  # fmt: skip
    assert parse(Claim, claim, "claim").protocol == "few_labels"


def test_a_protocol_under_both_of_its_names_is_refused():
    protocols = {"semi_supervised": {}, "few_labels": {}}
    with pytest.raises(
        UserError, match="protocols: few_labels stands there twice, once as semi_su"
    ):
        parse(StudyConfig, {**MINIMAL, "evaluate": {"protocols": protocols}}, "study")
