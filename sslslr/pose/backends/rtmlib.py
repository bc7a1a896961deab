"""rtmlib: RTMPose and RTMW whole-body models as ONNX files, 133 COCO-WholeBody keypoints brought to 75.

Jiang et al., "RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose", 2023. The models are
those of the backend mmpose, without torch and mmcv: `pip install "sslslr[rtmlib]"`. The weights are a
file, or an address with its sha256: an `.onnx`, or OpenMMLab's `.zip` with an `end2end.onnx` in it.
Boxes are found as `_top_down.py` says; the `detector` is an RTMO or a YOLOX file.
"""

import contextlib
import importlib.metadata
import io
import shutil
import zipfile
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sslslr.pose.backends import missing, register
from sslslr.pose.backends._checkpoint import find_weights
from sslslr.pose.backends._top_down import RULE, SHA256, TopDown, TopDownOptions
from sslslr.pose.skeleton import N_WHOLEBODY
from sslslr.pose.tracking import Follower, box_around
from sslslr.utils.errors import UserError, first_line
from sslslr.utils.files import atomic_file, sha256_of

WEIGHTS, DETECTOR_WEIGHTS = "weights.onnx", "detector.onnx"
INNER = "end2end.onnx"  # what OpenMMLab calls the model in its archives
PACKAGES = ("rtmlib", "onnxruntime")


