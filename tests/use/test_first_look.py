"""The notebook runs from its first cell to its last, on clips of letters."""

import json
import os

import pytest

import sslslr
from sslslr.data.store import ClipStore
from sslslr.use.export import export
from toys import ROOT, toy_clips

NOTEBOOK = ROOT / "docs" / "first-look.ipynb"


def run(clips, model) -> dict:
    """Names that the notebook leaves behind; a plain runner, each cell in the names of those before."""
    import matplotlib

    matplotlib.use("Agg")
    os.environ |= {"FIRST_LOOK_CLIPS": str(clips), "FIRST_LOOK_MODEL": str(model)}
    names: dict = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        assert not cell.get("outputs"), "committed without outputs"
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    matplotlib.pyplot.close("all")
    return names


@pytest.fixture(autouse=True)
def _without_traces(monkeypatch):
    monkeypatch.setenv("FIRST_LOOK_CLIPS", "")
    monkeypatch.setenv("FIRST_LOOK_MODEL", "")


def test_the_first_look_runs(make_store, encoder_folder, tmp_path, capsys):
    store = make_store(toy_clips(30, glosses=5))
    export(sslslr.load_encoder(encoder_folder), tmp_path / "model", store, lambda _: None)
    names = run(store.path, tmp_path / "model")
    assert names["right"] > 0.9
    assert names["again"] > 2 / len(store.clips)
    assert names["moving"].to_jshtml(fps=10).count("frames[") > 1
    assert len(capsys.readouterr().out.splitlines()) >= 6


@pytest.mark.slow
def test_the_first_look_runs_on_the_fingerspelling_data():
    clips, model = ROOT / "results/data/fingerspelling/clips", ROOT / "results/model"
    if not clips.is_dir() or not model.is_dir():
        pytest.skip("needs the results of `make demo`")
    names = run(clips, model)
    assert len(names["labels"]) == len(ClipStore.open(clips))
    # Letters of many languages say little of an encoder that saw none; a clip's own copy says more.
    assert names["again"] > 0.2  # by lot: one in 410
