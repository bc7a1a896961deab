"""RTMO, a one-stage model of several persons, as the detector of top-down models.

Lu et al., "RTMO: Towards High-Performance One-Stage Real-Time Multi-Person Pose Estimation", CVPR
2024. It ships with mmpose and runs without mmdet; of what it finds only boxes and scores are used.
"""

from pathlib import Path
from typing import Any

import numpy as np

_SITE = "https://download.openmmlab.com/mmpose/v1/projects/rtmo/"
# Configuration within mmpose's wheel, and where OpenMMLab publishes the weights.
DETECTORS = {
    "rtmo-t": (
        "rtmo-t_8xb32-600e_body7-416x416.py",
        f"{_SITE}rtmo-t_8xb32-600e_body7-416x416-f48f75cb_20231219.pth",
    ),
    "rtmo-s": (
        "rtmo-s_8xb32-600e_body7-640x640.py",
        f"{_SITE}rtmo-s_8xb32-600e_body7-640x640-dac2bf74_20231211.pth",
    ),
    "rtmo-m": (
        "rtmo-m_16xb16-600e_body7-640x640.py",
        f"{_SITE}rtmo-m_16xb16-600e_body7-640x640-39e78cc4_20231211.pth",
    ),
    "rtmo-l": (
        "rtmo-l_16xb16-600e_body7-640x640.py",
        f"{_SITE}rtmo-l_16xb16-600e_body7-640x640-b37118ce_20231211.pth",
    ),
}
CANDIDATES = 300  # best-scored cells that compete for the persons; bounds the time of a bad frame


def build_detector(name: str) -> tuple[Any, Any]:
    """The model without weights, and its preprocessing of a frame.

    Raises:
        UserError: mmpose is not installed.
    """
    from sslslr.pose.backends._mmpose_import import import_mmpose

    mmpose = import_mmpose()
    from mmengine.config import Config
    from mmengine.dataset import Compose
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import init_default_scope
    from mmpose.models.builder import build_pose_estimator

    configs = Path(mmpose.__file__).parent / ".mim/configs"
    config = Config.fromfile(configs / "body_2d_keypoint/rtmo/body7" / DETECTORS[name][0])
    model = config.model
    model.backbone.pop("init_cfg", None)  # would download the backbone's weights
    model.train_cfg = None
    model.test_cfg.nms_pre = CANDIDATES
    # The losses are built though never used, and look for this file from the working folder.
    keypoints = str(configs / "_base_/datasets/coco.py")
    model.head.assigner.oks_calculator.metainfo = model.head.loss_oks.metainfo = keypoints
    init_default_scope("mmpose")
    built = revert_sync_batchnorm(build_pose_estimator(model)).eval()
    return built, Compose(config.test_dataloader.dataset.pipeline)


class Detector:
    """Persons in pictures.

    Args:
        name: one of `DETECTORS`.
        state: its weights by name.
        device: where it runs, as torch names it.
    """

    def __init__(self, name: str, state: dict[str, Any], device: str):
        self._model, self._pipeline = build_detector(name)
        self._model.load_state_dict(state)
        self._model.to(device)

    def persons(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """(persons, 5) float32 a frame: x0, y0, x1, y1 in pixels and the score, best first.

        Args:
            frames: (height, width, 3) uint8 RGB arrays of one size.
        """
        import torch
        from mmengine.dataset import pseudo_collate

        samples = [
            self._pipeline({"img": np.ascontiguousarray(frame[..., ::-1]), "id": i, "img_id": i})
            for i, frame in enumerate(frames)  # mmpose reads BGR
        ]
        with torch.inference_mode():
            results = self._model.test_step(pseudo_collate(samples))
        people = [result.pred_instances for result in results]
        return [
            np.column_stack([found.bboxes.reshape(-1, 4), found.bbox_scores]).astype(np.float32)
            for found in people
        ]
