"""Files of every format that a person may have, damaged or made to do harm.

Each is put beside a good clip of the plainest format: it ends as a clip that is left out with its reason,
in one line, or the import ends in one line.
"""

import io
import json
import struct
import time

import numpy as np
import pandas as pd
import pytest

from openhands_toys import npy
from sslslr.data.datasets import build
from sslslr.data.store import ClipStore
from sslslr.utils.errors import UserError

GOOD = npy(np.full((4, 75, 2), 0.5, np.float32))
DEEP = "[" * 100_000
DIGITS = "9" * 400


def parquet(table):
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()


COLUMNS = ("frame", "type", "landmark_index", "x", "y")


def rows(**changes):
    """Kaggle's rows, a landmark each, of two frames."""
    table = {"frame": [0, 0, 1, 1], "type": ["pose", "left_hand"] * 2, "landmark_index": [0, 3, 0, 3],
             "x": [0.5] * 4, "y": [0.5] * 4}  # fmt: skip
    return parquet(pd.DataFrame({**table, **changes}))


def bomb_of_rows():
    """A hundred million rows in a few kilobytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = pa.table({"frame": np.zeros(2_000_000, "i8"), "type": ["pose"] * 2_000_000,
                     **{name: np.zeros(2_000_000) for name in ("landmark_index", "x", "y")}})  # fmt: skip
    stream = io.BytesIO()
    with pq.ParquetWriter(stream, part.schema, compression="zstd") as writer:
        for _ in range(50):
            writer.write_table(part)
    return stream.getvalue()


SPOTER = [f"{joint}_{axis}" for joint in (
    "nose", "leftEye", "rightEye", "leftShoulder", "rightShoulder", "leftElbow", "rightElbow", "leftWrist",
    "rightWrist", "leftEar", "rightEar",
) for axis in "XY"]  # fmt: skip


def spoter(cell="[0.1, 0.2, 0.3]", other=None, header=(), more="", fps=None):
    """SPOTER's csv of one row; `other` stands in its first cell, `more` behind its last."""
    names = [*SPOTER, "labels", *header] + (["video_fps"] if fps is not None else [])
    cells = [cell] * len(SPOTER)
    if other is not None:
        cells[0] = other
    cells += ["book", *["1"] * len(header)] + ([fps] if fps is not None else [])
    quoted = ",".join('"' + text.replace('"', '""') + '"' for text in cells)
    return f"{','.join(names)}\n{quoted}{more}\n".encode()


def frames(*texts):
    """A folder of OpenPose's, a file a frame."""
    return {f"book/a/{i:03d}_keypoints.json": text if isinstance(text, bytes) else text.encode()
            for i, text in enumerate(texts)}  # fmt: skip


PERSON = json.dumps({"pose_keypoints_2d": [0.5] * 75})
FRAME = f'{{"people": [{PERSON}]}}'


def mmpose(value):
    return {"book/a.json": (value if isinstance(value, str) else json.dumps(value)).encode()}


