"""Parquet of Kaggle's two competitions: a row a landmark, and a row a frame."""

import io

import numpy as np
import pandas as pd
import pytest
from bodies import signer
from kinds import CLIP, imported, one, one_again, same

from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

OTHER = signer(8, 1)


def test_parquet_of_kaggle(tmp_path):
    rows = [
        (frame, kind, index, *point, 0.0)
        for frame, points in enumerate(CLIP)
        for kind, where in (("left_hand", LEFT_HAND), ("pose", BODY), ("right_hand", RIGHT_HAND))
        for index, point in enumerate(points[where])
    ]
    table = pd.DataFrame(rows, columns=["frame", "type", "landmark_index", "x", "y", "z"])
    folder = tmp_path / "in"
    place = folder / "train_landmark_files/26734"
    place.mkdir(parents=True)
    table.astype({"x": "float32", "y": "float32"}).to_parquet(place / "1000035562.parquet")
    with pytest.raises(UserError, match=r"a participant's number.* glosses stand in train\.csv"):
        imported(folder, tmp_path / "s")
    (folder / "train.csv").write_text(
        "path,participant_id,sequence_id,sign\n"
        "train_landmark_files/26734/1000035562.parquet,26734,1000035562,book\n"
    )
    store = imported(folder, tmp_path / "s")
    told = store.clips.loc[0, ["clip_id", "gloss", "signer"]].tolist()
    assert told == ["1000035562", "book", "26734"]
    same(store.frames(0))


def sequences(clips, number=1000):
    """Kaggle's fingerspelling: a row a frame, the clips one after another."""
    parts = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "pose": BODY}
    tables = []
    for clip in clips:
        values = {
            f"{axis}_{part}_{point}": clip[:, where][:, point, place]
            for part, where in parts.items()
            for place, axis in enumerate("xy")
            for point in range(clip[:, where].shape[1])
        }
        tables.append(
            pd.DataFrame({"frame": np.arange(len(clip)), "sequence_id": number, **values})
        )
        number += 1
    return pd.concat(tables).set_index("sequence_id")


def parquet(table):
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()


def test_parquet_with_a_row_a_frame(tmp_path):
    table = sequences([CLIP])
    same(one(tmp_path, ".parquet", parquet(table))[0])
    expected = CLIP.copy()
    expected[3] = np.nan
    same(one_again(tmp_path, ".parquet", parquet(table[table["frame"] != 3]))[0], expected)


def test_parquet_of_several_clips_is_no_clip(tmp_path):
    with pytest.raises(UserError, match=r"2 sequences \(sequence_id\) in one file: write each"):
        one(tmp_path, ".parquet", parquet(sequences([CLIP, OTHER])))
    row = {"frame": [0, 0], "type": "pose", "landmark_index": 3, "x": [0.1, 0.2], "y": 0.5}
    with pytest.raises(
        UserError, match="landmarks of pose that stand twice in a frame: several clips or"
    ):
        one_again(tmp_path, ".parquet", parquet(pd.DataFrame(row)))
