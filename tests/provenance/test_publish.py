"""A published study: scores alone, of no machine, and every hash is checked."""

import json
import shutil

import pytest
from matplotlib.figure import Figure
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.provenance import publish
from sslslr.report.figures import FIGURES, _style
from sslslr.utils.errors import UserError
from traced import STUDY

pytestmark = pytest.mark.xdist_group("trace")  # its fixture is made once


@pytest.fixture
def published(results):
    """`docs/study/traced` of the results, as the verb writes it."""
    for name in FIGURES.names():
        _style.save(Figure(figsize=(1, 1)), results / "figures" / name)
    arguments = ["report", "publish", "traced", "--results", str(results), "--out", "docs/study"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return results.parent / "docs" / "study" / "traced"


def checked(folder):
    return CliRunner().invoke(app, ["check-results", str(folder)])


def test_scores_are_published_and_clips_are_not(published, results):
    names = {path.name for path in published.rglob("*") if path.is_file()}
    assert {
        "main.csv",
        "main.tex",
        "verdicts.md",
        "report.html",
        "provenance.json",
        "training.png",
    } <= names
    assert not {"clip.png", "neighbours.png", "keypoints.npy", "encoder.safetensors"} & names
    page = (published / "report.html").read_text()
    assert "not ours to pass on" in page
    assert 'class="player"' not in page
    hashes = json.loads((published / "hashes.json").read_text())
    assert set(hashes["encoders"]) == {path.name for path in (results / "encoders").iterdir()}
    assert set(hashes["data"]) == {"toy"}
    assert checked(published).exit_code == 0


@pytest.mark.parametrize("name", ["tables/main.csv", "report.html", "provenance.json"])
def test_a_change_is_noticed(published, name):
    with (published / name).open("a") as stream:
        stream.write(" ")
    done = checked(published)
    assert done.exit_code == 1
    assert f"{name}: changed since it was published" in done.output


def test_what_is_absent_or_added_or_of_other_data_is_noticed(published):
    (published / "tables/main.md").unlink()
    (published / "more.csv").write_text("a")
    hashes = json.loads((published / "hashes.json").read_text())
    hashes["data"]["toy"]["keypoints.npy"] = "0" * 64
    hashes["encoders"][next(iter(hashes["encoders"]))] = "0" * 64
    (published / "hashes.json").write_text(json.dumps(hashes))
    said = publish.check(published)
    assert [sentence.partition(":")[0].split("/")[0] for sentence in said] == [
        "more.csv", "tables", "encoders", "data set toy"
    ]  # fmt: skip


def test_a_folder_of_somebody_else_s_and_too_much_are_refused(published, results, monkeypatch):
    from sslslr.report.results import Results, study_of
    from sslslr.workflow.grid import evaluations

    study = study_of(results)
    made = Results(study, evaluations(study), results)
    other = results.parent / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"thesis\.txt"):
        publish.publish(made, other)
    monkeypatch.setattr(publish, "LARGEST", 1000)
    with pytest.raises(UserError, match="bytes, where 1,000 are allowed"):
        publish.publish(made, published)
    assert checked(published).exit_code == 0  # what was published stands


def test_a_study_under_way_is_published_with_the_runs_that_have_ended(results):
    config = results.parent / "study.yaml"
    config.write_text(json.dumps(STUDY))
    arguments = f"report publish traced --results results --ended --config {config}".split()
    published = results.parent / "docs" / "study" / "traced"
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "had ended" not in (published / "report.html").read_text()  # all have
    ended = sorted(path.name for path in (results / "metrics").iterdir())
    shutil.rmtree(results / "metrics" / ended[0])
    before = {path.name for path in results.iterdir()}
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert {path.name for path in results.iterdir()} == before
    hashes = json.loads((published / "hashes.json").read_text())
    assert sorted(hashes["encoders"]) == ended[1:]
    page = (published / "report.html").read_text()
    assert f"Of {len(ended)} runs, the {len(ended) - 1} that had ended are here." in page
    shutil.rmtree(results / "metrics")
    refused = CliRunner().invoke(app, arguments)
    assert "has ended" in str(refused.exception)
