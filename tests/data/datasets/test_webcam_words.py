"""`webcam_words`: archives of repositories, from a server to a store, and what they lack."""

import io
import tarfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from test_published_sets import build_again, settings  # noqa: F401 (a fixture)

from openhands_toys import npy, zipped
from servers import serving
from sslslr.config.settings import parse
from sslslr.data.datasets import DATASETS, download
from sslslr.data.datasets.webcam_words import WebcamOptions, repositories
from sslslr.utils.errors import UserError

ONE, TWO = "a" * 40, "b" * 40
FRAMES = 4


def frame(seed):
    """All landmarks of a frame as the tutorials save them: pose 33 x 4, face 468 x 3, hands 21 x 3 each."""
    rng = np.random.default_rng(seed)
    body = np.column_stack([rng.uniform(0.2, 0.8, (33, 3)), np.ones(33)])
    return np.concatenate([body.ravel(), rng.uniform(0.2, 0.8, 1404), rng.uniform(0.2, 0.8, 126)])


def number_of(*names):
    return zlib.crc32(repr(names).encode())


def repository(root, signs, clips=3, around="Name-x/"):
    files = {
        f"{around}README.md": b"a student's work",
        f"{around}other/hello/0/0.npy": npy(frame(1)),
    }
    for sign in signs:
        for clip in range(clips):
            for number in range(FRAMES):
                seed = number_of(sign, clip, number)
                files[f"{around}{root}/{sign}/{clip}/{number}.npy"] = npy(frame(seed))
    return files


def tarred(files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def entry(commit=ONE, root="MP_Data", **more):
    return {"repository": "some/Name", "commit": commit, "root": root, "language": "ase", **more}


@pytest.fixture
def agreed(settings):  # noqa: F811
    return replace(settings, accepted=("NONE-STATED",))


@pytest.mark.parametrize(("pack", "ending"), [(zipped, ".zip"), (tarred, ".tar.gz")])
def test_from_the_server_to_the_store_with_signers_named(pack, ending, tmp_path, agreed):
    both = repository("MP_Data", ["I Love You", "Hello", "extra"]) | repository(
        "new/ana", ["Hello"], 2
    )
    served = {
        f"/some/Name/{ONE}{ending}": pack(both),
        f"/some/Name/{TWO}{ending}": pack(repository("MP_Data", ["hello"], around="")),
    }
    signs = ["hello", "iloveyou"]
    entries = [
        entry(signer="s01", split="train", signs=signs),
        entry(root="new/ana", signer="s02", split="val", signs=signs),
        entry(TWO, split="test"),
    ]
    with serving(served) as server:
        address = server.url + "/{repository}/{commit}" + ending
        options = {"repositories": entries, "address": address}
        download("webcam_words", options, tmp_path / "s.raw", agreed)
        assert len(server.gets()) == 2  # one archive for both roots of a commit
    store = build_again("webcam_words", options, tmp_path, "s")
    clips = store.clips
    assert clips["clip_id"].tolist() == [
        *(f"s01/hello/{n}" for n in range(3)),
        *(f"s01/iloveyou/{n}" for n in range(3)),
        *(f"s02/hello/{n}" for n in range(2)),
        *(f"some/Name/MP_Data/hello/{n}" for n in range(3)),
    ]
    assert clips["signer"].fillna("-").tolist() == ["s01"] * 6 + ["s02"] * 2 + ["-"] * 3
    assert clips["split"].tolist() == ["train"] * 6 + ["val"] * 2 + ["test"] * 3
    assert set(clips["language"]) == {"ase"}
    given = frame(number_of("Hello", 0, 0))
    np.testing.assert_allclose(store.frames(0)[0, 42:, 0], given[:132:4], atol=1e-3)
    np.testing.assert_allclose(
        store.frames(0)[0, :21, 1], given[1536:1599].reshape(21, 3)[:, 1], atol=1e-3
    )
    assert store.card["licence"] == "none stated"
    assert sorted(store.card["inputs"]) == [f"some--Name-{c[:12]}{ending}" for c in (ONE, TWO)]
    recorded = (tmp_path / "checksums.lock").read_text()
    assert all(digest in recorded for digest in store.card["inputs"].values())
    again = build_again("webcam_words", options, tmp_path, "again", tmp_path / "s.raw")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (again.path / name).read_bytes() == (store.path / name).read_bytes()


def test_it_wants_consent(tmp_path, settings):  # noqa: F811
    with pytest.raises(UserError, match="add 'NONE-STATED' to accept_licences"):
        download("webcam_words", {"repositories": [entry()]}, tmp_path / "raw", settings)


def test_a_table_of_them(tmp_path):
    table = tmp_path / "sources.csv"
    table.write_text(
        "set,repository,commit,root,language,signer,split,signs\n"
        f"mine,some/Name,{ONE},MP_Data,ase,s01,train,hello thanks\n"
        f"other,some/Name,{TWO},MP_Data,bzs,,,\n"
    )
    options = WebcamOptions(table=str(table), set="mine")
    (found,) = repositories(options)
    assert (found.signer, found.signs) == ("s01", ["hello", "thanks"])
    entry_class = DATASETS.get("webcam_words")
    assert entry_class.inputs(options) == [table]
    (file,) = entry_class.files(options)
    assert file.url == f"https://codeload.github.com/some/Name/zip/{ONE}"
    with pytest.raises(UserError, match="has no row with the set 'gone'"):
        repositories(WebcamOptions(table=str(table), set="gone"))
    table.write_text(table.read_text().replace(TWO, "main"))
    with pytest.raises(UserError, match="row 3: commit"):
        repositories(WebcamOptions(table=str(table), set="other"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "name `repositories` or a `table`"),
        (
            {"repositories": [entry()], "address": "https://x.org/{commit}.zip"},
            "must hold .repository.",
        ),
        ({"repositories": [entry("main")]}, "commit"),
        ({"repositories": [entry(root="/etc")]}, "root"),
    ],
)
def test_options_that_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        parse(WebcamOptions, options, "options")


def test_a_repository_without_the_signs(tmp_path):
    raw = tmp_path / "s.raw"
    raw.mkdir()
    (raw / f"some--Name-{ONE[:12]}.zip").write_bytes(zipped(repository("MP_Data", ["hello"])))
    options = {"repositories": [entry(signs=["bye"])]}
    with pytest.raises(UserError, match="has no MP_Data/SIGN/CLIP/FRAME.npy of the signs bye"):
        build_again("webcam_words", options, tmp_path, "s")
