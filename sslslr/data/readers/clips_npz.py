"""`clips.npz`: all clips of a set in one file, with a table beside it."""

from sslslr.data.readers import RawClip, Reader, Unit, kept, register
from sslslr.data.readers.npz import NpzClips


@register
class ClipsNpz(Reader):
    title = "clips.npz: all clips in one file (xy, offsets, clip_id), with instances.csv"
    why = "an npz of xy, offsets and clip_id"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        if "clips.npz" not in names or not members.path.is_dir():
            return []
        clips = NpzClips(members.path / "clips.npz")
        return [
            Unit(clip_id, ("clips.npz",), "clips_npz", number)
            for number, clip_id in enumerate(clips.ids)
        ]

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        """The clip; quick where clips are asked for in their order, since the file is a stream."""
        place, clips = kept(members, "clips.npz", lambda: [0, None])
        if clips is None or unit.key < place:
            place, clips = 0, NpzClips(members.path / "clips.npz").read()
        for _ in range(unit.key - place):
            next(clips)
        frames = next(clips)
        kept(members, "clips.npz", list)[:] = [unit.key + 1, clips]
        return RawClip(frames)
