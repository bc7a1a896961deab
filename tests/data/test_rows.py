"""A csv with a row a frame: how its columns may be called, and which rows are one clip."""

import numpy as np
import pandas as pd
import pytest
from bodies import arranged, signer
from kinds import CLIP, imported, same

from sslslr.pose.skeleton import BODY_NAMES, HAND_NAMES, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

PARTS = {"pose": 33, "left_hand": 21, "right_hand": 21}
XYZ = arranged(CLIP, "body-left-right", 3)
XYZ[..., 2] = -0.1
FINGERS = [name.replace("_", "_finger_") if name[0] in "imr" else name for name in HAND_NAMES]


def columns(form, names=PARTS, axes="xyz"):
    return [
        form.format(p=p, i=i, a=a) for p, count in names.items() for i in range(count) for a in axes
    ]


NAMED = [
    *(f"{name}_{axis}".upper() for name in BODY_NAMES for axis in "xyz"),
    *(
        f"{side}_hand_{name}_{axis}"
        for side in ("left", "right")
        for name in FINGERS
        for axis in "xyz"
    ),
]
MIXED = [
    c.replace("left_hand", "lh").replace("right_hand", "rh")
    for c in columns("{p}_landmarks_{a}{i}")
]
FORMS = {
    "x_left_hand_0": (columns("{a}_{p}_{i}"), {}),
    "left_hand_0_x": (columns("{p}_{i}_{a}"), {"index": True}),
    "leftHand[0].x": (columns("{p}[{i}].{a}", {"pose": 33, "leftHand": 21, "rightHand": 21}), {}),
    "lh_landmarks_x0": (MIXED, {}),
    "LEFT_WRIST_X": (NAMED, {"sep": "\t"}),
    "decimal commas": (columns("{p}_{i}_{a}"), {"sep": ";", "decimal": ","}),
}


@pytest.mark.parametrize("form", FORMS)
def test_columns_called_by_part_and_number_or_by_joint(tmp_path, form):
    names, written = FORMS[form]
    (tmp_path / "in").mkdir()
    frame = pd.DataFrame(XYZ.reshape(8, -1), columns=names)
    frame.to_csv(tmp_path / "in/c0.csv", **{"index": False, **written})
    (tmp_path / "in/labels.csv").write_text("file,gloss\nc0.mp4,book\n")
    same(imported(tmp_path / "in", tmp_path / "s").frames(0))


@pytest.mark.parametrize("form", ["kp{i}_{a}", "{a}{i}", "numbers", "none", "blanks"])
def test_points_without_names_are_read_as_an_array_is(tmp_path, form):
    (tmp_path / "in/book").mkdir(parents=True)
    alone = form in ("numbers", "none", "blanks")
    names = range(150) if alone else columns(form, {"": 75}, "xy")
    frame = pd.DataFrame(CLIP.reshape(8, -1), columns=names)
    separator = " " if form == "blanks" else ","
    frame.to_csv(
        tmp_path / "in/book/a.txt",
        index=False,
        header=form in ("kp{i}_{a}", "{a}{i}", "numbers"),
        sep=separator,
    )
    same(imported(tmp_path / "in", tmp_path / "s").frames(0))


