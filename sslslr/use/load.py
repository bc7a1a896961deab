"""A pretrained encoder as a function from keypoints to features.

encode = load_encoder("results/encoders/RUN")    # or a folder that `sslslr export` wrote
features = encode([keypoints, ...])              # each (frames, 75 or 42, 2); float32 (clips, width)
embedded = encode.store(store)                   # the clips of a clip store, with what was left out
embedded = encode.store(store, parts=True)       # the mean over each clip and three parts of it
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import sslslr
from sslslr.config.study import TargetConfig
from sslslr.data.batch import Batch
from sslslr.data.preprocess import Preprocessed, preprocess
from sslslr.data.store import ClipStore
from sslslr.data.writer import ASPECTS, fault_of
from sslslr.encoders import artifact
from sslslr.encoders.inputs._base import Inputs, measure_inputs
from sslslr.evaluation.features import EMBED_BATCH, embed
from sslslr.evaluation.joints import joints_seen
from sslslr.pose.skeleton import to_75
from sslslr.use.clips import DICTIONARY, MODEL
from sslslr.utils.errors import UserError
from sslslr.utils.files import read_object, sha256_of
from sslslr.utils.user_files import at_home, shown_value

CLIPS_AT_ONCE = 8 * EMBED_BATCH  # of a store: memory does not grow with it
PARTS, PART = (
    3,
    0.8,
)  # parts of a clip that a look-up averages over beside the whole, and their length
FORMAT = "sslslr encoder 1"  # of an exported folder (sslslr/use/export.py)
ROOMS = ("utils", "config", "pose", "data", "encoders", "evaluation", "use")  # what embedding runs


@dataclass(frozen=True)
class Embedded:
    """Features of a store's clips.

    Attributes:
        features: float32 (n, width).
        indices: int64 (n,), rows of the store's table.
        dropped: {"clip_id", "reason"} of each clip that this encoder cannot use.
    """

    features: np.ndarray
    indices: np.ndarray
    dropped: list[dict[str, str]]


class Encode:
    """The function that :func:`load_encoder` returns.

    Attributes:
        folder: where the encoder was read from.
        run, spec: the encoder's `run.json`, and its settings but for the training's.
        preprocess: how clips become its inputs.
        joints: bool (75,), the joints that it looks at.
        measured: whether :meth:`measure` changed it.
    """

    def __init__(self, folder: Path, device: str | torch.device):
        self.folder = folder
        self.encoder, self.run = artifact.load(folder, device)
        self._device, self.measured = device, False
        self.spec = artifact.settings(self.run, str(folder))
        self.preprocess = self.spec.preprocess
        self.joints = joints_seen(self.run, TargetConfig())

    @property
    def width(self) -> int:
        return int(self.encoder.width)

    def __call__(
        self,
        clips: Sequence[np.ndarray],
        aspects: Sequence[float | None] | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """Features of clips, float32 (clips, width).

        A pretrained encoder gives what its evaluation gave. One that was not pretrained and
        standardises its inputs was measured there by the target's clips, and here by none.

        Args:
            clips: each (frames, 75 or 42, 2), image-normalised x and y, NaN = missing.
            aspects: width / height of each clip's images; 1 where unknown, as in a clip store.
            seed: of the noise that the encoder `as_released` draws.

        Raises:
            UserError: names the clip that cannot be used and says why.
        """
        store = _in_memory(clips, aspects)
        prepared = self.prepare(store)
        if prepared.dropped:
            first = prepared.dropped[0]
            raise UserError(
                f"clip {first['clip_id']} of {len(store)} cannot be embedded: {first['reason']}. "
                "Leave it out."
            )
        return self.features(prepared.batch, seed)

    def prepare(self, store: ClipStore, indices: np.ndarray | None = None) -> Preprocessed:
        """Clips of a store as the encoder's inputs; raises UserError where none can be used."""
        return preprocess(store, self.preprocess, indices, joints=self.joints)

    def features(self, batch: Batch, seed: int = 0) -> np.ndarray:
        """Features of preprocessed clips, float32 (clips, width)."""
        return embed(self.encoder, batch, seed, self._device)

    @property
    def parts(self) -> dict[str, Any]:
        """`frames` that a clip is stretched to, and where in them each part of T frames `starts`.

        No part where clips are cut, not stretched: their ends are not known then.
        """
        frames = self.preprocess.frames
        if self.preprocess.fit != "resample" or self.preprocess.variant == "as_released":
            return {"frames": frames, "starts": []}
        longer = round(frames / PART)
        starts = np.linspace(0, longer - frames, PARTS).astype(int)
        return {"frames": longer, "starts": sorted({int(start) for start in starts})}

    def batches(self, store: ClipStore, prepared: Preprocessed) -> list[Batch]:
        """The preprocessed clips, then :attr:`parts` of them: where a sign begins is not known."""
        batches, frames = [prepared.batch], self.preprocess.frames
        if starts := self.parts["starts"]:
            config = self.preprocess.model_copy(update={"frames": self.parts["frames"]})
            longer = preprocess(store, config, prepared.indices, joints=self.joints).batch
            for start in starts:
                part = longer.keypoints[:, start : start + frames]
                batches.append(Batch(part, prepared.batch.lengths, longer.present))
        return batches

    def store(
        self, store: ClipStore, indices: np.ndarray | None = None, parts: bool = False
    ) -> Embedded:
        """Embed clips of a store, all of them for None; those that cannot be used are listed.

        Args:
            parts: the mean over the clip and its :attr:`parts`, as look-up and review have it; a study's
                features are those of the whole.

        Raises:
            UserError: not one can be used.
        """
        indices = store.indices() if indices is None else np.asarray(indices)
        features, rows, dropped = [], [], []
        for first in range(0, len(indices), CLIPS_AT_ONCE):
            part = indices[first : first + CLIPS_AT_ONCE]
            try:
                prepared = self.prepare(store, part)
            except UserError:
                if len(indices) <= CLIPS_AT_ONCE:
                    raise
                ids = store.clips["clip_id"].iloc[part]
                dropped += [{"clip_id": str(i), "reason": "cannot be used"} for i in ids]
                continue
            seen = self.batches(store, prepared) if parts else [prepared.batch]
            features.append(sum(map(self.features, seen)) / len(seen))
            rows.append(prepared.indices)
            dropped += prepared.dropped
        if not features:
            raise UserError(f"{store.path}: not one of {len(indices)} clips can be embedded.")
        return Embedded(np.concatenate(features), np.concatenate(rows), dropped)

    def measure(self, store: ClipStore) -> bool:
        """Standardise the inputs of an encoder that was not pretrained by clips, as evaluation does.

        The training clips count, and all where there is none. Returns whether it was necessary.
        """
        parts = [part for part in self.encoder.modules() if isinstance(part, Inputs)]
        if not any(part.standardise and not bool(part.measured) for part in parts):
            return False
        train = store.indices("train")
        prepared = self.prepare(store, train if len(train) else None)
        measure_inputs(self.encoder, prepared.batch)
        self.measured = True
        return True

    def identity(self) -> dict[str, Any]:
        """What decides the features: hashes of weights and code, and the preprocessing."""
        return {
            "encoder": str(self.run["spec"]["run_id"]),
            "encoder_sha256": sha256_of(self.folder / artifact.WEIGHTS),
            "preprocess": self.preprocess.model_dump(mode="json", exclude={"view_frames"}),
            "joints": np.flatnonzero(self.joints).tolist(),
            "code": {"sslslr": sslslr.__version__, "sha256": code_hash()},
        }


