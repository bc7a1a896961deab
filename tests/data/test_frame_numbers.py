"""A frame that is left out of the numbering is missing at its place, in every layout of numbered frames."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from bodies import arranged
from kinds import CLIP, flat, imported

from sslslr.data.readers._numbers import places_of
from sslslr.pose.layouts import named


def save(file, array):
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, array)


def frames_npy(folder, frames, numbers, name="{}.npy"):
    for number, row in zip(numbers, flat(frames, 0.9), strict=True):
        save(folder / "book/0" / name.format(number), row)


def frames_named(folder, frames, numbers):
    frames_npy(folder, frames, numbers, "frame_{:04d}.npy")


def frames_of_whole_numbers(folder, frames, numbers):
    for number, frame in zip(numbers, frames, strict=True):
        save(folder / f"book/0/{number}.npy", np.round(frame * 10_000).astype(np.int64))


def openpose(folder, frames, numbers):
    (folder / "book/0").mkdir(parents=True)
    for number, frame in zip(numbers, arranged(frames, "openpose25-left-right", 3), strict=True):
        frame[:, 2] = 0.9
        parts = (("pose", frame[:25]), ("hand_left", frame[25:46]), ("hand_right", frame[46:]))
        person = {f"{part}_keypoints_2d": points.ravel().tolist() for part, points in parts}
        file = folder / f"book/0/a_{number:012d}_keypoints.json"
        file.write_text(json.dumps({"people": [person]}))


def persons(frames):
    for frame in arranged(frames, "coco133"):
        yield [{"keypoints": frame.tolist(), "keypoint_scores": [0.9] * 133}]


def mmpose_frames(folder, frames, numbers):
    (folder / "book/0").mkdir(parents=True)
    for number, held in zip(numbers, persons(frames), strict=True):
        (folder / f"book/0/{number}.json").write_text(json.dumps(held))


def mmpose(folder, frames, numbers):
    (folder / "book").mkdir(parents=True)
    held = zip(numbers, persons(frames), strict=True)
    info = [{"frame_id": number, "instances": instances} for number, instances in held]
    (folder / "book/0.json").write_text(json.dumps({"instance_info": info}))


def by_number(folder, frames, numbers):
    (folder / "book").mkdir(parents=True)
    held = dict(zip(numbers, frames, strict=True))
    (folder / "book/0.pkl").write_bytes(pickle.dumps(held))


def kaggle(folder, frames, numbers):
    (folder / "book").mkdir(parents=True)
    rows = [
        (number, part, index, *frame[first + index])
        for number, frame in zip(numbers, frames, strict=True)
        for part, first, count in (("left_hand", 0, 21), ("right_hand", 21, 21), ("pose", 42, 33))
        for index in range(count)
    ]
    table = pd.DataFrame(rows, columns=["frame", "type", "landmark_index", "x", "y"])
    table.to_parquet(folder / "book/0.parquet")


LAYOUTS = (
    frames_npy, frames_named, frames_of_whole_numbers, openpose, mmpose_frames, mmpose, by_number, kaggle,
)  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    ("numbers", "places"),
    [
        ((0, 1, 2, 3, 4, 5, 6, 7), range(8)),
        ((0, 1, 3, 4, 5, 6, 9, 10), (0, 1, 3, 4, 5, 6, 9, 10)),
        ((1, 2, 3, 4, 5, 6, 7, 8), range(8)),  # numbering from 1
        ((7, 8, 9, 10, 12, 13, 14, 15), (0, 1, 2, 3, 5, 6, 7, 8)),  # and of a part of a video
        ((0, 5, 10, 15, 20, 25, 30, 35), range(8)),  # every fifth frame
        ((2, 4, 6, 8, 12, 14, 16, 18), (0, 1, 2, 3, 5, 6, 7, 8)),
        ((0, 33, 67, 100, 133, 167, 200, 233), None),  # times in milliseconds
        ((0, 1, 2, 3, 4, 5, 6, 4000), None),
    ],
)
def test_a_frame_that_is_left_out(tmp_path, layout, numbers, places):
    said = []
    layout(tmp_path / "in", CLIP, numbers)
    whole = layout is frames_of_whole_numbers
    options = {"width": 10_000, "height": 10_000} if whole else {}
    found = np.asarray(imported(tmp_path / "in", tmp_path / "s", said=said, **options).frames(0))
    gaps = 0 if places is None else places[-1] - 7
    expected = np.full((8 + gaps, 75, 2), np.nan)
    expected[list(places or range(8))] = CLIP
    joints = slice(42)
    if layout is openpose:
        joints = named("openpose25-left-right").places >= 0
    np.testing.assert_allclose(found[:, joints], expected[:, joints], atol=1e-3, equal_nan=True)
    word = "frame" if gaps == 1 else "frames"
    lines = [line for line in said if "left out" in line]
    if places is None:
        assert lines == [
            "x: Frame numbers without one step in 1 clip: frames follow one another, whatever was left out."
        ]
    else:
        assert lines == [
            f"x: {gaps} {word} left out in the numbering of 1 clip: put in at their places, without keypoints."
        ][: min(gaps, 1)]  # fmt: skip


def test_names_that_are_no_numbers(tmp_path):
    for number, name in enumerate(("a", "b", "d")):
        save(tmp_path / f"in/book/{name}.npy", CLIP + 0.001 * number)
    said = []
    store = imported(tmp_path / "in", tmp_path / "s", said=said)
    assert store.clips["n_frames"].tolist() == [8, 8, 8]
    assert not any("left out" in line for line in said)


def test_places():
    for numbers, places in (((1, 2, 4), [0, 1, 3]), ((0, 5, 10, 20), [0, 1, 2, 4]), ((9,), [0])):
        assert places_of(numbers).tolist() == places
    for numbers in ((0, 33, 67, 100), (1, 1, 2), (3, 17, 19, 45), (0, 1, 10**15)):
        assert places_of(numbers) is None
