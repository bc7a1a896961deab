"""A csv a clip: a row a frame, a column a coordinate."""

import numpy as np
import pandas as pd
import pytest
from bodies import signer
from kinds import CLIP, imported, same

from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

OTHER = signer(8, 1)
HANDS = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND}
MISSING = CLIP.copy()
MISSING[:3, LEFT_HAND] = np.nan  # of the first row, too


def named(clip, form, parts=HANDS, first=0):
    columns = {
        form.format(part=part, number=number, axis=axis): clip[:, joint, place]
        for part, joints in parts.items()
        for number, joint in enumerate(range(75)[joints], start=first)
        for place, axis in enumerate("xy")
    }
    return pd.DataFrame(columns)


def plain(clip):
    return pd.DataFrame(clip.reshape(len(clip), -1))


# name: (a table of a clip, how it is written, whether the body is there)
CASES = {
    "part_number_axis": (lambda clip: named(clip, "{part}_{number}_{axis}"), {"index": False}, False),
    "axis_part_number": (lambda clip: named(clip, "{axis}_{part}_{number}"), {"index": False}, False),
    "from_1": (lambda clip: named(clip, "{part}_landmark_{number}_{axis}", first=1), {"index": False}, False),
    "camel_case_and_index": (
        lambda clip: named(clip, "{part}{number}.{axis}", {"leftHand": LEFT_HAND, "rightHand": RIGHT_HAND}), {}, False,
    ),
    "a_label_beside": (
        lambda clip: named(clip, "{part}_{number}_{axis}").assign(label="book"), {"index": False}, False,
    ),
    "no_part": (
        lambda clip: named(clip, "kp{number}_{axis}", {"": slice(0, 75)}), {"index": False}, True,
    ),
    "numbers": (plain, {"index": False, "header": False}, True),
    "counted": (plain, {"index": False}, True),
    "counted_with_index": (plain, {}, True),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_form_gives_the_clip(name, tmp_path):
    make, how, body = CASES[name]
    for gloss, clip in (("book", MISSING), ("drink", OTHER)):
        (tmp_path / "in" / gloss).mkdir(parents=True)
        make(clip).to_csv(tmp_path / "in" / gloss / "a.csv", **how)
    store = imported(tmp_path / "in", tmp_path / "out")
    assert store.clips["gloss"].tolist() == ["book", "drink"]
    for row, clip in enumerate((MISSING, OTHER)):
        found = np.asarray(store.frames(row))
        same(found, clip, joints=slice(0, 75 if body else 42))
        assert body or np.isnan(found[:, BODY]).all()


def test_frames_that_are_left_out_are_put_in(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    table = named(CLIP, "{part}_{number}_{axis}").assign(frame=range(len(CLIP))).drop(index=3)
    table.to_csv(tmp_path / "in/book/a.csv", index=False)
    found = np.asarray(imported(tmp_path / "in", tmp_path / "out").frames(0))
    assert found.shape == CLIP.shape
    assert np.isnan(found[3]).all()
    same(found[4:], CLIP[4:], joints=slice(0, 42))


def test_a_csv_beside_the_same_clip_in_another_format_is_left(tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    np.save(tmp_path / "in/book/a.npy", CLIP)
    plain(OTHER).to_csv(tmp_path / "in/book/a.csv", index=False)
    store = imported(tmp_path / "in", tmp_path / "out")
    assert len(store) == 1
    same(np.asarray(store.frames(0)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda table: table.filter(regex=r"^(?!left_hand_4_)"),
            "left_hand that leave out numbers",
        ),
        (lambda table: table.assign(left_hand_4_x="none"), "no number"),
    ],
)
def test_a_damaged_table_is_said(change, said, tmp_path):
    (tmp_path / "in/book").mkdir(parents=True)
    change(named(CLIP, "{part}_{number}_{axis}")).to_csv(tmp_path / "in/book/a.csv", index=False)
    with pytest.raises(UserError, match=said):
        imported(tmp_path / "in", tmp_path / "out")
