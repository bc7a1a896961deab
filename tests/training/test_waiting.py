"""Within an epoch nothing reads a value back from the device: a GPU would be waited for.

There is no GPU to wait for here, so what would wait is refused: the operators that bring a number or
a shape that depends on values to the host, and the calls that copy a tensor there.
"""

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sslslr.config.run import RunSpec
from sslslr.config.settings import parse
from sslslr.config.study import StudyConfig
from sslslr.training import loop
from sslslr.training.pretrain import pretrain
from sslslr.workflow import grid
from tiny_methods import NAMES, SMALL

WAITING_OPERATORS = {"_local_scalar_dense", "nonzero", "masked_select", "_unique2", "unique_dim"}
WAITING_CALLS = {torch.Tensor.cpu, torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.item}
VIEWS = [
    {"name": "temporal_permutation"},
    {"name": "temporal_crop", "low": 0.5, "high": 1.0},
    {"name": "rotation", "degrees": 15},
    {"name": "joint_masking", "share": "1/5"},
    {"name": "hand_masking", "share": "1/10"},
]


class Waited(AssertionError):
    """The host asked the device for a value."""


class NoWaitingOperators(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        by_mask = func.overloadpacket.__name__ == "index" and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool for index in args[1]
        )
        if by_mask or func.overloadpacket.__name__ in WAITING_OPERATORS:
            raise Waited(str(func))
        return func(*args, **(kwargs or {}))


class NoWaitingCalls(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in WAITING_CALLS:
            raise Waited(str(func))
        return func(*args, **(kwargs or {}))


@pytest.fixture
def refuse_to_wait(monkeypatch):
    """Refuse it from the start of an epoch to its end, where the losses are read."""
    run, close = loop.train_epoch, loop.close_epoch
    stack = []

    def closing(*arguments) -> None:
        while stack:
            stack.pop().__exit__(None, None, None)
        close(*arguments)

    def running(*arguments) -> None:
        for mode in (NoWaitingOperators(), NoWaitingCalls()):
            mode.__enter__()
            stack.append(mode)
        try:
            run(*arguments)
        finally:
            while stack:
                stack.pop().__exit__(None, None, None)

    monkeypatch.setattr("sslslr.training.pretrain.train_epoch", running)
    monkeypatch.setattr(loop, "close_epoch", closing)


def specs_of(method: str, seeds: tuple[int, ...] = (0,)) -> list[RunSpec]:
    study = {
        "datasets": {"toy": {"source": "synthetic"}},
        "encoder": {"depth": 1, "width": 16, "heads": 2},
        "preprocess": {"frames": 10},
        "methods": {method: SMALL.get(method, {})},
        "augmentations": {"temporal_permutation": VIEWS},
        "pretrain": {"epochs": 1, "batch_size": 16},
        "runs": [{"methods": [method], "datasets": ["toy"], "seeds": list(seeds)}],
    }
    return list(grid.runs(parse(StudyConfig, study, "test")).values())


def train(method: str, store, folder) -> None:
    (spec,) = specs_of(method)
    pretrain(spec, store, folder / "encoder", folder / "run.ckpt", "code", say=str)


@pytest.mark.parametrize("method", NAMES)
def test_no_step_waits_for_the_device(toy_store, tmp_path, method, refuse_to_wait):
    train(method, toy_store, tmp_path)
    assert (tmp_path / "encoder" / "run.json").is_file()


def test_a_step_that_would_wait_is_noticed(toy_store, tmp_path, refuse_to_wait, monkeypatch):
    from sslslr.methods.simclr import Simclr

    for wait in (
        lambda loss: loss.item(),
        lambda loss: bool(loss > 0),
        lambda loss: loss.detach().cpu(),
    ):
        plain = Simclr.forward

        def forward(self, *arguments, plain=plain, wait=wait):
            output = plain(self, *arguments)
            wait(output.loss)
            return output

        with monkeypatch.context() as patch:
            patch.setattr(Simclr, "forward", forward)
            with pytest.raises(Waited):
                train("simclr", toy_store, tmp_path)
