"""Seals: a file that is not what its job wrote is found, and only such a file."""

import os

import pytest

from sslslr.cli.provenance import check_results
from sslslr.utils import files
from sslslr.utils.errors import UserError
from sslslr.utils.files import write_json
from sslslr.workflow import seals


@pytest.fixture
def sealed(tmp_path):
    """A results folder with one sealed encoder; returns (results, file, seal)."""
    results = tmp_path / "results"
    file = results / "encoders/a.s0/encoder.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(bytes(range(256)) * 4)
    seal = results / "seals/pretrain/a.s0.json"
    seals.write(seal, [file])
    return results, file, seal


def keep_time(file, change) -> None:
    """Change a file behind everybody's back: its time stays."""
    before = file.stat()
    change(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip(file) -> None:
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)


def test_checking_results_writes_nothing(sealed, capsys):
    results, file, seal = sealed
    os.utime(file, ns=(1, 1))  # as a copy on a medium that cannot be written
    before = seal.read_bytes()
    check_results(results)
    assert "1 files are what their jobs wrote" in capsys.readouterr().out
    assert seal.read_bytes() == before


def test_an_untouched_file_is_sound(sealed):
    assert seals.examine(sealed[0]) == ([], 1)
    assert seals.examine(sealed[0], thorough=True) == ([], 1)


def test_a_file_that_was_cut_with_its_time_kept_is_found(sealed):
    results, file, seal = sealed
    keep_time(file, lambda f: os.truncate(f, 500))
    ((damage,), _) = seals.examine(results)
    assert (damage.file, damage.seal) == (file, seal)
    assert "holds 500 bytes, 1024 were written" in str(damage)


def test_a_bit_that_flipped_is_found_by_its_hash(sealed):
    results, file, _ = sealed
    keep_time(file, flip)
    assert seals.examine(results)[0] == []  # size and time say nothing
    assert "sha256" in str(seals.examine(results, thorough=True)[0][0])
    os.utime(file)
    assert "sha256" in str(seals.examine(results)[0][0])


def test_a_file_that_was_copied_is_sound_and_not_read_again(sealed, monkeypatch):
    results, file, _ = sealed
    os.utime(file, (1, 1))
    assert seals.examine(results, renew=False)[0] == []
    assert seals.examine(results)[0] == []
    monkeypatch.setattr(seals, "sha256_of", lambda path: pytest.fail("was read again"))
    assert seals.examine(results)[0] == []


def test_a_file_that_is_gone_is_no_damage(sealed):
    results, file, _ = sealed
    file.unlink()
    assert seals.examine(results) == ([], 0)


def test_a_broken_seal_gives_its_job_another_name_that_stays(sealed):
    results, _, seal = sealed
    assert seals.current(results, "pretrain", "a.s0") == seal
    planned = seals.current(results, "pretrain", "a.s0", broken=[seal])
    assert seal.exists(), "a plan changes nothing"
    assert planned == seals.break_seal(seal) == seals.current(results, "pretrain", "a.s0")
    assert planned.name == "a.s0~1.json"
    assert seals.examine(results) == ([], 0)
    assert seals.break_seal(planned).name == "a.s0~2.json"
    assert [path.name for path in planned.parent.iterdir()] == ["a.s0~2.json"]


def test_jobs_whose_names_begin_alike_are_told_apart(sealed):
    results, _, _ = sealed
    seals.write(results / "seals/pretrain/a.s01~3.json", [])
    assert seals.current(results, "pretrain", "a.s0").name == "a.s0.json"
    assert seals.current(results, "pretrain", "a").name == "a.json"
    seals.write(results / "seals/extract/videos.1.json", [])  # of shard 1, not of a broken seal
    assert seals.current(results, "extract", "videos").name == "videos.json"


def test_of_a_folder_all_files_are_sealed_but_for_hidden_ones(sealed, tmp_path):
    _, file, seal = sealed
    (file.parent / ".snakemake_timestamp").touch()
    (file.parent / "more").mkdir()
    (file.parent / "more/x").write_text("x")
    seals.write(seal, [file.parent])
    assert list(seals.read(seal)) == [f"encoders/a.s0/{n}" for n in (file.name, "more/x")]
    with pytest.raises(UserError, match="below a folder"):
        seals.write(tmp_path / "a.json", [file])


def test_files_that_no_seal_names_are_found_wherever_a_stage_puts_them(sealed):
    results, _, _ = sealed
    for name in ("tables/few_labels.csv", "new.json", "data/x/clips/card.json"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("x")
    for name in (
        "logs/a.log",
        "checkpoints/a.ckpt",
        "downloads/a.zip",
        "model/a",
        ".workflow.json",
    ):
        (results / name).parent.mkdir(exist_ok=True)
        (results / name).write_text("x")
    unsealed = [path.relative_to(results).as_posix() for path in seals.unsealed(results)]
    assert unsealed == ["data/x/clips/card.json", "new.json", "tables/few_labels.csv"]


def test_an_unreadable_seal_seals_nothing(sealed):
    results, _, seal = sealed
    seal.write_text("{")
    assert seals.examine(results) == ([], 0)


def test_a_folder_that_is_not_there_is_no_sound_one(tmp_path):
    with pytest.raises(UserError, match="typo: there is no such folder of results"):
        check_results(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()


def test_the_command_line_seals_the_outputs_that_it_is_told(tmp_path):
    from typer.testing import CliRunner

    from sslslr.cli.main import app

    store = tmp_path / "results/data/toy/clips"
    seal = tmp_path / "results/seals/extract/toy.json"
    names = ("keypoints.npy", "clips.parquet", "card.json")
    outputs = " ".join(str(store / name) for name in names)
    command = [
        "--seal",
        str(seal),
        "--outputs",
        outputs,
        "data",
        "build",
        "--name",
        "toy",
        "--source",
        "synthetic",
    ]
    options = '{"signs": 2, "signers": 5, "clips": 20}'
    done = CliRunner().invoke(app, [*command, "--options", options, "--out", str(store)])
    assert done.exit_code == 0, done.output
    written = {f"data/toy/clips/{name}" for name in names}
    assert set(seals.read(seal)) == written
    failed = CliRunner().invoke(app, [*command, "--options", '{"sings": 2}', "--out", str(store)])
    assert failed.exit_code != 0
    assert seals.read(seal) == {}, "a verb that failed leaves nothing sealed"


@pytest.mark.parametrize(
    "state",
    [{"size": "\x1b[31m\n"}, {"size": [1] * 1_000_000}, {"size": 1024, "sha256": "\x1b\n"}, {}],
    ids=lambda state: str(state)[:20],
)
def test_what_a_strangers_seal_says_is_one_line(sealed, state):
    results, _, seal = sealed
    write_json(seal, {"files": {"encoders/a.s0/encoder.safetensors": state}})
    (damage,) = seals.examine(results, thorough=True, renew=False)[0]
    assert str(damage).isprintable()
    assert len(str(damage)) < 500


def test_a_file_that_says_it_is_empty_is_not_read(sealed, monkeypatch):
    """A link to one of the kernel's, which never ends."""
    results, file, seal = sealed
    file.write_bytes(b"")
    seals.write(seal, [file])
    monkeypatch.setattr(files, "open", lambda *given: pytest.fail("read"), raising=False)
    assert seals.examine(results, thorough=True, renew=False) == ([], 1)
