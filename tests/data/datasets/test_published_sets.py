"""The sets of Zenodo record 6674324, from a server like Zenodo to a clip store."""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest

from openhands_toys import SETS, gsl, pickled, pose, zipped
from servers import Fault, download_settings, serving
from sslslr.data.datasets import DATASETS, build, download, notice
from sslslr.data.datasets._openhands import Finder, read_clip
from sslslr.data.membership import differences, membership
from sslslr.data.readers import ClipError
from sslslr.data.store import ClipStore
from sslslr.pose.skeleton import BODY, LEFT_HAND, RIGHT_HAND
from sslslr.utils.errors import UserError

CONSENTS = ("C-UDA", "CC-BY-NC-SA-4.0", "GSL", "AUTSL")


@pytest.fixture
def settings(tmp_path):
    return download_settings(tmp_path, accepted=CONSENTS)


def store_of(source, files, tmp_path, settings, name="s", **options):
    with serving({f"/{file}": data for file, data in files.items()}) as server:
        options = {"mirror": server.url, **options}
        download(source, options, tmp_path / f"{name}.raw", settings)
    return build_again(source, options, tmp_path, name)


def build_again(source, options, tmp_path, name, raw=None):
    raw = raw or tmp_path / f"{name}.raw"
    build("x", source, options, tmp_path / name, raw, say=lambda line: None)
    return ClipStore.open(tmp_path / name)


def counts(store):
    return {
        row["split"]: (row["expected"], row["found"], row["kept"]) for row in store.card["counts"]
    }


EXPECTED = {
    "gsl": {"train": (6, 6, 6), "val": (3, 3, 3), "test": (3, 3, 3)},
    "autsl": {"train": (2, 2, 2), "val": (2, 2, 2), "test": (2, 2, 2)},
    "include": {"train": (6, 6, 6), "test": (2, 2, 2)},
    "wlasl": {"train": (4, 3, 3), "val": (1, 1, 1), "test": (1, 1, 1)},
    "lsa64": {"train": (2560, 512, 512), "val": (320, 64, 64), "test": (320, 63, 63)},
}


@pytest.mark.parametrize("source", SETS)
def test_from_the_server_to_the_store_and_twice_the_same_bytes(source, tmp_path, settings):
    files = SETS[source]()
    store = store_of(source, files, tmp_path, settings)
    assert counts(store) == EXPECTED[source]
    assert store.check() == [] or source == "lsa64"  # whose toy clips are all alike
    assert set(store.card["inputs"]) == set(files)
    second = build_again(source, {}, tmp_path, "second", tmp_path / "s.raw")
    for name in ("keypoints.npy", "clips.parquet", "card.json"):
        assert (second.path / name).read_bytes() == (store.path / name).read_bytes()


@pytest.mark.parametrize("source", [*SETS, "lsfb_isol"])
def test_each_states_what_it_is(source):
    entry = DATASETS.get(source)
    lines = "\n".join(notice(source))
    for said in ("licence", "citation", "download", "split rule"):
        assert f"{source}: {said}: " in lines
    assert entry.card["languages"]
    assert entry.Options().model_dump_json()


@pytest.mark.parametrize("source", ["gsl", "autsl", "wlasl", "lsa64", "lsfb_isol"])
def test_a_licence_that_wants_consent(source, tmp_path, settings):
    said = []
    careful = replace(settings, accepted=("other",), say=said.append)
    wanted = DATASETS.get(source).consent
    with pytest.raises(
        UserError, match=f"add '{wanted}' to accept_licences.*Nothing was downloaded"
    ):
        download(source, {}, tmp_path / "raw", careful)
    assert any("licence: " in line for line in said)
    assert not (tmp_path / "raw").exists()


def test_what_the_clips_are(tmp_path, settings):
    store = store_of("autsl", SETS["autsl"](), tmp_path, settings)
    assert store.clips["gloss"].tolist() == ["abla", "acele"] * 3
    assert store.clips["signer"].tolist() == ["0", "0", "1", "1", "30", "30"]
    assert store.clips["clip_id"][0] == "signer0_sample1"
    first, given = store.frames(0), pose(seed=0)["keypoints"][..., :2]
    np.testing.assert_allclose(first[:, BODY], given[:, :33], atol=1e-3)
    np.testing.assert_allclose(first[0, LEFT_HAND], given[0, 33:54], atol=1e-3)
    np.testing.assert_allclose(first[:, RIGHT_HAND], given[:, 54:], atol=1e-3)
    assert np.isnan(first[1, LEFT_HAND]).all()


