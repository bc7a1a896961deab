"""`.pose` files (pose-format, versions 0.0 to 0.2): the points are known by their names in the header.

MediaPipe Holistic whole or reduced, without legs, normalised; OpenPose; COCO-WholeBody. Where several
persons were found, the signer is chosen as for every format.
"""

import struct

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, register
from sslslr.pose.layouts import of_components
from sslslr.utils.errors import UserError, first_line

VERSIONS = (0.0, 0.1, 0.2)


@register
class PoseFormat(Reader):
    endings = (".pose",)
    title = ".pose by the points' names: MediaPipe Holistic (reduced, normalised), OpenPose, COCO-WholeBody"

    @classmethod
    def recognise(cls, name: str, head: bytes) -> str:
        if len(head) < 12:
            return ""
        version = round(struct.unpack("<f", head[:4])[0], 4)
        if version not in VERSIONS:
            return ""
        named = name.lower().endswith(".pose")
        if version == 0.0 and not named:  # four zero bytes begin many files
            return ""
        return (
            f"begins with version {version:g} of pose-format"
            if named or head[10:13].isascii()
            else ""
        )

    @classmethod
    def read(cls, data: bytes, name: str) -> RawClip:
        try:
            return _read(data)
        except UserError:
            raise
        except Exception as error:  # a damaged file fails in many ways in the library
            raise ClipError(
                f"not a sound .pose file ({type(error).__name__}: {first_line(error)})"
            ) from None


def _read(data: bytes) -> RawClip:
    from pose_format import Pose

    pose = Pose.read(data)
    header, body = pose.header, pose.body
    components = tuple((part.name, tuple(part.points)) for part in header.components)
    try:
        layout = of_components(components, "of the header")
    except UserError as error:
        raise ClipError(str(error)) from None
    # Of COCO-WholeBody and OpenPose the third number of a format is no depth.
    points = np.ma.getdata(body.data)[..., :2].astype(np.float32)
    points[np.ma.getmaskarray(body.data)[..., :2].any(axis=-1)] = np.nan
    size = (float(header.dimensions.width), float(header.dimensions.height))
    sound = min(size) > 0
    return RawClip(
        points,
        layout=layout,
        score=np.asarray(body.confidence, dtype=np.float32),
        visibility=any("LANDMARKS" in name for name, _ in components),
        size=size if sound else None,
        unit="pixels" if sound else None,
        fps=float(body.fps),
    )
