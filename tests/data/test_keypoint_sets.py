"""Files that hold several clips, labels beside arrays, and clips that a table's times do not cut."""

import json
import pickle

import numpy as np
import pytest
from bodies import arranged, signer
from kinds import CLIP, SIZE, imported, labelled, npy, one, same

from sslslr.data.writer import summarise_drops
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError
from sslslr.utils.user_files import LONGEST

OTHER = signer(8, 1)
PARTS = {"pose": BODY, "left_hand": LEFT_HAND, "right_hand": RIGHT_HAND}


def openhands(frames, order="body-left-right"):
    keypoints = arranged(frames, order, 3)
    return {"keypoints": keypoints, "confidences": np.ones(keypoints.shape[:2], np.float32)}


def pickled(folder, held, name="all.pkl"):
    (folder / name).write_bytes(pickle.dumps(held))


def mmaction(folder):
    clips = [
        {"frame_dir": name, "label": label, "img_shape": (720, 1280), "keypoint": (frames * SIZE)[None],
         "keypoint_score": np.ones((1, 8, 75), np.float32)}
        for name, label, frames in (("a", 3, CLIP), ("b", 4, OTHER))
    ]  # fmt: skip
    pickled(
        folder, {"split": {"train": ["a"], "xsub_val": [], "test": ["b"]}, "annotations": clips}
    )


def listed(folder):
    clips = [
        {"id": name, "gloss": gloss, "split": split, "keypoints": frames.tolist()}
        for name, gloss, split, frames in (("a", "3", "Train", CLIP), ("b", "4", "test", OTHER))
    ]
    (folder / "all.json").write_text(json.dumps(clips))


def by_id(folder):
    pickled(folder, {"a": openhands(CLIP), "b": openhands(OTHER)})
    (folder / "labels.csv").write_text("clip_id,gloss,split\na,3,train\nb,4,test\n")


def in_an_npz(folder):
    np.savez(folder / "all.npz", a=CLIP, b=OTHER)
    (folder / "labels.csv").write_text("clip_id,gloss,split\na,3,train\nb,4,test\n")


def stgcn(folder):
    for split, name, label, frames in (("train", "a", 3, CLIP), ("test", "b", 4, OTHER)):
        array = frames.transpose(2, 0, 1)[None, ..., None]
        np.save(folder / f"{split}_data_joint.npy", array)
        pickled(folder, ([name], [label]), f"{split}_label.pkl")


@pytest.mark.parametrize("write", [mmaction, listed, by_id, in_an_npz, stgcn])
def test_several_clips_in_one_file(tmp_path, write):
    folder = tmp_path / "in"
    folder.mkdir()
    write(folder)
    store = imported(folder, tmp_path / "s")
    rows = store.clips[["gloss", "split"]].to_numpy().tolist()
    assert sorted(rows) == [["3", "train"], ["4", "test"]]
    for number, (gloss, _) in enumerate(rows):
        same(store.frames(number), CLIP if gloss == "3" else OTHER)


