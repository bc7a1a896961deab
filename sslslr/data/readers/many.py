"""Several clips in one pickle, `.json` or `.npz`: a dict by id, a list, the annotations of mmaction.

mmaction2's skeleton pickles hold `annotations`, a list of clips (`frame_dir`, `label`, `img_shape`,
`keypoint`, `keypoint_score`), and `split`, the ids of each split.
"""

from typing import Any

import numpy as np

from sslslr.data.conversion.arrays import MOST_PERSONS
from sslslr.data.readers import RawClip, Reader, Unit, kept, parts_of, register, tensors
from sslslr.data.readers._held import POINTS, SCORES, SHAPES, clip_of, numbered
from sslslr.data.readers._parts import LEFT, RIGHT, has_hands, plain, plain_names
from sslslr.data.readers._unpickle import load
from sslslr.data.readers.one_npz import arrays_of
from sslslr.data.readers.openhands import of_pickle
from sslslr.data.readers.openpose import loaded
from sslslr.utils.errors import UserError
from sslslr.utils.tables import split_name

FEW = 4  # files of one ending that are looked into: of more, each is a clip
LARGEST = 2 << 30  # bytes of a file
ENDINGS = ((".pkl", ".pickle"), (".json",), (".npz",), tensors.ENDINGS)
IDS = ("clip_id", "frame_dir", "name", "id", "video_id", "video", "file", "filename")
LABELS = ("gloss", "label", "sign", "word", "class")
SIGNERS = ("signer", "signer_id", "person")


@register
class Many(Reader):
    title = "several clips in one .pkl, .json, .npz or .pt: a dict by id, a list, mmaction's annotations"
    why = "a file that holds several clips"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        units = []
        for endings in ENDINGS:
            files = [name for name in names if name.lower().endswith(endings)]
            for name in files if len(files) <= FEW else ():
                try:
                    clips = _clips(members, name)
                except UserError:
                    continue  # said when it is read
                units += [
                    Unit(clip_id, (name,), "many", number, columns)
                    for number, (clip_id, _, columns) in enumerate(clips)
                ]
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        content = _clips(members, unit.files[0])[unit.key][1]
        pickled = unit.files[0].lower().endswith(ENDINGS[0])
        return of_pickle(content) if pickled else clip_of(content)


def _clips(members, name: str) -> list[tuple[str, Any, dict[str, str]]]:
    return kept(members, ("many", name), lambda: clips_of(_held(members.read(name, LARGEST), name)))


def _held(data: bytes, name: str) -> Any:
    ending = parts_of(name)[2]
    if ending == ".npz":
        return arrays_of(data)
    if ending in tensors.ENDINGS:
        return tensors.held(data)
    if ending != ".json":
        return load(data)
    return loaded(data)


def clips_of(content: Any) -> list[tuple[str, Any, dict[str, str]]]:
    """Id, content and columns of the clips that a file holds; [] where it is one clip, or none."""
    splits: dict[str, str] = {}
    if isinstance(content, dict) and isinstance(content.get("annotations"), list | tuple):
        splits = _splits(content.get("split"))
        content = content["annotations"]
        if not all(_is_clip(clip) for clip in content):
            return []
    if isinstance(content, dict):
        known = {*POINTS, *SCORES, *SHAPES, *LEFT, *RIGHT}
        if len(content) < 2 or any(plain(str(key)) in known for key in content):
            return []
        if not all(_is_clip(clip) for clip in content.values()):
            return []
        if numbered(content) and all(
            isinstance(v, dict) and _is_frame(v) for v in content.values()
        ):
            return []
        return [(str(key), clip, columns_of(clip)) for key, clip in content.items()]
    if not isinstance(content, list | tuple) or not content:
        return []
    if not all(isinstance(clip, dict) and _is_clip(clip) for clip in content):
        return []
    if all(_is_frame(clip) for clip in content):
        return []
    found, seen = [], set()
    for number, clip in enumerate(content):
        clip_id = next((str(clip[key]) for key in IDS if key in clip), f"clip_{number}")
        if clip_id in seen:
            clip_id = f"{clip_id}_{number}"
        seen.add(clip_id)
        columns = columns_of(clip)
        if clip_id in splits:
            columns["split"] = splits[clip_id]
        found.append((clip_id, clip, columns))
    return found


def _is_clip(value: Any) -> bool:
    """Whether it holds frames of points: an array, or a dict with one or with parts."""
    if isinstance(value, dict):
        value = plain_names(value)
        if has_hands(value):
            return True
        points = next((value[name] for name in POINTS if name in value), None)
        return _axes(points) >= 3
    return _axes(value) >= 3 or (
        _axes(value) == 2 and np.ndim(value[0]) == 1 and len(value[0]) > 40
    )


def _is_frame(clip: dict) -> bool:
    """Whether what looks like a clip is one frame: it says nothing of itself and holds few persons, or parts."""
    if any(key in clip for key in (*IDS, *LABELS)):
        return False
    clip = plain_names(clip)
    points = next((clip[name] for name in (*POINTS, *LEFT) if clip.get(name) is not None), ())
    return _axes(points) < 3 or len(points) <= MOST_PERSONS


def _axes(value: Any) -> int:
    """Number of axes of an array or of nested lists."""
    if isinstance(value, np.ndarray):
        return value.ndim if value.dtype.kind in "iuf" and value.size else 0
    axes = 0
    while isinstance(value, list | tuple) and value:
        axes, value = axes + 1, value[0]
    return axes + (value.ndim if isinstance(value, np.ndarray) else 0)


def columns_of(clip: Any) -> dict[str, str]:
    """Gloss, signer and split that a clip itself states."""
    if not isinstance(clip, dict):
        return {}
    said = {}
    for column, keys in (("gloss", LABELS), ("signer", SIGNERS), ("split", ("split",))):
        value = next((clip[key] for key in keys if key in clip), None)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            value = value.item()
        if isinstance(value, str | int | np.integer) and not isinstance(value, bool):
            said[column] = str(value)
    if "split" in said:
        said["split"] = split_name(said["split"])
    return said


def _splits(content: Any) -> dict[str, str]:
    """Split of each clip, of mmaction's `split`: names of splits to ids."""
    if not isinstance(content, dict):
        return {}
    return {
        str(clip_id): split_name(str(name))
        for name, ids in content.items()
        if isinstance(ids, list | tuple)
        for clip_id in ids
    }