KEYPOINTS = [[0.5, 0.5]] * 133
POSE = struct.pack("<f", 0.1)
# name: (files of the folder by name)
CASES = {
    # OpenPose: a file a frame
    "person_is_a_number": frames(FRAME, '{"people": [1]}'),
    "person_is_a_list": frames(FRAME, '{"people": [[0.5, 0.5]]}'),
    "person_is_nothing": frames(FRAME, '{"people": [null]}'),
    "people_are_a_number": frames(FRAME, '{"people": 7}'),
    "people_are_named": frames(FRAME, '{"people": {"a": 1}}'),
    "a_frame_is_a_list": frames(FRAME, '[{"people": []}]'),
    "a_frame_is_deep": frames(FRAME, '{"people": ' + DEEP),
    "a_frame_is_cut": frames(FRAME, FRAME[:40]),
    "a_frame_is_latin": frames(FRAME, b'{"people": ["\xe9"]}'),
    "a_frame_is_empty": frames(FRAME, ""),
    "points_are_text": frames(FRAME, '{"people": [{"pose_keypoints_2d": ["a"]}]}'),
    "points_are_nested": frames(FRAME, '{"people": [{"pose_keypoints_2d": [[1], [2, 3]]}]}'),
    "points_are_named": frames(FRAME, '{"people": [{"pose_keypoints_2d": {"a": 1}}]}'),
    "points_are_huge": frames(FRAME, f'{{"people": [{{"pose_keypoints_2d": [{DIGITS}]}}]}}'),
    "points_are_infinite": frames(FRAME, json.dumps({"people": [{"pose_keypoints_2d": [1e999] * 75}]})),
    "points_of_18_cut": frames(FRAME, json.dumps({"people": [{"pose_keypoints_2d": [[0] * 54]}]})),
    "a_crowd": frames(*['{"people": []}'] * 2000, '{"people": [' + ",".join(["{}"] * 20_000) + "]}"),
    # JSON
    "json_deep": mmpose(DEEP),
    "json_digits": mmpose({"keypoints": 1} | {"keypoints": [[int(DIGITS), 1]] * 75}),
    "json_ragged": mmpose({"keypoints": [[1, 2], [3]]}),
    "json_text": mmpose({"keypoints": [["a", "b"]] * 75}),
    "json_named": mmpose({"keypoints": {"keypoints": {"keypoints": 1}}}),
    "json_nested_names": mmpose('{"keypoints":' * 5000 + "1" + "}" * 5000),
    "json_nothing": mmpose({"keypoints": None}),
    "json_nan": mmpose('{"keypoints": [[NaN, Infinity]]}'),
    "json_frames_of_text": mmpose(["a", "b"]),
    "frames_of_numbers": mmpose([1, [2]]),
    "frames_of_nothing": mmpose([None, None]),
    "frames_mixed": mmpose([{"keypoints": KEYPOINTS}, 7]),
    "instances_are_a_number": mmpose({"instance_info": 5}),
    "instances_of_text": mmpose({"instance_info": ["a"]}),
    "instances_of_persons_of_text": mmpose({"instance_info": [{"frame_id": 1, "instances": ["a"]}]}),
    "instances_other_points": mmpose({"instance_info": [
        {"frame_id": 1, "instances": [{"keypoints": KEYPOINTS}, {"keypoints": KEYPOINTS[:9]}]}]}),
    "instances_huge_number": mmpose({"instance_info": [
        {"frame_id": 1, "instances": [{"keypoints": [[int(DIGITS), 1]] * 133}]}]}),
    "instances_scores_short": mmpose({"instance_info": [
        {"frame_id": 1, "instances": [{"keypoints": KEYPOINTS, "keypoint_scores": [1]}]}]}),
    "instances_scores_text": mmpose({"instance_info": [
        {"frame_id": 1, "instances": [{"keypoints": KEYPOINTS, "keypoint_scores": "high"}]}]}),
    "numbers_of_frames_huge": mmpose({"instance_info": [
        {"frame_id": int(DIGITS), "instances": [{"keypoints": KEYPOINTS}]}] * 2}),
    "size_is_huge": mmpose({"keypoints": [KEYPOINTS] * 3, "img_shape": [int(DIGITS), 1]}),
    "size_is_text": mmpose({"keypoints": [KEYPOINTS] * 3, "img_shape": "ab"}),
    "rate_is_huge": mmpose({"keypoints": [KEYPOINTS] * 3, "fps": int(DIGITS)}),
    "rate_is_infinite": mmpose({"keypoints": [KEYPOINTS] * 3, "fps": 1e999}),
    "scores_ragged": mmpose({"keypoints": [KEYPOINTS] * 3, "scores": [[1], [1, 2]]}),
    "scores_text": mmpose({"keypoints": [KEYPOINTS] * 3, "scores": ["a", "b", "c"]}),
    "scores_huge": mmpose({"keypoints": [KEYPOINTS] * 3, "scores": [int(DIGITS)] * 3}),
    "parts_of_text": mmpose({"left_hand": "a", "right_hand": "b"}),
    "parts_ragged": mmpose({"left_hand": [[1], [1, 2]], "right_hand": [[1]]}),
    "parts_huge": mmpose({"left_hand": [[int(DIGITS)] * 42] * 2, "right_hand": [[1] * 42] * 2}),
    "parts_empty": mmpose({"left_hand": [], "right_hand": []}),
    "crowd_of_json": mmpose([[]] * 20_000 + [[[[0.5, 0.5]] * 133] * 2000]),
    # parquet
    "rows_types_numbers": {"book/a.parquet": rows(type=[1, 2, 3, 4])},
    "rows_index_text": {"book/a.parquet": rows(landmark_index=["a", "b", "c", "d"])},
    "rows_index_broken": {"book/a.parquet": rows(landmark_index=[0.5, 1.5, 2.5, 3.5])},
    "rows_index_missing": {"book/a.parquet": rows(landmark_index=[0, None, 1, None])},
    "rows_index_negative": {"book/a.parquet": rows(landmark_index=[-1, -2, -3, -4])},
    "rows_x_text": {"book/a.parquet": rows(x=["a", "b", "c", "d"])},
    "rows_x_lists": {"book/a.parquet": rows(x=[[1], [2], [3], [4]])},
    "rows_frames_mixed": {"book/a.parquet": rows(frame=["a", None, "b", None])},
    "rows_frames_lists": {"book/a.parquet": rows(frame=[[1], [2], [3], [4]])},
    "rows_none": {"book/a.parquet": rows(**dict.fromkeys(COLUMNS, ()))},
    "rows_a_hundred_million": {"book/a.parquet": bomb_of_rows},
    "wide_text": {"book/a.parquet": parquet(pd.DataFrame({"x_pose_0": ["a"], "y_pose_0": ["b"]}))},
    "wide_other": {"book/a.parquet": parquet(pd.DataFrame({"a\nb": [1]}))},
    "parquet_cut": {"book/a.parquet": rows()[:-20]},
    "parquet_marks": {"book/a.parquet": b"PAR1" + bytes(50) + b"PAR1"},
    # SPOTER
    "spoter_more_cells": {"a.csv": spoter(more=",x,y")},
    "spoter_fewer_cells": {"a.csv": spoter().replace(b',"book"', b"").rsplit(b",", 2)[0] + b"\n"},
    "spoter_number": {"a.csv": spoter(cell="5")},
    "spoter_nested": {"a.csv": spoter(cell="[[1, 2], [3, 4]]")},
    "spoter_ragged": {"a.csv": spoter(cell="[[1], [3, 4]]")},
    "spoter_named": {"a.csv": spoter(cell='{"a": 1}')},
    "spoter_deep": {"a.csv": spoter(other=DEEP)},
    "spoter_digits": {"a.csv": spoter(other=f"[{DIGITS}, 1, 2]")},
    "spoter_lengths": {"a.csv": spoter(other="[1]")},
    "spoter_empty_lists": {"a.csv": spoter(cell="[]")},
    "spoter_rate": {"a.csv": spoter(fps="1.2.3")},
    "spoter_rate_huge": {"a.csv": spoter(fps="9" * 400)},
    "spoter_sizes": {"a.csv": spoter(header=("video_size_width", "video_size_height")).replace(b',"1"', b',"nan"')},
    "spoter_no_text": {"a.csv": spoter().replace(b"book", b"\xff")},
    "spoter_column_twice": {"a.csv": spoter().replace(b"leftEye_X", b"nose_X")},
    # .pose
    "pose_of_a_million_parts": {"book/a.pose": POSE + struct.pack("<HHHH", 9, 9, 9, 65535) + bytes(200)},
    "pose_of_long_names": {"book/a.pose": POSE + struct.pack("<HHHH", 9, 9, 9, 1) + b"\xff\xff" + b"a" * 99},
    "pose_not_text": {"book/a.pose": POSE + struct.pack("<HHHH", 9, 9, 9, 1) + b"\x02\x00\xff\xfe" + bytes(99)},
    # a folder a clip, a file a frame
    "frames_named_by_no_digit": {"book/a/\u00b2.npy": npy(np.zeros((21, 2))), "book/a/1.npy": npy(np.zeros((21, 2)))},
    "frames_of_shapes": {"book/a/1.npy": npy(np.zeros(42)), "book/a/2.npy": npy(np.zeros(43))},
    "frames_of_text": {"book/a/1.npy": npy(np.zeros(42)), "book/a/2.npy": npy(np.array(["a"] * 42))},
    "frames_of_dates": {"book/a/1.npy": npy(np.zeros(42, "M8[s]")), "book/a/2.npy": npy(np.zeros(42, "M8[s]"))},
    "frames_of_complex": {"book/a/1.npy": npy(np.zeros(42, complex)), "book/a/2.npy": npy(np.zeros(42, complex))},
    # LSFB's folders
    "lsfb_text": {f"{part}/a.npy": npy(np.array([["a"] * 42])) for part in ("pose", "left_hand", "right_hand")},
    "lsfb_no_axis": {f"{part}/a.npy": npy(np.float32(1)) for part in ("pose", "left_hand", "right_hand")},
    "lsfb_pickle": {f"{part}/a.npy": b"\x80\x04cos\nsystem\n." for part in ("pose", "left_hand", "right_hand")},
    "lsfb_lengths": {f"{part}/a.npy": npy(np.zeros((i + 2, 33 if part == "pose" else 21, 2)))
                     for i, part in enumerate(("pose", "left_hand", "right_hand"))},
    # X and y
    "set_labels_dates": {"X.npy": npy(np.zeros((3, 4, 75, 2), "f4")), "y.npy": npy(np.zeros(3, "M8[s]"))},
    "set_labels_nan": {"X.npy": npy(np.zeros((3, 4, 75, 2), "f4")), "y.npy": npy(np.full(3, np.nan))},
    "set_labels_infinite": {"X.npy": npy(np.zeros((3, 4, 75, 2), "f4")), "y.npy": npy(np.full(3, np.inf))},
    "set_labels_complex": {"X.npy": npy(np.zeros((3, 4, 75, 2), "f4")), "y.npy": npy(np.zeros(3, complex))},
    "set_labels_empty_rows": {"X.npy": npy(np.zeros((3, 4, 75, 2), "f4")), "y.npy": npy(np.zeros((3, 0)))},
    "set_of_text": {"X.npy": npy(np.full((3, 4, 75, 2), "a")), "y.npy": npy(np.arange(3))},
    "set_of_dates": {"X.npy": npy(np.zeros((3, 4, 75, 2), "M8[s]")), "y.npy": npy(np.arange(3))},
    "set_of_complex": {"X.npy": npy(np.zeros((3, 4, 75, 2), complex)), "y.npy": npy(np.arange(3))},
    # plain arrays
    "npy_dates": {"book/a.npy": npy(np.zeros((4, 75, 2), "M8[s]"))},
    "npy_complex": {"book/a.npy": npy(np.full((4, 75, 2), 0.5 + 1j))},
    "npy_truth": {"book/a.npy": npy(np.ones((4, 75, 2), bool))},
    "npy_text": {"book/a.npy": npy(np.full((4, 75, 2), "a"))},
    "npy_empty_axis": {"book/a.npy": npy(np.zeros((0, 75, 2)))},
    "npy_empty_points": {"book/a.npy": npy(np.zeros((4, 75, 0)))},
    "npy_five_axes": {"book/a.npy": npy(np.zeros((1, 1, 4, 75, 2)))},
    "npy_persons": {"book/a.npy": npy(np.zeros((4, 0, 75, 2)))},
}  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    def of(name, where=None):
        where = where or tmp_path_factory.mktemp("readers")
        files = CASES[name]
        folder = where / "mine"
        for file, data in {"fine/good.npy": GOOD, **files}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data() if callable(data) else data)
        began = time.process_time()  # the files are made: what counts is reading them
        try:
            build("x", "local", {"folder": str(folder)}, where / "s", say=lambda line: None)
            return ClipStore.open(where / "s")
        finally:
            assert time.process_time() - began < 5

    return of


@pytest.mark.parametrize("name", CASES)
def test_each_is_left_out_or_is_one_line(name, outcome):
    try:
        store = outcome(name)
    except UserError as error:
        lines = str(error).splitlines()
        assert len(lines) == 1
        assert len(lines[0]) < 1500
    else:
        dropped = store.card["dropped"]["clips"]
        assert all("\n" not in drop["reason"] and len(drop["reason"]) < 300 for drop in dropped)
        assert "fine" in set(store.clips["gloss"])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["c8", "c16", "?", "M8[s]", "m8[s]"])
def test_an_array_of_no_numbers_is_left_out_alone(kind, tmp_path):
    """Not with the others of its shape, whose meaning is decided together."""
    for name, data in (("a/bad", npy(np.ones((4, 75, 2), kind))), ("b/good", GOOD)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.npy").write_bytes(data)
    build("x", "local", {"folder": str(tmp_path)}, tmp_path / "s", say=lambda line: None)
    store = ClipStore.open(tmp_path / "s")
    assert list(store.clips["gloss"]) == ["b"]
    assert store.card["dropped"]["count"] == 1
