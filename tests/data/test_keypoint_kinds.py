"""Every kind of keypoints that is read comes out as the clip that went in, or as one line that says why not."""

# ruff: noqa: E501 (tables of inputs, one kind a line)

import itertools

import numpy as np
import pytest
from bodies import arranged, signer
from kinds import CLIP, SIZE, flat, imported, npy, one, one_again, same

from sslslr.data.check import examine
from sslslr.data.conversion.plan import size_before
from sslslr.pose.layouts import named
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

with_third = np.concatenate([CLIP, np.full((8, 75, 1), -0.1, np.float32)], axis=2)
with_score = np.concatenate([CLIP, np.full((8, 75, 1), 0.9, np.float32)], axis=2)
with_visibility = np.concatenate([CLIP, np.zeros((8, 75, 1), np.float32)], axis=2)
with_visibility[:, BODY, 2] = np.linspace(0.1, 1, 33)
ARRAYS = {
    "x y visibility, 0 of hands as MediaPipe has it": with_visibility,
    "75": CLIP, "75 x y z": with_third, "75 x y score": with_score, "42": CLIP[:, :42], "doubles": CLIP.astype(float),
    "big endian": CLIP.astype(">f4"), "Fortran order": np.asfortranarray(CLIP), "halves": CLIP.astype("f2"),
    "543": arranged(CLIP, "body-face-left-right", 3), "553": arranged(CLIP, "body-face478-left-right", 4),
    "543 of Kaggle": arranged(CLIP, "face-left-body-right", 3),
    "576": arranged(CLIP, "body-face-left-right-world", 3), "flat 150": CLIP.reshape(8, 150),
    "flat 225": with_third.reshape(8, 225), "flat 84": CLIP[:, :42].reshape(8, 84),
    "flat 1629": arranged(CLIP, "body-face-left-right", 3).reshape(8, -1), "flat 1662": flat(CLIP, 0.9),
    "flat 1692": flat(CLIP, 0.9, 478), "channels first": CLIP.transpose(2, 0, 1),
    "channels, frames, joints, persons": CLIP.transpose(2, 0, 1)[..., None], "persons first": CLIP[None],
    "with an absent second person": np.stack([with_score, 0 * with_score], -1).transpose(2, 0, 1, 3),
    "with a small second person": np.stack([CLIP, 0.3 * CLIP + 0.1], -1).transpose(2, 0, 1, 3),
    "frames, channels": CLIP.transpose(0, 2, 1), "persons second": CLIP[:, None],
    "67 of OpenPose": arranged(CLIP, "openpose25-left-right"), "65": arranged(CLIP, "body23-left-right"),
    "59": arranged(CLIP, "body17-left-right"), "136 of AlphaPose": arranged(CLIP, "halpe26-face68-left-right"), "27": arranged(CLIP, "openhands27"),
    "27 of SAM-SLR": arranged(CLIP, "samslr27"), "31 of SAM-SLR": arranged(CLIP, "samslr31"), "59 of COCO": arranged(CLIP, "coco17-left-right"), "65 of COCO": arranged(CLIP, "coco23-left-right"),
    "two hands of 21": with_third[:, :42].reshape(8, 2, 21, 3), "flat 150, x first": CLIP.transpose(0, 2, 1).reshape(8, 150), "flat 225, x first": with_third.transpose(0, 2, 1).reshape(8, 225),
}  # fmt: skip


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(tmp_path, kind):
    found, _ = one(tmp_path, ".npy", npy(ARRAYS[kind]))
    there = np.isfinite(found[0, :, 0])
    assert there[:42].sum() == (20 if kind[:2] in ("27", "31") else 42)
    orders = {"27": 7, "27 of SAM-SLR": 7, "31 of SAM-SLR": 11, "59": 17, "59 of COCO": 17}
    assert there[42:].sum() == orders.get(kind, there[42:].sum())
    same(found, joints=there)


def test_visibility_of_hands_is_never_stated_by_mediapipe(tmp_path):
    array = np.concatenate([with_third, np.ones((8, 75, 1), np.float32)], axis=2)
    array[:, :42, 3] = 0
    array[:3, BODY.start + 25, 3] = 0
    found, _ = one(tmp_path, ".npy", npy(array))
    same(found[:, :42], CLIP[:, :42])
    assert np.isnan(found[:3, BODY.start + 25]).all()
    same(found[3:], CLIP[3:])


