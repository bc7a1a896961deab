"""Masked units: hide stretches of time, and predict which unit each hidden frame was.

After SHuBERT (Gueuwou et al., arXiv 2411.16765), which is HuBERT (Hsu et al., TASLP 2021) for signing.
Each hand and the body is a stream of its own. A frame of a stream is described by its pose and its
motion, and k-means over the frames of the pretraining clips makes `clusters` units of each stream. Then
spans of frames are hidden, and each stream's unit is predicted from the tokens of the hidden frames:

    L = mean of -log p(unit) over the hidden frames and the streams that they show

    pose    of a hand: joints relative to the wrist; of the body: its joints
    motion  x_t - x_(t-1) of all joints of the stream; zero where one of the two frames lacks it

Pose and motion are each divided by their root mean square, so that both count. What differs from SHuBERT:
it describes hands and face by DINOv2 features of the picture and hides streams one by one; here there are
keypoints alone, and a hidden frame is hidden in all streams (as zero, like a frame without hands; an
encoder that fills gaps then interpolates over them).

It uses the un-augmented clip and ignores both views, as `masked_keypoints` does.

What keeps it from collapsing: the targets are data. A constant encoder predicts the commonest units alone.

    method = MaskedUnits(encoder, MaskedUnits.Options())
    method.prepare(clips)  # k-means: the same clips give the same units
    loss, terms = method(clip, view_a, view_b, generator)
"""

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from sslslr.config.settings import Settings
from sslslr.data.batch import Batch
from sslslr.encoders._base import Encoder
from sslslr.methods import register
from sslslr.methods._base import Method, MethodOutput, full_precision
from sslslr.methods.masked_keypoints import by_frame, draw_hidden, need_tokens
from sslslr.pose.skeleton import BODY, PARTS
from sslslr.utils.errors import UserError

STREAMS = tuple(PARTS)
MOST_FRAMES = 20_000  # that k-means is fitted on
SMALLEST = 1e-6


