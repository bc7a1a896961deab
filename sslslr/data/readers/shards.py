"""Shards of `sign-language-data-loading` (WebDataset tars): KEY.pose.left_hand.npy and so on, KEY.label.*."""

import io
import json
import tarfile

from sslslr.data.readers import ClipError, RawClip, Reader, Unit, kept, register, split_in
from sslslr.data.readers._held import clip_of
from sslslr.data.readers.npz import plain_array
from sslslr.utils.errors import UserError

BODIES = ("upper_pose", "pose", "body")
HANDS = ("left_hand", "right_hand")
LABELS = ("label", "gloss", "sign", "lemma", "cls")
SIGNERS = ("signer", "signer_id")
LARGEST = 4 << 30


@register
class Shards(Reader):
    title = "shards of sign-language-data-loading (tar: KEY.pose.left_hand.npy, KEY.label.txt)"
    why = "tars with KEY.pose.PART.npy"
    together = True

    @classmethod
    def gather(cls, members, names) -> list[Unit]:
        units = []
        loose: dict[str, list[str]] = {}
        for name in names:
            if ".pose." in name.rpartition("/")[2] and name.endswith(".npy"):
                loose.setdefault(name.partition(".pose.")[0], []).append(name)
        keys = {key.partition(".")[0] for key in loose}
        labels = [name for name in names if name.partition(".")[0] in keys]
        for key, files in loose.items():  # a shard that is itself what was opened
            around = [n for n in labels if n.startswith(f"{key}.")]
            parts = {n[len(key) + 1 :]: members.read(n) for n in around if not n.endswith(".npy")}
            units.append(
                Unit(
                    key.rpartition("/")[2],
                    tuple(around or files),
                    "shards",
                    key,
                    _columns(parts, key),
                )
            )
        for name in names:
            if name.lower().endswith(".tar"):
                for key, parts in _shard(members, name).items():
                    if any(part.startswith("pose.") for part in parts):
                        units.append(Unit(key, (name,), "shards", None, _columns(parts, name)))
        return units

    @classmethod
    def read_unit(cls, members, unit: Unit) -> RawClip:
        if unit.key is None:
            parts = _shard(members, unit.files[0])[unit.name]
        else:
            parts = {n[len(unit.key) + 1 :]: members.read(n) for n in unit.files}
        try:
            held = {
                part.removeprefix("pose.").removesuffix(".npy"): plain_array(data)
                for part, data in parts.items()
                if part.startswith("pose.") and part.endswith(".npy")
            }
        except (ValueError, EOFError) as error:
            raise ClipError(f"not a sound .npy in it ({error})") from None
        if not all(hand in held for hand in HANDS):
            raise ClipError(f"no pose.left_hand and pose.right_hand among {', '.join(held)}")
        body = next((held[name] for name in BODIES if name in held), None)
        return clip_of(
            {**{hand: held[hand] for hand in HANDS}, **({} if body is None else {"pose": body})}
        )


def _columns(parts: dict[str, bytes], name: str) -> dict[str, str]:
    said: dict[str, str] = {}
    flat: dict[str, str] = {}
    for part, data in parts.items():
        stem, _, ending = part.rpartition(".")
        try:
            if ending == "json":
                value = json.loads(data)
                if isinstance(value, dict):
                    flat.update({k: str(v) for k, v in value.items() if isinstance(v, str | int)})
                else:
                    flat[stem] = str(value)
            elif ending in ("txt", "cls", *LABELS):
                flat[stem or ending] = data.decode("utf-8").strip()
        except (ValueError, RecursionError):
            continue
    for column, keys in (("gloss", LABELS), ("signer", SIGNERS)):
        value = next((flat[key] for key in keys if flat.get(key)), None)
        if value:
            said[column] = value
    return {**said, **split_in(name)}


def _shard(members, name: str) -> dict[str, dict[str, bytes]]:
    """KEY to its parts; {} for a tar of other things."""

    def read() -> dict[str, dict[str, bytes]]:
        out: dict[str, dict[str, bytes]] = {}
        try:
            with tarfile.open(fileobj=io.BytesIO(members.read(name, LARGEST))) as tar:
                for info in tar:
                    if info.isreg() and (stream := tar.extractfile(info)) is not None:
                        stem, _, part = info.name.rpartition("/")[2].partition(".")
                        out.setdefault(stem, {})[part] = stream.read(64 << 20)
        except (tarfile.TarError, UserError, OSError, EOFError):
            return {}
        return out

    return kept(members, name, read)
