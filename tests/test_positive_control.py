"""The positive control that the demo shows first: it holds, and it would not if pretraining were broken.

The runs are the demo's own: SimCLR on strong views and a random encoder, three seeds each, on the
synthetic signer, judged by the claim `pretraining_works`.
"""

import pandas as pd
import pytest

from sslslr.config.load import load
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data import datasets
from sslslr.data.store import ClipStore
from sslslr.evaluation.evaluate import evaluate
from sslslr.methods import simclr
from sslslr.report import reading
from sslslr.statistics import claims as c
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid
from toys import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("positive_control")]  # a minute of CPU
CONTROL = "pretraining_works"


@pytest.fixture(scope="module")
def control(tmp_path_factory):
    """A function that runs the demo's control, with changes of pretraining, and gives the verdict."""
    folder = tmp_path_factory.mktemp("control")
    demo = load(ROOT / "config/demo.yaml").model_dump(mode="json")
    few = {**demo["evaluate"]["protocols"]["few_labels"], "fractions": [0.1], "shots": []}
    demo["evaluate"] = {"targets": {"synthetic": {}}, "protocols": {"few_labels": few}}
    study = parse(StudyConfig, demo, "test")
    entry = study.datasets["synthetic"]
    datasets.build(
        "synthetic", entry.source, entry.options, folder / "clips", say=lambda text: None
    )
    store = ClipStore.open(folder / "clips")
    shipped = c.load(ROOT / "config/claims.yaml")
    (claim,) = [claim for claim in shipped.claims if claim.id == CONTROL]
    claims = shipped.model_copy(update={"claims": [claim]})
    silent = lambda text: None  # noqa: E731
    known: dict[str, tuple] = {}

    def scored(spec, name):
        out = folder / name / spec.run_id
        pretrain(spec, store, out / "encoder", out / "ckpt", "code", say=silent)
        evaluation = grid.evaluate_spec(study, spec)
        where = out / "metrics", out / "features"
        evaluate(evaluation, out / "encoder", {"synthetic": store.path}, *where, say=silent)
        return out / "metrics/metrics.csv", out / "metrics/predictions.parquet"

    def run(name: str, **changes) -> pd.Series:
        files = []
        for spec in grid.runs(study).values():
            if spec.method == "random":
                if spec.run_id not in known:
                    known[spec.run_id] = scored(spec, "random")
                files.append(known[spec.run_id])
            elif spec.method == "simclr":
                settings = spec.pretrain.model_copy(update=changes)
                files.append(scored(spec.model_copy(update={"pretrain": settings}), name))
        metrics, predictions = zip(*files, strict=True)
        found = reading.read_metrics(metrics), reading.read_predictions(predictions)
        return c.verdicts(claims, c.decide(claims, *found), found[0]).iloc[0]

    return run


def test_the_control_holds_by_more_than_its_interval_under_fitted_probes(control):
    verdict = control("sound")
    assert (verdict.verdict, verdict.seeds) == (c.HOLDS, 3), verdict.to_dict()
    assert verdict.low > 0.05  # +24 points were measured


def test_without_training_the_control_does_not_hold(control):
    assert control("off", epochs=0).verdict != c.HOLDS


def test_with_a_broken_loss_the_control_does_not_hold(control, monkeypatch):
    sound = simclr.nt_xent
    monkeypatch.setattr(simclr, "nt_xent", lambda *arguments: -sound(*arguments))
    assert control("broken", epochs=10).verdict != c.HOLDS
