"""A dictionary of signs that is looked up by showing one: a folder of entries and their features.

    dictionary/model/            the encoder as `sslslr export` writes it
    dictionary/clips/            a clip store, an entry a clip
    dictionary/features.npy      float32 (entries, width), in the order of the clips
    dictionary/dictionary.json   centre (width,), threshold of "not sure", hashes

A clip's features are the mean over the whole and three parts of it (`Encode.parts`): nobody knows where a sign
begins. The similarity of two clips is the cosine of their features less `centre`, the mean of the entries'.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, Field

from sslslr.config.settings import parse
from sslslr.data.readers.npz import plain_array
from sslslr.data.store import CARD, KEYPOINTS, ClipStore, content_digest, writing
from sslslr.encoders.artifact import WEIGHTS
from sslslr.use.clips import DICTIONARY, ENTRIES, FOLDER, MODEL
from sslslr.use.export import export
from sslslr.use.load import Embedded, Encode, load_encoder
from sslslr.use.ranking import COPY, by_gloss, cosines
from sslslr.utils.errors import UserError
from sslslr.utils.files import (
    atomic_folder,
    read_json,
    read_object,
    refuse_foreign,
    sha256_of,
    write_json,
)
from sslslr.utils.user_files import at_home, read_user_bytes, shown_value
from sslslr.utils.words import counted

FEATURES = "features.npy"
FILES = (DICTIONARY, FEATURES, ENTRIES, MODEL)
FORMAT = "sslslr dictionary 2"
FEWEST = 10  # held-out clips that a threshold is set on
HEADER, WIDEST_NUMBER = 1 << 16, 8  # bytes of an array's header at most, and of a number
FURTHEST = 1e15  # from 0 of a number of features: float32 holds its square
ABSENT = 0.5  # share of signs that are not there to be unsure of, where that is all one can ask


class _Threshold(BaseModel):
    similarity: Annotated[float, Field(ge=-2, le=2)] | None


class _About(BaseModel):
    """What dictionary.json must look like for those who read it."""

    centre: list[Annotated[float, Field(ge=-FURTHEST, le=FURTHEST)]]
    threshold: _Threshold


@dataclass(frozen=True)
class Dictionary:
    """A dictionary that was read.

    Attributes:
        store: its entries.
        features: float32 (entries, width).
        glosses: sorted, each once.
        gloss_of: int (entries,), a place in `glosses`.
        about: dictionary.json.
    """

    path: Path
    store: ClipStore
    features: np.ndarray
    glosses: list[str]
    gloss_of: np.ndarray
    about: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> "Dictionary":
        """Read a dictionary.

        Raises:
            UserError: a file is missing, or they do not belong together.
        """
        path = at_home(path)
        if not (path / DICTIONARY).is_file():
            raise UserError(
                f"{path}: no dictionary ({DICTIONARY} is missing). Make one with `sslslr lookup build`."
            )
        about, store = read_object(path / DICTIONARY), ClipStore.open(path / ENTRIES)
        if about.get("format") != FORMAT:
            raise UserError(
                f"{path}: made as {shown_value(about.get('format'))}, and this version reads {FORMAT!r}. "
                "Build it again."
            )
        parse(_About, about, str(path / DICTIONARY), most=1)
        try:
            # Its header is looked at by what is beside it, before gigabytes are read for nothing.
            most = HEADER + WIDEST_NUMBER * len(store) * len(about["centre"])
            features = plain_array(read_user_bytes(path / FEATURES, most))
        except (ValueError, EOFError) as error:
            raise UserError(
                f"{path / FEATURES}: cannot be read ({error}). Build the dictionary again."
            ) from None
        if features.dtype.kind != "f" or not float(abs(features).max(initial=0)) <= FURTHEST:
            raise UserError(
                f"{path / FEATURES}: holds what is no number, or is beyond {FURTHEST:g}. Build the dictionary "
                "again."
            )
        if features.shape != (len(store), len(about["centre"])):
            raise UserError(
                f"{path}: {features.shape} features for {len(store)} entries. Build it again."
            )
        if about.get("clips_sha256") != store.card["sha256"][KEYPOINTS]:
            raise UserError(
                f"{path}: its {ENTRIES}/ are not those of which {FEATURES} holds the features. Build it again."
            )
        glosses = sorted(set(store.clips["gloss"]))
        gloss_of = np.searchsorted(glosses, store.clips["gloss"].to_numpy(dtype=object).astype(str))
        return cls(path, store, features, glosses, gloss_of, about)

    @property
    def centre(self) -> np.ndarray:
        return np.asarray(self.about["centre"], dtype=np.float32)

    @property
    def threshold(self) -> float | None:
        """Below this similarity the first answer is not sure; None where it could not be set."""
        return self.about["threshold"]["similarity"]

    def encoder(self) -> Encode:
        """The encoder that made the entries.

        Raises:
            UserError: it is not in the folder, or another is.
        """
        encode = load_encoder(self.path / MODEL)
        same = sha256_of(encode.folder / WEIGHTS) == self.about.get("encoder_sha256")
        if not same or encode.width != self.features.shape[1]:
            raise UserError(
                f"{self.path}: {MODEL}/ is not the encoder that made {FEATURES} ({encode.width} features a clip, and "
                f"{self.features.shape[1]} there). Build the dictionary again."
            )
        return encode

    def embed(self, store: ClipStore, rows: np.ndarray | None = None) -> Embedded:
        """Features of clips that ask, as those of the entries were made; all of the store for None."""
        return self.encoder().store(store, rows, parts=True)

    def find(self, features: np.ndarray, most: int = 6, neighbours: int = 3) -> list[pd.DataFrame]:
        """For each query (n, width) the best glosses: gloss, similarity, neighbours (clip ids), sure."""
        similarity = cosines(np.atleast_2d(features), self.features, self.centre)
        best = by_gloss(similarity, self.gloss_of, len(self.glosses))
        ids, answers = self.store.clips["clip_id"].to_numpy(dtype=object), []
        for row, near in zip(best, similarity, strict=True):
            rows = []
            for gloss in np.argsort(-row, kind="stable")[:most]:
                own = np.flatnonzero(self.gloss_of == gloss)
                own = own[np.argsort(-near[own], kind="stable")][:neighbours]
                sure = self.threshold is None or float(row[gloss]) >= self.threshold
                rows.append((self.glosses[gloss], float(row[gloss]), list(ids[own]), sure))
            answers.append(
                pd.DataFrame(rows, columns=["gloss", "similarity", "neighbours", "sure"])
            )
        return answers


def build(
    encode: Encode,
    store: ClipStore,
    out: str | Path,
    per_sign: int | None = None,
    splits: list[str] | None = None,
    say: Callable[[str], None] = print,
) -> None:
    """Make a dictionary of a store's clips, whole or not at all.

    Args:
        per_sign: at most so many entries a sign, taken from its signers in turn.
        splits: of the entries; `train` for None where the store has it, else every clip.

    Raises:
        UserError: no clip, a clip that cannot be used, or `out` holds something else.
    """
    out = Path(out)
    refuse_foreign(out, FILES, "dictionary", record=(DICTIONARY, "centre"))
    rows = rows_of(store, splits)
    encode.measure(store)
    embedded = encode.store(store, rows, parts=True)
    clips = store.clips.iloc[embedded.indices].reset_index(drop=True)
    kept = np.sort(spread(clips, per_sign)) if per_sign else np.arange(len(clips))
    features, indices = embedded.features[kept], embedded.indices[kept]
    # The mean of one entry is that entry: less it, nothing is left to be similar to.
    centre = features.mean(axis=0) if len(features) > 1 else np.zeros_like(features[0])
    held_out = _held_out(encode, store, indices, splits)
    threshold = _threshold(store, features, indices, centre, held_out)
    with atomic_folder(out) as folder:
        export(encode, folder / MODEL, store, say)
        with writing(folder / ENTRIES, _card(store), on_bad="error", min_frames=1) as writer:
            ids = store.clips["clip_id"].iloc[indices]
            for row, clip_id, stated in zip(indices, ids, store.stated(indices), strict=True):
                writer.add(clip_id, np.asarray(store.frames(row)), **stated)
        np.save(folder / FEATURES, features)
        about = {
            "format": FORMAT,
            "entries": len(indices),
            "signs": int(store.clips["gloss"].iloc[indices].nunique()),
            "splits": splits,
            "per_sign": per_sign,
            "licence": store.card.get("licence"),
            "encoder_sha256": sha256_of(folder / MODEL / WEIGHTS),
            "clips_sha256": read_json(folder / ENTRIES / CARD)["sha256"][KEYPOINTS],
            "threshold": threshold,
            "centre": [float(value) for value in centre],
        }
        write_json(folder / DICTIONARY, about)
    made = f"{counted(len(indices), 'entry', 'entries')} of {counted(about['signs'], 'sign')}"
    if embedded.dropped:
        reasons = ", ".join(sorted({drop["reason"] for drop in embedded.dropped}))
        made += f"; {counted(len(embedded.dropped), 'clip')} could not be used ({reasons})"
    say(f"{out}: {made}.")
    say(f"{out}: {threshold['why']}")


def copies(queries: ClipStore, rows: np.ndarray, entries: ClipStore) -> np.ndarray:
    """bool (queries, entries): the same clip of the same data set, or the same keypoints.

    Of clips that were read from a folder (`clips_of`) names tell only within that folder: two folders may both
    have hello.mp4.
    """
    origins = [str(store.card.get("origin") or "") for store in (queries, entries)]
    by_name = origins[0] == origins[1] or not any(of.startswith(f"{FOLDER} ") for of in origins)
    ids = list(zip(entries.clips["dataset"], entries.clips["clip_id"], strict=True))
    asked = queries.clips.iloc[rows]
    own: list[Any] = list(zip(asked["dataset"], asked["clip_id"], strict=True))
    if not by_name:
        own = [None] * len(rows)
    places: dict[Any, list[int]] = {}
    for place, clip in enumerate(ids):
        places.setdefault(clip, []).append(place)
        places.setdefault(content_digest(entries.frames(place)), []).append(place)
    same = np.zeros((len(rows), len(entries)), dtype=bool)
    for number, (row, clip) in enumerate(zip(rows, own, strict=True)):
        same[number, places.get(clip, [])] = True
        same[number, places.get(content_digest(queries.frames(row)), [])] = True
    return same


def spread(clips: pd.DataFrame, per_sign: int, seed: int = 0) -> np.ndarray:
    """Rows of at most `per_sign` clips of each gloss, from its signers in turn, drawn by lot."""
    order = np.random.default_rng(seed).permutation(len(clips))
    drawn = clips.iloc[order][["gloss", "signer"]].assign(row=order)
    drawn["signer"] = drawn["signer"].astype(object).where(drawn["signer"].notna(), "")
    drawn["turn"] = drawn.groupby(["gloss", "signer"]).cumcount()
    drawn = drawn.sort_values(["gloss", "turn"], kind="stable")
    return drawn.groupby("gloss").head(per_sign)["row"].to_numpy()


def _card(store: ClipStore) -> dict[str, Any]:
    keys = ("dataset", "languages", "licence", "citation", "origin", "split_rule")
    return {**{key: store.card.get(key) for key in keys}, "inputs": dict(store.card["sha256"])}


def rows_of(store: ClipStore, splits: list[str] | None) -> np.ndarray:
    """Rows of the splits; of the training clips for None, of all where there is none."""
    if splits is None:
        train = store.indices("train")
        return train if len(train) else store.indices()
    rows = np.sort(np.concatenate([store.indices(split) for split in splits]))
    if len(rows) == 0:
        raise UserError(f"{store.path}: no clip in the splits {', '.join(splits)}.")
    return rows


def _held_out(
    encode: Encode, store: ClipStore, entries: np.ndarray, splits: list[str] | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Features and rows of clips that are no entries: of the split val, or those beyond `per_sign`."""
    val = np.setdiff1d(store.indices("val"), entries)
    rows = val if len(val) else np.setdiff1d(rows_of(store, splits), entries)
    if len(rows) < FEWEST:
        return None
    try:
        embedded = encode.store(store, rows, parts=True)
    except UserError:
        return None
    return embedded.features, embedded.indices


