"""Lightning Fabric: one process, or several (ranks) on one step with the gradients of a single one.

What a step costs is the encoder. So the clips are shared out where it is called, and nowhere else:
every rank draws the same views of the whole batch, encodes its part, gathers the features of all
ranks, and computes projector, batch norm and loss over the whole batch. Negatives, correlations and
batch statistics are thereby those of the whole batch, whatever the method, and a method need not
know of it. The price is a projector computed once a rank, a percent or two of a step.

Gradients: each rank holds the whole loss L. Gathering adds up the gradients that all ranks have for
a rank's features, which is the number of ranks times that of L; it survives DDP's mean over ranks as
the sum over all clips. Projectors get the same gradient on every rank, and the mean is that.

Not the same as on one device is dropout: each rank draws masks of its own for its clips.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sslslr.encoders._base import Encoder
from sslslr.training.stop import Stopped
from sslslr.utils.errors import UserError


def make_fabric(accelerator: str, devices: int, precision: str) -> Any:
    """A `lightning_fabric.Fabric`; several devices need its `launch`."""
    from lightning_fabric import Fabric  # here: it imports torch's compiler
    from lightning_fabric.plugins.environments import LightningEnvironment
    from lightning_fabric.strategies import DDPStrategy

    # Buffers are the same on all ranks already; fresh processes, for CUDA does not survive a fork.
    ddp = DDPStrategy(start_method="spawn", forward_sync_buffers=False)
    return Fabric(
        accelerator=accelerator,
        devices=devices,
        precision=precision,
        strategy=ddp if devices > 1 else "auto",
        # Named, or Fabric would find Slurm's variables and expect that srun had started the ranks.
        plugins=[LightningEnvironment()],
    )


def launch(work: Callable[[Any], None], devices: int, accelerator: str, precision: str) -> None:
    """Call `work(fabric)` in each of several processes and wait for them.

    Args:
        work: picklable. Its `UserError` or `Stopped` must be that of all ranks.

    Raises:
        UserError, Stopped: what the first rank raised.
    """
    error = make_fabric(accelerator, devices, precision).launch(_error_of, work)
    if error is not None:
        raise error


def _error_of(fabric: Any, work: Callable[[Any], None]) -> Exception | None:
    """Run `work`; what is for the user to read is returned, as Fabric hands back the first rank's."""
    try:
        work(fabric)
    except (UserError, Stopped) as error:
        return error
    return None


class Ranks:
    """Which of how many processes this one is. Alone, all of it does nothing."""

    def __init__(self, fabric: Any):
        self.rank, self.world, self._fabric = fabric.global_rank, fabric.world_size, fabric
        # Beside the GPUs' own channel one for the hosts: a host that asks the others need not wait
        # for its GPU.
        self._hosts = torch.distributed.new_group(backend="gloo") if self.world > 1 else None

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
        return self._fabric.all_gather(part.contiguous(), sync_grads=True).flatten(0, 1)[:n]

    def share_out(self, module: nn.Module) -> None:
        """Let every encoder within `module` encode a part of the clips that it is called with."""
        if self.world == 1:
            return
        for encoder in module.modules():
            own = [part for part in encoder.modules() if isinstance(part, Encoder)]
            if own == [encoder]:  # one of several encoders shares out among them
                for name in {"forward", "tokens"} & set(dir(encoder)):
                    # On the instance, not in a wrapper, which would rename all of its parameters.
                    setattr(encoder, name, self._shared(encoder, getattr(encoder, name)))

    def _shared(self, encoder: nn.Module, encode: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def shared(keypoints: Tensor, lengths: Tensor, generator: Any = None) -> Tensor:
            noise = {}
            if hasattr(encoder, "draw_noise"):  # for the whole batch, as on one device
                drawn = encoder.draw_noise(len(keypoints), keypoints.device, generator)
                noise["noise"] = self.own(drawn)
            part = encode(self.own(keypoints), self.own(lengths), generator, **noise)
            return self.whole(part, len(keypoints))

        return shared
