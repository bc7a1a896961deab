"""Every kind of file that is read, from pickles to folders of a file a frame, comes out as the clip that went in."""

# ruff: noqa: E501 (tables of inputs, one kind a line)
import io
import json
import pickle
import tarfile

import numpy as np
import pandas as pd
import pytest
from bodies import arranged, signer
from kinds import CLIP, SIZE, flat, imported, npy, npz, one, one_again, same
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from sslslr.data.readers import readers
from sslslr.pose.layouts import PARTS, named
from sslslr.pose.skeleton import BODY, BODY_NAMES, HAND_NAMES, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError


def openhands(points, **extra):
    return pickle.dumps({"keypoints": points, "confidences": np.ones(points.shape[:-1]), **extra})


body_first = arranged(CLIP, "body-left-right", 3)
two_persons = [
    np.stack([frame * 0.2, frame]) if i % 3 else frame[None]
    for i, frame in enumerate(arranged(CLIP, "coco133"))
]
PICKLES = {
    "75": openhands(body_first), "543": openhands(arranged(CLIP, "body-face-left-right", 3)),
    "553": openhands(arranged(CLIP, "body-face478-left-right", 3)), "27": openhands(arranged(CLIP, "openhands27", 3)),
    "pixels": openhands(body_first * [1280, 720, 1], vid_shape=(720, 1280)), "persons": openhands(body_first[None]),
    "lists": pickle.dumps({"keypoints": body_first.tolist(), "confidences": np.ones((8, 75)).tolist()}),
    "an array": pickle.dumps(CLIP), "protocol 0": pickle.dumps(CLIP, protocol=0),
    "rtmlib": pickle.dumps({"keypoints": two_persons, "scores": [np.ones(frame.shape[:2]) for frame in two_persons]}),
    "mmaction": pickle.dumps({"keypoint": arranged(CLIP * SIZE, "coco133")[None], "keypoint_score": np.ones((1, 8, 133)), "img_shape": (720, 1280)}),
    "parts": pickle.dumps({"left_hand": CLIP[:, LEFT_HAND], "right_hand": CLIP[:, RIGHT_HAND], "pose": CLIP[:, BODY]}),
}  # fmt: skip


@pytest.mark.parametrize("kind", PICKLES)
def test_pickles(tmp_path, kind):
    said = []
    found, _ = one(tmp_path, ".pkl", PICKLES[kind], said)
    there = np.isfinite(found[0, :, 0])
    if kind in ("rtmlib", "mmaction"):
        there &= np.arange(75) < 42
    same(found, joints=there)
    assert any("Several persons" in line for line in said) == (kind == "rtmlib")


def test_27_points_that_are_no_hands(tmp_path):
    first = openhands(body_first[:, :27])
    with pytest.raises(UserError, match="not those of openhands27.*--layout body27"):
        one(tmp_path, ".pkl", first)
    found, _ = one_again(tmp_path, ".pkl", first, layout="body27")
    assert np.isnan(found[:, :42]).all()
    same(found, joints=slice(42, 69))


HAND_POINTS = [name.upper().replace("INDEX", "INDEX_FINGER") for name in HAND_NAMES]
HOLISTIC = (
    ("POSE_LANDMARKS", [name.upper() for name in BODY_NAMES], BODY), ("LEFT_HAND_LANDMARKS", HAND_POINTS, LEFT_HAND),
    ("RIGHT_HAND_LANDMARKS", HAND_POINTS, RIGHT_HAND),
)  # fmt: skip


def pose_file(points, components, size=(1280, 720), fps=25.0, version=0.2, persons=1, second=False):
    header = PoseHeader(
        version,
        PoseHeaderDimensions(*size, 0),
        [PoseHeaderComponent(name, list(names), [], [], "XYC") for name, names in components],
    )
    data = np.zeros((len(points), persons, points.shape[1], 2), np.float32)
    confidence = np.zeros(data.shape[:-1], np.float32)
    person = persons - 1 if second else 0
    data[:, person], confidence[:, person] = points, 1
    stream = io.BytesIO()
    Pose(header, NumPyPoseBody(fps, data, confidence)).write(stream)
    return stream.getvalue()


