"""Shared fixtures: small clip stores made by the test, and where real data may lie."""

import os
from pathlib import Path

import pytest

from sslslr.clips import ClipStore, writing
from toys import ROOT, toy_clips


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest group first: its worker is at it while the other does the rest."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real data for tests; the test is skipped where it is absent."""
    folder = Path(os.environ.get("SSLSLR_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data are absent ({folder}; set SSLSLR_SHARED_DATA)")
    return folder


@pytest.fixture
def make_store(tmp_path):
    """make_store(clips): a store at a temporary path from {clip_id: (keypoints, columns)}."""

    def make(clips: dict, name: str = "toy", **settings) -> ClipStore:
        with writing(tmp_path / name, {"dataset": name, "inputs": {}}, **settings) as writer:
            for clip_id, (keypoints, columns) in clips.items():
                writer.add(clip_id, keypoints, **{"gloss": "sign", **columns})
        return ClipStore.open(tmp_path / name)

    return make


@pytest.fixture
def toy_store(make_store) -> ClipStore:
    return make_store(toy_clips())