def describe(clips: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Pose (B, T, p), motion (B, T, m) and bool (B, T), whether it is shown, of each stream."""
    inside, seen = clips.frame_mask(), clips.hands_seen()
    body = inside & clips.present[:, None, BODY].any(dim=2)
    found = []
    for number, part in enumerate(STREAMS):
        joints = clips.keypoints[:, :, PARTS[part]]
        shown = body if part == "body" else seen[:, :, number] & inside
        pose = joints if part == "body" else joints[:, :, 1:] - joints[:, :, :1]
        moved = torch.zeros_like(joints)
        both = (shown[:, 1:] & shown[:, :-1])[..., None, None]
        moved[:, 1:] = (joints[:, 1:] - joints[:, :-1]) * both
        found.append((pose.flatten(2), moved.flatten(2), shown))
    return found


@full_precision
def nearest(features: Tensor, centroids: Tensor) -> Tensor:
    """int64 (...): the nearest centroid (K, d) of each feature (..., d), by squared distance."""
    products = features @ centroids.T
    return (centroids.square().sum(dim=1) - 2 * products).argmin(dim=-1)


@full_precision
def hidden_cross_entropy(logits: Tensor, units: Tensor, hidden: Tensor) -> Tensor:
    """Mean cross-entropy of logits (..., K) with units (...) where hidden (...); 0 if nothing is."""
    losses = F.cross_entropy(logits.flatten(0, -2), units.flatten(), reduction="none")
    # Multiplying keeps the shapes fixed: picking the hidden ones would wait for their number.
    return (losses * hidden.flatten()).sum() / hidden.sum().clamp_min(1)


def k_means(features: Tensor, clusters: int) -> Tensor:
    """Centroids (clusters, d) of (n, d); the same features give the same ones."""
    from sklearn.cluster import KMeans  # here: it takes a second to import
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # several threads add up in the order that they end in
        fitted = KMeans(clusters, n_init=1, random_state=0).fit(features.double().cpu().numpy())
    return torch.from_numpy(fitted.cluster_centers_).to(features)


@register
class MaskedUnits(Method):
    """Predictive: learns from one clip at a time, with neither pairs nor augmentation."""

    title = "masked units"
    line = (4, 1)
    encoder_settings: ClassVar[dict[str, Any]] = {"pooling": {"class_token": "mean"}}

    class Options(Settings):
        clusters: int = Field(100, ge=2, le=5000, description="Units of each stream.")
        mask_share: float = Field(
            0.5, gt=0, lt=1, description="Share of the frames that are hidden."
        )
        span: int = Field(
            5, ge=1, description="Frames in a hidden span; 1/6 of 30, too far to interpolate over."
        )
        motion: float = Field(
            1.0, ge=0, description="Weight of motion beside pose in the units; 0: pose alone."
        )

    def __init__(self, encoder: Encoder, options: "MaskedUnits.Options"):
        need_tokens("masked_units", encoder)
        super().__init__(encoder, options)
        self.prepared = False
        for part in STREAMS:
            where = PARTS[part]
            joints = where.stop - where.start
            width = 2 * (joints if part == "body" else joints - 1) + 2 * joints
            self.register_buffer(f"{part}_centroids", torch.zeros(options.clusters, width))
            self.register_buffer(f"{part}_scales", torch.ones(2))
        outputs = encoder.frames_per_token * len(STREAMS) * options.clusters
        self.head = nn.Linear(encoder.token_width, outputs)

    @torch.no_grad()
    def prepare(self, clips: Batch) -> None:
        """Fit the units of each stream that the clips show, on frames from all over them.

        Raises:
            UserError: a stream has fewer frames than units are asked for, or no clip shows any.
        """
        counts = {}
        for part, (pose, motion, shown) in zip(STREAMS, describe(clips), strict=True):
            total = counts[part] = int(shown.sum())
            if not total:
                continue
            if total < self.options.clusters:
                raise UserError(
                    f"methods: masked_units asks for {self.options.clusters} units (`clusters`), but the "
                    f"{part.replace('_', ' ')} is shown in {total} frames of the pretraining clips."
                )
            n = min(total, MOST_FRAMES)
            rows = (torch.arange(n) * total // n).to(shown.device)
            pose, motion = pose[shown][rows], motion[shown][rows]
            scales = torch.stack([pose.square().mean().sqrt(), motion.square().mean().sqrt()])
            getattr(self, f"{part}_scales").copy_(scales.clamp_min(SMALLEST))
            features = self._features(part, pose, motion)
            getattr(self, f"{part}_centroids").copy_(k_means(features, self.options.clusters))
        if not any(counts.values()):
            raise UserError("methods: masked_units: no pretraining clip shows a hand or a body.")
        self.prepared = True

    def kept(self) -> dict[str, Tensor]:
        """Centroids and scales: a unit's number means nothing without them."""
        return dict(self.named_buffers(recurse=False))

    def units(self, clips: Batch) -> tuple[Tensor, Tensor]:
        """int64 (B, T, 3), the unit of each frame and stream, and bool, whether the frame shows it."""
        units, showing = [], []
        for part, (pose, motion, shown) in zip(STREAMS, describe(clips), strict=True):
            units.append(
                nearest(self._features(part, pose, motion), getattr(self, f"{part}_centroids"))
            )
            showing.append(shown)
        return torch.stack(units, dim=2), torch.stack(showing, dim=2)

    def _features(self, part: str, pose: Tensor, motion: Tensor) -> Tensor:
        first, second = getattr(self, f"{part}_scales")
        return torch.cat([pose / first, self.options.motion * motion / second], dim=-1)

    def forward(
        self, clip: Batch, view_a: Batch, view_b: Batch, generator: Generator
    ) -> MethodOutput:
        if not self.prepared:
            raise RuntimeError("masked_units: call `prepare` with the pretraining clips first")
        options, frames = self.options, clip.keypoints.shape[1]
        hidden = draw_hidden(clip, 0.0, options.mask_share, options.span, generator).any(dim=2)
        units, shown = self.units(clip)
        seen = clip.keypoints * ~hidden[..., None, None]
        tokens = self.encoder.tokens(seen, clip.lengths, generator)
        decoded = by_frame(self.head(tokens), self.encoder, frames)
        logits = decoded.unflatten(2, (len(STREAMS), options.clusters))  # (B, T, 3, K)
        asked = hidden[..., None] & shown
        loss = hidden_cross_entropy(logits, units, asked)
        right = (logits.argmax(dim=3) == units) & asked
        accuracy = right.sum() / asked.sum().clamp_min(1)
        return MethodOutput(loss, {"cross_entropy": loss.detach(), "accuracy": accuracy})
