"""Tables and figures of their own files, of results that a study wrote, by the verbs of `report`."""

import importlib.util
import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from sslslr.cli.main import app
from sslslr.config.published import published
from sslslr.provenance import sources
from sslslr.provenance.cells import find
from sslslr.report import reading
from sslslr.report.figures import FIGURES
from sslslr.report.page import page
from sslslr.report.results import OF_A_RUN, Results, study_of
from sslslr.report.tables import TABLES
from sslslr.utils.errors import UserError
from toys import ROOT, add_entry
from traced import results_in

UNKNOWN = "somebody_elses"  # a protocol that no file here knows
GLOSSES = ["a", "b", "c"]
N = 30


def write_metrics(results: Results, protocols: list[str]) -> None:
    """metrics.csv and predictions.parquet of all runs, with guesses at random."""
    rng = np.random.default_rng(0)
    for run_id, scored in results.evaluations.items():
        about = dict(zip(reading.RUN, [run_id, scored.run.method, scored.run.augmentation,
                     scored.run.encoder.variant, scored.run.tag or "", scored.run.dataset], strict=True))  # fmt: skip
        metrics, predictions = [], []
        for target in scored.targets:
            for protocol in protocols:
                place = {"run_id": run_id, "dataset": target, "protocol": protocol,
                         "label_fraction": 1.0, "shots": 0, "probe_seed": 0}  # fmt: skip
                labels, first = np.resize(GLOSSES, N), rng.choice(GLOSSES, N)
                counts = {
                    "n_train": 90,
                    "n_test": N,
                    "n_classes": 3,
                    "n_joints": 75,
                    "n_joints_masked": 0,
                }
                score = {
                    "metric": "top1",
                    "value": (labels == first).mean(),
                    "low": 0.0,
                    "high": 1.0,
                }
                metrics.append({**about, **place, "seed": scored.run.seed, **score, **counts})
                clips = {"clip_id": [f"clip_{i}" for i in range(N)], "label": labels}
                best = [[guess, *(g for g in GLOSSES if g != guess)] for guess in first]
                predictions.append(pd.DataFrame({**clips, "best": best}).assign(**place))
        folder = results.folder / "metrics" / run_id
        folder.mkdir(parents=True)
        pd.DataFrame(metrics)[list(reading.METRICS)].to_csv(folder / "metrics.csv", index=False)
        pd.concat(predictions).to_parquet(folder / "predictions.parquet", index=False)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Metrics of a study, the protocol UNKNOWN among them."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    made = results_in("results")
    write_metrics(made, ["linear", "few_labels", UNKNOWN])
    return made


@pytest.mark.parametrize("name", ["linear", "ablations", "signer_gap"])
def test_a_protocol_that_nobody_knows_here_comes_out_in_every_table(results, name):
    """It was run, written to metrics.csv and left out without a word."""
    table = TABLES.get(name)()
    rows = table.rows(results)
    assert set(rows["protocol"]) == {"linear", UNKNOWN}
    csv, md, tex = table.render(results)
    assert "somebody elses" in md.read_text()
    assert "somebody elses" in tex.read_text()
    assert len(table.read(csv)) == len(rows)


def test_a_title_of_a_protocol_is_its_class_s(results):
    from sslslr.evaluation.protocols import PROTOCOLS

    class Probe:
        title, sentence = "my probe", "A probe of mine."

    undo = add_entry(PROTOCOLS, UNKNOWN, Probe)
    try:
        csv, md, _ = TABLES.get("linear")().render(results)
    finally:
        undo()
    assert "| my probe |" in md.read_text()
    assert "My probe: A probe of mine." in md.read_text()
    assert UNKNOWN in csv.read_text()


@pytest.fixture
def own(tmp_path):
    """The table and the figure that docs/extend.md adds, each a file of its own."""
    guide = (ROOT / "docs/extend.md").read_text(encoding="utf-8")
    added = {"best": (TABLES, "# Add a table"), "scores": (FIGURES, "# Add a figure")}
    for name, (_, heading) in added.items():
        source = re.search(rf"{heading}\n.*?```python\n(.*?)```", guide, re.DOTALL)[1]
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"extended.{name}", tmp_path / f"{name}.py")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    yield
    for name, (registry, _) in added.items():
        registry._classes.pop(name)