class Options(TopDownOptions):
    weights: str = Field(
        "",
        description="The whole-body model: a file (.onnx, .zip), or an https URL with weights_sha256.",
    )
    weights_sha256: str | None = Field(
        None, pattern=SHA256, description="What the file of weights must have."
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Where the models run; cuda wants onnxruntime-gpu."
    )
    detector: Literal["none", "rtmo", "yolox"] = Field(
        "none", description="Finds the persons, of whom one is followed. none: the videos show one."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.weights:
            raise ValueError(
                "weights is missing: a whole-body model of RTMPose or RTMW, as a file (.onnx, .zip) or as an https "
                """address with weights_sha256, for example --backend-options '{"weights": "rtmw-x.zip"}'"""
            )
        for name in ("weights", "detector_weights"):
            if "://" in (getattr(self, name) or "") and not getattr(self, f"{name}_sha256"):
                raise ValueError(f"{name} is an address; give {name}_sha256, what it must have")
        if (self.detector == "none") == (self.detector_weights is not None):
            raise ValueError("`detector` and `detector_weights` go together")
        self.refuse_unused_box(self.detector)
        return self


def _model(kind: str, file: Path, device: str, **settings: Any) -> Any:
    """rtmlib's model of a file; its input has the size that the file states.

    Raises:
        UserError: rtmlib is not installed, or the file is no model with pictures of a fixed size.
    """
    try:
        import onnxruntime
        import rtmlib
    except ImportError as error:
        raise missing("rtmlib", error, 'pip install "sslslr[rtmlib]"') from None
    if device == "cuda" and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise UserError("device: cuda, but this onnxruntime has no CUDA. Install onnxruntime-gpu.")
    onnxruntime.set_default_logger_severity(3)  # errors
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it loads
            model = getattr(rtmlib, kind)(
                str(file), backend="onnxruntime", device=device, **settings
            )
    except Exception as error:  # onnxruntime's have no base of their own
        raise UserError(
            f"{file}: not an ONNX model ({first_line(error, 200, type(error).__name__)})."
        ) from None
    *_, height, width = (0, 0, *model.session.get_inputs()[0].shape)
    if not (isinstance(height, int) and isinstance(width, int) and min(height, width) > 0):
        raise UserError(f"{file}: its input is no picture of a fixed size.")
    model.model_input_size = (width, height) if kind == "RTMPose" else (height, width)
    return model


def _tried(model: Any, file: Path, option: str, form: str, sound: Any) -> None:
    """Run a model on a grey picture, so that a wrong file is found before the videos are begun."""
    why = ""
    try:
        right = sound(model(np.full((64, 64, 3), 114, np.uint8)))
    except MemoryError:
        raise
    except Exception as error:  # of any kind: another model's output is read as this one's
        right, why = False, f" ({first_line(error, 200, type(error).__name__)})"
    if not right:
        raise UserError(f"{file}: what it gives is not {form}{why}. Name the right `{option}`.")


def _pose_model(file: Path, options: Options) -> Any:
    return _model("RTMPose", file, options.device)


def _detector(file: Path, options: Options) -> Any:
    kind = options.detector.upper()
    return _model(kind, file, options.device, score_thr=options.detector_score)


def _put(source: str, sha256: str | None, folder: Path, option: str, out: str) -> dict[str, str]:
    """Find or fetch a file of weights and put its ONNX model into `folder` as `out`."""
    file = find_weights(source, sha256, folder, option)
    digest = {file.name: sha256_of(file)}
    with atomic_file(folder / out) as temporary, contextlib.ExitStack() as opened:
        if zipfile.is_zipfile(file):
            archive = opened.enter_context(zipfile.ZipFile(file))
            inner = [name for name in archive.namelist() if name.rpartition("/")[2] == INNER]
            if len(inner) != 1:
                raise UserError(f"{file}: {len(inner)} files {INNER} in it, not one.")
            stream = opened.enter_context(archive.open(inner[0]))
        else:
            stream = opened.enter_context(open(file, "rb"))
        shutil.copyfileobj(stream, opened.enter_context(open(temporary, "wb")))
    if file.parent == folder and file.name != out:
        file.unlink()  # fetched: what it holds is kept
    return digest


@register
class RTMLib(TopDown):
    Options = Options

    @staticmethod
    def prepare(options: Options, folder: Path) -> dict[str, Any]:
        digest = _put(options.weights, options.weights_sha256, folder, "weights", WEIGHTS)
        model = _pose_model(folder / WEIGHTS, options)
        form = f"the {N_WHOLEBODY} points of a whole body"
        _tried(
            model,
            Path(options.weights),
            "weights",
            form,
            lambda f: f[0].shape == (1, N_WHOLEBODY, 2),
        )
        description: dict[str, Any] = {
            "model": f"rtmlib {Path(options.weights).stem}",
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "weights_sha256": digest,
        }
        if options.detector != "none":
            source, sha256 = options.detector_weights, options.detector_weights_sha256
            digest = _put(source, sha256, folder, "detector_weights", DETECTOR_WEIGHTS)
            persons = Persons(_detector(folder / DETECTOR_WEIGHTS, options))
            _tried(
                lambda picture: persons([picture])[0],
                Path(source),
                "detector_weights",
                f"what {options.detector} gives",
                lambda found: found.ndim == 2,
            )
            description["detector"] = {
                "model": f"rtmlib {Path(source).stem}",
                "weights_sha256": digest,
                "rule": RULE,
            }
        return description

    def __init__(self, options: Options, folder: Path):
        self.batch = options.batch
        self._model = _pose_model(folder / WEIGHTS, options)
        follower = None
        if options.detector != "none":
            persons = Persons(_detector(folder / DETECTOR_WEIGHTS, options))
            follower = Follower(persons, options.detector_stride, options.detector_score)
        super().__init__(options.box == "follow", follower)

    def _infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        # The models were trained on RGB, and rtmlib's means are in that order; it exchanges no
        # channels itself, although its examples pass OpenCV's BGR (its issue 48).
        found = [
            self._model(frame, [box])
            for frame, box in zip(frames, np.broadcast_to(boxes, (len(frames), 4)), strict=True)
        ]
        return np.stack([np.dstack([points, scores])[0] for points, scores in found]).astype(
            np.float32
        )

    def close(self) -> None:
        del self._model, self._follower


class Persons:
    """A detector of rtmlib as `Follower` wants it: frames to (persons, 5) boxes with their score."""

    def __init__(self, model: Any):
        self._model = model

    def __call__(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        return [self._found(np.ascontiguousarray(frame[..., ::-1])) for frame in frames]  # BGR

    def _found(self, picture: np.ndarray) -> np.ndarray:
        found = self._model(picture)
        if isinstance(found, tuple):  # RTMO: points (persons, 17, 2), all at (0, 0) for nobody
            height, width = picture.shape[:2]
            sure = np.ones(found[0].shape[1], dtype=bool)
            boxes = [box_around(points, sure, width, height) for points in found[0]]
            found = [box for box in boxes if box is not None]
        boxes = np.asarray(found, dtype=np.float32).reshape(-1, 4)  # surer than detector_score
        return np.column_stack([boxes, np.ones(len(boxes), np.float32)])