def _threshold(
    store: ClipStore,
    features: np.ndarray,
    entries: np.ndarray,
    centre: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any]:
    """The similarity that parts right first answers from those to signs that are not there.

    Each held-out clip asks twice: with its sign in the dictionary, and with its sign taken out. The
    threshold is where the share of right answers above it less that of the others is largest.
    """
    glosses, gloss_of = np.unique(
        store.clips["gloss"].to_numpy(dtype=str)[entries], return_inverse=True
    )
    queries, rows = held_out or (features, entries)
    kind = "held-out clips" if held_out else "entries, each looked up among the others"
    of = store.clips["gloss"].to_numpy(dtype=str)[rows]
    similarity = cosines(queries, features, centre)
    similarity[similarity >= COPY] = -np.inf
    if not held_out:  # a stranger will ask: the same person's clips are too near
        np.fill_diagonal(similarity, -np.inf)
        signers = store.clips["signer"].fillna("").to_numpy(dtype=str)[entries]
        if len(set(signers) - {""}) > 1:
            similarity[(signers[:, None] == signers) & (signers != "")] = -np.inf
    best = by_gloss(similarity, gloss_of, len(glosses))
    own = glosses[None, :] == of[:, None]
    there = np.isfinite(np.where(own, best, -np.inf).max(axis=1))
    first = best.argmax(axis=1)
    right = there & (glosses[first] == of)
    without = np.where(own, -np.inf, best).max(axis=1)
    wrong = np.concatenate([without[np.isfinite(without)], best.max(axis=1)[there & ~right]])
    answered = best.max(axis=1)[right]
    if len(wrong) < FEWEST:
        why = "no threshold of `not sure`: too few clips to set it on."
        return {"similarity": None, "n": len(rows), "why": why}
    if len(answered) < FEWEST:
        value = float(np.quantile(wrong, ABSENT))
        why = (
            f"`not sure` below similarity {value:.3f}, which {100 * ABSENT:.0f} % of {len(wrong)} {kind} do not "
            "reach with their sign taken out (too few signs have several clips for more)."
        )
        return {"similarity": value, "n": len(rows), "set_on": kind, "why": why}
    values = np.unique(np.concatenate([answered, wrong]))
    above = [1 - np.searchsorted(np.sort(part), values) / len(part) for part in (answered, wrong)]
    place = int(np.argmax(above[0] - above[1]))
    kept, slipped = float(above[0][place]), float(above[1][place])
    return {
        "similarity": float(values[place]),
        "n": int(there.sum()),
        "set_on": kind,
        "right_kept": kept,
        "wrong_kept": slipped,
        "why": f"`not sure` below similarity {values[place]:.3f}, set on {int(there.sum())} {kind}: "
        f"{100 * kept:.0f} % of right first answers are above it, {100 * slipped:.0f} % of wrong ones "
        "(their sign absent, or another first).",
    }
