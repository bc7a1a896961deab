"""AdamW by torch's fused kernel, without `torch.optim`, whose first use imports torch's compiler.

That import is 1.5 s of a job that may train for two (docs/performance.md). The kernel, its results to
the last bit and the layout of the state are torch's, so that either takes up the other's state
(tests/training/test_adamw.py). Whether a checkpoint may be resumed at all, its fingerprint decides.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# What torch's own groups hold beside rate and decay, for its load_state_dict.
AS_TORCH = {
    "betas": (0.9, 0.999),
    "eps": 1e-8,
    "amsgrad": False,
    "foreach": None,
    "maximize": False,
    "capturable": False,
    "differentiable": False,
    "fused": True,
    "decoupled_weight_decay": True,
}


class AdamW:
    """Decoupled weight decay (Loshchilov and Hutter, ICLR 2019) with betas 0.9 and 0.999, eps 1e-8.

    Args:
        params: parameters of one device, or groups `{"params": [...], "lr": ..., "weight_decay": ...}`;
            what else a group holds is kept with it.
        lr, weight_decay: of a group that states none; the defaults are torch's.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | list[dict[str, Any]],
        lr: float = 1e-3,
        weight_decay: float = 1e-2,
    ):
        given = list(params)
        groups = given if given and isinstance(given[0], dict) else [{"params": given}]
        rates = {"lr": lr, "weight_decay": weight_decay}
        self.param_groups = [AS_TORCH | rates | g | {"params": list(g["params"])} for g in groups]
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def _all(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def step(self) -> None:
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            for p in moved:
                if p not in self.state:
                    self.state[p] = {
                        "step": torch.zeros((), dtype=torch.float32, device=p.device),
                        "exp_avg": torch.zeros_like(p),
                        "exp_avg_sq": torch.zeros_like(p),
                    }
            states = [self.state[p] for p in moved]
            steps = [state["step"] for state in states]
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                moved,
                [p.grad for p in moved],
                [state["exp_avg"] for state in states],
                [state["exp_avg_sq"] for state in states],
                [],
                steps,
                lr=group["lr"],
                beta1=group["betas"][0],
                beta2=group["betas"][1],
                weight_decay=group["weight_decay"],
                eps=group["eps"],
                amsgrad=False,
                maximize=False,
            )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients (`set_to_none` is there for torch's signature, and always true)."""
        for p in self._all():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """As torch's: parameters are numbers, in the order of the groups."""
        number = {p: i for i, p in enumerate(self._all())}
        groups = [
            {key: value for key, value in group.items() if key != "params"}
            | {"params": [number[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {
            "state": {number[p]: state for p, state in self.state.items()},
            "param_groups": groups,
        }

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` of this class, or of torch's fused AdamW, gave.

        Raises:
            ValueError: the groups have other numbers of parameters.
        """
        sizes = [len(group["params"]) for group in state["param_groups"]]
        if sizes != [len(group["params"]) for group in self.param_groups]:
            raise ValueError(f"the state is of an optimiser with groups of {sizes} parameters")
        params = self._all()
        for group, saved in zip(self.param_groups, state["param_groups"], strict=True):
            group |= {key: value for key, value in saved.items() if key != "params"}
        self.state = {
            params[i]: {key: value.clone().to(params[i].device) for key, value in one.items()}
            for i, one in state["state"].items()
        }
