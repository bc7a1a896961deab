"""A claim that no run of a study can answer is named before anything is trained."""

from sslslr.config.load import load
from sslslr.workflow.check import unanswered
from toys import ROOT


def test_a_claim_without_a_run_is_named():
    studies = [
        path
        for path in (ROOT / "config").glob("*.yaml")
        if "claims: config/claims/" in path.read_text()
    ]
    assert len(studies) > 4
    assert [unanswered(load(path)) for path in studies] == [[]] * len(studies)
    study = load(ROOT / "config/study_geometry.yaml")
    others = study.model_copy(update={"claims": "config/claims/study.yaml"})
    lacking = "no run of method sl_fpn_rate with augmentation strong, variant transformer"
    assert unanswered(others)[0] == f"pretraining_works: {lacking}"
