"""MediaPipe Holistic: body 33 and hands 21 + 21, with the weights that its wheel carries.

Lugaresi et al., "MediaPipe: A Framework for Building Perception Pipelines", 2019; Zhang et al.,
"MediaPipe Hands", 2020; Bazarevsky et al., "BlazePose", 2020. One person, followed by MediaPipe
itself from frame to frame. A body joint's confidence is its visibility; a hand is found as a whole
(confidence 1) or not at all. CPU only, frame by frame.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from sslslr.config.settings import Settings
from sslslr.pose.backends import missing, register
from sslslr.pose.backends._native_log import errors_only
from sslslr.pose.skeleton import BODY, LEFT_HAND, N_JOINTS, RIGHT_HAND
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of

# What Holistic loads at complexity 1; complexities 0 and 2 are not in the wheel.
WEIGHTS = (
    "pose_detection/pose_detection.tflite",
    "pose_landmark/pose_landmark_full.tflite",
    "hand_landmark/hand_landmark_full.tflite",
    "holistic_landmark/hand_recrop.tflite",
)


class Options(Settings):
    min_detection_confidence: float = Field(
        0.5, ge=0, le=1, description="Below it nobody is found in a first frame (MediaPipe's 0.5)."
    )
    min_tracking_confidence: float = Field(
        0.5, ge=0, le=1, description="Below it the person is looked for anew (MediaPipe's 0.5)."
    )
    smooth_landmarks: bool = Field(
        True, description="MediaPipe's own smoothing of the body over time (its default)."
    )


def _import() -> Any:
    os.environ.setdefault("GLOG_minloglevel", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        import mediapipe
    except ImportError as error:
        raise missing("mediapipe", error) from None
    if not hasattr(mediapipe, "solutions"):
        version = importlib.metadata.version("mediapipe")
        raise UserError(f"mediapipe {version} has no Holistic. Install 0.10.21 with `make pose`.")
    return mediapipe


@register
class MediaPipe:
    Options = Options
    default_confidence = 0.5
    batch = 8

    @staticmethod
    def ready() -> bool:
        return importlib.util.find_spec("mediapipe") is not None

    @staticmethod
    def prepare(options: Options, folder: Path) -> dict[str, Any]:
        mediapipe = _import()
        modules = Path(mediapipe.__file__).parent / "modules"
        return {
            "model": "MediaPipe Holistic, model_complexity 1",
            "versions": {"mediapipe": importlib.metadata.version("mediapipe")},
            "weights_sha256": {Path(name).name: sha256_of(modules / name) for name in WEIGHTS},
        }

    def __init__(self, options: Options, folder: Path):
        with contextlib.ExitStack() as quiet:  # from the import on, which writes too
            quiet.enter_context(errors_only())
            self._holistic = self._made(options)
            self._quiet = quiet.pop_all()
        self._fresh = True

    @staticmethod
    def _made(options: Options) -> Any:
        mediapipe = _import()
        try:
            return mediapipe.solutions.holistic.Holistic(
                static_image_mode=False, model_complexity=1, **options.model_dump()
            )
        except (AttributeError, TypeError) as error:
            found = [
                f"{name} {importlib.metadata.version(name)}" for name in ("mediapipe", "protobuf")
            ]
            raise UserError(
                f'{found[0]} does not go with {found[1]} ({error}). Mend it: pip install "protobuf<5"'
            ) from None

    def start(self) -> None:
        if not self._fresh:
            self._holistic.reset()
        self._fresh = True

    def estimate(self, frames: list[np.ndarray]) -> np.ndarray:
        self._fresh = False
        out = np.full((len(frames), N_JOINTS, 3), np.nan, dtype=np.float32)
        for joints, frame in zip(out, frames, strict=True):
            found = self._holistic.process(frame)
            if found.pose_landmarks:
                joints[BODY] = [(p.x, p.y, p.visibility) for p in found.pose_landmarks.landmark]
            hands = (found.left_hand_landmarks, LEFT_HAND), (found.right_hand_landmarks, RIGHT_HAND)
            for hand, where in hands:
                if hand:
                    joints[where] = [(p.x, p.y, 1.0) for p in hand.landmark]
        return out

    def close(self) -> None:
        self._holistic.close()
        self._quiet.close()