def test_what_is_missing_is_counted_with_its_split(tmp_path, settings):
    absent = "health1_signer3_rep3_glosses/glosses0001"
    store = store_of("gsl", gsl({absent}), tmp_path, settings)
    test = store.card["counts"][-1]
    assert test == {
        "split": "test",
        "expected": 3,
        "found": 2,
        "kept": 2,
        "dropped": {"no file in the archive": 1},
    }
    assert store.card["dropped"]["clips"] == [
        {"clip_id": absent, "reason": "no file in the archive"}
    ]
    assert store.clips["signer"].tolist() == ["1"] * 3 + ["2"] * 3 + ["3"] * 5


def test_membership_is_published_and_compared(tmp_path, settings):
    store = store_of("gsl", gsl(), tmp_path, settings)
    fewer = store_of(
        "gsl",
        gsl({"health1_signer3_rep3_glosses/glosses0001"}),
        tmp_path,
        replace(settings, cache=tmp_path / "c", checksums=tmp_path / "l"),
        "fewer",
    )
    mine, other = (membership(s.clips, s.card) for s in (store, fewer))
    assert mine["splits"]["test"]["n"] == 3
    assert mine["splits"]["test"]["sha256"] == store.card["splits"]["test"]["sha256"]
    assert differences(mine, mine) == []
    assert differences(mine, other) == [
        "test: 1 clips only here: health1_signer3_rep3_glosses/glosses0001"
    ]
    assert mine["sha256"] != other["sha256"]
    assert membership(store.clips.sample(frac=1, random_state=0), store.card) == mine


def test_listed_twice_and_in_two_splits(tmp_path, settings):
    files = gsl()
    files["test_greek_iso.csv"] += files["val_greek_iso.csv"]
    store = store_of("gsl", files, tmp_path, settings)
    assert store.card["counts"][-1]["dropped"] == {"listed twice": 3}
    assert store.check() == []  # nothing lies in two splits


def test_an_archive_that_fails_resumes_and_is_shared_by_subsets(tmp_path, settings):
    files = {f"/{name}": data for name, data in SETS["wlasl"]().items()}
    files["/nslt_100.json"] = files["/nslt_300.json"]
    half = len(files["/WLASL.zip"]) // 2
    with serving(files) as server:
        server.faults["/WLASL.zip"] = Fault(cut=half, times=1)
        server.faults["/nslt_300.json"] = Fault(status=404, times=1)
        once = replace(settings, tries=1)
        with pytest.raises(UserError) as caught:
            download("wlasl", {"mirror": server.url}, tmp_path / "raw", once)
        assert len(str(caught.value).splitlines()) == 2
        assert not (tmp_path / "raw").exists()
        download("wlasl", {"mirror": server.url}, tmp_path / "raw", settings)
        assert server.gets("/WLASL.zip") == [None, f"bytes={half}-"]
        download("wlasl", {"mirror": server.url, "subset": 100}, tmp_path / "raw100", settings)
        assert len(server.gets("/WLASL.zip")) == 2  # no second download of a gigabyte
    assert sorted(p.name for p in (tmp_path / "raw100").iterdir()) == [
        "WLASL.zip",
        "nslt_100.json",
        "wlasl_class_list.txt",
    ]


def test_a_folder_of_ones_own_copies(tmp_path, settings):
    (tmp_path / "mine").mkdir()
    for name, data in SETS["include"]().items():
        (tmp_path / "mine" / name).write_bytes(data)
    download("include", {"mirror": str(tmp_path / "mine")}, tmp_path / "raw", settings)
    store = build_again("include", {}, tmp_path, "s", tmp_path / "raw")
    assert store.clips["gloss"].unique().tolist() == ["4. Bird", "1. loud"]
    assert store.clips["clip_id"][0] == "Animals/4. Bird/MVI_1"
    assert store.clips["aspect"][0] == pytest.approx(1920 / 1080)


def test_without_the_download(tmp_path):
    for raw in (None, tmp_path):
        with pytest.raises(
            UserError, match=r"GSL\.zip.* not found\. Fetch with `sslslr data download"
        ):
            build("x", "gsl", {}, tmp_path / "s", raw)


