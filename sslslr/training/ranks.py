"""Several processes (ranks), one a GPU, on one step, with the loss and gradients of a single one.

What a step costs is the encoder. So the clips are shared out where it is called, and nowhere else:
every rank draws the same views of the whole batch, encodes its part, gathers the features of all
ranks, and computes projector, batch norm and loss over the whole batch. Negatives, correlations and
batch statistics are thereby those of the whole batch, whatever the method, and a method need not
know of it. The price is a projector computed once a rank, a percent or two of a step.

Gradients: each rank holds the whole loss L, so the gradient of L by the features that it encoded
itself is complete; multiplied by the number of ranks, it survives DDP's mean over ranks as the sum
over all clips. Projectors get the same gradient on every rank, and the mean is that.

Not the same as on one device is dropout: each rank draws masks of its own for its clips.
"""

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sslslr.encoder import ENCODERS
from sslslr.errors import UserError
from sslslr.training import on_cpu
from sslslr.training.stop import Stopped

Say = Callable[[str], None]
Progress = Callable[[int, int], None]


class Ranks:
    """Which of how many processes this one is. Alone, all of it does nothing."""

    def __init__(self, rank: int = 0, world: int = 1):
        self.rank, self.world = rank, world
        # Beside the GPUs' own channel one for the hosts: a host that asks the others need not wait
        # for its GPU.
        self._hosts = torch.distributed.new_group(backend="gloo") if world > 1 else None

    def any(self, value: bool) -> bool:
        """True on every rank if it is on one of them: all of them stop at the same step."""
        if self.world == 1:
            return value
        flag = torch.tensor(int(value))
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX, group=self._hosts)
        return bool(flag)

    def own(self, rows: Tensor) -> Tensor:
        """This rank's part of (N, ...), ceil(N / world) rows; the last row is repeated to fill up."""
        each = -(-len(rows) // self.world)
        first = self.rank * each
        index = torch.arange(first, first + each, device=rows.device).clamp(max=len(rows) - 1)
        return rows[index]

    def whole(self, part: Tensor, n: int) -> Tensor:
        """(n, ...) of all ranks from this rank's part; gradients flow back to the part."""
        return _Gather.apply(part, self)[:n]

    def share_out(self, module: nn.Module) -> None:
        """Let every encoder within `module` encode a part of the clips that it is called with."""
        if self.world == 1:
            return
        for encoder in module.modules():
            if isinstance(encoder, tuple(ENCODERS.values())):
                for name in {"forward", "tokens"} & set(dir(encoder)):
                    # On the instance, not in a wrapper, which would rename all of its parameters.
                    setattr(encoder, name, self._shared(encoder, getattr(encoder, name)))

    def _shared(self, encoder: nn.Module, encode: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def shared(keypoints: Tensor, lengths: Tensor, generator: Any = None) -> Tensor:
            drawn = {}
            if hasattr(encoder, "draw_noise"):  # for the whole batch, as on one device
                noise = encoder.draw_noise(len(keypoints), keypoints.device, generator)
                drawn["noise"] = self.own(noise)
            part = encode(self.own(keypoints), self.own(lengths), generator, **drawn)
            return self.whole(part, len(keypoints))

        return shared


class _Gather(torch.autograd.Function):
    """Concatenate the parts of all ranks; back goes the own part's gradient, times the ranks."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, ranks: Ranks) -> Tensor:
        ctx.ranks, ctx.size = ranks, len(part)
        parts = [torch.empty_like(part) for _ in range(ranks.world)]
        torch.distributed.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        first = ctx.ranks.rank * ctx.size
        return gradient[first : first + ctx.size] * ctx.ranks.world, None


def launch(
    work: Callable[..., None],
    devices: int,
    accelerator: str,
    precision: str,
    say: Say,
    progress: Progress | None,
) -> None:
    """Call `work(fabric, ranks, say, progress)` in each of `devices` processes and wait for them.

    `work` must be picklable where there are several. Rank 0 speaks for all: what it says and its
    progress arrive here, and so does what it raises.
    """
    if on_cpu.suffices(accelerator, devices, precision):
        work(on_cpu.OnCpu(), Ranks(), say, progress)
        return
    from lightning_fabric import Fabric  # here: it imports torch's compiler
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    settings = {"accelerator": accelerator, "devices": devices, "precision": precision}
    # Named, or Fabric would find Slurm's variables and expect that srun had started the ranks.
    settings["plugins"] = [LightningEnvironment()]
    if devices == 1:
        work(Fabric(**settings), Ranks(), say, progress)
        return
    # Buffers are the same on all ranks already; fresh processes, for CUDA does not survive a fork.
    strategy = DDPStrategy(start_method="spawn", forward_sync_buffers=False)
    channel = torch.multiprocessing.get_context("spawn").SimpleQueue()
    raised: list[Exception] = []
    listener = threading.Thread(
        target=_listen, args=(channel, say, progress, raised.append), daemon=True
    )
    listener.start()
    try:
        Fabric(strategy=strategy, **settings).launch(_rank, work, channel)
    except Exception:
        _hang_up(channel, listener)
        if not raised:  # else one rank's reason, and this is another one that missed it
            raise
    _hang_up(channel, listener)
    if raised:
        raise raised[0]


def _hang_up(channel: Any, listener: threading.Thread) -> None:
    channel.put(None)
    listener.join(timeout=10)


def _rank(fabric: Any, work: Callable[..., None], channel: Any) -> None:
    """One rank: what it says, and what it raises for the user to read, goes to the parent."""
    first = fabric.global_rank == 0
    say = (lambda text: channel.put(("say", text))) if first else (lambda text: None)
    progress = (lambda *counts: channel.put(("progress", counts))) if first else None
    try:
        work(fabric, Ranks(fabric.global_rank, fabric.world_size), say, progress)
    except (UserError, Stopped) as error:
        channel.put(("raise", error))


def _listen(channel: Any, say: Say, progress: Progress | None, raised: Callable) -> None:
    while (message := channel.get()) is not None:
        kind, value = message
        if kind == "say":
            say(value)
        elif kind == "raise":
            raised(value)
        elif progress is not None:
            progress(*value)