def test_a_table_and_a_figure_of_a_class_alone_are_built_listed_traced_and_shown(
    results, own, monkeypatch
):
    settings = json.dumps(published(results.study.model_dump(mode="json")))
    for arguments in (["table", "best"], ["figure", "scores"]):
        command = ["report", *arguments, "--results", "results", "--config-json", settings]
        done = CliRunner().invoke(app, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
    outputs = set(results.outputs())
    for name in ("tables/best.csv", "tables/best.tex", "figures/scores.pdf", "figures/scores.png"):
        assert results.folder / name in outputs
        assert (results.folder / name).is_file()
    for registry, name in ((TABLES, "best"), (FIGURES, "scores")):
        monkeypatch.setattr(registry, "names", lambda name=name: [name])
    (shown,), (drawn,) = page.tables(results), page.figures(results)
    assert (shown.title, len(shown.cells)) == ("Best methods", 2)
    assert (drawn.alt, drawn.empty) == ("Points, one a run and target.", None)
    # Which runs stand behind a row, its key says.
    monkeypatch.setattr(sources, "results_of", lambda folder: results)
    traced = sources.trace(find("results/tables/best.csv:toy:value"))
    assert sources.same(find("results/tables/best.csv:toy:value").text, traced.computed["value"])


def test_everything_that_is_read_has_a_path_and_everything_is_described():
    results = results_in("results")
    for entry in map(TABLES.get, TABLES.names()):
        assert all(results.paths(kind) for kind in entry.reads), entry.name
        assert entry.title
        assert entry.caption.endswith(".")
        assert set(entry.whole) <= {column.source for column in entry.columns}
        titles = [column.title for column in entry.columns]
        assert len(titles) == len(set(titles)), entry.name  # LaTeX would be given two at once
    for entry in map(FIGURES.get, FIGURES.names()):
        assert all(results.paths(kind) for kind in entry.reads), entry.name
        assert entry.title
        assert entry.caption.endswith(".")
        assert entry.alt.endswith(".")
    with pytest.raises(KeyError):
        results.paths("no such kind")


def test_the_histories_are_of_the_runs_that_were_pretrained():
    results = results_in("results")
    trained = {path.parent.name for path in results.paths("histories")}
    assert trained == set(results.pretrained)
    assert len(trained) == 2
    assert len(results.paths("runs")) == len(results.evaluations) == 4
    assert set(OF_A_RUN) == {"runs", "histories", "metrics", "predictions", "evaluations"}


def test_a_split_that_is_not_the_test_split_is_named():
    evaluate = {"targets": {"a": {"dataset": "toy", "train": ["train"], "test": "val"}, "toy": {}}}
    results = results_in("results", evaluate=evaluate)
    assert results.split_note == " “Test” clips are those of the split “val” of a."
    assert results_in("results").split_note == ""


def test_a_table_that_leaves_its_report_says_whose_it_is(results):
    assert results.note == " Study traced."
    results.study = results.study.model_copy(update={"note": "Few\n  epochs."})
    _, md, tex = TABLES.get("linear")().render(results)
    for path in (md, tex):
        assert " Study traced: Few epochs." in path.read_text()


def test_a_folder_that_does_not_say_its_study_is_named(tmp_path):
    with pytest.raises(UserError, match=r"provenance\.json: there is no such file.*--config"):
        study_of(tmp_path)


def test_the_verb_names_the_nearest_table(results):
    done = CliRunner().invoke(app, ["report", "table", "liner", "--config", "config/demo.yaml"])
    assert "Did you mean 'linear'" in str(done.exception)


def test_other_files_are_no_tables(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    for name in TABLES.names():
        with pytest.raises(UserError, match=r"other\.csv: column .* is missing"):
            TABLES.get(name)().read(other)
    with pytest.raises(UserError, match=r"absent\.csv: there is no such file"):
        TABLES.get("linear")().read(tmp_path / "absent.csv")
