"""A folder a clip and a `.npy` file a frame, as the MediaPipe tutorials save them: GLOSS/NUMBER/FRAME.npy."""

import re
from collections import defaultdict

import numpy as np

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, parts_of, register
from sslslr.data.readers._numbers import by_numbers
from sslslr.data.readers.npz import plain_array
from sslslr.data.readers.openpose import number_of
from sslslr.utils.errors import UserError

# Other names before a number may be those of samples: a letter of the alphabet is one frame.
NUMBERED = re.compile(r"(frame[_ -]?)?[0-9]{1,18}", re.IGNORECASE)


@register
class Frames(Reader):
    title = "a folder a clip with one .npy a frame (MP_Data: GLOSS/NUMBER/FRAME.npy)"
    why = "folders of .npy files whose names are numbers (or frame_ and a number), each one frame"

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        folders: dict[str, list[str]] = defaultdict(list)
        for name in names:
            folder, stem, ending = parts_of(name)
            if ending == ".npy" and folder and NUMBERED.fullmatch(stem):
                folders[folder].append(name)
        if not folders:
            return []
        first = min(folders)
        try:
            frame = plain_array(members.read(folders[first][0]))
        except (ValueError, EOFError, UserError):
            return []
        if not (frame.ndim == 1 or (frame.ndim == 2 and frame.shape[-1] in (2, 3, 4))):
            return []
        return [
            Unit(folder, tuple(sorted(files, key=lambda name: (number_of(name), name))), "frames")
            for folder, files in sorted(folders.items())
        ]

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        frames = []
        for name in unit.files:
            try:
                frames.append(plain_array(members.read(name)))
            except (ValueError, EOFError) as error:
                raise ClipError(f"{parts_of(name)[1]}.npy: not a sound array ({error})") from None
        if len(shapes := {frame.shape for frame in frames}) > 1:
            raise ClipError(
                f"frames of different shapes ({', '.join(map(str, sorted(shapes, key=str)))})"
            )
        return by_numbers(RawClip(np.stack(frames)), [number_of(name) for name in unit.files])