def test_points_from_one_some_of_the_body_and_a_confidence(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    names = columns("{p}_{i}_{a}", PARTS, ("x", "y", "score"))
    held = XYZ.copy()
    held[..., 2] = 0.9
    held[3, 33 + 4, 2] = 0.1  # the tip of the left thumb
    frame = pd.DataFrame(held.reshape(8, -1), columns=names)
    frame = frame.drop(columns=[c for c in frame if c.startswith(("pose_1_", "pose_30_"))])
    frame.columns = [
        f"{p}_{int(i) + (p != 'pose')}_{a}" for p, i, a in (c.rsplit("_", 2) for c in frame)
    ]
    frame.to_csv(tmp_path / "in/book/a.csv", index=False)
    expected = CLIP.copy()
    expected[:, [43, 72]] = np.nan
    expected[3, 4] = np.nan
    same(imported(tmp_path / "in", tmp_path / "s").frames(0), expected)


def test_25_points_of_a_body_are_whose_wrists_have_the_hands(tmp_path):
    for order in ("openpose25-left-right", "body25-left-right"):
        (tmp_path / order / "book").mkdir(parents=True)
        names = columns("{p}_{i}_{a}", {**PARTS, "pose": 25}, "xy")
        frame = pd.DataFrame(arranged(CLIP, order).reshape(8, -1), columns=names)
        frame.to_csv(tmp_path / order / "book/a.csv", index=False)
        store = imported(tmp_path / order, tmp_path / f"{order}.s")
        assert f"order {order}" in " ".join(store.card["conversion"]["recognised"])
        same(store.frames(0), joints=[*range(42), 57, 58])


def test_all_clips_in_one_file_by_a_column(tmp_path):
    (tmp_path / "in").mkdir()
    other = signer(6, 1)
    rows = [
        [name, gloss, split, number, *frame.ravel()]
        for name, gloss, split, clip in (("a", "book", "train", CLIP), ("b", "drink", "dev", other))
        for number, frame in enumerate(clip[:, :42])
        if (name, number) != ("a", 3)
    ]
    names = [
        "video_id",
        "label",
        "split",
        "frame",
        *columns("{p}_{i}_{a}", {"left_hand": 21, "right_hand": 21}, "xy"),
    ]
    table = pd.DataFrame(rows, columns=names)
    table.to_csv(tmp_path / "in/train.csv", index=False)
    store = imported(tmp_path / "in", tmp_path / "s")
    assert store.clips[["gloss", "split"]].to_numpy().tolist() == [
        ["book", "train"],
        ["drink", "val"],
    ]
    gone = CLIP[:, :42].copy()
    gone[3] = np.nan  # its number is left out
    same(store.frames(0)[:, :42], gone)
    same(store.frames(1)[:, :42], other[:, :42])
    table.drop(columns=["video_id"]).to_csv(tmp_path / "in/train.csv", index=False)
    with pytest.raises(
        UserError, match=r"rows of 2 glosses \('book', 'drink'\).*add a column clip_id"
    ):
        imported(tmp_path / "in", tmp_path / "s")
    table.drop(columns=["video_id", "label", "split"]).to_csv(
        tmp_path / "in/train.csv", index=False
    )
    (tmp_path / "in/labels.csv").write_text("file,gloss\ntrain.csv,book\n")
    with pytest.raises(UserError, match="frames that begin anew: several clips"):
        imported(tmp_path / "in", tmp_path / "s")


REFUSED = {
    "pose_17": (
        columns("{p}_{i}_{a}", {**PARTS, "pose": 17}, "xy"),
        "columns of 17 points of body, numbered 0 to 16",
    ),
    "one_axis": (columns("{p}_{i}_{a}", {**PARTS, "pose": 33}, "x"), "x or y alone"),
    "twice": ([*columns("{p}_{i}_{a}")[:-1], "pose_0_x"], "two columns are called pose_0_x"),
    "half": (
        [*columns("{p}_{i}_{a}", axes="xy"), "kp_1_x", "kp_1_y"],
        "columns of point 1 that do not say of which part",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_columns_do_not_tell_is_said(tmp_path, kind):
    names, why = REFUSED[kind]
    (tmp_path / "in/book").mkdir(parents=True)
    pd.DataFrame(np.full((8, len(names)), 0.5), columns=names).to_csv(
        tmp_path / "in/book/a.csv", index=False
    )
    with pytest.raises(UserError, match=why):
        imported(tmp_path / "in", tmp_path / "s")


def test_a_row_in_long_form_and_text_among_numbers(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    parts = (("left_hand", LEFT_HAND), ("right_hand", RIGHT_HAND))
    long = [
        (t, part, i, *point)
        for t in range(8)
        for part, at in parts
        for i, point in enumerate(CLIP[t, at])
    ]
    pd.DataFrame(long, columns=["frame", "type", "landmark_index", "x", "y"]).to_csv(
        tmp_path / "in/book/a.csv", index=False
    )
    same(imported(tmp_path / "in", tmp_path / "s").frames(0)[:, :42], CLIP[:, :42])
    frame = pd.DataFrame(CLIP.reshape(8, -1)).astype(object)
    frame.iloc[5, 7] = "n/k"
    frame.to_csv(tmp_path / "in/book/a.csv", index=False)
    with pytest.raises(UserError, match="column 7 holds what is no number"):
        imported(tmp_path / "in", tmp_path / "s")
