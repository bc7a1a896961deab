"""The examples of docs/extend.md, each one file in a copy of the repository, come out everywhere."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toys import ROOT

PAGE = (ROOT / "docs/extend.md").read_text()
# What a workflow would run as jobs, in one process: torch is imported once.
DRIVER = """
import json, sys
from pathlib import Path
from sslslr.cli.main import app
from sslslr.config.load import load
from sslslr.report.figures import FIGURES
from sslslr.report.tables import TABLES
from sslslr.workflow import commands, grid

def run(*command):
    app(list(command), standalone_mode=False)

path = "config/extended.yaml"
run("config", "check", path)
study, results = load(path), Path("results")
for name in study.datasets:
    for command in commands.data(study, name, Path(study.results)):
        run(*command[1:])
for spec in grid.runs(study).values():
    run(*commands.pretrain(spec, results, 1)[1:])
    run(*commands.evaluate(grid.evaluate_spec(study, spec), results, 1)[1:])
reads = {name: "".join(table.reads) for name, table in TABLES.classes().items()}
for name in sorted(reads, key=lambda name: "tables/" in reads[name]):  # after those that they read
    run("report", "table", name, "--config", path)
for name in FIGURES.names():
    run("report", "figure", name, "--config", path)
run("report", "page", "--config", path)
"""


def examples() -> dict[str, str]:
    """Files that the page shows: path to text."""
    blocks = re.findall(r"`([\w/]+\.(?:py|yaml))`:\n\n```(?:python|yaml)\n(.*?)```", PAGE, re.S)
    return dict(blocks)


def write_clips(folder: Path) -> None:
    """Twelve clips of two glosses by three signers in the format of the page's reader."""
    folder.mkdir()
    rng, rows = np.random.default_rng(1), []
    for number in range(12):
        name = f"clip_{number:02d}.lines"
        points = rng.uniform(0.2, 0.8, (10, 150))
        lines = [" ".join(f"{value:.4f}" for value in frame) for frame in points]
        (folder / name).write_text("\n".join(["lines 25", *lines]))
        split = ("train", "train", "test")[number // 4]
        rows.append([name, f"gloss_{number % 2}", f"signer_{number // 4}", split])
    with (folder / "labels.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["file", "gloss", "signer", "split"], *rows])


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """The folder of a copy that has every example, after its study has run."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("sslslr", "config"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
        )
    for path, text in examples().items():
        assert not (folder / path).exists(), "an example is a new file"
        (folder / path).write_text(text)
    (claim,) = re.findall(r"```yaml\n(  - id: .*?)```", PAGE, re.S)
    with (folder / "config/claims.yaml").open("a") as stream:
        stream.write(claim)
    write_clips(folder / "mine")
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-4000:]
    return folder


CHECKER = """
from sslslr.cli.main import app
from sslslr.data.readers import READERS
from sslslr.report.figures import FIGURES
from sslslr.report.tables import TABLES

app(["config", "check", "config/extended.yaml"], standalone_mode=False)
found = [(READERS, "lines"), (TABLES, "best"), (FIGURES, "scores")]
print([registry.file(name).parent.name for registry, name in found])
"""
GROUPS = {
    "augment": "transforms", "encoders": "encoders", "evaluation/protocols": "protocols",
    "data/readers": "readers", "data/datasets": "datasets", "methods": "methods",
    "report/tables": "tables", "report/figures": "figures",
}  # fmt: skip


def test_a_package_of_somebody_else_brings_the_same_by_entry_points(tmp_path):
    """As pip leaves it; the study names a method, transform, encoder, protocol and data set of it."""
    package, metadata = tmp_path / "theirs", tmp_path / "theirs-1.0.dist-info"
    points = ""
    for folder in (package, metadata, tmp_path / "config"):
        folder.mkdir()
    for path, text in examples().items():
        if not path.endswith(".py"):
            (tmp_path / path).write_text(text)
            continue
        (package / Path(path).name).write_text(text)
        group = GROUPS[str(Path(path).parent.relative_to("sslslr"))]
        points += f"[sslslr.{group}]\n{Path(path).stem} = theirs.{Path(path).stem}\n"
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(points)
    write_clips(tmp_path / "mine")
    done = subprocess.run(
        [sys.executable, "-c", CHECKER],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert str(3 * ["theirs"]) in done.stdout


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"results/tables/{name}.csv").open() as stream:
        return list(csv.DictReader(stream))


def column(folder: Path, name: str, key: str) -> set[str]:
    return {row[key] for row in table(folder, name)}


def test_the_page_has_eight_examples_of_one_file_each():
    rooms = {str(Path(path).parent) for path in examples() if path.endswith(".py")}
    assert len(rooms) == 8


def test_a_protocol_is_in_every_table_of_scores(extended):
    for name in ("linear", "ablations", "signer_gap"):
        assert "nearest_mean" in column(extended, name, "protocol"), name
    text = (extended / "results/tables/linear.md").read_text()
    assert "Nearest mean: the gloss whose mean feature is nearest." in text


def test_a_method_a_transform_and_an_encoder_are_in_the_linear_table(extended):
    rows = table(extended, "linear")
    assert {"agreement", "random"} == {row["method"] for row in rows}
    assert "stretched" in {row["augmentation"] for row in rows}
    assert {"transformer", "mean_frame"} == {row["variant"] for row in rows}
    assert "Agreement" in (extended / "results/tables/linear.md").read_text()
    assert "mean_frame" in column(extended, "cost", "variant")


def test_a_data_set_and_a_format_are_targets(extended):
    assert {"waves", "waves_mixed", "mine"} <= column(extended, "linear", "dataset")
    card = json.loads((extended / "results/data/mine/clips/card.json").read_text())
    assert card["n_clips"] == 12


def test_a_claim_is_decided(extended):
    claims = {row["claim"]: row for row in table(extended, "verdicts")}
    assert "agreement_helps" in claims
    assert "agreement_helps" in column(extended, "verdicts_comparisons", "claim")


def test_a_table_and_a_figure_are_made_and_on_the_page(extended):
    assert column(extended, "best", "dataset") == {"waves", "waves_mixed", "mine"}
    assert (extended / "results/figures/scores.png").is_file()
    page = (extended / "results/report.html").read_text()
    assert "Best methods" in page
    assert "All scores" in page
    assert "Points, one a run and target." in page
