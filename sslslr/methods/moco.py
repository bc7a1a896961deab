"""MoCo v2: each view must find its twin among the keys of many past batches.

He et al., "Momentum Contrast", CVPR 2020, and Chen et al., "Improved Baselines with Momentum
Contrastive Learning", 2020. With q the query (one view through the network), k+ the key (the other
view through a slow copy of it) and k_1 ... k_K the queue of earlier keys, all of unit length:

    L = -log( exp(q.k+ / T) / (exp(q.k+ / T) + sum over j of exp(q.k_j / T)) )

What keeps it from collapsing: the negatives in the queue. Were all keys equal, L = log(K + 1).

But moving all clips together, away from where the queue's old keys lie, lowers L for a while too: with
a high learning rate and no warm-up the spread of z falls at first, and on the toy clips of the tests
(3e-3, 90 steps) does not recover.

The authors' queue begins with random vectors, to flee from in the same way; here its places do not
count until they are filled (on the toy clips at 1e-3, after 3 epochs three times the spread). A queue
longer than the data set holds a clip's own older keys among its negatives, so choose K below it.
There is no batch norm here, hence nothing for the authors' "shuffling BN" to hide.

    method = Moco(encoder, Moco.Options(queue=1024))
    loss, terms = method(clip, view_a, view_b, generator)
    ...; optimizer.step(); method.after_step(progress)
"""

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, full, full_precision, mlp
from sslslr.methods._momentum import follow, slow_copy


@full_precision
def info_nce(
    query: Tensor, key: Tensor, queue: Tensor, filled: Tensor, temperature: float
) -> Tensor:
    """Cross entropy (scalar) of finding each query's key (N, d) among it and the queue (K, d).

    Queries and keys are scaled to unit length here, the queue holds unit vectors already.

    Args:
        filled: bool (K,), the places of the queue that count; none makes the loss 0.
    """
    query, key = F.normalize(query, dim=1), F.normalize(key, dim=1)
    positive = (query * key).sum(dim=1, keepdim=True)  # (N, 1)
    negative = (query @ queue.T).masked_fill(~filled, float("-inf"))  # (N, K)
    logits = torch.cat([positive, negative], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device))


@register
class Moco(Method):
    """Contrastive learning whose number of negatives does not depend on the batch size."""

    title = "MoCo v2"
    line = (1, 1)
    unit_length = True

    class Options(Settings):
        temperature: float = Field(0.2, gt=0, description="T of the loss (MoCo v2).")
        momentum: float = Field(
            0.99,
            ge=0,
            le=1,
            description="Of the key network. The paper's 0.999 is for a million steps; with some thousand "
            "the keys would lag behind for most of the training (0.99 costs the paper one point).",
        )
        queue: int = Field(
            4096, ge=1, description="Keys kept (paper: 65,536 of 1.3 million); less than the clips."
        )
        projector_hidden: int = Field(
            512, ge=1, description="Hidden width of the projector; the encoder's, as in MoCo v2."
        )
        projection: int = Field(128, ge=2, description="Width of queries and keys (paper).")

    queue: Tensor
    enqueued: Tensor

    @staticmethod
    def concern(options: Options, clips: int) -> str:
        if options.queue < clips:
            return ""
        return (
            f"the queue holds {options.queue} keys and there are {clips} clips, so a clip's own earlier "
            f"keys are among its negatives; set `queue` below {clips}"
        )

    def __init__(self, encoder: Encoder, options: "Moco.Options"):
        super().__init__(encoder, options)
        self.projector = mlp(encoder.width, options.projector_hidden, options.projection)
        self.key_encoder, self.key_projector = slow_copy(encoder), slow_copy(self.projector)
        # Buffers, so that a checkpoint holds them and a resumed run meets the same negatives.
        self.register_buffer("queue", torch.zeros(options.queue, options.projection))
        self.register_buffer("enqueued", torch.zeros((), dtype=torch.long))  # keys, ever

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        query = self.projector(self.encoder(view_a.keypoints, view_a.lengths, generator))
        with torch.no_grad():
            key = full(
                self.key_projector(self.key_encoder(view_b.keypoints, view_b.lengths, generator))
            )
        filled = torch.arange(len(self.queue), device=key.device) < self.enqueued
        # A clone: the queue moves on before the backward pass reads what the queries met.
        loss = info_nce(query, key, self.queue.clone(), filled, self.options.temperature)
        if self.training:
            self.enqueue(F.normalize(key, dim=1))
        return MethodOutput(loss, {"contrast": loss.detach()})

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Put unit-length keys (N, d) in the place of the oldest; of too many, the newest stay."""
        size = len(self.queue)
        keys = keys[-size:]
        # The count stays on the device: reading it would wait for the device at each step.
        places = (self.enqueued + torch.arange(len(keys), device=keys.device)) % size
        self.queue.index_copy_(0, places, keys)
        self.enqueued += len(keys)

    def after_step(self, progress: float) -> None:
        follow(self.key_encoder, self.encoder, self.options.momentum)
        follow(self.key_projector, self.projector, self.options.momentum)
