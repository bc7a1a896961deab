"""`data check` on a set with one fault of each kind names each."""

import numpy as np
import pytest
from bodies import arranged, signer

from sslslr.data.check import examine
from sslslr.data.conversion.anatomy import of_hands
from sslslr.data.conversion.pixels import check_pixels
from sslslr.data.readers import ClipError
from sslslr.data.store import ClipStore, writing
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND


def store_of(
    folder, change=lambda clip: clip, glosses=("a", "b"), splits=("train", "test"), clips=None, signers=(None,)
):  # fmt: skip
    with writing(folder, {"dataset": "x"}) as writer:
        for number in range(12):
            clip = (clips or {}).get(number, change(signer(seed=number)))
            gloss, split = glosses[number % len(glosses)], splits[number // 2 % len(splits)]
            person = signers[number % len(signers)]
            writer.add(f"c{number}", clip, gloss=gloss, split=split, signer=person)
    return ClipStore.open(folder)


def exchanged(clip):
    return np.concatenate([clip[:, RIGHT_HAND], clip[:, LEFT_HAND], clip[:, BODY]], axis=1)


def in_boxes(clip):
    """Each hand from 0 to 1 in a box of its own."""
    hands = clip[:, :42].reshape(-1, 2, 21, 2)
    low, high = hands.min(axis=2, keepdims=True), hands.max(axis=2, keepdims=True)
    boxed = ((hands - low) / (high - low)).reshape(-1, 42, 2)
    return np.concatenate([boxed, clip[:, BODY]], axis=1)


def test_a_sound_set_has_no_finding_and_says_its_range(tmp_path):
    findings, notes = examine(store_of(tmp_path / "s"))
    assert findings == []
    assert "shoulder widths" in notes[0]


@pytest.mark.parametrize("hands", [LEFT_HAND, RIGHT_HAND, slice(0, 42)])
def test_hands_without_a_body_tell_nothing_of_an_order(tmp_path, hands, recwarn):
    alone = np.where(np.isin(np.arange(75), np.arange(75)[hands])[:, None], 0, np.nan)
    assert examine(store_of(tmp_path / "s", lambda clip: clip + alone))[0] == []
    assert not len(recwarn)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"change": lambda clip: arranged(clip, "body-left-right")}, "look like body-left-right"),
        ({"change": lambda clip: arranged(clip, "body-right-left")}, "look like body-right-left"),
        ({"change": lambda clip: arranged(clip, "right-body-left")}, "look like right-body-left"),
        ({"change": in_boxes}, "no hand lies at a wrist of the body in"),
        ({"change": exchanged}, "hand look exchanged in 100 %"),
        ({"change": lambda clip: clip * (-1, 1) + (1, 0)}, "left shoulders lie on the left"),
        ({"change": lambda clip: clip * (1, -1) + (0, 1)}, "noses lie below"),
        ({"change": lambda clip: clip / 5000}, "its unit cannot be measured"),
        ({"clips": {3: signer(seed=3) / 5000}}, "1 of 12 clips cannot be used: its unit cannot be measured"),
        ({"clips": {3: np.repeat(signer(seed=3)[:1], 8, axis=0)}}, "nothing moves in 1 clip ('c3')"),
        ({"clips": {3: signer(seed=3) * (1, -1) + (0, 1)}}, "(y upwards) in 1 of 12 clips ('c3')"),
        ({"clips": {3: signer(seed=3) * (-1, 1) + (1, 0)}}, "seen from behind) in 1 of 12 clips ('c3')"),
        ({"clips": {3: signer(seed=3)[..., ::-1]}}, "shoulders lie above one another in 1 of 12 clips ('c3')"),
        ({"clips": {3: in_boxes(signer(seed=3))}}, "no hand lies at a wrist of the body in 1 of 12 clips ('c3')"),
        ({"clips": {3: exchanged(signer(seed=3))}}, "left and right hand look exchanged in 1 of 12 clips ('c3')"),
        ({"signers": ("s1", "S1")}, "1 signer in several spellings, which count as different ('s1' = 'S1')"),
        ({"glosses": ("a", "A")}, "in several spellings, which count as different ('a' = 'A')"),
        ({"glosses": ("a", "b", "a", "c")}, "1 gloss of test has no training clip ('c')"),
        ({"clips": {0: signer(seed=5), 1: signer(seed=5)}}, "equal clips with different glosses: 'c0' (a) = 'c1' (b)"),
        ({"clips": {0: signer(seed=50), 2: signer(seed=50)}}, "1 group of clips have the same keypoints"),
    ],
)  # fmt: skip
def test_one_fault_of_each_kind_is_named(tmp_path, settings, said):
    findings, _ = examine(store_of(tmp_path / "s", **settings))
    assert any(said in finding for finding in findings), findings
    assert len(findings) == 1, findings


