"""What `dvc metrics`, `dvc plots` and `dvc artifacts` show of a study."""

import csv
import json
import re

import pytest
import yaml
from dvc.compare import show_metrics
from huggingface_hub import ModelCard

from sslslr.config.load import load
from sslslr.use.load import load_encoder
from sslslr.workflow.grid import runs
from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
TRAINED = "sl_fpn.temporal_permutation.transformer.toy"
CONFIG = "config/demo.yaml"
NUMBERS = "results/top1/toy.json"


def test_headline_numbers_can_be_read_and_compared_in_100_columns(built, copy_of):
    project = copy_of(built)
    rows = csv.DictReader((project.path / "results/tables/linear.csv").read_text().splitlines())
    top1 = {(row["method"], row["protocol"]): float(row["top1_mean"]) for row in rows}
    numbers = json.loads((project.path / NUMBERS).read_text())
    for kind, method in {"best": "sl_fpn", "random": "random"}.items():
        scores = [score for (name, _), score in top1.items() if name == method]
        assert numbers[kind] == pytest.approx(max(scores), abs=5e-4)
    assert json.loads((project.path / "results/study.json").read_text())["mean"] == numbers["best"]

    before, after = numbers["best"], round(numbers["best"] - 0.25, 3)
    (project.path / NUMBERS).write_text(json.dumps({**numbers, "best": after}))
    shown = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    assert shown[NUMBERS]["best"] == {"old": before, "new": after, "diff": pytest.approx(-0.25)}
    for command in ("show", "diff"):
        lines = project.run("dvc", "metrics", command).stdout.splitlines()
        assert max(map(len, lines)) <= 100, lines
    # Of the wide table of experiments, which a pager shifts, the study's numbers come first.
    header = project.run("dvc", "exp", "show").stdout.splitlines()[1][:100]
    assert header.split()[:5] == ["Experiment", "Created", "mean", "held", "lost"]


def test_the_demos_headline_numbers_can_be_read_in_100_columns(capsys):
    """DVC's own table, of the names that the demo's files have."""
    files = yaml.safe_load((ROOT / "dvc.yaml").read_text())["metrics"]
    names = {True: ("mean", "held", "lost"), False: ("best", "random", "raw", "supervised")}
    data = {file: {"data": dict.fromkeys(names[file == files[0]], 0.123)} for file in files}
    show_metrics({"": {"data": data}})
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100


def test_dvc_records_no_place_of_this_machine(fresh, copy_of):
    """dvc.lock is published, and holds the settings of a stage that has succeeded."""
    project = copy_of(fresh)
    options = "{signs: 3, signers: 5, clips: 60}"
    project.edit(CONFIG, options, f"{{mirror: file:///home/anna, {options[1:]}")
    done = project.run("dvc", "repro", "download", check=False)
    said = done.stdout + done.stderr
    assert "datasets.toy.options.mirror: it leads out of the study's folder" in said
    assert not (project.path / "dvc.lock").exists()


@pytest.mark.slow  # trains, evaluates and reports again
def test_an_experiment_with_more_epochs_runs_and_is_shown_beside_the_first(built, copy_of):
    project = copy_of(built)
    project.run("dvc", "exp", "run", "--name", "longer", "-S", f"{CONFIG}:pretrain.epochs=3")
    history = (project.path / f"results/encoders/{TRAINED}.s0/history.csv").read_text()
    assert [line.split(",")[0] for line in history.splitlines()[1:]] == ["0", "1", "2", "3"]
    assert project.dry_run() == set()
    shown = project.run("dvc", "exp", "show", "--json").stdout
    assert "longer" in shown
    lines = project.run("dvc", "metrics", "diff").stdout.splitlines()
    assert max(map(len, lines), default=0) <= 100


def test_plots_hold_every_pretrained_run_and_our_own_figures(built):
    shown = json.loads(built.run("dvc", "plots", "show", "--json").stdout)
    assert not shown.get("errors"), shown["errors"]
    history = f"results/encoders/{TRAINED}.s0/history.csv"
    for curve in ("loss", "embedding_spread", "embedding_rank", "linear_table"):
        (drawn,) = shown["data"][curve]
        values = drawn["content"]["data"]["values"]
        expected = 3 if curve != "linear_table" else 4  # epochs 0 to 2; two runs, two protocols
        assert len(values) == expected, curve
    assert (built.path / history).exists()
    images = {name for name, drawn in shown["data"].items() if drawn[0]["type"] == "image"}
    assert "results/figures/training.png" in images
    assert all((built.path / name).stat().st_size > 1000 for name in images)


def test_artifacts_name_every_data_set_and_encoder(built):
    named = yaml.safe_load((built.path / "dvc.yaml").read_text())["artifacts"]
    paths = {entry["path"] for entry in named.values()}
    study = load(built.path / CONFIG)
    encoders = {f"results/encoders/{run}" for run in runs(study)}
    assert paths == {"results/data/toy/clips", "results/model", *encoders}
    assert all((built.path / path).is_dir() for path in paths)
    of_the_demo = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    for name, entry in [*named.items(), *of_the_demo.items()]:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name), "DVC's rule for names"
        assert entry["type"] in {"model", "dataset"}
        assert entry["labels"]
        assert entry["desc"].endswith(".")
    assert len(of_the_demo) == len(runs(load(ROOT / CONFIG))) + 3


def test_the_best_encoder_is_an_artifact_with_a_card_that_hugging_face_reads(built):
    folder = built.path / "results/model"
    read = ModelCard((folder / "README.md").read_text(), ignore_metadata_errors=False)
    assert read.data.pipeline_tag == "feature-extraction"
    assert {result.dataset_name for result in read.data.eval_results} == {"toy"}
    assert read.data.model_name == f"{TRAINED}.s0"
    assert load_encoder(folder).width == 16


@pytest.mark.slow  # DVC clones the project and reads it anew
def test_an_encoder_can_be_had_by_its_name(built, copy_of, tmp_path):
    project = copy_of(built)
    name = f"encoder-{TRAINED}.s0".replace(".", "-").replace("_", "-")
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
    project.run(*git, "tag", "--annotate", "--message", "first", f"{name}@v1.0.0")
    project.run("dvc", "artifacts", "get", str(project.path), name, "--out", str(tmp_path / "got"))
    original = project.path / f"results/encoders/{TRAINED}.s0/encoder.safetensors"
    assert (tmp_path / "got/encoder.safetensors").read_bytes() == original.read_bytes()


def test_a_result_edited_in_place_is_seen_by_dvc_whatever_filled_the_folder(built, copy_of):
    """Trap 3: behind a link an edit would reach the cache, and DVC would call it up to date."""
    project = copy_of(built)
    page = project.path / "results/report.html"
    page.unlink()
    project.run("dvc", "checkout", "--quiet", "results/report.html")
    assert project.changed_stages() == set()
    for path in (project.path / "results").rglob("*"):
        assert not path.is_symlink()
        assert path.is_dir() or path.stat().st_nlink == 1, "a hard link shares the cache's bytes"
    with open(page, "a") as stream:
        stream.write("edited")
    assert project.changed_stages() == {"report"}
    project.run("dvc", "checkout", "--quiet", "--force", "results/report.html")
    assert "edited" not in page.read_text()[-10:], "the cache kept its bytes"