def test_arrays_of_objects_with_labels_are_named(tmp_path):
    np.save(tmp_path / "X.npy", np.array([CLIP, CLIP[:5]], dtype=object), allow_pickle=True)
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    with pytest.raises(UserError, match="Object arrays cannot be loaded"):
        imported(tmp_path, tmp_path / "s")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array(["book", "drink"], dtype=object), "y.npy: not the labels of the 2 clips.*Object"),
        (np.array(["book"]), r"y.npy: not the labels of the 2 clips of X.npy \(1 label\)"),
    ],
)
def test_labels_that_do_not_go_with_their_clips_are_named(tmp_path, labels, message):
    np.save(tmp_path / "X.npy", np.stack([CLIP, OTHER]))
    np.save(tmp_path / "y.npy", labels, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        imported(tmp_path, tmp_path / "s")
    np.save(tmp_path / "y.npy", np.array(["book", "drink"], dtype=object).astype(str))
    assert len(imported(tmp_path, tmp_path / "s")) == 2


def test_clips_called_x_and_y_are_no_set(tmp_path):
    (tmp_path / "labels.csv").write_text("file,gloss\nx.npy,X\ny.npy,Y\n")
    for clip in (CLIP, CLIP[:, None]):  # letters
        np.save(tmp_path / "x.npy", clip)
        np.save(tmp_path / "y.npy", clip)
        assert len(imported(tmp_path, tmp_path / "s")) == 2


@pytest.mark.parametrize(
    "form", ["{}.npz", "{}.pkl", "{}.h5", "{}/X.npy", "set_{}/all.npz", "{}_clips.h5"]
)
def test_several_files_of_clips_are_the_splits_that_they_are_called(tmp_path, form):
    for split, clip in (("training", CLIP), ("test", OTHER)):
        file = tmp_path / form.format(split)
        file.parent.mkdir(exist_ok=True)
        clips, glosses = np.stack([clip, clip + 1]), ["book", "drink"]
        if form.endswith(".h5"):
            with pytest.importorskip("h5py").File(file, "w") as inner:
                if "clips" in form:  # GLOSS/CLIP
                    inner["book/0"], inner["drink/0"] = clips
                else:
                    inner["X"], inner["y"] = clips, glosses
        elif form.endswith(".npz"):
            np.savez(file, X=clips, y=glosses)
        elif form.endswith(".pkl"):
            file.write_bytes(
                pickle.dumps(
                    [{"keypoints": c, "gloss": g} for c, g in zip(clips, glosses, strict=True)]
                )
            )
        else:
            np.save(file, clips)
            np.save(file.parent / "y.npy", glosses)
    store = imported(tmp_path, tmp_path / "store")
    assert store.clips.groupby("split")["gloss"].agg(list).to_dict() == {
        "test": ["book", "drink"], "train": ["book", "drink"],
    }  # fmt: skip
    same(store.frames(store.clips["split"].tolist().index("test")), OTHER)


def test_hdf5_in_groups_and_as_x_and_y(tmp_path):
    h5py = pytest.importorskip("h5py")
    for name in ("groups", "arrays"):
        (tmp_path / name).mkdir()
    with h5py.File(tmp_path / "groups/all.h5", "w") as file:
        file["drink/b"], file["book/a"] = OTHER, CLIP
    store = imported(tmp_path / "groups", tmp_path / "s")
    assert store.clips["gloss"].tolist() == ["book", "drink"]
    same(store.frames(1), OTHER)
    with h5py.File(tmp_path / "groups/all.h5", "w") as file:
        file["a/xyz"], file["b/xyz"] = CLIP, OTHER  # of one name: all of a clip
        file["b/label"] = "drink"
        file["a/label"] = "book"
    store = imported(tmp_path / "groups", tmp_path / "v")
    assert store.clips["gloss"].tolist() == ["book", "drink"]
    (tmp_path / "groups/labels.csv").write_text("file,gloss\na,book\nb,drink\n")
    same(imported(tmp_path / "groups", tmp_path / "u").frames(1), OTHER)
    with h5py.File(tmp_path / "arrays/all.h5", "w") as file:
        file["X"], file["y"] = np.stack([CLIP, OTHER]), ["book", "drink"]
    store = imported(tmp_path / "arrays", tmp_path / "t")
    assert store.clips["gloss"].tolist() == ["book", "drink"]
    same(store.frames(1), OTHER)


def landmarks(frame, called):
    """MediaPipe's landmarks of a frame as a script writes them; the right hand was not found."""
    points = {
        f"{part}_{called}": [{"x": float(x), "y": float(y), "z": 0.0} for x, y in frame[where]]
        for part, where in PARTS.items()
    }
    return {**points, f"right_hand_{called}": None}


@pytest.mark.parametrize("called", ["landmarks", "keypoints"])
def test_frames_that_are_parts(tmp_path, called):
    expected = CLIP.copy()
    expected[:, RIGHT_HAND] = np.nan
    data = json.dumps({"frames": [landmarks(frame, called) for frame in CLIP], "fps": 25}).encode()
    found, store = one(tmp_path, ".json", data)
    same(found, expected)
    assert store.clips["fps"].tolist() == [25]


def test_a_file_a_frame_of_mmpose(tmp_path):
    folder = tmp_path / "in/a"
    folder.mkdir(parents=True)
    points = arranged(CLIP * SIZE, "coco133", 2)
    for number, frame in enumerate(points):
        persons = [{"keypoints": frame.tolist(), "keypoint_scores": [0.9] * 133}]
        held = [] if number == 3 else persons
        (folder / f"{number:06d}.json").write_text(json.dumps(held))
    labelled(tmp_path / "in", "a", ",width,height", ",1280,720")
    expected = CLIP.copy()
    expected[3] = np.nan
    same(imported(tmp_path / "in", tmp_path / "s").frames(0), expected, slice(0, 42))


def test_persons_behind_the_frames(tmp_path):
    clip = openhands(CLIP)
    clip = {name: array[:, None] for name, array in clip.items()}
    same(one(tmp_path, ".pkl", pickle.dumps(clip))[0])


def test_a_custom_order_is_checked_against_the_body(tmp_path):
    data = pickle.dumps(openhands(CLIP, "left-right-body"))
    with pytest.raises(
        UserError, match="not in the order body, left hand, right hand.*left-right-body"
    ):
        one(tmp_path, ".pkl", data)


def test_553_points_of_a_pickle_in_another_order(tmp_path):
    same(one(tmp_path, ".pkl", pickle.dumps(openhands(CLIP, "body-left-right-face478")))[0])


def persons(frame):
    return {"keypoints": np.stack([frame * 0.2, frame]), "scores": np.ones((2, 133))}


whole = [persons(frame) for frame in arranged(CLIP, "coco133")]
empty = {"keypoints": [], "scores": []}
FRAMES = {
    "persons of rtmlib": whole, "by number": dict(enumerate(whole)), "a frame without persons": [*whole, empty],
    "keypoints and scores": ([f["keypoints"] for f in whole], [f["scores"] for f in whole]),
    "parts": [{name: frame[part] for name, part in PARTS.items()} for frame in CLIP],
}  # fmt: skip


@pytest.mark.parametrize("files", [1, 6])
@pytest.mark.parametrize("kind", FRAMES)
def test_a_pickle_of_frames_is_one_clip(tmp_path, kind, files):
    for number in range(files):
        pickled(tmp_path, FRAMES[kind], f"{number}.pkl")
    rows = "".join(f"{number}.pkl,book\n" for number in range(files))
    (tmp_path / "labels.csv").write_text(f"file,gloss\n{rows}")
    store = imported(tmp_path, tmp_path / "s")
    assert len(store) == files
    same(store.frames(0)[:8], joints=slice(0, 42))


def test_a_file_of_several_clips_is_no_clip(tmp_path):
    pickled(tmp_path, {"a": openhands(CLIP), "b": openhands(OTHER)})
    labelled(tmp_path, "all.pkl")
    with pytest.raises(UserError, match="a file of this name holds 2 clips, the first called 'a'"):
        imported(tmp_path, tmp_path / "s")


def test_rows_with_visibility_in_another_order(tmp_path):
    body = np.concatenate([CLIP[:, BODY], np.full((8, 33, 2), 0.9)], axis=2)
    hands = [
        np.concatenate([CLIP[:, h], np.zeros((8, 21, 1))], axis=2) for h in (LEFT_HAND, RIGHT_HAND)
    ]
    rows = np.concatenate([part.reshape(8, -1) for part in (*hands, body)], axis=1)
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "a.npy", rows)
    labelled(folder, "a.npy")
    same(imported(folder, tmp_path / "s").frames(0))


