"""A pool: the training clips of several data sets of a study, of one language or several, to pretrain on.

Only training clips are in it, and none of them that equals a validation or test clip of a member. It is
no target: it has nothing to be scored on. A clip is called MEMBER:CLIP and its signer MEMBER:SIGNER, for
two sets may use one name for two persons; a gloss keeps its name, and its language tells whose it is.

Joints that one member lacks are masked in all of them (`joints: common`): otherwise what an encoder
learns first is which set a clip is from. What was masked, and each member's share, is in the card.
"""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BeforeValidator, Field

from sslslr.config.settings import Name, Settings, Share
from sslslr.data.datasets import Dataset, register
from sslslr.data.store import CLIPS, KEYPOINTS, ClipStore, content_digest
from sslslr.data.writer import ClipWriter
from sslslr.pose.skeleton import PARTS
from sslslr.utils.errors import UserError
from sslslr.utils.seeds import generator


def _shares(members: Any) -> Any:
    """A list of names is all of each."""
    if not isinstance(members, list):
        return members
    if not all(isinstance(name, str) for name in members):
        raise ValueError("must name data sets: [asl, libras], or {asl: 1, libras: 1/2}")
    if twice := [name for name in members if members.count(name) > 1]:
        raise ValueError(f"names {twice[0]} twice")
    return dict.fromkeys(members, 1)


class PoolOptions(Settings):
    members: Annotated[dict[Name, Share], BeforeValidator(_shares)] = Field(
        min_length=1,
        description="Data sets of the study, or each with the share of its training clips that is drawn. Of a "
        "share of 0 nothing is drawn; its validation and test clips are kept out all the same.",
    )
    joints: Literal["common", "all"] = Field(
        "common",
        description="common: joints that one member lacks are masked in all. all: each keeps its own.",
    )


@register
class Pool(Dataset):
    Options = PoolOptions
    hashes_inputs = True
    card = {  # noqa: RUF012
        "languages": [],
        "licence": "not stated",
        "citation": "",
        "origin": "A pool of data sets.",
        "split_rule": "the members' training clips, nothing else",
    }

    @staticmethod
    def members(options: PoolOptions) -> dict[str, float]:
        return {name: float(share) for name, share in options.members.items()}

    @staticmethod
    def build(options: PoolOptions, raw: Path | None, writer: ClipWriter) -> None:
        stores = {name: _store(raw, name) for name in options.members}
        writer.card["inputs"] = {
            f"{name}/{file}": store.card["sha256"][file]
            for name, store in stores.items()
            for file in (KEYPOINTS, CLIPS)
            if store.data_hash  # which compares the files with these sums
        }
        present = {
            name: store.joints_present() for name, store in stores.items() if options.members[name]
        }
        if not present:
            raise UserError(
                f"{writer.path}: every member has the share 0, so nothing is in the pool."
            )
        used = np.logical_and.reduce(list(present.values()))
        if options.joints == "all":
            used = np.ones_like(used)
        elif not any(used[PARTS[hand]].any() for hand in ("left_hand", "right_hand")):
            raise UserError(
                f"{writer.path}: {', '.join(present)} have no joint of a hand in common; a pool of them needs "
                "`joints: all`."
            )
        scored = _scored(stores)
        tally = {
            name: _add(writer, name, stores[name], options.members[name], used, scored)
            for name in present
        }
        pooled = {name: stores[name] for name in present}
        _describe(writer, pooled, tally, {name: has & ~used for name, has in present.items()})


def _store(raw: Path | None, name: str) -> ClipStore:
    if raw is None:
        raise UserError(
            "data set pool: give the folder of its members' clip stores (`--raw results/data`), each built "
            "before it; `snakemake extract` does both."
        )
    return ClipStore.open(Path(raw) / name / "clips")


def _scored(stores: dict[str, ClipStore]) -> dict[bytes, str]:
    """What each validation and test clip of a member is equal by, and where it is."""
    return {
        content_digest(store.frames(row)): f"{split} clip of {name}"
        for name, store in stores.items()
        for split in ("val", "test")
        for row in store.indices(split)
    }


def _add(
    writer: ClipWriter,
    name: str,
    store: ClipStore,
    share: Share,
    used: np.ndarray,
    scored: dict[bytes, str],
) -> dict[str, Any]:
    """Add a member's training clips, or a share of them; returns what was added."""
    rows = store.indices("train")
    if len(rows) == 0:
        raise UserError(f"{store.path}: has no training clip, so it adds nothing to a pool.")
    order = torch.randperm(len(rows), generator=generator(0, "pool", name)).numpy()
    chosen = np.sort(rows[order[: math.ceil(len(rows) * share)]])  # a larger share holds a smaller
    ids = store.clips["clip_id"].iloc[chosen]
    clips, signers, languages = 0, set(), set()
    for row, clip_id, values in zip(chosen, ids, store.stated(chosen), strict=True):
        values["signer"] = f"{name}:{values['signer']}" if values["signer"] else None
        frames = np.array(store.frames(row))
        content = content_digest(frames)
        if content in scored:
            reason = f"same keypoints as a {scored[content]}"
            writer.drop(f"{name}:{clip_id}", reason, "train")
            continue
        frames[:, ~used] = np.nan
        # Its digest as the member has it: a target's clips are looked up by it before they are scored.
        extra: dict[str, Any] = {"member": name, "content": content.hex()}
        if writer.add(f"{name}:{clip_id}", frames, **values, **extra):
            clips += 1
            signers.add(values["signer"])
            languages.add(values["language"])
    return {
        "clips": clips,
        "drawn_from": len(rows),
        "signers": len(signers - {None}),
        "languages": sorted(languages - {None}) or store.card.get("languages") or [],
    }


def _describe(
    writer: ClipWriter,
    stores: dict[str, ClipStore],
    tally: dict[str, dict[str, Any]],
    masked: dict[str, np.ndarray],
) -> None:
    """The card: members with their shares, licences and masked joints; and the same in words."""
    pool, total = writer.card["dataset"], max(1, writer.n_clips)
    members = {}
    for name, store in stores.items():
        hidden = {part: int(masked[name][where].sum()) for part, where in PARTS.items()}
        members[name] = {
            **tally[name],
            "share": round(tally[name]["clips"] / total, 4),
            "licence": store.card.get("licence") or "not stated",
            "joints_masked": {part: count for part, count in hidden.items() if count},
        }
    cards = [store.card for store in stores.values()]
    citations = [str(card.get("citation") or "") for card in cards]
    writer.card |= {
        "languages": sorted({code for told in tally.values() for code in told["languages"]}),
        "licence": "; ".join(f"{name}: {told['licence']}" for name, told in members.items()),
        "citation": "; ".join(dict.fromkeys(filter(None, citations))),
        "origin": "Training clips of "
        + ", ".join(f"{name} ({100 * told['share']:.1f} %)" for name, told in members.items()),
        "members": members,
    }
    for name, told in members.items():
        signers = f"{told['signers']} signers" if told["signers"] else "signers not named"
        writer.notes.append(
            f"{pool}: {name}: {told['clips']} of {told['drawn_from']} training clips, "
            f"{100 * told['share']:.1f} % of the pool, {signers}; licence: {told['licence']}."
        )
        if told["joints_masked"]:
            parts = ", ".join(
                f"{count} of {PARTS[part].stop - PARTS[part].start} joints of the {part.replace('_', ' ')}"
                for part, count in told["joints_masked"].items()
            )
            writer.notes.append(
                f"{pool}: {name}: {parts} masked, because another member lacks them."
            )
