"""What makes a stage stale: the rooms that it runs, and of registries the entries in use."""

import ast
from pathlib import Path

import pytest

from sslslr.config.load import load
from sslslr.config.study import EncoderConfig, RunBlock
from sslslr.utils.errors import UserError
from sslslr.utils.registry import Registry
from sslslr.workflow import grid, stages
from toys import ROOT

STUDY = load(ROOT / "config/demo.yaml")
STUDY.runs.append(RunBlock(methods=["vicreg"], datasets=["synthetic"]))
CACHED = ("code_hash", "_sources", "_parts", "_registries", "_entries", "_imports")
ROOMS = {
    "extract": stages.DATA,
    "pretrain": stages.PRETRAIN,
    "evaluate": stages.EVALUATE,
    "report": stages.REPORT,
}
UNHASHED = ("config", "workflow", "provenance", "cli")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package whose sources a test may edit: package(path, text) adds a line."""
    import shutil

    copy = tmp_path / "sslslr"
    shutil.copytree(ROOT / "sslslr", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(stages, "PACKAGE", copy)

    file = Registry.file
    monkeypatch.setattr(
        Registry, "file", lambda *args: copy / file(*args).relative_to(ROOT / "sslslr")
    )

    def edit(path: str, line: str = "# edited") -> None:
        (copy / path).parent.mkdir(exist_ok=True)
        with open(copy / path, "a") as stream:
            stream.write(line + "\n")
        forget()

    forget()
    yield edit
    forget()


def forget() -> None:
    for name in CACHED:
        getattr(stages, name).cache_clear()


def hash_of(method: str) -> str:
    run = next(run for run in stages.runs(STUDY).values() if run.method == method)
    return stages.code_hash(*stages.pretrain_code(run))


@pytest.mark.parametrize(
    ("path", "stale"),
    [
        ("methods/simclr.py", {"simclr"}),
        ("methods/vicreg.py", {"vicreg", "sl_fpn_vc"}),  # which imports its terms
        ("methods/_base.py", {"simclr", "vicreg", "sl_fpn_vc", "sl_fpn"}),
        ("training/loop.py", {"simclr", "vicreg", "sl_fpn_vc", "sl_fpn"}),
        ("augment/spatial.py", {"simclr"}),  # the positive control's views
        ("augment/hands.py", set()),  # no transform of the runs stands there
        ("augment/temporal.py", {"simclr", "vicreg", "sl_fpn_vc", "sl_fpn"}),
        ("methods/of_mine.py", set()),
        ("data/datasets/of_mine.py", set()),
        ("data/datasets/synthetic.py", set()),
        ("evaluation/protocols/linear.py", set()),
        ("config/study.py", set()),
        ("cli/pretrain.py", set()),
        ("workflow/grid.py", set()),
        ("training/__pycache__/loop.pyc", set()),
    ],
)
def test_an_edit_makes_those_runs_stale_that_use_what_was_edited(package, path, stale):
    methods = ("simclr", "vicreg", "sl_fpn_vc", "sl_fpn")
    before = {method: hash_of(method) for method in methods}
    package(path)
    assert {method for method in methods if hash_of(method) != before[method]} == stale


def test_a_protocol_of_ones_own_is_part_of_the_runs_that_run_it(package):
    package("evaluation/protocols/of_mine.py", "x = 1")
    names = (*stages.EVALUATE, stages.PACKAGE / "evaluation/protocols/of_mine.py")
    before, others = stages.code_hash(*names), stages.code_hash(*stages.EVALUATE)
    package("evaluation/protocols/of_mine.py", "x = 2")
    assert stages.code_hash(*names) != before
    assert stages.code_hash(*stages.EVALUATE) == others


@pytest.mark.parametrize("stage", ROOMS)
def test_a_stage_counts_every_room_that_its_rooms_import(stage):
    """Else an edit of a room that is left out would go unseen."""
    for room in ROOMS[stage]:
        for path in (ROOT / "sslslr" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sslslr."):
                    imported = node.module.split(".")[1]
                    assert imported in (*ROOMS[stage], *UNHASHED), (path, imported)


def test_a_reader_counts_for_data_sets_that_read_files_of_any_format(package):
    sets = ("local", "synthetic")
    before = {name: stages.code_hash(*stages.data_code(name)) for name in sets}
    package("data/readers/openpose.py")
    after = {name: stages.code_hash(*stages.data_code(name)) for name in sets}
    assert [name for name in sets if after[name] != before[name]] == ["local"]


def test_a_room_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="nowhere: there is no such room"):
        stages.sources("nowhere")


def test_an_entry_of_another_package_is_hashed_by_its_name_wherever_it_lies(tmp_path):
    hashes = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text("from sslslr.methods.vicreg import variance_term\n")
        hashes.append(stages.code_hash(*stages.PRETRAIN, path))
        assert "sslslr/methods/vicreg.py" in stages.sources(path)
    assert hashes[0] == hashes[1] != stages.code_hash(*stages.PRETRAIN)


def test_a_stage_of_dvc_lists_rooms_as_folders_and_all_that_it_lists_exists():
    listed = stages.stage_sources(STUDY)
    assert list(listed) == ["download", "extract", "pretrain", "evaluate", "report"]
    for paths in listed.values():
        assert all((ROOT / path).exists() for path in paths)
        assert not [path for path in paths if str(Path(path).parent) in paths]
    assert "sslslr/training" in listed["pretrain"]
    assert "sslslr/methods/sl_fpn.py" in listed["pretrain"]
    assert "sslslr/evaluation/protocols/linear.py" in listed["evaluate"]
    assert "sslslr/data/datasets/fingerspelling.py" in listed["download"]


def test_an_encoder_of_settings_that_cannot_be_is_one_line():
    """As `sslslr why` reads them in somebody else's run.json."""
    run = next(iter(grid.runs(STUDY).values()))
    with pytest.raises(UserError, match="encoder: width: .*8192"):
        stages.pretrain_code(run.model_copy(update={"encoder": EncoderConfig(width=10**9)}))


def test_a_committee_runs_the_sources_of_its_members():
    run = next(iter(grid.runs(STUDY).values()))
    committee = EncoderConfig(variant="committee", member={"variant": "hand_geometry"})
    code = stages.pretrain_code(run.model_copy(update={"encoder": committee}))
    names = {path.name for path in code if isinstance(path, Path)}
    assert {"committee.py", "hand_geometry.py", "joint_angles.py"} <= names
