"""A set in each format goes through `data import` and stands in one study, which runs to its report."""

# ruff: noqa: E501 (tables of inputs, one kind a line)
import importlib.util
import io
import json
import pickle
import tarfile

import numpy as np
import pandas as pd
import pytest
import yaml
from bodies import arranged, signer

from project import copy_sources
from sslslr.data.export import pose_file
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND

PARTS = {"left_hand": LEFT_HAND, "right_hand": RIGHT_HAND, "pose": BODY}
SIZE = (1280, 720)
# Name, gloss and split of each clip; the glosses are two signers' shapes, which a probe can tell.
CLIPS = [
    (f"c{number}", f"g{number % 2}", "test" if number >= 8 else "train", signer(seed=number % 2) + number / 1000)
    for number in range(12)
]  # fmt: skip


def labels(folder, ending="", extra=""):
    head, tail = ("", "") if not extra else (",width,height", f",{SIZE[0]},{SIZE[1]}")
    rows = "".join(f"{name}{ending},{gloss},{split}{tail}\n" for name, gloss, split, _ in CLIPS)
    (folder / "labels.csv").write_text(f"file,gloss,split{head}\n{rows}")


def files(ending, content, **settings):
    """A writer of one file a clip."""

    def write(folder):
        for name, _, _, frames in CLIPS:
            (folder / f"{name}{ending}").write_bytes(content(frames))
        labels(folder, ending, **settings)

    return write


def saved(save, *arrays, **named):
    stream = io.BytesIO()
    save(stream, *arrays, **named)
    return stream.getvalue()


def openhands(frames):
    points = arranged(frames, "body-left-right", 3)
    return pickle.dumps({"keypoints": points, "confidences": np.ones(points.shape[:2])})


def mmpose(frames):
    points = arranged(frames * np.array(SIZE), "coco133")
    person = [{"keypoints": frame.tolist(), "keypoint_scores": [0.9] * 133} for frame in points]
    held = [{"frame_id": number, "instances": [one]} for number, one in enumerate(person)]
    return json.dumps({"instance_info": held}).encode()


def kaggle(folder):
    rows = []
    for number, (_, gloss, split, frames) in enumerate(CLIPS):
        file = folder / f"train_landmark_files/7/{number}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        long = [
            (frame, kind, index, *point, 0.0)
            for frame, points in enumerate(frames)
            for kind, where in PARTS.items()
            for index, point in enumerate(points[where])
        ]
        columns = ["frame", "type", "landmark_index", "x", "y", "z"]
        pd.DataFrame(long, columns=columns).to_parquet(file)
        rows.append(f"train_landmark_files/7/{number}.parquet,7,{number},{gloss},{split}\n")
    (folder / "train.csv").write_text(
        "path,participant_id,sequence_id,sign,split\n" + "".join(rows)
    )


def openpose(folder):
    for name, _, _, frames in CLIPS:
        (folder / name).mkdir()
        points = arranged(frames * np.array(SIZE), "openpose25-left-right")
        whole = np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=2)
        for number, frame in enumerate(whole):
            parts = (("pose", frame[:25]), ("hand_left", frame[25:46]), ("hand_right", frame[46:]))
            person = {f"{part}_keypoints_2d": values.ravel().tolist() for part, values in parts}
            text = json.dumps({"version": 1.3, "people": [person]})
            (folder / name / f"{name}_{number:06d}_keypoints.json").write_text(text)
    labels(folder, extra="size")


def frames(folder):
    for name, gloss, split, clip in CLIPS:
        place = folder / split / gloss / name[1:]
        place.mkdir(parents=True)
        for number, frame in enumerate(clip):
            np.save(place / f"{number}.npy", frame)


def whole_set(folder):
    for part in ("train", "test"):
        chosen = [clip for clip in CLIPS if clip[2] == part]
        np.save(folder / f"X_{part}.npy", np.stack([clip[3] for clip in chosen]))
        np.save(folder / f"y_{part}.npy", np.array([clip[1] for clip in chosen]))


def lsfb(folder):
    for part, where in PARTS.items():
        (folder / "poses" / part).mkdir(parents=True)
        for name, _, _, clip in CLIPS:
            np.save(folder / "poses" / part / f"{name}.npy", clip[:, where])
    labels(folder)


def shards(folder):
    for split in ("train", "test"):
        with tarfile.open(folder / f"{split}-0000.tar", "w") as tar:
            for name, gloss, own, clip in CLIPS:
                held = {
                    f"pose.{part}.npy": saved(np.save, clip[:, at]) for part, at in PARTS.items()
                }
                for ending, data in {**held, "label.txt": gloss.encode()}.items():
                    info = tarfile.TarInfo(f"{name}.{ending}")
                    info.size = len(data)
                    if own == split:
                        tar.addfile(info, io.BytesIO(data))


