"""Pose backends, one file each; `sslslr/pose/backends/mediapipe.py` is the backend `mediapipe`.

A backend is a class marked `@register` with

    Options                   a pydantic model (`Settings`) of its settings
    default_confidence        joints below it become NaN where the data set's options say nothing
    prepare(options, folder)  static: put what the model needs (weights as safetensors) into
                              `folder` and return what identifies it (model, versions, sha256),
                              written to model.json there
    __init__(options, folder) load the model from a prepared folder
    start()                   a new video begins: forget the person that was followed
    estimate(frames)          frames, a list of (height, width, 3) uint8 RGB arrays of one size, to
                              (frames, 75, 3) float32: x and y normalised by width and height,
                              confidence 0..1; NaN for a joint that was not found
    batch                     frames that `estimate` wants at a time
    several                   frames of the video with several persons, of those that were looked at
                              for that; None, or absent, where it does not look
    ready()                   static: whether all it needs, weights too, is on this machine; may be
                              absent where weights must be named or fetched
    close()                   release the model

The module must import without the model's packages: they are imported when it is used, and where
they are absent `missing` says what to do.
"""

from sslslr.utils.errors import UserError
from sslslr.utils.registry import Registry

BACKENDS = Registry("sslslr.pose.backends", "pose backend")
register = BACKENDS.register


def missing(package: str, error: ImportError, command: str = "make pose") -> UserError:
    """The error for a backend whose packages are not there."""
    return UserError(
        f"the pose backend needs {package}, which cannot be imported here ({error}). "
        f"Install it with `{command}`."
    )


def ready_backend() -> str:
    """The first backend by name that can be used as it is, without naming or fetching weights.

    Raises:
        UserError: there is none.
    """
    for name, kind in BACKENDS.classes().items():
        if getattr(kind, "ready", bool)():
            return name
    raise UserError(
        "no pose backend is ready on this machine. `make pose` installs mediapipe, which brings its "
        "weights; or name a backend and its weights with --backend and --backend-options."
    )
