"""From a clip store to a batch: trim, fill gaps over time, normalise, fit to T frames.

Variant `ours`, in this order:

1. trim to the frames from the first to the last that have a hand (the rest of a clip is waiting);
2. fill gaps by linear interpolation over time, joint by joint; before a joint's first and after
   its last sighting it is held. A joint that never appears is masked, not invented. With `gaps: keep`
   a hand is zero again, after 3, in the frames that do not show it;
3. centre on the shoulders' midpoint and divide by their distance, both averaged over the clip, so
   that coordinates are in shoulder widths; a clip without shoulders is centred on the wrists' mean
   and divided by their spread (root mean square distance from that mean), or by the palm's length
   where the wrists hardly move;
4. fit to T frames: `truncate` keeps the first T and pads, `resample` stretches every clip to T.

Variant `picture` differs in 3: a clip without shoulders keeps its coordinates in units of the image's
height, from a point in the picture (`PICTURE_CENTRE`) about which hands usually are.

Variant `as_released` is the authors' (`docs/paper.md`, "Input"): the first T frames, zero-padded,
no trimming, no normalisation; a clip is dropped where one hand is missing in every frame.

Everything is batched over clips in chunks of bounded memory; NaN means missing. What is held is the
result, 18 kB a clip at T = 30: 120,000 clips are 2.2 GB.
"""

from dataclasses import dataclass

import numpy as np
import torch

from sslslr.config.study import PreprocessConfig
from sslslr.data.batch import Batch
from sslslr.data.store import ClipStore, concatenated_frames
from sslslr.pose.skeleton import (
    LEFT_HAND,
    LEFT_SHOULDER,
    LEFT_WRIST,
    MIDDLE_MCP,
    N_JOINTS,
    RIGHT_HAND,
    RIGHT_SHOULDER,
    RIGHT_WRIST,
)
from sslslr.utils.errors import UserError

CHUNK_FRAMES = 10_000  # padded frames handled at once: about 6 MB an array
WINDOW = 8_192  # clips that are sorted by length together, so that a large store is read in order
# Where the views' rotation and scale turn a clip of hands alone (share of the image's width and height).
PICTURE_CENTRE = (0.5, 0.6)
UNMEASURED = "its unit cannot be measured: shoulders, wrists and palms have no length"
SMALLEST_UNIT = 1e-3  # image units; shoulders closer than this are a detection fault


@dataclass(frozen=True)
class Preprocessed:
    """A batch with the rows of the store that it holds, and what was left out.

    Attributes:
        batch: the clips, in the order of `indices`.
        indices: int64 (B,), rows of the store's table.
        dropped: {"clip_id", "reason"} of each clip that this preprocessing cannot use.
    """

    batch: Batch
    indices: np.ndarray
    dropped: list[dict[str, str]]


