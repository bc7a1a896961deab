"""Shared fixtures: small clip stores made by the test, and where real data may lie."""

import os

# Before torch is imported: two workers of two threads each on two cores wait for one another, at three
# times the processor time. Jobs of the workflow have as many threads as they are given.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pandas as pd
import pytest

from sslslr.config.run import NO_DATASET, RunSpec
from sslslr.config.study import EncoderConfig, PreprocessConfig, PretrainConfig
from sslslr.data.store import ClipStore, writing
from sslslr.encoders import artifact
from sslslr.encoders.build import build_encoder
from toys import ROOT, toy_clips

# `make test` hands its own flags and depth to what it starts; a test's make would speak of them.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES"):
    os.environ.pop(name, None)


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


@pytest.fixture
def encoder_folder(tmp_path) -> Path:
    """An encoder as it was drawn, in the files of a run."""
    spec = RunSpec(
        run_id="random.toy.s3", method="random", method_type="random", method_options={},
        augmentation="none", augmentation_steps=[], dataset=NO_DATASET,
        preprocess=PreprocessConfig(frames=12), pretrain=PretrainConfig(),
        encoder=EncoderConfig(depth=1, width=32, heads=4), seed=3,
    )  # fmt: skip
    encoder = build_encoder(spec.encoder, spec.preprocess.frames, spec.seed)
    run = {"spec": spec.model_dump(mode="json"), "joints": None}
    artifact.save(tmp_path / "encoder", encoder, pd.DataFrame({"epoch": [0]}), run)
    return tmp_path / "encoder"
