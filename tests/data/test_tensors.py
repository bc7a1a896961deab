"""Clips in PyTorch's and MATLAB's own files: tensors and arrays are read, and nothing of them is run."""

import io

import numpy as np
import pytest
import torch
from bodies import signer
from kinds import CLIP, SIZE, imported, one, one_again, same

from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError


def saved(value, **settings):
    stream = io.BytesIO()
    torch.save(value, stream, **settings)
    return stream.getvalue()


def test_a_tensor_of_either_of_its_formats(tmp_path):
    for ending, settings in ((".pt", {}), (".pth", {"_use_new_zipfile_serialization": False})):
        (tmp_path / ending[1:]).mkdir()
        same(one(tmp_path / ending[1:], ending, saved(torch.tensor(CLIP), **settings))[0])


def test_a_dict_of_tensors(tmp_path):
    content = {"keypoints": torch.tensor(CLIP * SIZE), "width": 1280, "height": 720, "fps": 25.0}
    found, store = one(tmp_path, ".pt", saved(content))
    same(found)
    assert store.clips["fps"].tolist() == [25.0]
    half = saved(torch.tensor(CLIP).to(torch.bfloat16))
    same(one_again(tmp_path, ".pt", half)[0], tolerance=4e-3)


def test_all_clips_in_one_file_of_tensors(tmp_path):
    for name in ("list", "set"):
        (tmp_path / name).mkdir()
    clips = [CLIP, signer(8, 1)]
    labelled = [
        {"keypoints": torch.tensor(c), "label": g} for c, g in zip(clips, ("0", "1"), strict=True)
    ]
    torch.save(labelled, tmp_path / "list/all.pt")
    torch.save(torch.tensor(np.stack(clips)), tmp_path / "set/X.pt")
    torch.save(torch.tensor([0, 1]), tmp_path / "set/y.pt")
    for name in ("list", "set"):
        store = imported(tmp_path / name, tmp_path / f"{name}.s")
        assert store.clips["gloss"].tolist() == ["0", "1"]
        same(store.frames(1), clips[1])


class Runs:
    """What would be run by Python's own reader of pickles."""

    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (CLIP, "other objects than tensors"),
        (Runs(), "other objects than tensors"),
        (torch.zeros(1).expand(1 << 40, 75, 2), "too large"),
        (torch.eye(75).to_sparse(), "sparse"),
        ({"state_dict": {"w": torch.zeros(3)}, "epoch": 1}, "no array called keypoints"),
    ],
)
def test_what_is_not_a_clip_is_said_and_never_run(tmp_path, capsys, value, message):
    with pytest.raises(UserError, match=message):
        one(tmp_path, ".pt", saved(value))
    assert "run" not in capsys.readouterr().out


def test_a_file_of_pytorch_that_is_cut(tmp_path):
    with pytest.raises(UserError, match="not a sound file of PyTorch"):
        one(tmp_path, ".pt", saved(torch.tensor(CLIP))[:-400])


def test_a_mat_where_scipy_is(tmp_path):
    savemat = pytest.importorskip("scipy.io", reason="scipy is not installed").savemat
    for name, content in (
        ("whole", {"keypoints": CLIP}),
        (
            "parts",
            {
                "pose": CLIP[:, BODY],
                "left_hand": CLIP[:, LEFT_HAND],
                "right_hand": CLIP[:, RIGHT_HAND],
            },
        ),
    ):
        (tmp_path / name).mkdir()
        stream = io.BytesIO()
        savemat(stream, content, do_compression=name == "parts")
        same(one(tmp_path / name, ".mat", stream.getvalue())[0])
    (tmp_path / "cut").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        one(tmp_path / "cut", ".mat", stream.getvalue()[:3000])


def test_a_mat_that_is_not_read_says_what_to_do(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="'-v7'"):
        one(tmp_path, ".mat", b"MATLAB 7.3 MAT-file".ljust(600))
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    with pytest.raises(UserError, match="pip install scipy"):
        one_again(tmp_path, ".mat", b"MATLAB 5.0 MAT-file".ljust(600))
