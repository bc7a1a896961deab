"""mmpose: RTMPose and RTMW whole-body models, 133 COCO-WholeBody keypoints brought to 75 joints.

Jiang et al., "RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose", 2023; Jiang, Xie,
Li. "RTMW: Real-Time Multi-Person 2D and 3D Whole-body Pose Estimation", 2024.

They are top-down (`_top_down.py` says how the box is found); the `detector` is RTMO (`_rtmo.py`).
"""

import importlib.metadata
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sslslr.pose.backends import register
from sslslr.pose.backends._checkpoint import find_weights, load_state, read_state
from sslslr.pose.backends._rtmo import DETECTORS, Detector, build_detector
from sslslr.pose.backends._top_down import RULE, SHA256, TopDown, TopDownOptions
from sslslr.pose.tracking import Follower
from sslslr.utils.files import atomic_file, sha256_of

_SITE = "https://download.openmmlab.com/mmpose/v1/projects/"
_COCO, _COCKTAIL = "rtmpose/coco-wholebody/", "rtmpose/cocktail14/"
# Configuration within mmpose's wheel, and where OpenMMLab publishes the weights.
MODELS = {
    "rtmpose-m": (
        f"{_COCO}rtmpose-m_8xb64-270e_coco-wholebody-256x192.py",
        f"{_SITE}rtmposev1/rtmpose-m_simcc-coco-wholebody_pt-aic-coco_270e-256x192-cd5e845c_20230123.pth",
    ),
    "rtmpose-l": (
        f"{_COCO}rtmpose-l_8xb64-270e_coco-wholebody-256x192.py",
        f"{_SITE}rtmposev1/rtmpose-l_simcc-coco-wholebody_pt-aic-coco_270e-256x192-6f206314_20230124.pth",
    ),
    "rtmw-m": (
        f"{_COCKTAIL}rtmw-m_8xb1024-270e_cocktail14-256x192.py",
        f"{_SITE}rtmw/rtmw-dw-l-m_simcc-cocktail14_270e-256x192-20231122.pth",
    ),
    "rtmw-l": (
        f"{_COCKTAIL}rtmw-l_8xb1024-270e_cocktail14-256x192.py",
        f"{_SITE}rtmw/rtmw-dw-x-l_simcc-cocktail14_270e-256x192-20231122.pth",
    ),
    "rtmw-x": (
        f"{_COCKTAIL}rtmw-x_8xb704-270e_cocktail14-256x192.py",
        f"{_SITE}rtmw/rtmw-x_simcc-cocktail14_pt-ucoco_270e-256x192-13a2546d_20231208.pth",
    ),
}
WEIGHTS, DETECTOR_WEIGHTS = "weights.safetensors", "detector.safetensors"
PACKAGES = ("mmpose", "mmengine", "mmcv-lite", "torch", "opencv-python")


class Options(TopDownOptions):
    model: Literal["rtmpose-m", "rtmpose-l", "rtmw-m", "rtmw-l", "rtmw-x"] = Field(
        "rtmw-l", description="Whole-body model; all read 256 x 192 pixels. -l is RTMW's balance."
    )
    weights: str | None = Field(
        None, description="A file (.pth, .safetensors) or an https URL; null: OpenMMLab's."
    )
    weights_sha256: str | None = Field(
        None,
        pattern=SHA256,
        description="What the file of weights must have; null: the digits in its name, if any.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where the model runs.")
    flip_test: bool = Field(
        False, description="Also estimate the mirrored picture and take the mean: twice the time."
    )
    detector: Literal["none", "rtmo-t", "rtmo-s", "rtmo-m", "rtmo-l"] = Field(
        "none", description="Finds the persons, of whom one is followed. none: the videos show one."
    )

    @model_validator(mode="after")
    def _detector_is_used(self) -> Self:
        named = self.model_fields_set - {"detector"}
        unused = sorted(name for name in named if name.startswith("detector_"))
        if self.detector == "none" and unused:
            raise ValueError(f"{unused[0]} is given, but `detector` is none; name the detector")
        self.refuse_unused_box(self.detector)
        return self


