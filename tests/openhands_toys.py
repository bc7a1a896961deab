"""Archives in the layout of OpenHands, and an LSFB-ISOL tree, made by the tests."""

import io
import json
import pickle
import zipfile

import numpy as np

from hostile_bytes import npy


def pose(frames=8, seed=0, joints=75, coordinates=3, **extra):
    """What one pickle of OpenHands holds: body 33, left hand 21, right hand 21; frame 1 has no hand."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(0.1, 0.9, (frames, joints, coordinates))
    confidences = np.ones((frames, joints))
    if frames > 1:
        keypoints[1, 33:54], confidences[1, 33:54] = 0, 0
    return {"keypoints": keypoints, "confidences": confidences, **extra}


def pickled(protocol=4, **settings):
    return pickle.dumps(pose(**settings), protocol=protocol)


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """A zip's bytes from {name: bytes or text}."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2022, 1, 1, 0, 0, 0))
            archive.writestr(info, data, compress_type=compression)
    return stream.getvalue()


def gsl(absent=()):
    """{name: bytes} of a GSL of 3 glosses; ids in `absent` are listed but not in the archive."""
    glosses, lists, files = ("ΓΕΙΑ", "ΕΓΩ(1)", "ΚΑΛΟ"), {}, {}
    for split, signers in (("train", (1, 2)), ("val", (3,)), ("test", (3,))):
        rows = []
        for signer in signers:
            for i, gloss in enumerate(glosses):
                repetition = 3 if split == "test" else 1
                path = f"health1_signer{signer}_rep{repetition}_glosses/glosses{i:04d}"
                rows.append(f"{path}|{gloss}")
                if path not in absent:
                    files[f"GSL/{path}.pkl"] = pickled(seed=len(files))
        lists[f"{split}_greek_iso.csv"] = "\n".join(rows).encode() + b"\n"
    return {"GSL.zip": zipped(files), **lists}


def autsl():
    files, out = (
        {},
        {"SignList_ClassId_TR_EN.csv": b"ClassId,TR,EN\n0,abla,sister\n1,acele,hurry\n"},
    )
    for split, name, signer in (
        ("train", "train_labels.csv", 0),
        ("val", "validation_labels.csv", 1),
        ("test", "test_labels.csv", 30),
    ):
        ids = [f"signer{signer}_sample{i}" for i in (1, 2)]
        out[name] = "".join(f"{clip},{i}\n" for i, clip in enumerate(ids)).encode()
        for clip in ids:
            data = pickled(seed=len(files), vid_shape=(512, 512))
            files[f"{split}_poses/{clip}_color.pkl"] = data
    return {"AUTSL.zip": zipped(files), **out}


def include():
    """The archive holds an archive, as the published one does."""
    header, files, out = "Category,Word,Video,FilePath\n", {}, {}
    for split, numbers in (("train", (1, 2, 3)), ("test", (4,))):
        rows = []
        for word in ("4. Bird", "1. loud"):
            for n in numbers:
                path = f"Animals/{word}/MVI_{n}.{'MP4' if n == 2 else 'MOV'}"
                rows.append(f"Animals,{word},MVI_{n}.MOV,{path}\n")
                name = f"Pose_Signs/{path.rpartition('.')[0]}.pkl"
                files[name] = pickled(seed=len(files), vid_shape=(1080, 1920))
        out[f"{split}_include.csv"] = (header + "".join(rows)).encode()
    inner = zipped(files)
    lists = zipped({"Train_Test_Split/x.csv": "x"})
    names = {"INCLUDE/Train_Test_Split.zip": lists, "INCLUDE/Pose_Signs.zip": inner}
    return {"INCLUDE.zip": zipped(names, zipfile.ZIP_STORED), **out}


def wlasl():
    split, files = {}, {}
    for i, subset in enumerate(["train", "train", "val", "test", "train", "train"]):
        split[f"{i:05d}"] = {"subset": subset, "action": [i % 2, 1, 50]}
        if i != 5:
            files[f"WLASL/{i:05d}.pkl"] = pickled(seed=i)
    files["WLASL/99999.pkl"] = pickled(seed=99)  # of another subset
    return {
        "WLASL.zip": zipped(files),
        "nslt_300.json": json.dumps(split).encode(),
        "wlasl_class_list.txt": b"0\tbook\n1\tdrink\n",
    }


def lsa64(repetitions=(1,), absent=("064_010_001",)):
    """Of the five repetitions one is in the archive: the others are missing, as is one clip."""
    names = "".join(f"{sign:02d}|Sign {sign}|R|\n" for sign in range(1, 65))
    data = pickled(frames=3)
    clips = (
        f"{sign:03d}_{signer:03d}_{repetition:03d}"
        for sign in range(1, 65)
        for signer in range(1, 11)
        for repetition in repetitions
    )
    files = {f"LSA64_Cut/{clip}.pkl": data for clip in clips if clip not in absent}
    return {"LSA64_Cut.zip": zipped(files), "lsa64_signs.md": names.encode()}


SETS = {"gsl": gsl, "autsl": autsl, "include": include, "wlasl": wlasl, "lsa64": lsa64}


def lsfb(body=23):
    """{path: bytes} of an LSFB-ISOL tree: 4 signs, 3 train and 2 test clips of each of two signers."""
    files, rows, splits = {}, ["id,sign,signer,start,end"], {"train": [], "test": []}
    signs = ("MAISON", "PT:PRO1", "LSF", "OUI")
    for n, (split, signer) in enumerate([("train", "S001"), ("train", "S002"), ("test", "S003")]):
        for i, sign in enumerate(signs):
            clip = f"CLSFBI0{n}03A_{signer}_B_{100 * i}_{100 * i + 99}"
            rows.append(f"{clip},{sign},{signer},{100 * i},{100 * i + 99}")
            splits[split].append(clip)
            rng = np.random.default_rng(len(rows))
            for part, joints in (("pose", body), ("left_hand", 21), ("right_hand", 21)):
                points = rng.uniform(0.1, 0.9, (6 + i, joints, 3)).astype(np.float32)
                if part == "left_hand":
                    points[0] = 0  # not found
                files[f"/poses/{part}/{clip}.npy"] = npy(points)
    files["/instances.csv"] = ("\n".join(rows) + "\n").encode()
    for split, ids in splits.items():
        files[f"/metadata/splits/{split}.json"] = json.dumps(ids).encode()
    index = "sign,class_index\n" + "".join(f"{sign},{i}\n" for i, sign in enumerate(signs))
    files["/metadata/sign_to_index.csv"] = index.encode()
    return files
