"""An encoder from its settings.

encoder = build_encoder(EncoderConfig(depth=2, width=128, heads=4), frames=30, seed=0)
features = encoder(batch.keypoints, batch.lengths)
"""

from typing import Any

import torch

from sslslr.config.settings import parse
from sslslr.config.study import EncoderConfig
from sslslr.encoders import ENCODERS
from sslslr.encoders._base import Encoder


def encoder_options(config: EncoderConfig, where: str = "encoder", most: int | None = None) -> Any:
    """The settings of an encoder, checked by the encoder's own `Options`.

    Args:
        most: of the lines that say what is wrong; None: all.

    Raises:
        UserError: an encoder or a setting that there is not, with its place.
    """
    return parse(ENCODERS.get(config.variant).Options, config.options, where, most)


def build_encoder(config: EncoderConfig, frames: int, seed: int) -> Encoder:
    """An encoder with weights drawn from `seed`; the global generator is left as it was."""
    options = encoder_options(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ENCODERS.get(config.variant)(options, frames)
