"""The encoders, one file each (`encoder.variant` names the file), and the artifact that keeps one.

An encoder is a torch module marked `@register`, with

    Options                                a pydantic model of its settings, the keys of `encoder:`
    __init__(options, frames)              frames: T of the clips
    width                                  of the features
    forward(keypoints, lengths, generator) features (B, width) of keypoints (B, T, 75, 2)

and where it has tokens, `tokens(...)`, (B, T / frames_per_token, token_width). Only an encoder that draws noise
in evaluation reads `generator`.
"""

from sslslr.utils.registry import Registry

ENCODERS = Registry("sslslr.encoders", "encoder")
register = ENCODERS.register
