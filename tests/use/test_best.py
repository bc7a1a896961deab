"""The best encoder of a study: chosen by the table that has priority, never a supervised one."""

import json

import pandas as pd
import pytest

from sslslr.config.load import load
from sslslr.config.run import RunSpec
from sslslr.use.best import best_encoder, candidates, frozen_protocols
from sslslr.utils.errors import UserError
from sslslr.workflow.grid import evaluations
from toys import ROOT

FIRST, SECOND = "sl_fpn", "simclr"


@pytest.fixture
def results(tmp_path, encoder_folder):
    """result(rows): a results folder of (run, method, protocol, target, top-1[, label fraction])."""
    spec = json.loads((encoder_folder / "run.json").read_text())["spec"]

    def make(rows):
        for run, method, protocol, target, value, *fraction in rows:
            own = spec | {"run_id": run, "method": method, "method_type": method}
            own["dataset"] = "none" if method in ("random", "supervised") else "toy"
            folder = tmp_path / "results" / "encoders" / run
            folder.mkdir(parents=True, exist_ok=True)
            own = RunSpec.model_validate(own).model_dump(mode="json")
            (folder / "run.json").write_text(json.dumps({"spec": own}))
            row = {"run_id": run, "method": method, "protocol": protocol, "target_dataset": target}
            row |= {
                "metric": "top1",
                "value": value,
                "shots": 0,
                "label_fraction": (fraction or [1])[0],
            }
            file = tmp_path / "results" / "metrics" / run / "metrics.csv"
            file.parent.mkdir(parents=True, exist_ok=True)
            former = [pd.read_csv(file)] if file.exists() else []
            pd.concat([*former, pd.DataFrame([row])]).to_csv(file, index=False)
        return tmp_path / "results"

    return make


@pytest.mark.parametrize(
    ("rows", "expected", "gain"),
    [
        # What is gained over a random encoder counts, not the height of an easy target.
        ([("a", FIRST, "logistic", "easy", 0.9), ("r", "random", "logistic", "easy", 0.8),
          ("b", SECOND, "logistic", "hard", 0.5), ("r", "random", "logistic", "hard", 0.1)], "b", 40.0),
        # The first protocol of the registry decides alone.
        ([("a", FIRST, "linear", "t", 0.6), ("b", SECOND, "linear", "t", 0.5),
          ("a", FIRST, "retrieval", "t", 0.1), ("b", SECOND, "retrieval", "t", 0.9)], "a", 60.0),
        ([("a", FIRST, "logistic", "t", 0.4), ("s", "supervised", "fine_tune", "t", 0.9),
          ("s", "supervised", "logistic", "t", 0.95)], "a", 40.0),
        ([("a", FIRST, "logistic", "t", 0.9, 0.1), ("a", FIRST, "logistic", "t", 0.3, 0.5),
          ("b", SECOND, "logistic", "t", 0.4, 0.5)], "b", 40.0),
    ],
    ids=["gain", "protocol", "supervised", "most labels"],
)  # fmt: skip
def test_the_encoder_furthest_above_random_is_the_best(results, rows, expected, gain):
    folder, why = best_encoder(results(rows))
    assert folder.name == expected
    assert f"{expected}: {gain:.1f} points" in why


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no evaluated encoder"),
        ([("r", "random", "logistic", "t", 0.8)], "no pretrained encoder"),
        ([("a", FIRST, "signer_leakage", "t", 0.8)], "no pretrained encoder"),
    ],
)
def test_a_study_without_one_says_so(results, tmp_path, rows, message):
    with pytest.raises(UserError, match=message):
        best_encoder(results(rows) if rows else tmp_path / "results")


def test_candidates_are_the_pretrained_runs_that_a_frozen_protocol_scores():
    assert not {"fine_tune", "few_labels", "signer_leakage"} & set(frozen_protocols())
    study = load(ROOT / "config" / "small_encoder.yaml")
    (run,) = candidates(evaluations(study).values())
    assert run.startswith("sl_fpn_rate.")
    target = study.evaluate.targets["letters"].model_copy(update={"protocols": ["fine_tune"]})
    specs = [
        spec.model_copy(update={"targets": {"letters": target}})
        for spec in evaluations(study).values()
    ]
    assert candidates(specs) == []