def load_encoder(folder: str | Path, device: str | torch.device = "cpu") -> Encode:
    """The encoder of a run (`results/encoders/RUN`), an exported folder or a dictionary, preprocessing included.

    Raises:
        UserError: a file is missing, cut, or does not fit the settings that are stated with it; an exported
            folder is another version's, or holds the weights of another encoder.
    """
    folder = at_home(folder)
    if (folder / DICTIONARY).is_file():
        folder /= MODEL
    if not any((folder / name).exists() for name in (artifact.RUN, artifact.EXPORTED)):
        what = "no encoder" if folder.exists() else "there is no such folder"
        raise UserError(
            f"{folder}: {what}. Give a run of a study (results/encoders/RUN, with {artifact.RUN}), a "
            f"folder of `sslslr export` (with {artifact.EXPORTED}) or a dictionary."
        )
    encode = Encode(folder, device)
    if not (folder / artifact.RUN).exists():
        _check_exported(folder)
    return encode


def _check_exported(folder: Path) -> None:
    """Raise UserError where preprocess.json is not of this version, or not of the weights beside it."""
    about = read_object(folder / artifact.EXPORTED)
    if about.get("format") != FORMAT:
        raise UserError(
            f"{folder}: made as {shown_value(about.get('format'))}, and this version reads {FORMAT!r}. "
            "Export the run again."
        )
    if about.get("encoder_sha256") != sha256_of(folder / artifact.WEIGHTS):
        raise UserError(
            f"{folder}: {artifact.WEIGHTS} is not the file whose sha256 {artifact.EXPORTED} states; one of the two "
            "is another encoder's. Copy the folder anew from where it came, or export the run again."
        )