def test_orders_that_are_not_the_usual_one(tmp_path):
    array = npy(arranged(CLIP, "body-left-right"))
    with pytest.raises(UserError, match="do as body-left-right.*--layout body-left-right"):
        one(tmp_path, ".npy", array)
    (tmp_path / "in/twin.npy").write_bytes(array)
    labels = tmp_path / "in/labels.csv"
    labels.write_text(labels.read_text() + "twin.npy,book\n")
    with pytest.raises(UserError, match=r"same holds for all clips like it\.$"):
        imported(tmp_path / "in", tmp_path / "two")
    (tmp_path / "b").mkdir()
    same(one(tmp_path / "b", ".npy", array, layout="body-left-right")[0])
    with pytest.raises(UserError, match="'arms' is no part"):
        imported(tmp_path / "in", tmp_path / "s", layout="body-arms")


ORDERS = ["-".join(order) for order in itertools.permutations(("left", "right", "body"))]


@pytest.fixture(scope="module")
def real(shared_data):
    held = np.load(shared_data / "indian_holistic/clips.npz")
    return held["xy"][: held["offsets"][1]].astype(np.float32)


@pytest.mark.parametrize("coordinates", [2, 3])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("clip", ["made", "real"])
def test_every_order_of_the_parts_is_taken_or_named(tmp_path, request, clip, order, coordinates):
    frames = CLIP if clip == "made" else request.getfixturevalue("real")
    array = arranged(frames, order, coordinates)
    array[..., 2:] = np.random.default_rng(0).normal(-0.1, 0.1, array[..., 2:].shape)
    said = []
    if order.endswith("body"):  # the usual order, or its hands exchanged
        one(tmp_path, ".npy", npy(array), said)
        assert any("--exchange-hands" in line for line in said) == (order == "right-left-body")
        options = {"exchange_hands": order == "right-left-body"}
    else:
        with pytest.raises(UserError, match=f"do as {order}.*--layout {order} "):
            one(tmp_path, ".npy", npy(array))
        options = {"layout": order}
    store = imported(tmp_path / "in", tmp_path / "t", said=(said := []), **options)
    assert not any("WARNING: left and right" in line for line in said)
    same(np.asarray(store.frames(0), np.float32), frames)


@pytest.mark.parametrize(
    "order",
    ["openhands27", "samslr27", "body17-left-right", "coco17-left-right"],
)
def test_bodies_of_as_many_points_are_told_by_their_wrists(tmp_path, real, order):
    array = np.nan_to_num(
        arranged(real, order)
    )  # what the 75 joints lack is put there by `arranged`
    found, _ = one(tmp_path, ".npy", npy(array))
    same(found, np.where(named(order).places[:, None] >= 0, real, np.nan))


@pytest.mark.parametrize("order", [order for order in ORDERS if not order.endswith("body")])
def test_one_clip_in_another_order(tmp_path, order):
    folder = tmp_path / "in"
    for number in range(9):
        (folder / "book").mkdir(parents=True, exist_ok=True)
        np.save(folder / f"book/{number}.npy", signer(seed=number))
    np.save(folder / "book/3.npy", arranged(CLIP, order))
    store = imported(folder, tmp_path / "s", on_bad="drop")
    assert store.card["dropped"]["by_reason"] == {
        f"its points are in the order {order}, unlike the other clips'": 1
    }


def test_pixels_per_cent_and_parts_of_the_image(tmp_path):
    for number, (array, columns, options) in enumerate(
        (
            (CLIP * SIZE, (",width,height", ",1280,720"), {}),
            (np.round(CLIP * SIZE).astype(int), ("", ""), {"width": 1280, "height": 720}),
            (CLIP * 100, ("", ""), {"unit": "percent"}),
            (np.concatenate([np.full((8, 1, 3), (1280, 720, 0)), arranged(CLIP * SIZE, "coco133", 3)], axis=1), ("", ""), {}),
            (CLIP * 80, (",width,height", ",80,80"), {"unit": "pixels"}),
        )
    ):  # fmt: skip
        (tmp_path / str(number)).mkdir()
        found, store = one(tmp_path / str(number), ".npy", npy(array), columns=columns, **options)
        there = np.isfinite(found[0, :, 0]) & (np.arange(75) < 42)
        same(found, joints=there, tolerance=2e-3)
        if number < 2:
            assert store.clips["aspect"][0] == pytest.approx(16 / 9)
    legs = CLIP.copy()
    legs[:, 67:, 1] += 1  # guessed far below the picture
    for number, (array, columns, message) in enumerate(
        (
            (CLIP * SIZE, ("", ""), "coordinates up to .*columns width and height"),
            (CLIP * 100, ("", ""), "--unit percent"),
            (CLIP * 100, (",width,height", ",1920,1080"), "per cent, or pixels of a smaller one"),
            (
                CLIP * SIZE * 3,
                (",width,height", ",320,240"),
                "in an image that is said to be 320 x 240",
            ),
            ((CLIP - 0.5) * 900, ("", ""), "around zero that reach"),
            (legs * 100, (",width,height", ",1920,1080"), "per cent, or pixels of a smaller one"),
        )
    ):
        (tmp_path / f"bad{number}").mkdir()
        with pytest.raises(UserError, match=message):
            one(tmp_path / f"bad{number}", ".npy", npy(array), columns=columns)


