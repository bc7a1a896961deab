"""`clips.npz`: all clips of a set in one file, with a table beside it; known by its arrays, not by its name."""

import zipfile

from sslslr.data.readers import RawClip, Reader, Unit, kept, register
from sslslr.data.readers.npz import NpzClips
from sslslr.utils.archives import DAMAGED
from sslslr.utils.errors import UserError

SET = {"xy.npy", "offsets.npy", "clip_id.npy"}
FEW = 3  # .npz files that are looked into: of more, each is a clip


@register
class ClipsNpz(Reader):
    title = "clips.npz: all clips in one file (xy, offsets, clip_id), with instances.csv"
    why = "an npz of xy, offsets and clip_id"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        packed = [name for name in names if name.lower().endswith(".npz")]
        units: list[Unit] = []
        for name in packed if len(packed) <= FEW else ():
            if not _holds_a_set(members, name):
                continue
            if not members.path.is_dir():
                raise UserError(f"{members.path}: unpack it first: {name} is read in a folder.")
            clips = NpzClips(members.path / name)
            units += [
                Unit(clip_id, (name,), "clips_npz", number)
                for number, clip_id in enumerate(clips.ids)
            ]
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        """The clip; quick where clips are asked for in their order, since the file is a stream."""
        name = unit.files[0]
        place, clips = kept(members, name, lambda: [0, None])
        if clips is None or unit.key < place:
            place, clips = 0, NpzClips(members.path / name).read()
        for _ in range(unit.key - place):
            next(clips)
        frames = next(clips)
        kept(members, name, list)[:] = [unit.key + 1, clips]
        return RawClip(frames)


def _holds_a_set(members, name: str) -> bool:
    """Whether an npz holds all clips of a set; one of its name that is damaged says what is wrong with it."""
    try:
        with members.stream(name) as stream, zipfile.ZipFile(stream) as archive:
            return name == "clips.npz" or set(archive.namelist()) >= SET
    except (*DAMAGED, RuntimeError, UserError):
        return name == "clips.npz"
