"""`sslslr data`: what the verbs print and how they end."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from openhands_toys import gsl
from servers import serving
from sslslr.cli.data import app
from sslslr.data.store import ClipStore, writing
from sslslr.utils.errors import UserError

SMALL = {"signs": 3, "signers": 3, "clips": 60, "val_signers": 1, "test_signers": 1}


def run(*arguments):
    """Output and exit status; a UserError passes through, as main.py wants it."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output, result.exit_code


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Not to be changed."""
    out = tmp_path_factory.mktemp("built") / "s"
    arguments = ("--name", "toy", "--source", "synthetic", "--options", json.dumps(SMALL))
    text, status = run("build", *arguments, "--out", out)
    assert status == 0
    assert "toy: 60 clips written to" in text
    assert "0 dropped" in text
    return out


@pytest.fixture
def store(built, tmp_path):
    return shutil.copytree(built, tmp_path / "s")


def test_info(store):
    text, status = run("info", store)
    assert status == 0
    for shown in (
        "toy: 60 clips of 3 glosses",
        "CC0",
        "clips by split: ",
        "clips by signer: ",
        "left hand",
        "val",
    ):
        assert shown in text
    assert "frames a clip: median" in text
    assert "█" in text


def test_info_of_clips_of_one_length(tmp_path):
    with writing(tmp_path / "s", {"dataset": "x"}) as writer:
        writer.add("[a]", np.zeros((3, 42, 2)), gloss="g")
        writer.drop("b", "odd [thing]")
    text, status = run("info", tmp_path / "s")
    assert status == 0
    assert "not stated" not in text
    assert "dropped: 1 clips: 1 x odd [thing]" in text


def test_info_of_rates_shapes_and_signers_in_several_splits(tmp_path):
    with writing(tmp_path / "s", {"dataset": "x"}) as writer:
        for number in range(4):
            writer.add(
                f"c{number}", np.full((3, 42, 2), number / 10), gloss="g", fps=300 if number == 2 else 29.97,
                aspect=4 / 3, signer=f"s{number // 2}", split=("test", "train")[number > 0],
            )  # fmt: skip
    text, _ = run("info", tmp_path / "s")
    for line in ("by fps: 29.97: 3, 300: 1", "by aspect: 1.333: 4", "1 of 2: s0 (test 1, train 1)"):
        assert line in text


def test_check(store):
    text, status = run("check", store)
    assert (status, "sound; 60 clips" in text) == (0, True)
    keypoints = np.load(store / "keypoints.npy")
    keypoints[:3] = 0
    np.save(store / "keypoints.npy", keypoints)
    text, status = run("check", store)
    assert status == 1
    assert "its sha256 is not the one in card.json" in text
    assert "1 finding." in text


def test_splits_are_compared_with_a_list_of_splits_alone(store, tmp_path):
    text, status = run("splits", store, "--out", tmp_path / "mine.json")
    assert status == 0
    text, status = run("splits", store, "--check", tmp_path / "mine.json")
    assert status == 0
    assert "the same clips as" in text
    for other in (
        '["a"]',
        "{}",
        '{"splits": []}',
        '{"splits": {"train": 3}}',
        '{"splits": {"train": {}}}',
    ):
        (tmp_path / "other.json").write_text(other)
        with pytest.raises(UserError, match=r"other\.json: not a list of splits"):
            run("splits", store, "--check", tmp_path / "other.json")


def test_import_npz_drops_and_says_so(tmp_path):
    xy = np.random.default_rng(0).random((5, 42, 2)).astype(np.float32)
    np.savez(tmp_path / "clips.npz", xy=xy, offsets=[0, 4, 5], clip_id=["a", "b"])
    (tmp_path / "my.csv").write_text("clip_id,label\na,x\nb,y\n")
    arguments = ("import", tmp_path, "--out", tmp_path / "s", "--name", "mine", "--language", "ase")
    arguments += ("--csv", tmp_path / "my.csv", "--licence", "CC0")
    with pytest.raises(UserError, match=r"clip 'b': only 1 frame.*--bad-clips drop"):
        run(*arguments)
    text, status = run(*arguments, "--bad-clips", "drop")
    assert status == 0
    assert "1 clip written" in text
    assert "1 x only 1 frame; a clip needs at least 2 (b)" in text
    assert ClipStore.open(tmp_path / "s").card["licence"] == "CC0"
    text, status = run(*arguments, "--min-frames", 1)
    assert "2 clips written" in text


def test_import_npy(tmp_path):
    np.save(tmp_path / "a.npy", np.full((4, 75, 3), -0.5))
    (tmp_path / "instances.csv").write_text("file,gloss\na.npy,x\n")
    text, status = run("import", tmp_path, "--out", tmp_path / "s", "--name", "mine")
    assert status == 0
    assert "third coordinate" in text


def test_import_of_nothing(tmp_path):
    with pytest.raises(UserError, match="holds no keypoints that are known"):
        run("import", tmp_path, "--out", tmp_path / "s", "--name", "mine")
    with pytest.raises(UserError, match="no such file or folder"):
        run("import", tmp_path / "absent", "--out", tmp_path / "s", "--name", "mine")


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("synthetik", "{}", "unknown data set 'synthetik'. Did you mean 'synthetic'"),
        ("synthetic", "{", "is not valid JSON"),
        ("synthetic", "[]", "must be a JSON object"),
        ("synthetic", '{"signz": 1}', "unknown key 'signz'. Did you mean 'signs'"),
        ("synthetic", '{"signs": 1}', "signs: "),
    ],
)
def test_build_errors(tmp_path, source, options, message):
    arguments = ("--source", source, "--options", options, "--name", "toy")
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        run("build", *arguments, "--out", tmp_path / "s")


def test_download_of_what_downloads_nothing(tmp_path):
    with pytest.raises(UserError, match="downloads nothing"):
        run("download", "--source", "synthetic", "--raw", tmp_path)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, sslslr.cli.main\n"
        "heavy = {'torch', 'pandas', 'numpy', 'pydantic', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_download_build_and_publish(tmp_path):
    with serving({f"/{name}": data for name, data in gsl().items()}) as server:
        options = json.dumps({"mirror": server.url})
        source = ("--source", "gsl", "--options", options, "--raw", tmp_path / "raw")
        place = ("--checksums", tmp_path / "sums", "--cache", tmp_path / "cache")
        with pytest.raises(UserError, match="wants your consent"):
            run("download", *source, *place, "--allow-http")
        with pytest.raises(UserError, match="not HTTPS"):
            run("download", *source, *place, "--accept-licence", "GSL")
        text, status = run("download", *source, *place, "--allow-http", "--accept-licence", "GSL")
    assert status == 0
    assert "gsl: licence: keypoints CC BY 4.0" in text.splitlines()[0]
    assert text.splitlines()[-1].startswith("gsl: downloaded to")
    run("build", *source, "--name", "gsl", "--out", tmp_path / "s")
    text, _ = run("info", tmp_path / "s")
    assert "splits of which nothing is missing: 12 clips expected, found and kept" in text
    run("splits", tmp_path / "s", "--out", tmp_path / "m.json")
    assert run("splits", tmp_path / "s", "--check", tmp_path / "m.json")[1] == 0
    published = json.loads((tmp_path / "m.json").read_text())
    assert json.loads(run("splits", tmp_path / "s")[0]) == published
    lost = published["splits"]["test"]["clip_ids"].pop()
    (tmp_path / "m.json").write_text(json.dumps(published))
    text, status = run("splits", tmp_path / "s", "--check", tmp_path / "m.json")
    assert (status, text) == (1, f"test: 1 clips only here: {lost}\n")


def test_download_settings_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SSLSLR_ACCEPT_LICENCES", "AUTSL GSL")
    monkeypatch.setenv("SSLSLR_DOWNLOADS", str(tmp_path / "cache"))
    monkeypatch.setenv("SSLSLR_ALLOW_HTTP", "1")
    with serving({f"/{name}": data for name, data in gsl().items()}) as server:
        options = json.dumps({"mirror": server.url})
        arguments = ("--source", "gsl", "--options", options, "--raw", tmp_path / "raw")
        _, status = run("download", *arguments, "--checksums", tmp_path / "sums")
    assert status == 0
    assert (tmp_path / "cache" / "gsl" / "GSL.zip").is_file()