def preprocess(
    store: ClipStore,
    config: PreprocessConfig,
    indices: np.ndarray | None = None,
    joints: np.ndarray | None = None,
) -> Preprocessed:
    """Preprocess the clips of a store.

    Args:
        indices: rows of the store's table; all of them for None.
        joints: bool (75,), the joints to use; the others are missing in every frame, before
            anything is measured by them. All of them for None.

    Raises:
        UserError: no clip is left.
    """
    indices = store.indices() if indices is None else np.asarray(indices)
    if len(indices) == 0:
        raise UserError(f"{store.path}: no clip was asked for; is the split empty?")
    prepare = _prepare_as_released if config.variant == "as_released" else _prepare_ours
    keypoints = np.zeros((len(indices), config.frames, N_JOINTS, 2), dtype=np.float32)
    lengths = np.zeros(len(indices), dtype=np.int64)
    present = np.zeros((len(indices), N_JOINTS), dtype=bool)
    faults = np.full(len(indices), "", dtype=object)
    aspects = store.clips["aspect"].to_numpy(dtype=np.float32, na_value=1.0)[indices]
    n_frames = store.clips["n_frames"].to_numpy()[indices]
    for first in range(0, len(indices), WINDOW):
        part = store.mapped_anew()  # what was read of a map counts as memory until it is unmapped
        for rows in _chunks(n_frames[first : first + WINDOW]):
            rows = first + rows
            padded, n = _padded(part, indices[rows])
            if joints is not None:
                padded[:, :, ~joints] = np.nan
            keypoints[rows], lengths[rows], present[rows], faults[rows] = prepare(
                padded, n, aspects[rows], config
            )
    kept = faults == ""
    ids = store.clips["clip_id"].to_numpy()[indices]
    dropped = [
        {"clip_id": str(clip_id), "reason": reason}
        for clip_id, reason in zip(ids[~kept], faults[~kept], strict=True)
    ]
    if not kept.any():
        raise UserError(
            f"{store.path}: preprocessing `{config.variant}` left none of {len(indices)} clips; "
            f"the first was dropped because of: {dropped[0]['reason']}."
        )
    if dropped:
        keypoints, lengths, present = _closed_up(keypoints, kept), lengths[kept], present[kept]
    batch = Batch(torch.from_numpy(keypoints), torch.from_numpy(lengths), torch.from_numpy(present))
    return Preprocessed(batch, indices[kept], dropped)