@cache
def code_hash() -> str:
    """sha256 over the sources that embedding runs."""
    digest = hashlib.sha256()
    package = Path(__file__).parents[1]
    for room in ROOMS:
        for file in sorted((package / room).rglob("*.py")):
            digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


class _InMemory(ClipStore):
    """Clips that a caller holds, read as a store of them would be."""

    def mapped_anew(self) -> ClipStore:
        return self


def _in_memory(clips: Sequence[np.ndarray], aspects: Sequence[float | None] | None) -> ClipStore:
    if len(clips) == 0:
        raise UserError("there is no clip to embed: the list of clips is empty.")
    if aspects is not None and len(aspects) != len(clips):
        raise UserError(f"{len(aspects)} aspects for {len(clips)} clips; give one for each clip.")
    aspects = [None] * len(clips) if aspects is None else [_aspect(a) for a in aspects]
    parts = []
    for number, (clip, aspect) in enumerate(zip(clips, aspects, strict=True)):
        try:
            frames = to_75(_numbers(clip))
        except (ValueError, TypeError) as error:
            raise UserError(f"clip {number} of {len(clips)}: {error}.") from None
        reason = fault_of(frames, min_frames=1)
        if not reason and aspect is not None and not ASPECTS[0] <= aspect <= ASPECTS[1]:
            reason = f"aspect is {aspect:g}; it is width / height, or None where unknown"
        if reason:
            raise UserError(f"clip {number} of {len(clips)}: {reason}.")
        parts.append(frames.astype(np.float16))  # what a clip store holds
    lengths = np.array([len(part) for part in parts])
    table = pd.DataFrame(
        {
            "clip_id": [str(number) for number in range(len(parts))],
            "start": np.cumsum(lengths) - lengths,
            "n_frames": lengths,
            "aspect": pd.array(aspects, dtype="Float64"),
        }
    )
    return _InMemory(Path("keypoints"), np.concatenate(parts), table, {})


def _numbers(clip: np.ndarray) -> np.ndarray:
    """An array of floats: the least whole number has no absolute value, and an object hides its NaN."""
    array = np.asarray(clip)
    if array.dtype.kind not in "fiuO":
        raise ValueError(f"expected numbers, found {array.dtype}")
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def _aspect(value: float | None) -> float | None:
    try:
        return None if pd.isna(value) else float(value)
    except (ValueError, TypeError):
        raise UserError(
            f"aspect is {value!r:.100}; it is width / height, or None where unknown."
        ) from None
