"""What a researcher does with a study: add a method, and ask Snakemake for its own report."""

import re

import pytest

from sslslr.report.tables import TABLES
from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
RUN = "agreement.temporal_permutation.transformer.toy.s0"


def test_a_method_is_one_file_and_one_line_of_configuration(built, copy_of):
    """The file and the line are those of docs/extend.md."""
    guide = (ROOT / "docs/extend.md").read_text()
    source = re.search(r"```python\n(.*?)```", guide, re.DOTALL)[1]
    line = re.search(r"```yaml\n(.*?)```", guide, re.DOTALL)[1]
    project = copy_of(built)
    (project.path / "sslslr/methods/agreement.py").write_text(source)
    assert line.count("\n") == 1
    project.edit("config/demo.yaml", "runs:\n", f"runs:\n{line.replace('synthetic', 'toy')}")
    jobs = project.dry_run()
    new = {f"pretrain_encoder:{RUN}", f"evaluate_encoder:{RUN}"}
    assert new < jobs
    assert all(
        job in new or job in ("tables", "figures", "page", "provenance", "model") for job in jobs
    )
    project.run("snakemake", "--cores", "1", f"results/metrics/{RUN}/metrics.csv")
    metrics = (project.path / f"results/metrics/{RUN}/metrics.csv").read_text()
    assert f"{RUN},agreement," in metrics


def test_snakemakes_own_report_has_every_result_with_its_caption(built, copy_of):
    project = copy_of(built)
    project.run("snakemake", "--report", "study.html")
    page = (project.path / "study.html").read_text()
    for name in ("verdicts.csv", "linear.csv", "claims.png", "few_labels.pdf", "report.html"):
        assert name in page, name
    for entry in map(TABLES.get, TABLES.names()):
        words = entry.caption.encode("ascii", "ignore").decode()[:20]  # the page escapes the rest
        assert words in page, entry.name