def _closed_up(keypoints: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """`keypoints[kept]`, moved up in place: a second copy would be gigabytes."""
    rows = np.flatnonzero(kept)
    for first in range(0, len(rows), WINDOW):
        part = rows[first : first + WINDOW]
        keypoints[first : first + len(part)] = keypoints[part]
    return keypoints[: len(rows)]


def _chunks(lengths: np.ndarray) -> list[np.ndarray]:
    """Row numbers grouped by similar length, each group at most CHUNK_FRAMES when padded."""
    order = np.argsort(lengths, kind="stable")[::-1]
    groups, first = [], 0
    while first < len(order):
        size = max(1, CHUNK_FRAMES // int(lengths[order[first]]))
        groups.append(order[first : first + size])
        first += size
    return groups


def _padded(store: ClipStore, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clips as (N, longest, 75, 2) float32, NaN behind each clip's end, and their lengths."""
    frames, lengths = concatenated_frames(store, indices)
    inside = np.arange(lengths.max()) < lengths[:, None]
    padded = np.full((len(indices), lengths.max(), N_JOINTS, 2), np.nan, dtype=np.float32)
    padded[inside] = frames
    return padded, lengths


def _prepare_ours(
    padded: np.ndarray, lengths: np.ndarray, aspect: np.ndarray, config: PreprocessConfig
):
    padded = np.where(np.isfinite(padded).all(axis=-1, keepdims=True), padded, np.nan)
    padded[..., 0] *= aspect[:, None, None]  # x and y in one unit, the image's height
    padded, lengths, has_hand = trim_to_hands(padded)
    faults = np.where(has_hand, "", "no hand in any frame").astype(object)
    seen = np.isfinite(padded[:, :, : RIGHT_HAND.stop, 0])
    filled = fill_gaps(padded)
    present = np.isfinite(filled[:, 0, :, 0])
    normalised, measured = normalise(filled, lengths)
    faults[~measured & has_hand] = UNMEASURED
    if config.variant == "picture":
        centre = np.stack([PICTURE_CENTRE[0] * aspect, np.full_like(aspect, PICTURE_CENTRE[1])], -1)
        in_picture = filled - centre[:, None, None]
        has_shoulders = present[:, [LEFT_SHOULDER, RIGHT_SHOULDER]].all(axis=1)
        normalised = np.where(has_shoulders[:, None, None, None], normalised, in_picture)
    if config.gaps == "keep":
        for hand in (LEFT_HAND, RIGHT_HAND):
            hidden = ~seen[:, :, hand].any(axis=2)
            normalised[:, :, hand] = np.where(
                hidden[..., None, None], np.nan, normalised[:, :, hand]
            )
    fitted, lengths = fit(normalised, lengths, config.frames, config.fit)
    return _zero_missing(fitted, lengths), lengths, present, faults


def _prepare_as_released(
    padded: np.ndarray, lengths: np.ndarray, aspect: np.ndarray, config: PreprocessConfig
):
    del aspect  # the authors feed image coordinates as they are
    seen = np.isfinite(padded).all(axis=-1)
    left, right = (seen[:, :, hand].any(axis=(1, 2)) for hand in (LEFT_HAND, RIGHT_HAND))
    faults = np.where(left & right, "", "one hand is missing in every frame (as_released)").astype(
        object
    )
    fitted, lengths = fit(padded, lengths, config.frames, "truncate")
    return _zero_missing(fitted, lengths), lengths, seen.any(axis=1), faults


def _zero_missing(keypoints: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    inside = np.arange(keypoints.shape[1]) < lengths[:, None]
    return np.where(inside[:, :, None, None], np.nan_to_num(keypoints, nan=0.0), 0.0).astype(
        np.float32
    )


def trim_to_hands(padded: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut each clip to the span from its first to its last frame with a hand joint.

    Args:
        padded: (N, L, 75, 2), NaN = missing, NaN behind the clip's end.

    Returns:
        The shifted clips (N, L, 75, 2), their new lengths (at least 1) and bool (N,), False where
        no frame has a hand.
    """
    hands = np.isfinite(padded[:, :, : RIGHT_HAND.stop, 0]).any(axis=2)
    has_hand = hands.any(axis=1)
    first = hands.argmax(axis=1)
    last = hands.shape[1] - 1 - hands[:, ::-1].argmax(axis=1)
    new_lengths = np.where(has_hand, last - first + 1, 1)
    time = np.arange(padded.shape[1])
    index = np.minimum(first[:, None] + time, padded.shape[1] - 1)
    shifted = padded[np.arange(len(padded))[:, None], index]
    shifted[time >= new_lengths[:, None]] = np.nan
    return shifted, new_lengths, has_hand


def fill_gaps(padded: np.ndarray) -> np.ndarray:
    """Fill missing joints by linear interpolation over time, per joint; ends are held.

    Args:
        padded: (N, L, J, 2), NaN = missing.

    Returns:
        (N, L, J, 2); NaN only for joints that are never seen in the clip. Frames behind a clip's
        end are filled too (held); the caller masks them.
    """
    length = padded.shape[1]
    seen = np.isfinite(padded[..., 0])
    time = np.arange(length, dtype=np.int32)[None, :, None]
    before = np.maximum.accumulate(np.where(seen, time, np.int32(-1)), axis=1)
    after = np.where(seen, time, np.int32(length))
    after = np.minimum.accumulate(after[:, ::-1], axis=1)[:, ::-1]
    # Gathering is what costs: only where something is missing, and there is something to fill with.
    clip, now, joint = np.nonzero(~seen & seen.any(axis=1, keepdims=True))
    left, right = before[clip, now, joint], after[clip, now, joint]
    left, right = np.where(left >= 0, left, right), np.where(right < length, right, left)
    weight = ((now - left) / np.maximum(right - left, 1)).astype(np.float32)
    a, b = padded[clip, left, joint], padded[clip, right, joint]
    filled = padded.copy()
    filled[clip, now, joint] = a + np.where(left < right, weight, 0)[:, None] * (b - a)
    return filled


def normalise(filled: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and scale each clip by its shoulders, or by its wrists where it has none.

    Args:
        filled: (N, L, 75, 2) without gaps; NaN for joints that are never seen.
        lengths: (N,).

    Returns:
        (N, L, 75, 2); and bool (N,), False for a clip that has no length to measure it by.
    """
    inside = np.arange(filled.shape[1]) < lengths[:, None]

    def mean_over_clip(values: np.ndarray) -> np.ndarray:
        """(N, L, ...) to (N, ...), the mean over each clip's own frames; NaN stays NaN."""
        mask = inside.reshape(inside.shape + (1,) * (values.ndim - 2))
        return np.where(mask, values, 0).sum(axis=1) / lengths.reshape(
            (-1,) + (1,) * (values.ndim - 2)
        )

    left, right = filled[:, :, LEFT_SHOULDER], filled[:, :, RIGHT_SHOULDER]
    shoulder_centre = mean_over_clip((left + right) / 2)
    shoulder_width = mean_over_clip(np.linalg.norm(left - right, axis=-1))
    has_shoulders = shoulder_width > SMALLEST_UNIT  # False for NaN

    wrists = filled[:, :, [LEFT_WRIST, RIGHT_WRIST]]
    wrist_centre = _nanmean(mean_over_clip(wrists))
    distance = ((wrists - wrist_centre[:, None, None]) ** 2).sum(axis=-1)
    spread = np.sqrt(_nanmean(mean_over_clip(distance)))
    palm = np.stack(
        [
            np.linalg.norm(filled[:, :, wrist + MIDDLE_MCP] - filled[:, :, wrist], axis=-1)
            for wrist in (LEFT_WRIST, RIGHT_WRIST)
        ],
        axis=-1,
    )
    # A hand that holds still has no spread to speak of; its palm then sets the scale.
    wrist_scale = np.fmax(spread, _nanmean(mean_over_clip(palm)))

    centre = np.where(has_shoulders[:, None], shoulder_centre, wrist_centre)
    scale = np.where(has_shoulders, shoulder_width, wrist_scale)
    centre = np.where(np.isfinite(centre), centre, 0.0)
    measured = scale > SMALLEST_UNIT  # False for NaN
    scale = np.where(measured, scale, np.nan)
    normalised = (filled - centre[:, None, None]) / scale[:, None, None, None]
    return normalised.astype(np.float32), measured


def _nanmean(values: np.ndarray) -> np.ndarray:
    """np.nanmean over axis 1 without the warning for all-NaN slices, which stay NaN."""
    seen = np.isfinite(values)
    count = seen.sum(axis=1)
    total = np.where(seen, values, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def fit(
    keypoints: np.ndarray, lengths: np.ndarray, frames: int, how: str
) -> tuple[np.ndarray, np.ndarray]:
    """Bring clips to `frames` frames.

    Args:
        keypoints: (N, L, J, 2).
        how: "truncate" keeps the first frames (shorter clips are padded by the caller's mask);
            "resample" interpolates every clip at `frames` equally spaced times from its first to
            its last frame.

    Returns:
        (N, frames, J, 2) and the new lengths (N,).
    """
    time, clip = np.arange(frames), np.arange(len(keypoints))[:, None]
    last = keypoints.shape[1] - 1
    if how == "truncate":
        index = np.minimum(time, last)[None].repeat(len(keypoints), axis=0)
        return keypoints[clip, index], np.minimum(lengths, frames)
    position = time[None] * (lengths[:, None] - 1) / max(frames - 1, 1)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, lengths[:, None] - 1)
    weight = (position - low).astype(np.float32)[:, :, None, None]
    a, b = keypoints[clip, low], keypoints[clip, high]
    between = a + weight * (b - a)
    if np.isnan(between[:, :, : RIGHT_HAND.stop]).any():  # a joint that one of the two frames lacks
        one_sided = np.where(np.isnan(a), b, np.where(np.isnan(b), a, between))
        between = np.where(weight == 0, a, one_sided)
    return between, np.full_like(lengths, frames)


def view_sources(
    store: ClipStore,
    config: PreprocessConfig,
    prepared: Preprocessed,
    joints: np.ndarray | None = None,
) -> Batch:
    """The clips of `prepared` as views are cut from them: with `config.view_frames` frames, if that is set."""
    if config.view_frames is None:
        return prepared.batch
    longer = config.model_copy(update={"frames": config.view_frames, "view_frames": None})
    return preprocess(store, longer, prepared.indices, joints).batch