@pytest.mark.parametrize(
    ("source", "file", "text", "message"),
    [
        ("gsl", "val_greek_iso.csv", "a/b|\n", "line 1: expected 2 columns"),
        ("gsl", "val_greek_iso.csv", "", "is empty"),
        ("gsl", "val_greek_iso.csv", b"\xff\xfe\x00", "cannot be read as text"),
        ("autsl", "test_labels.csv", "signer1_sample1,9\n", "has class '9', which SignList"),
        ("include", "test_include.csv", "a,b,c,d\n1,2,3,4\n", "expected columns Category,Word"),
        ("wlasl", "nslt_300.json", "{", "not valid JSON"),
        ("wlasl", "nslt_300.json", "[]", "expected video ids"),
        ("wlasl", "nslt_300.json", '{"1": {"subset": "train"}}', "has no known class"),
        ("wlasl", "nslt_300.json", '{"1": {"subset": "x", "action": [0]}}', "is in subset 'x'"),
        ("lsa64", "lsa64_signs.md", "01|Opaque|R|\n", "expected 64 signs"),
    ],
)
def test_a_list_that_is_wrong(source, file, text, message, tmp_path, settings):
    files = SETS[source]() if source != "lsa64" else {"LSA64_Cut.zip": zipped({"a.pkl": b"x"})}
    files[file] = text.encode() if isinstance(text, str) else text
    with pytest.raises(UserError, match=message):
        store_of(source, files, tmp_path, settings)
    assert not (tmp_path / "s").exists()


def test_a_mark_at_the_beginning_of_a_list(tmp_path, settings):
    files = gsl()
    files["val_greek_iso.csv"] = b"\xef\xbb\xbf" + files["val_greek_iso.csv"].replace(
        b"\n", b"\r\n"
    )
    assert counts(store_of("gsl", files, tmp_path, settings)) == EXPECTED["gsl"]


def test_finding_files():
    find = Finder(["a/b/c.pkl", "a/x/c.pkl", "d.pkl", "Α\u0301.pkl", "a/b.txt"], ".pkl")
    assert find("b/c") == "a/b/c.pkl"
    assert find("d") == "d.pkl"
    assert find("\u0386") == "Α\u0301.pkl"  # one character or two
    for absent in ("e", "z/b/c", "b", "b.txt"):
        with pytest.raises(FileNotFoundError):
            find(absent)
    with pytest.raises(ClipError, match="several files"):
        find("c")


@pytest.mark.parametrize("protocol", range(6))
def test_keypoints_of_every_protocol(protocol):
    clip = read_clip(pickled(protocol=protocol, vid_shape=(480, 848)))
    assert clip["keypoints"].shape == (8, 75, 2)
    assert clip["aspect"] == pytest.approx(848 / 480)


def test_layouts_and_confidence():
    held = pose(coordinates=2)
    held["confidences"][2, 40] = 0.3
    held["confidences"][3, 41] = np.nan
    data = pickle.dumps(held)
    assert np.isnan(read_clip(data)["keypoints"][3, 8]).all()
    assert np.isfinite(read_clip(data)["keypoints"][2, 7]).all()
    assert np.isnan(read_clip(data, 0.5)["keypoints"][2, 7]).all()
    whole = read_clip(pickled(joints=543))["keypoints"]  # with the face
    given = pose(joints=543)["keypoints"]
    np.testing.assert_allclose(whole[0, LEFT_HAND], given[0, 501:522, :2], rtol=1e-5)


def test_pixels_are_divided_by_the_image():
    held = pose(vid_shape=(480, 848, 3))
    inside = read_clip(pickle.dumps(held))["keypoints"]
    held["keypoints"][..., :2] *= [848, 480]
    found = read_clip(pickle.dumps(held))["keypoints"]
    np.testing.assert_allclose(found, inside, rtol=1e-5)
    del held["vid_shape"]
    with pytest.raises(ClipError, match="not 0 to 1. Of pixels the image's size must be known"):
        read_clip(pickle.dumps(held))


def test_the_real_lists(shared_data):
    from sslslr.data.datasets import gsl as greek
    from sslslr.data.datasets import wlasl as american

    folder = shared_data / "splits"
    lists = [
        greek.listed(folder / "gsl_isolated" / f"{s}_greek_iso.csv", s)
        for s in ("train", "dev", "test")
    ]
    sizes = [len({clip.clip_id for clip in clips}) for clips in lists]
    assert (sizes, sum(sizes)) == ([34995, 2331, 3500], 40826)
    names = folder / "wlasl" / "wlasl_class_list.txt"
    for subset, expected in ((100, 2038), (300, 5118), (1000, 13174), (2000, 21095)):
        clips = list(american.listed(folder / "wlasl" / f"nslt_{subset}.json", names))
        assert (len(clips), len({clip.gloss for clip in clips})) == (expected, subset)
    assert json.loads((folder / "wlasl" / "nslt_100.json").read_text())["69422"]["subset"] == "val"