def _config(options: Options) -> Any:
    from sslslr.pose.backends._mmpose_import import import_mmpose

    mmpose = import_mmpose()
    from mmengine.config import Config

    folder = Path(mmpose.__file__).parent / ".mim/configs/wholebody_2d_keypoint"
    config = Config.fromfile(folder / MODELS[options.model][0])
    config.model.backbone["_scope_"] = "mmpose"  # RTMPose's configurations name mmdet's
    config.model.backbone.pop("init_cfg", None)  # would download the backbone's weights
    config.model.train_cfg = None
    config.model.test_cfg.flip_test = options.flip_test
    return config


def build_model(options: Options) -> tuple[Any, Any, dict[str, Any]]:
    """The model without weights, its preprocessing of a frame, and the keypoints' metadata.

    Raises:
        UserError: mmpose is not installed.
    """
    config = _config(options)
    from mmengine.dataset import Compose
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import init_default_scope
    from mmpose.datasets.datasets.utils import parse_pose_metainfo
    from mmpose.models.builder import build_pose_estimator

    init_default_scope("mmpose")
    model = revert_sync_batchnorm(build_pose_estimator(config.model)).eval()
    import mmpose

    keypoints = Path(mmpose.__file__).parent / ".mim/configs/_base_/datasets/coco_wholebody.py"
    metadata = parse_pose_metainfo({"from_file": str(keypoints)})
    return model, Compose(config.test_dataloader.dataset.pipeline), metadata


@register
class MMPose(TopDown):
    Options = Options

    @staticmethod
    def prepare(options: Options, folder: Path) -> dict[str, Any]:
        from safetensors.torch import save_file

        def kept(model: Any, source: str, sha256: str | None, prefix: str, out: str) -> dict:
            file = find_weights(source, sha256, folder, f"{prefix}weights")
            load_state(model, read_state(file), file, prefix.rstrip("_") or "model")
            with atomic_file(folder / out) as temporary:
                save_file(model.state_dict(), temporary)
            digest = {file.name: sha256_of(file)}
            if file.parent == folder and file.name != out:
                file.unlink()  # the safetensors beside it are what is used
            return digest

        model, _, _ = build_model(options)
        source = options.weights or MODELS[options.model][1]
        description: dict[str, Any] = {
            "model": f"mmpose {options.model}",
            "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
            "weights_sha256": kept(model, source, options.weights_sha256, "", WEIGHTS),
        }
        if options.detector != "none":
            model, _ = build_detector(options.detector)
            source = options.detector_weights or DETECTORS[options.detector][1]
            sha256 = options.detector_weights_sha256
            description["detector"] = {
                "model": f"mmpose {options.detector}",
                "weights_sha256": kept(model, source, sha256, "detector_", DETECTOR_WEIGHTS),
                "rule": RULE,
            }
        return description

    def __init__(self, options: Options, folder: Path):
        import torch
        from safetensors.torch import load_file

        self.batch = options.batch
        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model, self._pipeline, self._metadata = build_model(options)
        self._model.load_state_dict(load_file(folder / WEIGHTS))
        self._model.to(device)
        follower = None
        if options.detector != "none":
            detector = Detector(options.detector, load_file(folder / DETECTOR_WEIGHTS), device)
            follower = Follower(detector.persons, options.detector_stride, options.detector_score)
        super().__init__(options.box == "follow", follower)

    def _infer(self, frames: list[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        import torch
        from mmengine.dataset import pseudo_collate

        samples = [
            self._pipeline(
                {
                    "img": np.ascontiguousarray(frame[..., ::-1]),  # mmpose reads BGR
                    "bbox": box[None].astype(np.float32),
                    "bbox_score": np.ones(1, dtype=np.float32),
                    **self._metadata,
                }
            )
            for frame, box in zip(frames, np.broadcast_to(boxes, (len(frames), 4)), strict=True)
        ]
        with torch.inference_mode():
            results = self._model.test_step(pseudo_collate(samples))
        people = [result.pred_instances for result in results]
        return np.stack(
            [np.dstack([person.keypoints, person.keypoint_scores])[0] for person in people]
        ).astype(np.float32)

    def close(self) -> None:
        del self._model, self._follower
