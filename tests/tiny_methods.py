"""Methods small enough for a test: 36 toy clips, an encoder of one block and width 32."""

import torch

from sslslr.augment import compose
from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig
from sslslr.data.batch import Batch
from sslslr.encoders.build import build_encoder
from sslslr.methods import METHODS
from sslslr.methods._base import Method, MethodOutput
from toys import random_batch

# Those that pretrain.
NAMES = [name for name in METHODS.names() if METHODS.get(name).pretrains]
# Widths to match; all else is as it is by default.
SMALL = {
    "barlow_twins": {"projector": [32, 32]},
    "byol": {"projector_hidden": 64, "projection": 16, "predictor_hidden": 64},
    "masked_units": {"clusters": 8},
    "moco": {"queue": 24, "projection": 16},
    "sigreg": {"projector": [32, 16], "slices": 32},
    "simclr": {"projection": 16},
    "simsiam": {"projector_hidden": 64, "projection": 32, "predictor_hidden": 16},
    "sl_fpn_rate": {"projector_hidden": 64, "projection": 16},
    "sl_fpn_vc": {"projector_hidden": 64, "projection": 32, "w_p": 25},
    "vicreg": {"expander": [64, 32]},
    "visreg": {"projector": [32, 16], "slices": 32, "w_shape": 0.05},  # 12 clips a batch are few
}


def build(name: str, **options) -> Method:
    """The method, with `options` over those of SMALL; without dropout, weights from seed 0."""
    method_class = METHODS.get(name)
    pooling = "mean" if "pooling" in method_class.encoder_settings else "class_token"
    config = EncoderConfig(depth=1, width=32, heads=4, dropout=0.0, pooling=pooling)
    torch.manual_seed(0)
    chosen = parse(method_class.Options, {**SMALL.get(name, {}), **options}, name)
    method = method_class(build_encoder(config, 12, 0), chosen)
    method.prepare(random_batch(clips=20, frames=12))
    return method


def unlike_views(clips: int = 8) -> tuple[Batch, Batch, Batch]:
    """Random clips and two views of them that no mix-up of the three could go unnoticed with."""
    clip = random_batch(clips=clips, frames=12)
    a, b = (clip.with_keypoints(scale * clip.keypoints) for scale in (1.5, 0.5))
    return clip, a, b


def step(method: Method) -> MethodOutput:
    """The output of one step on random clips of different lengths."""
    clip = random_batch(clips=8, frames=12)
    view = compose([{"name": "temporal_permutation"}])
    draws = torch.Generator().manual_seed(0)
    return method(clip, view(clip, draws), view(clip, draws), draws)
