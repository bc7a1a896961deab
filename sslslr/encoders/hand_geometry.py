"""The paper's transformer, made small, that is told the shape of the hands."""

from pydantic import Field

from sslslr.encoders import register
from sslslr.encoders._base import Depth, Dropout, Heads, Width
from sslslr.encoders._readout import Pooling
from sslslr.encoders.inputs._base import InputNames
from sslslr.encoders.transformer import PoseTransformer


@register
class HandGeometry(PoseTransformer):
    """`transformer` with other defaults: those that gave the most in `docs/study/encoder_cpu`.

    A frame's token is made of the hands' angles, bones, distances and movement for the joints' positions;
    the features are mean, maximum and deviation over time for the class token.
    """

    class Options(PoseTransformer.Options):
        depth: Depth = 2
        width: Width = 96
        heads: Heads = 4
        dropout: Dropout = 0
        inputs: InputNames = Field(
            [
                "hand_shape", "hand_motion", "wrist_motion", "joint_angles", "bones",
                "fingertip_distances", "palm", "presence", "wrist_place", "between_hands",
            ],
            description="What a frame's token is made of.",
        )  # fmt: skip
        standardise: bool = Field(
            True, description="Inputs by the mean and deviation of the pretraining clips."
        )
        pooling: Pooling = Field(
            "mean_max_deviation", description="Read-out: class_token or one of the frames' tokens."
        )
