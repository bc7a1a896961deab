"""Numbers that are read as a clip and are no signer's are said first, by the import and by `data check`."""

import numpy as np
import pytest
from bodies import arranged, signer
from kinds import imported

from sslslr.data.check import examine
from sslslr.pose.skeleton import BODY
from sslslr.utils.errors import UserError

RNG = np.random.default_rng(0)


def measured_from_wrists(clip):
    hands = clip[:, :42].reshape(-1, 2, 21, 2)
    return (hands - hands[:, :, :1]).reshape(-1, 42, 2)


def in_boxes(clip):
    hands = clip[:, :42].reshape(-1, 2, 21, 2)
    low, high = hands.min(axis=2, keepdims=True), hands.max(axis=2, keepdims=True)
    return ((hands - low) / (high - low)).reshape(-1, 42, 2)


def written(folder, change, clips=4):
    (folder / "book").mkdir(parents=True)
    for number in range(clips):
        np.save(folder / f"book/{number}.npy", change(signer(12, number)))
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda clip: RNG.random(clip.shape), "no hand lies at a wrist of a body in any order"),
        (lambda clip: np.diff(clip, axis=0), "differences between frames"),
        (measured_from_wrists, "both hands lie over one another in most frames"),
        (in_boxes, "both hands lie over one another in most frames"),
    ],
)  # fmt: skip
def test_what_is_no_signer_is_said_first(tmp_path, change, said):
    lines = []
    store = imported(written(tmp_path / "in", change), tmp_path / "s", said=lines)
    assert lines[0].startswith("x: WARNING: ")
    assert said in lines[0]
    assert "hands at the body's wrists" not in store.card["conversion"]["recognised"][1]
    findings, _ = examine(store)
    assert any(said in finding for finding in findings), findings
    assert not any("exchanged" in finding for finding in findings), findings


def test_hands_or_a_body_alone_are_no_fault(tmp_path):
    for name, part in (("hands", slice(42)), ("body", BODY)):
        lines = []
        layout = {"layout": "body"} if part == BODY else {}
        folder = written(tmp_path / name, lambda clip, part=part: clip[:, part])
        store = imported(folder, tmp_path / f"{name}.s", said=lines, **layout)
        assert not any("WARNING" in line for line in lines)
        assert any("No hand in any frame of 4 clips" in line for line in lines) == (part == BODY)
        assert part == BODY or examine(store)[0] == []


def test_pixels_in_half_precision_are_looked_at_without_a_warning(tmp_path, recwarn):
    folder = written(tmp_path / "in", lambda clip: (clip * (1920, 1080)).astype(np.float16))
    imported(folder, tmp_path / "s", width=1920, height=1080)
    assert not len(recwarn)


@pytest.mark.parametrize(
    ("scale", "options", "said"),
    [
        (900, {"unit": "image"}, "in pixels or per cent, but --unit image was said"),
        (1, {"unit": "percent"}, "0 to 1 or normalised, but --unit percent was said"),
        (1, {"layout": "body-left"}, r"in which the layout body-left \(54 points\) is no axis"),
    ],
)
def test_an_option_that_does_not_fit_is_named(tmp_path, scale, options, said):
    folder = written(tmp_path / "in", lambda clip: clip * scale, 2)
    with pytest.raises(UserError, match=said):
        imported(folder, tmp_path / "s", **options)


def test_a_clip_that_is_refused_is_not_counted_among_those_that_look_odd(tmp_path):
    folder, lines = written(tmp_path / "in", lambda clip: clip), []
    np.save(folder / "book/odd.npy", arranged(signer(12, 9), "right-body-left"))
    imported(folder, tmp_path / "s", on_bad="drop", said=lines)
    assert not any("WARNING" in line for line in lines)
    assert any("its points are in the order right-body-left" in line for line in lines)


def test_a_last_frame_that_is_repeated_is_named_by_the_check(tmp_path):
    folder = written(tmp_path / "in", lambda clip: clip)
    clip = signer(12, 9)
    np.save(folder / "book/held.npy", np.concatenate([clip, np.repeat(clip[-1:], 9, axis=0)]))
    findings, notes = examine(imported(folder, tmp_path / "s"))
    assert findings == []
    assert "The last frame is repeated at the end of 1 clip ('book/held')" in "\n".join(notes)
