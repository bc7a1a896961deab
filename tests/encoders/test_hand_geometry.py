"""`hand_geometry` is the paper's transformer with other settings, and nothing else."""

import torch

from sslslr.config.study import EncoderConfig
from sslslr.encoders.build import build_encoder

SETTINGS = {
    "depth": 2, "width": 96, "heads": 4, "dropout": 0, "standardise": True, "pooling": "mean_max_deviation",
    "inputs": [
        "hand_shape", "hand_motion", "wrist_motion", "joint_angles", "bones", "fingertip_distances", "palm",
        "presence", "wrist_place", "between_hands",
    ],
}  # fmt: skip


def test_hand_geometry_gives_the_features_of_the_transformer_with_its_settings():
    draws = torch.Generator().manual_seed(0)
    keypoints, lengths = torch.rand(3, 9, 75, 2, generator=draws), torch.tensor([9, 5, 1])
    named, spelt = (
        build_encoder(config, 9, seed=3).eval()
        for config in (
            EncoderConfig(variant="hand_geometry"),
            EncoderConfig(variant="transformer", **SETTINGS),
        )
    )
    assert named.width == 3 * 96
    assert torch.equal(named(keypoints, lengths), spelt(keypoints, lengths))
    small = build_encoder(
        EncoderConfig(variant="hand_geometry", width=48, inputs=["position"]), 9, seed=3
    )
    assert small.width == 3 * 48
