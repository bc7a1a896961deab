"""LSFB-ISOL's own folders: pose/, left_hand/ and right_hand/, in each one `.npy` a clip of the same name."""

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, parts_of, register
from sslslr.data.readers._held import clip_of
from sslslr.data.readers._parts import BODY, LEFT, RIGHT, plain
from sslslr.data.readers.npz import plain_array

PARTS = ("pose", "left_hand", "right_hand")
NAMES = {
    **dict.fromkeys(BODY, "pose"), **dict.fromkeys(LEFT, "left_hand"), **dict.fromkeys(RIGHT, "right_hand"),
}  # fmt: skip
SIGNS = ("left", "right")  # folders of such names are rather those of glosses
USUAL = (
    *PARTS,
    "upper_pose",
)  # beside other names both hands' folders must be there: "body" may be a sign


@register
class Lsfb(Reader):
    title = "LSFB's folders: pose/, left_hand/ and right_hand/ with one .npy a clip in each"
    why = "folders pose, left_hand and right_hand with files of the same names"
    cut_already = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        clips: dict[tuple[str, str], dict[str, str]] = {}
        for name in names:
            folder, stem, ending = parts_of(name)
            outer, _, part = folder.rpartition("/")
            part = NAMES.get(plain(part), "") if part.lower() not in SIGNS else ""
            if ending == ".npy" and part:
                clips.setdefault((outer, stem), {})[part] = name
        hands: dict[str, set[str]] = {}
        for (folder, _), files in clips.items():
            hands.setdefault(folder, set()).update(part for part in files if part != "pose")
        units = []
        for (folder, stem), files in sorted(clips.items()):
            usual = all(parts_of(name)[0].rpartition("/")[2] in USUAL for name in files.values())
            if {"left_hand", "right_hand"} & set(files) and (usual or len(hands[folder]) == 2):
                parts = tuple(part for part in PARTS if part in files)
                name = f"{folder}/{stem}" if folder else stem
                units.append(Unit(name, tuple(files[part] for part in parts), "lsfb", parts))
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        if absent := [part for part in PARTS if part not in unit.key]:
            raise ClipError(f"its file in {absent[0]}/ is missing")
        try:
            held = {
                part: plain_array(members.read(name))
                for part, name in zip(unit.key, unit.files, strict=True)
            }
        except (ValueError, EOFError) as error:
            raise ClipError(f"not a sound .npy file ({error})") from None
        return clip_of(held)
