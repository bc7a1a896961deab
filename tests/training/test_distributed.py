"""Two processes on the CPU against one: the same losses and the same encoder, for every method."""

import functools

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.data.store import ClipStore, writing
from sslslr.training import distributed
from sslslr.training.pretrain import pretrain
from sslslr.utils.errors import UserError
from sslslr.workflow import grid
from tiny_methods import NAMES, SMALL

pytestmark = pytest.mark.xdist_group("ranks")  # its fixture is made once
# 36 toy clips in batches of 15: the last step has 6, and 15 is odd, so that one rank has a row more.
PRETRAIN = {"epochs": 2, "batch_size": 15, "learning_rate": 1e-3, "accelerator": "cpu"}


def spec_of(method: str, **changes) -> RunSpec:
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {
            "depth": 1,
            "width": 32,
            "heads": 4,
            "dropout": 0.0,
            **changes.get("encoder", {}),
        },
        "preprocess": {"frames": 12},
        "augmentations": {
            "temporal_permutation": [
                {"name": "temporal_permutation"},
                {"name": "gaussian_noise", "std": 0.05, "probability": 0.5},
            ]
        },
        "methods": {method: SMALL.get(method, {})},
        # In double precision, so that what is left is the order of sums and not a looser tolerance.
        "pretrain": {**PRETRAIN, "precision": "64-true", **changes.get("pretrain", {})},
        "runs": [{"methods": [method], "datasets": ["toy"]}],
    }
    return next(iter(grid.runs(parse(StudyConfig, study, "test")).values()))


VARIANTS = {name: {} for name in NAMES} | {
    "sl_fpn as released": {"encoder": {"variant": "as_released"}}
}


def specs() -> dict[str, RunSpec]:
    return {key: spec_of(key.split()[0], **changes) for key, changes in VARIANTS.items()}


def every_method(store, folder, fabric) -> None:
    """Runs in each of two processes, which cost seconds to start, for all methods in turn."""
    clips = ClipStore.open(store)
    for key, spec in specs().items():
        place = (folder / key, folder / f"{key}.ckpt")
        pretrain(spec, clips, *place, "code", fabric=fabric)
    raise UserError("what the processes raise arrives as it was")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("two")


@pytest.fixture(scope="module")
def two(folder):
    """The artifacts of two processes."""
    from toys import toy_clips

    with writing(folder / "toy", {"dataset": "toy", "inputs": {}}) as writer:
        for clip_id, (keypoints, columns) in toy_clips().items():
            writer.add(clip_id, keypoints, **columns)
    work = functools.partial(every_method, folder / "toy", folder / "two")
    with pytest.raises(UserError, match="^what the processes raise arrives as it was$"):
        distributed.launch(work, 2, "cpu", "64-true")
    return folder / "two"


@pytest.mark.parametrize("key", VARIANTS)
def test_two_processes_train_what_one_does(key, two, folder):
    store, spec = ClipStore.open(folder / "toy"), specs()[key]
    pretrain(spec, store, folder / "one" / key, folder / "one.ckpt", "code", say=str)
    alone, shared = (pd.read_csv(folder / n / key / "history.csv") for n in ("one", "two"))
    pd.testing.assert_frame_equal(alone, shared, rtol=1e-6, atol=1e-9)
    assert alone["loss"][2] != alone["loss"][1]
    alone, shared = (load_file(folder / n / key / "encoder.safetensors") for n in ("one", "two"))
    for name, value in alone.items():
        assert value.dtype == torch.float64
        torch.testing.assert_close(shared[name], value, rtol=1e-6, atol=1e-8, msg=name)