def test_the_signer_is_followed_where_hands_come_and_go(tmp_path):
    """The middle of a person leaps with each hand; the joints that both frames show do not."""
    large, small = np.repeat(CLIP[:1], 12, axis=0), np.repeat(CLIP[:1], 12, axis=0) * 0.4 + 0.3
    large[:, 67:], small[:, 67:] = large[:, 67:] + (0, 2), small[:, 67:] + (0, 0.8)  # legs, guessed
    large[1::2, :42] = 0
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "a.npy", np.stack([small, large], axis=1))
    labelled(folder, "a.npy")
    expected = np.where(large == 0, np.nan, large)
    same(imported(folder, tmp_path / "s").frames(0), expected, tolerance=2e-3)


def test_clips_that_were_cut_already(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "a.npy", CLIP)
    labelled(folder, "a.npy", ",frame_start,frame_end", ",120,190")
    with pytest.raises(UserError, match="--times none"):
        imported(folder, tmp_path / "s")
    said = []
    same(imported(folder, tmp_path / "s", said=said, times="none").frames(0))
    assert any("start and end of the table were not used in 1 clip" in line for line in said)


def test_times_of_lsfb_are_those_of_its_videos(tmp_path):
    folder = tmp_path / "in"
    for part, where in PARTS.items():
        (folder / "poses" / part).mkdir(parents=True)
        np.save(folder / f"poses/{part}/c1.npy", CLIP[:, where])
    (folder / "instances.csv").write_text("id,sign,signer,start,end\nc1,LIVRE,S1,5200,5900\n")
    same(imported(folder, tmp_path / "s").frames(0))


def test_a_clip_that_is_empty_or_infinite_says_nothing_of_the_others(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    odd = {
        "a_empty": np.zeros((0, 75, 2), np.float32),
        "b_nan": np.full((5, 75, 2), np.nan, np.float32),
        "c_infinite": np.where(np.arange(75)[None, :, None] == 3, np.inf, CLIP),
        "d_sound": CLIP,
    }
    for name, array in odd.items():
        (folder / f"{name}.npy").write_bytes(npy(array))
    rows = "".join(f"{name}.npy,book\n" for name in odd)
    (folder / "labels.csv").write_text(f"file,gloss\n{rows}")
    store = imported(folder, tmp_path / "s", on_bad="drop")
    assert list(store.clips["clip_id"]) == ["d_sound"]
    said = {clip["clip_id"]: clip["reason"] for clip in store.card["dropped"]["clips"]}
    assert said == {
        "a_empty": "no frame",
        "b_nan": "every joint is missing in every frame (all NaN)",
        "c_infinite": "infinite coordinates (missing joints are NaN)",
    }


def test_what_was_dropped_is_named_in_one_short_line():
    said = summarise_drops([{"clip_id": "x" * 10_000 + "\n", "reason": "no frame"}])
    assert said.startswith("1 x no frame (xxx")
    assert len(said) < LONGEST + 20
    assert "\n" not in said
