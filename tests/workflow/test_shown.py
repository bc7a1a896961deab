"""What `dvc metrics`, `dvc plots` and `dvc artifacts` show of a study."""

import json
import re

import pytest
import yaml

from sslslr.config import load
from sslslr.grid import runs
from toys import ROOT

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("workflow")]
TRAINED = "sl_fpn.temporal_permutation.paper.toy"
SUMMARY = "results/tables/summary.json"


def test_metrics_are_those_of_the_table_and_diff_compares_them_with_a_commit(built, copy_of):
    project = copy_of(built)
    rows = [
        line.split(",") for line in (project.path / "results/tables/linear.csv").read_text().splitlines()
    ]  # fmt: skip
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    stated = json.loads((project.path / SUMMARY).read_text())
    for row in table:
        found = stated[row["dataset"]][row["protocol"]]
        name = next(n for n in found if n.startswith(row["method"] + "."))
        assert found[name] == float(row["top1_mean"])
    assert sum(len(p) for target in stated.values() for p in target.values()) == len(table)

    before = stated["toy"]["linear"][TRAINED]
    stated["toy"]["linear"][TRAINED] = before + 0.25
    (project.path / SUMMARY).write_text(json.dumps(stated))
    shown = json.loads(project.run("dvc", "metrics", "diff", "--json").stdout)
    (difference,) = shown[SUMMARY].values()
    assert difference == {"old": before, "new": before + 0.25, "diff": pytest.approx(0.25)}


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
    study = load(built.path / "config/demo.yaml")
    assert paths == {"results/data/toy/clips", *(f"results/encoders/{run}" for run in runs(study))}
    assert all((built.path / path).is_dir() for path in paths)
    of_the_demo = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    for name, entry in [*named.items(), *of_the_demo.items()]:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name), "DVC's rule for names"
        assert entry["type"] in {"model", "dataset"}
        assert entry["labels"]
        assert entry["desc"].endswith(".")
    assert len(of_the_demo) == len(runs(load(ROOT / "config/demo.yaml"))) + 2


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