def spoter(folder):
    joints = {
        "leftShoulder": 53,
        "rightShoulder": 54,
        "leftWrist": 57,
        "rightWrist": 58,
        "leftElbow": 55,
    }
    for first, side in ((0, "left"), (21, "right")):
        names = {"wrist": 0, "thumbTip": 4, "indexMCP": 5, "indexTip": 8, "littleTip": 20}
        joints |= {f"{name}_{side}": first + place for name, place in names.items()}
    for split in ("train", "test"):
        rows = [
            {**{f"{name}_{axis}": str(clip[:, joint, k].tolist()) for name, joint in joints.items() for k, axis in enumerate("XY")}, "labels": gloss}
            for _, gloss, own, clip in CLIPS
            if own == split
        ]  # fmt: skip
        pd.DataFrame(rows).to_csv(folder / f"set_{split}.csv", index=False)


def h5(folder):
    h5py = pytest.importorskip("h5py", reason="h5py is not installed: `pip install h5py`")
    with h5py.File(folder / "all.h5", "w") as file:
        for name, _, _, clip in CLIPS:
            file[name] = clip
    labels(folder)


FORMATS = {
    "npy": files(".npy", lambda clip: saved(np.save, clip)),
    "one_npz": files(".npz", lambda clip: saved(np.savez, keypoints=clip)),
    "openhands": files(".pkl", openhands),
    "pose_format": files(".pose", lambda clip: pose_file(clip, 25.0, 1.5)),
    "mmpose": files(".json", mmpose, extra="size"),
    "kaggle": kaggle, "openpose": openpose, "frames": frames, "whole_set": whole_set, "lsfb": lsfb,
    "shards": shards, "spoter": spoter,
    "rows": files(".csv", lambda clip: pd.DataFrame(clip.reshape(len(clip), -1)).to_csv(index=False).encode()),
}  # fmt: skip


def imported(tmp_path, name, write):
    from sslslr.data.datasets import build
    from sslslr.data.store import ClipStore

    folder = tmp_path / f"in_{name}"
    folder.mkdir()
    write(folder)
    build(
        name,
        "local",
        {"folder": str(folder)},
        tmp_path / name,
        say=lambda line: None,
        on_bad="error",
    )
    return ClipStore.open(tmp_path / name)


@pytest.mark.parametrize("name", [*FORMATS, "h5"])
def test_a_set_in_each_format_has_its_clips_glosses_and_splits(tmp_path, name):
    clips = imported(tmp_path, name, {**FORMATS, "h5": h5}[name]).clips
    counts = clips.groupby(["split", "gloss"]).size().to_dict()
    assert counts == {("train", "g0"): 4, ("train", "g1"): 4, ("test", "g0"): 2, ("test", "g1"): 2}


@pytest.mark.slow
@pytest.mark.workflow
def test_a_study_on_a_set_of_each_format_runs_to_its_report(tmp_path):
    from project import Project

    formats = {**FORMATS, **({"h5": h5} if importlib.util.find_spec("h5py") else {})}
    for name, write in formats.items():
        imported(tmp_path, name, write)
    datasets = {n: {"source": "store", "options": {"folder": str(tmp_path / n)}} for n in formats}
    for name in {"openhands", "h5"} & set(formats):  # and straight from their files
        datasets[name] = {"source": "local", "options": {"folder": str(tmp_path / f"in_{name}")}}
    study = {
        "name": "formats", "results": "results",
        "datasets": datasets,
        "preprocess": {"frames": 8}, "encoder": {"depth": 1, "width": 32, "heads": 4},
        "methods": {"sl_fpn": {}}, "pretrain": {"epochs": 1, "batch_size": 4},
        "runs": [{"methods": ["sl_fpn"], "datasets": ["npy"], "seeds": [0]}],
        "evaluate": {"transfer": True, "targets": {name: {} for name in formats}, "protocols": {"logistic": {}}},
    }  # fmt: skip
    copy_sources(tmp_path / "project")
    (tmp_path / "project/study.yaml").write_text(yaml.safe_dump(study))
    project = Project(tmp_path / "project")
    project.run("snakemake", "--cores", "2", "--configfile", "study.yaml", timeout=1200)
    table = pd.read_csv(tmp_path / "project/results/tables/linear.csv")
    assert set(formats) <= set(table["dataset"])
    assert (tmp_path / "project/results/report.html").is_file()