SAID = {
    "x and y exchanged": (CLIP[..., ::-1], "WARNING: the shoulders lie above one another"),
    "a quarter turn": (np.stack([1 - CLIP[..., 1], CLIP[..., 0]], -1), "WARNING: the shoulders lie above one another"),
    "centred": (CLIP * 4 - (2, 1.8), "Coordinates around zero in 1 clip: taken as normalised"),
    "last frame repeated": (np.concatenate([CLIP, np.repeat(CLIP[-1:], 9, 0)]), "last frame of 1 clip is repeated"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAID)
def test_what_a_person_must_see_is_said(tmp_path, kind):
    array, line = SAID[kind]
    said = []
    one(tmp_path, ".npy", npy(array), said)
    assert any(line in text for text in said), said


def test_pixels_of_several_sizes_and_of_a_wrong_one(tmp_path):
    folder, sizes = tmp_path / "in", [(320, 240), (1920, 1080), (1920, 1080)]
    folder.mkdir()
    for number, size in enumerate(sizes):
        np.save(folder / f"{number}.npy", CLIP * size)
    rows = [f"{number}.npy,book,{w},{h}\n" for number, (w, h) in enumerate(sizes)]
    (folder / "labels.csv").write_text("file,gloss,width,height\n" + "".join(rows))
    store = imported(folder, tmp_path / "s")
    for number in range(3):
        same(np.asarray(store.frames(number), np.float32))
    (tmp_path / "b").mkdir()
    with pytest.raises(
        UserError, match="hands lie outside of an image of 1280 x 720: width and height may"
    ):
        one(tmp_path / "b", ".npy", npy(CLIP * SIZE[::-1]), columns=(",width,height", ",1280,720"))


def test_a_clip_in_another_unit_than_the_others(tmp_path):
    folder = tmp_path / "in/book"
    folder.mkdir(parents=True)
    for number in range(30):
        np.save(folder / f"{number:02d}.npy", signer(seed=number) * (SIZE if number == 13 else 1))
    store = imported(tmp_path / "in", tmp_path / "s", on_bad="drop")
    assert len(store) == 29
    assert "the other clips lie within 0 to 1" in store.card["dropped"]["clips"][0]["reason"]


@pytest.mark.parametrize("odd", [CLIP, (CLIP - (0.5, 0.45)) / 0.24])
@pytest.mark.parametrize("places", [range(13, 14), range(0, 30, 2)])
def test_clips_of_0_to_1_or_normalised_among_pixels(tmp_path, odd, places):
    folder = tmp_path / "in/book"
    folder.mkdir(parents=True)
    odd = odd * np.where(np.arange(75) == 70, 3, 1)[:, None]  # a foot far below
    for number in range(30):
        np.save(folder / f"{number:02d}.npy", odd if number in places else CLIP * SIZE)
    with pytest.raises(
        UserError, match="other clips are in pixels|two units|mostly|not 0 to 1|lie within"
    ):
        imported(tmp_path / "in", tmp_path / "s", width=1280, height=720)


@pytest.mark.parametrize("pixels", [False, True])
def test_134_points_begin_with_a_nose_or_with_the_size(tmp_path, pixels):
    # As DWPose and rtmlib's `to_openpose` turn the 133 points of COCO-WholeBody.
    whole = arranged(CLIP, "coco133") * (SIZE if pixels else 1)
    points = np.insert(whole, 17, whole[:, [5, 6]].mean(axis=1), axis=1)
    coco = points[:, [17, 6, 8, 10, 7, 9, 12, 14, 16, 13, 15, 2, 1, 4, 3]]
    points[:, [1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17]] = coco
    columns = (",width,height", ",1280,720") if pixels else ("", "")
    usual, _ = one(tmp_path, ".npy", npy(whole), columns=columns)
    found, store = one_again(tmp_path, ".npy", npy(points), columns=columns)
    there = np.isfinite(found[0, :, 0])
    assert there.sum() == 42 + 21
    same(found, usual, there)
    scored = np.pad(np.concatenate([whole, np.ones((8, 133, 1))], 2), ((0, 0), (1, 0), (0, 0)))
    scored[:, 0] = [*SIZE, 0]
    (tmp_path / "size").mkdir()
    found, store = one(tmp_path / "size", ".npy", npy(scored))
    assert store.clips["aspect"][0] == pytest.approx(16 / 9)
    if pixels:
        same(found, usual)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("missing", [0, np.nan])
def test_of_134_points_those_that_were_not_found_do_not_tell_a_nose_from_the_size(missing):
    points = np.full((1, 134, 2), missing)
    points[:, :20] = CLIP[0, BODY.start : BODY.start + 20] * SIZE  # most of one frame is not found
    assert size_before(points) is None
    points[:, 0], points[:, 1:] = SIZE, missing
    assert size_before(points) == tuple(SIZE)


@pytest.mark.parametrize("places", [range(3, 4), range(1, 8, 2), range(1, 8)])
def test_clips_normalised_among_parts_of_the_image(tmp_path, places):
    normalised = (CLIP - (0.5, 0.45)) / 0.24
    rows = ["file,gloss"]
    for number in range(8):
        np.save(tmp_path / f"{number}.npy", normalised if number in places else CLIP)
        rows.append(f"{number}.npy,book")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    with pytest.raises(
        UserError, match="'[03]'.*(normalised, but the other|the other.* normalised)"
    ):
        imported(tmp_path, tmp_path / "s")
    store = imported(tmp_path, tmp_path / "s", on_bad="drop")
    assert store.card["dropped"]["count"] == min(len(places), 8 - len(places)) or len(places) == 4


@pytest.mark.parametrize("layout", ["coco133", "openpose25-left-right"])
def test_scores_of_detectors_go_beyond_1(tmp_path, layout):
    array = np.concatenate(
        [arranged(CLIP, layout), np.full((8, named(layout).points, 1), 7.5)], axis=2
    )
    array[2, named(layout).places[3], 2] = 0.1
    found, _ = one(tmp_path, ".npy", npy(array))
    assert np.isnan(found[2, 3]).all()
    same(found[3:], CLIP[3:], slice(0, 42))


def test_a_third_coordinate_that_is_a_confidence(tmp_path):
    array, said = with_score.copy(), []
    array[2:4, LEFT_HAND, 2] = 0.05
    array[2:4, LEFT_HAND, :2] = 0.99
    found, store = one(tmp_path, ".npy", npy(array), said)
    assert np.isnan(found[2:4, LEFT_HAND]).all()
    same(found[4:], CLIP[4:])
    assert "x: 42 joints of too little confidence count as missing." in said
    assert store.card["conversion"]["unsure"] == 42
    kept, _ = one_again(tmp_path, ".npy", npy(array), min_confidence=0.01)
    assert np.isfinite(kept).all()


def test_zeros_padding_and_other_fillers(tmp_path):
    padded = np.zeros((20, 75, 2), np.float32)
    padded[:8] = CLIP
    padded[3, RIGHT_HAND] = 0
    said = []
    found, _ = one(tmp_path, ".npy", npy(padded), said)
    assert found.shape == (8, 75, 2)
    assert np.isnan(found[3, RIGHT_HAND]).all()
    assert "x: Empty frames cut off at the end of 1 clip: 12." in said
    (tmp_path / "b").mkdir()
    padded[3, RIGHT_HAND] = -1
    found, _ = one(tmp_path / "b", ".npy", npy(padded[:8]))
    assert np.isnan(found[3, RIGHT_HAND]).all()
    same(found[4:], CLIP[4:])


@pytest.mark.parametrize("exchange", [False, True])
def test_exchanged_hands(tmp_path, exchange):
    said = []
    swapped = np.concatenate([CLIP[:, RIGHT_HAND], CLIP[:, LEFT_HAND], CLIP[:, BODY]], axis=1)
    found, _ = one(tmp_path, ".npy", npy(swapped), said, exchange_hands=exchange)
    same(found, CLIP if exchange else swapped)
    assert ("look exchanged in 100 %" in said[0]) == (not exchange)


SOME = {
    "hand look exchanged": CLIP[:, [*range(21, 42), *range(21), *range(42, 75)]],
    "mirrored": CLIP * (-1, 1) + (1, 0),
    "y upwards": CLIP * (1, -1) + (0, 1),
}


@pytest.mark.parametrize("kind", SOME)
def test_some_clips_in_another_convention_are_said_first(tmp_path, kind):
    rows = ["file,gloss"]
    for number in range(6):
        np.save(tmp_path / f"{number}.npy", SOME[kind] if number % 2 else CLIP)
        rows.append(f"{number}.npy,book")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    said = []
    store = imported(tmp_path, tmp_path / "s", said=said)
    assert "WARNING" in said[0]
    assert kind in said[0]
    assert "in 3 of 6 clips" in said[0]
    assert any("in 3 of 6 clips" in finding for finding in examine(store)[0])


def test_a_picture_upside_down_or_mirrored_is_said_first(tmp_path):
    said = []
    one(tmp_path, ".npy", npy(1 - CLIP), said)
    assert "noses lie below" in said[0]
    assert "left of the picture" in said[1]