def holistic(frames=CLIP * SIZE, keep=None, **settings):
    parts = [(name, points, np.arange(where.start, where.stop)) for name, points, where in HOLISTIC]
    parts = [
        (n, [p for p in points if keep is None or p in keep or n != HOLISTIC[0][0]], where, points)
        for n, points, where in parts
    ]
    joints = [where[[whole.index(p) for p in points]] for _, points, where, whole in parts]
    return pose_file(frames[:, np.concatenate(joints)], [(n, p) for n, p, *_ in parts], **settings)


POSES = {
    "holistic": holistic(), "v0.1": holistic(version=0.1), "second person": holistic(persons=3, second=True),
    "reduced": holistic(keep={"LEFT_SHOULDER", "RIGHT_SHOULDER", "LEFT_ELBOW", "RIGHT_ELBOW", "LEFT_WRIST", "RIGHT_WRIST"}),
    "without legs": holistic(keep={name.upper() for name in BODY_NAMES[:23]}),
    "OpenPose": pose_file(
        arranged(CLIP * SIZE, "openpose25-left-right"),
        [("pose_keypoints_2d", ["Nose", "Neck", "RShoulder", "RElbow", "RWrist", "LShoulder", "LElbow", "LWrist", "MidHip", "RHip", "RKnee", "RAnkle", "LHip", "LKnee", "LAnkle", "REye", "LEye", "REar", "LEar", "LBigToe", "LSmallToe", "LHeel", "RBigToe", "RSmallToe", "RHeel"]),
         ("hand_left_keypoints_2d", ["BASE", *map(str, range(20))]), ("hand_right_keypoints_2d", ["BASE", *map(str, range(20))])],
    ),
    "COCO-WholeBody": pose_file(
        arranged(CLIP * SIZE, "coco133"),
        [("BODY", [n or f"x{i}" for i, n in enumerate(j.removeprefix("body.") for j in PARTS["coco23"])]), ("FACE", [f"face-{i}" for i in range(68)]),
         ("LEFT_HAND", [f"left_hand_{i}" for i in range(21)]), ("RIGHT_HAND", [f"right_hand_{i}" for i in range(21)])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", POSES)
def test_pose_files(tmp_path, kind):
    found, store = one(tmp_path, ".pose", POSES[kind])
    there = np.isfinite(found[0, :, 0])
    assert there[:42].all()
    assert there[[53, 54, 57, 58]].all()
    same(found, joints=there if kind != "COCO-WholeBody" else slice(0, 42))
    assert (store.clips["fps"][0], store.clips["aspect"][0]) == (25, pytest.approx(16 / 9))


def test_pose_files_that_were_normalised_are_taken_as_they_are(tmp_path):
    points = CLIP * SIZE
    centre = (points[:, 53] + points[:, 54]).mean(axis=0) / 2
    unit = (points - centre) / np.linalg.norm(points[:, 53] - points[:, 54], axis=1).mean()
    for number, size in enumerate(((1920, 1080), (3840, 2160))):
        (tmp_path / str(number)).mkdir()
        found, store = one(tmp_path / str(number), ".pose", holistic(unit, size=size))
        same(found, unit)
        assert pd.isna(store.clips["aspect"][0])  # x and y are one unit already


def test_pose_files_with_and_without_points_that_are_not_used(tmp_path):
    world = [("POSE_WORLD_LANDMARKS", [f"world {i}" for i in range(33)])]
    parts = [(name, points) for name, points, _ in HOLISTIC]
    order = np.r_[BODY, LEFT_HAND, RIGHT_HAND]
    whole = np.concatenate([CLIP[:, order], CLIP[:, BODY]], axis=1) * SIZE
    folder = tmp_path / "in/book"
    folder.mkdir(parents=True)
    (folder / "a.pose").write_bytes(pose_file(whole, [*parts, *world]))
    (folder / "b.pose").write_bytes(pose_file(whole[:, :75], parts))
    store = imported(tmp_path / "in", tmp_path / "s")
    same(store.frames(0))
    same(store.frames(1))


def test_pose_headers_without_size_or_rate(tmp_path):
    with pytest.raises(UserError, match="columns width and height"):
        one(tmp_path, ".pose", holistic(size=(0, 0)))
    (tmp_path / "b").mkdir()
    same(one(tmp_path / "b", ".pose", holistic(size=(0, 0)), width=1280, height=720)[0])
    for rate in (0.0, 1000.0):
        (tmp_path / f"{rate}").mkdir()
        said = []
        _, store = one(tmp_path / f"{rate}", ".pose", holistic(fps=rate), said)
        assert pd.isna(store.clips["fps"][0])
        assert f"x: A frame rate of {rate:g} was not stored (1 clip): no camera's." in said


def test_an_npz_a_clip(tmp_path):
    same(one(tmp_path, ".npz", npz(keypoints=CLIP, fps=25))[0])
    (tmp_path / "b").mkdir()
    parts = {
        "left_hand": CLIP[:, LEFT_HAND],
        "right_hand": CLIP[:, RIGHT_HAND],
        "pose": CLIP[:, BODY],
    }
    same(one(tmp_path / "b", ".npz", npz(**parts))[0])


def test_json_of_mmpose(tmp_path):
    frames = arranged(CLIP * SIZE, "coco133")
    person = lambda f: {"keypoints": f.tolist(), "keypoint_scores": [0.9] * 133}  # noqa: E731
    info = [
        {"frame_id": i, "instances": [person(f * 0.1), person(f)]} for i, f in enumerate(frames)
    ]
    for number, held in enumerate(({"instance_info": info[::-1]}, [[person(f)] for f in frames])):
        (tmp_path / str(number)).mkdir()
        found, _ = one(
            tmp_path / str(number), ".json", json.dumps(held).encode(), width=1280, height=720
        )
        same(found, joints=slice(0, 42))


def openpose_frames():
    """The frames of `CLIP`; in the fifth there is nobody."""
    frames = np.concatenate(
        [arranged(CLIP * SIZE, "openpose25-left-right"), np.full((8, 67, 1), 0.9)], axis=2
    )
    held = []
    for number, frame in enumerate(frames):
        parts = (("pose", frame[:25]), ("hand_left", frame[25:46]), ("hand_right", frame[46:]))
        people = [{f"{name}_keypoints_2d": part.ravel().tolist() for name, part in parts}]
        held.append({"version": 1.3, "people": people if number != 4 else []})
    return held


def test_a_folder_of_openpose(tmp_path):
    folder = tmp_path / "in/a"
    folder.mkdir(parents=True)
    for number, frame in enumerate(openpose_frames()):
        (folder / f"a_{number:012d}_keypoints.json").write_text(json.dumps(frame))
    (tmp_path / "in/labels.csv").write_text("clip_id,gloss,width,height\na,book,1280,720\n")
    found = np.asarray(imported(tmp_path / "in", tmp_path / "s").frames(0), np.float32)
    assert np.isnan(found[4]).all()
    there = named("openpose25-left-right").places >= 0
    same(found[5:], CLIP[5:], joints=there)


@pytest.mark.parametrize("form", ["list", "by name", "frames by number"])
def test_all_frames_of_openpose_in_one_file(tmp_path, form):
    frames = openpose_frames()
    if form != "list":
        frames = {
            str(n) if "number" in form else f"a_{n:012}_keypoints.json": frame
            for n, frame in enumerate(frames)
            if n != 3
        }
    held = {"frames": frames} if "number" in form else frames
    data, expected = json.dumps(held).encode(), CLIP.copy()
    expected[[4] if form == "list" else [3, 4]] = np.nan
    (tmp_path / "in").mkdir()
    for name in ("a1.json", "a2.json"):  # numbers in their names, as files of one clip have
        (tmp_path / "in" / name).write_bytes(data)
    (tmp_path / "in/labels.csv").write_text("clip_id,gloss\na1,book\na2,book\n")
    store = imported(tmp_path / "in", tmp_path / "s", width=1280, height=720)
    assert len(store) == 2
    same(np.asarray(store.frames(1), np.float32), expected, slice(0, 42))


def test_what_rtmlib_returned_of_each_frame(tmp_path):
    points, scores = arranged(CLIP * SIZE, "coco133"), np.full((8, 133), 0.9)
    held = [(p[None], s[None]) for p, s in zip(points, scores, strict=True)]
    held[5] = (np.empty((0, 133, 2)), np.empty((0, 133)))
    found, _ = one(tmp_path, ".pkl", pickle.dumps(held), width=1280, height=720)
    same(found[:5, :42], CLIP[:5, :42])
    assert np.isnan(found[5]).all()


def test_folders_of_frames_and_folders_of_glosses(tmp_path):
    rows = flat(CLIP, 0.9)
    for number in ("0", "1"):
        folder = tmp_path / f"in/MP_Data/book/{number}"
        folder.mkdir(parents=True)
        for frame, row in enumerate(rows):
            np.save(folder / f"{frame}.npy", row)
    store = imported(tmp_path / "in", tmp_path / "s")
    assert store.clips["gloss"].tolist() == ["book", "book"]
    same(store.frames(1))
    (tmp_path / "b/test/book").mkdir(parents=True)
    np.save(tmp_path / "b/test/book/x.npy", CLIP)
    clips = imported(tmp_path / "b", tmp_path / "t").clips
    assert clips.loc[0, ["clip_id", "gloss", "split"]].tolist() == ["test/book/x", "book", "test"]


def test_a_whole_set_in_two_arrays(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    np.save(folder / "X.npy", np.stack([CLIP, signer(seed=1)]))
    np.save(folder / "y.npy", np.array(["book", "tree"]))
    store = imported(folder, tmp_path / "s")
    assert store.clips["gloss"].tolist() == ["book", "tree"]
    same(store.frames(1), signer(seed=1))
    (tmp_path / "one").mkdir()
    np.savez(
        tmp_path / "one/set.npz",
        X_train=CLIP[None],
        y_train=["a"],
        X_test=CLIP[None] + 0.01,
        y_test=["b"],
    )
    store = imported(tmp_path / "one", tmp_path / "s")
    assert store.clips[["gloss", "split"]].to_numpy().tolist() == [["b", "test"], ["a", "train"]]
    same(store.frames(1))


def test_lsfb_and_its_shards(tmp_path):
    folder = tmp_path / "in/poses"
    parts = {
        "pose": CLIP[:, BODY],
        "left_hand": CLIP[:, LEFT_HAND],
        "right_hand": CLIP[:, RIGHT_HAND],
    }
    for part, points in parts.items():
        (folder / part).mkdir(parents=True)
        np.save(folder / part / "c1.npy", points)
    (tmp_path / "in/labels.csv").write_text("clip_id,gloss\nc1,LIVRE\n")
    same(imported(tmp_path / "in", tmp_path / "s").frames(0))
    (tmp_path / "b").mkdir()
    with tarfile.open(tmp_path / "b/train-0001.tar", "w") as tar:
        files = {f"c1.pose.{part}.npy": npy(points) for part, points in parts.items()}
        for name, data in {**files, "c1.label.txt": b"LIVRE"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    store = imported(tmp_path / "b", tmp_path / "t")
    assert store.clips.loc[0, ["clip_id", "gloss", "split"]].tolist() == ["c1", "LIVRE", "train"]
    same(store.frames(0))


@pytest.mark.parametrize("name", ["WLASL_train.csv", "train.csv"])
def test_csv_of_spoter(tmp_path, name):
    names = {
        "wrist": "wrist",
        "thumb_tip": "thumbTip",
        "index_mcp": "indexMCP",
        "index_tip": "indexTip",
        "pinky_tip": "littleTip",
    }
    columns = {
        "leftShoulder": 53,
        "rightShoulder": 54,
        "leftWrist": 57,
        "rightWrist": 58,
        "leftElbow": 55,
    }
    for first, side in ((0, "left"), (21, "right")):
        columns |= {
            f"{theirs}_{side}": first + HAND_NAMES.index(ours) for ours, theirs in names.items()
        }
    row = {
        f"{c}_{axis}": str(CLIP[:, j, k].tolist())
        for c, j in columns.items()
        for k, axis in enumerate("XY")
    }
    folder = tmp_path / "in"
    folder.mkdir()
    pd.DataFrame([{**row, "labels": "5"}]).to_csv(folder / name, index=False)
    store = imported(folder, tmp_path / "s")
    assert store.clips.loc[0, ["gloss", "split"]].tolist() == ["5", "train"]
    same(store.frames(0), joints=list(columns.values()))


def test_every_reader_says_what_it_reads():
    assert len(readers()) >= 12
    assert all(len(reader.title) > 20 for reader in readers())
