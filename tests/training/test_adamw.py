"""Our AdamW against torch's own: the same bytes, and the one takes up the other's state."""

import copy

import pytest
import torch
from torch import nn

from sslslr.training.adamw import AdamW

RATES = {"lr": 3e-3, "weight_decay": 0.05}


def network() -> nn.Module:
    torch.manual_seed(0)
    used = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 2))
    return nn.ModuleDict({"used": used, "at times": nn.Linear(3, 3)})


def descend(model: nn.Module, optimizer, steps: range) -> None:
    for number in steps:
        draws = torch.Generator().manual_seed(number)
        loss = model["used"](torch.randn(16, 7, generator=draws)).square().mean()
        if number % 2:
            loss = loss + model["at times"](torch.randn(4, 3, generator=draws)).sum()
        optimizer.param_groups[0]["lr"] = RATES["lr"] / (1 + number)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def groups(model: nn.Module) -> list[dict]:
    return [
        {"params": list(model["used"].parameters()), "rate": 1.0},
        {"params": list(model["at times"].parameters()), "weight_decay": 0.0, "lr": 1e-2},
    ]


def assert_same(a: nn.Module, b: nn.Module) -> None:
    for (name, one), other in zip(a.named_parameters(), b.parameters(), strict=True):
        assert torch.equal(one, other), name


@pytest.mark.parametrize("of", [lambda model: model.parameters(), groups], ids=["plain", "groups"])
def test_the_bytes_are_those_of_torch(of):
    ours, theirs = network(), network()
    descend(ours, AdamW(of(ours), **RATES), range(9))
    descend(theirs, torch.optim.AdamW(of(theirs), **RATES, fused=True), range(9))
    assert_same(ours, theirs)
    assert not torch.equal(ours["used"][0].weight, network()["used"][0].weight)


@pytest.mark.parametrize("first", ["ours", "torch's"])
def test_one_takes_up_where_the_other_left_off(first):
    def kinds(model) -> list:
        ours = AdamW(groups(model), **RATES)
        theirs = torch.optim.AdamW(groups(model), **RATES, fused=True)
        return [ours, theirs] if first == "ours" else [theirs, ours]

    whole, cut = network(), network()
    descend(whole, kinds(whole)[0], range(8))
    before, after = kinds(cut)
    descend(cut, before, range(5))
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    assert after.param_groups[0]["rate"] == 1.0
    descend(cut, after, range(5, 8))
    assert_same(whole, cut)


def test_a_state_that_was_taken_up_is_not_shared():
    """A checkpoint that is kept in memory must not move with the run."""
    model = network()
    optimizer = AdamW(model.parameters(), **RATES)
    descend(model, optimizer, range(2))
    saved = copy.deepcopy(optimizer.state_dict())
    kept = copy.deepcopy(saved)
    other = AdamW(model.parameters(), **RATES)
    other.load_state_dict(saved)
    descend(model, other, range(2, 4))
    for number, state in kept["state"].items():
        for key, value in state.items():
            assert torch.equal(saved["state"][number][key], value)


def test_a_state_of_other_groups_is_refused():
    model = network()
    with pytest.raises(ValueError, match=r"groups of \[4, 2\] parameters"):
        AdamW(model.parameters()).load_state_dict(AdamW(groups(model)).state_dict())
