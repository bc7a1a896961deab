"""Several runs of one method in one program: parameters stacked along a first axis, one slice a run.

A small encoder on a small batch leaves a device idle between kernels. Here one forward and backward
pass serves all runs (`torch.vmap` over `torch.func.functional_call`). Each run keeps a method object
of its own, whose parameters are views into the stack, so that everything outside the step (the views
of its clips, momentum targets, the figures of collapse, the artifact) is the code of a single run.

Runs may differ in seed, learning rate, weight decay, views, and in any option of the method that is
a float and no branch of its program. Each draws what it would draw alone. On CPU that holds for
dropout too: its masks are drawn beforehand, run by run. On a GPU dropout draws over all runs at once,
as it does inside the fused attention: other masks of the same distribution.
"""

import contextlib
import copy
import warnings
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sslslr.batch import Batch
from sslslr.errors import UserError
from sslslr.training.dropout import attention, draw_mask, dropout_call, is_plain
from sslslr.training.fast import Compilation, compile_or_undo
from sslslr.training.ranks import Say

Step = tuple[Batch, Batch, Batch]  # a run's clips and two views of them


class Stack:
    """The stacked parameters and buffers of methods that differ in their numbers alone.

    Args:
        methods: one a run; their parameters and buffers become views into the stack.
        autocast: makes the context of a forward pass (mixed precision), or none.
        same_dropout: draw each run's dropout masks as it would alone.
    """

    def __init__(
        self,
        methods: Sequence[nn.Module],
        autocast: Callable[[], Any] = contextlib.nullcontext,
        same_dropout: bool = True,
    ):
        self.methods, self._autocast, self._same_dropout = list(methods), autocast, same_dropout
        self._program = copy.deepcopy(methods[0])
        learnt = {name: p.requires_grad for name, p in methods[0].named_parameters()}
        kept = [name for name in methods[0].state_dict() if name not in learnt]
        self.parameters = {
            name: self._stacked(name).requires_grad_(learnt[name]) for name in learnt
        }
        self.buffers = {name: self._stacked(name) for name in kept}
        self._options = varied([method.options for method in methods])
        self._step: Callable[..., Any] = self._all_runs
        self._dropouts: dict[int, list[tuple[torch.Size, float]]] = {}  # by clips of a batch

    def _stacked(self, name: str) -> Tensor:
        own = [_tensor(method, name) for method in self.methods]
        stack = torch.stack([tensor.detach() for tensor in own])
        for run, tensor in enumerate(own):
            tensor.data = stack[run]
        return stack

    def state(self) -> dict[str, dict[str, Tensor]]:
        return {"parameters": self.parameters, "buffers": self.buffers}

    @torch.no_grad()
    def load_state(self, state: dict[str, dict[str, Tensor]]) -> None:
        """In place: the runs' methods keep their views."""
        for kind, tensors in self.state().items():
            for name, tensor in tensors.items():
                tensor.copy_(state[kind][name])

    def compile(
        self, device: torch.device, steps: Sequence[Callable[[], Tensor]], say: Say
    ) -> Compilation:
        """Compile the step of all runs, views and dropout masks given; see `compile_encoders`."""
        before = {
            kind: {name: value.detach().clone() for name, value in tensors.items()}
            for kind, tensors in self.state().items()
        }

        def compile_all() -> None:
            self._step = torch.compile(self._all_runs, dynamic=False)

        def undo() -> None:
            self._step = self._all_runs

        found = compile_or_undo(compile_all, undo, device, steps, say)
        self.load_state(before)
        for parameter in self.parameters.values():
            parameter.grad = None
        return found

    def losses(
        self, steps: Sequence[Step], dropout_seeds: Sequence[int]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of each run (runs,), and the terms of each (runs,), of one batch a run.

        Raises:
            UserError: the method draws within its step, which cannot be stacked.
        """
        self._program.train()
        size = len(steps[0][0])
        if size not in self._dropouts:
            self._dropouts[size] = self._find_dropouts(steps[0])
        drawn: list[Tensor] = []
        if self._same_dropout:
            drawn = _masks(self._dropouts[size], dropout_seeds)
        else:
            torch.manual_seed(dropout_seeds[0])
        clips = [
            tuple(torch.stack([getattr(step[i], name) for step in steps]) for name in FIELDS)
            for i in range(3)
        ]

        options = {k: v.to(clips[0][0].device) for k, v in self._options.items()}
        both = {**self.parameters, **self.buffers}
        with warnings.catch_warnings():
            # MoCo's queue is written run by run; vmap says so each time.
            warnings.filterwarnings("ignore", message=".*performance drop")
            return self._step(both, options, clips, drawn)

    def _all_runs(self, state: dict, options: dict, clips: Any, masks: list[Tensor]) -> Any:
        """The losses and terms of a step, from all that it depends on."""
        return torch.vmap(self._one_run, randomness="different")(state, options, clips, masks)

    def _one_run(self, state: dict, options: dict, clips: Any, masks: list[Tensor]) -> Any:
        self._program.options = _Options(self.methods[0].options, options)
        arguments = (*(Batch(*fields) for fields in clips), NO_DRAWS)
        with self._autocast(), _GivenDropout(masks) if self._same_dropout else _MixedNorms():
            loss, terms = torch.func.functional_call(self._program, state, arguments)
        return loss, terms

    def _find_dropouts(self, step: Step) -> list[tuple[torch.Size, float]]:
        """Shape and rate of each dropout of a step, in order; tried on a copy of the first run."""
        trial = copy.deepcopy(self.methods[0]).train()
        watch = _RecordedDropout()
        with torch.random.fork_rng(devices=[]), torch.no_grad(), watch:
            try:
                trial(*step, NO_DRAWS)
            except TypeError as error:
                if "generator" not in str(error).lower():
                    raise
                raise UserError(
                    f"method {trial.name!r} draws within its step; its runs cannot be stacked. Pretrain "
                    "them one by one."
                ) from None
        return watch.found


FIELDS = ("keypoints", "lengths", "present")  # of a batch
NO_DRAWS: Any = SimpleNamespace()  # in the place of a generator: torch refuses it


class _Options:
    """A method's options with some of them replaced by a number of each run."""

    def __init__(self, options: Any, replaced: dict[str, Tensor]):
        self._all, self._replaced = options, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced[name] if name in self._replaced else getattr(self._all, name)


def varied(options: Sequence[Any]) -> dict[str, Tensor]:
    """The options that differ between runs, (runs,) each.

    Raises:
        UserError: one that differs is not a number with a fraction, so it may change the program.
    """
    found = {}
    for name in type(options[0]).model_fields:
        values = [getattr(one, name) for one in options]
        if all(value == values[0] for value in values):
            continue
        if not all(isinstance(value, float) for value in values):
            raise UserError(
                f"option {name!r} has the values {sorted(set(map(str, values)))}; only runs whose options "
                "differ in real numbers can be stacked."
            )
        found[name] = torch.tensor(values)
    return found


def _tensor(method: nn.Module, name: str) -> Tensor:
    owner, _, leaf = name.rpartition(".")
    return getattr(method.get_submodule(owner), leaf)


def _masks(dropouts: list[tuple[torch.Size, float]], seeds: Sequence[int]) -> list[Tensor]:
    """For each dropout (runs, *shape): zeros and 1 / (1 - rate), as a single run draws them on CPU."""
    runs = []
    for seed in seeds:
        torch.manual_seed(seed)  # what a single run does before its forward pass
        runs.append([draw_mask(shape, rate) for shape, rate in dropouts])
    return [torch.stack(masks) for masks in zip(*runs, strict=True)]


class _RecordedDropout(TorchFunctionMode):
    """Notes the dropouts of a program, which runs as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[torch.Size, float]] = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if call := dropout_call(func, args, kwargs or {}):
            self.found.append(call)
        return func(*args, **(kwargs or {}))


class _MixedNorms(TorchFunctionMode):
    """Batch norm of half-precision values, which vmap would give half-precision weights."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is F.batch_norm and args[0].dtype in (torch.bfloat16, torch.float16):
            return func(args[0].float(), *args[1:], **kwargs).to(args[0].dtype)
        return func(*args, **kwargs)


class _GivenDropout(_MixedNorms):
    """Drops what the given masks say, in order; attention in plain products."""

    def __init__(self, masks: Sequence[Tensor]):
        super().__init__()
        self._masks = iter(masks)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        mask = next(self._masks) if dropout_call(func, args, kwargs) else None
        if is_plain(func, args, kwargs):  # vmap would take torch's own run by run on CPU
            return attention(*args, kwargs.get("attn_mask"), mask)
        if mask is not None:
            return args[0] * mask
        return super().__torch_function__(func, types, args, kwargs)