def test_of_exchanged_hands_few_clips_are_no_fault_but_are_named(tmp_path):
    with writing(tmp_path / "s", {"dataset": "x"}) as writer:
        for number in range(60):
            clip = signer(seed=number)
            writer.add(f"c{number}", exchanged(clip) if number == 3 else clip, gloss="a")
    findings, notes = examine(ClipStore.open(tmp_path / "s"))
    assert findings == []
    assert "Left and right hand look exchanged in 1 of 60 clips ('c3')." in notes


@pytest.mark.parametrize(
    ("signers", "said"),
    [
        # Of c0, c1, c4, c5, ... (train) and the others (test).
        ([f"s{n}" for n in (0, 0, 1, 2, 0, 0, 0, 3, 0, 0, 1, 2)], "1 of 4 signers of test is in train"),
        (("s0", "s0", "s1", "s2"), ""),  # by signers
        (("s0", "s1", "s2"), ""),  # not by signers
    ],
)  # fmt: skip
def test_a_slip_in_a_split_by_signers_is_named(tmp_path, signers, said):
    findings, _ = examine(store_of(tmp_path / "s", signers=signers))
    assert [said in finding for finding in findings] == [True] * bool(said), findings


def test_a_set_with_a_fault_of_each_kind_names_each(tmp_path):
    """Of the order of the parts alone nothing can be told beside them: it makes the hands no hands."""

    def turned(clip):
        return exchanged(clip * (1, -1) + (0, 1))

    same, copy = turned(signer(seed=70)), turned(signer(seed=80))
    clips = {0: same, 1: same, 2: copy, 4: copy, 9: np.full((4, 75, 2), 0.5)}
    store = store_of(tmp_path / "s", turned, ("a", "A", "b", "c"), clips=clips)
    findings = "\n".join(examine(store)[0])
    for said in (
        "hand look exchanged", "noses lie below", "cannot be used",
        "in several spellings, which count as different ('a' = 'A')",
        "no training clip", "equal clips with different glosses: 'c0' (a) = 'c1' (A)",
        "of clips have the same keypoints",
    ):  # fmt: skip
        assert said in findings, (said, findings)


def test_strange_proportions_and_hands_alone_are_asked_about(tmp_path):
    def narrow(clip):
        return clip * np.array([16 / 9, 9 / 16], np.float32)

    findings, _ = examine(store_of(tmp_path / "exchanged", narrow))
    assert any("were width and height exchanged" in line for line in findings)
    hands = []
    for number in range(20):
        clip = signer(seed=number)
        clip[:, BODY] = np.nan
        clip[:, [9, 30], 1] = clip[:, [0, 21], 1] - 0.02  # fingers up
        hands.append(clip)
    assert of_hands(hands) == []
    assert of_hands([1 - clip for clip in hands[1:]]) == []  # too few
    sides, ups = of_hands([1 - clip for clip in hands])
    assert "left hands lie on the left of the picture in 100 %" in sides
    assert "fingers point down in 100 %" in ups


def test_pixels_beyond_an_image_whose_size_is_exchanged():
    clip = signer() * np.array([1280, 720], np.float32)
    check_pixels([(clip, (1280, 720))], False)
    with pytest.raises(ClipError, match="of one of 1280 x 720: width and height are exchanged"):
        check_pixels([(clip, (720, 1280))], False)
